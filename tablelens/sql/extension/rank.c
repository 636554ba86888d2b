/* The probability of a join, and the order of hits: tablelens/discover/rank.py and joins.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "search.h"

static const double DETOUR = 0.6, NUMBERS = 0.7, SURE = 0.85;
enum { TENTH = 10, EVERY = 5 };

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

static bool of_text(const Search *s, uint64_t place) {
	return FAMILY(fact(s->index, place, FLAGS)) == TEXT_FAMILY;
}

static bool over_numbers(const Search *s, const Hit *hit) {
	return hit->form >= 0 && hit->containment < DIRECT && !of_text(s, s->bridges.forms[hit->form].bridges[0].far);
}

/* What a mode ranks by: tablelens/discover/joins.py. */
static double score_of(const Search *s, const Hit *hit, int64_t place) {
	switch (s->request->mode) {
	case EQUI:
		return hit->containment;
	case DEEPJOIN:
		return (double)(s->count - place);
	default: {
		bool direct = hit->containment >= DIRECT;
		double score = direct ? hit->probability * (1 + hit->containment) / 2 : hit->probability;
		if (s->query->family == TEXT_FAMILY && (!of_text(s, (uint64_t)hit->place) || over_numbers(s, hit))) {
			score *= NUMBERS; /* codes and names say more than numbers do */
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

static bool sure_detour(const Hit *hit) {
	return hit->containment < DIRECT && hit->probability >= SURE;
}

/* The tenth place and every fifth after it are kept for the first of the sure joins by meaning, as long as there are any. */
static bool with_detours(Search *s) {
	Hit *merged = malloc((size_t)(s->count + 1) * sizeof(Hit));
	int64_t base = 0, sure = 0; /* the next that is not merged yet, and the next of those that are sure */
	for (int64_t put = 0; merged && put < s->count; put++) {
		while (sure < s->count && !sure_detour(&s->hits[sure])) {
			sure++;
		}
		while (base < sure && sure_detour(&s->hits[base])) { /* was merged before its turn */
			base++;
		}
		bool kept = put >= TENTH - 1 && (put - TENTH + 1) % EVERY == 0 && sure < s->count;
		if (kept || base == sure) {
			base += base == sure;
			merged[put] = s->hits[sure++];
		} else {
			merged[put] = s->hits[base++];
		}
	}
	if (merged) {
		free(s->hits);
		s->hits = merged;
	}
	return merged != NULL;
}

double rounded(double value, int digits) {
	static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
	double many = value * tens[digits], whole = rint(many);
	if (fabs(many) < 1e9 && fabs(fabs(many - whole) - 0.5) > 1e-4) { /* no digits are needed to tell which is nearer */
		return whole / tens[digits];
	}
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
	double *five[] = {&hit->score, &hit->containment, &hit->reverse, &hit->jaccard, &hit->error};
	for (size_t i = 0; i < sizeof(five) / sizeof(five[0]); i++) {
		*five[i] = isnan(*five[i]) ? 0 : rounded(*five[i], 6);
	}
	hit->cosine = isnan(hit->cosine) ? NAN : rounded(hit->cosine, 6);
	if (hit->form >= 0 && hit->coverage > contained) {
		hit->bridges = bridges_to(index, q, &s->bridges, hit->form, place, hit->over);
	}
}

static int by_score(const void *a, const void *b, void *with) {
	const Hit *x = a, *y = b;
	if (x->score != y->score) {
		return x->score < y->score ? 1 : -1;
	}
	if (x->jaccard != y->jaccard) {
		return x->jaccard < y->jaccard ? 1 : -1;
	}
	int64_t first = fact(with, (uint64_t)x->place, ORDER), second = fact(with, (uint64_t)y->place, ORDER);
	return first < second ? -1 : first > second;
}

/* What later hits are weighed by lies far apart: it is on its way while these are weighed. Inline, as a compiler may take a
   call that only fetches for one that does nothing. */
static inline __attribute__((always_inline)) void fetch_ahead(const Search *s, int64_t i) {
	const Index *index = s->index;
	if (i + 12 < s->count) {
		int64_t place = s->hits[i + 12].place;
		__builtin_prefetch(index->facts + place * FACTS);
		__builtin_prefetch(index->name_starts + place);
		__builtin_prefetch(index->density + place);
		__builtin_prefetch(index->vector_at + place);
	}
	if (i + 6 < s->count && s->vector) {
		int64_t place = s->hits[i + 6].place;
		uint64_t at = index->vector_at[place];
		__builtin_prefetch((const void *)((uintptr_t)index->name_words + 8 * (uintptr_t)index->name_starts[place])); /* unchecked */
		if (index->kind == IVF && at != NOWHERE) {
			for (uint32_t line = 0; line < index->dimension; line += 64) {
				__builtin_prefetch(index->codes + at * index->dimension + line);
			}
			__builtin_prefetch(index->scales + at);
		}
	}
}

bool has_room(const Search *s, const Hit *before, int64_t count, const Hit *hit) {
	int64_t of_table = 0, most = s->request->per_table;
	for (int64_t i = 0; most && i < count; i++) {
		of_table += fact(s->index, (uint64_t)before[i].place, TABLE) == fact(s->index, (uint64_t)hit->place, TABLE);
	}
	return !most || of_table < most;
}

static void score(Search *s) {
	for (int64_t i = 0; i < s->count; i++) {
		Hit *hit = &s->hits[i];
		fetch_ahead(s, i);
		hit->cosine = s->vector ? cosine_with(s->index, (uint64_t)hit->place, s->vector) : NAN;
		int64_t said = judged(s, (uint64_t)hit->place);
		hit->probability = said >= 0 ? (double)said : probability(s, hit);
		hit->score = score_of(s, hit, i);
		if (said > 0 && s->request->mode != EQUI && s->request->pair < 0) { /* what people confirmed comes first */
			hit->score += (double)s->count;
		}
		hit->score = rounded(hit->score, 6); /* the last bits are no difference */
	}
}

static void drop_unlikely(Search *s) {
	int64_t kept = 0;
	for (int64_t i = 0; i < s->count; i++) {
		if (!(s->hits[i].probability < s->request->threshold)) {
			s->hits[kept++] = s->hits[i];
		}
	}
	s->count = kept;
}

/* What is shown as the score. */
static double shown_score(const Search *s, const Hit *hit) {
	return s->request->pair >= 0 ? hit->probability : s->request->mode == DEEPJOIN ? hit->cosine : hit->score;
}

bool rank(Search *s) {
	const Request *request = s->request;
	bool alone = request->pair >= 0;
	score(s);
	sort(s->hits, (size_t)s->count, sizeof(Hit), by_score, s->index);
	bool room = true;
	if (request->mode == AUTO && !alone) {
		drop_unlikely(s);
		room = s->query->family != TEXT_FAMILY || with_detours(s); /* numbers meet by accident */
	} else if (request->mode == SEMANTIC) {
		room = alternate(s);
	}
	if (!room || (request->diversity > 0 && !alone && !diversify(s))) {
		SAY_TO(s, NO_MEMORY);
		return false;
	}
	int64_t shown = 0;
	for (int64_t i = 0; i < s->count && shown < request->k; i++) {
		Hit hit = s->hits[i];
		if (has_room(s, s->hits, shown, &hit)) {
			hit.score = shown_score(s, &hit);
			finish(s, &hit);
			s->hits[shown++] = hit;
		}
	}
	s->count = shown;
	return true;
}
