"""Intervals cover what they must, tests reject what they must."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tablelens.probes.statistics import bootstrap, bootstrap_mean, cliffs_delta, holm, paired, tost


def test_an_interval_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = [bool(i.low <= 0.5 <= i.high) for i in (bootstrap_mean(rng.uniform(size=40).tolist()) for _ in range(200))]
    assert 0.88 <= np.mean(hits) <= 0.99


def test_tables_are_drawn_and_not_the_items_in_them():
    """Twenty tables of a hundred like items each: the interval is that of twenty values."""
    rng = np.random.default_rng(2)
    clusters = [np.full(100, value) for value in rng.normal(size=20)]
    by_table = bootstrap(clusters, lambda some: {"mean": float(np.concatenate(some).mean())})["mean"]
    assert by_table.half_width == pytest.approx(bootstrap_mean([c[0] for c in clusters]).half_width, rel=0.1)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20))
def test_the_value_lies_in_its_interval_and_the_seed_decides(values):
    found = bootstrap_mean(values, 3)
    assert found.low <= found.value <= found.high
    assert found == bootstrap_mean(values, 3)


def test_equivalence_is_shown_and_not_assumed():
    assert tost([1.0, 0.99, 1.0, 0.98, 1.0], 1, 0.05) < 0.01
    assert tost([1.0, 0.2], 1, 0.05) > 0.1  # no difference can be shown either: too little is known
    assert tost([0.9, 0.91, 0.9, 0.89], 1, 0.05) > 0.9
    assert tost([1.0, 1.0], 1, 0.05) == 0
    assert tost([0.5, 0.5], 1, 0.05) == tost([1.0], 1, 0.05) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_raises_and_keeps_the_order(values):
    found = holm(values)
    assert all(a >= b for a, b in zip(found, values, strict=True))
    assert [found[i] for i in np.argsort(values, kind="stable")] == sorted(found)
    assert max(found) <= 1


def test_pairs_of_models():
    rng = np.random.default_rng(3)
    base = rng.uniform(0.5, 1, 30)
    better = paired((base + 0.05).tolist(), base.tolist())
    assert better.difference.low > 0.04
    assert better.p < 1e-4
    assert paired(base.tolist(), base.tolist()).p == 1
    assert cliffs_delta([1, 2], [3, 4]) == -1
    assert cliffs_delta([1, 2], [1, 2]) == 0
