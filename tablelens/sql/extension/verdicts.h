/* What people said of pairs of columns: the copy beside the catalogue, tablelens/catalog/verdicts.py. */
#pragma once
#include "joins.h"

/* For a column of the index: which others join with it and which do not, as far as people said so. Free it. False with a
   message where the file is damaged. */
bool judged_of(const Index *index, const char *path, int64_t place, Judged **found, size_t *count, char *message);
