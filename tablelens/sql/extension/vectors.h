/* What the ways of searching vectors share. */
#pragma once
#include "index.h"
#include "json.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12 && !defined(__SANITIZE_ADDRESS__)
#define FAST __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define FAST
#endif

/* Brings the k best of some scored items to the front, in no order or best first. How many these are. */
size_t select_best(Item *items, size_t count, size_t k);
size_t best_of(Item *items, size_t count, size_t k);

/* graph.c: reads what a mapped file holds; false where it is damaged or memory ran out. The k nearest elements of a graph,
   the nearest first, and their inner products with the query; -1 where memory ran out. Whether an element was removed; its
   vector as it was added. */
bool read_graph(Graph *graph, Json about, uint32_t dimension);
int64_t ask_graph(const Graph *graph, const float *query, size_t k, Item *to);
bool is_gone(const Graph *graph, uint32_t id);
const uint8_t *vector_in(const Graph *graph, uint32_t id);

/* lists.c: answers queries by an inverted file; false where memory ran out or the index is damaged. Makes the bytes that
   centroids are compared in; false where memory ran out. */
bool ask_lists(const Index *index, Ask *asks, size_t count);
bool code_centroids(Index *index);
