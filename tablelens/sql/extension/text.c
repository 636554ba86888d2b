#include "letters.h"

#include <stdlib.h>
#include <string.h>

#include "unicode_tables.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* code points ------------------------------------------------------------------------------------------------- */

typedef struct {
	uint32_t *codes;
	size_t count, room;
} Codes;

static bool push(Codes *text, uint32_t code) {
	if (text->count == text->room) {
		size_t room = text->room ? 2 * text->room : 64;
		uint32_t *grown = realloc(text->codes, room * sizeof(uint32_t));
		if (!grown) {
			return false;
		}
		text->codes = grown;
		text->room = room;
	}
	text->codes[text->count++] = code;
	return true;
}

uint32_t next_code(const unsigned char **at, const unsigned char *end) {
	const unsigned char *p = *at;
	unsigned lead = *p++;
	int more = lead < 0x80 ? 0 : lead >> 5 == 6 ? 1 : lead >> 4 == 14 ? 2 : lead >> 3 == 30 ? 3 : -1;
	if (more < 0 || end - p < more) {
		*at = p;
		return 0xF700 + lead;
	}
	uint32_t code = more ? lead & (0x3F >> more) : lead;
	while (more--) {
		code = code << 6 | (*p++ & 0x3F);
	}
	*at = p;
	return code > 0x10FFFF ? 0xFFFD : code;
}

static size_t put_code(char *to, uint32_t code) {
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char)(0xC0 | code >> 6);
		to[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (char)(0xE0 | code >> 12);
		to[1] = (char)(0x80 | (code >> 6 & 0x3F));
		to[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	to[0] = (char)(0xF0 | code >> 18);
	to[1] = (char)(0x80 | (code >> 12 & 0x3F));
	to[2] = (char)(0x80 | (code >> 6 & 0x3F));
	to[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}

static bool in_ranges(const Range *ranges, size_t count, uint32_t code) {
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (ranges[middle].last < code) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low < count && ranges[low].first <= code;
}

static bool is_space(uint32_t code) {
	return in_ranges(SPACES, COUNT(SPACES), code);
}
bool is_word(uint32_t code) {
	return in_ranges(WORDS, COUNT(WORDS), code);
}
bool is_decimal(uint32_t code) {
	return in_ranges(DECIMALS, COUNT(DECIMALS), code);
}

/* folding: NFKC with case folding ------------------------------------------------------------------------------ */

static const Fold *fold_of(uint32_t code) {
	size_t low = 0, high = COUNT(FOLDS);
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (FOLDS[middle].code < code) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low < COUNT(FOLDS) && FOLDS[low].code == code ? &FOLDS[low] : NULL;
}

static uint32_t class_of(uint32_t code) {
	size_t low = 0, high = COUNT(CLASSES);
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (CLASSES[middle].code < code) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low < COUNT(CLASSES) && CLASSES[low].code == code ? CLASSES[low].value : 0;
}

enum { S_BASE = 0xAC00, L_BASE = 0x1100, V_BASE = 0x1161, T_BASE = 0x11A7, L_COUNT = 19, V_COUNT = 21, T_COUNT = 28 };

static bool decompose(uint32_t code, Codes *to) {
	uint32_t syllable = code - S_BASE;
	if (syllable < L_COUNT * V_COUNT * T_COUNT) {
		bool fits = push(to, L_BASE + syllable / (V_COUNT * T_COUNT));
		fits = fits && push(to, V_BASE + syllable / T_COUNT % V_COUNT);
		return fits && (syllable % T_COUNT == 0 || push(to, T_BASE + syllable % T_COUNT));
	}
	const Fold *fold = fold_of(code);
	if (!fold) {
		return push(to, code);
	}
	for (uint32_t i = 0; i < fold->length; i++) {
		if (!push(to, POOL[fold->at + i])) {
			return false;
		}
	}
	return true;
}

static uint32_t composed(uint32_t first, uint32_t second) {
	if (first - L_BASE < L_COUNT && second - V_BASE < V_COUNT) {
		return S_BASE + ((first - L_BASE) * V_COUNT + (second - V_BASE)) * T_COUNT;
	}
	uint32_t syllable = first - S_BASE;
	if (syllable < L_COUNT * V_COUNT * T_COUNT && syllable % T_COUNT == 0 && second - T_BASE - 1 < T_COUNT - 1) {
		return first + second - T_BASE;
	}
	size_t low = 0, high = COUNT(PAIRS);
	while (low < high) {
		size_t middle = (low + high) / 2;
		const Pair *pair = &PAIRS[middle];
		if (pair->first < first || (pair->first == first && pair->second < second)) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low < COUNT(PAIRS) && PAIRS[low].first == first && PAIRS[low].second == second ? PAIRS[low].composed : 0;
}

/* Marks in canonical order, then composed with the letter before them where nothing blocks them. */
static void compose(Codes *text) {
	for (size_t i = 1; i < text->count; i++) {
		uint32_t code = text->codes[i], class = class_of(code);
		size_t j = i;
		while (class && j && class_of(text->codes[j - 1]) > class) {
			text->codes[j] = text->codes[j - 1];
			j--;
		}
		text->codes[j] = code;
	}
	size_t kept = 0, starter = SIZE_MAX;
	uint32_t last = 0;
	for (size_t i = 0; i < text->count; i++) {
		uint32_t code = text->codes[i], class = class_of(code), made = 0;
		if (starter != SIZE_MAX && (kept == starter + 1 || (last < class && last))) {
			made = composed(text->codes[starter], code);
		}
		if (made) {
			text->codes[starter] = made;
			continue;
		}
		if (!class) {
			starter = kept;
		}
		last = class;
		text->codes[kept++] = code;
	}
	text->count = kept;
}

static bool fold(const char *cell, size_t length, Codes *text) {
	const unsigned char *at = (const unsigned char *)cell, *end = at + length;
	while (at < end) {
		if (!decompose(next_code(&at, end), text)) {
			return false;
		}
	}
	compose(text);
	for (int round = 0; round < 2; round++) { /* what was composed may be folded again */
		Codes again = {0};
		for (size_t i = 0; i < text->count; i++) {
			if (!decompose(text->codes[i], &again)) {
				free(again.codes);
				return false;
			}
		}
		compose(&again);
		free(text->codes);
		*text = again;
	}
	return true;
}

bool same_letters(const char *a, size_t a_length, const char *b, size_t b_length) {
	Codes left = {0}, right = {0};
	bool fine = fold(a, a_length, &left) && fold(b, b_length, &right) && left.count == right.count;
	fine = fine && (!left.count || !memcmp(left.codes, right.codes, left.count * sizeof(uint32_t)));
	free(left.codes);
	free(right.codes);
	return fine;
}

size_t letter_size(const char *at, const char *end) {
	const unsigned char *letter = (const unsigned char *)at;
	next_code(&letter, (const unsigned char *)end);
	return (size_t)(letter - (const unsigned char *)at);
}

/* values ------------------------------------------------------------------------------------------------------- */

static bool is_null_word(const char *value, size_t length) {
	static const char *const words[] = {"na", "n/a", "n.a.", "nan", "null", "none", "nil", "-", "--", "\xe2\x80\x93",
	                                    "\xe2\x80\x94", ".", "#n/a", "?", "\\n"};
	for (size_t i = 0; i < COUNT(words); i++) {
		if (strlen(words[i]) == length && !memcmp(words[i], value, length)) {
			return true;
		}
	}
	return length == 0;
}

size_t digits(const char *at, const char *end) {
	const char *start = at;
	while (at < end && *at >= '0' && *at <= '9') {
		at++;
	}
	return (size_t)(at - start);
}

/* A plain decimal number in one form, in place: +1.50 is 1.5, .5 is 0.5, -0 is 0. */
static void plain_number(Text *value, char *room) {
	const char *at = value->data, *end = at + value->length;
	bool minus = *at == '-';
	at += *at == '-' || *at == '+';
	size_t whole = digits(at, end);
	const char *point = at + whole;
	size_t fraction = point < end && *point == '.' ? digits(point + 1, end) : 0;
	bool pointed = point < end && *point == '.';
	if (point + pointed + fraction != end || (!whole && !fraction)) {
		return;
	}
	while (fraction && point[fraction] == '0') {
		fraction--;
	}
	char *to = room;
	bool zero = true;
	for (size_t i = 0; i < whole + fraction && zero; i++) {
		zero = (i < whole ? at[i] : point[1 + i - whole]) == '0';
	}
	if (minus && !zero) {
		*to++ = '-';
	}
	memcpy(to, whole ? at : "0", whole ? whole : 1);
	to += whole ? whole : 1;
	if (fraction) {
		memcpy(to, point, fraction + 1);
		to += fraction + 1;
	}
	value->length = (size_t)(to - room);
	memcpy(value->data, room, value->length);
	value->data[value->length] = 0;
}

bool spell(const char *cell, size_t length, Text *value) {
	Codes text = {0};
	*value = (Text){0};
	bool ascii = true;
	for (size_t i = 0; i < length; i++) {
		ascii = ascii && (unsigned char)cell[i] < 0x80;
	}
	if (!ascii && !fold(cell, length, &text)) {
		free(text.codes);
		return false;
	}
	size_t count = ascii ? length : text.count;
	char *data = malloc(4 * count + 2), *room = malloc(4 * count + 4);
	if (!data || !room) {
		free(data);
		free(room);
		free(text.codes);
		return false;
	}
	size_t put = 0;
	bool gap = false;
	for (size_t i = 0; i < count; i++) {
		uint32_t code = ascii ? (unsigned char)cell[i] : text.codes[i];
		if (is_space(code)) {
			gap = put > 0;
			continue;
		}
		if (gap) {
			data[put++] = ' ';
			gap = false;
		}
		put += put_code(data + put, ascii && code >= 'A' && code <= 'Z' ? code + 32 : code);
	}
	data[put] = 0;
	free(text.codes);
	*value = (Text){data, put};
	if ((*data >= '0' && *data <= '9') || *data == '+' || *data == '-' || *data == '.') {
		plain_number(value, room);
	}
	free(room);
	return true;
}

bool normalize(const char *cell, size_t length, bool among_codes, Text *value) {
	if (!spell(cell, length, value)) {
		return false;
	}
	bool code = among_codes && value->length == 2 && !memcmp(value->data, "na", 2);
	if (!code && is_null_word(value->data, value->length)) {
		free(value->data);
		*value = (Text){0};
	}
	return true;
}

/* words of a name ---------------------------------------------------------------------------------------------- */

static int by_hash(const void *a, const void *b) {
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* Runs of letters and of digits; a capital begins a word unless capitals stand before it and none after. */
size_t hash_words(const char *name, size_t length, uint64_t *words, size_t room) {
	size_t count = 0, i = 0;
	while (i < length && count < room) {
		unsigned char c = (unsigned char)name[i];
		size_t j = i;
		bool upper = c >= 'A' && c <= 'Z', lower = (c >= 'a' && c <= 'z') || c >= 0x80, digit = c >= '0' && c <= '9';
		if (digit) {
			j += digits(name + i, name + length);
		} else if (upper || lower) {
			while (j < length && name[j] >= 'A' && name[j] <= 'Z') {
				j++;
			}
			bool small = j < length && ((name[j] >= 'a' && name[j] <= 'z') || (unsigned char)name[j] >= 0x80);
			if (small && j > i + 1) {
				j--; /* the last capital begins the next word */
			} else {
				while (j < length && ((name[j] >= 'a' && name[j] <= 'z') || (unsigned char)name[j] >= 0x80)) {
					j++;
				}
			}
		}
		if (j == i) {
			i++;
			continue;
		}
		Text word;
		if (spell(name + i, j - i, &word)) {
			words[count++] = hash_bytes(word.data, word.length);
		}
		free(word.data);
		i = j;
	}
	qsort(words, count, sizeof(uint64_t), by_hash);
	size_t kept = 0;
	for (size_t k = 0; k < count; k++) {
		if (!k || words[k] != words[k - 1]) {
			words[kept++] = words[k];
		}
	}
	return kept;
}
