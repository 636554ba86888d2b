/* One search and its parts: filters.c says which columns may be hits, values.c finds those that hold the query's values,
   near.c those whose vectors are near, weigh.c counts what is shared, rank.c puts the hits in order, and diverse.c in
   another; joins.c strings them together. */
#pragma once
#include "bridges.h"
#include "joins.h"

#define SAY_TO(s, text) snprintf((s)->message, MESSAGE, "%s", text)
#define DAMAGED "the index is damaged. Hint: crawl again: no file is read anew"
#define NO_MEMORY "out of memory"

/* A value of the query, and the columns that hold it. */
typedef struct {
	const uint32_t *at;
	uint32_t value, reach;
} Reach;

/* What is known of tables by their text: 1 for one that may hold hits, 2 for one that may not. Searches with the same filters
   share it. */
typedef struct {
	Name lake, tables;
	uint8_t *seen; /* NULL until there are filters */
} Filter;

typedef struct {
	const Index *index;
	const Query *query;
	const Request *request;
	uint64_t wanted; /* hits of each arm */
	uint32_t *values;     /* places of the query's values that the lake holds, ascending */
	Reach *reach;         /* the same values, those of few columns first */
	uint64_t value_count;
	float *vector; /* of length 1, or NULL */
	bool by_vector;
	double share; /* of the columns with a vector, those that may be hits */
	Ask near;     /* the nearest columns, once they were asked for */
	Room *room;    /* NULL until columns are counted */
	uint64_t met_count;
	bool complete; /* counts are those of all values */
	/* what a column must be at a glance, the strength it needs, and the columns of the query's own table */
	uint16_t glance, strength;
	uint64_t own_from, own_to;
	Filter *filter; /* NULL without filters */
	Bridges bridges;
	Hit *hits;
	int64_t count, held;
	char *message;
} Search;

static const double DIRECT = 0.3; /* containment from which on a join needs no bridge */

/* qsort_r of what may be nothing at all. */
void sort(void *items, size_t count, size_t size, int (*order)(const void *, const void *, void *), const Index *with);

/* filters.c: take_filters comes first, and take_again where other searches may have used the filter since. */
bool take_filters(Search *s, Filter *filter);
bool take_again(Search *s);

/* Whether a column has values enough, as far as a glance tells; in mode auto a small table's key has, however few they are. */
static inline bool seems_enough(const Search *s, uint16_t glance) {
	return STRENGTH_SEEN(glance) >= s->strength || (s->request->mode == AUTO && KEY(glance));
}

static inline bool seems_allowed(const Search *s, uint16_t glance) {
	return (glance & (FAMILY_BITS | USABLE_BIT)) == s->glance && seems_enough(s, glance);
}

/* Whether a column may be a hit; whether over a bridge; what people said, or -1. */
bool allowed(const Search *s, uint64_t place);
bool allowed_anyhow(const Search *s, uint64_t place);
bool passes(const Search *s, uint64_t place);
int64_t judged(const Search *s, uint64_t place);
double share_allowed(const Search *s); /* of the columns that have a vector, by a sample */

/* values.c: the query's values; the columns that hold most of them; how many one column holds, -1 for damage. */
bool find_values(Search *s);
bool by_values(Search *s, uint64_t wanted);
int64_t count_in(const Search *s, uint64_t place);
int64_t count_one(const Search *s, uint64_t place);
double hubness(const Search *s);
uint64_t up_to(const uint64_t *hashes, uint64_t count, uint64_t bound); /* how many of ascending hashes are no greater */
void leave_room(Search *s, bool fine);

/* near.c: the query's vector, and what is asked with it; whether the nearest columns are to be asked for; the hits among them. */
bool take_vector(Search *s);
bool asks_near(const Search *s);
bool by_vector(Search *s);

/* weigh.c: adds a hit that shares so many values; those that bridges lead to; those that people spoke of. */
void weigh(const Search *s, uint64_t place, int64_t shared, Hit *hit);
bool add_hit(Search *s, uint64_t place, int64_t shared);
bool by_bridge(Search *s, uint64_t wanted);
bool by_verdicts(Search *s);

/* rank.c: leaves the hits that are to be shown, best first. Whether a hit's table may have one more beside those before. */
bool rank(Search *s);
bool has_room(const Search *s, const Hit *before, int64_t count, const Hit *hit);

/* diverse.c: brings hits forward that hold other values than those before them; false where memory ran out. */
bool diversify(Search *s);
double rounded(double value, int digits);
