/* The DuckDB extension: the functions that the macros of a catalogue snapshot look for, and those on cells.

   It is built against DuckDB's stable C extension API v1.2.0. Indexes are looked for below $TABLELENS_HOME, or the nearest
   `.tablelens` upward, as it was when the extension was loaded; SQL names them by number and gives no paths. */
#define _GNU_SOURCE
#include "duckdb/duckdb_extension.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "joins.h"
#include "text.h"
#include "verdicts.h"

DUCKDB_EXTENSION_EXTERN

static char home[4096];
static locale_t plain; /* numbers are written with a point, whatever the client's locale */

static void find_home(void) {
	const char *named = getenv("TABLELENS_HOME");
	if (named && *named) {
		snprintf(home, sizeof(home), "%s", named);
		return;
	}
	char here[3072];
	if (!getcwd(here, sizeof(here))) {
		return;
	}
	for (char *slash; (slash = strrchr(here, '/')); *slash = 0) {
		snprintf(home, sizeof(home), "%s/.tablelens", here);
		if (!access(home, F_OK)) {
			return;
		}
	}
	snprintf(home, sizeof(home), ".tablelens");
}

/* arguments ---------------------------------------------------------------------------------------------------- */

typedef struct {
	duckdb_vector vector;
	void *data;
	uint64_t *valid;
} Column;

static Column column_of(duckdb_vector vector) {
	return (Column){vector, duckdb_vector_get_data(vector), duckdb_vector_get_validity(vector)};
}

static bool is_set(const Column *column, idx_t row) {
	return !column->valid || (column->valid[row / 64] >> row % 64 & 1);
}

static const char *text_at(const Column *column, idx_t row, size_t *length) {
	if (!is_set(column, row)) {
		return NULL;
	}
	duckdb_string_t *text = (duckdb_string_t *)column->data + row;
	*length = duckdb_string_t_length(*text);
	return duckdb_string_t_data(text);
}

static int64_t integer_at(const Column *column, idx_t row, int64_t otherwise) {
	return is_set(column, row) ? ((int32_t *)column->data)[row] : otherwise;
}

/* The elements of a list as a column, and where this row's are. */
static Column list_at(const Column *column, idx_t row, idx_t *start, idx_t *count) {
	duckdb_list_entry entry = is_set(column, row) ? ((duckdb_list_entry *)column->data)[row] : (duckdb_list_entry){0, 0};
	*start = entry.offset;
	*count = entry.length;
	return column_of(duckdb_list_vector_get_child(column->vector));
}

/* The cells of a list of texts; free both. */
static bool cells_at(const Column *column, idx_t row, const char ***cells, size_t **lengths, size_t *count) {
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

/* hits --------------------------------------------------------------------------------------------------------- */

enum { ANSWERING, REFERENCE, VALUES, NAME, TITLE, PAIR, MOST, MODE, IN_LAKE, IN_TABLES, OF_KIND, A_TABLE, LEAST, ARGUMENTS };
enum { HIT_FIELDS = 21, NAME_WORDS = 64, NAME_ROOM = 128, GROUP = 128 /* rows that are answered together */ };
static const char *const HIT_NAMES[HIT_FIELDS] = {"rank",        "id",    "lake",        "table",               "column",  "kind",
                                                  "probability", "score", "containment", "reverse_containment", "jaccard", "cosine",
                                                  "overlap",     "error", "cardinality", "join_rows",           "explosion", "hub",
                                                  "bridge",      "sql",   "steps"};
/* as type_of has them */
static const char HIT_TYPES[HIT_FIELDS + 1] = "IWTTTTDDDDDDWDTWDDTTT";
enum { KINDS_KNOWN = 8 };
static const char *const KINDS[KINDS_KNOWN] = {"text", "integer", "decimal", "boolean", "date", "identifier", "categorical", "empty"};

/* What all requests are answered by, as the catalogue has it: generation, seal, then the settings and weights of a query. */
static bool settings_of(const Column *args, idx_t row, char name[NAME_ROOM], Request *request, char *message) {
	size_t length = 0;
	const char *given = text_at(&args[ANSWERING], row, &length);
	char text[2048];
	snprintf(text, sizeof(text), "%.*s", given && length < sizeof(text) ? (int)length : 0, given ? given : "");
	char *at = strrchr(text, ':');
	double numbers[3 + WEIGHTS];
	size_t count = 0;
	if (at) {
		*at++ = 0;
	}
	for (char *end; at && count < sizeof(numbers) / sizeof(numbers[0]); at = end, count++) {
		numbers[count] = strtod_l(at, &end, plain);
		if (end == at) {
			break;
		}
	}
	if (count != 3 + WEIGHTS || *at) {
		snprintf(message, MESSAGE, "the catalogue was made for another version of this extension. Hint: build it again");
		return false;
	}
	snprintf(name, NAME_ROOM, "%.*s", NAME_ROOM - 1, text);
	request->candidates = (int64_t)numbers[0];
	request->min_distinct = (int64_t)numbers[1];
	request->threshold = numbers[2];
	memcpy(request->weights, numbers + 3, sizeof(request->weights));
	return true;
}

/* What a row asks, but for the pair that is to be looked up. False with a message. */
static bool request_of(const Column *args, idx_t row, Request *request, char *message) {
	size_t length = 0;
	request->k = integer_at(&args[MOST], row, 10);
	request->per_table = integer_at(&args[A_TABLE], row, 0);
	request->kind = request->pair = -1;
	if (is_set(&args[LEAST], row)) {
		request->threshold = ((double *)args[LEAST].data)[row];
	}
	const char *mode = text_at(&args[MODE], row, &length);
	static const char *const modes[] = {"auto", "equi", "semantic", "deepjoin"};
	bool known = false;
	for (int i = 0; i < 4 && mode; i++) {
		if (strlen(modes[i]) == length && !memcmp(modes[i], mode, length)) {
			request->mode = (Mode)i;
			known = true;
		}
	}
	if (!known) {
		snprintf(message, MESSAGE, "unknown mode '%.*s'. Hint: known modes: auto, equi, semantic, deepjoin", mode ? shown((Name){mode, length}) : 0,
		         mode ? mode : "");
		return false;
	}
	if (request->k < 1 || request->k > 10000) {
		snprintf(message, MESSAGE, "k is %lld. Hint: k lies between 1 and 10000", (long long)request->k);
		return false;
	}
	if (request->per_table < 0) {
		snprintf(message, MESSAGE, "per_table is %lld. Hint: per_table is 0, for no limit, or more", (long long)request->per_table);
		return false;
	}
	if (!(request->threshold >= 0 && request->threshold <= 1)) {
		snprintf(message, MESSAGE, "threshold is %g. Hint: threshold is a probability, between 0 and 1", request->threshold);
		return false;
	}
	const char *kind = text_at(&args[OF_KIND], row, &length);
	for (int i = 0; i < KINDS_KNOWN && kind; i++) {
		if (strlen(KINDS[i]) == length && !memcmp(KINDS[i], kind, length)) {
			request->kind = i;
		}
	}
	if (kind && request->kind < 0) {
		snprintf(message, MESSAGE, "unknown kind '%.*s'. Hint: known kinds: text, integer, decimal, boolean, date, identifier, categorical, empty",
		         shown((Name){kind, length}), kind);
		return false;
	}
	request->lake.at = text_at(&args[IN_LAKE], row, &request->lake.length);
	request->tables.at = text_at(&args[IN_TABLES], row, &request->tables.length);
	return true;
}

static bool pair_of(const Column *args, idx_t row, const Index *index, Request *request, char *message) {
	size_t length = 0;
	const char *pair = text_at(&args[PAIR], row, &length);
	if (pair) {
		request->pair = find_column(index, pair, length, message);
	}
	return !pair || request->pair >= 0;
}

static bool query_of(const Column *args, idx_t row, const Index *index, uint64_t *words, Query *query, char *message) {
	const char *reference;
	size_t size = 0;
	if ((reference = text_at(&args[REFERENCE], row, &size))) {
		int64_t place = find_column(index, reference, size, message);
		return place >= 0 && query_of_place(index, place, query, message);
	}
	if (!is_set(&args[VALUES], row)) {
		snprintf(message, MESSAGE, "neither a column nor values are given. Hint: NULL is none");
		return false;
	}
	const char **cells;
	size_t *lengths, count, length = 0;
	bool fine = cells_at(&args[VALUES], row, &cells, &lengths, &count) && query_of_cells(cells, lengths, count, query, message);
	const char *name = text_at(&args[NAME], row, &length);
	if (fine && name) {
		query->word_count = hash_words(name, length, words, NAME_WORDS);
		query->words = words;
	}
	free(cells);
	free(lengths);
	return fine;
}

/* A row on its way to its answer. */
typedef struct {
	Index *index; /* to be given back; NULL where there is an error */
	Request request;
	Query query;
	uint64_t words[NAME_WORDS];
	Judged *judged;
	Lists lists;
	Answer answer;
	char *message; /* NULL where memory ran out */
} Row;

static void forget(Row *row) {
	free((void *)row->query.hashes);
	free(row->judged);
	free(row->lists.at);
	row->query.hashes = NULL;
	row->judged = NULL;
	row->lists.at = NULL;
}

static void fail(Row *row, const char *message) {
	forget(row);
	if (row->index) {
		give_back(row->index);
	}
	row->index = NULL;
	row->message = strdup(message);
}

/* Reads what a row asks, and borrows the index that it speaks of. */
static void read_row(const Column *args, idx_t at, Row *row) {
	char name[NAME_ROOM], verdicts[sizeof(home) + 32], message[MESSAGE];
	*message = 0;
	if (!settings_of(args, at, name, &row->request, message) || !request_of(args, at, &row->request, message) ||
	    !(row->index = borrow_index(home, name, message))) {
		fail(row, message);
		return;
	}
	snprintf(verdicts, sizeof(verdicts), "%s/verdicts.json", home);
	if (!pair_of(args, at, row->index, &row->request, message) || !query_of(args, at, row->index, row->words, &row->query, message) ||
	    !judged_of(row->index, verdicts, row->query.place, &row->judged, &row->request.judged_count, message)) {
		fail(row, message);
		return;
	}
	row->request.judged = row->judged;
}

/* Chooses for rows that search by vectors of the lake, all of one index as a rule, where to look first. */
static void choose_together(Row *rows, size_t count) {
	float *vectors[GROUP];
	Lists lists[GROUP];
	size_t who[GROUP], put = 0;
	const Index *index = NULL;
	for (size_t i = 0; i < count; i++) {
		Row *row = &rows[i];
		if (!row->index || row->query.place < 0 || row->request.mode == EQUI || row->request.pair >= 0 || (index && index != row->index)) {
			continue;
		}
		index = row->index;
		vectors[put] = malloc(index->dimension * sizeof(float));
		if (vectors[put] && direction_of(index, (uint64_t)row->query.place, vectors[put])) {
			who[put++] = i;
		} else {
			free(vectors[put]);
		}
	}
	if (put > 1) { /* one alone does so when it needs to */
		choose_lists(index, (const float *const *)vectors, put, lists);
	}
	for (size_t i = 0; i < put; i++) {
		free(vectors[i]);
		if (put > 1) {
			rows[who[i]].lists = lists[i];
			rows[who[i]].query.lists = &rows[who[i]].lists;
		}
	}
}

static void answer_row(Row *row) {
	char message[MESSAGE];
	if (!row->index) {
		return;
	}
	if (find_joins(row->index, &row->query, &row->request, &row->answer, message)) {
		forget(row);
	} else {
		fail(row, message);
	}
}

static void set_null(duckdb_vector vector, idx_t row) {
	duckdb_vector_ensure_validity_writable(vector);
	duckdb_validity_set_row_invalid(duckdb_vector_get_validity(vector), row);
}

static void put_bridge(duckdb_vector field, idx_t row, const Hit *hit, const Index *index) {
	if (!hit->bridges) {
		set_null(field, row);
		return;
	}
	Name table = name_of(index, hit->over[0][0], TABLE_NAME), near = name_of(index, hit->over[0][0], COLUMN_NAME);
	Name far = name_of(index, hit->over[0][1], COLUMN_NAME);
	char text[4096];
	snprintf(text, sizeof(text), "%.*s: %.*s \xe2\x86\x92 %.*s", shown(table), table.at, shown(near), near.at, shown(far), far.at);
	duckdb_vector_assign_string_element(field, row, text);
}

/* The bridges as the macros read them that write the join. */
static void put_steps(duckdb_vector field, idx_t row, const Hit *hit, const Index *index) {
	char text[64 * UNITED] = "";
	for (int i = 0, at = 0; i < hit->bridges; i++) {
		at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%lld>%lld", i ? " " : "", (long long)fact(index, hit->over[i][0], ID),
		               (long long)fact(index, hit->over[i][1], ID));
	}
	duckdb_vector_assign_string_element(field, row, text);
}

static void put_hits(duckdb_vector list, idx_t at, const Answer *answer, const Index *index) {
	duckdb_vector hits = duckdb_list_vector_get_child(list), field[HIT_FIELDS];
	void *to[HIT_FIELDS];
	for (int f = 0; f < HIT_FIELDS; f++) {
		field[f] = duckdb_struct_vector_get_child(hits, (idx_t)f);
		to[f] = duckdb_vector_get_data(field[f]);
	}
	for (int64_t i = 0; i < answer->count; i++) {
		const Hit *hit = &answer->hits[i];
		idx_t row = at + (idx_t)i;
		uint64_t place = (uint64_t)hit->place, kind = KIND(fact(index, place, FLAGS));
		((int32_t *)to[0])[row] = (int32_t)(i + 1);
		((int64_t *)to[1])[row] = fact(index, place, ID);
		for (int n = 0; n < NAMINGS; n++) {
			Name name = name_of(index, place, (enum Naming)n);
			duckdb_vector_assign_string_element_len(field[2 + n], row, name.at, name.length);
		}
		duckdb_vector_assign_string_element(field[5], row, kind < KINDS_KNOWN ? KINDS[kind] : "");
		const double numbers[] = {hit->probability, hit->score, hit->containment, hit->reverse, hit->jaccard, hit->cosine};
		for (int f = 0; f < 6; f++) {
			((double *)to[6 + f])[row] = numbers[f];
		}
		if (isnan(hit->cosine)) {
			set_null(field[11], row);
		}
		((int64_t *)to[12])[row] = hit->overlap;
		((double *)to[13])[row] = hit->error;
		duckdb_vector_assign_string_element(field[14], row, hit->cardinality);
		((int64_t *)to[15])[row] = hit->join_rows;
		((double *)to[16])[row] = hit->explosion;
		((double *)to[17])[row] = answer->hub;
		put_bridge(field[18], row, hit, index);
		set_null(field[19], row); /* the macros write it, from the steps */
		put_steps(field[20], row, hit, index);
	}
}

/* many rows ---------------------------------------------------------------------------------------------------- */

typedef struct {
	const Column *args;
	Row *rows;
	idx_t count, group;
	atomic_size_t next;
} Job;

enum { MOST_HELPERS = 64, ROWS_EACH = 8 };
static int64_t threads = 1; /* of DuckDB, as they were set when the extension was loaded */
static atomic_int helping;  /* threads of ours, of all statements */

static void *answer_rows(void *given) {
	Job *job = given;
	for (idx_t start; (start = atomic_fetch_add(&job->next, job->group)) < job->count;) {
		idx_t end = start + job->group < job->count ? start + job->group : job->count;
		for (idx_t i = start; i < end; i++) {
			read_row(job->args, i, &job->rows[i]);
		}
		choose_together(job->rows + start, end - start);
		for (idx_t i = start; i < end; i++) {
			answer_row(&job->rows[i]);
		}
	}
	return NULL;
}

/* Answers all rows of a chunk, with helpers where they are many: DuckDB itself gives each chunk to one thread. */
static void answer_all(Job *job) {
	pthread_t helpers[MOST_HELPERS];
	int started = 0;
	while (started < MOST_HELPERS && (idx_t)started + 1 < job->count / ROWS_EACH) {
		if (atomic_fetch_add(&helping, 1) >= threads - 1 || pthread_create(&helpers[started], NULL, answer_rows, job)) {
			atomic_fetch_sub(&helping, 1);
			break;
		}
		started++;
	}
	answer_rows(job);
	for (int i = 0; i < started; i++) {
		pthread_join(helpers[i], NULL);
		atomic_fetch_sub(&helping, 1);
	}
}

static void ask(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
	Column args[ARGUMENTS];
	for (int i = 0; i < ARGUMENTS; i++) {
		args[i] = column_of(duckdb_data_chunk_get_vector(input, (idx_t)i));
	}
	duckdb_vector error = duckdb_struct_vector_get_child(output, 0), list = duckdb_struct_vector_get_child(output, 1);
	duckdb_list_entry *entries = duckdb_vector_get_data(list);
	Job job = {.args = args, .count = duckdb_data_chunk_get_size(input)};
	job.group = job.count / (4 * (idx_t)threads);
	job.group = job.group < ROWS_EACH ? ROWS_EACH : job.group > GROUP ? GROUP : job.group;
	job.rows = calloc(job.count + 1, sizeof(Row));
	if (!job.rows) {
		duckdb_scalar_function_set_error(info, "out of memory");
		return;
	}
	answer_all(&job);
	idx_t put = 0;
	for (idx_t i = 0; i < job.count; i++) {
		Row *row = &job.rows[i];
		entries[i] = (duckdb_list_entry){put, 0};
		if (!row->index) {
			duckdb_vector_assign_string_element(error, i, row->message ? row->message : "out of memory");
			set_null(list, i);
			free(row->message);
			continue;
		}
		set_null(error, i);
		idx_t count = (idx_t)row->answer.count;
		if (duckdb_list_vector_reserve(list, put + count) != DuckDBSuccess) {
			duckdb_scalar_function_set_error(info, "out of memory");
		} else {
			put_hits(list, put, &row->answer, row->index);
			entries[i].length = count;
			put += count;
			duckdb_list_vector_set_size(list, put);
		}
		give_back(row->index);
		free(row->answer.hits);
	}
	free(job.rows);
}

/* cells -------------------------------------------------------------------------------------------------------- */

static void normalized(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
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

static void containment(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
	measured(info, input, output, false);
}

static void jaccard(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
	measured(info, input, output, true);
}

/* registration ------------------------------------------------------------------------------------------------- */

/* Makes a type of a letter: T text, W whole number, I integer, D double; with t, w, d a list of it. */
static duckdb_logical_type type_of(char letter) {
	duckdb_type plain = letter == 'T' || letter == 't'   ? DUCKDB_TYPE_VARCHAR
	                    : letter == 'W' || letter == 'w' ? DUCKDB_TYPE_BIGINT
	                    : letter == 'I'                  ? DUCKDB_TYPE_INTEGER
	                                                     : DUCKDB_TYPE_DOUBLE;
	duckdb_logical_type type = duckdb_create_logical_type(plain);
	if (letter < 'a') {
		return type;
	}
	duckdb_logical_type list = duckdb_create_list_type(type);
	duckdb_destroy_logical_type(&type);
	return list;
}

static duckdb_logical_type answer_type(void) {
	duckdb_logical_type fields[HIT_FIELDS];
	for (int f = 0; f < HIT_FIELDS; f++) {
		fields[f] = type_of(HIT_TYPES[f]);
	}
	duckdb_logical_type hit = duckdb_create_struct_type(fields, (const char **)HIT_NAMES, HIT_FIELDS);
	duckdb_logical_type both[2] = {duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR), duckdb_create_list_type(hit)};
	const char *names[2] = {"error", "hits"};
	duckdb_logical_type type = duckdb_create_struct_type(both, names, 2);
	for (int f = 0; f < HIT_FIELDS; f++) {
		duckdb_destroy_logical_type(&fields[f]);
	}
	duckdb_destroy_logical_type(&hit);
	duckdb_destroy_logical_type(&both[0]);
	duckdb_destroy_logical_type(&both[1]);
	return type;
}

static bool add(duckdb_connection connection, const char *name, const char *arguments, duckdb_logical_type returns, duckdb_scalar_function_t run) {
	duckdb_scalar_function function = duckdb_create_scalar_function();
	duckdb_scalar_function_set_name(function, name);
	for (const char *letter = arguments; *letter; letter++) {
		duckdb_logical_type type = type_of(*letter);
		duckdb_scalar_function_add_parameter(function, type);
		duckdb_destroy_logical_type(&type);
	}
	duckdb_scalar_function_set_return_type(function, returns);
	duckdb_scalar_function_set_special_handling(function); /* NULL says that a request leaves something open */
	duckdb_scalar_function_set_function(function, run);
	bool fine = duckdb_register_scalar_function(connection, function) == DuckDBSuccess;
	duckdb_destroy_scalar_function(&function);
	duckdb_destroy_logical_type(&returns);
	return fine;
}

/* How many threads DuckDB was told to use; 1 where it does not say. */
static int64_t count_threads(duckdb_connection connection) {
	duckdb_result result;
	int64_t found = 1;
	if (duckdb_query(connection, "SELECT current_setting('threads')::BIGINT", &result) == DuckDBSuccess) {
		duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
		if (chunk && duckdb_data_chunk_get_size(chunk) == 1) {
			found = *(int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
		}
		duckdb_destroy_data_chunk(&chunk);
	}
	duckdb_destroy_result(&result);
	return found;
}

DUCKDB_EXTENSION_ENTRYPOINT(duckdb_connection connection, duckdb_extension_info info, struct duckdb_extension_access *access) {
	find_home();
	plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	threads = count_threads(connection);
	bool fine = add(connection, "tablelens_hits", "TTtTTTITTTTID", answer_type(), ask);
	fine = fine && add(connection, "tablelens_normalize", "T", type_of('T'), normalized);
	fine = fine && add(connection, "tablelens_containment", "tt", type_of('D'), containment);
	fine = fine && add(connection, "tablelens_jaccard", "tt", type_of('D'), jaccard);
	if (!fine) {
		access->set_error(info, "tablelens: its functions are there already; use the extension or Python, each on its own connection");
	}
	return fine;
}
