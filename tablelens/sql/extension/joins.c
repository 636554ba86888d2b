/* Which columns join with this one: the arms propose, the values prove, one probability ranks. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "search.h"

void sort(void *items, size_t count, size_t size, int (*order)(const void *, const void *, void *), const Index *with) {
	if (count) {
		qsort_r(items, count, size, order, (void *)with);
	}
}

static uint64_t wanted_by(const Request *request) {
	uint64_t wanted = (uint64_t)request->k;
	if ((request->mode == AUTO || request->mode == SEMANTIC) && request->candidates > request->k) {
		wanted = (uint64_t)request->candidates;
	}
	if ((request->per_table || request->diversity > 0) && wanted < 20 * (uint64_t)request->k) {
		wanted = 20 * (uint64_t)request->k;
	}
	return wanted;
}

/* What both arms begin with. */
static bool begin(Search *s, Filter *filter) {
	s->wanted = wanted_by(s->request);
	return take_filters(s, filter) && take_vector(s);
}

/* Both arms, once the nearest columns are known, and what people said. */
static bool gather(Search *s) {
	const Request *request = s->request;
	Mode mode = request->mode;
	if (!take_again(s) || !find_values(s)) {
		return false;
	}
	if (request->pair >= 0) {
		return add_hit(s, (uint64_t)request->pair, count_in(s, (uint64_t)request->pair)) && by_bridge(s, 0);
	}
	bool fine = true;
	if (!s->query->excluded) {
		fine = mode == DEEPJOIN || by_values(s, s->wanted);
		fine = fine && (!s->by_vector || by_vector(s));
		fine = fine && (mode == EQUI || mode == DEEPJOIN || by_bridge(s, s->wanted));
	}
	return fine && (mode == DEEPJOIN || by_verdicts(s));
}

static void end(Search *s, Join *join, bool fine) {
	if (fine) {
		join->answer = (Answer){s->hits, s->count, hubness(s)};
	} else {
		free(s->hits);
		join->message = strdup(s->message);
	}
	join->answered = fine;
	free_bridges(&s->bridges);
	free(s->values);
	free(s->reach);
	leave_room(s, fine);
	free(s->near.found);
	free(s->vector);
}

/* Begins with all, and gathers what is to be asked of the vectors: how much. A search that fails has no index any more. */
static size_t begin_all(Search *searches, Join *const *joins, size_t count, Filter *filter, Ask *asks) {
	size_t put = 0;
	for (size_t i = 0; i < count; i++) {
		Search *s = &searches[i];
		*s->message = 0;
		if (!begin(s, filter)) {
			end(s, joins[i], false);
			s->index = NULL;
		} else if (asks_near(s)) {
			asks[put++] = s->near;
		}
	}
	return put;
}

static void end_all(Search *searches, Join *const *joins, size_t count, const Ask *asks) {
	for (size_t i = 0; i < count; i++) {
		Search *s = &searches[i];
		*s->message = 0;
		if (!s->index) {
			continue;
		}
		if (asks_near(s)) {
			s->near = *asks++;
		}
		end(s, joins[i], gather(s) && rank(s));
	}
}

void find_joins(const Index *index, Join *const *joins, size_t count) {
	char message[MESSAGE];
	Filter filter = {0};
	Search *searches = calloc(count + 1, sizeof(Search));
	Ask *asks = calloc(count + 1, sizeof(Ask));
	for (size_t i = 0; i < count; i++) {
		joins[i]->answered = false;
		joins[i]->message = NULL;
		if (searches) {
			searches[i] = (Search){.index = index, .query = &joins[i]->query, .request = &joins[i]->request, .message = message};
		}
	}
	if (searches && asks) {
		nearest(index, asks, begin_all(searches, joins, count, &filter, asks));
		end_all(searches, joins, count, asks);
	}
	free(filter.seen);
	free(searches);
	free(asks);
}
