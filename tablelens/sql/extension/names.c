#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define SAY(...) snprintf(message, MESSAGE, __VA_ARGS__)
enum { LISTED = 20, SHOWN = 200 };

static bool same(Name a, Name b) {
	return a.length == b.length && (!a.length || !memcmp(a.at, b.at, a.length));
}

int shown(Name name) {
	size_t length = name.length < SHOWN ? name.length : SHOWN;
	while (length && length < name.length && ((unsigned char)name.at[length] & 0xC0) == 0x80) {
		length--; /* not within a letter */
	}
	return (int)length;
}

Name name_of(const Index *index, uint64_t place, enum Naming which) {
	uint32_t text = index->named[place * NAMINGS + which];
	if (text >= index->texts) {
		return (Name){"", 0};
	}
	int64_t start = index->text_starts[text], end = index->text_starts[text + 1];
	if (start < 0 || end < start || (uint64_t)end > index->letters) {
		return (Name){"", 0};
	}
	return (Name){index->text + start, (size_t)(end - start)};
}

/* Whether a name is a table's, whole or with one piece left out, as the suffix of its file is. */
static bool is_short_for(Name table, Name asked) {
	size_t head = 0, tail = 0, most = asked.length < table.length ? asked.length : table.length;
	while (head < most && asked.at[head] == table.at[head]) {
		head++;
	}
	while (tail < most && asked.at[asked.length - 1 - tail] == table.at[table.length - 1 - tail]) {
		tail++;
	}
	return head + tail >= asked.length;
}

/* Whether a table answers to a name, and whether that is a whole one. The keys told so already: this is for names that
   happen to have the same hash. */
static bool answers_to(Name lake, Name table, Name asked, bool *whole) {
	*whole = same(asked, table);
	if (asked.length > lake.length && !memcmp(asked.at, lake.at, lake.length) && asked.at[lake.length] == ':') {
		Name rest = {asked.at + lake.length + 1, asked.length - lake.length - 1};
		*whole = *whole || same(rest, table);
		return *whole || is_short_for(table, rest) || is_short_for(table, asked);
	}
	return is_short_for(table, asked);
}

/* The first column of the table that is meant, or -1: `rivals` says of how many it could be one. */
static int64_t find_table(const Index *index, Name asked, uint64_t *rivals) {
	uint64_t key = hash_bytes(asked.at, asked.length), low = 0, high = index->keys;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (index->table_key[middle] < key) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	int64_t found = -1, entire = -1;
	uint64_t wholes = 0;
	*rivals = 0;
	for (; low < index->keys && index->table_key[low] == key; low++) {
		uint64_t place = index->table_at[low];
		bool whole;
		if (place >= index->columns || !answers_to(name_of(index, place, LAKE), name_of(index, place, TABLE_NAME), asked, &whole)) {
			continue;
		}
		found = (int64_t)place;
		++*rivals;
		if (whole) {
			entire = found;
			wholes++;
		}
	}
	if (*rivals > 1 && wholes == 1) {
		*rivals = 1;
		return entire;
	}
	return found;
}

/* The place of a table's column by its name, else by its name in whatever case, or -1. */
static int64_t find_in_table(const Index *index, uint64_t first, Name column) {
	int64_t table = fact(index, first, TABLE), spelled = -1, alike = -1;
	for (uint64_t place = first; place < index->columns && fact(index, place, TABLE) == table; place++) {
		Name own = name_of(index, place, COLUMN_NAME);
		if (same(own, column)) {
			spelled = (int64_t)place;
		} else if (spelled < 0 && same_letters(own.at, own.length, column.at, column.length)) {
			alike = (int64_t)place;
		}
	}
	return spelled >= 0 ? spelled : alike;
}

static void say_columns(const Index *index, uint64_t first, Name table, Name column, char *message) {
	int put = SAY("unknown column '%.*s'. Hint: columns of %.*s: ", shown(column), column.at,
	              shown(table), table.at);
	int64_t id = fact(index, first, TABLE);
	for (uint64_t i = 0; i < LISTED && first + i < index->columns && fact(index, first + i, TABLE) == id; i++) {
		Name own = name_of(index, first + i, COLUMN_NAME);
		put += snprintf(message + put, (size_t)(MESSAGE - put), "%s%.*s", i ? ", " : "", shown(own), own.at);
	}
}

int64_t find_column(const Index *index, const char *reference, size_t length, char *message) {
	Name asked = {reference, length};
	*message = 0;
	for (size_t dot = length; dot-- > 0;) {
		if (reference[dot] != '.') {
			continue;
		}
		Name table = {reference, dot}, column = {reference + dot + 1, length - dot - 1};
		uint64_t rivals;
		int64_t first = find_table(index, table, &rivals);
		if (rivals > 1) {
			SAY("'%.*s' is the name of %llu tables. Hint: write LAKE:TABLE.COLUMN, or the suffix of its file", shown(table),
			    reference, (unsigned long long)rivals);
			return -1;
		}
		int64_t place = first < 0 ? -1 : find_in_table(index, (uint64_t)first, column);
		if (place >= 0) {
			return place;
		}
		if (first >= 0) {
			say_columns(index, (uint64_t)first, table, (Name){reference, length}, message);
		}
	}
	uint64_t rivals;
	if (find_table(index, asked, &rivals) >= 0) {
		SAY("'%.*s' is a table; a column is wanted. Hint: write TABLE.COLUMN as FROM tablelens.columns has them", shown(asked), reference);
	} else if (!*message) {
		SAY("unknown column '%.*s'. Hint: write TABLE.COLUMN as FROM tablelens.columns has them", shown(asked), reference);
	}
	return -1;
}

int64_t find_named(const Index *index, Name lake, Name table, Name column) {
	uint64_t key = hash_bytes(table.at, table.length), low = 0, high = index->keys;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (index->table_key[middle] < key) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	for (; low < index->keys && index->table_key[low] == key; low++) {
		uint64_t place = index->table_at[low];
		if (place < index->columns && same(name_of(index, place, LAKE), lake) && same(name_of(index, place, TABLE_NAME), table)) {
			return find_in_table(index, place, column);
		}
	}
	return -1;
}

bool says_identifier(const Index *index, uint64_t place) {
	static const char *const words[] = {"code", "codes", "fips", "gss", "id",  "ids",    "iso", "key", "nr",  "no",
	                                    "num",  "number", "pk",  "uid", "uuid", "zip"};
	int64_t start = index->name_starts[place], end = index->name_starts[place + 1];
	for (int64_t i = start; start >= 0 && (uint64_t)end <= index->words && i < end; i++) {
		for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
			if (index->name_words[i] == hash_bytes(words[w], strlen(words[w]))) {
				return true;
			}
		}
	}
	return false;
}

bool has_lake(const Index *index, Name lake) {
	for (uint64_t place = 0; place < index->columns; place++) {
		if (same(name_of(index, place, LAKE), lake)) {
			return true;
		}
	}
	return false;
}

/* Whether a letter, UTF-8, stands in a set such as [abc], [a-z], [!abc]; *set is moved behind it. False with *set as it
   was where the bracket is never closed. */
static bool in_set(const char **set, const char *end, const char *letter, size_t size, bool *is_set) {
	const char *at = *set + 1;
	bool not = at < end && *at == '!', inside = false;
	at += not;
	const char *close = at < end ? at + 1 : end; /* a bracket in the first place stands for itself */
	while (close < end && *close != ']') {
		close++;
	}
	*is_set = close < end;
	if (!*is_set) {
		return false;
	}
	while (at < close) {
		size_t wide = letter_size(at, close);
		const char *last = at;
		size_t last_wide = wide;
		if (at + wide + 1 < close && at[wide] == '-') {
			last = at + wide + 1;
			last_wide = letter_size(last, close);
		}
		/* UTF-8 keeps the order of code points */
		size_t least = size < wide ? size : wide, most = size < last_wide ? size : last_wide;
		int low = memcmp(letter, at, least), high = memcmp(letter, last, most);
		inside = inside || ((low > 0 || (!low && size >= wide)) && (high < 0 || (!high && size <= last_wide)));
		at = last + last_wide;
	}
	*set = close + 1;
	return inside != not;
}

bool matches(Name pattern, Name text) {
	const char *p = pattern.at, *end = p + pattern.length, *t = text.at, *last = t + text.length;
	const char *star = NULL, *from = NULL;
	while (t < last) {
		size_t size = letter_size(t, last);
		bool fits = false;
		const char *next = p;
		if (p < end && *p == '*') {
			star = ++p;
			from = t;
			continue;
		}
		if (p < end && *p == '?') {
			fits = true;
			next = p + 1;
		} else if (p < end) {
			bool is_set = false;
			if (*p == '[') {
				fits = in_set(&next, end, t, size, &is_set);
			}
			if (!is_set) {
				size_t wide = letter_size(p, end);
				fits = wide == size && !memcmp(p, t, size);
				next = p + wide;
			}
		}
		if (fits) {
			p = next;
			t += size;
		} else if (star) {
			p = star;
			from += letter_size(from, last);
			t = from;
		} else {
			return false;
		}
	}
	while (p < end && *p == '*') {
		p++;
	}
	return p == end;
}
