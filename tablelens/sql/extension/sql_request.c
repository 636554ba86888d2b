/* What a row of tablelens_hits asks. */
#include "sql.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

const char *const KINDS[KINDS_KNOWN] = {"text", "integer", "decimal", "boolean", "date", "identifier", "categorical", "empty"};

/* A whole number that a setting may be; 0 for others. */
static int64_t whole_of(double number) {
	return number >= 0 && number <= 1e6 ? (int64_t)number : 0;
}

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
	request->candidates = whole_of(numbers[0]);
	request->min_distinct = whole_of(numbers[1]);
	request->threshold = numbers[2];
	memcpy(request->weights, numbers + 3, sizeof(request->weights));
	return true;
}

static bool options_of(const Column *args, idx_t row, Request *request, char *message) {
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
	request->diversity = is_set(&args[DIVERSE], row) ? ((double *)args[DIVERSE].data)[row] : 0;
	if (!(request->diversity >= 0 && request->diversity <= 1)) {
		snprintf(message, MESSAGE, "diversity is %g. Hint: diversity lies between 0, for none, and 1", request->diversity);
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

bool read_request(const Column *args, idx_t row, char name[NAME_ROOM], Request *request, char *message) {
	return settings_of(args, row, name, request, message) && options_of(args, row, request, message);
}

bool read_query(const Column *args, idx_t row, const Index *index, uint64_t words[NAME_WORDS], Request *request, Query *query, char *message) {
	return pair_of(args, row, index, request, message) && query_of(args, row, index, words, query, message);
}
