/* Queries that go through an inverted file side by side. */
#pragma once
#include "rough.h"

/* That a seeker looks at a region or a list. */
typedef struct {
	uint32_t where, who;
} Visit;

/* A query on its way to the nearest vectors, and the lists that it looks at. */
typedef struct {
	Ask *ask;
	Asking asking;
	uint32_t *lists;
	size_t count;
	bool open; /* its lists are to be found yet */
} Seeker;

/* Queries that are answered together. */
typedef struct {
	const Index *index;
	Seeker *seekers;
	size_t count;
	Visit *visits;
	size_t visit_count, visit_room;
} Party;

bool add_visit(Party *party, uint32_t where, uint32_t who);

/* Puts visits in the order of where they lead, so that those to one place follow one another; one seeker's stay as they are. */
bool order_visits(Party *party, uint64_t places);

/* Compares all who visit a place with what lies there, place by place; then there are no visits. `starts` says where the
   vectors of each place begin, of so many. False where memory ran out. */
bool go(Party *party, const int64_t *starts, uint64_t places, const Coded *coded, uint64_t total);

/* Members start … end of a list or a region, where the index is sound. */
static inline bool span_of(const int64_t *starts, uint64_t place, uint64_t total, uint64_t *start, uint64_t *end) {
	int64_t from = starts[place], to = starts[place + 1];
	*start = (uint64_t)from;
	*end = (uint64_t)to;
	return from >= 0 && from <= to && (uint64_t)to <= total;
}
