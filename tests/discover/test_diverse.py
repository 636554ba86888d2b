"""Hits that tell something new: likeness of value sets, and the order that comes of it."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tablelens.discover.diverse import NONE, SKETCH, diversified, jaccard_to
from tablelens.engines.base import InlineEngine
from tablelens.errors import UsageError
from tablelens.lake import Lake
from tablelens.testing import make_lake

NOTHING = SimpleNamespace(  # a view of columns without values
    generation=SimpleNamespace(postings=SimpleNamespace(values_of=lambda _: np.empty(0, np.uint32)))
)
ASKED = [f"v{i}" for i in range(40)]
TABLES = {
    "ask.csv": {"v": ASKED},
    **{f"copy{i}.csv": {"v": ASKED[:30]} for i in range(5)},
    "other.csv": {"v": ASKED[20:]},
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diverse")
    lake = Lake.open(folder / "home", encoder="hash")
    lake.crawl(make_lake(folder / "lake", TABLES), engine=InlineEngine())
    return lake


def tables(answer):
    return [hit.column.table for hit in answer.hits]


@pytest.mark.parametrize("mode", ["auto", "equi", "semantic"])
def test_a_column_with_other_values_comes_before_the_second_copy(lake, mode):
    plain = tables(lake.joins("ask.v", k=3, mode=mode))
    diverse = tables(lake.joins("ask.v", k=3, mode=mode, diversity=0.5))
    assert all(table.startswith("copy") for table in plain)
    assert diverse[:2] == [plain[0], "other.csv"]
    assert len(tables(lake.joins("ask.v", k=10, mode=mode, diversity=0.5))) == 6  # nothing is lost, it comes later


def test_diversity_keeps_to_the_limits_of_the_request(lake):
    assert len(tables(lake.joins("ask.v", k=2, diversity=1.0))) == 2
    sure = lake.joins("ask.v", threshold=0.9, diversity=0.5)
    assert sorted(tables(sure)) == sorted(tables(lake.joins("ask.v", threshold=0.9)))
    with pytest.raises(UsageError, match="diversity is"):
        lake.joins("ask.v", diversity=1.5)


sets = st.sets(st.integers(0, 2**31), max_size=3 * SKETCH)


@given(st.lists(sets, min_size=1, max_size=6), st.data())
@settings(deadline=None)
def test_likeness_is_the_jaccard_index_of_small_sets_and_near_it_for_large_ones(columns, data):
    one = data.draw(st.integers(0, len(columns) - 1))
    rows = np.full((len(columns), SKETCH), NONE, np.uint32)
    for row, values in zip(rows, columns, strict=True):
        kept = sorted(values)[:SKETCH]
        row[: len(kept)] = kept
    found = jaccard_to(rows, one)
    for values, index in zip(columns, found, strict=True):
        union = len(values | columns[one])
        exact = len(values & columns[one]) / union if union else 0.0
        small = max(len(values), len(columns[one])) < SKETCH
        assert index == pytest.approx(exact, abs=1e-12) if small else 0 <= index <= 1


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0, 1))
def test_columns_that_share_nothing_keep_their_order(relevance, diversity):
    scores = np.sort(np.array(relevance))[::-1]
    found = list(diversified(NOTHING, np.arange(len(scores)), scores, diversity))
    assert found == list(range(len(scores)))
