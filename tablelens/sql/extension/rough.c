/* Queries against vectors of a byte a dimension. These are read once for all queries that look at them, a few at a time, so
   that they stay near: reading them is what takes the time. */
#include <math.h>
#include <stdlib.h>

#include "rough.h"

enum { BINS = 512, MORE = 512, TOGETHER = 4, TILE = 16 /* vectors that stay near while queries go past */ };

/* A query as whole numbers whose products with codes cannot overflow. */
void in_whole(const float *query, uint32_t dimension, int16_t *to, Asking *asking) {
	float greatest = 0;
	for (uint32_t i = 0; i < dimension; i++) {
		greatest = fabsf(query[i]) > greatest ? fabsf(query[i]) : greatest;
	}
	float most = (float)(INT32_MAX / 128 / (int64_t)dimension), step = greatest / (most < 32767 ? most : 32767);
	for (uint32_t i = 0; i < dimension; i++) {
		to[i] = (int16_t)(step > 0 ? lrintf(query[i] / step) : 0);
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

/* Products of some vectors' codes with a query. */
FAST static void multiply(const int8_t *codes, size_t dimension, size_t count, const int16_t *query, int32_t *to) {
	for (size_t v = 0; v < count; v++, codes += dimension) {
		int32_t sum = 0;
		for (size_t i = 0; i < dimension; i++) {
			sum += (int32_t)codes[i] * query[i];
		}
		to[v] = sum;
	}
}

/* With four queries, so that codes are read once for them; a row of TILE products for each. */
FAST static void multiply_four(const int8_t *codes, size_t dimension, size_t count, const int16_t *const queries[TOGETHER], int32_t *to) {
	const int16_t *a = queries[0], *b = queries[1], *c = queries[2], *d = queries[3];
	for (size_t v = 0; v < count; v++, codes += dimension) {
		int32_t sum_a = 0, sum_b = 0, sum_c = 0, sum_d = 0;
		for (size_t i = 0; i < dimension; i++) {
			int32_t code = codes[i];
			sum_a += code * a[i];
			sum_b += code * b[i];
			sum_c += code * c[i];
			sum_d += code * d[i];
		}
		to[v] = sum_a;
		to[TILE + v] = sum_b;
		to[2 * TILE + v] = sum_c;
		to[3 * TILE + v] = sum_d;
	}
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

/* Up to four queries against a tile. */
static bool compare_some(const Coded *coded, uint64_t from, size_t count, Asking *const *queries, size_t asking) {
	const int8_t *codes = coded->codes + from * coded->dimension;
	int32_t products[TOGETHER * TILE];
	if (asking == 1) {
		multiply(codes, coded->dimension, count, queries[0]->whole, products);
	} else {
		const int16_t *whole[TOGETHER];
		for (size_t q = 0; q < TOGETHER; q++) {
			whole[q] = queries[q < asking ? q : 0]->whole;
		}
		multiply_four(codes, coded->dimension, count, whole, products);
	}
	bool fine = true;
	for (size_t q = 0; fine && q < asking; q++) {
		fine = offer_all(coded, from, count, products + q * TILE, queries[q]);
	}
	return fine;
}

bool compare(const Coded *coded, uint64_t from, uint64_t to, Asking *const *queries, size_t asking) {
	bool fine = true;
	for (; fine && from < to; from += TILE) {
		size_t count = to - from < TILE ? to - from : TILE;
		for (size_t q = 0; fine && q < asking; q += TOGETHER) {
			fine = compare_some(coded, from, count, queries + q, asking - q < TOGETHER ? asking - q : TOGETHER);
		}
	}
	return fine;
}
