/* What the files share that speak with DuckDB: those whose names begin with sql_, and tablelens.c. */
#pragma once
#define _GNU_SOURCE
#include "duckdb/duckdb_extension.h"

#include <locale.h>
#include <stdlib.h>

#include "joins.h"

DUCKDB_EXTENSION_EXTERN

extern char home[4096];  /* where the indexes are */
extern locale_t plain;   /* numbers are written with a point, whatever the client's locale */
extern int64_t threads;  /* of DuckDB, as they were set when the extension was loaded */

/* arguments ---------------------------------------------------------------------------------------------------- */

typedef struct {
	duckdb_vector vector;
	void *data;
	uint64_t *valid;
} Column;

static inline Column column_of(duckdb_vector vector) {
	return (Column){vector, duckdb_vector_get_data(vector), duckdb_vector_get_validity(vector)};
}

static inline bool is_set(const Column *column, idx_t row) {
	return !column->valid || (column->valid[row / 64] >> row % 64 & 1);
}

static inline const char *text_at(const Column *column, idx_t row, size_t *length) {
	if (!is_set(column, row)) {
		return NULL;
	}
	duckdb_string_t *text = (duckdb_string_t *)column->data + row;
	*length = duckdb_string_t_length(*text);
	return duckdb_string_t_data(text);
}

static inline int64_t integer_at(const Column *column, idx_t row, int64_t otherwise) {
	return is_set(column, row) ? ((int32_t *)column->data)[row] : otherwise;
}

/* The elements of a list as a column, and where this row's are. */
static inline Column list_at(const Column *column, idx_t row, idx_t *start, idx_t *count) {
	duckdb_list_entry entry = is_set(column, row) ? ((duckdb_list_entry *)column->data)[row] : (duckdb_list_entry){0, 0};
	*start = entry.offset;
	*count = entry.length;
	return column_of(duckdb_list_vector_get_child(column->vector));
}

/* The cells of a list of texts; free both. */
static inline bool cells_at(const Column *column, idx_t row, const char ***cells, size_t **lengths, size_t *count) {
	idx_t start, size;
	Column texts = list_at(column, row, &start, &size);
	*cells = malloc((size + 1) * sizeof(char *));
	*lengths = malloc((size + 1) * sizeof(size_t));
	for (idx_t i = 0; *cells && *lengths && i < size; i++) {
		(*cells)[i] = text_at(&texts, start + i, &(*lengths)[i]);
	}
	*count = size;
	return *cells && *lengths;
}

static inline void set_null(duckdb_vector vector, idx_t row) {
	duckdb_vector_ensure_validity_writable(vector);
	duckdb_validity_set_row_invalid(duckdb_vector_get_validity(vector), row);
}

/* requests: sql_request.c --------------------------------------------------------------------------------------- */

enum { ANSWERING, REFERENCE, VALUES, NAME, TITLE, PAIR, MOST, MODE, IN_LAKE, IN_TABLES, OF_KIND, A_TABLE, LEAST, DIVERSE, ARGUMENTS };
enum { NAME_WORDS = 64, NAME_ROOM = 128, KINDS_KNOWN = 8 };
extern const char *const KINDS[KINDS_KNOWN];

/* What a row asks, and the name of the index that answers; then, with that index, which columns it speaks of. False with a
   message. */
bool read_request(const Column *args, idx_t row, char name[NAME_ROOM], Request *request, char *message);
bool read_query(const Column *args, idx_t row, const Index *index, uint64_t words[NAME_WORDS], Request *request, Query *query, char *message);

/* functions ---------------------------------------------------------------------------------------------------- */

enum { HIT_FIELDS = 21 };
extern const char *const HIT_NAMES[HIT_FIELDS];
extern const char HIT_TYPES[HIT_FIELDS + 1]; /* as type_of in tablelens.c has them */

void answer_hits(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output);
void normalized(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output);
void containment(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output);
void jaccard(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output);
