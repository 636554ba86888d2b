/* XXH3 with 64 bits and seed 0, as https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md describes it. */
#include "bytes.h"
#include "text.h"

typedef unsigned __int128 u128;

static const uint8_t SECRET[192] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e};
static const uint64_t P32_1 = 0x9E3779B1U, P32_2 = 0x85EBCA77U, P32_3 = 0xC2B2AE3DU;
static const uint64_t P64_1 = 0x9E3779B185EBCA87ULL, P64_2 = 0xC2B2AE3D27D4EB4FULL, P64_3 = 0x165667B19E3779F9ULL,
                      P64_4 = 0x85EBCA77C2B2AE63ULL, P64_5 = 0x27D4EB2F165667C5ULL;
static const uint64_t MX1 = 0x165667919E3779F9ULL, MX2 = 0x9FB21C651E98DF25ULL;

static uint64_t fold128(uint64_t a, uint64_t b) {
	u128 product = (u128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t avalanche(uint64_t h) {
	h ^= h >> 37;
	h *= MX1;
	return h ^ h >> 32;
}

static uint64_t avalanche64(uint64_t h) {
	h ^= h >> 33;
	h *= P64_2;
	h ^= h >> 29;
	h *= P64_3;
	return h ^ h >> 32;
}

static uint64_t mix16(const uint8_t *data, const uint8_t *secret) {
	return fold128(u64(data) ^ u64(secret), u64(data + 8) ^ u64(secret + 8));
}

static uint64_t short_hash(const uint8_t *d, size_t n) {
	if (n == 0) {
		return avalanche64(u64(SECRET + 56) ^ u64(SECRET + 64));
	}
	if (n <= 3) {
		uint32_t joined = (uint32_t)d[0] << 16 | (uint32_t)d[n >> 1] << 24 | d[n - 1] | (uint32_t)n << 8;
		return avalanche64(joined ^ (uint64_t)(u32(SECRET) ^ u32(SECRET + 4)));
	}
	if (n <= 8) {
		uint64_t joined = u32(d + n - 4) + ((uint64_t)u32(d) << 32);
		uint64_t h = joined ^ (u64(SECRET + 8) ^ u64(SECRET + 16));
		h ^= (h << 49 | h >> 15) ^ (h << 24 | h >> 40);
		h *= MX2;
		h ^= (h >> 35) + n;
		h *= MX2;
		return h ^ h >> 28;
	}
	uint64_t low = u64(d) ^ (u64(SECRET + 24) ^ u64(SECRET + 32));
	uint64_t high = u64(d + n - 8) ^ (u64(SECRET + 40) ^ u64(SECRET + 48));
	return avalanche(n + __builtin_bswap64(low) + high + fold128(low, high));
}

static uint64_t middle_hash(const uint8_t *d, size_t n) {
	uint64_t h = n * P64_1;
	if (n <= 128) {
		for (size_t i = (n - 1) / 32 + 1; i-- > 0;) {
			h += mix16(d + 16 * i, SECRET + 32 * i);
			h += mix16(d + n - 16 * (i + 1), SECRET + 32 * i + 16);
		}
		return avalanche(h);
	}
	size_t rounds = n / 16;
	for (size_t i = 0; i < 8; i++) {
		h += mix16(d + 16 * i, SECRET + 16 * i);
	}
	h = avalanche(h);
	for (size_t i = 8; i < rounds; i++) {
		h += mix16(d + 16 * i, SECRET + 16 * (i - 8) + 3);
	}
	h += mix16(d + n - 16, SECRET + 136 - 17);
	return avalanche(h);
}

static void accumulate(uint64_t *lanes, const uint8_t *d, const uint8_t *secret) {
	for (int i = 0; i < 8; i++) {
		uint64_t value = u64(d + 8 * i), keyed = value ^ u64(secret + 8 * i);
		lanes[i ^ 1] += value;
		lanes[i] += (keyed & 0xFFFFFFFF) * (keyed >> 32);
	}
}

static uint64_t long_hash(const uint8_t *d, size_t n) {
	uint64_t lanes[8] = {P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1};
	size_t stripes = (sizeof(SECRET) - 64) / 8, block = 64 * stripes, blocks = (n - 1) / block;
	for (size_t b = 0; b < blocks; b++) {
		for (size_t s = 0; s < stripes; s++) {
			accumulate(lanes, d + b * block + 64 * s, SECRET + 8 * s);
		}
		for (int i = 0; i < 8; i++) {
			uint64_t key = u64(SECRET + sizeof(SECRET) - 64 + 8 * i);
			lanes[i] = ((lanes[i] ^ lanes[i] >> 47) ^ key) * P32_1;
		}
	}
	size_t rest = (n - 1 - block * blocks) / 64;
	for (size_t s = 0; s < rest; s++) {
		accumulate(lanes, d + blocks * block + 64 * s, SECRET + 8 * s);
	}
	accumulate(lanes, d + n - 64, SECRET + sizeof(SECRET) - 64 - 7);
	uint64_t h = n * P64_1;
	for (int i = 0; i < 4; i++) {
		const uint8_t *secret = SECRET + 11 + 16 * i;
		h += fold128(lanes[2 * i] ^ u64(secret), lanes[2 * i + 1] ^ u64(secret + 8));
	}
	return avalanche(h);
}

uint64_t hash_bytes(const void *data, size_t length) {
	return length <= 16 ? short_hash(data, length) : length <= 240 ? middle_hash(data, length) : long_hash(data, length);
}
