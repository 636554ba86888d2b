"""What goes into the catalogue comes out; who may write, and what survives a kill."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from tablelens.catalog import migrate, models
from tablelens.catalog.rows import table_name
from tablelens.catalog.store import Catalog
from tablelens.errors import CatalogError, CatalogVersion, UnknownLake, UsageError
from tablelens.profile.columns import profile_table
from tablelens.settings import Settings
from tablelens.types import FileOutcome, FoundFile, RawTable, Verdict


def outcome(path, *cells, mtime=1, reason=""):
    """A file with one table of the columns ``key`` and ``name``; a failed one where a reason is given."""
    file = FoundFile(path, f"/lake/{path}", 10, mtime)
    if reason:
        return FileOutcome(file, reason=reason, error="no")
    cells = cells or ("a", "b", None)
    data = pa.table({"key": [f"{cell}!" for cell in cells], "name": pa.array(cells, pa.string())})
    table = profile_table(path, RawTable(data, ("key", "name"), "csv", warnings=("w",)), Settings())
    return FileOutcome(file, digest="d", tables=(table,))


def store(catalog, *outcomes, lake="lake", attempts=1):
    lake_id = catalog.lake(lake, f"/{lake}")
    catalog.store(lake_id, "config", [(each, attempts) for each in outcomes])
    return lake_id


def names(catalog):
    found = catalog.columns().select(["lake", "table", "column"]).to_pylist()
    return [tuple(row.values()) for row in found]


@pytest.fixture
def path(home):
    return home / "catalog.duckdb"


@pytest.fixture
def catalog(path):
    with Catalog(path) as opened:
        yield opened


def test_a_new_catalogue_is_empty(catalog):
    assert catalog.lakes() == []
    assert catalog.columns().num_rows == 0
    flat, sizes = catalog.value_sets()
    assert (len(flat), len(sizes)) == (0, 0)
    assert catalog.embeddings("r")[0].tolist() == []
    assert catalog.next_generation() == 1


def test_what_is_stored_comes_out_again(catalog, path):
    made = outcome("a.csv", "Rome", "Oslo", "rome", None)
    store(catalog, made)
    catalog.close()
    with Catalog(path) as again:
        rows = again.columns().to_pylist()
        profile = made.tables[0].columns[1]
        row = rows[1]
        assert [r["id"] for r in rows] == [1, 2]
        assert (row["lake"], row["table"], row["column"], row["title"]) == ("lake", "a.csv", "name", "a")
        assert (row["kind"], row["family"], row["key"], row["excluded"]) == ("text", "text", False, "")
        assert (row["rows"], row["nulls"], row["distinct"], row["texts"]) == (4, 1, 2, 2)
        assert row["cells"] == list(profile.cells)
        assert row["lengths"] == [4, 4, 4.0, 1, 1, 1.0]
        flat, sizes = again.value_sets()
        assert sizes.tolist() == [3, 2]
        assert flat[3:].tolist() == profile.values.hashes.tolist()
        (file,) = again.known_files(1).values()
        assert (file.size, file.mtime_ns, file.digest, file.config, file.reason) == (10, 1, "d", "config", "")


def test_storing_again_replaces(catalog):
    store(catalog, outcome("a.csv", "x", "y"), outcome("b.csv"))
    store(catalog, outcome("a.csv", "z", "w", mtime=7))
    assert names(catalog) == [("lake", t, c) for t in ("b.csv", "a.csv") for c in ("key", "name")]
    assert catalog.known_files(1)["a.csv"].mtime_ns == 7
    assert catalog.columns()["cells"].to_pylist()[-1] in (["z", "w"], ["w", "z"])


def test_a_failed_file_takes_the_place_of_its_tables(catalog):
    store(catalog, outcome("a.csv"))
    store(catalog, outcome("a.csv", reason="crashed"), attempts=2)
    assert names(catalog) == []
    known = catalog.known_files(1)["a.csv"]
    assert (known.reason, known.error, known.attempts) == ("crashed", "no", 2)


def test_remove_forgets_a_file_of_one_lake_only(catalog):
    store(catalog, outcome("a.csv"), outcome("b.csv"))
    store(catalog, outcome("a.csv"), lake="other")
    catalog.remove(1, ["a.csv", "unknown.csv"])
    assert {(lake, table) for lake, table, _ in names(catalog)} == {("lake", "b.csv"), ("other", "a.csv")}
    catalog.remove(1, [])
    assert len(names(catalog)) == 4


def test_drop_lake(catalog):
    store(catalog, outcome("a.csv"))
    store(catalog, outcome("a.csv"), lake="other")
    catalog.drop_lake("lake")
    assert [name for _, name, _ in catalog.lakes()] == ["other"]
    assert {lake for lake, _, _ in names(catalog)} == {"other"}
    with pytest.raises(UnknownLake, match=r"lake 'othr'; did you mean 'other'"):
        catalog.drop_lake("othr")


def test_a_lake_keeps_its_id_and_its_root(catalog, path):
    first, second = catalog.lake("a", "/a"), catalog.lake("b", "/b")
    assert first != second
    assert catalog.lake("a", "/a") == first
    with pytest.raises(UsageError, match="already /a, not /c"):
        catalog.lake("a", "/c")
    catalog.close()
    with Catalog(path) as again:
        assert again.lake("b", "/b") == second


def test_touch(catalog):
    store(catalog, outcome("a.csv"), outcome("b.csv"))
    catalog.touch([(catalog.known_files(1)["b.csv"].id, 99)])
    assert {name: file.mtime_ns for name, file in catalog.known_files(1).items()} == {"a.csv": 1, "b.csv": 99}


def hashes(*values):
    return np.array(values, np.uint64)


def test_embeddings_are_of_one_encoder(catalog):
    store(catalog, outcome("a.csv"))
    catalog.store_vectors(hashes(7, 2**64 - 1), np.array([[1, 2], [3, 4]], np.float32), "e", "r")
    catalog.store_vectors(hashes(7), np.array([[8, 9]], np.float32), "e", "other")
    catalog.set_contents(np.array([2, 1]), hashes(7, 2**64 - 1), "r")
    ids, rows = catalog.embeddings("r")
    assert (ids.tolist(), rows.tolist(), rows.dtype) == ([1, 2], [[3, 4], [1, 2]], np.float32)
    assert sorted(catalog.encoded("r").tolist()) == [7, 2**64 - 1]
    assert catalog.embeddings("other")[0].tolist() == []
    catalog.set_contents(np.array([1]), hashes(7), "other")
    assert catalog.embeddings("other")[1].tolist() == [[8, 9]]
    assert catalog.embeddings("r")[0].tolist() == []


def test_a_vector_outlives_its_column(catalog):
    store(catalog, outcome("a.csv"))
    catalog.store_vectors(hashes(7), np.array([[1, 2]], np.float32), "e", "r")
    catalog.set_contents(np.array([1]), hashes(7), "r")
    catalog.remove(1, ["a.csv"])
    assert catalog.embeddings("r")[0].tolist() == []
    assert catalog.encoded("r").tolist() == [7]
    assert catalog.forget_vectors() == 1
    assert catalog.encoded("r").tolist() == []


def test_a_crawl_that_never_ended_was_interrupted(catalog):
    lake = catalog.lake("a", "/a")
    first = catalog.begin_crawl(lake)
    second = catalog.begin_crawl(lake)
    catalog.end_crawl(second, {"tables": 1})
    found = catalog.arrow("SELECT id, state FROM crawls ORDER BY id").to_pylist()
    assert found == [{"id": first, "state": "interrupted"}, {"id": second, "state": "done"}]


def test_generations_are_counted(catalog):
    catalog.add_generation(catalog.next_generation(), "e", "r", 3)
    assert catalog.next_generation() == 2


def test_a_message_that_is_not_utf8_does_not_lose_the_batch(catalog):
    store(catalog, replace(outcome("a.csv", reason="damaged"), error="name \udcff"), outcome("b.csv"))
    assert catalog.known_files(1)["a.csv"].error == "name ?"
    assert catalog.columns().num_rows == 2


def test_text_of_all_kinds_comes_out_as_it_went_in(catalog):
    cells = ("it's", '"q"', "\x00\x01", "a\nb", "🦆", "; DROP TABLE files", "x" * 199)
    store(catalog, outcome("we'ird \"*?[]%\n.csv", *cells))
    row = catalog.columns().to_pylist()[1]
    assert row["table"] == "we'ird \"*?[]%\n.csv"
    assert sorted(row["cells"]) == sorted(cells)
    catalog.remove(1, ["we'ird \"*?[]%\n.csv"])
    assert names(catalog) == []


def test_a_table_is_called_by_its_file_and_part():
    assert table_name("a/b.xlsx", "Sheet 1") == "a/b.xlsx#Sheet 1"
    assert table_name("a/b.csv", "") == "a/b.csv"


# who may write, who may read -------------------------------------------------------------------------------------


def run(program, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_second_writer_is_told_who_writes(path):
    with Catalog(path) as catalog:
        store(catalog, outcome("a.csv"))
        program = """
            import sys
            from pathlib import Path
            from tablelens.catalog.store import Catalog
            from tablelens.errors import CatalogLocked
            try:
                Catalog(Path(sys.argv[1]))
            except CatalogLocked as error:
                print(error.message)
        """
        said, trouble = run(program, path).communicate(timeout=250)
        assert f"is being written by process {os.getpid()}" in said, trouble


def test_a_snapshot_can_be_read_while_the_catalogue_is_written(path, home):
    with Catalog(path) as catalog:
        store(catalog, outcome("a.csv"))
        catalog.snapshot(home / "catalog-1.duckdb")
        store(catalog, outcome("b.csv"))
        with Catalog(home / "catalog-1.duckdb", read_only=True) as snapshot:
            assert {table for _, table, _ in names(snapshot)} == {"a.csv"}
            with pytest.raises(CatalogError):
                snapshot.lake("new", "/new")
        store(catalog, outcome("c.csv"))  # the lock was not lost
        program = "import sys, duckdb; duckdb.connect(sys.argv[1])"
        _, trouble = run(program, path).communicate(timeout=250)
        assert "lock" in trouble.lower()


def test_a_snapshot_that_cannot_be_written_is_an_error(catalog, home):
    with pytest.raises(CatalogError, match="cannot write the snapshot"):
        catalog.snapshot(home / "no" / "folder" / "catalog-1.duckdb")


# schema versions --------------------------------------------------------------------------------------------------


def test_a_newer_schema_is_refused(path):
    with Catalog(path) as catalog, catalog.transaction() as session:
        session.execute(sa.text("UPDATE meta SET value = '99' WHERE key = 'schema_version'"))
    for read_only in (True, False):
        with pytest.raises(CatalogVersion, match=r"version 99, this tablelens knows \d+[\s\S]*upgrade"):
            Catalog(path, read_only=read_only)
    duckdb.connect(str(path)).close()  # the file was given back


def test_an_older_schema_is_brought_up(path, monkeypatch):
    with Catalog(path) as catalog:
        store(catalog, outcome("a.csv"))
    now = models.SCHEMA_VERSION
    monkeypatch.setattr(migrate, "SCHEMA_VERSION", now + 2)
    steps = {now + 1: ("ALTER TABLE lakes ADD COLUMN note VARCHAR",), now + 2: ("UPDATE lakes SET note = 'three'",)}
    monkeypatch.setattr(migrate, "STEPS", steps)
    with pytest.raises(CatalogError, match="older tablelens"):
        Catalog(path, read_only=True)
    for _ in range(2):
        with Catalog(path) as catalog:
            assert catalog.arrow("SELECT note FROM lakes").to_pylist() == [{"note": "three"}]
            assert catalog.arrow("SELECT value FROM meta WHERE key = 'schema_version'")["value"].to_pylist() == [
                str(now + 2)
            ]
            assert len(names(catalog)) == 2


def test_a_step_that_fails_leaves_the_older_schema(path, monkeypatch):
    with Catalog(path) as catalog:
        store(catalog, outcome("a.csv"))
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "SCHEMA_VERSION", models.SCHEMA_VERSION + 1)
        patch.setattr(
            migrate,
            "STEPS",
            {models.SCHEMA_VERSION + 1: ("ALTER TABLE lakes ADD COLUMN note VARCHAR", "SELECT nonsense")},
        )
        with pytest.raises(CatalogError):
            Catalog(path)
    with Catalog(path) as catalog:
        assert catalog.arrow("SELECT * FROM lakes").column_names == ["id", "name", "root"]
        assert len(names(catalog)) == 2


BACK_TO_1 = """
    DROP TABLE verdicts; DROP TABLE alignments; DROP TABLE probe_results;
    DROP VIEW embeddings; DROP TABLE contents; DROP TABLE encoded;
    CREATE TABLE embeddings (column_id BIGINT PRIMARY KEY, content UBIGINT, encoder VARCHAR, revision VARCHAR,
                             template VARCHAR, dtype VARCHAR, vector FLOAT[]);
    INSERT INTO embeddings VALUES (1, 7, 'e', 'r', 't', 'float32', [1, 2]);
    ALTER TABLE tables DROP COLUMN reading; ALTER TABLE columns DROP COLUMN null_words;
    UPDATE meta SET value = '1' WHERE key = 'schema_version';"""


@pytest.mark.parametrize("more", ["", "ALTER TABLE columns DROP COLUMN density;"], ids=["", "without density"])
def test_a_catalogue_of_version_1_is_brought_up(path, more):
    """Some of version 1 lack a column: for a while it was added without another number."""
    with Catalog(path) as catalog:
        store(catalog, outcome("a.csv"))
    with duckdb.connect(str(path)) as raw:
        raw.execute(BACK_TO_1 + more)
    with Catalog(path) as catalog:
        catalog.decide(Verdict(("l", "a", "x"), ("l", "b", "y"), True))
        assert catalog.embeddings("r")[0].tolist() == []
        assert len(names(catalog)) == 2
        store(catalog, outcome("b.csv"))
        assert len(names(catalog)) == 4
        fresh = path.with_name("fresh.duckdb")
    with Catalog(fresh) as new, Catalog(path) as old:
        listed = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
        assert new.arrow(listed).to_pylist() == old.arrow(listed).to_pylist()


def test_every_version_has_its_steps():
    assert set(migrate.STEPS) == set(range(2, models.SCHEMA_VERSION + 1))


@pytest.mark.parametrize("size", [0, 100, 4096, 8192])
def test_a_catalogue_whose_making_was_cut_off_is_made_anew(path, tmp_path, size):
    """A kill -9 within the first milliseconds leaves a file shorter than DuckDB's three headers: it held nothing."""
    Catalog(tmp_path / "whole").close()
    path.parent.mkdir()
    path.write_bytes((tmp_path / "whole").read_bytes()[:size])
    with Catalog(path) as catalog:
        assert catalog.lakes() == []


@pytest.mark.parametrize("content", [b"no database" * 2000, b"\0" * 20_000])
def test_a_file_that_is_no_catalogue(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(CatalogError, match="cannot open the catalogue"):
        Catalog(path)
    assert path.read_bytes() == content


def test_a_catalogue_that_is_not_there_cannot_be_read(path):
    with pytest.raises(CatalogError):
        Catalog(path, read_only=True)
    assert not path.exists()


# kill -9 ----------------------------------------------------------------------------------------------------------

WRITER = """
import os, sys
from pathlib import Path
import pyarrow as pa
from tablelens.catalog.store import Catalog
from tablelens.profile.columns import profile_table
from tablelens.settings import Settings
from tablelens.types import FileOutcome, FoundFile, RawTable

def write():
    data = pa.table({"key": [f"value {i}" for i in range(200)], "name": [f"name {i % 7}" for i in range(200)]})
    table = profile_table("x.csv", RawTable(data, ("key", "name"), "csv"), Settings())
    with Catalog(Path(sys.argv[1])) as catalog:
        lake = catalog.lake("lake", "/lake")
        first = len(catalog.known_files(lake).keys() - {"again.csv"})
        for i in range(first, 10**6):
            files = [FoundFile(f"{i}.csv", "", 1, 1), FoundFile("again.csv", "", 1, i)]
            catalog.store(lake, "c", [(FileOutcome(file, "d", (table,)), 1) for file in files])
            print(i, flush=True)

for _ in sys.stdin:  # a fresh writer a line: a fork is made in no time, an import is not
    writer = os.fork()
    if not writer:
        write()
    print("writer", writer, flush=True)
    os.waitpid(writer, 0)
    print("dead", flush=True)
"""


def killed_writer(nursery, chance):
    """Start a writer, kill it in the midst of things; the number of its last acknowledged commit."""
    print("go", file=nursery.stdin, flush=True)
    writer, killed, acknowledged, enough = 0, False, [], chance.randint(1, 4)
    for line in nursery.stdout:
        if line.startswith("writer"):
            writer = int(line.split()[1])
        elif line.startswith("dead"):
            break
        else:
            acknowledged.append(int(line))
        if writer and not killed and len(acknowledged) >= enough:  # its name may come after its first commits
            time.sleep(chance.random() * 0.03)
            os.kill(writer, signal.SIGKILL)
            killed = True
    return acknowledged[-1]


@pytest.mark.parametrize("kills", [12, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_after_kill_9_the_catalogue_is_a_prefix_of_its_commits(path, kills):
    chance = random.Random(kills)
    nursery = run(WRITER, path)
    for _ in range(kills):
        acknowledged = killed_writer(nursery, chance)
        with Catalog(path) as catalog:
            known = catalog.known_files(1)
            numbers = sorted(int(name.removesuffix(".csv")) for name in known if name != "again.csv")
            assert numbers in (list(range(acknowledged + 1)), list(range(acknowledged + 2)))
            assert known["again.csv"].mtime_ns == numbers[-1]
            counts = catalog.arrow("SELECT table_id, count(*) AS n FROM columns GROUP BY table_id")
            assert counts["n"].to_pylist() == [2] * len(known)
            assert catalog.arrow("SELECT count(*) AS n FROM tables")["n"].to_pylist() == [len(known)]
    assert nursery.communicate()[1] == ""


def test_ids_are_never_used_twice(path):
    """A graph that is grown tells new columns from old ones by their ids."""
    with Catalog(path) as catalog:
        store(catalog, outcome("a.csv"), outcome("b.csv"))
        highest = max(catalog.columns()["id"].to_pylist())
        catalog.remove(1, ["b.csv"])
    with Catalog(path) as catalog:
        store(catalog, outcome("c.csv"))
        assert min(catalog.columns()["id"].to_pylist()[2:]) > highest


def test_the_catalogue_knows_which_generation_holds_all_of_it(catalog):
    assert catalog.indexed() == 0
    for change in (lambda: store(catalog, outcome("a.csv")), lambda: catalog.remove(1, ["a.csv"])):
        catalog.add_generation(catalog.next_generation(), "e", "r", 1)
        assert catalog.indexed() == catalog.next_generation() - 1
        change()
        assert catalog.indexed() == 0
    catalog.remove(1, [])
