"""Rows that are alike, asked in SQL."""

import duckdb
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from tablelens.engines.base import InlineEngine
from tablelens.errors import UsageError
from tablelens.lake import Lake
from tablelens.sql import register
from tablelens.testing import make_lake

ASKED = 'SELECT lake, "table", "row", similarity FROM tablelens.similar_rows(?, ?, k := ?, others := ?) ORDER BY rank'


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("similar")
    towns = [f"town {n % 9}" for n in range(30)]
    tables = {"a.csv": {"town": towns, "size": list(range(30))}, "b.csv": {"place": towns[:20], "kind": ["port"] * 20}}
    made = Lake.open(folder / "home")
    made.crawl(make_lake(folder / "lake", tables), engine=InlineEngine())
    return made


@pytest.fixture
def connection(lake):
    with duckdb.connect() as made:
        register(made, lake)
        yield made


def test_nothing_was_indexed_yet(connection):
    with pytest.raises(duckdb.Error, match="rows index"):
        connection.execute(ASKED, ["a", 0, 3, False]).fetchall()


def test_sql_answers_as_the_lake_does(lake, connection):
    lake.index_rows(epochs=1)
    for others in (False, True):
        found = connection.execute(ASKED, ["a", 4, 5, others]).fetchall()
        expected = lake.similar_rows("a", 4, k=5, others=others)
        assert found == [(hit.lake, hit.table, hit.row, hit.similarity) for hit in expected]
    with pytest.raises(duckdb.Error, match="no row 99: the table has 30"):
        connection.execute(ASKED, ["a", 99, 5, False]).fetchall()
    with pytest.raises(duckdb.Error, match="unknown table"):
        connection.execute(ASKED, ["nowhere", 0, 5, False]).fetchall()


def test_a_row_that_was_not_indexed_is_encoded_when_it_is_asked_for(lake, connection, tmp_path):
    lake.index_rows(rows=12, epochs=1)
    expected = lake.similar_rows("a", 20, k=50)
    assert {(hit.table, hit.row < 12) for hit in expected} == {("a.csv", True), ("b.csv", True)}
    assert len(expected) == 24
    assert {hit.table for hit in lake.similar_rows("a", 20, k=50, others=True)} == {"b.csv"}
    found = connection.execute(ASKED, ["a", 20, 50, False]).fetchall()
    assert found == [(hit.lake, hit.table, hit.row, hit.similarity) for hit in expected]
    own = tmp_path / "own.csv"
    own.write_text("town,size\ntown 2,20\n")  # as row 20 of a.csv
    again = lake.similar_rows(own, 0, k=50)
    assert [hit.row for hit in again[:5]] == [hit.row for hit in expected[:5]]
    assert lake.similar_rows({"town": ["town 2"], "size": [20]}, 0, k=50) == again
    with pytest.raises(UsageError, match="no row 1: the table has 1"):
        lake.similar_rows(own, 1)


def test_many_rows_of_one_statement(lake, connection):
    lake.index_rows(epochs=1)
    sql = """SELECT n, s."row" FROM range(3) AS r(n), LATERAL (FROM tablelens.similar_rows('a', n, k := 2)) AS s
             ORDER BY n, s.rank"""
    found = connection.execute(sql).fetchall()
    assert found == [(n, hit.row) for n in range(3) for hit in lake.similar_rows("a", n, k=2)]


def test_without_python_it_says_so(lake):
    from tablelens.index import generation

    path = generation.catalog_of(lake.home, lake.view.generation.number)
    with duckdb.connect() as plain:
        plain.execute(f"ATTACH '{path}' AS tablelens (READ_ONLY)")
        with pytest.raises(duckdb.Error, match="Python alone"):
            plain.execute("FROM tablelens.similar_rows('a', 0)").fetchall()
