/* An index generation (tablelens/index/generation.py), mapped read-only. Nothing in its files is believed: what they say
   of places and sizes is held against what they hold before it is followed. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MESSAGE = 8192, MAPS = 26 };
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
	Map maps[MAPS]; /* of its arrays */
	int mapped;
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
	uint64_t stored;     /* vectors that are kept: in a graph columns that have the same one share it */
	uint32_t *placed;    /* the first column of each of them … */
	uint32_t *twin;      /* … and the next that shares it, of each column */
	uint32_t *vector_at; /* the vector of each column; NOWHERE in the three where there is none */
	int8_t *coarse;      /* the centroids of lists in a byte a dimension … */
	float *coarse_scale; /* … what a code of 1 stands for … */
	float *coarse_slack; /* … and how far they lie from the centroids */
	uint16_t *glance;    /* what the facts of each column say at a glance */
	uint32_t *sample;    /* places of some columns that have a vector … */
	uint16_t *sample_glance; /* … and what is seen of them */
	size_t sampled;
	char name[32], seal[96];
	struct Room *spare[8]; /* of queries that are done */
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

/* A glance: the flags, KEY only where there are two values and more, and the strength up to STRONG. */
enum { FAMILY_BITS = 3, USABLE_BIT = 4, KEY_BIT = 8, FLAG_BITS = 0x1FF, STRENGTH_AT = 9, STRONG = 127 };
#define STRENGTH_SEEN(glance) ((glance) >> STRENGTH_AT)

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

typedef struct {
	uint32_t count : 31, whole : 1;
} Tally;

/* Room for what a query counts, columns + 1 numbers each. */
typedef struct Room {
	uint32_t *counts; /* by column, all 0 between queries */
	uint32_t *met;    /* columns whose count is not 0 */
	uint32_t *kept;   /* some of them … */
	Tally *tally;     /* … their counts, in the same order, and whether their values are all known */
} Room;

/* NULL where memory ran out. It is to be given back as it was: else say that it is not clean. */
Room *take_room(Index *index);
void give_room(Index *index, Room *room, bool clean);

/* For qsort of numbers. */
static inline int up32(const void *a, const void *b) {
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

typedef struct {
	const uint32_t *at;
	uint64_t count;
} Run;

/* The place of a value among ascending ones, or -1. */
static inline int64_t place_in(const uint32_t *sorted, uint64_t count, uint64_t value) {
	uint64_t low = 0, high = count;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (sorted[middle] < value) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low < count && sorted[low] == value ? (int64_t)low : -1;
}

/* The values of a column, and the columns of a value; what they hold is to be checked. False where the index is damaged. */
bool own_of(const Index *index, uint64_t place, Run *run);
bool holders_of(const Index *index, uint64_t value, Run *run);

/* Jaccard of the words of a name, hashed and ascending, and of a column's. */
double alike_names(const Index *index, const uint64_t *words, uint64_t count, uint64_t place);

/* The vector of the column at a place, unlifted, into `to` (dimension floats); the same at length 1. False where it has none. */
bool vector_of(const Index *index, uint64_t place, float *to);
bool direction_of(const Index *index, uint64_t place, float *to);

/* Its cosine with a vector of length 1; NAN where it has none. */
double cosine_with(const Index *index, uint64_t place, const float *direction);

typedef struct {
	float key;
	uint32_t id;
} Item;

/* A query for the k vectors of the greatest inner product with it. */
typedef struct {
	const float *vector;
	size_t k;
	Item *found;   /* the columns of about these, in no order, and their scores; to be freed */
	int64_t count; /* -1 where memory ran out or the vectors are damaged */
} Ask;

/* Answers some queries, many of them quicker together than one by one. */
void nearest(const Index *index, Ask *asks, size_t count);
float dot(const float *a, const float *b, size_t count);
