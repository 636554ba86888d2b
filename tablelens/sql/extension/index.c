#define _GNU_SOURCE
#include "index.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "json.h"
#include "vectors.h"

#define SAY(...) snprintf(message, MESSAGE, __VA_ARGS__)
static const char *const CURE = "crawl again: no file is read anew";

/* files -------------------------------------------------------------------------------------------------------- */

static bool map_file(const char *folder, const char *name, Json manifest, Map *map, char *message) {
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	struct stat about;
	if (file < 0 || fstat(file, &about)) {
		SAY("the index file %s is missing. Hint: %s", path, CURE);
		if (file >= 0) {
			close(file);
		}
		return false;
	}
	double said = json_number(json_member(json_member(json_member(manifest, "files"), name), "bytes"), -1);
	if (said != (double)about.st_size || about.st_size <= 0) {
		SAY("the index file %s has %lld bytes, the manifest says %.0f. Hint: %s", path, (long long)about.st_size, said, CURE);
		close(file);
		return false;
	}
	map->size = (size_t)about.st_size;
	map->data = mmap(NULL, map->size, PROT_READ, MAP_PRIVATE, file, 0);
	close(file);
	if (map->data == MAP_FAILED) {
		map->data = NULL;
		SAY("cannot map %s", path);
		return false;
	}
	return true;
}

static void unmap(Map *map) {
	if (map->data) {
		munmap((void *)map->data, map->size);
	}
	map->data = NULL;
}

/* A .npy array of format 1.0 in C order: its data, and how many rows of `width` elements it has. */
static const void *npy(const Map *map, const char *type, size_t element, uint64_t width, uint64_t *rows) {
	char head[1024], shape[32];
	if (map->size < 10 || memcmp(map->data, "\x93NUMPY\x01", 7)) {
		return NULL;
	}
	size_t length = map->data[8] | (size_t)map->data[9] << 8;
	if (length >= sizeof(head) || 10 + length > map->size || (10 + length) % 64) {
		return NULL;
	}
	memcpy(head, map->data + 10, length);
	head[length] = 0;
	snprintf(shape, sizeof(shape), "'descr': '%s'", type);
	const char *at = strstr(head, "'shape': (");
	if (!strstr(head, shape) || !strstr(head, "'fortran_order': False") || !at) {
		return NULL;
	}
	char *end;
	unsigned long long count = strtoull(at + 10, &end, 10), wide = 1;
	if (end == at + 10 || *end++ != ',') {
		return NULL;
	}
	if (width > 1) {
		wide = strtoull(end, &end, 10);
	}
	uint64_t room = (map->size - 10 - length) / element;
	if (wide != width || *end != ')' || count > room / width || count * width != room ||
	    (map->size - 10 - length) % element) {
		return NULL;
	}
	*rows = count;
	return map->data + 10 + length;
}

static const void *array(const char *folder, const char *name, Json manifest, Map *map, const char *type, size_t element,
                         uint64_t width, uint64_t *rows, char *message) {
	if (!map_file(folder, name, manifest, map, message)) {
		return NULL;
	}
	const void *data = npy(map, type, element, width, rows);
	if (!data) {
		SAY("the index file %s/%s is not the array that it should be. Hint: %s", folder, name, CURE);
	}
	return data;
}

/* generations -------------------------------------------------------------------------------------------------- */

/* Which columns have which vector; `elements` tells it of the labels in a graph, elsewhere each has its own. */
static bool place_vectors(Index *index, const int64_t *labels, const int64_t *elements) {
	uint64_t columns = index->columns, stored = index->stored;
	index->placed = malloc((stored + 1) * sizeof(uint32_t));
	index->twin = malloc((columns + 1) * sizeof(uint32_t));
	index->vector_at = malloc((columns + 1) * sizeof(uint32_t));
	index->sample = malloc((columns + 1) * sizeof(uint32_t));
	index->sample_glance = malloc((columns + 1) * sizeof(uint16_t));
	if (!index->placed || !index->twin || !index->vector_at || !index->sample || !index->sample_glance) {
		return false;
	}
	memset(index->placed, 0xFF, (stored + 1) * sizeof(uint32_t));
	memset(index->twin, 0xFF, (columns + 1) * sizeof(uint32_t));
	memset(index->vector_at, 0xFF, (columns + 1) * sizeof(uint32_t));
	for (uint64_t i = index->vectors; i-- > 0;) {
		uint64_t at = elements ? (uint64_t)elements[i] : i;
		int64_t place = place_of(index, labels[i]);
		if (at >= stored || (place >= 0 && index->vector_at[place] != NOWHERE)) {
			return false;
		}
		if (place >= 0) {
			index->twin[place] = index->placed[at];
			index->placed[at] = (uint32_t)place;
			index->vector_at[place] = (uint32_t)at;
		}
	}
	uint64_t stride = index->vectors / 4000 ? index->vectors / 4000 : 1;
	for (uint64_t place = 0, met = 0; place < index->columns; place++) {
		if (index->vector_at[place] != NOWHERE && met++ % stride == 0) {
			index->sample_glance[index->sampled] = index->glance[place];
			index->sample[index->sampled++] = (uint32_t)place;
		}
	}
	return true;
}

static bool open_vectors(Index *index, const char *folder, Json manifest, char *message) {
	Json about = json_member(manifest, "vectors");
	double dimension = json_number(json_member(about, "dimension"), 0);
	if (dimension < 1 || dimension > 65536) {
		SAY("the index %s has no readable manifest. Hint: %s", folder, CURE);
		return false;
	}
	index->dimension = (uint32_t)dimension;
	uint64_t labels = 0, rows = 0;
	const int64_t *label = NULL, *element = NULL;
	bool graph = true;
	if (json_is(json_member(about, "kind"), "ivf")) {
		index->kind = IVF;
		index->probes = (uint64_t)json_number(json_member(about, "probes"), 0);
		uint64_t scales = 0, starts = 0, region_starts = 0, d = index->dimension;
		label = array(folder, "ivf_labels.npy", manifest, &index->labels_file, "<i8", 8, 1, &labels, message);
		index->codes = label ? array(folder, "ivf_codes.npy", manifest, &index->codes_file, "|i1", 1, d, &rows, message) : NULL;
		index->scales = index->codes ? array(folder, "ivf_scales.npy", manifest, &index->scales_file, "<f4", 4, 1, &scales, message) : NULL;
		index->list_starts = index->scales ? array(folder, "ivf_starts.npy", manifest, &index->list_starts_file, "<i8", 8, 1, &starts, message) : NULL;
		index->centroid = index->list_starts ? array(folder, "ivf_centroids.npy", manifest, &index->centroids_file, "<f4", 4, d, &index->lists, message) : NULL;
		index->region_starts = index->centroid ? array(folder, "ivf_region_starts.npy", manifest, &index->region_starts_file, "<i8", 8, 1, &region_starts, message) : NULL;
		index->region = index->region_starts ? array(folder, "ivf_regions.npy", manifest, &index->regions_file, "<f4", 4, d, &index->regions, message) : NULL;
		if (!index->region) {
			return false;
		}
		index->vectors = labels;
		graph = rows == labels && scales == labels && starts == index->lists + 1 && region_starts == index->regions + 1 &&
		        index->probes > 0 && index->probes < 1 << 20 && labels < UINT32_MAX && index->lists < UINT32_MAX;
	} else if (json_is(json_member(about, "kind"), "hnsw")) {
		index->kind = HNSW;
		label = array(folder, "vector_labels.npy", manifest, &index->labels_file, "<i8", 8, 1, &labels, message);
		element = label ? array(folder, "vector_elements.npy", manifest, &index->elements_file, "<i8", 8, 1, &rows, message) : NULL;
		if (!element) {
			return false;
		}
		if (json_number(json_member(about, "elements"), 0) > 0) {
			graph = map_file(folder, "vectors.hnsw", manifest, &index->graph.file, message) &&
			        read_graph(&index->graph, about, index->dimension);
		}
		index->vectors = labels;
		graph = graph && rows == labels;
	} else {
		label = array(folder, "vector_labels.npy", manifest, &index->labels_file, "<i8", 8, 1, &labels, message);
		index->exact = label ? array(folder, "vectors.npy", manifest, &index->vectors_file, "<f4", 4, index->dimension, &rows, message) : NULL;
		if (!index->exact) {
			return false;
		}
		index->vectors = labels;
		graph = rows == labels;
	}
	index->stored = index->kind == HNSW ? index->graph.count : index->vectors;
	if (!graph || !place_vectors(index, label, element) || (index->kind == IVF && !code_centroids(index))) {
		SAY("the vectors of the index %s are damaged. Hint: %s", folder, CURE);
		return false;
	}
	return true;
}

static bool open_arrays(Index *index, const char *folder, Json manifest, char *message) {
	uint64_t own = 0, limits = 0, density = 0, names = 0, starts = 0, own_starts = 0;
	index->facts = array(folder, "facts.npy", manifest, &index->facts_file, "<i8", 8, FACTS, &index->columns, message);
	index->density = index->facts ? array(folder, "density.npy", manifest, &index->density_file, "<f8", 8, 1, &density, message) : NULL;
	index->name_starts = index->density ? array(folder, "name_starts.npy", manifest, &index->name_starts_file, "<i8", 8, 1, &names, message) : NULL;
	index->name_words = index->name_starts ? array(folder, "name_words.npy", manifest, &index->name_words_file, "<u8", 8, 1, &index->words, message) : NULL;
	index->value = index->name_words ? array(folder, "values.npy", manifest, &index->values_file, "<u8", 8, 1, &index->values, message) : NULL;
	index->starts = index->value ? array(folder, "starts.npy", manifest, &index->starts_file, "<i8", 8, 1, &starts, message) : NULL;
	index->holders = index->starts ? array(folder, "columns.npy", manifest, &index->columns_file, "<u4", 4, 1, &index->postings, message) : NULL;
	index->own_starts = index->holders ? array(folder, "own_starts.npy", manifest, &index->own_starts_file, "<i8", 8, 1, &own_starts, message) : NULL;
	index->own = index->own_starts ? array(folder, "own.npy", manifest, &index->own_file, "<u4", 4, 1, &own, message) : NULL;
	index->limits = index->own ? array(folder, "limits.npy", manifest, &index->limits_file, "<u8", 8, 1, &limits, message) : NULL;
	if (!index->limits) {
		return false;
	}
	uint64_t c = index->columns;
	if (density != c || names != c + 1 || limits != c || own_starts != c + 1 || starts != index->values + 1 ||
	    own != index->postings || index->values >= UINT32_MAX || c >= UINT32_MAX) {
		SAY("the arrays of the index %s do not fit each other. Hint: %s", folder, CURE);
		return false;
	}
	return true;
}

/* What most columns are passed over by, in two bytes instead of a line of the cache. */
static bool take_glances(Index *index, char *message) {
	index->glance = malloc((index->columns + 1) * sizeof(uint16_t));
	if (!index->glance) {
		SAY("out of memory");
		return false;
	}
	for (uint64_t place = 0; place < index->columns; place++) {
		int64_t flags = fact(index, place, FLAGS) & FLAG_BITS, strength = fact(index, place, STRENGTH);
		flags &= fact(index, place, DISTINCT) >= 2 ? FLAG_BITS : ~KEY_BIT;
		strength = strength < 0 ? 0 : strength < STRONG ? strength : STRONG;
		index->glance[place] = (uint16_t)(flags | strength << STRENGTH_AT);
	}
	return true;
}

static bool open_names(Index *index, const char *folder, Json manifest, char *message) {
	uint64_t starts = 0, named = 0, at = 0;
	index->text = array(folder, "texts.npy", manifest, &index->text_file, "|u1", 1, 1, &index->letters, message);
	index->text_starts = index->text ? array(folder, "text_starts.npy", manifest, &index->text_starts_file, "<i8", 8, 1, &starts, message) : NULL;
	index->named = index->text_starts ? array(folder, "named.npy", manifest, &index->named_file, "<u4", 4, 3, &named, message) : NULL;
	index->table_key = index->named ? array(folder, "table_keys.npy", manifest, &index->table_keys_file, "<u8", 8, 1, &index->keys, message) : NULL;
	index->table_at = index->table_key ? array(folder, "table_at.npy", manifest, &index->table_at_file, "<u4", 4, 1, &at, message) : NULL;
	if (!index->table_at) {
		return false;
	}
	if (!starts || starts > UINT32_MAX || named != index->columns || at != index->keys) {
		SAY("the names of the index %s do not fit each other. Hint: %s", folder, CURE);
		return false;
	}
	index->texts = starts - 1;
	return true;
}

static bool open_alignments(Index *index, const char *folder, Json manifest, char *message) {
	uint64_t starts = 0, first = 0;
	index->aligned_column = array(folder, "aligned_columns.npy", manifest, &index->aligned_columns_file, "<u4", 4, 1, &index->aligned, message);
	index->aligned_starts = index->aligned_column ? array(folder, "aligned_starts.npy", manifest, &index->aligned_starts_file, "<i8", 8, 1, &starts, message) : NULL;
	index->aligned_cells = index->aligned_starts ? array(folder, "aligned_cells.npy", manifest, &index->aligned_cells_file, "<u2", 2, 1, &index->aligned_total, message) : NULL;
	index->aligned_first = index->aligned_cells ? array(folder, "aligned_first.npy", manifest, &index->aligned_first_file, "<u4", 4, 1, &first, message) : NULL;
	if (!index->aligned_first) {
		return false;
	}
	if (starts != index->aligned + 1 || first != index->aligned) {
		SAY("the alignments of the index %s do not fit each other. Hint: %s", folder, CURE);
		return false;
	}
	return true;
}

Index *open_index(const char *folder, char *message) {
	char path[4096];
	snprintf(path, sizeof(path), "%s/manifest.json", folder);
	FILE *file = fopen(path, "rb");
	char *text = malloc(JSON_ROOM);
	Index *index = calloc(1, sizeof(Index));
	if (!file || !text || !index) {
		SAY("there is no index %s. Hint: set TABLELENS_HOME to the folder that holds `index`, or %s", folder, CURE);
	} else {
		Json manifest = {text, text + fread(text, 1, JSON_ROOM, file)};
		if (json_number(json_member(manifest, "format"), -1) < 2) {
			SAY("the index %s has no readable manifest. Hint: %s", folder, CURE);
		} else if (!json_text(json_member(manifest, "blake3"), index->seal, sizeof(index->seal))) {
			SAY("the manifest of the index %s has no checksum. Hint: %s", folder, CURE);
		} else if (open_arrays(index, folder, manifest, message) && take_glances(index, message) && open_names(index, folder, manifest, message) &&
		           open_alignments(index, folder, manifest, message) &&
		           open_vectors(index, folder, manifest, message)) {
			fclose(file);
			free(text);
			return index;
		}
	}
	if (file) {
		fclose(file);
	}
	free(text);
	if (index) {
		close_index(index);
	}
	return NULL;
}

void close_index(Index *index) {
	Map *maps[] = {&index->facts_file,      &index->density_file,    &index->name_starts_file, &index->name_words_file,
	               &index->values_file,     &index->starts_file,     &index->columns_file,     &index->own_starts_file,
	               &index->own_file,        &index->limits_file,     &index->labels_file,      &index->elements_file,
	               &index->vectors_file,    &index->codes_file,      &index->scales_file,     &index->list_starts_file,
	               &index->graph.file,      &index->centroids_file,  &index->region_starts_file, &index->regions_file, &index->text_file,
	               &index->text_starts_file, &index->named_file,     &index->table_keys_file,  &index->table_at_file,
	               &index->aligned_columns_file, &index->aligned_starts_file, &index->aligned_cells_file, &index->aligned_first_file};
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		unmap(maps[i]);
	}
	free((void *)index->graph.upper);
	free(index->placed);
	free(index->twin);
	free(index->vector_at);
	free(index->sample);
	free(index->sample_glance);
	free(index->glance);
	free(index->coarse);
	free(index->coarse_scale);
	free(index->coarse_slack);
	while (index->spares) {
		free(index->spare[--index->spares]);
	}
	free(index);
}

/* places ------------------------------------------------------------------------------------------------------- */

int64_t place_of(const Index *index, int64_t id) {
	if (!index->columns) {
		return -1;
	}
	uint64_t low = 0, high = index->columns, guess = (uint64_t)id - (uint64_t)fact(index, 0, ID);
	if (guess < high && fact(index, guess, ID) == id) { /* where no id is left out */
		return (int64_t)guess;
	}
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (fact(index, middle, ID) < id) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low < index->columns && fact(index, low, ID) == id ? (int64_t)low : -1;
}

/* runs, with bounds -------------------------------------------------------------------------------------------- */

static bool run_of(const int64_t *starts, const uint32_t *all, uint64_t total, uint64_t place, Run *run) {
	int64_t start = starts[place], end = starts[place + 1];
	if (start < 0 || end < start || (uint64_t)end > total) {
		return false;
	}
	*run = (Run){all + start, (uint64_t)(end - start)};
	return true;
}

bool own_of(const Index *index, uint64_t place, Run *run) {
	return run_of(index->own_starts, index->own, index->postings, place, run);
}

bool holders_of(const Index *index, uint64_t value, Run *run) {
	return run_of(index->starts, index->holders, index->postings, value, run);
}

double alike_names(const Index *index, const uint64_t *words, uint64_t count, uint64_t place) {
	int64_t start = index->name_starts[place], end = index->name_starts[place + 1];
	if (start < 0 || end < start || (uint64_t)end > index->words) {
		return 0;
	}
	uint64_t theirs = (uint64_t)(end - start), both = 0;
	for (uint64_t i = 0; i < theirs; i++) {
		for (uint64_t j = 0; j < count; j++) {
			both += index->name_words[start + (int64_t)i] == words[j];
		}
	}
	uint64_t either = theirs + count - both;
	return either ? (double)both / (double)either : 0;
}
