/* tablelens_hits: the columns that join, for each row of a chunk. Rows are answered in groups, so that what they look at is
   read once for all, and groups by several threads: DuckDB itself gives each chunk to one. */
#include "sql.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "verdicts.h"

enum { GROUP = 1024 /* rows that are answered together, at most */ };
const char *const HIT_NAMES[HIT_FIELDS] = {"rank",        "id",    "lake",        "table",               "column",  "kind",
                                           "probability", "score", "containment", "reverse_containment", "jaccard", "cosine",
                                           "overlap",     "error", "cardinality", "join_rows",           "explosion", "hub",
                                           "bridge",      "sql",   "steps"};
const char HIT_TYPES[HIT_FIELDS + 1] = "IWTTTTDDDDDDWDTWDDTTT";

/* one row ------------------------------------------------------------------------------------------------------ */

/* A row on its way to its answer. */
typedef struct {
	Index *index; /* to be given back; NULL where there is an error, and a message in the join */
	Join join;
	uint64_t words[NAME_WORDS];
	Judged *judged;
} Row;

static void forget(Row *row) {
	free((void *)row->join.query.hashes);
	free(row->judged);
	row->join.query.hashes = NULL;
	row->judged = NULL;
}

static void fail(Row *row, char *message) {
	forget(row);
	if (row->index) {
		give_back(row->index);
	}
	row->index = NULL;
	row->join.message = message;
}

/* Reads what a row asks, and borrows the index that it speaks of. */
static void read_row(const Column *args, idx_t at, Row *row) {
	Join *join = &row->join;
	char name[NAME_ROOM], verdicts[sizeof(home) + 32], message[MESSAGE];
	*message = 0;
	snprintf(verdicts, sizeof(verdicts), "%s/verdicts.json", home);
	if (!read_request(args, at, name, &join->request, message) || !(row->index = borrow_index(home, name, message)) ||
	    !read_query(args, at, row->index, row->words, &join->request, &join->query, message) ||
	    !judged_of(row->index, verdicts, join->query.place, &row->judged, &join->request.judged_count, message)) {
		fail(row, strdup(message));
		return;
	}
	join->request.judged = row->judged;
}

/* Answers the rows of the first one's index, as a rule all of them; brings the others to the front. How many these are. */
static size_t answer_alike(Row **rows, size_t count) {
	Join *joins[GROUP];
	size_t asked = 0, left = 0;
	Index *index = rows[0]->index;
	for (size_t i = 0; i < count; i++) {
		if (rows[i]->index == index) {
			joins[asked++] = &rows[i]->join;
		} else {
			rows[left++] = rows[i];
		}
	}
	find_joins(index, joins, asked);
	return left;
}

static void answer_together(Row *rows, size_t count) {
	Row *asking[GROUP];
	size_t left = 0;
	for (size_t i = 0; i < count; i++) {
		asking[left] = &rows[i];
		left += rows[i].index != NULL;
	}
	while (left) {
		left = answer_alike(asking, left);
	}
	for (size_t i = 0; i < count; i++) {
		if (rows[i].index && !rows[i].join.answered) {
			fail(&rows[i], rows[i].join.message);
		}
		forget(&rows[i]);
	}
}

/* answers ------------------------------------------------------------------------------------------------------ */

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
static atomic_int helping;  /* threads of ours, of all statements */

static void *answer_rows(void *given) {
	Job *job = given;
	for (idx_t start; (start = atomic_fetch_add(&job->next, job->group)) < job->count;) {
		idx_t end = start + job->group < job->count ? start + job->group : job->count;
		for (idx_t i = start; i < end; i++) {
			read_row(job->args, i, &job->rows[i]);
		}
		answer_together(job->rows + start, end - start);
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

void answer_hits(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
	Column args[ARGUMENTS];
	for (int i = 0; i < ARGUMENTS; i++) {
		args[i] = column_of(duckdb_data_chunk_get_vector(input, (idx_t)i));
	}
	duckdb_vector error = duckdb_struct_vector_get_child(output, 0), list = duckdb_struct_vector_get_child(output, 1);
	duckdb_list_entry *entries = duckdb_vector_get_data(list);
	Job job = {.args = args, .count = duckdb_data_chunk_get_size(input)};
	job.group = threads > 1 ? job.count / (2 * (idx_t)threads) : job.count; /* the more together, the less is read twice */
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
			duckdb_vector_assign_string_element(error, i, row->join.message ? row->join.message : "out of memory");
			set_null(list, i);
			free(row->join.message);
			continue;
		}
		set_null(error, i);
		idx_t count = (idx_t)row->join.answer.count;
		if (duckdb_list_vector_reserve(list, put + count) != DuckDBSuccess) {
			duckdb_scalar_function_set_error(info, "out of memory");
		} else {
			put_hits(list, put, &row->join.answer, row->index);
			entries[i].length = count;
			put += count;
			duckdb_list_vector_set_size(list, put);
		}
		give_back(row->index);
		free(row->join.answer.hits);
	}
	free(job.rows);
}
