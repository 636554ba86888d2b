/* Which columns may be hits at all: tablelens/discover/allowed.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search.h"

enum { INTEGER_KIND = 1, FEWEST = 3 };

/* Whether a column is of the kind, the lake and the tables that the request names; a table is looked at once. */
bool passes(const Search *s, uint64_t place) {
	if (s->request->kind >= 0 && KIND(s->index->glance[place]) != s->request->kind) {
		return false;
	}
	if (!s->filter) {
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
	if (s->request->tables.at && !s->filter->seen[table]) {
		s->filter->seen[table] = matches(s->request->tables, name_of(s->index, place, TABLE_NAME)) ? 1 : 2;
	}
	return !s->request->tables.at || s->filter->seen[table] == 1;
}

static bool enough(const Search *s, uint64_t place) {
	uint16_t glance = s->index->glance[place];
	return seems_enough(s, glance) && (s->strength < STRONG || (s->request->mode == AUTO && KEY(glance)) ||
	                                   fact(s->index, place, STRENGTH) >= s->request->min_distinct);
}

static bool is_own(const Search *s, uint64_t place) {
	return place >= s->own_from && place < s->own_to;
}

bool allowed(const Search *s, uint64_t place) {
	return seems_allowed(s, s->index->glance[place]) && (s->strength < STRONG || enough(s, place)) && !is_own(s, place) && passes(s, place);
}

double share_allowed(const Search *s) {
	const Index *index = s->index;
	bool glanced = !s->filter && s->request->kind < 0 && s->strength < STRONG; /* nothing else is to be looked at */
	uint64_t let = 0;
	for (size_t i = 0; i < index->sampled; i++) {
		let += seems_allowed(s, index->sample_glance[i]) && (glanced ? !is_own(s, index->sample[i]) : allowed(s, index->sample[i]));
	}
	return index->sampled ? (double)let / (double)index->sampled : 0;
}

/* Columns that may be reached over a bridge though they hold values of another family, as codes and names do. */
bool allowed_anyhow(const Search *s, uint64_t place) {
	const Index *index = s->index;
	uint16_t glance = index->glance[place];
	bool named = FAMILY(glance) == TEXT_FAMILY && enough(s, place);
	bool numbered = FAMILY(glance) == NUMBER_FAMILY && KIND(glance) == INTEGER_KIND && fact(index, place, DISTINCT) >= FEWEST &&
	                says_identifier(index, place);
	return !s->query->excluded && USABLE(glance) && (named || numbered) && !is_own(s, place) && passes(s, place);
}

/* They have no part in mode deepjoin, which is the paper's. */
int64_t judged(const Search *s, uint64_t place) {
	for (size_t i = 0; s->request->mode != DEEPJOIN && i < s->request->judged_count; i++) {
		if (s->request->judged[i].place == place) {
			return s->request->judged[i].joins;
		}
	}
	return -1;
}

/* What `allowed` looks at. A table's columns lie together. */
static void take_glance(Search *s) {
	const Query *q = s->query;
	s->glance = q->excluded ? UINT16_MAX : (uint16_t)(q->family | USABLE_BIT);
	int64_t least = s->request->min_distinct;
	s->strength = (uint16_t)(least < 0 ? 0 : least < STRONG ? least : STRONG);
	if (q->place < 0) {
		return;
	}
	s->own_from = s->own_to = (uint64_t)q->place;
	while (s->own_from && fact(s->index, s->own_from - 1, TABLE) == q->table) {
		s->own_from--;
	}
	while (s->own_to < s->index->columns && fact(s->index, s->own_to, TABLE) == q->table) {
		s->own_to++;
	}
}

static bool same(Name a, Name b) {
	return a.at && b.at ? a.length == b.length && !memcmp(a.at, b.at, a.length) : a.at == b.at;
}

static bool is_taken(const Filter *filter, const Request *request) {
	return filter->seen && same(filter->lake, request->lake) && same(filter->tables, request->tables);
}

bool take_again(Search *s) {
	Filter *filter = s->filter;
	if (!filter || is_taken(filter, s->request)) {
		return true;
	}
	free(filter->seen);
	*filter = (Filter){s->request->lake, s->request->tables, calloc(s->index->texts + 1, 1)};
	if (!filter->seen) {
		SAY_TO(s, NO_MEMORY);
	}
	return filter->seen != NULL;
}

/* A lake that is not there and a pattern that no table matches are errors. */
static bool means_some(Search *s) {
	Name lake = s->request->lake, tables = s->request->tables;
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

bool take_filters(Search *s, Filter *filter) {
	take_glance(s);
	if (!s->request->lake.at && !s->request->tables.at) {
		return true;
	}
	s->filter = filter;
	return is_taken(filter, s->request) || (means_some(s) && take_again(s));
}
