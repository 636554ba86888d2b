/* Hits that tell something new, tablelens/discover/diverse.py: maximal marginal relevance over value sets. */
#include <math.h>
#include <stdlib.h>

#include "search.h"

enum { SKETCH = 256 };

/* The values of a column with the smallest hashes; `last` of them is the greatest that it can tell of. */
typedef struct {
	Run run;
	uint32_t last;
} Sketch;

static Sketch sketch_of(const Index *index, uint64_t place) {
	Sketch sketch = {.last = UINT32_MAX};
	if (!own_of(index, place, &sketch.run)) {
		sketch.run.count = 0; /* damaged: like none */
	}
	if (sketch.run.count >= SKETCH) {
		sketch.run.count = SKETCH;
		sketch.last = sketch.run.at[SKETCH - 1];
	}
	return sketch;
}

static double jaccard_of(const Sketch *a, const Sketch *b) {
	uint32_t last = a->last < b->last ? a->last : b->last; /* beyond it one of the two cannot tell */
	uint64_t i = 0, j = 0, both = 0, either = 0;
	const uint32_t *x = a->run.at, *y = b->run.at;
	uint64_t n = a->run.count, m = b->run.count;
	while ((i < n && x[i] <= last) || (j < m && y[j] <= last)) {
		bool mine = i < n && x[i] <= last && (j == m || x[i] <= y[j]), theirs = j < m && y[j] <= last && (i == n || y[j] <= x[i]);
		both += mine && theirs;
		either++;
		i += mine;
		j += theirs;
	}
	return either ? (double)both / (double)either : 0;
}

enum { TAKEN = 2 /* in place of a likeness, which is 1 at most */ };

/* The hit that tells most beside those that were taken; NULL where all were. */
static const Hit *next_of(const Search *s, const double *likeness) {
	double share = s->request->diversity, most = -INFINITY;
	const Hit *best = NULL;
	for (int64_t i = 0; i < s->count; i++) {
		const Hit *hit = &s->hits[i];
		double relevance = s->request->mode == DEEPJOIN ? hit->cosine : hit->score;
		double worth = (1 - share) * (isnan(relevance) ? 0 : relevance) - share * likeness[i];
		if (likeness[i] < TAKEN && worth > most) {
			most = worth;
			best = hit;
		}
	}
	return best;
}

/* Takes hits to `turned`, until enough are there to be shown. How many were taken. */
static int64_t take_turns(const Search *s, const Sketch *sketches, double *likeness, Hit *turned) {
	const Hit *best;
	int64_t put = 0;
	for (int64_t shown = 0; shown < s->request->k && (best = next_of(s, likeness)); put++) {
		shown += has_room(s, turned, put, best);
		turned[put] = *best;
		for (int64_t i = 0; i < s->count; i++) {
			double alike = likeness[i] < TAKEN ? jaccard_of(&sketches[i], &sketches[best - s->hits]) : 0;
			likeness[i] = alike > likeness[i] ? alike : likeness[i];
		}
		likeness[best - s->hits] = TAKEN;
	}
	return put;
}

/* Brings hits forward that hold other values than those before them. False where memory ran out. */
bool diversify(Search *s) {
	size_t room = (size_t)s->count + 1;
	double *likeness = calloc(room, sizeof(double));
	Sketch *sketches = malloc(room * sizeof(Sketch));
	Hit *turned = malloc(room * sizeof(Hit));
	bool fine = likeness && sketches && turned;
	for (int64_t i = 0; fine && i < s->count; i++) {
		sketches[i] = sketch_of(s->index, (uint64_t)s->hits[i].place);
	}
	if (fine) {
		s->count = take_turns(s, sketches, likeness, turned);
	}
	free(likeness);
	free(sketches);
	free(fine ? s->hits : turned);
	s->hits = fine ? turned : s->hits;
	return fine;
}
