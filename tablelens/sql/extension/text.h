/* Cells as values: normalisation and hashing, as tablelens/profile/normalize.py has them, and what kind they are. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
	char *data; /* UTF-8, NUL behind it; NULL where a cell holds no value */
	size_t length;
} Text;

/* The normalised value of a cell, of a null word too; the caller frees data. False where memory ran out. */
bool spell(const char *cell, size_t length, Text *value);

/* The same, but a null word holds no value: its data is NULL. Among codes NA is one of them. */
bool normalize(const char *cell, size_t length, bool among_codes, Text *value);

/* Whether two texts are the same but for case and the forms that compatibility folding joins. */
bool same_letters(const char *a, size_t a_length, const char *b, size_t b_length);

/* Bytes of the letter that begins at `at`: at least 1, and no more than there are. */
size_t letter_size(const char *at, const char *end);

/* XXH3, 64 bits, seed 0. */
uint64_t hash_bytes(const void *data, size_t length);

/* Sorted, distinct hashes of the words of a column's name; at most `room` of them. Returns how many. */
size_t hash_words(const char *name, size_t length, uint64_t *words, size_t room);

typedef enum { PLAIN, INTEGER, DECIMAL, DATE } Look;

/* What a normalised value looks like, and whether it counts as text. */
Look look_of(const char *value, size_t length);
bool is_text(const char *value, size_t length);
