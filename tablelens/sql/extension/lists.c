/* Nearest vectors by an inverted file, tablelens/index/ivf.py: a query is compared with all regions, with the lists of the
   first of them, and with all vectors of the first lists. Centroids of lists are compared in a byte a dimension; those that
   this cannot tell apart from the first ones are compared again as they are, so that the lists are the same. Many queries
   go through it side by side: each region, centroid and list is read once for all that look at it. */
#include <math.h>
#include <stdlib.h>

#include "visits.h"

FAST static float dot_codes(const int8_t *codes, const float *b, size_t count) {
	float sums[16] = {0};
	size_t i = 0;
	for (; i + 16 <= count; i += 16) {
		for (size_t j = 0; j < 16; j++) {
			sums[j] += (float)codes[i + j] * b[i + j];
		}
	}
	float sum = 0;
	for (; i < count; i++) {
		sum += (float)codes[i] * b[i];
	}
	for (size_t j = 0; j < 16; j++) {
		sum += sums[j];
	}
	return sum;
}

enum { REGIONS = 32, FIRST = 4, SPARE = 16, AHEAD = 3, KEPT = 1 << 19 /* what is kept of the vectors, at once */ };

/* centroids ---------------------------------------------------------------------------------------------------- */

/* A vector in a byte a dimension: what a code of 1 stands for, and how far it is from the vector at most. */
static void code(const float *vector, size_t count, int8_t *codes, float *scale, float *slack) {
	float greatest = 0, off = 0;
	for (size_t i = 0; i < count; i++) {
		float size = fabsf(vector[i]);
		greatest = size > greatest ? size : greatest;
	}
	bool sound = greatest > 0 && greatest < INFINITY;
	*scale = sound ? greatest / 127 : 0;
	for (size_t i = 0; i < count; i++) {
		float whole = sound && vector[i] == vector[i] ? rintf(vector[i] / *scale) : 0;
		codes[i] = (int8_t)(whole > 127 ? 127 : whole < -127 ? -127 : whole);
		float rest = vector[i] - (float)codes[i] * *scale;
		off += rest * rest;
	}
	*slack = isfinite(off) ? 1.001F * sqrtf(off) + 1e-6F : INFINITY; /* of a damaged file: to be looked at as it is */
}

bool code_centroids(Index *index) {
	size_t d = index->dimension, lists = index->lists;
	index->coarse = malloc(lists * d + 1);
	index->coarse_scale = malloc((lists + 1) * sizeof(float));
	index->coarse_slack = malloc((lists + 1) * sizeof(float));
	bool fine = index->coarse && index->coarse_scale && index->coarse_slack;
	for (size_t i = 0; fine && i < lists; i++) {
		code(index->centroid + i * d, d, index->coarse + i * d, &index->coarse_scale[i], &index->coarse_slack[i]);
	}
	return fine;
}

static Coded coarse_of(const Index *index) {
	return (Coded){index->coarse, index->coarse_scale, index->coarse_slack, index->dimension};
}

static Coded vectors_of(const Index *index) {
	return (Coded){index->codes, index->scales, NULL, index->dimension};
}

/* choosing lists ----------------------------------------------------------------------------------------------- */

/* The first `count` regions of a query, nearest first. */
static void near_regions(const Index *index, const float *query, Item *room, size_t count, uint32_t *to) {
	for (uint64_t i = 0; i < index->regions; i++) {
		room[i] = (Item){dot(index->region + i * index->dimension, query, index->dimension), (uint32_t)i};
	}
	best_of(room, index->regions, count);
	for (size_t i = 0; i < count; i++) {
		to[i] = room[i].id;
	}
}

/* Those that are to find lists look at all of their nearest regions; at a few of them before the rest, which tell which lists
   are too far to be kept. */
static bool visit_regions(Party *party, size_t regions, size_t probes) {
	const Index *index = party->index;
	size_t count = regions < index->regions ? regions : index->regions;
	Item *room = malloc((index->regions + 1) * sizeof(Item));
	uint32_t *near = malloc((party->count * count + 1) * sizeof(uint32_t));
	bool fine = room && near;
	for (size_t s = 0; fine && s < party->count; s++) {
		if (party->seekers[s].open) {
			near_regions(index, party->seekers[s].ask->vector, room, count, near + s * count);
			empty(&party->seekers[s].asking.pool, probes);
		}
	}
	Coded coarse = coarse_of(index);
	for (size_t from = 0, to = count < FIRST ? count : FIRST; fine && from < count; from = to, to = count) {
		for (size_t v = 0; fine && v < party->count * (to - from); v++) {
			uint32_t who = (uint32_t)(v / (to - from));
			fine = !party->seekers[who].open || add_visit(party, near[who * count + from + v % (to - from)], who);
		}
		fine = fine && go(party, index->region_starts, index->regions, &coarse, index->lists);
	}
	free(room);
	free(near);
	return fine;
}

/* A score that so many scores of a pool may exceed at most; of all its scores where they are fewer. */
static float fair_score(const Pool *pool, Item *room, size_t wanted) {
	if (pool->count <= wanted) {
		return -INFINITY;
	}
	for (size_t i = 0; i < pool->count; i++) {
		room[i] = (Item){pool->items[i].high, pool->items[i].id};
	}
	select_best(room, pool->count, wanted + 1);
	return isnan(room[wanted].key) ? INFINITY : room[wanted].key;
}

/* Takes the lists that are surely among the first, and visits those that may be. */
static bool sort_out(Party *party, uint32_t who, size_t probes) {
	Seeker *seeker = &party->seekers[who];
	Pool *pool = &seeker->asking.pool;
	trim(pool);
	Item *room = malloc((pool->count + 1) * sizeof(Item));
	free(seeker->lists);
	seeker->lists = malloc((probes + 1) * sizeof(uint32_t));
	seeker->count = 0;
	bool fine = room && seeker->lists;
	float fair = fine ? fair_score(pool, room, probes) : 0;
	for (size_t i = 0; fine && i < pool->count; i++) {
		if (pool->items[i].low > fair) {
			seeker->lists[seeker->count++] = pool->items[i].id;
		} else {
			fine = add_visit(party, pool->items[i].id, who);
		}
	}
	free(room);
	empty(pool, probes - (fine ? seeker->count : 0));
	return fine;
}

/* What the next visit compares, where this one does not. */
static inline __attribute__((always_inline)) void fetch_next(const Party *party, Visit visit, Visit next) {
	uint32_t d = party->index->dimension;
	const float *centroid = party->index->centroid + (size_t)next.where * d, *query = party->seekers[next.who].ask->vector;
	for (uint32_t at = 0; at < d; at += 16) {
		if (visit.where != next.where) {
			__builtin_prefetch(centroid + at);
		}
		if (visit.who != next.who) {
			__builtin_prefetch(query + at);
		}
	}
}

/* Offers centroids as they are to those who visit them. */
static bool settle(Party *party) {
	const Index *index = party->index;
	uint32_t d = index->dimension;
	bool fine = order_visits(party, index->lists);
	for (size_t i = 0; fine && i < party->visit_count; i++) {
		Visit visit = party->visits[i];
		Seeker *seeker = &party->seekers[visit.who];
		if (i + 1 < party->visit_count) {
			fetch_next(party, visit, party->visits[i + 1]);
		}
		float score = dot(index->centroid + (size_t)visit.where * d, seeker->ask->vector, d);
		fine = offer(&seeker->asking.pool, score, score, visit.where);
	}
	party->visit_count = 0;
	return fine;
}

/* The best of a pool, as many as were wanted, in no order. NULL where memory ran out. */
static Item *best_in(const Pool *pool, size_t *count) {
	Item *items = malloc((pool->count + 1) * sizeof(Item));
	for (size_t i = 0; items && i < pool->count; i++) {
		items[i] = (Item){pool->items[i].low, pool->items[i].id};
	}
	*count = items ? select_best(items, pool->count, pool->wanted) : 0;
	return items;
}

static uint64_t members_of(const Index *index, const Seeker *seeker) {
	uint64_t start, end, members = 0;
	for (size_t i = 0; i < seeker->count; i++) {
		members += span_of(index->list_starts, seeker->lists[i], index->vectors, &start, &end) ? end - start : 0;
	}
	return members;
}

static bool add_settled(Seeker *seeker) {
	size_t count;
	Item *best = best_in(&seeker->asking.pool, &count);
	for (size_t i = 0; best && i < count; i++) {
		seeker->lists[seeker->count++] = best[i].id;
	}
	free(best);
	return best != NULL;
}

/* The lists that could hold the greatest scores; where those hold too few vectors, more of more regions. */
static bool choose_lists(Party *party) {
	const Index *index = party->index;
	bool fine = true, open = true;
	size_t probes = index->probes < index->lists ? index->probes : index->lists;
	for (size_t regions = REGIONS; fine && open; regions *= 4, probes = probes < index->lists / 4 ? 4 * probes : index->lists) {
		fine = visit_regions(party, regions, probes);
		for (size_t s = 0; fine && s < party->count; s++) {
			fine = !party->seekers[s].open || sort_out(party, (uint32_t)s, probes);
		}
		fine = fine && settle(party);
		open = false;
		for (size_t s = 0; fine && s < party->count; s++) {
			Seeker *seeker = &party->seekers[s];
			if (seeker->open) {
				fine = add_settled(seeker);
				bool all = regions >= index->regions && probes == index->lists;
				seeker->open = !all && members_of(index, seeker) < seeker->ask->k;
				open = open || seeker->open;
			}
		}
	}
	return fine;
}

/* vectors ------------------------------------------------------------------------------------------------------ */

/* The k best of those that the bytes say are near, by scores of the query as it is. */
static bool weigh_again(const Index *index, Seeker *seeker) {
	uint32_t d = index->dimension;
	size_t count;
	Item *items = best_in(&seeker->asking.pool, &count);
	for (size_t i = 0; items && i < count; i++) {
		uint32_t at = items[i].id;
		for (uint32_t line = 0; i + AHEAD < count && line < d; line += 64) {
			__builtin_prefetch(index->codes + (size_t)items[i + AHEAD].id * d + line);
		}
		items[i].key = dot_codes(index->codes + (size_t)at * d, seeker->ask->vector, d) * index->scales[at];
	}
	seeker->ask->found = items;
	seeker->ask->count = items ? (int64_t)select_best(items, count, seeker->ask->k) : -1;
	return items != NULL;
}

static bool look_into_lists(Party *party) {
	const Index *index = party->index;
	bool fine = true;
	for (size_t s = 0; fine && s < party->count; s++) {
		Seeker *seeker = &party->seekers[s];
		empty(&seeker->asking.pool, seeker->ask->k + SPARE);
		fine = members_of(index, seeker) <= index->vectors; /* else lists of a damaged file overlap */
		for (size_t i = 0; fine && i < seeker->count; i++) {
			fine = add_visit(party, seeker->lists[i], (uint32_t)s);
		}
	}
	Coded vectors = vectors_of(index);
	fine = fine && go(party, index->list_starts, index->lists, &vectors, index->vectors);
	for (size_t s = 0; fine && s < party->count; s++) {
		trim(&party->seekers[s].asking.pool);
		fine = weigh_again(index, &party->seekers[s]);
	}
	return fine;
}

static bool ask_party(const Index *index, Ask *asks, size_t count) {
	size_t stride = ((size_t)index->dimension + 31) / 32 * 32; /* whole lines of the cache */
	Party party = {.index = index, .seekers = calloc(count, sizeof(Seeker)), .count = count};
	int16_t *whole = aligned_alloc(64, count * stride * sizeof(int16_t));
	bool fine = party.seekers && whole;
	for (size_t s = 0; fine && s < count; s++) {
		party.seekers[s] = (Seeker){.ask = &asks[s], .open = true};
		in_whole(asks[s].vector, index->dimension, whole + s * stride, &party.seekers[s].asking);
	}
	fine = fine && choose_lists(&party) && look_into_lists(&party);
	for (size_t s = 0; party.seekers && s < count; s++) {
		free(party.seekers[s].asking.pool.items);
		free(party.seekers[s].lists);
	}
	free(party.seekers);
	free(party.visits);
	free(whole);
	return fine;
}

bool ask_lists(const Index *index, Ask *asks, size_t count) {
	bool fine = true;
	for (size_t from = 0, to, sum; fine && from < count; from = to) {
		for (to = from, sum = 0; to < count && (to == from || sum + asks[to].k <= KEPT); to++) {
			sum += asks[to].k;
		}
		fine = ask_party(index, asks + from, to - from);
	}
	return fine;
}
