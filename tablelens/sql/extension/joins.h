/* Which columns join with this one: as tablelens/discover, on a mapped index. */
#pragma once
#include "names.h"

enum { EQUALITY = 8, MEANING = 3, BRIDGE = 10, WEIGHTS = EQUALITY + MEANING + BRIDGE + 3 };
enum { UNITED = 3 }; /* bridges of one join, at most */
enum { TEXT_FAMILY = 1, NUMBER_FAMILY = 2, DATE_FAMILY = 3 };
typedef struct {
	uint32_t place;
	bool joins;
} Judged;

typedef enum { AUTO, EQUI, SEMANTIC, DEEPJOIN } Mode;

typedef struct {
	int64_t k;
	Mode mode;
	int64_t per_table;
	double threshold, diversity;
	int kind; /* only columns of it; -1 for any */
	const Judged *judged; /* what people said of the query's column and others */
	size_t judged_count;
	Name lake, tables; /* only columns of this lake, of tables that match; .at is NULL for any */
	int64_t pair;        /* the place of the only column to weigh, or -1 */
	int64_t candidates, min_distinct;
	double weights[WEIGHTS]; /* bias and weights of equality, of meaning, of a bridge */
} Request;

typedef struct {
	int64_t place, table; /* -1 outside the lake */
	int family;
	bool excluded, whole;
	int64_t rows, filled, distinct;
	const uint64_t *hashes; /* sorted */
	uint64_t size;
	const uint64_t *words; /* of its name, sorted */
	uint64_t word_count;
	uint64_t limit; /* the greatest hash that the set can tell of */
} Query;

typedef struct {
	int64_t place, overlap;
	int form; /* of the best bridge, or -1 */
	double coverage;
	int bridges;                /* how many it is reached over, where these bring more than equal values do; else 0 */
	uint32_t over[UNITED][2]; /* their columns, near and far */
	double containment, reverse, jaccard, error, cosine, probability, score;
	int64_t join_rows;
	double explosion;
	const char *cardinality;
} Hit;

typedef struct {
	Hit *hits;
	int64_t count;
	double hub;
} Answer;

/* A question and its answer. */
typedef struct {
	Query query;
	Request request;
	bool answered;
	Answer answer; /* the hits, best first; free them */
	char *message; /* why there are none; free it. NULL where memory ran out */
} Join;

/* Answers some questions to one index: many are answered quicker together than one by one. */
void find_joins(const Index *index, Join *const *joins, size_t count);

/* A column of the lake as a query; free hashes. */
bool query_of_place(const Index *index, int64_t place, Query *query, char *message);

/* Values from outside as a query; free hashes. */
bool query_of_cells(const char **cells, const size_t *lengths, size_t count, Query *query, char *message);
