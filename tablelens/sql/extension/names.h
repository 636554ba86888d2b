/* The names of tables and columns in a mapped index: tablelens/index/names.py. */
#pragma once
#include "index.h"

typedef struct {
	const char *at;
	size_t length;
} Name;

enum Naming { LAKE, TABLE_NAME, COLUMN_NAME, NAMINGS };

/* The lake, table or own name of a column; empty where the index is damaged. */
Name name_of(const Index *index, uint64_t place, enum Naming which);

/* How many bytes of a name a message shows. */
int shown(Name name);

/* The place of TABLE.COLUMN, where both may hold dots, or -1 with a message: the longest name of a table that fits wins. */
int64_t find_column(const Index *index, const char *reference, size_t length, char *message);

/* The place of a column by its lake, table and own name, or -1. */
int64_t find_named(const Index *index, Name lake, Name table, Name column);

/* Whether a column's name says that it tells things apart instead of measuring them. */
bool says_identifier(const Index *index, uint64_t place);

/* Whether there is such a lake; whether a name of a table matches a pattern of * ? [abc] [!abc]. */
bool has_lake(const Index *index, Name lake);
bool matches(Name pattern, Name text);
