#include "bridges.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* as in bridges.py */
enum { VALUES = 256, PROBED = 64, WALK = 25000, TABLES = 20, FEWEST = 3, COUNTED = 60, NONE = 65535, LEAST_PROBED = 8, OWN = 4 };
static const double HELD = 0.2, SINGLE = 0.7, APART = 0.6, AGREE = 0.5, ALIKE = 0.5, ARRIVE = 0.3, GAIN = 0.05;

typedef struct {
	uint32_t place;
	double share;
} Holder;

typedef struct {
	uint32_t near, far;
	int64_t *images;
	double single, apart, quality;
	bool taken;
} Step;

typedef struct {
	const Index *index;
	const Query *query;
	uint32_t values[VALUES];
	size_t count;
	bool sampled; /* they are not all of the query's */
	double total; /* values of the query that these stand for */
	Step *steps;
	size_t step_count, room;
} Walk;

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

static int ascending(const void *a, const void *b) {
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

/* Columns that hold some of the values, ascending, and which share of those that were looked up; -1 for damage. */
static int64_t find_holders(const Index *index, const uint32_t *values, size_t count, Holder **found) {
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
		qsort(places, put, sizeof(uint32_t), ascending);
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

/* The place of a column among the aligned ones, or -1. */
static int64_t member_of(const Index *index, uint32_t place) {
	uint64_t low = 0, high = index->aligned;
	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (index->aligned_column[middle] < place) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low < index->aligned && index->aligned_column[low] == place ? (int64_t)low : -1;
}

/* Aligned columns that hold the query's values, one a table, the best first; -1 where the index is damaged. */
static int64_t near_members(const Walk *walk, uint64_t members[TABLES]) {
	const Index *index = walk->index;
	Holder *holders = NULL;
	int64_t count = find_holders(index, walk->values, walk->count, &holders);
	Member *kept = count < 0 ? NULL : malloc(((size_t)count + 1) * sizeof(Member));
	size_t put = 0;
	int64_t chosen = kept ? 0 : -1;
	for (int64_t i = 0; kept && i < count; i++) {
		uint32_t place = holders[i].place;
		int64_t member = holders[i].share >= HELD ? member_of(index, place) : -1;
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

static int64_t followed(const Walk *walk, uint32_t value) {
	size_t low = 0, high = walk->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (walk->values[middle] < value) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low < walk->count && walk->values[low] == value ? (int64_t)low : -1;
}

/* Steps over one bridge table. False where the index is damaged or memory ran out. */
static bool walk_table(Walk *walk, uint64_t member) {
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
		int64_t value = cells[row] < own.count && cells[row] != NONE ? followed(walk, own.at[cells[row]]) : -1;
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

/* forms -------------------------------------------------------------------------------------------------------- */

/* Whether the images of two steps agree where both have some. */
static bool agree(const Step *a, const Step *b, size_t count) {
	double common = 0, same = 0;
	for (size_t i = 0; i < count; i++) {
		bool both = a->images[i] >= 0 && b->images[i] >= 0;
		common += both;
		same += both && a->images[i] == b->images[i];
	}
	return same >= (AGREE * common > 1 ? AGREE * common : 1);
}

/* The best step that is in no form yet, or NULL. */
static Step *best_step(Walk *walk) {
	Step *best = NULL;
	for (size_t i = 0; i < walk->step_count; i++) {
		Step *step = &walk->steps[i];
		best = !step->taken && (!best || step->quality > best->quality) ? step : best;
	}
	return best;
}

/* The next form: steps that agree with the best one are united, the best first. NULL with *fine where there is none. */
static bool unite(Walk *walk, Form *form) {
	Step *first = best_step(walk), *next;
	size_t count = walk->count;
	*form = (Form){.images = malloc((count + 1) * sizeof(int64_t)), .single = first->single, .apart = first->apart};
	Step **group = malloc((walk->step_count + 1) * sizeof(Step *)), **others = malloc((walk->step_count + 1) * sizeof(Step *));
	size_t size = 0, rest = 0;
	bool fine = form->images && group && others;
	while (fine && (next = best_step(walk))) { /* takes all, and gives back those of other forms */
		next->taken = true;
		if (next == first || agree(first, next, count)) {
			group[size++] = next;
		} else {
			others[rest++] = next;
		}
	}
	for (size_t i = 0; fine && i < rest; i++) {
		others[i]->taken = false;
	}
	double given = 0, witnesses = 0;
	for (size_t i = 0; fine && i < count; i++) {
		form->images[i] = -1;
		for (size_t g = 0; g < size && form->images[i] < 0; g++) {
			form->images[i] = group[g]->images[i];
		}
		given += form->images[i] >= 0;
		for (size_t g = 0; g < size && form->images[i] >= 0; g++) {
			witnesses += group[g]->images[i] == form->images[i];
		}
	}
	form->witnesses = witnesses / (given > 1 ? given : 1);
	for (size_t g = 0; fine && g < size && g < KEPT; g++) {
		form->bridges[form->kept++] = (Images){group[g]->near, group[g]->far, group[g]->images};
		group[g]->images = NULL; /* the form's now */
	}
	free(group);
	free(others);
	return fine;
}

/* arrivals ----------------------------------------------------------------------------------------------------- */

static bool holds(Run own, uint64_t value) {
	uint64_t low = 0, high = own.count;
	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (own.at[middle] < value) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low < own.count && own.at[low] == value;
}

/* How many of the images a column holds. */
static double held_by(const Index *index, const int64_t *images, size_t count, uint64_t place) {
	Run own;
	if (place >= index->columns || !own_of(index, place, &own)) {
		return 0;
	}
	double held = 0;
	for (size_t i = 0; i < count; i++) {
		held += images[i] >= 0 && holds(own, (uint64_t)images[i]);
	}
	return held;
}

/* Share of the query's values whose image a column holds. */
static double coverage_of(const Walk *walk, const Form *form, uint32_t place) {
	return held_by(walk->index, form->images, walk->count, place) / walk->total;
}

typedef struct {
	Arrival arrival;
	int64_t distinct;
} Far;

static int most_covered(const void *a, const void *b) {
	const Far *x = a, *y = b;
	if (x->arrival.coverage != y->arrival.coverage) {
		return x->arrival.coverage > y->arrival.coverage ? -1 : 1;
	}
	if (x->distinct != y->distinct) {
		return x->distinct < y->distinct ? -1 : 1;
	}
	return x->arrival.place < y->arrival.place ? -1 : 1;
}

static bool add_arrival(Bridges *found, size_t *room, Arrival arrival) {
	if (found->arrived == *room) {
		*room = *room ? 2 * *room : 256;
		Arrival *grown = realloc(found->arrivals, *room * sizeof(Arrival));
		if (!grown) {
			return false;
		}
		found->arrivals = grown;
	}
	found->arrivals[found->arrived++] = arrival;
	return true;
}

/* Columns that hold the images of one form, and the share of the query's values that arrive, by a sample. */
static bool arrive(const Walk *walk, int number, uint64_t wanted, Bridges *found, size_t *room) {
	const Form *form = &found->forms[number];
	uint32_t images[VALUES];
	size_t count = 0, distinct = 0;
	for (size_t i = 0; i < walk->count; i++) {
		if (form->images[i] >= 0) {
			images[count++] = (uint32_t)form->images[i];
		}
	}
	qsort(images, count, sizeof(uint32_t), ascending);
	for (size_t i = 0; i < count; i++) {
		if (!i || images[i] != images[i - 1]) {
			images[distinct++] = images[i];
		}
	}
	Holder *holders = NULL;
	int64_t held = find_holders(walk->index, images, distinct, &holders);
	Far *far = held < 0 ? NULL : malloc(((size_t)held + 1) * sizeof(Far));
	size_t kept = 0;
	for (int64_t i = 0; far && i < held; i++) {
		double share = holders[i].share * (double)count / walk->total;
		if (share >= ARRIVE) {
			far[kept++] = (Far){{holders[i].place, number, share}, fact(walk->index, holders[i].place, DISTINCT)};
		}
	}
	if (kept) {
		qsort(far, kept, sizeof(Far), most_covered);
	}
	kept = kept < wanted ? kept : wanted;
	bool fine = far != NULL;
	for (size_t i = 0; fine && i < kept; i++) {
		fine = add_arrival(found, room, far[i].arrival);
	}
	for (size_t g = 0; fine && g < form->kept && g < OWN; g++) { /* the form's own columns hold all that they say */
		bool there = false;
		for (size_t i = 0; i < kept && !there; i++) {
			there = far[i].arrival.place == form->bridges[g].far;
		}
		if (!there) {
			fine = add_arrival(found, room, (Arrival){form->bridges[g].far, number, coverage_of(walk, form, form->bridges[g].far)});
		}
	}
	free(far);
	free(holders);
	return fine;
}

static int by_place(const void *a, const void *b) {
	const Arrival *x = a, *y = b;
	if (x->place != y->place) {
		return x->place < y->place ? -1 : 1;
	}
	if (x->coverage != y->coverage) {
		return x->coverage > y->coverage ? -1 : 1;
	}
	return x->form < y->form ? -1 : x->form > y->form;
}

static int by_coverage(const void *a, const void *b) {
	const Arrival *x = a, *y = b;
	if (x->coverage != y->coverage) {
		return x->coverage > y->coverage ? -1 : 1;
	}
	return x->place < y->place ? -1 : x->place > y->place;
}

/* Each column once, by its best form; coverage is counted of the first. */
static void settle(const Walk *walk, Bridges *found) {
	if (!found->arrived) {
		return;
	}
	qsort(found->arrivals, found->arrived, sizeof(Arrival), by_place);
	size_t kept = 0;
	for (size_t i = 0; i < found->arrived; i++) {
		if (!i || found->arrivals[i].place != found->arrivals[i - 1].place) {
			found->arrivals[kept++] = found->arrivals[i];
		}
	}
	qsort(found->arrivals, kept, sizeof(Arrival), by_coverage);
	for (size_t i = 0; i < kept && i < COUNTED; i++) {
		Arrival *arrival = &found->arrivals[i];
		arrival->coverage = coverage_of(walk, &found->forms[arrival->form], arrival->place);
	}
	found->arrived = 0;
	for (size_t i = 0; i < kept; i++) {
		if (found->arrivals[i].coverage >= ARRIVE && found->arrivals[i].place < walk->index->columns) {
			found->arrivals[found->arrived++] = found->arrivals[i];
		}
	}
	qsort(found->arrivals, found->arrived, sizeof(Arrival), by_place);
}

/* The best bridge to one column, if there is any. */
static bool arrive_at(const Walk *walk, uint32_t place, Bridges *found) {
	size_t room = 0;
	Arrival best = {place, -1, ARRIVE};
	for (int form = 0; form < found->count; form++) {
		double coverage = coverage_of(walk, &found->forms[form], place);
		if (best.form < 0 ? coverage >= best.coverage : coverage > best.coverage) {
			best = (Arrival){place, form, coverage};
		}
	}
	return best.form < 0 || add_arrival(found, &room, best);
}

bool find_bridges(const Index *index, const Query *query, const uint32_t *values, uint64_t count, uint64_t wanted, int64_t pair, Bridges *found) {
	*found = (Bridges){0};
	Walk walk = {.index = index, .query = query};
	for (uint64_t i = 0; i < count; i += count / VALUES + 1) {
		walk.values[walk.count++] = values[i];
	}
	found->followed = walk.count;
	walk.sampled = walk.count < count;
	if (walk.count < FEWEST || !index->aligned) {
		return true;
	}
	double all = rint((double)query->distinct * (double)walk.count / (double)count);
	walk.total = all > (double)walk.count ? all : (double)walk.count;
	uint64_t members[TABLES];
	int64_t tables = near_members(&walk, members);
	bool fine = tables >= 0;
	for (int64_t i = 0; i < tables && fine; i++) {
		fine = walk_table(&walk, members[i]);
	}
	while (fine && found->count < FORMS && best_step(&walk)) {
		fine = unite(&walk, &found->forms[found->count++]);
	}
	size_t room = 0;
	for (int form = 0; fine && pair < 0 && form < found->count; form++) {
		fine = arrive(&walk, form, wanted, found, &room);
	}
	if (fine && pair >= 0) {
		fine = arrive_at(&walk, (uint32_t)pair, found);
	} else if (fine) {
		settle(&walk, found);
	}
	for (size_t i = 0; i < walk.step_count; i++) {
		free(walk.steps[i].images);
	}
	free(walk.steps);
	if (!fine) {
		free_bridges(found);
	}
	return fine;
}

/* Marks which of a bridge's images a column holds. */
static void mark_arrivals(Run own, const int64_t *images, size_t count, uint8_t *marks) {
	for (size_t i = 0; i < count; i++) {
		marks[i] = images[i] >= 0 && holds(own, (uint64_t)images[i]);
	}
}

int bridges_to(const Index *index, const Query *query, const Bridges *found, int form, uint64_t place, uint32_t over[UNITED][2]) {
	const Form *made = &found->forms[form];
	size_t count = found->followed;
	uint8_t *marks = calloc(made->kept + 1, count + 1), *reached = marks ? marks + made->kept * count : NULL;
	Run own;
	if (!marks || !own_of(index, place, &own)) {
		free(marks);
		return 0;
	}
	for (size_t b = 0; b < made->kept; b++) {
		mark_arrivals(own, made->bridges[b].images, count, marks + b * count);
	}
	int chosen = 0;
	while (chosen < UNITED) {
		size_t best = 0;
		double greatest = -1;
		for (size_t b = 0; b < made->kept; b++) {
			int64_t table = fact(index, made->bridges[b].near, TABLE);
			double more = 0;
			for (size_t i = 0; i < count; i++) {
				more += marks[b * count + i] && !reached[i];
			}
			more = more / (double)count + (table == query->table || table == fact(index, place, TABLE) ? 0.01 : 0);
			if (more > greatest) {
				greatest = more;
				best = b;
			}
		}
		if (greatest < 0 || (chosen && greatest < GAIN)) {
			break;
		}
		over[chosen][0] = made->bridges[best].near;
		over[chosen++][1] = made->bridges[best].far;
		for (size_t i = 0; i < count; i++) {
			reached[i] |= marks[best * count + i];
		}
	}
	free(marks);
	return chosen;
}

void free_bridges(Bridges *found) {
	for (int i = 0; i < found->count; i++) {
		free(found->forms[i].images);
		for (size_t g = 0; g < found->forms[i].kept; g++) {
			free(found->forms[i].bridges[g].images);
		}
	}
	free(found->arrivals);
	*found = (Bridges){0};
}
