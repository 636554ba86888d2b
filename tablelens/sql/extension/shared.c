/* Indexes that are open, shared by all threads and statements, and the room that queries count in. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"

#define SAY(...) snprintf(message, MESSAGE, __VA_ARGS__)

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static Index *opened;
enum { KEPT = 4 };

/* Closes the oldest that nobody uses, where more than a few are open. */
static void forget(void) {
	int count = 0;
	for (Index **at = &opened; *at;) {
		Index *index = *at;
		if (++count > KEPT && !index->users) {
			*at = index->next;
			close_index(index);
		} else {
			at = &index->next;
		}
	}
}

Index *borrow_index(const char *home, const char *name, char *message) {
	size_t digits = strspn(name, "0123456789");
	char folder[4200], number[32];
	if (!digits || digits > 18 || name[digits] != ':') {
		SAY("'%.40s' is no index. Hint: an index is named by its number and checksum", name);
		return NULL;
	}
	snprintf(number, sizeof(number), "%.*s", (int)digits, name);
	snprintf(folder, sizeof(folder), "%s/index/%s", home, number);
	pthread_mutex_lock(&opening);
	Index *index = opened;
	while (index && (strcmp(index->name, number) || strcmp(index->seal, name + digits + 1))) {
		index = index->next;
	}
	if (!index && (index = open_index(folder, message))) {
		if (strcmp(index->seal, name + digits + 1)) {
			SAY("the index %s is not of this catalogue. Hint: attach the catalogue-%s of the same home", folder, number);
			close_index(index);
			index = NULL;
		} else {
			snprintf(index->name, sizeof(index->name), "%s", number);
			index->next = opened;
			opened = index;
			index->users++;
			forget();
			index->users--;
		}
	}
	if (index) {
		index->users++;
	}
	pthread_mutex_unlock(&opening);
	return index;
}

void give_back(Index *index) {
	pthread_mutex_lock(&opening);
	index->users--;
	pthread_mutex_unlock(&opening);
}

Room *take_room(Index *index) {
	pthread_mutex_lock(&opening);
	Room *room = index->spares ? index->spare[--index->spares] : NULL;
	pthread_mutex_unlock(&opening);
	size_t each = index->columns + 1;
	if (!room && (room = calloc(1, sizeof(Room) + 4 * each * sizeof(uint32_t)))) {
		room->counts = (uint32_t *)(room + 1);
		room->met = room->counts + each;
		room->kept = room->met + each;
		room->tally = (Tally *)(room->kept + each);
	}
	return room;
}

void give_room(Index *index, Room *room, bool clean) {
	pthread_mutex_lock(&opening);
	bool kept = clean && index->spares < (int)(sizeof(index->spare) / sizeof(index->spare[0]));
	if (kept) {
		index->spare[index->spares++] = room;
	}
	pthread_mutex_unlock(&opening);
	if (!kept) {
		free(room);
	}
}
