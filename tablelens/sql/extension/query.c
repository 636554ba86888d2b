/* What a search starts from: a column of the lake, or cells from outside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "joins.h"
#include "text.h"

#define SAY(...) snprintf(message, MESSAGE, __VA_ARGS__)
enum { KIND_SAMPLE = 1000, CODES = 20 };
static const double CODES_SHARE = 0.9;

bool query_of_place(const Index *index, int64_t place, Query *query, char *message) {
	int64_t flags = fact(index, (uint64_t)place, FLAGS), start = index->name_starts[place], end = index->name_starts[place + 1];
	Run own;
	if (!own_of(index, (uint64_t)place, &own) || start < 0 || end < start || (uint64_t)end > index->words) {
		SAY("the index is damaged. Hint: crawl again: no file is read anew");
		return false;
	}
	uint64_t *hashes = malloc((own.count + 1) * sizeof(uint64_t));
	for (uint64_t i = 0; hashes && i < own.count; i++) {
		hashes[i] = own.at[i] < index->values ? index->value[own.at[i]] : 0;
	}
	*query = (Query){.place = place,
	                 .table = fact(index, (uint64_t)place, TABLE),
	                 .family = FAMILY(flags),
	                 .excluded = !USABLE(flags),
	                 .whole = WHOLE(flags),
	                 .rows = fact(index, (uint64_t)place, ROWS),
	                 .filled = fact(index, (uint64_t)place, FILLED),
	                 .distinct = fact(index, (uint64_t)place, DISTINCT),
	                 .hashes = hashes,
	                 .size = own.count,
	                 .words = index->name_words + start,
	                 .word_count = (uint64_t)(end - start)};
	query->limit = query->whole || !own.count || !hashes ? UINT64_MAX : hashes[own.count - 1];
	if (!hashes) {
		SAY("out of memory");
	}
	return hashes != NULL;
}

typedef struct {
	uint64_t hash;
	int64_t count;
	Text value;
} Cell;

static int by_hash(const void *a, const void *b) {
	const Cell *x = a, *y = b;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static int by_count(const void *a, const void *b) {
	const Cell *x = a, *y = b;
	if (x->count != y->count) {
		return x->count < y->count ? 1 : -1;
	}
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static bool all_of(const Cell *cells, size_t count, const char *a, const char *b) {
	for (size_t i = 0; i < count; i++) {
		if (strcmp(cells[i].value.data, a) != 0 && strcmp(cells[i].value.data, b) != 0) {
			return false;
		}
	}
	return true;
}

/* Family, and whether the values are no query: tablelens/profile/kinds.py, on the most frequent values. */
static void judge(Query *query, const Cell *cells, size_t count) {
	static const char *const truth[][2] = {{"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"0", "1"}, {"on", "off"}};
	size_t some = count < KIND_SAMPLE ? count : KIND_SAMPLE, looks[4] = {0}, texts = 0;
	bool boolean = false;
	for (size_t i = 0; i < sizeof(truth) / sizeof(truth[0]); i++) {
		boolean = boolean || all_of(cells, some, truth[i][0], truth[i][1]);
	}
	for (size_t i = 0; i < some; i++) {
		looks[look_of(cells[i].value.data, cells[i].value.length)]++;
		texts += is_text(cells[i].value.data, cells[i].value.length);
	}
	bool numbers = (double)(looks[INTEGER] + looks[DECIMAL]) >= 0.95 * (double)some;
	bool dates = !numbers && (double)looks[DATE] >= 0.95 * (double)some;
	query->excluded = count < 2 || boolean;
	query->family = !count ? 0 : 2 * texts >= some ? TEXT_FAMILY : dates ? DATE_FAMILY : NUMBER_FAMILY;
}

typedef struct {
	const char *at;
	size_t length;
	uint64_t hash;
} Raw;

static int by_raw_hash(const void *a, const void *b) {
	const Raw *x = a, *y = b;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* Whether a cell is two letters of ASCII, less the space around them. */
static bool is_code(const char *cell, size_t length) {
	while (length && strchr(" \t\n\v\f\r", cell[length - 1])) {
		length--;
	}
	while (length && strchr(" \t\n\v\f\r", *cell)) {
		cell++;
		length--;
	}
	bool letters = length == 2;
	for (size_t i = 0; i < 2 && letters; i++) {
		letters = (cell[i] >= 'a' && cell[i] <= 'z') || (cell[i] >= 'A' && cell[i] <= 'Z');
	}
	return letters;
}

/* Whether the distinct cells are codes of two letters, for nearly all: tablelens/profile/normalize.py. */
static bool are_codes(const char **cells, const size_t *lengths, size_t count) {
	Raw *raw = malloc((count + 1) * sizeof(Raw));
	size_t filled = 0;
	for (size_t i = 0; raw && i < count; i++) {
		if (cells[i]) {
			raw[filled++] = (Raw){cells[i], lengths[i], hash_bytes(cells[i], lengths[i])};
		}
	}
	if (raw) {
		qsort(raw, filled, sizeof(Raw), by_raw_hash);
	}
	double distinct = 0, codes = 0;
	for (size_t i = 0; raw && i < filled; i++) {
		if (!i || raw[i].hash != raw[i - 1].hash) {
			distinct++;
			codes += is_code(raw[i].at, raw[i].length);
		}
	}
	free(raw);
	return codes >= CODES && codes >= CODES_SHARE * distinct;
}

bool query_of_cells(const char **cells, const size_t *lengths, size_t count, Query *query, char *message) {
	Cell *found = calloc(count + 1, sizeof(Cell));
	uint64_t *hashes = malloc((count + 1) * sizeof(uint64_t));
	size_t filled = 0, distinct = 0;
	bool fine = found && hashes, codes = are_codes(cells, lengths, count);
	for (size_t i = 0; i < count && fine; i++) {
		Text value = {0};
		fine = !cells[i] || normalize(cells[i], lengths[i], codes, &value);
		if (fine && value.data) {
			found[filled++] = (Cell){hash_bytes(value.data, value.length), 1, value};
		}
	}
	if (fine) {
		qsort(found, filled, sizeof(Cell), by_hash);
	}
	for (size_t i = 0; fine && i < filled; i++) {
		if (distinct && found[distinct - 1].hash == found[i].hash) {
			found[distinct - 1].count++;
			free(found[i].value.data);
		} else {
			found[distinct++] = found[i];
		}
	}
	for (size_t i = 0; fine && i < distinct; i++) {
		hashes[i] = found[i].hash;
	}
	*query = (Query){.place = -1, .table = -1, .whole = true, .rows = (int64_t)count, .filled = (int64_t)filled, .hashes = hashes};
	query->size = distinct;
	query->distinct = (int64_t)distinct;
	query->limit = UINT64_MAX;
	if (fine) {
		qsort(found, distinct, sizeof(Cell), by_count);
		judge(query, found, distinct);
	} else {
		SAY("out of memory");
	}
	for (size_t i = 0; found && i < (fine ? distinct : filled); i++) {
		free(found[i].value.data);
	}
	free(found);
	return fine;
}
