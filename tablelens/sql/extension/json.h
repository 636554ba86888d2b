/* Just enough JSON to read what tablelens writes: members, items, numbers, strings. Values are slices of the text. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { JSON_ROOM = 1 << 20 };

typedef struct {
	const char *at, *end;
} Json;

/* A member of an object; empty where there is none or the text is no JSON. */
Json json_member(Json object, const char *name);
double json_number(Json value, double otherwise);
bool json_is(Json value, const char *text);

/* A string without escapes, with its NUL, into so much room. */
bool json_text(Json value, char *to, size_t room);

/* The first item of an array's text, or of what follows an item; moves `rest` behind it. False where there is none,
   and `rest` is then at the bracket that closes the array, if that is whole. */
bool json_item(Json *rest, Json *item);

/* A string of any letters, as UTF-8, with its NUL, into room for as many bytes as the text has. How many, or -1. */
long json_letters(Json value, char *to);
