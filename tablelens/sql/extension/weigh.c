/* What is counted on a column beside the query, and the hits that bridges and people add. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "search.h"

static double column_up_to(const Index *index, uint64_t place, uint64_t bound) {
	Run own;
	if (!own_of(index, place, &own)) {
		return 0;
	}
	uint64_t low = 0, high = own.count;
	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (own.at[middle] < index->values && index->value[own.at[middle]] <= bound) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return (double)low;
}

void weigh(const Search *s, uint64_t place, int64_t shared, Hit *hit) {
	const Index *index = s->index;
	const Query *q = s->query;
	bool whole = WHOLE(index->glance[place]);
	double full = (double)(q->distinct > 1 ? q->distinct : 1), theirs_full = (double)fact(index, place, DISTINCT);
	theirs_full = theirs_full > 1 ? theirs_full : 1;
	double mine = (double)(q->size ? q->size : 1), theirs = theirs_full, error = 0;
	if (!whole || !q->whole) {
		uint64_t limit = q->limit < index->limits[place] ? q->limit : index->limits[place];
		mine = (double)up_to(q->hashes, q->size, limit);
		theirs = limit == UINT64_MAX ? (double)fact(index, place, DISTINCT) : column_up_to(index, place, limit);
		error = 0.5 / sqrt(mine > 1 ? mine : 1);
	}
	double containment = (double)shared / (mine > 1 ? mine : 1), reverse = (double)shared / (theirs > 1 ? theirs : 1);
	containment = containment < 1 ? containment : 1;
	reverse = reverse < 1 ? reverse : 1;
	double both = containment * full < theirs_full ? containment * full : theirs_full;
	double either = full + theirs_full - both;
	*hit = (Hit){.place = (int64_t)place, .form = -1, .containment = containment, .reverse = reverse, .error = error};
	hit->jaccard = both / (either > 1 ? either : 1);
	hit->overlap = (int64_t)rint(both);
	hit->cosine = NAN;
}

bool add_hit(Search *s, uint64_t place, int64_t shared) {
	if (shared < 0) {
		snprintf(s->message, MESSAGE, "%s", DAMAGED);
		return false;
	}
	if (s->count == s->held) {
		int64_t room = s->held ? 2 * s->held : 512;
		Hit *grown = realloc(s->hits, (size_t)room * sizeof(Hit));
		if (!grown) {
			snprintf(s->message, MESSAGE, "out of memory");
			return false;
		}
		s->hits = grown;
		s->held = room;
	}
	weigh(s, place, shared, &s->hits[s->count++]);
	return true;
}

/* bridges and verdicts ----------------------------------------------------------------------------------------- */

static int hits_by_place(const void *a, const void *b, void *with) {
	(void)with;
	const Hit *x = a, *y = b;
	return x->place < y->place ? -1 : x->place > y->place;
}

/* Columns that bridges lead to are hits too; those that are hits already get to know of their bridge. */
bool by_bridge(Search *s, uint64_t wanted) {
	if (!find_bridges(s->index, s->query, s->values, s->value_count, wanted, s->request->pair, &s->bridges)) {
		SAY_TO(s, DAMAGED);
		return false;
	}
	int64_t before = s->count;
	if (s->bridges.arrived) {
		sort(s->hits, (size_t)before, sizeof(Hit), hits_by_place, s->index);
	}
	bool fine = true;
	for (size_t i = 0, at = 0; i < s->bridges.arrived && fine; i++) {
		const Arrival *arrival = &s->bridges.arrivals[i];
		while ((int64_t)at < before && s->hits[at].place < arrival->place) {
			at++;
		}
		Hit *hit = (int64_t)at < before && s->hits[at].place == arrival->place ? &s->hits[at] : NULL;
		if (!hit && allowed_anyhow(s, arrival->place)) {
			fine = add_hit(s, arrival->place, count_one(s, arrival->place));
			hit = fine ? &s->hits[s->count - 1] : NULL;
		}
		if (hit) {
			hit->form = arrival->form;
			hit->coverage = arrival->coverage;
		}
	}
	return fine;
}

/* What people denied is no hit; what they confirmed is one. */
bool by_verdicts(Search *s) {
	int64_t kept = 0;
	for (int64_t i = 0; i < s->count; i++) {
		if (judged(s, (uint64_t)s->hits[i].place) != 0) {
			s->hits[kept++] = s->hits[i];
		}
	}
	s->count = kept;
	bool fine = true;
	for (size_t v = 0; v < s->request->judged_count && fine; v++) {
		uint32_t place = s->request->judged[v].place;
		bool there = !s->request->judged[v].joins || !passes(s, place);
		for (int64_t i = 0; i < s->count && !there; i++) {
			there = s->hits[i].place == place;
		}
		fine = there || add_hit(s, place, count_in(s, place));
	}
	return fine;
}
