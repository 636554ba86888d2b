"""preview and export, of each kind of file."""

import bz2
import json

import duckdb
import pytest

from tablelens.testing import make_lake

PEOPLE = [{"name": f"person {i}", "town": f"town {i % 7}"} for i in range(9)]
TOWNS = [{"town": f"TOWN {i}", "size": i} for i in range(7)]


@pytest.fixture
def mixed(run, home, tmp_path):
    """A command on a lake with a JSON file of two tables and a CSV that DuckDB cannot read."""
    folder = make_lake(tmp_path / "lake", {"plain.csv": {"town": [f"town {i}" for i in range(7)], "n": range(7)}})
    (folder / "multi.json").write_text(json.dumps({"people": PEOPLE, "towns#1": TOWNS}))
    (folder / "old.csv.bz2").write_bytes(bz2.compress((folder / "plain.csv").read_bytes()))
    assert run("--home", home, "crawl", folder).code == 0
    return lambda *arguments: run("--home", home, *arguments)


@pytest.mark.parametrize("table", ["multi.json#people", "multi#people", "lake:multi#people"])
def test_a_table_within_a_file_is_called_by_its_part(mixed, table):
    assert mixed("preview", table, "-n", "1", "--json").document["rows"] == [["person 0", "town 0"]]
    hits = mixed("joins", f"{table}.town", "--tables", "multi*", "--json").document["hits"]
    assert [(hit["table"], hit["column"], hit["overlap"]) for hit in hits] == [("multi.json#towns#1", "town", 7)]
    assert len(duckdb.sql(hits[0]["sql"]).fetchall()) == hits[0]["join_rows"] == 9


def test_an_unknown_part(mixed):
    done = mixed("preview", "multi#poeple")
    assert (done.code, "did you mean 'multi#people'" in done.err) == (3, True)


def test_what_duckdb_cannot_read_joins_after_the_export_that_its_note_names(mixed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (hit,) = mixed("joins", "plain.town", "--tables", "old*", "--json").document["hits"]
    (note,) = hit["notes"]
    command = note.partition("`tablelens ")[2].partition("`")[0]
    assert note.startswith("DuckDB cannot read old.csv.bz2 (it is packed with bz2)")
    done = mixed(*command.split())
    assert (done.code, done.out) == (0, "old_csv_bz2.parquet: 7 rows, 2 columns\n")
    assert len(duckdb.sql(hit["sql"]).fetchall()) == 7


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_export(mixed, tmp_path, suffix):
    target = tmp_path / f"people.{suffix}"
    done = mixed("export", "multi#people", target, "--json")
    assert done.document == {"table": "multi#people", "file": str(target), "rows": 9}
    assert duckdb.sql(f"SELECT count(*), count(DISTINCT town) FROM '{target}'").fetchall() == [(9, 7)]


def test_export_of_a_file_outside_the_lake(run, home, tmp_path):
    (tmp_path / "x.csv").write_bytes("stadt;n\nK\xf6ln;1\nG\xf6rlitz;2\nBonn;3\n".encode("latin-1"))
    assert run("--home", home, "export", "--file", tmp_path / "x.csv", tmp_path / "y.csv").code == 0
    assert duckdb.sql(f"SELECT stadt FROM '{tmp_path}/y.csv' LIMIT 1").fetchall() == [("Köln",)]


def test_a_table_without_rows(run, home, tmp_path):
    make_lake(tmp_path / "lake", {"a.csv": {"x": [], "y": []}})
    run("--home", home, "crawl", tmp_path / "lake")
    assert run("--home", home, "preview", "a").out.split() == ["x", "y", "no", "rows"]
