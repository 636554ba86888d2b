/* Just enough JSON to read a manifest: members of objects, numbers, strings. Values are slices of the text. */
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
