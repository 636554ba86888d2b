#include "json.h"

#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at, const char *end) {
	while (at < end && strchr(" \t\r\n", *at) && *at) {
		at++;
	}
	return at;
}

/* Behind a string that begins at `at`, or NULL. */
static const char *skip_string(const char *at, const char *end) {
	if (at >= end || *at != '"') {
		return NULL;
	}
	for (at++; at < end && *at != '"'; at++) {
		at += *at == '\\';
	}
	return at < end ? at + 1 : NULL;
}

/* Behind a value, or NULL; brackets are counted, not matched by kind. */
static const char *skip_value(const char *at, const char *end) {
	int depth = 0;
	do {
		at = skip_space(at, end);
		if (at >= end) {
			return NULL;
		}
		if (*at == '"') {
			at = skip_string(at, end);
			if (!at) {
				return NULL;
			}
		} else if (*at == '{' || *at == '[') {
			depth++;
			at++;
		} else if (*at == '}' || *at == ']') {
			depth--;
			at++;
		} else if (*at == ',' || *at == ':') {
			if (!depth) {
				return NULL;
			}
			at++;
		} else {
			while (at < end && !strchr(",:{}[]\" \t\r\n", *at)) {
				at++;
			}
			if (at < end && !*at) {
				return NULL;
			}
		}
	} while (depth > 0);
	return depth == 0 ? at : NULL;
}

Json json_member(Json object, const char *name) {
	Json none = {NULL, NULL};
	size_t length = strlen(name);
	const char *at = skip_space(object.at, object.end);
	if (at >= object.end || *at != '{') {
		return none;
	}
	at++;
	while (true) {
		at = skip_space(at, object.end);
		const char *key = at + 1, *behind = skip_string(at, object.end);
		if (!behind) {
			return none;
		}
		at = skip_space(behind, object.end);
		if (at >= object.end || *at != ':') {
			return none;
		}
		const char *value = skip_space(at + 1, object.end), *end = skip_value(value, object.end);
		if (!end) {
			return none;
		}
		if ((size_t)(behind - 1 - key) == length && !memcmp(key, name, length)) {
			return (Json){value, end};
		}
		at = skip_space(end, object.end);
		if (at >= object.end || *at != ',') {
			return none;
		}
		at++;
	}
}

double json_number(Json value, double otherwise) {
	char text[64];
	size_t length = (size_t)(value.end - value.at);
	if (!value.at || length == 0 || length >= sizeof(text)) {
		return otherwise;
	}
	memcpy(text, value.at, length);
	text[length] = 0;
	char *end;
	double number = strtod(text, &end);
	return *end || number != number ? otherwise : number;
}

bool json_is(Json value, const char *text) {
	size_t length = strlen(text);
	return value.at && (size_t)(value.end - value.at) == length + 2 && *value.at == '"' &&
	       !memcmp(value.at + 1, text, length);
}

bool json_text(Json value, char *to, size_t room) {
	size_t length = (size_t)(value.end - value.at);
	if (!value.at || length < 2 || length - 1 > room || *value.at != '"' || memchr(value.at, '\\', length)) {
		return false;
	}
	memcpy(to, value.at + 1, length - 2);
	to[length - 2] = 0;
	return true;
}

bool json_item(Json *rest, Json *item) {
	const char *at = rest->at ? skip_space(rest->at, rest->end) : rest->end;
	if (at < rest->end && (*at == '[' || *at == ',')) {
		at = skip_space(at + 1, rest->end);
	} else if (at >= rest->end || *at != ']') {
		return false;
	}
	if (at < rest->end && *at == ']') {
		rest->at = at;
		return false;
	}
	const char *end = skip_value(at, rest->end);
	if (end) {
		*item = (Json){at, end};
		rest->at = end;
	}
	return end != NULL;
}

/* Four hexadecimal digits, or -1. */
static long hexadecimal(const char *at, const char *end) {
	long code = 0;
	for (int i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef", *found = at + i < end ? strchr(digits, at[i] >= 'A' && at[i] <= 'F' ? at[i] + 32 : at[i]) : NULL;
		if (!found || !*found) {
			return -1;
		}
		code = 16 * code + (found - digits);
	}
	return code;
}

static char *put_letter(char *to, unsigned long code) {
	if (code < 0x80) {
		*to++ = (char)code;
	} else if (code < 0x800) {
		*to++ = (char)(0xC0 | code >> 6);
		*to++ = (char)(0x80 | (code & 0x3F));
	} else {
		if (code < 0x10000) {
			*to++ = (char)(0xE0 | code >> 12);
		} else {
			*to++ = (char)(0xF0 | code >> 18);
			*to++ = (char)(0x80 | (code >> 12 & 0x3F));
		}
		*to++ = (char)(0x80 | (code >> 6 & 0x3F));
		*to++ = (char)(0x80 | (code & 0x3F));
	}
	return to;
}

long json_letters(Json value, char *to) {
	if (!value.at || value.end - value.at < 2 || *value.at != '"') {
		return -1;
	}
	char *start = to;
	for (const char *at = value.at + 1, *end = value.end - 1; at < end; at++) {
		if (*at != '\\') {
			*to++ = *at;
			continue;
		}
		static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
		const char *known = ++at < end && *at ? strchr(escapes, *at) : NULL;
		if (known) {
			*to++ = meant[known - escapes];
			continue;
		}
		long code = at < end && *at == 'u' ? hexadecimal(at + 1, end) : -1;
		if (code < 0) {
			return -1;
		}
		at += 4;
		long low = code >= 0xD800 && code < 0xDC00 && at + 6 < end && at[1] == '\\' && at[2] == 'u' ? hexadecimal(at + 3, end) : -1;
		if (low >= 0xDC00 && low < 0xE000) {
			code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
			at += 6;
		}
		to = put_letter(to, (unsigned long)code);
	}
	*to = 0;
	return to - start;
}
