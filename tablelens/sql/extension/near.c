/* The vector arm: columns whose vectors are near the query's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "search.h"

enum { WEIGHED = 50000 };
static const double FEW = 0.02; /* less of the columns are weighed one by one */

static uint64_t wanted_near(const Search *s) {
	return s->request->mode == DEEPJOIN ? s->wanted : s->wanted / 2;
}

/* The query's own vector at length 1, where it has one; what is asked with it. */
bool take_vector(Search *s) {
	s->vector = malloc(s->index->dimension * sizeof(float));
	if (!s->vector) {
		SAY_TO(s, NO_MEMORY);
		return false;
	}
	if (s->query->place < 0 || !direction_of(s->index, (uint64_t)s->query->place, s->vector)) {
		free(s->vector);
		s->vector = NULL;
	}
	s->by_vector = s->vector && s->request->pair < 0 && !s->query->excluded && s->request->mode != EQUI;
	if (s->by_vector) {
		s->share = share_allowed(s);
		s->near = (Ask){.vector = s->vector, .k = (size_t)((double)wanted_near(s) / (s->share > 0.01 ? s->share : 0.01)) + 50};
	}
	return true;
}

bool asks_near(const Search *s) {
	return s->by_vector && s->share >= FEW;
}

typedef struct {
	uint32_t place;
	double score;
} Scored;

/* A score that can be ordered; a damaged vector gives one that cannot. */
static float ordered(float score) {
	return isnan(score) ? -INFINITY : score;
}

static int best_score(const void *a, const void *b, void *with) {
	const Scored *x = a, *y = b;
	if (x->score != y->score) {
		return x->score < y->score ? 1 : -1;
	}
	int64_t first = fact(with, x->place, ORDER), second = fact(with, y->place, ORDER);
	return first < second ? -1 : first > second;
}

/* The nearest columns that are allowed, asking for more until they are enough; -1 where that fails. */
static int64_t near_allowed(Search *s, Scored **to) {
	while (true) {
		Ask *near = &s->near;
		if (!near->found) {
			nearest(s->index, near, 1);
		}
		int64_t kept = near->count < 0 ? -1 : 0;
		*to = malloc(((size_t)(near->count < 0 ? 0 : near->count) + 1) * sizeof(Scored));
		for (int64_t i = 0; *to && i < near->count; i++) {
			if (allowed(s, near->found[i].id)) {
				(*to)[kept++] = (Scored){near->found[i].id, ordered(near->found[i].key)};
			}
		}
		if (!*to || kept < 0) {
			SAY_TO(s, "the vectors of the index are damaged, or memory ran out");
			return -1;
		}
		if (kept >= (int64_t)wanted_near(s) || near->count < (int64_t)near->k || near->k == s->index->vectors) {
			return kept;
		}
		free(*to);
		free(near->found);
		near->found = NULL;
		near->k *= 4;
	}
}

/* All allowed columns that have a vector, weighed; -1 where they are too many for that, -2 where memory ran out. */
static int64_t weigh_allowed(Search *s, Scored **to) {
	float other[s->index->dimension];
	*to = malloc(WEIGHED * sizeof(Scored));
	int64_t kept = 0;
	for (uint32_t place = 0; *to && place < s->index->columns; place++) {
		if (s->index->vector_at[place] == NOWHERE || !allowed(s, place) || !vector_of(s->index, place, other)) {
			continue;
		}
		if (kept == WEIGHED) {
			free(*to);
			*to = NULL;
			return -1;
		}
		(*to)[kept++] = (Scored){place, ordered(dot(other, s->vector, s->index->dimension))};
	}
	return *to ? kept : -2;
}

/* Puts the hits' places into a sparse set: `slot` of a place is where it stands among them (Briggs and Torczon, 1993). */
static void mark_hits(Search *s, uint32_t *slot) {
	for (int64_t i = 0; i < s->count; i++) {
		slot[s->hits[i].place] = (uint32_t)i;
	}
}

/* By the angle alone, as mode semantic has it. */
static void by_angle(const Index *index, Scored *near, int64_t count) {
	float other[index->dimension];
	for (int64_t i = 0; i < count; i++) {
		if (vector_of(index, near[i].place, other)) {
			float length = sqrtf(dot(other, other, index->dimension));
			near[i].score = ordered((float)near[i].score / (length > 1e-9F ? length : 1e-9F));
		}
	}
}

bool by_vector(Search *s) {
	const Index *index = s->index;
	Scored *near = NULL;
	int64_t count = s->share < FEW ? weigh_allowed(s, &near) : -1;
	if (count == -1) {
		count = near_allowed(s, &near);
	}
	if (count < 0) {
		free(near);
		if (!*s->message) {
			SAY_TO(s, NO_MEMORY);
		}
		return false;
	}
	if (s->request->mode == SEMANTIC) {
		by_angle(index, near, count);
	}
	for (int64_t i = 0; i < count; i++) {
		near[i].score = rint(near[i].score * 1e6); /* the last bits are no difference */
	}
	sort(near, (size_t)count, sizeof(Scored), best_score, index);
	count = count < (int64_t)wanted_near(s) ? count : (int64_t)wanted_near(s);
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
