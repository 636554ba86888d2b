/* Nearest vectors by an HNSW graph (Malkov & Yashunin, TPAMI 2020), as hnswlib saves it. Its vectors have one more
   dimension that gives all of them the length `radius`, so that the nearest by distance is the greatest inner product:
   |q - x|^2 = |q|^2 + radius^2 - 2 q.x */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "vectors.h"

/* reading ------------------------------------------------------------------------------------------------------ */

enum { HEADER = 96 };

/* Where each element's links of the higher levels lie; they follow the records, each with its size before it. */
static bool find_links(Graph *graph) {
	uint64_t *upper = calloc(graph->count + 1, sizeof(uint64_t));
	if (!upper) {
		return false;
	}
	graph->upper = upper;
	uint64_t at = HEADER + graph->count * graph->record, size = graph->links * 4 + 4;
	for (uint64_t i = 0; i < graph->count; i++) {
		if (graph->file.size - at < 4) {
			return false;
		}
		uint64_t bytes = u32(graph->file.data + at);
		if (bytes % size || bytes > graph->file.size - at - 4) {
			return false;
		}
		upper[i] = bytes ? at + 4 : 0;
		at += 4 + bytes;
	}
	return true;
}

bool read_graph(Graph *graph, Json about, uint32_t dimension) {
	const uint8_t *head = graph->file.data;
	if (graph->file.size < HEADER) {
		return false;
	}
	graph->count = u64(head + 16);
	graph->record = u64(head + 24);
	graph->label_at = u64(head + 32);
	graph->vector_at = u64(head + 40);
	graph->levels = (int)u32(head + 48);
	graph->enter = u32(head + 52);
	graph->links = u64(head + 56);
	graph->links0 = u64(head + 64);
	graph->records = head + HEADER;
	graph->dimension = dimension + 1;
	graph->radius = json_number(json_member(about, "radius"), -1);
	graph->ef = (uint64_t)json_number(json_member(about, "ef"), 0);
	bool fits = graph->record >= 16 && graph->record < 1 << 24 && graph->links < 1 << 16 && graph->links0 < 1 << 16;
	fits = fits && u64(head) == 0 && graph->vector_at == 4 * graph->links0 + 4 && graph->radius >= 0 && graph->ef > 0;
	fits = fits && graph->label_at == graph->vector_at + 4 * (uint64_t)graph->dimension;
	fits = fits && graph->label_at + 8 == graph->record && graph->count > 0 && graph->enter < graph->count;
	fits = fits && graph->count <= (graph->file.size - HEADER) / graph->record && graph->count < UINT32_MAX;
	fits = fits && graph->levels >= 0 && graph->levels < 64 && graph->ef < 1 << 20;
	return fits && find_links(graph);
}

/* distances ---------------------------------------------------------------------------------------------------- */

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

const uint8_t *vector_in(const Graph *graph, uint32_t id) {
	return record_of(graph, id) + graph->vector_at;
}

static float distance_to(const Graph *graph, const float *query, uint32_t id) {
	float vector[graph->dimension]; /* records need not lie at multiples of four */
	memcpy(vector, vector_in(graph, id), sizeof(vector));
	return distance(query, vector, graph->dimension);
}

bool is_gone(const Graph *graph, uint32_t id) {
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

int64_t ask_graph(const Graph *graph, const float *query, size_t k, Item *to) {
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
