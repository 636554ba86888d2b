/* Functions on cells: tablelens_normalize, tablelens_containment, tablelens_jaccard. */
#include "sql.h"

#include "text.h"

void normalized(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
	Column cells = column_of(duckdb_data_chunk_get_vector(input, 0));
	for (idx_t row = 0; row < duckdb_data_chunk_get_size(input); row++) {
		size_t length = 0;
		const char *cell = text_at(&cells, row, &length);
		Text value = {0};
		if (cell && !normalize(cell, length, false, &value)) {
			duckdb_scalar_function_set_error(info, "out of memory");
			return;
		}
		if (value.data) {
			duckdb_vector_assign_string_element_len(output, row, value.data, value.length);
		} else {
			set_null(output, row);
		}
		free(value.data);
	}
}

/* Sizes of two value sets and of what they share. */
static bool compare(const Column *args, idx_t row, uint64_t *left, uint64_t *right, uint64_t *both) {
	Query sets[2] = {{0}, {0}};
	char message[MESSAGE];
	bool fine = true;
	for (int side = 0; side < 2 && fine; side++) {
		const char **cells;
		size_t *lengths, count;
		fine = cells_at(&args[side], row, &cells, &lengths, &count) && query_of_cells(cells, lengths, count, &sets[side], message);
		free(cells);
		free(lengths);
	}
	*both = 0;
	for (uint64_t i = 0, j = 0; fine && i < sets[0].size && j < sets[1].size;) {
		uint64_t a = sets[0].hashes[i], b = sets[1].hashes[j];
		*both += a == b;
		i += a <= b;
		j += b <= a;
	}
	*left = sets[0].size;
	*right = sets[1].size;
	free((void *)sets[0].hashes);
	free((void *)sets[1].hashes);
	return fine;
}

static void measured(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output, bool jaccard) {
	Column args[2] = {column_of(duckdb_data_chunk_get_vector(input, 0)), column_of(duckdb_data_chunk_get_vector(input, 1))};
	double *to = duckdb_vector_get_data(output);
	for (idx_t row = 0; row < duckdb_data_chunk_get_size(input); row++) {
		uint64_t left = 0, right = 0, both = 0;
		if (is_set(&args[0], row) && is_set(&args[1], row) && !compare(args, row, &left, &right, &both)) {
			duckdb_scalar_function_set_error(info, "out of memory");
			return;
		}
		uint64_t whole = jaccard ? left + right - both : left;
		if (whole) {
			to[row] = (double)both / (double)whole;
		} else {
			set_null(output, row);
		}
	}
}

void containment(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
	measured(info, input, output, false);
}

void jaccard(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
	measured(info, input, output, true);
}
