/* Which columns join with this one: the arms propose, the values prove, one probability ranks. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "search.h"

void sort(void *items, size_t count, size_t size, int (*order)(const void *, const void *, void *), const Index *with) {
	if (count) {
		qsort_r(items, count, size, order, (void *)with);
	}
}

bool find_joins(const Index *index, const Query *query, const Request *request, Answer *answer, char *message) {
	Search s = {.index = index, .query = query, .request = request, .message = message};
	*message = 0;
	Mode mode = request->mode;
	uint64_t wanted = (uint64_t)request->k;
	if ((mode == AUTO || mode == SEMANTIC) && request->candidates > request->k) {
		wanted = (uint64_t)request->candidates;
	}
	if (request->per_table && wanted < 20 * (uint64_t)request->k) {
		wanted = 20 * (uint64_t)request->k;
	}
	bool fine = take_filters(&s) && find_values(&s) && take_vector(&s);
	if (fine && request->pair >= 0) {
		fine = add_hit(&s, (uint64_t)request->pair, count_in(&s, (uint64_t)request->pair)) && by_bridge(&s, 0);
	} else if (fine && !query->excluded) {
		fine = mode == DEEPJOIN || by_values(&s, wanted);
		if (fine && mode != EQUI && s.vector) {
			fine = by_vector(&s, mode == DEEPJOIN ? wanted : wanted / 2);
		}
		if (fine && (mode == AUTO || mode == SEMANTIC)) {
			fine = by_bridge(&s, wanted);
		}
	}
	if (fine && request->pair < 0 && mode != DEEPJOIN) {
		fine = by_verdicts(&s);
	}
	if (fine && rank(&s)) {
		*answer = (Answer){s.hits, s.count, hubness(&s)};
	} else {
		fine = false;
		free(s.hits);
	}
	free_bridges(&s.bridges);
	free(s.filtered);
	free(s.values);
	free(s.reach);
	leave_room(&s, fine);
	free(s.vector);
	free(s.other);
	return fine;
}
