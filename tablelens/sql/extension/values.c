/* The value arm: columns by how many of the query's values they hold, as tablelens/index/postings.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search.h"

enum { WALK = 1500000, AHEAD = 24, LATER = 5 };

/* the query's values ------------------------------------------------------------------------------------------- */

uint64_t up_to(const uint64_t *hashes, uint64_t count, uint64_t bound) {
	uint64_t low = 0, high = count;
	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (hashes[middle] <= bound) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static bool look_up(Search *s, Run own) {
	const Index *index = s->index;
	bool inside = s->query->place >= 0;
	for (uint64_t i = 0; i < (inside ? own.count : s->query->size); i++) {
		if (inside) {
			if (own.at[i] >= index->values) {
				SAY_TO(s, DAMAGED);
				return false;
			}
			s->values[s->value_count++] = own.at[i];
			continue;
		}
		uint64_t at = up_to(index->value, index->values, s->query->hashes[i]);
		if (at && index->value[at - 1] == s->query->hashes[i]) {
			s->values[s->value_count++] = (uint32_t)(at - 1);
		}
	}
	return true;
}

/* Puts values of few columns first and leaves the order of equals: a byte of the reach at a time. */
static void rare_first(Reach *values, Reach *room, uint64_t count, uint32_t most) {
	Reach *from = values, *to = room;
	for (int shift = 0; shift < 32 && most >> shift; shift += 8) {
		uint64_t starts[257] = {0};
		for (uint64_t i = 0; i < count; i++) {
			starts[(from[i].reach >> shift & 255) + 1]++;
		}
		for (int byte = 0; byte < 256; byte++) {
			starts[byte + 1] += starts[byte];
		}
		for (uint64_t i = 0; i < count; i++) {
			to[starts[from[i].reach >> shift & 255]++] = from[i];
		}
		Reach *held = from;
		from = to;
		to = held;
	}
	if (from != values) {
		memcpy(values, from, count * sizeof(Reach));
	}
}

static bool order_values(Search *s) {
	Reach *room = malloc((s->value_count + 1) * sizeof(Reach));
	uint32_t most = 0;
	s->reach = malloc((s->value_count + 1) * sizeof(Reach));
	if (!room || !s->reach) {
		free(room);
		SAY_TO(s, NO_MEMORY);
		return false;
	}
	for (uint64_t i = 0; i < s->value_count; i++) {
		Run run;
		if (i + AHEAD < s->value_count) {
			__builtin_prefetch(&s->index->starts[s->values[i + AHEAD]]);
		}
		if (!holders_of(s->index, s->values[i], &run) || run.count > UINT32_MAX) {
			free(room);
			SAY_TO(s, DAMAGED);
			return false;
		}
		s->reach[i] = (Reach){run.at, s->values[i], (uint32_t)run.count};
		most = s->reach[i].reach > most ? s->reach[i].reach : most;
	}
	rare_first(s->reach, room, s->value_count, most);
	free(room);
	return true;
}

bool find_values(Search *s) {
	Run own = {0};
	if (s->query->place >= 0 && !own_of(s->index, (uint64_t)s->query->place, &own)) {
		SAY_TO(s, DAMAGED);
		return false;
	}
	s->values = malloc(((s->query->place >= 0 ? own.count : s->query->size) + 1) * sizeof(uint32_t));
	if (!s->values) {
		SAY_TO(s, NO_MEMORY);
		return false;
	}
	return look_up(s, own) && order_values(s);
}

/* Share of the lake's columns that hold the typical value of the query. */
double hubness(const Search *s) {
	uint64_t n = s->value_count;
	if (!n) {
		return 0;
	}
	double median = ((double)s->reach[(n - 1) / 2].reach + (double)s->reach[n / 2].reach) / 2;
	return rounded(median / (double)s->index->columns, 6);
}

/* one column --------------------------------------------------------------------------------------------------- */

/* How many of `values`, ascending, a column holds; -1 where the index is damaged. */
static int64_t count_of(const Index *index, const uint32_t *values, uint64_t count, uint64_t place) {
	Run own;
	if (!own_of(index, place, &own)) {
		return -1;
	}
	int64_t shared = 0;
	const uint32_t *small = values, *large = own.at;
	uint64_t few = count, many = own.count;
	if (few > many) {
		small = own.at, few = own.count, large = values, many = count;
	}
	for (uint64_t i = 0, from = 0; i < few; i++) {
		uint64_t step = 1, low = from, high;
		while (low + step < many && large[low + step] < small[i]) {
			step *= 2;
		}
		high = low + step < many ? low + step + 1 : many;
		while (low < high) {
			uint64_t middle = (low + high) / 2;
			if (large[middle] < small[i]) {
				low = middle + 1;
			} else {
				high = middle;
			}
		}
		shared += low < many && large[low] == small[i];
		from = low;
	}
	return shared;
}

int64_t count_in(const Search *s, uint64_t place) {
	return count_of(s->index, s->values, s->value_count, place);
}

/* Values that a column shares with the query; where all were counted, those of other families were not. */
int64_t count_one(const Search *s, uint64_t place) {
	if (s->room && s->complete) {
		return allowed(s, place) ? s->room->counts[place] : 0;
	}
	return count_in(s, place);
}

/* all columns -------------------------------------------------------------------------------------------------- */

/* Adds the columns of some values to the counts, and columns that are new to `met`. */
static bool walk(Search *s, const Reach *values, uint64_t count) {
	uint32_t *counts = s->room->counts, *met = s->room->met;
	uint64_t columns = s->index->columns, put = s->met_count;
	for (uint64_t i = 0; i < count; i++) {
		if (i + LATER < count) {
			__builtin_prefetch(values[i + LATER].at);
		}
		const Reach *next = i + 1 < count ? &values[i + 1] : NULL;
		for (uint32_t j = 0; next && j < next->reach && j < AHEAD; j++) {
			__builtin_prefetch(counts + next->at[j]);
		}
		const uint32_t *at = values[i].at;
		for (uint32_t j = 0, reach = values[i].reach; j < reach; j++) {
			if (j + AHEAD < reach) {
				__builtin_prefetch(counts + at[j + AHEAD]);
			}
			if (at[j] >= columns) {
				s->met_count = put;
				SAY_TO(s, DAMAGED);
				return false;
			}
			met[put] = at[j];
			put += !counts[at[j]]++;
		}
	}
	s->met_count = put;
	return true;
}

/* The k-th greatest count of the first columns that were kept, 0 where they are fewer. */
static uint32_t kth(const Search *s, uint64_t count, uint64_t k) {
	uint32_t *of_count = k <= count ? calloc(s->value_count + 2, sizeof(uint32_t)) : NULL;
	if (!of_count) {
		return 0;
	}
	for (uint64_t i = 0; i < count; i++) {
		uint32_t held = s->room->tally[i].count;
		of_count[held <= s->value_count ? held : s->value_count]++; /* a damaged value names a column twice */
	}
	uint64_t at = s->value_count + 1, above = 0;
	while (at && above < k) {
		above += of_count[--at];
	}
	free(of_count);
	return (uint32_t)at;
}

/* Counts the columns of the first so many values, and keeps those that are allowed: how many. -1 where it fails. */
static int64_t count_allowed(Search *s, uint64_t values) {
	if (!walk(s, s->reach, values)) {
		return -1;
	}
	const uint16_t *glance = s->index->glance;
	const Room *room = s->room;
	int64_t put = 0;
	for (uint64_t i = 0; i < s->met_count; i++) {
		if (i + AHEAD < s->met_count) {
			__builtin_prefetch(glance + room->met[i + AHEAD]);
			__builtin_prefetch(room->counts + room->met[i + AHEAD]);
		}
		uint32_t place = room->met[i];
		room->kept[put] = place;
		room->tally[put] = (Tally){room->counts[place], WHOLE(glance[place])};
		put += seems_allowed(s, glance[place]) && allowed(s, place);
	}
	return put;
}

/* Adds the common values to the counts of columns that could still be among the best. How many these are, -1 for damage. */
static int64_t count_rivals(Search *s, const Reach *values, uint64_t rest, int64_t sure, int64_t count) {
	uint32_t *heavy = malloc(rest * sizeof(uint32_t)), *kept = s->room->kept;
	int64_t rivals = heavy ? 0 : -1;
	for (uint64_t i = 0; heavy && i < rest; i++) {
		heavy[i] = values[i].value;
	}
	if (heavy) {
		qsort(heavy, rest, sizeof(uint32_t), up32);
	}
	for (int64_t i = 0; i < count && rivals >= 0; i++) {
		if ((int64_t)s->room->counts[kept[i]] < sure - (int64_t)rest) {
			continue;
		}
		int64_t more = count_of(s->index, heavy, rest, kept[i]);
		s->room->counts[kept[i]] += more < 0 ? 0 : (uint32_t)more;
		s->room->tally[rivals] = (Tally){s->room->counts[kept[i]], s->room->tally[i].whole};
		kept[rivals] = kept[i];
		rivals = more < 0 ? -1 : rivals + 1;
	}
	free(heavy);
	return rivals;
}

/* Counts until the `wanted` best are sure: common values are not walked where a bound shows that no other column can
   come among them (JOSIE, Zhu et al., SIGMOD 2019). How many columns were kept, -1 where it fails. */
static int64_t count_columns(Search *s, uint64_t wanted) {
	uint64_t light = 0, sum = 0;
	while (light < s->value_count && sum + s->reach[light].reach <= WALK) {
		sum += s->reach[light++].reach;
	}
	int64_t count = count_allowed(s, light);
	uint64_t rest = s->value_count - light;
	s->complete = true;
	if (count < 0 || !rest) {
		return count;
	}
	int64_t sure = kth(s, (uint64_t)count, wanted);
	if (sure > (int64_t)rest) {
		s->complete = false;
		return count_rivals(s, s->reach + light, rest, sure, count);
	}
	/* an unseen column could still be among them */
	memset(s->room->counts, 0, s->index->columns * sizeof(uint32_t));
	s->met_count = 0;
	return count_allowed(s, s->value_count);
}

static int most_contained(const void *a, const void *b, void *with) {
	const Hit *x = a, *y = b;
	const Index *index = with;
	if (x->containment != y->containment) {
		return x->containment < y->containment ? 1 : -1;
	}
	if (x->jaccard != y->jaccard) {
		return x->jaccard < y->jaccard ? 1 : -1;
	}
	int64_t first = fact(index, (uint64_t)x->place, ORDER), second = fact(index, (uint64_t)y->place, ORDER);
	return first < second ? -1 : first > second;
}

/* A column that shares as many values as the last of the wanted ones: those of few values come first. */
typedef struct {
	int64_t distinct, order;
	uint32_t place;
} Tie;

static bool before(const Tie *a, const Tie *b) {
	return a->distinct != b->distinct ? a->distinct < b->distinct : a->order != b->order ? a->order < b->order : a->place < b->place;
}

/* Brings the k first of some ties to the front, in no order (Hoare's selection). */
static void select_first(Tie *ties, int64_t count, int64_t k) {
	for (int64_t low = 0, high = count - 1; low < high;) {
		Tie pivot = ties[low + (high - low) / 2];
		int64_t left = low, right = high;
		while (left <= right) {
			while (before(&ties[left], &pivot)) {
				left++;
			}
			while (before(&pivot, &ties[right])) {
				right--;
			}
			if (left <= right) {
				Tie held = ties[left];
				ties[left++] = ties[right];
				ties[right--] = held;
			}
		}
		if (k - 1 <= right) {
			high = right;
		} else if (k - 1 >= left) {
			low = left;
		} else {
			return;
		}
	}
}

/* Adds the first `wanted` of the columns, and the sketched ones, of whose containment their count does not tell. Those
   that share as many values as the last one are too many at times to weigh them all. */
static bool add_best(Search *s, int64_t count, uint64_t wanted) {
	const uint32_t *kept = s->room->kept;
	const Tally *tally = s->room->tally;
	int64_t last = s->query->whole ? kth(s, (uint64_t)count, wanted) : 0, above = 0, put = 0;
	Tie *ties = malloc(((size_t)count + 1) * sizeof(Tie));
	bool fine = ties != NULL;
	for (int64_t i = 0; fine && i < count; i++) {
		if (i + AHEAD < count && tally[i + AHEAD].count >= last) {
			__builtin_prefetch(s->index->facts + (uint64_t)kept[i + AHEAD] * FACTS);
		}
		bool whole = s->query->whole && tally[i].whole;
		if (whole && tally[i].count == last && last) {
			ties[put++] = (Tie){fact(s->index, kept[i], DISTINCT), fact(s->index, kept[i], ORDER), kept[i]};
		} else if (!whole || tally[i].count >= last) {
			above += whole;
			fine = add_hit(s, kept[i], tally[i].count);
		}
	}
	int64_t more = (int64_t)wanted - above < put ? (int64_t)wanted - above : put;
	if (fine && more < put) {
		select_first(ties, put, more);
	}
	for (int64_t i = 0; fine && i < more; i++) {
		fine = add_hit(s, ties[i].place, last);
	}
	free(ties);
	return fine;
}

bool by_values(Search *s, uint64_t wanted) {
	s->room = take_room((Index *)s->index);
	if (!s->room) {
		SAY_TO(s, NO_MEMORY);
		return false;
	}
	int64_t count = count_columns(s, wanted);
	bool fine = count >= 0 && add_best(s, count, wanted);
	if (fine) {
		sort(s->hits, (size_t)s->count, sizeof(Hit), most_contained, s->index);
		s->count = s->count < (int64_t)wanted ? s->count : (int64_t)wanted;
	} else if (!*s->message) {
		SAY_TO(s, DAMAGED);
	}
	return fine;
}

void leave_room(Search *s, bool fine) {
	if (!s->room) {
		return;
	}
	for (uint64_t i = 0; fine && i < s->met_count; i++) {
		s->room->counts[s->room->met[i]] = 0;
	}
	give_room((Index *)s->index, s->room, fine);
}
