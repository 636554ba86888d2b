#include "bridges.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"

/* as in bridges.py */
enum { COUNTED = 60, OWN = 4 };
static const double AGREE = 0.5, ARRIVE = 0.3, GAIN = 0.05;

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

/* How many of the images a column holds. */
static double held_by(const Index *index, const int64_t *images, size_t count, uint64_t place) {
	Run own;
	if (place >= index->columns || !own_of(index, place, &own)) {
		return 0;
	}
	double held = 0;
	for (size_t i = 0; i < count; i++) {
		held += images[i] >= 0 && place_in(own.at, own.count, (uint64_t)images[i]) >= 0;
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
	uint32_t images[VALUES_FOLLOWED];
	size_t count = 0, distinct = 0;
	for (size_t i = 0; i < walk->count; i++) {
		if (form->images[i] >= 0) {
			images[count++] = (uint32_t)form->images[i];
		}
	}
	qsort(images, count, sizeof(uint32_t), up32);
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
	for (uint64_t i = 0; i < count; i += count / VALUES_FOLLOWED + 1) {
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
		marks[i] = images[i] >= 0 && place_in(own.at, own.count, (uint64_t)images[i]) >= 0;
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
