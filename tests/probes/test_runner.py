"""Runs: kept, resumed, compared; vectors from the cache; the catalogue."""

import json
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest
from tablelens.probes import catalog, results, store
from tablelens.probes.data import from_lake, from_sample_lake, generate
from tablelens.probes.embedding import Cache, Embedder
from tablelens.probes.models.reference import BagOfWords
from tablelens.probes.registry import PROPERTIES, get_property, load_model, load_models, model_names
from tablelens.probes.report import markdown
from tablelens.probes.runner import Budget, run

from tablelens.catalog.store import Catalog
from tablelens.errors import NotFound, UnknownEncoder, UnknownProperty, UsageError
from tablelens.index import generation

SMALL = Budget(tables=6, rows=10, variants=4, most=4)
SOME = ("row_order", "join_relationship", "determinism")


class Counting(BagOfWords):
    """Counts what goes through the model."""

    calls = 0

    def encode(self, pieces):
        Counting.calls += len(pieces)
        return super().encode(pieces)


@pytest.fixture
def counting():
    Counting.calls = 0
    return Counting("counting")


def small(model, folder=None, names=SOME, **more):
    return run([model], [get_property(n) for n in names], generate(6, 10), SMALL, folder=folder, preset="smoke", **more)


def figures(found):
    return [(r.property, r.level, r.verdict, r.estimates, r.units) for r in found.results]


def test_a_second_run_measures_nothing_and_says_the_same(counting, tmp_path):
    first = small(counting, tmp_path)
    assert Counting.calls > 0
    Counting.calls = 0
    second = small(counting, tmp_path)
    assert Counting.calls == 0
    assert figures(first) == figures(second)
    assert first.id != second.id
    assert second.models[0].ms_a_column == first.models[0].ms_a_column


def test_measured_anew_the_vectors_still_come_from_the_cache(counting, tmp_path):
    first = small(counting, tmp_path, names=("row_order", "join_relationship"))
    Counting.calls = 0
    again = small(counting, tmp_path, names=("row_order", "join_relationship"), fresh=True)
    assert figures(first) == figures(again)
    few = Counting.calls
    assert few < 200  # the controls embed three tables a level a second time, past the cache


def test_a_run_that_was_cut_off_goes_on(counting, tmp_path):
    class Stop(Exception):
        pass

    class Breaking:
        done = 0

        def start(self, stage, items, size):
            pass

        def advance(self, items, size):
            self.done += items
            if self.done == 2:
                raise Stop

        def end(self):
            pass

    with pytest.raises(Stop):
        small(counting, tmp_path, progress=Breaking())
    kept = list((tmp_path / "results").glob("*.json"))
    assert len(kept) == 2
    found = small(counting, tmp_path)
    assert figures(found) == figures(small(Counting("counting")))


@pytest.mark.parametrize("results_kept", [1, 3])
def test_a_run_that_was_killed_goes_on(tmp_path, results_kept):
    """kill -9 at any moment after so many results: the same call keeps them and ends as a run in one piece does."""
    asked = "probe run --models hash,bag-of-words --properties row_order,determinism --preset smoke --tables 4 --json"

    def start(home):
        command = [sys.executable, "-m", "tablelens", "-q", "--home", str(home), *asked.split()]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    kept = tmp_path / "killed" / "probes" / "results"
    process = start(tmp_path / "killed")
    while process.poll() is None and len(list(kept.glob("*.json"))) < results_kept:
        time.sleep(0.001)
    process.kill()
    process.communicate()
    times = {path: path.stat().st_mtime_ns for path in kept.glob("*.json")}
    assert len(times) >= results_kept
    done, whole = start(tmp_path / "killed"), start(tmp_path / "whole")
    told = [process.communicate(timeout=200) for process in (done, whole)]
    assert [done.returncode, whole.returncode] == [0, 0], told
    runs = [results.as_run(json.loads(out)) for out, _ in told]
    assert figures(runs[0]) == figures(runs[1])
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_damaged_result_is_measured_again(counting, tmp_path):
    first = small(counting, tmp_path)
    for path in (tmp_path / "results").glob("*.json"):
        path.write_text('{"model": ', encoding="utf-8")
    assert figures(small(counting, tmp_path)) == figures(first)


def test_other_weights_tables_or_seed_are_another_result(counting, tmp_path):
    keys = {r.key for r in small(counting, tmp_path).results}
    other = Counting("counting")
    other.revision = "another"
    assert keys.isdisjoint(r.key for r in small(other, tmp_path).results)
    assert keys.isdisjoint(r.key for r in small(counting, tmp_path, seed=8).results)


def test_vectors_are_kept_by_what_the_model_saw(counting):
    embedder = Embedder(counting, Cache())
    one = generate(1, 8).tables[0]
    first = embedder.embed(one, "column")
    again = embedder.embed(one.take_rows(range(8)), "column")
    assert np.array_equal(first, again)
    assert (embedder.cost.encoded, embedder.cost.cached) == (one.width, one.width)


def test_a_run_is_json_and_comes_back(tmp_path):
    found = small(load_model("first-row"))
    path = store.save(tmp_path, found)
    text = path.read_text(encoding="utf-8")
    assert "NaN" not in text
    again = results.read(path)
    assert again.document() == found.document()
    assert store.find(tmp_path) == again
    assert store.find(tmp_path, found.id) == store.find(tmp_path, str(path)) == again


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": 99}', '{"schema": 1}', '{"schema": 1, "models": [{}]}'])
def test_what_is_no_run_is_refused(text, tmp_path):
    path = tmp_path / "run.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError):
        results.read(path)


def test_an_unknown_name_is_told_what_is_near(tmp_path):
    with pytest.raises(UnknownProperty, match="row_order"):
        get_property("row_ordr")
    with pytest.raises(UnknownEncoder, match="bag-of-words"):
        load_model("bag-of-word")
    with pytest.raises(NotFound, match="no probe run"):
        store.find(tmp_path)
    assert {"deepjoin-static", "hash", "random", "constant"} <= set(model_names())


def test_two_models_of_one_name_keep_apart(tmp_path):
    from tablelens.encoders.static import SHIPPED

    folders = []
    for name in ("a", "b"):
        folder = tmp_path / name / "same"
        folder.mkdir(parents=True)
        for file in SHIPPED.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        folders.append(str(folder))
    assert [model.name for model in load_models(folders)] == folders
    assert load_model(folders[0]).name == "same"


def test_models_are_compared_on_the_tables_of_both():
    properties = [get_property("row_order")]
    models = [load_model("bag-of-words"), load_model("first-row")]
    found = run(models, properties, generate(8, 10), SMALL)
    pair = next(row for row in found.comparisons if row["level"] == "column")
    assert (pair["left"], pair["right"], pair["tables"]) == ("bag-of-words", "first-row", 8)
    assert pair["low"] > 0.5
    assert pair["p"] <= pair["p_holm"] < 0.2
    assert pair["cliffs_delta"] == 1


# data -----------------------------------------------------------------------------------------------------------------


def test_the_sample_lake_gives_types_entities_and_dependencies():
    from tablelens.probes.data.dependencies import pairs

    found = from_sample_lake(rows=40)
    assert len(found.tables) > 50
    assert len(set(found.types.values())) > 15
    assert len(found.entities) > 50
    assert all(0 < table.rows <= 40 for table in found.tables)
    assert sum(all(pairs(table)) for table in found.tables) >= 4


def test_tables_of_a_crawled_lake(crawled):
    found = from_lake(crawled.home, None, 8, 10, 7)
    assert {table.name for table in found.tables} >= {"shop/orders.csv", "world/countries.csv"}
    assert found.types["world/capitals.csv", 1] == "country"
    assert found.revision == from_lake(crawled.home, "tiny", 8, 10, 7).revision
    assert len(from_lake(crawled.home, None, 8, 2, 7).tables) == 2


def test_a_file_that_is_gone_is_counted(crawl, tmp_path, tiny_lake):
    import shutil

    folder = tmp_path / "lake"
    shutil.copytree(tiny_lake, folder)
    lake, _ = crawl(folder)
    (folder / "shop" / "orders.csv").unlink()
    found = from_lake(lake.home, None, 8, 10, 7)
    assert found.skipped == {"unreadable: vanished": 1}
    assert len(found.tables) == 4


# the catalogue --------------------------------------------------------------------------------------------------------


def test_results_are_in_the_catalogue_and_in_the_snapshot(crawl, tiny_lake):
    lake, _ = crawl(tiny_lake)
    found = small(load_model("first-row"))
    assert catalog.keep(lake.home, found)
    for path in (lake.home / "catalog.duckdb", generation.catalog_of(lake.home, lake.view.generation.number)):
        with Catalog(path, read_only=True) as opened:
            rows = opened.probes("first-row-1")
            assert {(row["property"], row["level"]) for row in rows} == {(r.property, r.level) for r in found.results}
            by_key = {(row["property"], row["level"]): row for row in rows}
    for result in found.results:
        row = by_key[result.property, result.level]
        assert row["verdict"] == result.verdict
        assert row["value"] == (result.figure().value if result.figure() else None)
        assert row["run"] == found.id


def test_the_newest_run_counts(home):
    first, second = (small(load_model("constant"), names=("row_order",), seed=s) for s in (1, 2))
    assert not catalog.keep(home, first)  # nothing was crawled: there is no snapshot
    later = results.as_run(second.document() | {"started": "2999-01-01T00:00:00+00:00"})
    catalog.keep(home, later)
    with Catalog(home / "catalog.duckdb", read_only=True) as opened:
        assert {row["run"] for row in opened.probes("constant-1")} == {later.id}


def test_the_markdown_names_every_result():
    found = small(load_model("constant"))
    text = markdown.report(found)
    assert "P1 Row order insignificance" in text
    assert "degenerate" in text
    assert asdict(found)["id"] in text
    assert json.dumps(found.document())


def test_all_properties_have_a_file_of_their_own():
    files = {type(prop).__module__.rpartition(".")[2] for prop in PROPERTIES}
    assert files == {prop.meta.id for prop in PROPERTIES}


def test_doctor_knows_which_properties_join_discovery_leans_on():
    from tablelens.cli.check import JOIN_DISCOVERY

    assert {prop.meta.id for prop in PROPERTIES if prop.meta.join_discovery} == set(JOIN_DISCOVERY)
