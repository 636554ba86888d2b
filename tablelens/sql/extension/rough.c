/* Queries against vectors of a byte a dimension. Vectors are read once for all queries that look at them, and made wide once
   for four of these: reading them is what takes the time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rough.h"

enum { BINS = 512, MORE = 512, TOGETHER = 4 };

/* A query as whole numbers whose products with codes cannot overflow. */
void in_whole(const float *query, uint32_t dimension, int16_t *to, Asking *asking) {
	float greatest = 0;
	for (uint32_t i = 0; i < dimension; i++) {
		greatest = fabsf(query[i]) > greatest ? fabsf(query[i]) : greatest;
	}
	float most = (float)(INT32_MAX / 128 / (int64_t)dimension), step = greatest / (most < 32767 ? most : 32767);
	for (size_t i = 0; i < stride_of(dimension); i++) {
		to[i] = (int16_t)(i < dimension && step > 0 ? lrintf(query[i] / step) : 0);
	}
	asking->whole = to;
	asking->step = step;
	asking->off = 0.5F * step * 127 * (float)dimension; /* by Cauchy and Schwarz: half a step in each dimension, codes up to 127 */
}

/* pools -------------------------------------------------------------------------------------------------------- */

void empty(Pool *pool, size_t wanted) {
	pool->count = pool->full = 0;
	pool->wanted = wanted;
	pool->bound = -INFINITY;
}

/* A score that the `wanted` best surely reach: the lower end of the bin that the last of them falls into. */
static float sure_score(const Pool *pool) {
	uint32_t bins[BINS] = {0};
	float low = INFINITY, high = -INFINITY;
	for (size_t i = 0; i < pool->count; i++) {
		low = pool->items[i].low < low ? pool->items[i].low : low;
		high = pool->items[i].low > high ? pool->items[i].low : high;
	}
	float each = (high - low) / (BINS - 1);
	if (!(each > 0 && each < INFINITY)) { /* all the same, or of a damaged file */
		return pool->bound;
	}
	for (size_t i = 0; i < pool->count; i++) {
		float at = (pool->items[i].low - low) / each;
		if (at >= 0) {
			bins[at < BINS - 1 ? (int)at : BINS - 1]++;
		}
	}
	size_t above = 0;
	for (int bin = BINS - 1; bin >= 0; bin--) {
		if ((above += bins[bin]) >= pool->wanted) {
			return low + each * (float)bin - 1e-6F;
		}
	}
	return pool->bound;
}

void trim(Pool *pool) {
	float sure = pool->count > pool->wanted ? sure_score(pool) : pool->bound;
	pool->bound = sure > pool->bound ? sure : pool->bound;
	size_t kept = 0;
	for (size_t i = 0; i < pool->count; i++) {
		pool->items[kept] = pool->items[i];
		kept += !(pool->items[i].high < pool->bound);
	}
	pool->count = kept;
}

/* Trims a pool that is full, and lets so many more in. */
static bool make_room(Pool *pool) {
	trim(pool);
	pool->full = pool->count + MORE + pool->wanted;
	if (pool->full <= pool->room) {
		return true;
	}
	size_t room = pool->full + pool->full / 2;
	Rough *grown = realloc(pool->items, room * sizeof(Rough));
	if (grown) {
		pool->items = grown;
		pool->room = room;
	}
	return grown != NULL;
}

bool offer(Pool *pool, float low, float high, uint32_t id) {
	if (high < pool->bound) {
		return true;
	}
	if (pool->count >= pool->full && !make_room(pool)) {
		return false;
	}
	pool->items[pool->count++] = (Rough){low, high, id};
	return true;
}

/* products ----------------------------------------------------------------------------------------------------- */

FAST static void widen(const int8_t *codes, size_t count, int16_t *to) {
	for (size_t i = 0; i < count; i++) {
		to[i] = codes[i];
	}
	memset(to + count, 0, (stride_of((uint32_t)count) - count) * sizeof(int16_t));
}

FAST static int32_t dot_whole(const int8_t *codes, const int16_t *b, size_t count) {
	int32_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		sum += (int32_t)codes[i] * b[i];
	}
	return sum;
}

FAST static void dot_four(const int16_t *wide, const int16_t *const b[TOGETHER], size_t stride, int32_t *to) {
	const int16_t *b0 = b[0], *b1 = b[1], *b2 = b[2], *b3 = b[3];
	int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
	for (size_t i = 0; i < stride / 32 * 32; i++) {
		int32_t code = wide[i];
		sum0 += code * b0[i];
		sum1 += code * b1[i];
		sum2 += code * b2[i];
		sum3 += code * b3[i];
	}
	to[0] = sum0, to[TILE] = sum1, to[2 * TILE] = sum2, to[3 * TILE] = sum3;
}

/* The greatest scores that products with some vectors may stand for; whether one of them reaches the bound. */
FAST static bool weigh(const Coded *coded, uint64_t from, size_t count, const int32_t *products, const Asking *query, float *high) {
	const float *scales = coded->scales + from, step = query->step, off = coded->slack ? query->off : 0, bound = query->pool.bound;
	int below = 0;
	for (size_t i = 0; i < count; i++) {
		high[i] = scales[i] * ((float)products[i] * step + off);
	}
	for (size_t i = 0; coded->slack && i < count; i++) {
		high[i] += coded->slack[from + i];
	}
	for (size_t i = 0; i < count; i++) {
		below += high[i] < bound;
	}
	return (size_t)below < count;
}

static bool offer_all(const Coded *coded, uint64_t from, size_t count, const int32_t *products, Asking *query) {
	float high[TILE];
	bool fine = true;
	if (!weigh(coded, from, count, products, query, high)) {
		return true;
	}
	for (size_t i = 0; fine && i < count; i++) {
		float slack = coded->slack ? coded->scales[from + i] * query->off + coded->slack[from + i] : 0;
		fine = offer(&query->pool, high[i] - 2 * slack, high[i], (uint32_t)(from + i));
	}
	return fine;
}

static bool compare_one(const Coded *coded, uint64_t from, size_t count, Asking *query) {
	int32_t products[TILE];
	for (size_t i = 0; i < count; i++) {
		products[i] = dot_whole(coded->codes + (from + i) * coded->dimension, query->whole, coded->dimension);
	}
	return offer_all(coded, from, count, products, query);
}

/* Up to four queries against vectors that were made wide. */
static bool compare_four(const Coded *coded, uint64_t from, size_t count, const int16_t *wide, Asking *const *queries, size_t asking) {
	size_t stride = stride_of(coded->dimension);
	int32_t products[TOGETHER * TILE]; /* query by query */
	const int16_t *whole[TOGETHER];
	for (size_t q = 0; q < TOGETHER; q++) {
		whole[q] = queries[q < asking ? q : 0]->whole;
	}
	for (size_t i = 0; i < count; i++) {
		dot_four(wide + i * stride, whole, stride, products + i);
	}
	bool fine = true;
	for (size_t q = 0; fine && q < asking; q++) {
		fine = offer_all(coded, from, count, products + q * TILE, queries[q]);
	}
	return fine;
}

bool compare(const Coded *coded, uint64_t from, uint64_t to, Asking *const *queries, size_t asking, int16_t *wide) {
	uint32_t d = coded->dimension;
	bool fine = true;
	for (; fine && from < to; from += TILE) {
		size_t count = to - from < TILE ? to - from : TILE;
		if (asking == 1) {
			fine = compare_one(coded, from, count, queries[0]);
			continue;
		}
		for (size_t i = 0; i < count; i++) {
			widen(coded->codes + (from + i) * d, d, wide + i * stride_of(d));
		}
		for (size_t q = 0; fine && q < asking; q += TOGETHER) {
			fine = compare_four(coded, from, count, wide, queries + q, asking - q < TOGETHER ? asking - q : TOGETHER);
		}
	}
	return fine;
}
