/* Numbers of the machine's byte order, wherever they lie. */
#pragma once
#include <stdint.h>
#include <string.h>

static inline uint64_t u64(const uint8_t *at) {
	uint64_t value;
	memcpy(&value, at, 8);
	return value;
}

static inline uint32_t u32(const uint8_t *at) {
	uint32_t value;
	memcpy(&value, at, 4);
	return value;
}
