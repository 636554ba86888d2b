/* Bridges: joins by meaning over a table that holds both forms. As tablelens/discover/bridges.py, on a mapped index. */
#pragma once
#include "joins.h"

enum { FORMS = 8, KEPT = 8 };

/* The images of the query's values over one bridge table, or over several that agree. */
typedef struct {
	uint32_t near, far; /* the columns that hold the query's values, and the images */
	int64_t *images;    /* of each followed value, a place among the lake's values; -1 where it has none */
} Images;

typedef struct {
	int64_t *images;    /* of all its bridges together */
	Images bridges[KEPT]; /* the best first */
	size_t kept;
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
/* The bridges of a form that are needed to reach a column, the one that brings most values first, a table of either side if
   it brings about as many: their columns into `over`. How many; 0 where memory ran out. */
int bridges_to(const Index *index, const Query *query, const Bridges *found, int form, uint64_t place, uint32_t over[UNITED][2]);

void free_bridges(Bridges *found);
