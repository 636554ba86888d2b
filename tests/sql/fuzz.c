/* Damages the files of a generation, one way after the other, and asks the reader of them: it may refuse, it may find
   nothing, it must not crash. Built with the address and undefined-behaviour sanitizers.

   fuzz FOLDER COUNT SEED     FOLDER is a copy that may be written to */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "joins.h"
#include "text.h"
#include "verdicts.h"

typedef struct {
	char name[256];
	unsigned char *data;
	size_t size;
} File;

static File files[64];
static size_t file_count;
static uint64_t state;

static uint64_t draw(uint64_t below) {
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? state % below : 0;
}

static unsigned char *slurp(const char *path, size_t *size) {
	FILE *file = fopen(path, "rb");
	if (!file) {
		exit(3);
	}
	fseek(file, 0, SEEK_END);
	*size = (size_t)ftell(file);
	rewind(file);
	unsigned char *data = malloc(*size + 4096);
	if (!data || fread(data, 1, *size, file) != *size) {
		exit(3);
	}
	fclose(file);
	return data;
}

static void spill(const char *folder, const char *name, const void *data, size_t size) {
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "wb");
	if (!file || fwrite(data, 1, size, file) != size) {
		exit(3);
	}
	fclose(file);
}

static void collect(const char *folder, const char *below) {
	char path[2048];
	snprintf(path, sizeof(path), "%s/%s", folder, below);
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		char name[512], whole[4096];
		snprintf(name, sizeof(name), "%s%s", below, entry->d_name);
		snprintf(whole, sizeof(whole), "%s/%s", folder, name);
		struct stat about;
		const char *end = strrchr(name, '.');
		if (stat(whole, &about) || !S_ISREG(about.st_mode) || !end || !strcmp(end, ".arrow")) {
			continue;
		}
		snprintf(files[file_count].name, sizeof(files[0].name), "%.255s", name);
		files[file_count].data = slurp(whole, &files[file_count].size);
		file_count++;
	}
	if (dir) {
		closedir(dir);
	}
}

/* A damaged copy of a file, in its own room of 4096 bytes more. */
static size_t damage(const File *file, unsigned char *to) {
	memcpy(to, file->data, file->size);
	size_t size = file->size, head = size < 256 ? size : 256, at = draw(2) ? draw(head) : draw(size);
	switch (draw(7)) {
	case 0:
		return draw(size + 1); /* cut off */
	case 1:
		memset(to + size, (int)draw(256), 4096);
		return size + 1 + draw(4095);
	case 2: {
		size_t run = 1 + draw(64);
		memset(to + at, draw(2) ? 0xFF : 0, run < size - at ? run : size - at);
		return size;
	}
	case 3: { /* a number of the header or of a record is another */
		static const uint64_t odd[] = {0, 1, 2, 0x7FFFFFFF, 0xFFFFFFFF, 1ULL << 32, 1ULL << 62, UINT64_MAX, 65535, 4096};
		uint64_t number = odd[draw(10)];
		at &= ~(size_t)7;
		memcpy(to + at, &number, size - at < 8 ? size - at : 8);
		return size;
	}
	default:
		for (uint64_t flips = 1 + draw(8); flips; flips--) {
			to[draw(2) ? draw(head) : draw(size)] ^= (unsigned char)(1 << draw(8));
		}
		return size;
	}
}

/* The manifest with another size for a file, so that the size alone does not give the damage away. */
static void resize(const char *folder, const File *manifest, const char *name, size_t size) {
	char *text = malloc(manifest->size + 64), mark[300];
	snprintf(mark, sizeof(mark), "\"%s\": {", name);
	char *copy = malloc(manifest->size + 1);
	memcpy(copy, manifest->data, manifest->size);
	copy[manifest->size] = 0;
	char *at = strstr(copy, mark), *number = at ? strstr(at, "\"bytes\": ") : NULL;
	if (number) {
		number += 9;
		char *rest = number + strspn(number, "0123456789");
		int put = snprintf(text, manifest->size + 64, "%.*s%zu%s", (int)(number - copy), copy, size, rest);
		spill(folder, "manifest.json", text, (size_t)put);
	}
	free(copy);
	free(text);
}

static size_t answered;

enum { ASKED = 24 };

/* A question of a column; what it holds is to be freed. */
static bool read_join(const Index *index, const char *folder, uint64_t place, Join *join, char *message) {
	char verdicts[4096], reference[64];
	Judged *judged = NULL;
	Request *request = &join->request;
	Name names[] = {name_of(index, place, LAKE), name_of(index, place, TABLE_NAME), name_of(index, place, COLUMN_NAME)};
	snprintf(reference, sizeof(reference), "%.*s.%.*s", shown(names[1]), names[1].at, shown(names[2]), names[2].at);
	find_column(index, reference, strlen(reference), message);
	snprintf(verdicts, sizeof(verdicts), "%s/verdicts.json", folder);
	judged_of(index, verdicts, (int64_t)place, &judged, &request->judged_count, message);
	request->judged = judged;
	request->tables = (Name){place % 3 ? NULL : "*[a-w]*", 7};
	request->lake = place % 7 ? (Name){NULL, 0} : names[0];
	request->mode = (Mode)(place % 4);
	request->diversity = place % 6 ? 0 : 0.3;
	request->pair = place % 5 ? -1 : (int64_t)(index->columns - 1 - place % index->columns);
	return query_of_place(index, (int64_t)place, &join->query, message);
}

/* Asks some questions together, and the first one alone. */
static void ask_of(const Index *index, Join *const *joins, size_t count) {
	for (size_t together = count; together; together = together > 1 ? 1 : 0) {
		find_joins(index, joins, together);
		for (size_t i = 0; i < together; i++) {
			answered += joins[i]->answered;
			free(joins[i]->message);
			if (joins[i]->answered) {
				free(joins[i]->answer.hits);
			}
		}
	}
}

static void ask(const char *folder) {
	char message[MESSAGE] = "";
	Index *index = open_index(folder, message);
	if (!index) {
		return;
	}
	const char *cells[] = {"Austria", "BELGIUM", "chile", NULL, "\xff\xfe", "n/a", "1.50"};
	size_t lengths[] = {7, 7, 5, 0, 2, 3, 4}, count = 0;
	Join all[ASKED + 1], *joins[ASKED + 1];
	for (uint64_t place = 0; place <= ASKED; place++) {
		Join *join = &all[place];
		*join = (Join){.request = {.k = 5, .threshold = 0.1, .kind = -1, .pair = -1, .candidates = 20, .min_distinct = 2}};
		join->request.weights[1] = 1;
		bool fine = place == ASKED ? query_of_cells(cells, lengths, 7, &join->query, message)
		                           : place < index->columns && read_join(index, folder, place, join, message);
		if (fine) {
			joins[count++] = join;
		}
	}
	ask_of(index, joins, count);
	for (size_t i = 0; i <= ASKED; i++) {
		free((void *)all[i].query.hashes);
		free((void *)all[i].request.judged);
	}
	close_index(index);
}

int main(int count, char **given) {
	if (count < 4) {
		return 2;
	}
	const char *folder = given[1];
	state = strtoull(given[3], NULL, 10) * 2654435761U + 88172645463325252U;
	collect(folder, "");
	const File *manifest = NULL;
	for (size_t i = 0; i < file_count; i++) {
		manifest = strcmp(files[i].name, "manifest.json") ? manifest : &files[i];
	}
	ask(folder);
	if (!answered || !manifest) {
		return 4; /* the sound index must answer */
	}
	unsigned char *damaged = NULL;
	for (long round = strtol(given[2], NULL, 10); round > 0; round--) {
		const File *file = &files[draw(file_count)];
		damaged = realloc(damaged, file->size + 8192);
		size_t size = damage(file, damaged);
		spill(folder, file->name, damaged, size);
		if (size != file->size && draw(8)) {
			resize(folder, manifest, file->name, size);
		}
		ask(folder);
		spill(folder, file->name, file->data, file->size);
		spill(folder, manifest->name, manifest->data, manifest->size);
	}
	free(damaged);
	for (size_t i = 0; i < file_count; i++) {
		free(files[i].data);
	}
	printf("%zu queries answered\n", answered);
	return 0;
}
