"""The baselines that compare sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablelens.bench.jaccard import by_jaccard, grams
from tablelens.index.postings import Postings

CELLS = st.lists(st.text(max_size=6), max_size=5)


def windows(cells):
    """The 3-grams, one by one, of cells in plain letters."""
    padded = [f" {cell.lower().strip()} " for cell in cells]
    return {cell[i : i + 3] for cell in padded for i in range(len(cell) - 2)}


@given(st.lists(st.text("abcXYZ 01", max_size=6), max_size=5))
def test_grams_are_those_of_a_window(cells):
    assert len(grams(cells)) == len(windows(cells))


@given(CELLS)
def test_grams_do_not_cross_cells_or_depend_on_their_order(cells):
    found = grams(cells)
    assert (np.diff(found.astype(object)) > 0).all()
    assert grams(cells[::-1]).tolist() == found.tolist()
    apart = [grams([cell]) for cell in cells]
    assert set(found.tolist()) == {gram for part in apart for gram in part.tolist()}


def test_hostile_cells_have_grams_too():
    assert len(grams(["\n\n", "\ud800", "\U0010ffff", ""])) > 0


@given(st.lists(CELLS, min_size=1, max_size=5), CELLS)
def test_the_index_is_that_of_the_sets(columns, query):
    sets, asked = [grams(column) for column in columns], grams(query)
    found, scores = by_jaccard(Postings.build(sets), asked)
    for place, column in enumerate(sets):
        shared, both = np.intersect1d(column, asked), np.union1d(column, asked)
        assert (place in found) == (len(shared) > 0)
        if len(shared):
            assert scores[found == place] == pytest.approx(len(shared) / len(both))
