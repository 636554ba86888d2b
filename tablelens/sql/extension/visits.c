/* Which queries look at which places of an inverted file. */
#include <stdlib.h>

#include "visits.h"

bool add_visit(Party *party, uint32_t where, uint32_t who) {
	if (party->visit_count == party->visit_room) {
		size_t room = party->visit_room ? 2 * party->visit_room : 512;
		Visit *grown = realloc(party->visits, room * sizeof(Visit));
		if (!grown) {
			return false;
		}
		party->visits = grown;
		party->visit_room = room;
	}
	party->visits[party->visit_count++] = (Visit){where, who};
	return true;
}

bool order_visits(Party *party, uint64_t places) {
	if (party->count == 1) {
		return true;
	}
	uint32_t *starts = calloc(places + 2, sizeof(uint32_t));
	Visit *ordered = malloc((party->visit_room + 1) * sizeof(Visit));
	if (!starts || !ordered) {
		free(starts);
		free(ordered);
		return false;
	}
	for (size_t i = 0; i < party->visit_count; i++) {
		starts[party->visits[i].where + 1]++;
	}
	for (uint64_t i = 0; i < places; i++) {
		starts[i + 1] += starts[i];
	}
	for (size_t i = 0; i < party->visit_count; i++) {
		ordered[starts[party->visits[i].where]++] = party->visits[i];
	}
	free(starts);
	free(party->visits);
	party->visits = ordered;
	return true;
}

/* The first lines of what is compared next; the rest follows by itself. */
static inline __attribute__((always_inline)) void fetch(const Coded *coded, uint64_t start, uint64_t end) {
	const int8_t *codes = coded->codes + start * coded->dimension;
	for (uint64_t line = 0; line < 8 && start < end; line++) {
		__builtin_prefetch(codes + 64 * line);
	}
}

bool go(Party *party, const int64_t *starts, uint64_t places, const Coded *coded, uint64_t total) {
	Asking **here = malloc((party->count + 1) * sizeof(Asking *));
	bool fine = here && order_visits(party, places);
	const Visit *visits = party->visits;
	for (size_t i = 0, next; fine && i < party->visit_count; i = next) {
		uint64_t start, end;
		for (next = i; next < party->visit_count && visits[next].where == visits[i].where; next++) {
			here[next - i] = &party->seekers[visits[next].who].asking;
		}
		if (next < party->visit_count && span_of(starts, visits[next].where, total, &start, &end)) {
			fetch(coded, start, end);
		}
		if (span_of(starts, visits[i].where, total, &start, &end)) {
			fine = compare(coded, start, end, here, next - i);
		}
	}
	free(here);
	party->visit_count = 0;
	return fine;
}
