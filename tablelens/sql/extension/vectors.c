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
void select_best(Item *items, size_t count, size_t k) {
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
			return;
		}
	}
}

size_t best_of(Item *items, size_t count, size_t k) {
	if (k < count) {
		select_best(items, count, k);
		count = k;
	}
	qsort(items, count, sizeof(Item), best_first);
	return count;
}

static int64_t ask_all(const Index *index, const float *query, size_t k, Item **items) {
	*items = malloc((index->vectors + 1) * sizeof(Item));
	for (uint64_t i = 0; i < index->vectors && *items; i++) {
		(*items)[i] = (Item){dot(index->exact + i * index->dimension, query, index->dimension), (uint32_t)i};
	}
	return *items ? (int64_t)best_of(*items, index->vectors, k) : -1;
}

int64_t nearest(const Index *index, const float *query, size_t k, const Lists *lists, Near *found, char *message) {
	k = k < index->vectors ? k : index->vectors;
	if (!k) {
		return 0;
	}
	Item *items = NULL;
	int64_t count;
	if (index->kind == HNSW) {
		items = malloc((k + 1) * sizeof(Item));
		count = items ? ask_graph(&index->graph, query, k, items) : -1;
	} else {
		count = index->kind == IVF ? ask_lists(index, query, k, lists, &items) : ask_all(index, query, k, &items);
	}
	if (count < 0) {
		snprintf(message, MESSAGE, "the vectors of the index are damaged, or memory ran out");
	}
	for (int64_t i = 0; i < count; i++) {
		found[i] = (Near){index->placed[items[i].id], items[i].key};
	}
	free(items);
	return count;
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
