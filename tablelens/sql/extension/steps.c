#include "steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* as in bridges.py */
enum { PROBED = 64, WALK = 25000, NONE = 65535, LEAST_PROBED = 8 };
static const double HELD = 0.2, SINGLE = 0.7, APART = 0.6, AGREE = 0.5, ALIKE = 0.5;

/* holders ------------------------------------------------------------------------------------------------------ */

typedef struct {
	uint64_t reach;
	uint32_t value;
} Reach;

static int rarest(const void *a, const void *b) {
	const Reach *x = a, *y = b;
	if (x->reach != y->reach) {
		return x->reach < y->reach ? -1 : 1;
	}
	return x->value < y->value ? -1 : x->value > y->value;
}

int64_t find_holders(const Index *index, const uint32_t *values, size_t count, Holder **found) {
	Reach probed[PROBED + 1];
	size_t some = 0, kept = 0;
	for (size_t i = 0; i < count && some <= PROBED; i += count / PROBED + 1) {
		Run run;
		if (!holders_of(index, values[i], &run)) {
			return -1;
		}
		probed[some++] = (Reach){run.count, values[i]};
	}
	qsort(probed, some, sizeof(Reach), rarest);
	uint64_t sum = 0, least = some < LEAST_PROBED ? some : LEAST_PROBED, walked = 0;
	while (kept < some && sum + probed[kept].reach < WALK) {
		sum += probed[kept++].reach;
	}
	kept = kept < least ? least : kept;
	for (size_t i = 0; i < kept; i++) {
		walked += probed[i].reach;
	}
	uint32_t *places = malloc((walked + 1) * sizeof(uint32_t));
	*found = malloc((walked + 1) * sizeof(Holder));
	size_t put = 0;
	int64_t distinct = places && *found ? 0 : -1;
	for (size_t i = 0; i < kept && distinct >= 0; i++) {
		Run run;
		holders_of(index, probed[i].value, &run);
		for (uint64_t j = 0; j < run.count && distinct >= 0; j++) {
			distinct = run.at[j] < index->columns ? 0 : -1;
			places[put++] = run.at[j];
		}
	}
	if (distinct == 0) {
		qsort(places, put, sizeof(uint32_t), up32);
		for (size_t i = 0, start = 0; i < put; i++) {
			if (i + 1 == put || places[i + 1] != places[i]) {
				(*found)[distinct++] = (Holder){places[i], (double)(i + 1 - start) / (double)kept};
				start = i + 1;
			}
		}
	}
	free(places);
	return distinct;
}

/* bridge tables ------------------------------------------------------------------------------------------------ */

typedef struct {
	uint64_t member, table;
	int64_t rows;
	double share;
	bool own;
	size_t at;
} Member;

static int best_member(const void *a, const void *b) {
	const Member *x = a, *y = b;
	if (x->own != y->own) {
		return x->own ? -1 : 1;
	}
	if (x->share != y->share) {
		return x->share > y->share ? -1 : 1;
	}
	if (x->rows != y->rows) {
		return x->rows < y->rows ? -1 : 1;
	}
	return x->at < y->at ? -1 : 1;
}

int64_t near_members(const Walk *walk, uint64_t members[TABLES]) {
	const Index *index = walk->index;
	Holder *holders = NULL;
	int64_t count = find_holders(index, walk->values, walk->count, &holders);
	Member *kept = count < 0 ? NULL : malloc(((size_t)count + 1) * sizeof(Member));
	size_t put = 0;
	int64_t chosen = kept ? 0 : -1;
	for (int64_t i = 0; kept && i < count; i++) {
		uint32_t place = holders[i].place;
		int64_t member = holders[i].share >= HELD ? place_in(index->aligned_column, index->aligned, place) : -1;
		bool named = walk->query->family != NUMBER_FAMILY || alike_names(index, walk->query->words, walk->query->word_count, place) >= ALIKE;
		if (member >= 0 && named) {
			kept[put] = (Member){(uint64_t)member, (uint64_t)fact(index, place, TABLE), 0, rint(holders[i].share * 10) / 10, false, put};
			kept[put].rows = index->aligned_starts[member + 1] - index->aligned_starts[member];
			kept[put].own = fact(index, place, TABLE) == walk->query->table;
			put++;
		}
	}
	if (put) {
		qsort(kept, put, sizeof(Member), best_member);
	}
	for (size_t i = 0; i < put && chosen < TABLES; i++) {
		bool met = false;
		for (size_t j = 0; j < i && !met; j++) {
			met = kept[j].table == kept[i].table;
		}
		if (!met) {
			members[chosen++] = kept[i].member;
		}
	}
	free(holders);
	free(kept);
	return chosen;
}

/* images ------------------------------------------------------------------------------------------------------- */

typedef struct {
	uint64_t *slots;
	size_t mask;
} Set;

/* Adds a number; whether it is new. */
static bool add_to(Set *set, uint64_t number) {
	size_t at = (number * 0x9E3779B97F4A7C15ULL >> 20) & set->mask;
	while (set->slots[at] != UINT64_MAX) {
		if (set->slots[at] == number) {
			return false;
		}
		at = (at + 1) & set->mask;
	}
	set->slots[at] = number;
	return true;
}

static Step *add_step(Walk *walk) {
	if (walk->step_count == walk->room) {
		size_t room = walk->room ? 2 * walk->room : 32;
		Step *grown = realloc(walk->steps, room * sizeof(Step));
		if (!grown) {
			return NULL;
		}
		walk->steps = grown;
		walk->room = room;
	}
	Step *step = &walk->steps[walk->step_count];
	*step = (Step){.images = malloc((walk->count + 1) * sizeof(int64_t))};
	walk->step_count += step->images != NULL;
	return step->images ? step : NULL;
}

typedef struct {
	const uint32_t *rows; /* of the table that hold a followed value … */
	const uint32_t *asked; /* … and which */
	size_t count;
	Set pairs, images;
} Beside;

/* The images of the values in one other column of the bridge table; a step where they are fit for one. */
static bool look_beside(Walk *walk, uint32_t near, uint32_t far, const uint16_t *cells, Beside *beside) {
	const Index *index = walk->index;
	Run own;
	Step *step = add_step(walk);
	if (!step || far >= index->columns || !own_of(index, far, &own)) {
		return false;
	}
	memset(step->images, 0xFF, (walk->count + 1) * sizeof(int64_t));
	memset(beside->pairs.slots, 0xFF, (beside->pairs.mask + 1) * sizeof(uint64_t));
	memset(beside->images.slots, 0xFF, (beside->images.mask + 1) * sizeof(uint64_t));
	double pairs = 0, apart = 0, having = 0, itself = 0, known = 0;
	for (size_t i = 0; i < beside->count; i++) {
		uint16_t cell = cells[beside->rows[i]];
		if (cell == NONE || cell >= own.count || own.at[cell] >= index->values) {
			continue;
		}
		uint64_t value = own.at[cell];
		pairs += add_to(&beside->pairs, (uint64_t)beside->asked[i] << 32 | value);
		apart += add_to(&beside->images, value);
		step->images[beside->asked[i]] = (int64_t)value;
	}
	for (size_t i = 0; i < walk->count; i++) {
		int64_t image = step->images[i];
		Run run;
		having += image >= 0;
		itself += image == (int64_t)walk->values[i];
		known += image >= 0 && holders_of(index, (uint64_t)image, &run) && run.count >= 2;
	}
	double least = HELD * (double)walk->count > 2 ? HELD * (double)walk->count : 2;
	/* of a sample of airports each lies in a region of its own, of all they do not */
	bool coarser = walk->sampled && (double)fact(index, far, DISTINCT) < APART * (double)fact(index, near, DISTINCT);
	if (coarser || having < least || having < SINGLE * pairs || apart < APART * having || itself >= AGREE * having) {
		free(step->images);
		walk->step_count--;
		return true;
	}
	step->near = near;
	step->far = far;
	step->single = having / (pairs > 1 ? pairs : 1);
	step->apart = apart / (having > 1 ? having : 1);
	step->quality = known / (double)walk->count * step->single * (step->apart < 1 ? step->apart : 1);
	return true;
}

bool walk_table(Walk *walk, uint64_t member) {
	const Index *index = walk->index;
	uint64_t start = index->aligned_first[member], end = member;
	if (start > member) {
		return false;
	}
	while (end < index->aligned && index->aligned_first[end] == start) {
		end++;
	}
	int64_t rows = index->aligned_starts[member + 1] - index->aligned_starts[member];
	bool fine = rows >= 0 && rows < 1 << 30;
	for (uint64_t i = start; i < end && fine; i++) { /* columns of one table have as many cells each */
		int64_t from = index->aligned_starts[i], to = index->aligned_starts[i + 1];
		fine = from >= 0 && to - from == rows && (uint64_t)to <= index->aligned_total;
	}
	uint32_t near = index->aligned_column[member];
	Run own;
	if (!fine || near >= index->columns || !own_of(index, near, &own)) {
		return false;
	}
	size_t slots = 64;
	while (slots < 2 * (size_t)rows) {
		slots *= 2;
	}
	uint32_t *at = malloc(((size_t)rows + 1) * sizeof(uint32_t)), *asked = malloc(((size_t)rows + 1) * sizeof(uint32_t));
	Beside beside = {at, asked, 0, {NULL, 0}, {NULL, 0}};
	const uint16_t *cells = index->aligned_cells + index->aligned_starts[member];
	for (int64_t row = 0; at && asked && row < rows; row++) {
		int64_t value = cells[row] < own.count && cells[row] != NONE ? place_in(walk->values, walk->count, own.at[cells[row]]) : -1;
		if (value >= 0) {
			at[beside.count] = (uint32_t)row;
			asked[beside.count++] = (uint32_t)value;
		}
	}
	while (slots > 64 && slots >= 4 * beside.count) {
		slots /= 2;
	}
	beside.pairs = (Set){malloc(slots * sizeof(uint64_t)), slots - 1};
	beside.images = (Set){malloc(slots * sizeof(uint64_t)), slots - 1};
	fine = at && asked && beside.pairs.slots && beside.images.slots;
	for (uint64_t i = start; i < end && fine && beside.count; i++) {
		if (i != member) {
			fine = look_beside(walk, near, index->aligned_column[i], index->aligned_cells + index->aligned_starts[i], &beside);
		}
	}
	free(at);
	free(asked);
	free(beside.pairs.slots);
	free(beside.images.slots);
	return fine;
}
