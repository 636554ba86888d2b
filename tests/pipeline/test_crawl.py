"""A crawl reads what changed and nothing else, and what it cannot read it says."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import tablelens.open_home
import tablelens.pipeline.crawl
from tablelens.catalog.store import Catalog
from tablelens.engines.base import InlineEngine, WorkFailure
from tablelens.errors import DamagedIndex, EncoderError, IndexMismatch, NoLake, NotFound, UsageError
from tablelens.index import generation
from tablelens.lake import Lake
from tablelens.pipeline import build
from tablelens.pipeline.crawl import ATTEMPTS
from tablelens.testing import HashEncoder, assert_same_hits, make_lake

WORDS = [f"word {i}" for i in range(20)]


class Counting(InlineEngine):
    """Notes which files were read; fails those that it is told to, with a reason."""

    def __init__(self, **reasons):
        self.read, self.reasons = [], reasons

    def map(self, function, items, **shared):
        for file, result in super().map(function, items, **shared):
            self.read.append(file.path)
            reason = self.reasons.get(file.path.removesuffix(".csv"))
            yield file, WorkFailure(reason, "as told") if reason else result


@pytest.fixture
def folder(tmp_path):
    return make_lake(tmp_path / "lake", {"a.csv": {"x": WORDS, "n": range(20)}, "s/b.csv": {"y": WORDS[5:]}})


@pytest.fixture
def lake(home):
    return Lake.open(home, encoder="hash")


def run(lake, folder, engine=None, **options):
    """(report, paths read) of a crawl."""
    engine = engine or Counting()
    return lake.crawl(folder, engine=engine, **options), engine.read


def tables(lake):
    return sorted(set(lake.view.generation.columns["table"].to_pylist()))


def test_first_crawl(lake, folder):
    report, read = run(lake, folder)
    assert (report.lake, report.root) == ("lake", str(folder))
    assert (report.tables, report.columns, report.read, report.skipped, report.removed) == (2, 3, 2, 0, 0)
    assert (report.failed, report.generation) == ((), 1)
    assert read == ["a.csv", "s/b.csv"]
    assert set(report.stages) == {"walk", "read", "postings", "encode", "index", "write"}
    assert tables(lake) == read
    assert [str(hit.column) for hit in lake.joins("a.x").hits] == ["s/b.csv.y"]


def test_an_unchanged_lake_is_not_read_and_not_indexed_again(lake, folder):
    run(lake, folder)
    report, read = run(lake, folder)
    assert (report.read, report.skipped, report.tables, report.generation) == (0, 2, 2, 1)
    assert read == []
    assert set(report.stages) == {"walk", "read"}


def test_refresh_always_reads_all(lake, folder):
    run(lake, folder)
    report, read = run(lake, folder, refresh="always")
    assert (len(read), report.generation) == (2, 2)


def test_a_changed_file_is_read(lake, folder):
    run(lake, folder)
    make_lake(folder, {"a.csv": {"x": WORDS[:6], "z": range(6)}})
    report, read = run(lake, folder)
    assert read == ["a.csv"]
    assert (report.skipped, report.columns, report.generation) == (1, 3, 2)
    assert sorted(lake.view.names) == ["x", "y", "z"]
    assert lake.joins("a.x", threshold=0.0).hits[0].evidence.overlap == 1


def test_a_change_that_keeps_the_size_is_seen_by_its_time(lake, folder):
    run(lake, folder)
    path = folder / "a.csv"
    path.write_text(path.read_text().replace("word 1", "Word 1").replace("word 2", "ward 2"))
    assert run(lake, folder)[1] == ["a.csv"]


def test_a_touched_file_is_not_read(lake, folder):
    run(lake, folder)
    for time in (1, 2**33):  # the past, and the year 2242
        os.utime(folder / "a.csv", (time, time))
        report, read = run(lake, folder)
        assert (read, report.skipped, report.generation) == ([], 2, 1)
    with Catalog(lake.home / "catalog.duckdb", read_only=True) as catalog:
        assert catalog.known_files(1)["a.csv"].mtime_ns == 2**33 * 10**9


def test_a_vanished_file_is_forgotten(lake, folder):
    run(lake, folder)
    (folder / "s" / "b.csv").unlink()
    report, read = run(lake, folder)
    assert (read, report.removed, report.tables, tables(lake)) == ([], 1, 1, ["a.csv"])
    assert lake.joins("a.x").hits == ()


def test_a_renamed_file_is_forgotten_and_read(lake, folder):
    run(lake, folder)
    (folder / "a.csv").rename(folder / "z.csv")
    report, read = run(lake, folder)
    assert (read, report.removed, tables(lake)) == (["z.csv"], 1, ["s/b.csv", "z.csv"])


def test_a_new_file_is_read(lake, folder):
    run(lake, folder)
    make_lake(folder, {"c.csv": {"q": WORDS}})
    report, read = run(lake, folder)
    assert (read, report.skipped, report.tables) == (["c.csv"], 2, 3)
    assert {str(hit.column) for hit in lake.joins("a.x").hits} == {"s/b.csv.y", "c.csv.q"}


def test_an_emptied_lake_has_an_empty_index(lake, folder):
    run(lake, folder)
    shutil.rmtree(folder / "s")
    (folder / "a.csv").unlink()
    report, _ = run(lake, folder)
    assert (report.tables, report.columns, report.removed) == (0, 0, 2)
    assert len(lake.view) == 0
    assert lake.joins(WORDS).hits == ()
    assert lake.search("word") == []


def test_an_empty_lake_can_be_crawled(lake, tmp_path):
    (tmp_path / "void").mkdir()
    report, _ = run(lake, tmp_path / "void")
    assert (report.tables, report.generation) == (0, 1)
    with pytest.raises(NotFound):
        lake.joins("a.b")


def test_a_single_file_is_a_lake(lake, folder):
    report, read = run(lake, folder / "a.csv")
    assert (report.lake, report.tables, read) == ("a", 1, ["a.csv"])
    assert lake.preview("a", 3).data.num_rows == 3


def test_two_lakes_of_one_home_join(lake, folder, tmp_path):
    run(lake, folder)
    report, _ = run(lake, make_lake(tmp_path / "more", {"c.csv": {"w": WORDS}}))
    assert (report.lake, report.tables, report.columns) == ("more", 1, 1)
    assert {hit.column.lake for hit in lake.joins("a.x").hits} == {"lake", "more"}


def test_a_name_belongs_to_one_folder(lake, folder, tmp_path):
    run(lake, folder)
    other = make_lake(tmp_path / "x" / "lake", {"c.csv": {"w": WORDS}})
    with pytest.raises(UsageError, match="give this one another --lake name"):
        run(lake, other)
    assert run(lake, other, name="other")[0].tables == 1


def test_a_folder_that_is_not_there_leaves_what_was_known(lake, folder):
    run(lake, folder)
    moved = folder.rename(folder.with_name("moved"))
    with pytest.raises(NotFound):
        run(lake, folder)
    moved.rename(folder)
    assert run(lake, folder)[0].skipped == 2


def test_nothing_crawled_yet(lake):
    with pytest.raises(NoLake, match="nothing has been crawled"):
        lake.joins("a.b")


# failures ---------------------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_read_is_recorded_and_not_tried_again(lake, folder):
    (folder / "bad.parquet").write_bytes(b"PAR1 no more")
    for again in range(3):
        report, read = run(lake, folder)
        assert report.failed == (("bad.parquet", "truncated"),)
        assert ("bad.parquet" in read) == (again == 0)
        assert report.tables == 2
    make_lake(folder, {"fine.csv": {"x": WORDS}})
    shutil.copy(folder / "fine.csv", folder / "bad.parquet")
    assert run(lake, folder)[1] == ["bad.parquet", "fine.csv"]


@pytest.mark.parametrize("reason", ["crashed", "timeout", "memory"])
def test_a_transient_failure_is_tried_some_times(lake, folder, reason):
    for attempt in range(ATTEMPTS + 2):
        report, read = run(lake, folder, Counting(a=reason))
        assert report.failed == (("a.csv", reason),)
        assert ("a.csv" in read) == (attempt < ATTEMPTS)
    with Catalog(lake.home / "catalog.duckdb", read_only=True) as catalog:
        known = catalog.known_files(1)["a.csv"]
        assert (known.reason, known.attempts, known.error) == (reason, ATTEMPTS, "as told")


def test_a_transient_failure_can_pass(lake, folder):
    run(lake, folder, Counting(a="crashed"))
    assert tables(lake) == ["s/b.csv"]
    report, read = run(lake, folder)
    assert (read, report.failed, tables(lake)) == (["a.csv"], (), ["a.csv", "s/b.csv"])


def test_a_file_that_fails_later_loses_its_tables(lake, folder):
    run(lake, folder)
    os.utime(folder / "a.csv", (1, 1))
    (folder / "a.csv").write_text("x\n")
    run(lake, folder, Counting(a="crashed"))
    assert tables(lake) == ["s/b.csv"]


def test_what_is_skipped_by_rule_is_no_failure(lake, folder):
    (folder / "link.csv").symlink_to(folder / "a.csv")
    os.mkfifo(folder / "pipe.csv")
    report, read = run(lake, folder)
    assert (report.failed, read) == ((), ["a.csv", "s/b.csv"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
def test_a_closed_folder_has_not_vanished(lake, folder):
    run(lake, folder)
    (folder / "s").chmod(0)
    report, _ = run(lake, folder)
    (folder / "s").chmod(0o755)
    assert (report.failed, report.removed, tables(lake)) == ((("s", "permission"),), 0, ["a.csv", "s/b.csv"])


# settings and encoders --------------------------------------------------------------------------------------------


def test_other_limits_read_again(lake, folder):
    run(lake, folder)
    other = Lake.open(lake.home, encoder="hash", max_rows=5)
    report, read = run(other, folder)
    assert len(read) == 2
    assert lake.settings.max_rows != 5
    assert report.generation == 2


def test_another_encoder_encodes_again_without_reading(lake, folder, monkeypatch):
    run(lake, folder)
    before = lake.joins("a.x")

    def load_encoder(name, models=None):
        return HashEncoder(32)

    for module in (tablelens.open_home, tablelens.pipeline.crawl):
        monkeypatch.setattr(module, "load_encoder", load_encoder)
    lake.reload()
    with pytest.raises(IndexMismatch, match="crawl again"):
        _ = lake.encoder
    report, read = run(lake, folder)
    assert (read, report.generation, lake.view.generation.encoder["revision"]) == ([], 2, "hash-32")
    assert lake.view.generation.vectors.dimension == 32
    assert_same_hits(before, lake.joins("a.x"))


def test_another_template_makes_another_index(lake, folder):
    run(lake, folder)
    other = Lake.open(lake.home, encoder="hash", template="col")
    report, read = run(other, folder)
    assert (read, report.generation) == ([], 2)
    assert other.view.generation.encoder["template"] == "col"


class Wrong(HashEncoder):
    def encode(self, columns):
        return super().encode(columns) * np.float32("nan")


def test_an_encoder_that_gives_nonsense_is_refused_and_the_old_answers_stay(lake, folder, monkeypatch):
    run(lake, folder)
    before = lake.joins("a.x")
    monkeypatch.setattr(Wrong, "__init__", lambda self: HashEncoder.__init__(self, 16))
    monkeypatch.setattr(tablelens.pipeline.crawl, "load_encoder", lambda *_: Wrong())
    with pytest.raises(EncoderError, match="not finite"):
        run(lake, folder)
    lake.reload()
    assert_same_hits(before, lake.joins("a.x"))


def test_the_graph_answers_as_exact_search_does(folder, tmp_path, lake):
    for i in range(30):
        some = WORDS[: i % 15 + 3]
        make_lake(folder, {f"t{i:02}.csv": {"x": some, "y": [f"{word} {i}" for word in some]}})
    run(lake, folder)
    graph = Lake.open(tmp_path / "graph", encoder="hash", exact_search_below=0)
    run(graph, folder)
    assert (lake.view.generation.vectors.kind, graph.view.generation.vectors.kind) == ("exact", "hnsw")
    for mode in ("auto", "deepjoin", "semantic"):
        assert_same_hits(lake.joins("t07.x", mode=mode, k=5), graph.joins("t07.x", mode=mode, k=5))


def test_a_graph_grows_with_the_lake(folder, home, monkeypatch):
    """A small change goes into the graph that is there; the answers are those of a new graph."""
    make_lake(folder, {f"t{i:02}.csv": {"x": [f"{w} {i % 9}" for w in WORDS[: i % 15 + 5]]} for i in range(40)})
    lake = Lake.open(home, encoder="hash", exact_search_below=0)
    run(lake, folder)
    (folder / "t03.csv").unlink()
    make_lake(folder, {"t50.csv": {"x": [f"{w} 4" for w in WORDS]}})
    kept = []
    real = build.grow
    monkeypatch.setattr(build, "grow", lambda *args: kept.append(real(*args)) or kept[-1])
    run(lake, folder)
    assert kept[0] is not None
    fresh = Lake.open(home.with_name("fresh"), encoder="hash")
    run(fresh, folder)
    for table in ("t13", "t50", "t04"):
        for mode in ("auto", "deepjoin"):
            mine, theirs = (each.joins(f"{table}.x", mode=mode, k=3) for each in (lake, fresh))
            assert [hit.score for hit in mine.hits] == pytest.approx([hit.score for hit in theirs.hits], abs=1e-5)


def test_vectors_that_moved_with_the_lake_move_in_the_graph(folder, home, monkeypatch):
    """A value that a new table holds too counts more in the vectors of those that held it before."""
    make_lake(folder, {f"t{i:02}.csv": {"x": [f"{w} {i}" for w in WORDS[: i % 9 + 5]]} for i in range(40)})
    lake = Lake.open(home, exact_search_below=0, workers=1)
    lake.crawl(folder)
    make_lake(folder, {"t50.csv": {"x": [f"{w} 3" for w in WORDS[:4]]}})
    kept, real = [], build.grow
    monkeypatch.setattr(build, "grow", lambda *args: kept.append(real(*args)) or kept[-1])
    lake.crawl(folder)
    assert kept[0] is not None
    fresh = Lake.open(home.with_name("fresh"), workers=1)
    fresh.crawl(folder)
    for place in np.flatnonzero(fresh.view.embedded).tolist():
        mine, theirs = (each.view.generation for each in (lake, fresh))
        at = lake.view.column(fresh.view.ref(place).table, fresh.view.names[place])
        found = mine.vectors.vectors(mine.ids[[at]])
        assert (found == theirs.vectors.vectors(theirs.ids[[place]])).all()


# generations ------------------------------------------------------------------------------------------------------


def test_old_generations_go(lake, folder):
    for i in range(4):
        make_lake(folder, {f"new{i}.csv": {"x": WORDS}})
        run(lake, folder)
    assert list(generation.generations(lake.home)) == [3, 4]
    assert sorted(path.name for path in lake.home.glob("catalog*")) == [
        "catalog-3.duckdb", "catalog-4.duckdb", "catalog.duckdb",
    ]  # fmt: skip


def test_a_reader_goes_on_during_a_crawl_and_sees_the_new_after_reload(lake, folder):
    run(lake, folder)
    reader = Lake.open(lake.home, encoder="hash")
    before = reader.joins("a.x")
    seen = []

    class Asking(Counting):
        def map(self, function, items, **shared):
            for pair in super().map(function, items, **shared):
                seen.append(Lake.open(lake.home, encoder="hash").joins("a.x"))
                seen.append(reader.joins("a.x"))
                yield pair

    make_lake(folder, {"c.csv": {"q": WORDS}, "d.csv": {"q": WORDS}})
    run(lake, folder, Asking())
    assert len(seen) == 4
    for answer in [*seen, reader.joins("a.x")]:
        assert_same_hits(before, answer)
    reader.reload()
    assert len(reader.joins("a.x").hits) == 3


@pytest.mark.parametrize("file", ["vectors.npy", "values.npy", "columns.arrow", "manifest.json", "words/tables.npy"])
def test_a_damaged_index_is_told_and_built_again_from_the_catalogue(lake, folder, file):
    run(lake, folder)
    before = lake.joins("a.x")
    path = generation.folder_of(lake.home, 1) / file
    path.write_bytes(path.read_bytes()[:-3])
    lake.reload()
    with pytest.raises(DamagedIndex, match="index"):
        lake.joins("a.x")
    report, read = run(lake, folder)
    assert (read, report.generation) == ([], 2)
    assert_same_hits(before, lake.joins("a.x"))


@pytest.mark.parametrize("gone", ["CURRENT", "catalog-1.duckdb", "index"])
def test_what_is_missing_is_made_again(lake, folder, gone):
    run(lake, folder)
    path = lake.home / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    report, read = run(lake, folder)
    assert (read, report.generation) == ([], 2)
    assert len(lake.joins("a.x").hits) == 1


def test_a_lost_catalogue_is_read_anew_beside_the_old_index(lake, folder):
    """Its numbers start again, so they must not run into generations that are there."""
    run(lake, folder)
    run(lake, folder, refresh="always")
    (lake.home / "catalog.duckdb").unlink()
    report, read = run(lake, folder)
    assert len(read) == 2
    assert generation.current(lake.home) == report.generation
    assert len(lake.joins("a.x").hits) == 1
    report, read = run(lake, folder)
    assert (read, report.skipped) == ([], 2)
    assert len(lake.joins("a.x").hits) == 1


# the whole answer -------------------------------------------------------------------------------------------------


def test_a_crawl_in_steps_answers_as_one_crawl(lake, folder, tmp_path):
    run(lake, folder)
    make_lake(folder, {"c.csv": {"q": [*WORDS[3:], *"abc"], "r": [word.upper() for word in WORDS]}})
    run(lake, folder)
    (folder / "a.csv").unlink()
    run(lake, folder)
    fresh = Lake.open(tmp_path / "fresh", encoder="hash")
    run(fresh, folder)
    for column in ("s/b.y", "c.q", "c.r"):
        for mode in ("auto", "equi", "semantic", "deepjoin"):
            mine, theirs = (each.joins(column, mode=mode, threshold=0.0) for each in (lake, fresh))
            assert_same_hits(mine, theirs)
            assert [hit.evidence for hit in mine.hits] == [hit.evidence for hit in theirs.hits]


def test_plan_says_what_a_crawl_would_do(lake, folder):
    assert [file.path for file, _ in lake.plan(folder).read] == ["a.csv", "s/b.csv"]
    assert not lake.home.exists()
    run(lake, folder)
    (folder / "a.csv").unlink()
    make_lake(folder, {"c.csv": {"q": WORDS}})
    plan = lake.plan(folder)
    assert ([file.path for file, _ in plan.read], plan.kept, plan.vanished) == (["c.csv"], 1, ["a.csv"])


def test_an_unknown_refresh_is_refused(lake, folder):
    with pytest.raises(UsageError, match="known: changed, always"):
        lake.crawl(folder, refresh="never", engine=InlineEngine())
    assert not lake.home.exists()


def test_a_second_crawl_is_told_who_crawls(lake, folder):
    run(lake, folder)
    with Catalog(lake.home / "catalog.duckdb"):
        command = [sys.executable, "-m", "tablelens", "--home", str(lake.home), "crawl", str(folder)]
        command += ["--encoder", "deepjoin-static"]  # another process knows no encoder of the tests
        done = subprocess.run(command, capture_output=True, text=True, timeout=250)
        assert (done.returncode, done.stdout) == (8, "")
        assert f"is being written by process {os.getpid()}" in done.stderr
        assert len(lake.joins("a.x").hits) == 1


def test_a_crawl_cut_off_before_the_index_is_indexed_by_the_next(lake, folder, monkeypatch):
    run(lake, folder)
    make_lake(folder, {"c.csv": {"q": WORDS}})

    def cut_off(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tablelens.pipeline.crawl, "build_generation", cut_off)
        with pytest.raises(KeyboardInterrupt):
            run(lake, folder)
    report, read = run(lake, folder)
    assert (read, report.skipped, report.generation) == ([], 3, 2)
    assert "c.csv" in tables(lake)


def test_a_graph_does_not_take_a_new_column_for_one_that_left(folder, home):
    """One file goes and one comes in the same crawl: the new column has a vector of its own."""
    make_lake(folder, {f"t{i:02}.csv": {"x": [f"{word} {i}" for word in WORDS]} for i in range(20)})
    make_lake(folder, {"t99.csv": {"x": [f"{word} old" for word in WORDS]}})
    lake = Lake.open(home, encoder="hash", exact_search_below=0)
    run(lake, folder)
    (folder / "t99.csv").unlink()
    make_lake(folder, {"t98.csv": {"x": [f"{word} 3" for word in WORDS]}})
    run(lake, folder)
    assert lake.explain("t98.x", "t03.x").evidence.cosine == pytest.approx(1, abs=1e-5)
