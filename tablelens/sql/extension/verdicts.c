#define _GNU_SOURCE
#include "verdicts.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "json.h"
#include "names.h"

#define SAY(...) snprintf(message, MESSAGE, __VA_ARGS__)

/* The file as it was last read: it is written anew, never changed in place. */
static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;
static struct {
	char path[4096];
	struct stat about;
	char *text;
	size_t size;
} last;

static bool is_last(const char *path, const struct stat *about) {
	return last.text && !strcmp(last.path, path) && last.about.st_ino == about->st_ino && last.about.st_size == about->st_size &&
	       last.about.st_mtim.tv_sec == about->st_mtim.tv_sec && last.about.st_mtim.tv_nsec == about->st_mtim.tv_nsec;
}

/* Reads the file unless that was done already; *there says whether there is one. False where it cannot be read. */
static bool read_again(const char *path, bool *there) {
	FILE *file = fopen(path, "rb");
	struct stat about;
	*there = file || errno != ENOENT;
	bool fine = file && !fstat(fileno(file), &about);
	if (fine && !is_last(path, &about)) {
		size_t size = (size_t)about.st_size;
		char *text = malloc(size + 1);
		fine = text && fread(text, 1, size, file) == size;
		free(fine ? last.text : text);
		last.text = fine ? text : last.text;
		last.size = fine ? size : last.size;
		last.about = fine ? about : last.about;
		snprintf(last.path, sizeof(last.path), "%s", fine ? path : "");
	}
	if (file) {
		fclose(file);
	}
	return fine;
}

/* The place of a column that is written as [lake, table, name]; -1 where the lake lost it. False where it is no name. */
static bool read_name(const Index *index, Json written, char *room, int64_t *place) {
	Name names[NAMINGS];
	for (int i = 0; i < NAMINGS; i++) {
		Json item;
		long length = json_item(&written, &item) ? json_letters(item, room) : -1;
		if (length < 0) {
			return false;
		}
		names[i] = (Name){room, (size_t)length};
		room += length + 1;
	}
	*place = find_named(index, names[LAKE], names[TABLE_NAME], names[COLUMN_NAME]);
	return true;
}

/* Whether a verdict speaks of a column: of which other, and what it says. False where it is no verdict. */
static bool read_verdict(const Index *index, Json verdict, int64_t place, char *room, Judged *said, bool *mine) {
	Json item;
	int64_t sides[2];
	for (int side = 0; side < 2; side++) {
		if (!json_item(&verdict, &item) || !read_name(index, item, room, &sides[side])) {
			return false;
		}
	}
	*mine = (sides[0] == place || sides[1] == place) && sides[0] >= 0 && sides[1] >= 0;
	*said = (Judged){(uint32_t)(sides[0] == place ? sides[1] : sides[0]), false};
	if (!json_item(&verdict, &item)) {
		return false;
	}
	said->joins = *item.at == 't';
	return true;
}

bool judged_of(const Index *index, const char *path, int64_t place, Judged **found, size_t *count, char *message) {
	*found = NULL;
	*count = 0;
	if (place < 0) {
		return true;
	}
	pthread_mutex_lock(&reading);
	bool there, fine = read_again(path, &there);
	if (!there) {
		pthread_mutex_unlock(&reading);
		return true;
	}
	char *room = fine ? malloc(last.size + 4) : NULL;
	Json all = {fine ? last.text : NULL, fine ? last.text + last.size : NULL}, verdict;
	fine = fine && room && last.size && *last.text == '[';
	while (fine && json_item(&all, &verdict)) {
		Judged said;
		bool mine;
		fine = read_verdict(index, verdict, place, room, &said, &mine);
		if (fine && mine) {
			Judged *grown = realloc(*found, (*count + 1) * sizeof(Judged));
			fine = grown != NULL;
			if (fine) {
				*found = grown;
				grown[(*count)++] = said;
			}
		}
	}
	fine = fine && all.at < all.end && *all.at == ']';
	pthread_mutex_unlock(&reading);
	free(room);
	if (!fine) {
		free(*found);
		*found = NULL;
		*count = 0;
		SAY("%s is damaged. Hint: crawl again: it is written anew from the catalogue", path);
	}
	return fine;
}
