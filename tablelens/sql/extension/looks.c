/* What a normalised value looks like: tablelens/profile/kinds.py. */
#include <string.h>

#include "letters.h"

static bool number_between(const char **at, const char *end, size_t least, size_t most, int low, int high) {
	size_t found = digits(*at, end);
	if (found < least || found > most) {
		return false;
	}
	int number = 0;
	for (size_t i = 0; i < found; i++) {
		number = 10 * number + ((*at)[i] - '0');
	}
	*at += found;
	return number >= low && number <= high;
}

static bool one_of(const char **at, const char *end, const char *letters) {
	bool found = *at < end && strchr(letters, **at) && **at;
	*at += found;
	return found;
}

/* The clock of a date: " 12:30:00.5+01:00". */
static bool is_clock(const char *at, const char *end) {
	if (!one_of(&at, end, "t ") || !number_between(&at, end, 1, 2, 0, 99) || !one_of(&at, end, ":") ||
	    !number_between(&at, end, 2, 2, 0, 99)) {
		return false;
	}
	if (at + 3 <= end && *at == ':' && digits(at + 1, end) == 2) {
		at += 3;
		if (at < end && *at == '.' && digits(at + 1, end)) {
			at += 1 + digits(at + 1, end);
		}
	}
	if (at == end) {
		return true;
	}
	if (*at == 'z') {
		return at + 1 == end;
	}
	if (!one_of(&at, end, "+-") || end - at < 4) {
		return false;
	}
	if (digits(at, end) == 4) {
		return at + 4 == end;
	}
	return digits(at, end) == 2 && at[2] == ':' && digits(at + 3, end) == 2 && at + 5 == end;
}

static bool is_date(const char *value, const char *end) {
	const char *at = value;
	size_t lead = digits(at, end);
	if (lead == 4) {
		at += 4;
		if (!one_of(&at, end, "-/.") || !number_between(&at, end, 1, 2, 1, 12) || !one_of(&at, end, "-/.") ||
		    !number_between(&at, end, 1, 2, 1, 31)) {
			return false;
		}
		return at == end || is_clock(at, end);
	}
	return number_between(&at, end, 1, 2, 1, 31) && one_of(&at, end, "-/.") && number_between(&at, end, 1, 2, 1, 31) &&
	       one_of(&at, end, "-/.") && digits(at, end) == 4 && at + 4 == end;
}

Look look_of(const char *value, size_t length) {
	const char *at = value, *end = value + length;
	at += at < end && (*at == '+' || *at == '-');
	size_t whole = digits(at, end);
	if (whole && at + whole == end && whole <= 18) {
		return INTEGER;
	}
	at += whole;
	size_t fraction = 0;
	if (at < end && *at == '.') {
		fraction = digits(at + 1, end);
		at += 1 + fraction;
	}
	if (whole || fraction) {
		const char *power = at;
		if (power < end && *power == 'e') {
			power++;
			power += power < end && (*power == '+' || *power == '-');
			size_t size = digits(power, end);
			at = size >= 1 && size <= 3 ? power + size : at;
		}
		if (at == end) {
			return DECIMAL;
		}
	}
	return is_date(value, end) ? DATE : PLAIN;
}

/* Digits and punctuation, with at most two letters in a row behind digits: 6th, 1.2m, 2011-2017. */
static bool is_quantity(const unsigned char *at, const unsigned char *end) {
	bool digit = false, letters_over = false;
	int letters = 0;
	while (at < end) {
		uint32_t code = next_code(&at, end);
		bool decimal = is_decimal(code), letter = is_word(code) && !decimal && code != '_';
		if (decimal) {
			if (letters || letters_over) {
				return false;
			}
			digit = true;
		} else if (letter) {
			if (!digit || letters_over || ++letters > 2) {
				return false;
			}
		} else if (letters) {
			letters_over = true;
		}
	}
	return digit;
}

bool is_text(const char *value, size_t length) {
	const unsigned char *at = (const unsigned char *)value, *end = at + length;
	bool letter = false;
	while (at < end && !letter) {
		uint32_t code = next_code(&at, end);
		letter = is_word(code) && !is_decimal(code) && code != '_';
	}
	return letter && !is_quantity((const unsigned char *)value, end) && !is_date(value, value + length);
}
