/* An index generation (tablelens/index/generation.py), mapped read-only. Nothing in its files is believed: what they say
   of places and sizes is held against what they hold before it is followed. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MESSAGE = 8192 };
#define NOWHERE UINT32_MAX

typedef struct {
	const uint8_t *data;
	size_t size;
} Map;

typedef enum { EXACT, HNSW, IVF } Kind;

/* An HNSW graph as hnswlib 0.8 saves it, over vectors that have one more dimension. */
typedef struct {
	Map file;
	const uint8_t *records;
	const uint64_t *upper; /* where each element's links of the higher levels begin in the file */
	uint64_t count, record, label_at, vector_at, links, links0;
	uint32_t enter;
	int levels;
	uint32_t dimension; /* with the one more */
	double radius;
	uint64_t ef;
} Graph;

typedef struct Index {
	Map facts_file, density_file, name_starts_file, name_words_file;
	Map values_file, starts_file, columns_file, own_starts_file, own_file, limits_file;
	Map aligned_columns_file, aligned_starts_file, aligned_cells_file, aligned_first_file;
	Map text_file, text_starts_file, named_file, table_keys_file, table_at_file;
	Map labels_file, vectors_file, codes_file, scales_file, list_starts_file, centroids_file, region_starts_file, regions_file;
	uint64_t columns, values, postings, words, vectors, lists, regions, letters, texts, keys, aligned, aligned_total;
	const int64_t *facts; /* [columns][8] */
	const double *density;
	const int64_t *name_starts, *starts, *own_starts;
	const uint64_t *name_words, *value, *limits;
	const uint32_t *holders, *own;
	const uint32_t *aligned_column, *aligned_first;
	const int64_t *aligned_starts;
	const uint16_t *aligned_cells;
	const char *text; /* all names end to end */
	const int64_t *text_starts;
	const uint32_t *named; /* [columns][3] */
	const uint64_t *table_key;
	const uint32_t *table_at;
	Kind kind;
	uint32_t dimension;
	const float *exact;
	const int8_t *codes;
	const float *scales;
	const int64_t *list_starts, *region_starts;
	const float *centroid, *region;
	uint64_t probes;
	Graph graph;
	uint32_t *placed;    /* the column of each vector */
	uint32_t *vector_at; /* the vector of each column; NOWHERE in both where there is none */
	uint32_t *sample;   /* places of some columns that have a vector */
	size_t sampled;
	char name[32], seal[96];
	uint32_t *spare[8]; /* counts of columns that are all 0, of queries that are done */
	int spares;
	int users;
	struct Index *next;
} Index;

enum Fact { ID, TABLE, ORDER, DISTINCT, FILLED, ROWS, STRENGTH, FLAGS, FACTS };
#define FAMILY(flags) ((flags) & 3)
#define USABLE(flags) ((flags) >> 2 & 1)
#define KEY(flags) ((flags) >> 3 & 1)
#define WHOLE(flags) ((flags) >> 4 & 1)
#define KIND(flags) ((flags) >> 5 & 15)

static inline int64_t fact(const Index *index, uint64_t place, enum Fact which) {
	return index->facts[place * FACTS + which];
}

/* The index of a generation below the home, opened once and shared; give it back. It is named by its number, a colon and
   the checksum of its manifest. NULL with a message. */
Index *borrow_index(const char *home, const char *name, char *message);
void give_back(Index *index);

/* Opens and checks a generation's folder. NULL with a message. */
Index *open_index(const char *folder, char *message);
void close_index(Index *index);

/* The place of a column id, or -1. */
int64_t place_of(const Index *index, int64_t id);

/* A count for each column, all 0; NULL where memory ran out. To be given back as it was. */
uint32_t *take_counts(Index *index);
void give_counts(Index *index, uint32_t *counts);

typedef struct {
	const uint32_t *at;
	uint64_t count;
} Run;

/* The values of a column, and the columns of a value; what they hold is to be checked. False where the index is damaged. */
bool own_of(const Index *index, uint64_t place, Run *run);
bool holders_of(const Index *index, uint64_t value, Run *run);

/* Jaccard of the words of a name, hashed and ascending, and of a column's. */
double alike_names(const Index *index, const uint64_t *words, uint64_t count, uint64_t place);

/* The vector of the column at a place, unlifted, into `to` (dimension floats). False where it has none. */
bool vector_of(const Index *index, uint64_t place, float *to);

typedef struct {
	uint32_t place; /* NOWHERE for a vector of no column */
	float score;
} Near;

/* About the k vectors of the greatest inner product, best first. How many, or -1 with a message. */
int64_t nearest(const Index *index, const float *query, size_t k, Near *found, char *message);
float dot(const float *a, const float *b, size_t count);
