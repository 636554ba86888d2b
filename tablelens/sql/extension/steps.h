/* Steps over bridge tables: what stands beside the query's values. The first half of tablelens/discover/bridges.py. */
#pragma once
#include "bridges.h"

/* as in bridges.py */
enum { VALUES_FOLLOWED = 256, TABLES = 20, FEWEST = 3 };

typedef struct {
	uint32_t place;
	double share;
} Holder;

typedef struct {
	uint32_t near, far;
	int64_t *images;
	double single, apart, quality;
	bool taken;
} Step;

typedef struct {
	const Index *index;
	const Query *query;
	uint32_t values[VALUES_FOLLOWED];
	size_t count;
	bool sampled; /* they are not all of the query's */
	double total; /* values of the query that these stand for */
	Step *steps;
	size_t step_count, room;
} Walk;

/* Columns that hold some of the values, ascending, and which share of those that were looked up; -1 for damage. */
int64_t find_holders(const Index *index, const uint32_t *values, size_t count, Holder **found);

/* Aligned columns that hold the query's values, one a table, the best first; -1 where the index is damaged. */
int64_t near_members(const Walk *walk, uint64_t members[TABLES]);

/* Adds the steps over one bridge table. False where the index is damaged or memory ran out. */
bool walk_table(Walk *walk, uint64_t member);
