/* Nearest vectors: all weighed, by an HNSW graph (Malkov & Yashunin, TPAMI 2020), or by an inverted file whose lists a
   graph finds. The graph's vectors have one more dimension that gives all of them the length `radius`, so that the
   nearest by distance is the greatest inner product: |q - x|^2 = |q|^2 + radius^2 - 2 q.x */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12 && !defined(__SANITIZE_ADDRESS__)
#define FAST __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define FAST
#endif

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

FAST static float dot_codes(const int8_t *codes, const float *b, size_t count) {
	float sums[16] = {0};
	size_t i = 0;
	for (; i + 16 <= count; i += 16) {
		for (size_t j = 0; j < 16; j++) {
			sums[j] += (float)codes[i + j] * b[i + j];
		}
	}
	float sum = 0;
	for (; i < count; i++) {
		sum += (float)codes[i] * b[i];
	}
	for (size_t j = 0; j < 16; j++) {
		sum += sums[j];
	}
	return sum;
}

/* The same for a query of whole numbers: three times as quick, and right to a part in ten thousand. */
FAST static int32_t dot_whole(const int8_t *codes, const int16_t *b, size_t count) {
	int32_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		sum += (int32_t)codes[i] * b[i];
	}
	return sum;
}

/* A query as whole numbers whose products with codes cannot overflow. */
static void in_whole(const float *query, int16_t *to, size_t count) {
	float greatest = 0;
	for (size_t i = 0; i < count; i++) {
		greatest = fabsf(query[i]) > greatest ? fabsf(query[i]) : greatest;
	}
	float most = (float)(INT32_MAX / 128 / (int64_t)count), step = greatest / (most < 32767 ? most : 32767);
	for (size_t i = 0; i < count; i++) {
		to[i] = (int16_t)(step > 0 ? lrintf(query[i] / step) : 0);
	}
}

FAST static float distance(const float *a, const float *b, size_t count) {
	float sums[16] = {0};
	size_t i = 0;
	for (; i + 16 <= count; i += 16) {
		for (size_t j = 0; j < 16; j++) {
			float d = a[i + j] - b[i + j];
			sums[j] += d * d;
		}
	}
	float sum = 0;
	for (; i < count; i++) {
		sum += (a[i] - b[i]) * (a[i] - b[i]);
	}
	for (size_t j = 0; j < 16; j++) {
		sum += sums[j];
	}
	return sum;
}

/* heaps -------------------------------------------------------------------------------------------------------- */

typedef struct {
	float key;
	uint32_t id;
} Item;

typedef struct {
	Item *items;
	size_t count, room;
} Heap; /* the greatest key on top */

static bool heap_push(Heap *heap, float key, uint32_t id) {
	if (heap->count == heap->room) {
		size_t room = heap->room ? 2 * heap->room : 256;
		Item *grown = realloc(heap->items, room * sizeof(Item));
		if (!grown) {
			return false;
		}
		heap->items = grown;
		heap->room = room;
	}
	size_t i = heap->count++;
	while (i && heap->items[(i - 1) / 2].key < key) {
		heap->items[i] = heap->items[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap->items[i] = (Item){key, id};
	return true;
}

static void heap_pop(Heap *heap) {
	Item last = heap->items[--heap->count];
	size_t i = 0;
	while (2 * i + 1 < heap->count) {
		size_t child = 2 * i + 1;
		child += child + 1 < heap->count && heap->items[child + 1].key > heap->items[child].key;
		if (heap->items[child].key <= last.key) {
			break;
		}
		heap->items[i] = heap->items[child];
		i = child;
	}
	heap->items[i] = last;
}

/* graphs ------------------------------------------------------------------------------------------------------- */

static const uint8_t *record_of(const Graph *graph, uint32_t id) {
	return graph->records + id * graph->record;
}

static float distance_to(const Graph *graph, const float *query, uint32_t id) {
	float vector[graph->dimension]; /* records need not lie at multiples of four */
	memcpy(vector, record_of(graph, id) + graph->vector_at, sizeof(vector));
	return distance(query, vector, graph->dimension);
}

static bool is_gone(const Graph *graph, uint32_t id) {
	return record_of(graph, id)[2] & 1;
}

/* The links of an element on a level: how many, and where they lie. */
static uint32_t links_of(const Graph *graph, uint32_t id, int level, const uint8_t **links) {
	const uint8_t *at = record_of(graph, id);
	uint64_t most = graph->links0;
	if (level) {
		uint64_t start = graph->upper[id], size = graph->links * 4 + 4, skip = (uint64_t)(level - 1) * size;
		uint32_t bytes = 0;
		if (start) {
			memcpy(&bytes, graph->file.data + start - 4, 4);
		}
		if (skip + size > bytes) {
			return 0;
		}
		at = graph->file.data + start + skip;
		most = graph->links;
	}
	uint16_t count;
	memcpy(&count, at, 2);
	*links = at + 4;
	return count <= most ? count : (uint32_t)most;
}

static uint32_t link_at(const uint8_t *links, uint32_t i) {
	uint32_t id;
	memcpy(&id, links + 4 * (size_t)i, 4);
	return id;
}

/* Down the higher levels to an element near the query. */
static uint32_t descend(const Graph *graph, const float *query) {
	uint32_t here = graph->enter;
	float best = distance_to(graph, query, here);
	for (int level = graph->levels; level > 0; level--) {
		bool moved = true;
		while (moved) {
			moved = false;
			const uint8_t *links;
			uint32_t count = links_of(graph, here, level, &links);
			for (uint32_t i = 0; i < count; i++) {
				uint32_t id = link_at(links, i);
				float far = id < graph->count ? distance_to(graph, query, id) : INFINITY;
				if (far < best) {
					best = far;
					here = id;
					moved = true;
				}
			}
		}
	}
	return here;
}

/* The `width` nearest elements that a search of level 0 finds. False where memory ran out. */
static bool search(const Graph *graph, const float *query, size_t width, Heap *found) {
	Heap ahead = {0};
	uint8_t *seen = calloc(graph->count / 8 + 1, 1);
	uint32_t enter = descend(graph, query);
	float bound = distance_to(graph, query, enter);
	bool fine = seen && heap_push(&ahead, -bound, enter);
	if (fine && !is_gone(graph, enter)) {
		fine = heap_push(found, bound, enter);
	} else {
		bound = INFINITY;
	}
	if (fine) {
		seen[enter / 8] |= (uint8_t)(1 << enter % 8);
	}
	while (fine && ahead.count) {
		Item next = ahead.items[0];
		if (-next.key > bound && found->count == width) {
			break;
		}
		heap_pop(&ahead);
		const uint8_t *links;
		uint32_t count = links_of(graph, next.id, 0, &links);
		for (uint32_t i = 0; i < count && fine; i++) {
			uint32_t id = link_at(links, i);
			if (id >= graph->count || seen[id / 8] >> id % 8 & 1) {
				continue;
			}
			seen[id / 8] |= (uint8_t)(1 << id % 8);
			float far = distance_to(graph, query, id);
			if (found->count >= width && !(far < bound)) {
				continue;
			}
			fine = heap_push(&ahead, -far, id) && (is_gone(graph, id) || heap_push(found, far, id));
			while (found->count > width) {
				heap_pop(found);
			}
			bound = found->count ? found->items[0].key : INFINITY;
		}
	}
	free(seen);
	free(ahead.items);
	return fine;
}

/* The k nearest elements of a graph, the nearest first, and their inner products with the query. */
static int64_t ask_graph(const Graph *graph, const float *query, size_t k, Item *to) {
	uint32_t dimension = graph->dimension - 1;
	float lifted[graph->dimension];
	memcpy(lifted, query, dimension * sizeof(float));
	lifted[dimension] = 0;
	Heap found = {0};
	size_t width = graph->ef > 2 * k ? graph->ef : 2 * k;
	if (!search(graph, lifted, width, &found)) {
		free(found.items);
		return -1;
	}
	while (found.count > k) {
		heap_pop(&found);
	}
	int64_t count = (int64_t)found.count;
	double own = dot(query, query, dimension);
	while (found.count) {
		Item item = found.items[0];
		heap_pop(&found);
		to[found.count] = (Item){(float)((own + graph->radius * graph->radius - item.key) / 2), item.id};
	}
	free(found.items);
	return count;
}

/* all kinds ---------------------------------------------------------------------------------------------------- */

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

/* Brings the k best of many scored items to the front, in no order (Hoare's selection). */
static void select_best(Item *items, size_t count, size_t k) {
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

/* Keeps the k best of many scored items, best first. */
static size_t best_of(Item *items, size_t count, size_t k) {
	if (k < count) {
		select_best(items, count, k);
		count = k;
	}
	qsort(items, count, sizeof(Item), best_first);
	return count;
}

/* Members start … end of a list or a region, where the index is sound. */
static bool span_of(const int64_t *starts, uint64_t place, uint64_t total, uint64_t *start, uint64_t *end) {
	int64_t from = starts[place], to = starts[place + 1];
	*start = (uint64_t)from;
	*end = (uint64_t)to;
	return from >= 0 && from <= to && (uint64_t)to <= total;
}

enum { REGIONS = 32, SPARE = 16 };

/* The lists that could hold the greatest scores: those of the nearest regions. Free them. */
static int64_t near_lists(const Index *index, const float *query, size_t regions, size_t probes, Item **to) {
	uint32_t d = index->dimension;
	Item *some = malloc((index->regions + 1) * sizeof(Item));
	for (uint64_t i = 0; some && i < index->regions; i++) {
		some[i] = (Item){dot(index->region + i * d, query, d), (uint32_t)i};
	}
	size_t chosen = some ? best_of(some, index->regions, regions) : 0, put = 0;
	uint64_t start, end, members = 0;
	for (size_t i = 0; i < chosen; i++) {
		members += span_of(index->region_starts, some[i].id, index->lists, &start, &end) ? end - start : 0;
	}
	*to = some && members <= index->lists ? malloc((members + 1) * sizeof(Item)) : NULL;
	for (size_t i = 0; *to && i < chosen; i++) {
		if (span_of(index->region_starts, some[i].id, index->lists, &start, &end)) {
			for (; start < end; start++) {
				(*to)[put++] = (Item){dot(index->centroid + start * d, query, d), (uint32_t)start};
			}
		}
	}
	free(some);
	return *to ? (int64_t)best_of(*to, put, probes) : -1;
}

static int64_t ask_lists(const Index *index, const float *query, size_t k, Item **items) {
	uint32_t d = index->dimension;
	int16_t whole[d];
	in_whole(query, whole, d);
	for (size_t probes = index->probes, regions = REGIONS;; probes *= 4, regions *= 4) {
		Item *lists = NULL;
		int64_t count = near_lists(index, query, regions, probes, &lists);
		uint64_t start, end, members = 0;
		for (int64_t i = 0; i < count; i++) {
			members += span_of(index->list_starts, lists[i].id, index->vectors, &start, &end) ? end - start : 0;
		}
		if (count >= 0 && members < k && (uint64_t)count < index->lists && regions < index->regions + probes) {
			free(lists);
			continue;
		}
		*items = count >= 0 && members <= index->vectors ? malloc((members + 1) * sizeof(Item)) : NULL;
		size_t put = 0;
		for (int64_t i = 0; *items && i < count; i++) {
			if (span_of(index->list_starts, lists[i].id, index->vectors, &start, &end)) {
				for (; start < end; start++) {
					float score = (float)dot_whole(index->codes + start * d, whole, d) * index->scales[start];
					(*items)[put++] = (Item){score, (uint32_t)start};
				}
			}
		}
		free(lists);
		if (!*items) {
			return -1;
		}
		if (put > k + SPARE) {
			select_best(*items, put, k + SPARE);
			put = k + SPARE;
		}
		for (size_t i = 0; i < put; i++) {
			uint32_t at = (*items)[i].id;
			(*items)[i].key = dot_codes(index->codes + (size_t)at * d, query, d) * index->scales[at];
		}
		return (int64_t)best_of(*items, put, k);
	}
}

static int64_t ask_all(const Index *index, const float *query, size_t k, Item **items) {
	*items = malloc((index->vectors + 1) * sizeof(Item));
	for (uint64_t i = 0; i < index->vectors && *items; i++) {
		(*items)[i] = (Item){dot(index->exact + i * index->dimension, query, index->dimension), (uint32_t)i};
	}
	return *items ? (int64_t)best_of(*items, index->vectors, k) : -1;
}

int64_t nearest(const Index *index, const float *query, size_t k, Near *found, char *message) {
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
		count = index->kind == IVF ? ask_lists(index, query, k, &items) : ask_all(index, query, k, &items);
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
		memcpy(to, record_of(&index->graph, (uint32_t)at) + index->graph.vector_at, index->dimension * sizeof(float));
	} else if (index->kind == EXACT) {
		memcpy(to, index->exact + at * index->dimension, index->dimension * sizeof(float));
	} else {
		for (uint32_t i = 0; i < index->dimension; i++) {
			to[i] = (float)index->codes[at * index->dimension + i] * index->scales[at];
		}
	}
	return true;
}
