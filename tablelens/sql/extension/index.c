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
#define SAY_IN(o, ...) snprintf((o)->message, MESSAGE, __VA_ARGS__)
static const char *const CURE = "crawl again: no file is read anew", *const VECTORS = "vectors";

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
static const void *npy(const Map *map, const char *type, uint64_t width, uint64_t *rows) {
	char head[1024], shape[32];
	size_t element = (size_t)(type[2] - '0');
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

/* An array that an index needs: its file, its type as NumPy writes it, how many numbers a row has, and where its data (a
   pointer) and the number of its rows go. */
typedef struct {
	const char *name, *type;
	uint64_t width;
	void *data;
	uint64_t *rows;
} Array;

typedef struct {
	Index *index;
	const char *folder;
	Json manifest;
	char *message;
} Opening;

static bool open_arrays(const Opening *o, const Array *arrays, size_t count) {
	for (size_t i = 0; i < count; i++) {
		Map *map = &o->index->maps[o->index->mapped];
		if (!map_file(o->folder, arrays[i].name, o->manifest, map, o->message)) {
			return false;
		}
		o->index->mapped++;
		const void *data = npy(map, arrays[i].type, arrays[i].width, arrays[i].rows);
		if (!data) {
			SAY_IN(o, "the index file %s/%s is not the array that it should be. Hint: %s", o->folder, arrays[i].name, CURE);
			return false;
		}
		memcpy(arrays[i].data, &data, sizeof(data));
	}
	return true;
}

/* All of a list of arrays. */
#define OPEN(o, arrays) open_arrays(o, arrays, sizeof(arrays) / sizeof((arrays)[0]))

static bool damaged(const Opening *o, const char *what) {
	SAY_IN(o, "the %s of the index %s are damaged. Hint: %s", what, o->folder, CURE);
	return false;
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

static bool open_lists(const Opening *o, Json about, const int64_t **labels) {
	Index *index = o->index;
	index->probes = (uint64_t)json_number(json_member(about, "probes"), 0);
	uint64_t codes = 0, scales = 0, starts = 0, region_starts = 0, d = index->dimension;
	const Array arrays[] = {
	    {"ivf_labels.npy", "<i8", 1, labels, &index->vectors},
	    {"ivf_codes.npy", "|i1", d, &index->codes, &codes},
	    {"ivf_scales.npy", "<f4", 1, &index->scales, &scales},
	    {"ivf_starts.npy", "<i8", 1, &index->list_starts, &starts},
	    {"ivf_centroids.npy", "<f4", d, &index->centroid, &index->lists},
	    {"ivf_region_starts.npy", "<i8", 1, &index->region_starts, &region_starts},
	    {"ivf_regions.npy", "<f4", d, &index->region, &index->regions},
	};
	if (!OPEN(o, arrays)) {
		return false;
	}
	index->stored = index->vectors;
	bool fits = codes == index->vectors && scales == index->vectors && starts == index->lists + 1 &&
	            region_starts == index->regions + 1 && index->probes > 0 && index->probes < 1 << 20 &&
	            index->vectors < UINT32_MAX && index->lists < UINT32_MAX;
	return fits || damaged(o, VECTORS);
}

static bool open_graph(const Opening *o, Json about, const int64_t **labels, const int64_t **elements) {
	Index *index = o->index;
	uint64_t rows = 0;
	const Array arrays[] = {
	    {"vector_labels.npy", "<i8", 1, labels, &index->vectors},
	    {"vector_elements.npy", "<i8", 1, elements, &rows},
	};
	if (!OPEN(o, arrays)) {
		return false;
	}
	if (json_number(json_member(about, "elements"), 0) > 0) {
		if (!map_file(o->folder, "vectors.hnsw", o->manifest, &index->graph.file, o->message)) {
			return false;
		}
		if (!read_graph(&index->graph, about, index->dimension)) {
			return damaged(o, VECTORS);
		}
	}
	index->stored = index->graph.count;
	return rows == index->vectors || damaged(o, VECTORS);
}

static bool open_exact(const Opening *o, const int64_t **labels) {
	Index *index = o->index;
	const Array arrays[] = {
	    {"vector_labels.npy", "<i8", 1, labels, &index->vectors},
	    {"vectors.npy", "<f4", index->dimension, &index->exact, &index->stored},
	};
	return OPEN(o, arrays) && (index->stored == index->vectors || damaged(o, VECTORS));
}

static bool open_vectors(const Opening *o) {
	Index *index = o->index;
	Json about = json_member(o->manifest, "vectors"), kind = json_member(about, "kind");
	double dimension = json_number(json_member(about, "dimension"), 0);
	if (dimension < 1 || dimension > 65536) {
		SAY_IN(o, "the index %s has no readable manifest. Hint: %s", o->folder, CURE);
		return false;
	}
	index->dimension = (uint32_t)dimension;
	index->kind = json_is(kind, "ivf") ? IVF : json_is(kind, "hnsw") ? HNSW : EXACT;
	const int64_t *labels = NULL, *elements = NULL;
	bool opened = index->kind == IVF    ? open_lists(o, about, &labels)
	              : index->kind == HNSW ? open_graph(o, about, &labels, &elements)
	                                    : open_exact(o, &labels);
	if (!opened) {
		return false;
	}
	return (place_vectors(index, labels, elements) && (index->kind != IVF || code_centroids(index))) || damaged(o, VECTORS);
}

static bool open_columns(const Opening *o) {
	Index *index = o->index;
	uint64_t own = 0, limits = 0, density = 0, names = 0, starts = 0, own_starts = 0;
	const Array arrays[] = {
	    {"facts.npy", "<i8", FACTS, &index->facts, &index->columns},
	    {"density.npy", "<f8", 1, &index->density, &density},
	    {"name_starts.npy", "<i8", 1, &index->name_starts, &names},
	    {"name_words.npy", "<u8", 1, &index->name_words, &index->words},
	    {"values.npy", "<u8", 1, &index->value, &index->values},
	    {"starts.npy", "<i8", 1, &index->starts, &starts},
	    {"columns.npy", "<u4", 1, &index->holders, &index->postings},
	    {"own_starts.npy", "<i8", 1, &index->own_starts, &own_starts},
	    {"own.npy", "<u4", 1, &index->own, &own},
	    {"limits.npy", "<u8", 1, &index->limits, &limits},
	};
	if (!OPEN(o, arrays)) {
		return false;
	}
	uint64_t c = index->columns;
	bool fits = density == c && names == c + 1 && limits == c && own_starts == c + 1 && starts == index->values + 1 &&
	            own == index->postings && index->values < UINT32_MAX && c < UINT32_MAX;
	return fits || damaged(o, "arrays");
}

/* What most columns are passed over by, in two bytes instead of a line of the cache. */
static bool take_glances(const Opening *o) {
	Index *index = o->index;
	index->glance = malloc((index->columns + 1) * sizeof(uint16_t));
	if (!index->glance) {
		SAY_IN(o, "out of memory");
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

static bool open_names(const Opening *o) {
	Index *index = o->index;
	uint64_t starts = 0, named = 0, at = 0;
	const Array arrays[] = {
	    {"texts.npy", "|u1", 1, &index->text, &index->letters},
	    {"text_starts.npy", "<i8", 1, &index->text_starts, &starts},
	    {"named.npy", "<u4", 3, &index->named, &named},
	    {"table_keys.npy", "<u8", 1, &index->table_key, &index->keys},
	    {"table_at.npy", "<u4", 1, &index->table_at, &at},
	};
	if (!OPEN(o, arrays)) {
		return false;
	}
	if (!starts || starts > UINT32_MAX || named != index->columns || at != index->keys) {
		return damaged(o, "names");
	}
	index->texts = starts - 1;
	return true;
}

static bool open_alignments(const Opening *o) {
	Index *index = o->index;
	uint64_t starts = 0, first = 0;
	const Array arrays[] = {
	    {"aligned_columns.npy", "<u4", 1, &index->aligned_column, &index->aligned},
	    {"aligned_starts.npy", "<i8", 1, &index->aligned_starts, &starts},
	    {"aligned_cells.npy", "<u2", 1, &index->aligned_cells, &index->aligned_total},
	    {"aligned_first.npy", "<u4", 1, &index->aligned_first, &first},
	};
	bool fits = OPEN(o, arrays);
	return fits && ((starts == index->aligned + 1 && first == index->aligned) || damaged(o, "alignments"));
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
		Opening o = {index, folder, manifest, message};
		if (json_number(json_member(manifest, "format"), -1) < 2) {
			SAY("the index %s has no readable manifest. Hint: %s", folder, CURE);
		} else if (!json_text(json_member(manifest, "blake3"), index->seal, sizeof(index->seal))) {
			SAY("the manifest of the index %s has no checksum. Hint: %s", folder, CURE);
		} else if (open_columns(&o) && take_glances(&o) && open_names(&o) && open_alignments(&o) && open_vectors(&o)) {
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
	while (index->mapped) {
		unmap(&index->maps[--index->mapped]);
	}
	unmap(&index->graph.file);
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
