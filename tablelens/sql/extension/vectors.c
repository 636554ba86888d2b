/* Nearest vectors: all weighed, by an HNSW graph, or by an inverted file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

enum { LANES = 64 };

FAST float dot(const float *a, const float *b, size_t count) {
	float sums[LANES] = {0};
	size_t i = 0;
	for (; i + LANES <= count; i += LANES) {
		for (size_t j = 0; j < LANES; j++) {
			sums[j] += a[i + j] * b[i + j];
		}
	}
	float sum = 0;
	for (; i < count; i++) {
		sum += a[i] * b[i];
	}
	for (size_t j = 0; j < LANES; j++) {
		sum += sums[j];
	}
	return sum;
}

static int best_first(const void *a, const void *b) {
	const Item *x = a, *y = b;
	if (x->key > y->key || x->key < y->key) {
		return x->key < y->key ? 1 : -1;
	}
	if (isnan(x->key) != isnan(y->key)) { /* of a damaged file: last */
		return isnan(x->key) ? 1 : -1;
	}
	return x->id < y->id ? -1 : x->id > y->id;
}

/* Hoare's selection. */
size_t select_best(Item *items, size_t count, size_t k) {
	if (k >= count || !k) {
		return k < count ? k : count;
	}
	int64_t low = 0, high = (int64_t)count - 1, last = (int64_t)k - 1;
	while (low < high) {
		Item pivot = items[low + (high - low) / 2];
		int64_t left = low, right = high;
		while (left <= right) {
			while (best_first(&items[left], &pivot) < 0) {
				left++;
			}
			while (best_first(&pivot, &items[right]) < 0) {
				right--;
			}
			if (left <= right) {
				Item held = items[left];
				items[left++] = items[right];
				items[right--] = held;
			}
		}
		if (last <= right) {
			high = right;
		} else if (last >= left) {
			low = left;
		} else {
			break;
		}
	}
	return k;
}

size_t best_of(Item *items, size_t count, size_t k) {
	count = select_best(items, count, k);
	qsort(items, count, sizeof(Item), best_first);
	return count;
}

static void ask_all(const Index *index, Ask *ask) {
	ask->found = malloc((index->vectors + 1) * sizeof(Item));
	for (uint64_t i = 0; i < index->vectors && ask->found; i++) {
		ask->found[i] = (Item){dot(index->exact + i * index->dimension, ask->vector, index->dimension), (uint32_t)i};
	}
	ask->count = ask->found ? (int64_t)select_best(ask->found, index->vectors, ask->k) : -1;
}

static void ask_one(const Index *index, Ask *ask) {
	if (index->kind == HNSW) {
		ask->found = malloc((ask->k + 1) * sizeof(Item));
		ask->count = ask->found ? ask_graph(&index->graph, ask->vector, ask->k, ask->found) : -1;
	} else {
		ask_all(index, ask);
	}
}

/* The column of each vector that was found. */
static void give_columns(const Index *index, Ask *ask) {
	int64_t kept = 0;
	for (int64_t i = 0; i < ask->count; i++) {
		if (i + 8 < ask->count) {
			__builtin_prefetch(index->placed + ask->found[i + 8].id);
		}
		uint32_t place = index->placed[ask->found[i].id];
		ask->found[kept] = (Item){ask->found[i].key, place};
		kept += place != NOWHERE;
	}
	ask->count = kept;
}

/* The columns that share the vectors that were found, all of each, until they are k. */
static void give_all_columns(const Index *index, Ask *ask) {
	int64_t taken = 0, columns = 0;
	for (; taken < ask->count && columns < (int64_t)ask->k; taken++) {
		for (uint32_t place = index->placed[ask->found[taken].id]; place != NOWHERE; place = index->twin[place]) {
			columns++;
		}
	}
	Item *vectors = ask->found;
	ask->found = malloc(((size_t)columns + 1) * sizeof(Item));
	ask->count = ask->found ? 0 : -1;
	for (int64_t i = 0; i < taken && ask->found; i++) {
		for (uint32_t place = index->placed[vectors[i].id]; place != NOWHERE; place = index->twin[place]) {
			ask->found[ask->count++] = (Item){vectors[i].key, place};
		}
	}
	free(vectors);
}

void nearest(const Index *index, Ask *asks, size_t count) {
	for (size_t i = 0; i < count; i++) {
		asks[i].k = asks[i].k < index->vectors ? asks[i].k : index->vectors;
		asks[i].found = NULL;
		asks[i].count = index->vectors ? -1 : 0;
	}
	if (index->vectors && index->kind == IVF) {
		ask_lists(index, asks, count);
	}
	for (size_t i = 0; i < count; i++) {
		if (index->vectors && index->kind != IVF) {
			ask_one(index, &asks[i]);
		}
		if (asks[i].count > 0 && index->kind == HNSW) {
			give_all_columns(index, &asks[i]);
		} else {
			give_columns(index, &asks[i]);
		}
	}
}

bool vector_of(const Index *index, uint64_t place, float *to) {
	uint64_t at = index->vector_at[place];
	if (at == NOWHERE) {
		return false;
	}
	if (index->kind == HNSW) {
		if (is_gone(&index->graph, (uint32_t)at)) {
			return false;
		}
		memcpy(to, vector_in(&index->graph, (uint32_t)at), index->dimension * sizeof(float));
	} else if (index->kind == EXACT) {
		memcpy(to, index->exact + at * index->dimension, index->dimension * sizeof(float));
	} else {
		for (uint32_t i = 0; i < index->dimension; i++) {
			to[i] = (float)index->codes[at * index->dimension + i] * index->scales[at];
		}
	}
	return true;
}

bool direction_of(const Index *index, uint64_t place, float *to) {
	if (!vector_of(index, place, to)) {
		return false;
	}
	float length = sqrtf(dot(to, to, index->dimension));
	for (uint32_t i = 0; i < index->dimension; i++) {
		to[i] /= length > 1e-9F ? length : 1e-9F;
	}
	return true;
}

double cosine_with(const Index *index, uint64_t place, const float *direction) {
	float vector[index->dimension];
	if (!vector_of(index, place, vector)) {
		return NAN;
	}
	float length = sqrtf(dot(vector, vector, index->dimension));
	return dot(vector, direction, index->dimension) / (length > 1e-9F ? length : 1e-9F);
}
