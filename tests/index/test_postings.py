"""The inverted index against sets counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablelens.index import postings as module
from tablelens.index.postings import FULL, Postings

SETS = st.lists(st.sets(st.integers(0, 60), max_size=25), max_size=12)


def hashes(values):
    return np.array(sorted(values), np.uint64)


def index_of(sets):
    return Postings.build([hashes(values) for values in sets])


def assert_overlaps(sets, query, k, allowed=None):
    """All of the top k are there with their true counts; nothing is there that has another count."""
    index = index_of(sets)
    lets = None if allowed is None else lambda columns: np.isin(columns, list(allowed))
    found = index.overlaps(index.places(hashes(query)), k, lets)
    counts = dict(zip(found.columns.tolist(), found.counts.tolist(), strict=True))
    truth = {
        i: len(values & query) for i, values in enumerate(sets) if values & query and (allowed is None or i in allowed)
    }
    assert all(truth.get(column, 0) == count for column, count in counts.items())
    best = sorted(truth.values(), reverse=True)[:k]
    assert sorted((counts[i] for i in truth if i in counts), reverse=True)[:k] == best
    return len(counts), len(truth)


@given(SETS, st.sets(st.integers(0, 70)), st.integers(1, 15), st.none() | st.sets(st.integers(0, 12)))
def test_overlaps_equal_brute_force(sets, query, k, allowed):
    assert_overlaps(sets, query, k, allowed)


@given(
    SETS, st.sets(st.integers(0, 70)), st.integers(1, 15), st.none() | st.sets(st.integers(0, 12)), st.integers(0, 30)
)
def test_overlaps_equal_brute_force_where_common_values_are_held_back(sets, query, k, allowed, walk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WALK", walk)
        assert_overlaps(sets, query, k, allowed)


def test_common_values_are_bounded_away(monkeypatch):
    """Twenty columns hold the one common value, two hold the rare ones: the twenty cannot reach the top 2."""
    monkeypatch.setattr(module, "WALK", 10)
    sets = [*({0} for _ in range(20)), {0, 1, 2, 3}, {1, 2, 3}]
    assert assert_overlaps(sets, {0, 1, 2, 3}, 2) == (2, 22)


@given(SETS, st.sets(st.integers(0, 70)))
def test_count_in_equals_brute_force(sets, query):
    index = index_of(sets)
    columns = np.arange(len(sets))[::-1]
    counts = index.count_in(index.places(hashes(query)), columns)
    assert counts.tolist() == [len(sets[i] & query) for i in columns]


@given(SETS)
def test_every_column_keeps_its_values(sets):
    index = index_of(sets)
    assert len(index) == len(sets)
    assert [set(index.hashes_of(i).tolist()) for i in range(len(sets))] == sets
    assert index.values.tolist() == sorted(set().union(*sets))
    assert index.frequency(np.arange(len(index.values))).tolist() == [
        sum(value in values for values in sets) for value in index.values.tolist()
    ]


@given(SETS, st.sets(st.integers(0, 70)))
def test_places_are_those_of_the_values_that_are_there(sets, query):
    index = index_of(sets)
    assert index.values[index.places(hashes(query))].tolist() == sorted(query & set().union(*sets))


@given(sets=SETS)
def test_save_and_load(sets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("postings")
    index = index_of(sets)
    index.save(folder)
    again = Postings.load(folder)
    for name in module.ARRAYS:
        np.testing.assert_array_equal(getattr(index, name), getattr(again, name))


def test_limits_are_the_last_hash_of_a_sketch():
    sets = [hashes({1, 2}), hashes({3, 9}), hashes(set())]
    index = Postings.build(sets, np.array([True, False, False]))
    assert index.limits.tolist() == [FULL, 9, FULL]


def test_hashes_at_the_ends_of_the_range():
    top = 2**64 - 1
    assert_overlaps([{0, top}, {top}], {0, top}, 5)
