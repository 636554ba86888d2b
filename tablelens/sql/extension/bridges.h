/* Bridges: joins by meaning over a table that holds both forms. As tablelens/discover/bridges.py, on a mapped index. */
#pragma once
#include "joins.h"

enum { FORMS = 8 };

typedef struct {
	int64_t *images; /* of each followed value, a place among the lake's values; -1 where it has none */
	uint32_t near;   /* the column of the first bridge that holds the query's values … */
	uint32_t far[4]; /* … and the columns of the first bridges that hold the images */
	size_t fars;
	double single, apart, witnesses;
} Form;

typedef struct {
	uint32_t place;
	int form;
	double coverage;
} Arrival;

typedef struct {
	Form forms[FORMS];
	int count;
	size_t followed; /* values */
	Arrival *arrivals; /* ascending by place, each column by its best form */
	size_t arrived;
} Bridges;

/* Columns that are reached over bridges from these values of the query, ascending places among the lake's values; with
   `pair` that column alone. Free with free_bridges. False where memory ran out or the index is damaged. */
bool find_bridges(const Index *index, const Query *query, const uint32_t *values, uint64_t count, uint64_t wanted, int64_t pair, Bridges *found);
void free_bridges(Bridges *found);
