"""What may be a hit is asked of what turned up; the answer is that of a look at the whole lake."""

import numpy as np
import pytest

from tablelens.discover import candidates
from tablelens.discover.joins import Request, allowed_columns
from tablelens.discover.query import query_of_place
from tablelens.discover.view import FILTERS
from tablelens.engines.base import InlineEngine
from tablelens.lake import Lake
from tablelens.testing import make_lake


@pytest.fixture(scope="module")
def random_lake(tmp_path_factory):
    """Forty tables of columns that share some of 60 words."""
    rng, folder = np.random.default_rng(3), tmp_path_factory.mktemp("random")
    words = np.array([f"word {chr(97 + i % 26)}{i}" for i in range(60)])

    def column():
        return rng.choice(words, int(rng.integers(5, 30)), replace=False).tolist()

    tables = {f"{'ab'[i % 2]}/t{i}.csv": {"v": column()} for i in range(40)}
    lake = Lake.open(folder / "home", encoder="hash")
    lake.crawl(make_lake(folder / "lake", tables), engine=InlineEngine())
    return lake


def brute(view, place, glob):
    """(containment, jaccard) of every other column, by counting."""
    sets = [set(view.generation.postings.hashes_of(i).tolist()) for i in range(len(view))]
    mine, found = sets[place], {}
    for other, values in enumerate(sets):
        if other != place and mine & values and view.value("table", other).startswith(glob.rstrip("*")):
            found[other] = (len(mine & values) / len(mine), len(mine & values) / len(mine | values))
    return found


@pytest.mark.parametrize("glob", ["*", "a/*"])
@pytest.mark.parametrize("k", [1, 3, 10])
def test_equi_hits_are_those_of_counting_everything(random_lake, glob, k):
    view = random_lake.view
    for place in range(len(view)):
        truth = sorted(brute(view, place, glob).values(), reverse=True)[:k]
        hits = random_lake.joins_at(place, k=k, mode="equi", tables=glob).hits
        seen = [(hit.evidence.containment, hit.evidence.jaccard) for hit in hits]
        np.testing.assert_allclose(seen, truth, atol=1e-6)


@pytest.mark.parametrize("rare", [0.0, 1.1])
def test_filters_that_let_little_through_cost_no_hits(random_lake, monkeypatch, rare):
    """Weighing the few that are allowed and asking the index for more and more find the same."""
    monkeypatch.setattr(candidates, "RARE", rare)
    view = random_lake.view
    query = query_of_place(view, 5)
    vectors = view.generation.vectors.vectors(view.generation.ids)
    scores = vectors @ query.vector
    others = [i for i in range(len(view)) if i != 5 and view.value("table", i).startswith("a/t1")]
    best = sorted(others, key=lambda i: -scores[i])
    hits = random_lake.joins_at(5, k=4, mode="deepjoin", tables="a/t1*").hits
    assert [view.column(hit.column.table, "v") for hit in hits] == best[:4]


def test_the_share_is_that_of_the_columns_with_vectors(random_lake):
    view = random_lake.view
    query = query_of_place(view, 0)
    assert allowed_columns(query, Request()).share() == 39 / 40
    half = allowed_columns(query, Request(tables="b/*"))
    assert half.share() == 0.5
    assert len(half.embedded()) == 20
    assert half(np.arange(len(view))).sum() == 20


def test_masks_of_old_filters_are_let_go(random_lake):
    view = random_lake.view
    globs = ["*" * n for n in range(1, 3 * FILTERS)]
    for glob in globs:
        view.matching(None, glob, None)
    assert len(view._matching) == FILTERS
    assert view.matching(None, glob, None) is view.matching(None, glob, None)
