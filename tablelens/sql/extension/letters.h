/* The letters of a text, one by one. */
#pragma once
#include "text.h"

/* The next code point of UTF-8; a byte that is none stands for itself in the private area. */
uint32_t next_code(const unsigned char **at, const unsigned char *end);

bool is_word(uint32_t code);
bool is_decimal(uint32_t code);

/* How many digits of ASCII begin a text. */
size_t digits(const char *at, const char *end);
