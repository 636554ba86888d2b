#define _GNU_SOURCE
#include "joins.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridges.h"
#include "text.h"

#define SAY(...) snprintf(message, MESSAGE, __VA_ARGS__)
#define SAY_TO(s, text) snprintf((s)->message, MESSAGE, "%s", text)
static const char *const DAMAGED = "the index is damaged. Hint: crawl again: no file is read anew";
enum { WALK = 1500000, WEIGHED = 50000, FEWEST = 3, INTEGER_KIND = 1 };

static int up(const void *a, const void *b) {
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static int up32(const void *a, const void *b) {
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static int down64(const void *a, const void *b) {
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? 1 : x > y ? -1 : 0;
}

/* qsort_r of what may be nothing at all. */
static void sort(void *items, size_t count, size_t size, int (*order)(const void *, const void *, void *), const Index *with) {
	if (count) {
		qsort_r(items, count, size, order, (void *)with);
	}
}

/* How many of `values`, ascending, a column holds; -1 where the index is damaged. */
static int64_t count_in(const Index *index, const uint32_t *values, uint64_t count, uint64_t place) {
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

/* How many hashes lie up to a bound. */
static double up_to(const uint64_t *hashes, uint64_t count, uint64_t bound) {
	uint64_t low = 0, high = count;
	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (hashes[middle] <= bound) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return (double)low;
}

static double column_up_to(const Index *index, uint64_t place, uint64_t bound) {
	Run own;
	if (!own_of(index, place, &own)) {
		return 0;
	}
	uint64_t low = 0, high = own.count;
	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (own.at[middle] < index->values && index->value[own.at[middle]] <= bound) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return (double)low;
}

/* one search --------------------------------------------------------------------------------------------------- */

typedef struct {
	const Index *index;
	const Query *query;
	const Request *request;
	uint32_t *values; /* places of the query's values that the lake holds, ascending */
	uint64_t value_count;
	float *vector; /* of length 1, or NULL */
	float *other;  /* room for one more */
	uint32_t *counts; /* by column */
	uint32_t *met;    /* columns whose count is not 0 */
	uint64_t met_count;
	bool complete; /* counts are those of all values */
	uint8_t *filtered; /* by text: 1 for the name of a table that may be a hit, 2 for one that may not; NULL without filters */
	Bridges bridges;
	Hit *hits;
	int64_t count, room;
	char *message;
} Search;

/* Whether a column is of the kind, the lake and the tables that the request names; a table is looked at once. */
static bool passes(const Search *s, uint64_t place) {
	if (s->request->kind >= 0 && KIND(fact(s->index, place, FLAGS)) != s->request->kind) {
		return false;
	}
	if (!s->filtered) {
		return true;
	}
	uint32_t table = s->index->named[place * NAMINGS + TABLE_NAME], lake = s->index->named[place * NAMINGS + LAKE];
	if (table >= s->index->texts || lake >= s->index->texts) {
		return false;
	}
	if (s->request->lake.at) {
		Name own = name_of(s->index, place, LAKE);
		if (own.length != s->request->lake.length || memcmp(own.at, s->request->lake.at, own.length)) {
			return false;
		}
	}
	if (s->request->tables.at && !s->filtered[table]) {
		s->filtered[table] = matches(s->request->tables, name_of(s->index, place, TABLE_NAME)) ? 1 : 2;
	}
	return !s->request->tables.at || s->filtered[table] == 1;
}

static bool allowed(const Search *s, uint64_t place) {
	const Index *index = s->index;
	int64_t flags = fact(index, place, FLAGS);
	bool enough = fact(index, place, STRENGTH) >= s->request->min_distinct ||
	              (s->request->mode == AUTO && KEY(flags) && fact(index, place, DISTINCT) >= 2);
	return enough && !s->query->excluded && USABLE(flags) && FAMILY(flags) == s->query->family &&
	       fact(index, place, TABLE) != s->query->table && passes(s, place);
}

/* Columns that may be reached over a bridge though they hold values of another family, as codes and names do. */
static bool allowed_anyhow(const Search *s, uint64_t place) {
	const Index *index = s->index;
	int64_t flags = fact(index, place, FLAGS);
	bool enough = fact(index, place, STRENGTH) >= s->request->min_distinct ||
	              (s->request->mode == AUTO && KEY(flags) && fact(index, place, DISTINCT) >= 2);
	bool named = FAMILY(flags) == TEXT_FAMILY && enough;
	bool numbered = FAMILY(flags) == NUMBER_FAMILY && KIND(flags) == INTEGER_KIND && fact(index, place, DISTINCT) >= FEWEST &&
	                says_identifier(index, place);
	return !s->query->excluded && USABLE(flags) && (named || numbered) && fact(index, place, TABLE) != s->query->table && passes(s, place);
}

/* What people said of a column, 1 or 0, or -1. They have no part in mode deepjoin, which is the paper's. */
static int64_t judged(const Search *s, uint64_t place) {
	for (size_t i = 0; s->request->mode != DEEPJOIN && i < s->request->judged_count; i++) {
		if (s->request->judged[i].place == place) {
			return s->request->judged[i].joins;
		}
	}
	return -1;
}

/* Fills a hit with what is counted on a column that shares so many values. */
static void weigh(const Search *s, uint64_t place, int64_t shared, Hit *hit) {
	const Index *index = s->index;
	const Query *q = s->query;
	bool whole = WHOLE(fact(index, place, FLAGS));
	double full = (double)(q->distinct > 1 ? q->distinct : 1), theirs_full = (double)fact(index, place, DISTINCT);
	theirs_full = theirs_full > 1 ? theirs_full : 1;
	double mine = (double)(q->size ? q->size : 1), theirs = theirs_full, error = 0;
	if (!whole || !q->whole) {
		uint64_t limit = q->limit < index->limits[place] ? q->limit : index->limits[place];
		mine = up_to(q->hashes, q->size, limit);
		theirs = limit == UINT64_MAX ? (double)fact(index, place, DISTINCT) : column_up_to(index, place, limit);
		error = 0.5 / sqrt(mine > 1 ? mine : 1);
	}
	double containment = (double)shared / (mine > 1 ? mine : 1), reverse = (double)shared / (theirs > 1 ? theirs : 1);
	containment = containment < 1 ? containment : 1;
	reverse = reverse < 1 ? reverse : 1;
	double both = containment * full < theirs_full ? containment * full : theirs_full;
	double either = full + theirs_full - both;
	*hit = (Hit){.place = (int64_t)place, .form = -1, .containment = containment, .reverse = reverse, .error = error};
	hit->jaccard = both / (either > 1 ? either : 1);
	hit->overlap = (int64_t)rint(both);
	hit->cosine = NAN;
}

static bool add_hit(Search *s, uint64_t place, int64_t shared) {
	if (shared < 0) {
		snprintf(s->message, MESSAGE, "%s", DAMAGED);
		return false;
	}
	if (s->count == s->room) {
		int64_t room = s->room ? 2 * s->room : 512;
		Hit *grown = realloc(s->hits, (size_t)room * sizeof(Hit));
		if (!grown) {
			snprintf(s->message, MESSAGE, "out of memory");
			return false;
		}
		s->hits = grown;
		s->room = room;
	}
	weigh(s, place, shared, &s->hits[s->count++]);
	return true;
}

/* the value arm ------------------------------------------------------------------------------------------------ */

static bool find_values(Search *s) {
	const Index *index = s->index;
	Run own = {0};
	bool inside = s->query->place >= 0;
	if (inside && !own_of(index, (uint64_t)s->query->place, &own)) {
		SAY_TO(s, DAMAGED);
		return false;
	}
	uint64_t most = inside ? own.count : s->query->size;
	s->values = malloc((most + 1) * sizeof(uint32_t));
	if (!s->values) {
		SAY_TO(s, "out of memory");
		return false;
	}
	for (uint64_t i = 0; i < most; i++) {
		if (inside) {
			if (own.at[i] >= index->values) {
				SAY_TO(s, DAMAGED);
				return false;
			}
			s->values[s->value_count++] = own.at[i];
			continue;
		}
		uint64_t at = (uint64_t)up_to(index->value, index->values, s->query->hashes[i]);
		if (at && index->value[at - 1] == s->query->hashes[i]) {
			s->values[s->value_count++] = (uint32_t)(at - 1);
		}
	}
	return true;
}

typedef struct {
	uint64_t reach;
	uint32_t value;
} Reach;

static int rare_first(const void *a, const void *b) {
	const Reach *x = a, *y = b;
	if (x->reach != y->reach) {
		return x->reach < y->reach ? -1 : 1;
	}
	return x->value < y->value ? -1 : 1;
}

/* Adds the columns of some values to the counts, and columns that are new to `met`. */
static bool walk(Search *s, const Reach *values, uint64_t count, uint32_t *met, uint64_t *met_count) {
	for (uint64_t i = 0; i < count; i++) {
		Run run;
		if (!holders_of(s->index, values[i].value, &run)) {
			SAY_TO(s, DAMAGED);
			return false;
		}
		for (uint64_t j = 0; j < run.count; j++) {
			if (run.at[j] >= s->index->columns) {
				SAY_TO(s, DAMAGED);
				return false;
			}
			if (!s->counts[run.at[j]]++) {
				met[(*met_count)++] = run.at[j];
			}
		}
	}
	return true;
}

/* The k-th greatest count of some columns, 0 where they are fewer. */
static int64_t kth(const Search *s, const uint32_t *places, uint64_t count, uint64_t k) {
	if (k > count) {
		return 0;
	}
	int64_t *counts = malloc(count * sizeof(int64_t));
	if (!counts) {
		return 0;
	}
	for (uint64_t i = 0; i < count; i++) {
		counts[i] = s->counts[places[i]];
	}
	qsort(counts, count, sizeof(int64_t), down64);
	int64_t found = counts[k - 1];
	free(counts);
	return found;
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

/* Counts the columns of the first so many values; those that are allowed are put into `kept`. -1 where it fails. */
static int64_t count_allowed(Search *s, const Reach *values, uint64_t count, uint32_t **kept) {
	uint64_t most = 0;
	for (uint64_t i = 0; i < count; i++) {
		most += values[i].reach;
	}
	most = most < s->index->columns ? most : s->index->columns;
	free(s->met);
	free(*kept);
	s->met_count = 0;
	s->met = malloc((most + 1) * sizeof(uint32_t));
	*kept = malloc((most + 1) * sizeof(uint32_t));
	if (!s->met || !*kept) {
		SAY_TO(s, "out of memory");
		return -1;
	}
	if (!walk(s, values, count, s->met, &s->met_count)) {
		return -1;
	}
	int64_t put = 0;
	for (uint64_t i = 0; i < s->met_count; i++) {
		if (allowed(s, s->met[i])) {
			(*kept)[put++] = s->met[i];
		}
	}
	return put;
}

/* Adds the common values to the counts of columns that could still be among the best. How many these are, -1 for damage. */
static int64_t count_rivals(Search *s, const Reach *values, uint64_t rest, int64_t sure, uint32_t *kept, int64_t count) {
	uint32_t *heavy = malloc(rest * sizeof(uint32_t));
	int64_t rivals = heavy ? 0 : -1;
	for (uint64_t i = 0; heavy && i < rest; i++) {
		heavy[i] = values[i].value;
	}
	if (heavy) {
		qsort(heavy, rest, sizeof(uint32_t), up32);
	}
	for (int64_t i = 0; i < count && rivals >= 0; i++) {
		if ((int64_t)s->counts[kept[i]] < sure - (int64_t)rest) {
			continue;
		}
		int64_t more = count_in(s->index, heavy, rest, kept[i]);
		s->counts[kept[i]] += more < 0 ? 0 : (uint32_t)more;
		kept[rivals] = kept[i];
		rivals = more < 0 ? -1 : rivals + 1;
	}
	free(heavy);
	return rivals;
}

/* The values of the query, rare ones first; NULL where it fails. */
static Reach *order_values(Search *s) {
	Reach *reach = malloc((s->value_count + 1) * sizeof(Reach));
	for (uint64_t i = 0; reach && i < s->value_count; i++) {
		Run run;
		if (!holders_of(s->index, s->values[i], &run)) {
			free(reach);
			return NULL;
		}
		reach[i] = (Reach){run.count, s->values[i]};
	}
	if (reach) {
		qsort(reach, s->value_count, sizeof(Reach), rare_first);
	}
	return reach;
}

/* The `wanted` columns with the greatest containment, exactly; common values are not walked where a bound shows that no
   other column can come among them (JOSIE, Zhu et al., SIGMOD 2019). */
static bool by_values(Search *s, uint64_t wanted) {
	Reach *reach = order_values(s);
	uint32_t *kept = NULL;
	uint64_t light = 0, sum = 0;
	s->counts = take_counts((Index *)s->index);
	while (reach && light < s->value_count && sum + reach[light].reach <= WALK) {
		sum += reach[light++].reach;
	}
	int64_t count = reach && s->counts ? count_allowed(s, reach, light, &kept) : -1;
	uint64_t rest = s->value_count - light;
	s->complete = true;
	if (count >= 0 && rest) {
		int64_t sure = kth(s, kept, (uint64_t)count, wanted);
		if (sure <= (int64_t)rest) { /* an unseen column could still be among them */
			memset(s->counts, 0, s->index->columns * sizeof(uint32_t));
			count = count_allowed(s, reach, s->value_count, &kept);
		} else {
			s->complete = false;
			count = count_rivals(s, reach + light, rest, sure, kept, count);
		}
	}
	bool fine = count >= 0;
	int64_t last = fine && s->query->whole ? kth(s, kept, (uint64_t)count, wanted) : 0;
	for (int64_t i = 0; fine && i < count; i++) {
		if ((int64_t)s->counts[kept[i]] >= last || !WHOLE(fact(s->index, kept[i], FLAGS))) {
			fine = add_hit(s, kept[i], s->counts[kept[i]]);
		}
	}
	if (fine) {
		sort(s->hits, (size_t)s->count, sizeof(Hit), most_contained, s->index);
		s->count = s->count < (int64_t)wanted ? s->count : (int64_t)wanted;
	} else if (!*s->message) {
		SAY_TO(s, DAMAGED);
	}
	free(reach);
	free(kept);
	return fine;
}

/* Gives the counts back, all 0 again; where something failed it is not known which are not. */
static void leave_counts(Search *s, bool fine) {
	for (uint64_t i = 0; fine && s->counts && i < s->met_count; i++) {
		s->counts[s->met[i]] = 0;
	}
	if (fine) {
		give_counts((Index *)s->index, s->counts);
	} else {
		free(s->counts);
	}
	free(s->met);
}

/* the vector arm ----------------------------------------------------------------------------------------------- */

typedef struct {
	uint32_t place;
	float score;
} Scored;

/* A score that can be ordered; a damaged vector gives one that cannot. */
static float ordered(float score) {
	return isnan(score) ? -INFINITY : score;
}

static int best_score(const void *a, const void *b, void *with) {
	const Scored *x = a, *y = b;
	double first_score = rint(x->score * 1e6), second_score = rint(y->score * 1e6); /* the last bits are no difference */
	if (first_score != second_score) {
		return first_score < second_score ? 1 : -1;
	}
	int64_t first = fact(with, x->place, ORDER), second = fact(with, y->place, ORDER);
	return first < second ? -1 : first > second;
}

/* The nearest columns that are allowed, asking for more until they are enough. */
static int64_t near_allowed(Search *s, uint64_t wanted, double share, Scored **to) {
	const Index *index = s->index;
	uint64_t ask = (uint64_t)((double)wanted / (share > 0.01 ? share : 0.01)) + 50;
	while (true) {
		ask = ask < index->vectors ? ask : index->vectors;
		Near *found = malloc((ask + 1) * sizeof(Near));
		*to = malloc((ask + 1) * sizeof(Scored));
		int64_t count = found && *to ? nearest(index, s->vector, ask, found, s->message) : -1, kept = 0;
		for (int64_t i = 0; i < count; i++) {
			if (found[i].place != NOWHERE && allowed(s, found[i].place)) {
				(*to)[kept++] = (Scored){found[i].place, ordered(found[i].score)};
			}
		}
		free(found);
		if (count < 0) {
			return -1;
		}
		if (kept >= (int64_t)wanted || count < (int64_t)ask || ask == index->vectors) {
			return kept;
		}
		free(*to);
		*to = NULL;
		ask *= 4;
	}
}

/* All allowed columns that have a vector, weighed; -1 where they are too many for that, -2 where memory ran out. */
static int64_t weigh_allowed(Search *s, Scored **to) {
	*to = malloc(WEIGHED * sizeof(Scored));
	int64_t kept = 0;
	for (uint64_t i = 0; *to && i < s->index->vectors; i++) {
		uint32_t place = s->index->placed[i];
		if (place == NOWHERE || !allowed(s, place) || !vector_of(s->index, place, s->other)) {
			continue;
		}
		if (kept == WEIGHED) {
			free(*to);
			*to = NULL;
			return -1;
		}
		(*to)[kept++] = (Scored){place, ordered(dot(s->other, s->vector, s->index->dimension))};
	}
	return *to ? kept : -2;
}

static int64_t count_one(const Search *s, uint64_t place);

static bool by_vector(Search *s, uint64_t wanted) {
	const Index *index = s->index;
	uint64_t let = 0;
	for (size_t i = 0; i < index->sampled; i++) {
		let += allowed(s, index->sample[i]);
	}
	double share = index->sampled ? (double)let / (double)index->sampled : 0;
	Scored *near = NULL;
	int64_t count = share < 0.02 ? weigh_allowed(s, &near) : -1;
	if (count == -1) {
		count = near_allowed(s, wanted, share, &near);
	}
	if (count < 0) {
		free(near);
		if (!*s->message) {
			SAY_TO(s, "out of memory");
		}
		return false;
	}
	for (int64_t i = 0; i < count && s->request->mode == SEMANTIC; i++) {
		if (vector_of(index, near[i].place, s->other)) {
			float length = sqrtf(dot(s->other, s->other, index->dimension));
			near[i].score = ordered(near[i].score / (length > 1e-9F ? length : 1e-9F));
		}
	}
	sort(near, (size_t)count, sizeof(Scored), best_score, index);
	count = count < (int64_t)wanted ? count : (int64_t)wanted;
	int64_t before = s->count;
	bool fine = true;
	for (int64_t i = 0; i < count && fine; i++) {
		bool there = false;
		for (int64_t j = 0; j < before && !there; j++) {
			there = s->hits[j].place == near[i].place;
		}
		if (!there) {
			fine = add_hit(s, near[i].place, count_one(s, near[i].place));
		}
	}
	free(near);
	return fine;
}

/* bridges and verdicts ----------------------------------------------------------------------------------------- */

/* Values that a column shares with the query; where all were counted, those of other families were not. */
static int64_t count_one(const Search *s, uint64_t place) {
	if (s->counts && s->complete) {
		return allowed(s, place) ? s->counts[place] : 0;
	}
	return count_in(s->index, s->values, s->value_count, place);
}

static int hits_by_place(const void *a, const void *b, void *with) {
	(void)with;
	const Hit *x = a, *y = b;
	return x->place < y->place ? -1 : x->place > y->place;
}

/* Columns that bridges lead to are hits too; those that are hits already get to know of their bridge. */
static bool by_bridge(Search *s, uint64_t wanted) {
	if (!find_bridges(s->index, s->query, s->values, s->value_count, wanted, s->request->pair, &s->bridges)) {
		SAY_TO(s, DAMAGED);
		return false;
	}
	int64_t before = s->count;
	sort(s->hits, (size_t)before, sizeof(Hit), hits_by_place, s->index);
	bool fine = true;
	for (size_t i = 0, at = 0; i < s->bridges.arrived && fine; i++) {
		const Arrival *arrival = &s->bridges.arrivals[i];
		while ((int64_t)at < before && s->hits[at].place < arrival->place) {
			at++;
		}
		Hit *hit = (int64_t)at < before && s->hits[at].place == arrival->place ? &s->hits[at] : NULL;
		if (!hit && allowed_anyhow(s, arrival->place)) {
			fine = add_hit(s, arrival->place, count_one(s, arrival->place));
			hit = fine ? &s->hits[s->count - 1] : NULL;
		}
		if (hit) {
			hit->form = arrival->form;
			hit->coverage = arrival->coverage;
		}
	}
	return fine;
}

/* What people denied is no hit; what they confirmed is one. */
static bool by_verdicts(Search *s) {
	int64_t kept = 0;
	for (int64_t i = 0; i < s->count; i++) {
		if (judged(s, (uint64_t)s->hits[i].place) != 0) {
			s->hits[kept++] = s->hits[i];
		}
	}
	s->count = kept;
	bool fine = true;
	for (size_t v = 0; v < s->request->judged_count && fine; v++) {
		uint32_t place = s->request->judged[v].place;
		bool there = !s->request->judged[v].joins || !passes(s, place);
		for (int64_t i = 0; i < s->count && !there; i++) {
			there = s->hits[i].place == place;
		}
		fine = there || add_hit(s, place, count_in(s->index, s->values, s->value_count, place));
	}
	return fine;
}

/* ranking ------------------------------------------------------------------------------------------------------ */

static double logistic(const double *weights, const double *signs, int count) {
	double sum = weights[0];
	for (int i = 0; i < count; i++) {
		sum += weights[i + 1] * signs[i];
	}
	return 1 / (1 + exp(-sum));
}

static double between(double low, double value, double high) {
	return value < low ? low : value > high ? high : value;
}

static double logit_of(double share, double n) {
	double shrunk = between(1e-3, (share * n - 0.5) / (n + 0.5), 1 - 1e-3);
	return log(shrunk / (1 - shrunk));
}

/* That the join over the hit's bridge is right. */
static double bridge_probability(const Search *s, const Hit *hit, double cosine) {
	const Form *form = &s->bridges.forms[hit->form];
	const Index *index = s->index;
	double n = (double)s->query->distinct, theirs = (double)fact(index, (uint64_t)hit->place, DISTINCT);
	uint64_t near = form->bridges[0].near, far = form->bridges[0].far;
	int64_t start = index->name_starts[far], end = index->name_starts[far + 1];
	bool sound = start >= 0 && end >= start && (uint64_t)end <= index->words;
	double near_name = alike_names(index, s->query->words, s->query->word_count, near);
	double far_name = sound ? alike_names(index, index->name_words + start, (uint64_t)(end - start), (uint64_t)hit->place) : 0;
	double own = fact(index, near, TABLE) == s->query->table, values = hit->coverage * n;
	double signs[BRIDGE] = {logit_of(hit->coverage, n),
	                        log(between(1e-2, values / (theirs > 1 ? theirs : 1), 1)),
	                        between(0, log2(form->witnesses), 3),
	                        form->single,
	                        form->apart < 1 ? form->apart : 1,
	                        log(between(1, values, 200)),
	                        near_name,
	                        far_name,
	                        own,
	                        cosine};
	return logistic(s->request->weights + EQUALITY + MEANING + 2, signs, BRIDGE);
}

/* tablelens/discover/rank.py: that the join is right by equal values, by meaning, or over a bridge. */
static double probability(const Search *s, const Hit *hit) {
	double n = (double)s->query->distinct, logit = logit_of(hit->containment, n), shrunk = 1 / (1 + exp(-logit));
	double cosine = isnan(hit->cosine) ? 0 : between(0, hit->cosine, 1);
	double names = alike_names(s->index, s->query->words, s->query->word_count, (uint64_t)hit->place);
	double text = s->query->family == TEXT_FAMILY;
	double key = (double)KEY(fact(s->index, (uint64_t)hit->place, FLAGS)), sparse = 1 - s->index->density[hit->place];
	double equality[EQUALITY] = {logit, cosine, names, key, text, sparse, names * (1 - text), between(0, (shrunk - 0.2) / 0.15, 1)};
	double meaning[MEANING] = {cosine, names, cosine * names};
	double none = 1 - logistic(s->request->weights, equality, EQUALITY);
	if (s->vector) {
		none *= 1 - logistic(s->request->weights + EQUALITY + 1, meaning, MEANING);
	}
	if (hit->form >= 0) {
		none *= 1 - bridge_probability(s, hit, cosine);
	}
	return isnan(none) ? 0 : 1 - none; /* of a damaged file */
}

static const double DIRECT = 0.3, DETOUR = 0.7;

/* What a mode ranks by: tablelens/discover/joins.py. */
static double score_of(const Search *s, const Hit *hit, int64_t place) {
	switch (s->request->mode) {
	case EQUI:
		return hit->containment;
	case DEEPJOIN:
		return (double)(s->count - place);
	default: {
		bool direct = hit->containment >= DIRECT;
		double arrives = direct || hit->containment > hit->coverage ? hit->containment : hit->coverage;
		double score = hit->probability * (1 + arrives) / 2;
		if (s->query->family == TEXT_FAMILY && FAMILY(fact(s->index, (uint64_t)hit->place, FLAGS)) != TEXT_FAMILY) {
			score *= DETOUR; /* codes and names say more than numbers do */
		}
		return s->request->mode == AUTO && !direct ? score * DETOUR : score;
	}
	}
}

/* Joins by equal values and joins by meaning take turns, so that neither hides the other. */
static bool alternate(Search *s) {
	Hit *turned = malloc((size_t)(s->count + 1) * sizeof(Hit));
	bool first = s->count && s->hits[0].containment >= DIRECT;
	int64_t at[2] = {0, 0}, put = 0;
	while (turned && put < s->count) {
		for (int turn = 0; turn < 2; turn++) {
			while (at[turn] < s->count && (s->hits[at[turn]].containment >= DIRECT) != (first ^ turn)) {
				at[turn]++;
			}
			if (at[turn] < s->count) {
				turned[put++] = s->hits[at[turn]++];
			}
		}
	}
	if (turned) {
		free(s->hits);
		s->hits = turned;
	}
	return turned != NULL;
}

static double rounded(double value, int digits) {
	char text[64];
	snprintf(text, sizeof(text), "%.*f", digits, value);
	return strtod(text, NULL);
}

static void finish(const Search *s, Hit *hit) {
	const Query *q = s->query;
	const Index *index = s->index;
	uint64_t place = (uint64_t)hit->place;
	bool unique = q->distinct == q->filled, theirs = fact(index, place, DISTINCT) == fact(index, place, FILLED);
	hit->cardinality = unique ? theirs ? "1:1" : "1:n" : theirs ? "n:1" : "n:m";
	int64_t n = q->distinct > 1 ? q->distinct : 1, m = fact(index, place, DISTINCT);
	double each = (double)q->filled / (double)n * (double)fact(index, place, FILLED) / (double)(m > 1 ? m : 1);
	hit->join_rows = (int64_t)rint((double)hit->overlap * each);
	hit->explosion = rounded((double)hit->join_rows / (double)(q->rows > 1 ? q->rows : 1), 3);
	hit->probability = rounded(hit->probability, 4);
	double contained = hit->containment;
	double *six[] = {&hit->score, &hit->containment, &hit->reverse, &hit->jaccard, &hit->error};
	for (size_t i = 0; i < sizeof(six) / sizeof(six[0]); i++) {
		*six[i] = isnan(*six[i]) ? 0 : rounded(*six[i], 6);
	}
	hit->cosine = isnan(hit->cosine) ? NAN : rounded(hit->cosine, 6);
	hit->over[0] = hit->over[1] = -1;
	if (hit->form >= 0 && hit->coverage > contained) {
		const Images *bridge = bridge_to(index, q, &s->bridges, hit->form, place);
		hit->over[0] = bridge->near;
		hit->over[1] = bridge->far;
	}
}

static int by_score(const void *a, const void *b, void *with) {
	const Hit *x = a, *y = b;
	double first_score = rint(x->score * 1e6), second_score = rint(y->score * 1e6); /* the last bits are no difference */
	if (first_score != second_score) {
		return first_score < second_score ? 1 : -1;
	}
	if (x->jaccard != y->jaccard) {
		return x->jaccard < y->jaccard ? 1 : -1;
	}
	int64_t first = fact(with, (uint64_t)x->place, ORDER), second = fact(with, (uint64_t)y->place, ORDER);
	return first < second ? -1 : first > second;
}

static bool rank(Search *s) {
	const Index *index = s->index;
	Mode mode = s->request->mode;
	for (int64_t i = 0; i < s->count; i++) {
		Hit *hit = &s->hits[i];
		if (s->vector && vector_of(index, (uint64_t)hit->place, s->other)) {
			float length = sqrtf(dot(s->other, s->other, index->dimension));
			hit->cosine = dot(s->other, s->vector, index->dimension) / (length > 1e-9F ? length : 1e-9F);
		}
		int64_t said = judged(s, (uint64_t)hit->place);
		hit->probability = said >= 0 ? (double)said : probability(s, hit);
		hit->score = score_of(s, hit, i);
		if (said > 0 && mode != EQUI && s->request->pair < 0) { /* what people confirmed comes first */
			hit->score += (double)s->count;
		}
	}
	sort(s->hits, (size_t)s->count, sizeof(Hit), by_score, index);
	if (mode == SEMANTIC && !alternate(s)) {
		SAY_TO(s, "out of memory");
		return false;
	}
	int64_t shown = 0;
	for (int64_t i = 0; i < s->count && shown < s->request->k; i++) {
		Hit hit = s->hits[i];
		if (s->request->pair < 0 && mode == AUTO && hit.probability < s->request->threshold) {
			continue;
		}
		int64_t of_table = 0;
		for (int64_t j = 0; s->request->per_table && j < shown; j++) {
			of_table += fact(index, (uint64_t)s->hits[j].place, TABLE) == fact(index, (uint64_t)hit.place, TABLE);
		}
		if (s->request->per_table && of_table >= s->request->per_table) {
			continue;
		}
		if (s->request->pair >= 0) {
			hit.score = hit.probability;
		} else if (mode == DEEPJOIN) {
			hit.score = hit.cosine;
		}
		finish(s, &hit);
		s->hits[shown++] = hit;
	}
	s->count = shown;
	return true;
}

/* Share of the lake's columns that hold the typical value of the query. */
static double hubness(const Search *s) {
	uint64_t *reach = malloc((s->value_count + 1) * sizeof(uint64_t));
	if (!reach || !s->value_count) {
		free(reach);
		return 0;
	}
	for (uint64_t i = 0; i < s->value_count; i++) {
		Run run = {0};
		holders_of(s->index, s->values[i], &run);
		reach[i] = run.count;
	}
	qsort(reach, s->value_count, sizeof(uint64_t), up);
	uint64_t n = s->value_count;
	double median = ((double)reach[(n - 1) / 2] + (double)reach[n / 2]) / 2;
	free(reach);
	return rounded(median / (double)s->index->columns, 6);
}

/* The query's own vector at length 1, where it has one. */
static bool take_vector(Search *s) {
	s->other = malloc(s->index->dimension * sizeof(float));
	s->vector = malloc(s->index->dimension * sizeof(float));
	if (!s->other || !s->vector) {
		SAY_TO(s, "out of memory");
		return false;
	}
	if (s->query->place < 0 || !vector_of(s->index, (uint64_t)s->query->place, s->vector)) {
		free(s->vector);
		s->vector = NULL;
		return true;
	}
	float length = sqrtf(dot(s->vector, s->vector, s->index->dimension));
	for (uint32_t i = 0; i < s->index->dimension; i++) {
		s->vector[i] /= length > 1e-9F ? length : 1e-9F;
	}
	return true;
}

/* Room for what is known of the filters; a lake that is not there and a pattern that no table matches are errors. */
static bool take_filters(Search *s) {
	Name lake = s->request->lake, tables = s->request->tables;
	if (!lake.at && !tables.at) {
		return true;
	}
	s->filtered = calloc(s->index->texts + 1, 1);
	if (!s->filtered) {
		SAY_TO(s, "out of memory");
		return false;
	}
	if (lake.at && !has_lake(s->index, lake)) {
		snprintf(s->message, MESSAGE, "unknown lake '%.*s'. Hint: FROM tablelens.lakes lists them", shown(lake), lake.at);
		return false;
	}
	bool any = !tables.at;
	for (uint64_t place = 0; !any && place < s->index->columns; place++) {
		any = (!place || s->index->named[place * NAMINGS + TABLE_NAME] != s->index->named[(place - 1) * NAMINGS + TABLE_NAME]) &&
		      matches(tables, name_of(s->index, place, TABLE_NAME));
	}
	if (!any) {
		snprintf(s->message, MESSAGE, "no table matches '%.*s'. Hint: FROM tablelens.tables lists them", shown(tables), tables.at);
	}
	return any;
}

bool find_joins(const Index *index, const Query *query, const Request *request, Answer *answer, char *message) {
	Search s = {.index = index, .query = query, .request = request, .message = message};
	*message = 0;
	Mode mode = request->mode;
	uint64_t wanted = (uint64_t)request->k;
	if ((mode == AUTO || mode == SEMANTIC) && request->candidates > request->k) {
		wanted = (uint64_t)request->candidates;
	}
	if (request->per_table && wanted < 20 * (uint64_t)request->k) {
		wanted = 20 * (uint64_t)request->k;
	}
	bool fine = take_filters(&s) && find_values(&s) && take_vector(&s);
	if (fine && request->pair >= 0) {
		fine = add_hit(&s, (uint64_t)request->pair, count_in(index, s.values, s.value_count, (uint64_t)request->pair)) && by_bridge(&s, 0);
	} else if (fine && !query->excluded) {
		fine = mode == DEEPJOIN || by_values(&s, wanted);
		if (fine && mode != EQUI && s.vector) {
			fine = by_vector(&s, mode == DEEPJOIN ? wanted : wanted / 2);
		}
		if (fine && (mode == AUTO || mode == SEMANTIC)) {
			fine = by_bridge(&s, wanted);
		}
	}
	if (fine && request->pair < 0 && mode != DEEPJOIN) {
		fine = by_verdicts(&s);
	}
	if (fine && rank(&s)) {
		*answer = (Answer){s.hits, s.count, hubness(&s)};
	} else {
		fine = false;
		free(s.hits);
	}
	free_bridges(&s.bridges);
	free(s.filtered);
	free(s.values);
	leave_counts(&s, fine);
	free(s.vector);
	free(s.other);
	return fine;
}
