import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tablelens.training.mine import Pairs, mine_equal, mine_semantic

sets_strategy = st.lists(st.sets(st.integers(0, 25), max_size=12), min_size=1, max_size=9)


def hashes(values):
    return np.array(sorted(values), np.uint64)


@settings(max_examples=80, deadline=None)
@given(sets_strategy, st.data())
def test_pairs_are_those_that_counting_finds(sets, data):
    tables = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(sets), max_size=len(sets))))
    pairs = mine_equal([hashes(one) for one in sets], tables, least=0.25)
    expected = {
        (q, x): len(sets[q] & sets[x]) / len(sets[q])
        for q in range(len(sets))
        for x in range(len(sets))
        if tables[q] != tables[x] and sets[q] and len(sets[q] & sets[x]) >= max(0.25 * len(sets[q]), 1)
    }
    found = dict(zip(zip(pairs.queries.tolist(), pairs.partners.tolist(), strict=True), pairs.joinability, strict=True))
    assert found == pytest.approx(expected)
    for query in range(len(sets)):
        partners, _ = pairs.of(query)
        assert (np.diff(partners) > 0).all()


def test_no_columns_and_no_pairs():
    assert len(mine_equal([], np.empty(0, np.int64))) == 0
    assert len(mine_equal([hashes([1]), hashes([2])], np.array([0, 1]))) == 0


def test_cells_match_within_tau():
    angle = np.deg2rad([0, 10, 50, 180])
    points = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    cells = [points[:1], points[1:3], points[3:]]
    whole = np.stack([part.mean(0) / np.linalg.norm(part.mean(0)) for part in cells])
    tables = np.arange(3)
    near = mine_semantic(cells, whole, tables, tau=0.2, least=0.5, near=2)
    assert list(zip(near.queries, near.partners, near.joinability, strict=True)) == [(0, 1, 1.0), (1, 0, 0.5)]
    looser = mine_semantic(cells, whole, tables, tau=0.9, least=0.5, near=2)
    assert looser.of(1)[1].tolist() == [1.0]
    assert len(mine_semantic(cells, whole, np.zeros(3, np.int64), tau=2, least=0.1)) == 0


def test_what_people_say_counts():
    sets = [hashes([1, 2]), hashes([1, 2]), hashes([9])]
    pairs = mine_equal(sets, np.arange(3)).judged([(0, 1, False), (2, 0, True)])
    assert list(zip(pairs.queries.tolist(), pairs.partners.tolist(), strict=True)) == [(0, 2), (2, 0)]
    assert pairs.judged([]) is pairs


def test_of_two_joinabilities_the_greater_stays():
    one = mine_equal([hashes([1, 2, 3, 4]), hashes([1])], np.arange(2))
    two = Pairs(one.starts, one.partners, np.full(len(one), 0.5, np.float32))
    assert one.merged(two).joinability.tolist() == [0.5, 1.0]
