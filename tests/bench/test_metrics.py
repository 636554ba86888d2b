"""Each measure against values worked out by hand."""

import math

import numpy as np
import pytest

from tablelens.bench import metrics
from tablelens.bench.pack import PackColumn, PackQuery, QuerySet


def gains(*values):
    return np.array(values, float)


@pytest.mark.parametrize(
    ("found", "ideal", "k", "expected"),
    [
        ((1.0, 0.8), (1.0, 0.8, 0.5), 2, 1.0),
        ((0.8, 1.0), (1.0, 0.8, 0.5), 2, 1.0),  # the order within the first k is not its business
        ((1.0, 0.5), (1.0, 0.8, 0.5), 2, 0.5),
        ((0.5, 0.5), (0.5, 0.5, 0.5, 0.5), 2, 1.0),  # any two of four that tie
        ((0.5, 0.5, 0.5), (1.0, 0.5, 0.5, 0.5), 3, 2 / 3),  # ties fill two places, the better one is missing
        ((1.0,), (1.0, 0.5), 10, 0.5),  # fewer candidates than k: over those that there are
        ((1.0, 0.0, 0.0), (1.0,), 3, 1.0),
        ((), (1.0, 0.5), 2, 0.0),
        ((0.5 + 1e-9, 0.0), (0.5,), 1, 1.0),  # closer than the tolerance
    ],
)
def test_precision(found, ideal, k, expected):
    assert metrics.precision(gains(*found), gains(*ideal), k) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("found", "k", "expected", "capped"),
    [
        ((0.9, 0.3, 0.1), 3, 2 / 3, 2 / 3),
        ((0.9,), 1, 1 / 3, 1.0),
        ((0.1, 0.0), 2, 0.0, 0.0),
        ((0.9, 0.4, 0.3), 10, 1.0, 1.0),
        ((), 10, 0.0, 0.0),
    ],
)
def test_recall(found, k, expected, capped):
    ideal = gains(0.9, 0.4, 0.3, 0.1)  # three partners at 0.3 or more
    assert metrics.recall(gains(*found), ideal, k, 0.3) == pytest.approx(expected)
    assert metrics.recall(gains(*found), ideal, k, 0.3, capped=True) == pytest.approx(capped)


def test_ndcg_by_hand():
    best = 1.0 + 0.5 / math.log2(3)
    assert metrics.ndcg(gains(1.0, 0.5), gains(1.0, 0.5), 2) == pytest.approx(1.0)
    assert metrics.ndcg(gains(0.5, 1.0), gains(1.0, 0.5), 2) == pytest.approx((0.5 + 1.0 / math.log2(3)) / best)
    assert metrics.ndcg(gains(0.0, 0.0, 1.0), gains(1.0, 0.5), 2) == 0.0
    assert metrics.ndcg(gains(0.0, 0.0, 1.0), gains(1.0, 0.5), 3) == pytest.approx(0.5 / best)
    assert metrics.ndcg(gains(), gains(1.0), 5) == 0.0


def test_what_divides_by_nothing_is_not_a_number():
    assert math.isnan(metrics.precision(gains(1.0), gains(), 10))
    assert math.isnan(metrics.ndcg(gains(1.0), gains(), 10))
    assert math.isnan(metrics.recall(gains(0.2), gains(0.2), 10, 0.3))


def test_reciprocal_rank():
    assert [metrics.reciprocal_rank([5, 6, 7], wanted) for wanted in (5, 7, 9)] == [1.0, 1 / 3, 0.0]


COLUMNS = {
    1: PackColumn("a", 0, "Town", True, False),
    2: PackColumn("a", 1, "town", True, False),
    3: PackColumn("b", 0, " TOWN", True, False),
    4: PackColumn("b", 1, "city", True, False),
    5: PackColumn("c", 0, "place", False, False),
}
QUERY = PackQuery("q", 1)


def query_set(gains, dropped=(), closed=False):
    return QuerySet("equi", (QUERY,), {"q": gains}, {"q": frozenset(dropped)}, 0.3, "text", closed)


def test_own_table_repeats_and_dropped_columns_never_count():
    assert metrics.admissible([1, 2, 3, 3, 4, 99, 5], QUERY, query_set({}), COLUMNS) == [3, 4, 5]
    assert metrics.admissible([3, 4, 5], QUERY, query_set({}, dropped=[3]), COLUMNS) == [4, 5]
    assert metrics.admissible([3, 4, 5], QUERY, query_set({}, closed=True), COLUMNS) == [3, 4]


def test_score_of_a_ranking():
    (one, two) = metrics.score([2, 5, 3, 4], QUERY, query_set({3: 1.0, 4: 0.4}), COLUMNS, (1, 3))
    assert (one.k, one.precision, one.recall, one.capped_recall, one.ndcg) == (1, 0.0, 0.0, 0.0, 0.0)
    assert (one.same_name, one.outside) == (0.0, 1.0)
    assert (two.precision, two.recall, two.capped_recall) == (1.0, 1.0, 1.0)
    assert two.ndcg == pytest.approx((1 / math.log2(3) + 0.4 / 2) / (1 + 0.4 / math.log2(3)))
    assert (two.same_name, two.outside) == pytest.approx((1 / 3, 1 / 3))


def test_an_empty_run():
    (score,) = metrics.score([], QUERY, query_set({3: 1.0}), COLUMNS, (10,))
    assert (score.precision, score.recall, score.capped_recall, score.ndcg) == (0.0, 0.0, 0.0, 0.0)
    assert math.isnan(score.same_name)


def test_means_leave_out_what_is_not_defined():
    nan = float("nan")
    mean = metrics.mean(
        [metrics.Score(5, 1.0, nan, 1.0, 0.5, nan, 0.0), metrics.Score(5, 0.0, 0.5, 1.0, 0.5, nan, 1.0)]
    )
    assert (mean.k, mean.precision, mean.recall, mean.ndcg, mean.outside) == (5, 0.5, 0.5, 0.5, 0.5)
    assert math.isnan(mean.same_name)
    assert math.isnan(metrics.mean([]).precision)
