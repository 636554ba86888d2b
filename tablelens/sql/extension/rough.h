/* Queries against vectors of a byte a dimension: what could be among the best ones. */
#pragma once
#include "vectors.h"

/* A score that lies between `low` and `high`. */
typedef struct {
	float low, high;
	uint32_t id;
} Rough;

/* What could be among the `wanted` best that were offered. */
typedef struct {
	Rough *items;
	size_t count, room, wanted;
	size_t full; /* how many there may be until it is trimmed */
	float bound; /* what so many of them surely reach */
} Pool;

/* A query in whole numbers. Its product with codes is `step` a 1, and off by `off` at most. */
typedef struct {
	const int16_t *whole;
	float step, off;
	Pool pool;
} Asking;

/* Vectors of a byte a dimension, what a code of 1 stands for, and how far what they say may be from what is meant; NULL where
   scores are weighed again anyhow. */
typedef struct {
	const int8_t *codes;
	const float *scales, *slack;
	uint32_t dimension;
} Coded;

void in_whole(const float *query, uint32_t dimension, int16_t *to, Asking *asking);

/* Begins anew, with the room that is there already. */
void empty(Pool *pool, size_t wanted);
/* False where memory ran out. */
bool offer(Pool *pool, float low, float high, uint32_t id);
/* Leaves what could be among the best ones. */
void trim(Pool *pool);

/* Offers vectors `from` … `to` to some queries. False where memory ran out. */
bool compare(const Coded *coded, uint64_t from, uint64_t to, Asking *const *queries, size_t count);
