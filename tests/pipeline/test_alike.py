"""Two crawls of one lake answer alike, in whatever order its files were read."""

import numpy as np
import pytest

from tablelens.engines.base import InlineEngine
from tablelens.lake import Lake
from tablelens.testing import assert_same_hits, make_lake


class Backwards(InlineEngine):
    """Reads the last file first, as a worker that is slow would have it."""

    def map(self, function, items, **shared):
        yield from super().map(function, list(items)[::-1], **shared)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixty tables, a third of them copies of others."""
    rng = np.random.default_rng(2)
    words = np.array([f"word {i}" for i in range(40)])
    made = [rng.choice(words, int(rng.integers(6, 25)), replace=False).tolist() for _ in range(40)]
    tables = {f"{'ab'[i % 2]}/t{i:02}.csv": {"x": made[i % 40], "n": range(len(made[i % 40]))} for i in range(60)}
    return make_lake(tmp_path_factory.mktemp("alike") / "lake", tables)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("exact", {}),
        ("hnsw", {"exact_search_below": 0}),
        ("ivf", {"exact_search_below": 0, "graph_search_below": 0, "ivf_probes": 2}),
    ],
)
def test_two_crawls_answer_alike(folder, tmp_path, kind, options):
    lakes = []
    for engine in (InlineEngine(), Backwards()):
        lakes.append(Lake.open(tmp_path / type(engine).__name__, encoder="hash", **options))
        lakes[-1].crawl(folder, engine=engine)
    one, two = lakes
    assert one.view.generation.vectors.kind == two.view.generation.vectors.kind == kind
    assert one.view.ref(0).table != two.view.ref(0).table
    for table in ("a/t00", "b/t01", "a/t38", "b/t59"):
        for mode in ("auto", "equi", "semantic", "deepjoin"):
            for k in (3, 10):
                assert_same_hits(one.joins(f"{table}.x", mode=mode, k=k), two.joins(f"{table}.x", mode=mode, k=k))
