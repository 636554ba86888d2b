"""Distributions of numbers and dates: how alike they are, and what that finds."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tablelens.discover.spread import likeness, spread_of
from tablelens.engines.base import InlineEngine
from tablelens.lake import Lake
from tablelens.testing import make_lake

MOVED = np.array([9, 9, *[0] * 10])
RNG = np.random.default_rng(0)


def spread(values):
    heights, edges = np.histogram(values, bins=10)
    return spread_of((edges.tolist(), heights.tolist()))


def exactly(left, right):
    """1 - D of two histograms, on a fine grid."""
    at = np.linspace(min(left[0], right[0]), max(left[1], right[1]), 20_001)

    def function(one):
        edges = np.linspace(one[0], one[1], len(one) - 1)
        return np.interp(at, edges, np.concatenate([[0], np.cumsum(one[2:])]) / one[2:].sum())

    return 1 - np.abs(function(left) - function(right)).max()


numbers = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50).filter(lambda found: np.ptp(found) > 1)


@given(numbers, numbers)
@settings(deadline=None)
def test_likeness_is_one_less_the_greatest_gap_and_the_same_both_ways(left, right):
    one, other = spread(left), spread(right)
    both = likeness(one, np.stack([other, one]))
    assert both[0] == pytest.approx(likeness(other, one[None, :])[0], abs=1e-9)
    assert both[0] == pytest.approx(exactly(one, other), abs=0.02)
    assert both[1] == pytest.approx(1)


def test_a_distribution_is_moved_and_stretched():
    one = spread(RNG.normal(size=1000))
    assert likeness(one, np.stack([one, one + MOVED])).round(3).tolist() == [1.0, 0.0]
    assert np.isnan(likeness(one, np.full((1, 12), np.nan)))[0]
    point = spread_of(([3.0, 3.0], [4] * 10))
    assert likeness(point, point[None, :])[0] == pytest.approx(1)
    assert spread_of(None) is None


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spread")
    days = [date(2020, 1, 1) + timedelta(int(day)) for day in RNG.integers(0, 700, 200)]
    tables = {
        "ask.csv": {"latitude": RNG.uniform(40, 50, 200).round(6), "day": days[:100] * 2},
        "near.csv": {"latitude": RNG.uniform(41, 50, 200).round(6)},
        "far.csv": {"latitude": RNG.uniform(-60, -20, 200).round(6), "day": days[100:] * 2},
        "other.csv": {"width": RNG.uniform(40, 50, 200).round(6)},
    }
    lake = Lake.open(folder / "home", encoder="hash")
    lake.crawl(make_lake(folder / "lake", tables), engine=InlineEngine())
    return lake


def test_numbers_without_a_common_value_are_found_by_name_and_distribution(lake):
    assert lake.joins("ask.latitude").hits == ()
    found = lake.joins("ask.latitude", mode="semantic").hits
    assert [hit.column.table for hit in found] == ["near.csv", "far.csv"]
    assert found[0].evidence.spread > 0.8
    assert found[1].evidence.spread == 0
    assert "which is no join" in lake.joins("ask.latitude", mode="semantic").notes[0]
    assert found[0].probability < 0.1  # they measure the same thing, which makes it no join
    outside = lake.joins([41.5, 43.25, 44.125, 47.5, 49.75], name="Latitude", mode="semantic").hits
    assert outside[0].column.table in ("near.csv", "ask.csv")


def test_dates_have_a_distribution_too(lake):
    (hit,) = lake.joins("ask.day", mode="semantic").hits
    assert hit.column.table == "far.csv"
    assert hit.evidence.spread > 0.8
    assert lake.explain("ask.latitude", "other.width").evidence.spread > 0.8
