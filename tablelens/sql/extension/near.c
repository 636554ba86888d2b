/* The vector arm: columns whose vectors are near the query's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "search.h"

enum { WEIGHED = 50000 };

/* The query's own vector at length 1, where it has one. */
bool take_vector(Search *s) {
	s->other = malloc(s->index->dimension * sizeof(float));
	s->vector = malloc(s->index->dimension * sizeof(float));
	if (!s->other || !s->vector) {
		SAY_TO(s, NO_MEMORY);
		return false;
	}
	if (s->query->place < 0 || !direction_of(s->index, (uint64_t)s->query->place, s->vector)) {
		free(s->vector);
		s->vector = NULL;
	}
	return true;
}

typedef struct {
	uint32_t place;
	float score;
} Scored;

/* A score that can be ordered; a damaged vector gives one that cannot. */
static float ordered(float score) {
	return isnan(score) ? -INFINITY : score;
}

static int best_score(const void *a, const void *b, void *with) {
	const Scored *x = a, *y = b;
	double first_score = rint(x->score * 1e6), second_score = rint(y->score * 1e6); /* the last bits are no difference */
	if (first_score != second_score) {
		return first_score < second_score ? 1 : -1;
	}
	int64_t first = fact(with, x->place, ORDER), second = fact(with, y->place, ORDER);
	return first < second ? -1 : first > second;
}

/* The nearest columns that are allowed, asking for more until they are enough. */
static int64_t near_allowed(Search *s, uint64_t wanted, double share, Scored **to) {
	const Index *index = s->index;
	uint64_t ask = (uint64_t)((double)wanted / (share > 0.01 ? share : 0.01)) + 50;
	while (true) {
		ask = ask < index->vectors ? ask : index->vectors;
		Near *found = malloc((ask + 1) * sizeof(Near));
		*to = malloc((ask + 1) * sizeof(Scored));
		int64_t count = found && *to ? nearest(index, s->vector, ask, s->query->lists, found, s->message) : -1, kept = 0;
		for (int64_t i = 0; i < count; i++) {
			if (found[i].place != NOWHERE && allowed(s, found[i].place)) {
				(*to)[kept++] = (Scored){found[i].place, ordered(found[i].score)};
			}
		}
		free(found);
		if (count < 0) {
			return -1;
		}
		if (kept >= (int64_t)wanted || count < (int64_t)ask || ask == index->vectors) {
			return kept;
		}
		free(*to);
		*to = NULL;
		ask *= 4;
	}
}

/* All allowed columns that have a vector, weighed; -1 where they are too many for that, -2 where memory ran out. */
static int64_t weigh_allowed(Search *s, Scored **to) {
	*to = malloc(WEIGHED * sizeof(Scored));
	int64_t kept = 0;
	for (uint64_t i = 0; *to && i < s->index->vectors; i++) {
		uint32_t place = s->index->placed[i];
		if (place == NOWHERE || !allowed(s, place) || !vector_of(s->index, place, s->other)) {
			continue;
		}
		if (kept == WEIGHED) {
			free(*to);
			*to = NULL;
			return -1;
		}
		(*to)[kept++] = (Scored){place, ordered(dot(s->other, s->vector, s->index->dimension))};
	}
	return *to ? kept : -2;
}

/* Puts the hits' places into a sparse set: `slot` of a place is where it stands among them (Briggs and Torczon, 1993). */
static void mark_hits(Search *s, uint32_t *slot) {
	for (int64_t i = 0; i < s->count; i++) {
		slot[s->hits[i].place] = (uint32_t)i;
	}
}

bool by_vector(Search *s, uint64_t wanted) {
	const Index *index = s->index;
	double share = share_allowed(s);
	Scored *near = NULL;
	int64_t count = share < 0.02 ? weigh_allowed(s, &near) : -1;
	if (count == -1) {
		count = near_allowed(s, wanted, share, &near);
	}
	if (count < 0) {
		free(near);
		if (!*s->message) {
			SAY_TO(s, "out of memory");
		}
		return false;
	}
	for (int64_t i = 0; i < count && s->request->mode == SEMANTIC; i++) {
		if (vector_of(index, near[i].place, s->other)) {
			float length = sqrtf(dot(s->other, s->other, index->dimension));
			near[i].score = ordered(near[i].score / (length > 1e-9F ? length : 1e-9F));
		}
	}
	sort(near, (size_t)count, sizeof(Scored), best_score, index);
	count = count < (int64_t)wanted ? count : (int64_t)wanted;
	uint32_t *slot = s->room ? s->room->kept : NULL; /* there are no hits yet where nothing was counted */
	int64_t before = s->count;
	bool fine = true;
	mark_hits(s, slot);
	for (int64_t i = 0; i < count && fine; i++) {
		uint32_t at = before ? slot[near[i].place] : 0;
		if (at >= before || s->hits[at].place != near[i].place) {
			fine = add_hit(s, near[i].place, count_one(s, near[i].place));
		}
	}
	free(near);
	return fine;
}
