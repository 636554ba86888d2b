/* Nearest vectors by an inverted file, tablelens/index/ivf.py: the query is compared with all regions, with the lists of the
   first of them, and with all vectors of the first lists. Centroids of lists are compared in a byte a dimension; those that
   this cannot tell apart from the first ones are compared again as they are, so that the lists are the same. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

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

/* The same for a query of whole numbers: three times as quick, and right to a part in ten thousand. */
FAST static int32_t dot_whole(const int8_t *codes, const int16_t *b, size_t count) {
	int32_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		sum += (int32_t)codes[i] * b[i];
	}
	return sum;
}

/* A query as whole numbers whose products with codes cannot overflow; what a 1 stands for. */
static float in_whole(const float *query, int16_t *to, size_t count) {
	float greatest = 0;
	for (size_t i = 0; i < count; i++) {
		greatest = fabsf(query[i]) > greatest ? fabsf(query[i]) : greatest;
	}
	float most = (float)(INT32_MAX / 128 / (int64_t)count), step = greatest / (most < 32767 ? most : 32767);
	for (size_t i = 0; i < count; i++) {
		to[i] = (int16_t)(step > 0 ? lrintf(query[i] / step) : 0);
	}
	return step;
}

/* Members start … end of a list or a region, where the index is sound. */
static bool span_of(const int64_t *starts, uint64_t place, uint64_t total, uint64_t *start, uint64_t *end) {
	int64_t from = starts[place], to = starts[place + 1];
	*start = (uint64_t)from;
	*end = (uint64_t)to;
	return from >= 0 && from <= to && (uint64_t)to <= total;
}

enum { REGIONS = 32, SPARE = 16 };

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
	*slack = isfinite(off) ? sqrtf(off) : INFINITY; /* of a damaged file: to be looked at as it is */
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

/* choosing lists ----------------------------------------------------------------------------------------------- */

/* A query on its way to its lists. */
typedef struct {
	const float *query;
	int16_t *whole; /* the query in whole numbers, a step each */
	float step, slack;
	Item *lists; /* of the nearest regions, each by about what it scores */
	uint32_t *regions;
	size_t region_count, count;
} Choice;

/* The nearest regions, and room for all of their lists. False where memory ran out or the index is damaged. */
static bool near_regions(const Index *index, const float *query, size_t regions, Choice *choice) {
	uint32_t d = index->dimension;
	*choice = (Choice){.query = query, .whole = malloc(d * sizeof(int16_t))};
	Item *some = malloc((index->regions + 1) * sizeof(Item));
	for (uint64_t i = 0; some && i < index->regions; i++) {
		some[i] = (Item){dot(index->region + i * d, query, d), (uint32_t)i};
	}
	choice->region_count = some ? best_of(some, index->regions, regions) : 0;
	choice->regions = malloc((choice->region_count + 1) * sizeof(uint32_t));
	uint64_t start, end, members = 0;
	for (size_t i = 0; choice->regions && i < choice->region_count; i++) {
		choice->regions[i] = some[i].id;
		members += span_of(index->region_starts, some[i].id, index->lists, &start, &end) ? end - start : 0;
	}
	free(some);
	choice->lists = members <= index->lists ? malloc((members + 1) * sizeof(Item)) : NULL;
	if (choice->whole) {
		choice->step = in_whole(query, choice->whole, d);
		choice->slack = 0.5F * choice->step * sqrtf((float)d);
	}
	return choice->whole && choice->regions && choice->lists;
}

static void free_choice(Choice *choice) {
	free(choice->whole);
	free(choice->lists);
	free(choice->regions);
}

enum { TILE = 32 }; /* lists whose bytes stay near while one query after the other is compared with them */

/* Compares queries with the lists of a region that all of them look at. */
static void look_at_region(const Index *index, uint32_t region, Choice *const *choices, size_t count) {
	uint32_t d = index->dimension;
	uint64_t start, end;
	if (!span_of(index->region_starts, region, index->lists, &start, &end)) {
		return;
	}
	for (; start < end; start += TILE) {
		uint64_t stop = start + TILE < end ? start + TILE : end;
		for (size_t i = 0; i < count; i++) {
			Item *to = choices[i]->lists + choices[i]->count;
			for (uint64_t list = start; list < stop; list++) {
				float score = (float)dot_whole(index->coarse + list * d, choices[i]->whole, d) * choices[i]->step;
				*to++ = (Item){score * index->coarse_scale[list], (uint32_t)list};
			}
			choices[i]->count += stop - start;
		}
	}
}

/* How far a list's score may be from what the bytes say: by Cauchy and Schwarz, for the centroid and for the query. */
static float slack_of(const Index *index, const Choice *choice, uint32_t list) {
	float length = 127 * index->coarse_scale[list] * sqrtf((float)index->dimension);
	return 1.001F * index->coarse_slack[list] + length * choice->slack + 1e-6F;
}

enum { BINS = 1024 };

/* A score that the `wanted` best of some lists surely reach: the lower end of the bin that the last of them falls into. */
static float sure_score(const Index *index, const Choice *choice, size_t wanted) {
	uint32_t bins[BINS] = {0};
	float low = -1, each = 0;
	for (size_t i = 0; i < choice->count; i++) {
		float key = choice->lists[i].key;
		low = i && low < key ? low : key;
		each = i && each > key ? each : key;
	}
	each = (each - low) / (BINS - 1);
	if (!(each > 0) || wanted >= choice->count) {
		return -INFINITY;
	}
	for (size_t i = 0; i < choice->count; i++) {
		float at = (choice->lists[i].key - slack_of(index, choice, choice->lists[i].id) - low) / each;
		if (at >= 0) {
			bins[at < BINS - 1 ? (int)at : BINS - 1]++;
		}
	}
	size_t above = 0;
	for (int bin = BINS - 1; bin >= 0; bin--) {
		if ((above += bins[bin]) >= wanted) {
			return low + each * (float)bin - 1e-6F;
		}
	}
	return -INFINITY;
}

/* The first `probes` lists by their scores as they are: those that could be among them are weighed again. Their count. */
static size_t settle(const Index *index, Choice *choice, size_t probes) {
	uint32_t d = index->dimension;
	float sure = sure_score(index, choice, probes);
	size_t put = 0;
	for (size_t i = 0; i < choice->count; i++) {
		uint32_t list = choice->lists[i].id;
		if (!(choice->lists[i].key + slack_of(index, choice, list) < sure)) {
			choice->lists[put++].id = list;
		}
	}
	for (size_t i = 0; i < put; i++) {
		choice->lists[i].key = dot(index->centroid + (size_t)choice->lists[i].id * d, choice->query, d);
	}
	return best_of(choice->lists, put, probes);
}

/* The lists that could hold the greatest scores: those of the nearest regions. -1 where it fails; free them. */
static int64_t near_lists(const Index *index, const float *query, size_t regions, size_t probes, Item **to) {
	Choice choice, *one = &choice;
	bool fine = near_regions(index, query, regions, &choice);
	for (size_t i = 0; fine && i < choice.region_count; i++) {
		look_at_region(index, choice.regions[i], &one, 1);
	}
	int64_t count = fine ? (int64_t)settle(index, &choice, probes) : -1;
	*to = fine ? choice.lists : NULL;
	if (fine) {
		choice.lists = NULL;
	}
	free_choice(&choice);
	return count;
}

static void keep_lists(const Index *index, Choice *choice, Lists *chosen) {
	size_t count = settle(index, choice, index->probes);
	chosen->at = malloc((count + 1) * sizeof(uint32_t));
	for (size_t i = 0; chosen->at && i < count; i++) {
		chosen->at[i] = choice->lists[i].id;
	}
	chosen->count = chosen->at ? count : 0;
}

void choose_lists(const Index *index, const float *const *queries, size_t count, Lists *chosen) {
	memset(chosen, 0, count * sizeof(Lists));
	if (index->kind != IVF || !count) {
		return;
	}
	Choice *choices = calloc(count, sizeof(Choice)), **asking = malloc((count + 1) * sizeof(Choice *));
	uint8_t *looks = calloc(count, index->regions + 1);
	bool fine = choices && asking && looks;
	for (size_t i = 0; fine && i < count; i++) {
		fine = near_regions(index, queries[i], REGIONS, &choices[i]);
		for (size_t r = 0; fine && r < choices[i].region_count; r++) {
			looks[i * (index->regions + 1) + choices[i].regions[r]] = 1;
		}
	}
	for (uint64_t region = 0; fine && region < index->regions; region++) {
		size_t put = 0;
		for (size_t i = 0; i < count; i++) {
			asking[put] = &choices[i];
			put += looks[i * (index->regions + 1) + region];
		}
		look_at_region(index, (uint32_t)region, asking, put);
	}
	for (size_t i = 0; choices && i < count; i++) {
		if (fine) {
			keep_lists(index, &choices[i], &chosen[i]);
		}
		free_choice(&choices[i]);
	}
	free(choices);
	free(asking);
	free(looks);
}

/* vectors ------------------------------------------------------------------------------------------------------ */

/* Vectors of the first `count` lists, each by about what it scores; -1 where it fails. Free items. */
static int64_t weigh_lists(const Index *index, const float *query, const uint32_t *lists, size_t count, uint64_t members, Item **items) {
	uint32_t d = index->dimension;
	int16_t whole[d];
	in_whole(query, whole, d);
	*items = members <= index->vectors ? malloc((members + 1) * sizeof(Item)) : NULL;
	int64_t put = *items ? 0 : -1;
	uint64_t start, end;
	for (size_t i = 0; *items && i < count; i++) {
		if (!span_of(index->list_starts, lists[i], index->vectors, &start, &end)) {
			continue;
		}
		uint64_t next, stop;
		if (i + 1 < count && span_of(index->list_starts, lists[i + 1], index->vectors, &next, &stop)) {
			for (uint64_t line = 0; line < 8 && next < stop; line++) { /* the rest follows by itself */
				__builtin_prefetch(index->codes + next * d + 64 * line);
			}
		}
		for (; start < end; start++) {
			float score = (float)dot_whole(index->codes + start * d, whole, d) * index->scales[start];
			(*items)[put++] = (Item){score, (uint32_t)start};
		}
	}
	return put;
}

/* The k best of vectors that are scored roughly, scored again as they are. */
static int64_t weigh_again(const Index *index, const float *query, Item *items, size_t count, size_t k) {
	uint32_t d = index->dimension;
	if (count > k + SPARE) {
		select_best(items, count, k + SPARE);
		count = k + SPARE;
	}
	for (size_t i = 0; i < count; i++) {
		uint32_t at = items[i].id;
		items[i].key = dot_codes(index->codes + (size_t)at * d, query, d) * index->scales[at];
	}
	return (int64_t)best_of(items, count, k);
}

static uint64_t members_of(const Index *index, const uint32_t *lists, size_t count) {
	uint64_t start, end, members = 0;
	for (size_t i = 0; i < count; i++) {
		members += span_of(index->list_starts, lists[i], index->vectors, &start, &end) ? end - start : 0;
	}
	return members;
}

/* The lists for a query; where those hold too few vectors, more of more regions. */
static bool lists_for(const Index *index, const float *query, size_t k, Lists *lists) {
	for (size_t probes = index->probes, regions = REGIONS;; probes *= 4, regions *= 4) {
		Item *near = NULL;
		int64_t count = near_lists(index, query, regions, probes, &near);
		lists->at = count >= 0 ? malloc(((size_t)count + 1) * sizeof(uint32_t)) : NULL;
		for (int64_t i = 0; lists->at && i < count; i++) {
			lists->at[i] = near[i].id;
		}
		free(near);
		lists->count = lists->at ? (size_t)count : 0;
		if (!lists->at || members_of(index, lists->at, lists->count) >= k || lists->count >= index->lists || regions >= index->regions + probes) {
			return lists->at != NULL;
		}
		free(lists->at);
	}
}

int64_t ask_lists(const Index *index, const float *query, size_t k, const Lists *lists, Item **items) {
	Lists own = {0};
	if (!lists || !lists->count || members_of(index, lists->at, lists->count) < k) {
		if (!lists_for(index, query, k, &own)) {
			return -1;
		}
		lists = &own;
	}
	uint64_t members = members_of(index, lists->at, lists->count);
	int64_t count = weigh_lists(index, query, lists->at, lists->count, members, items);
	free(own.at);
	return count < 0 ? -1 : weigh_again(index, query, *items, (size_t)count, k);
}
