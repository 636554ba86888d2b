"""Many columns asked of the extension at once: in one statement, by many threads, of a plan that was made before."""

from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

from tablelens.discover.joins import MODES
from tablelens.discover.sql import literal
from tablelens.index.ivf import IvfIndex


def columns_of(connection):
    asked = """SELECT "table" || '.' || "column" FROM tablelens.columns ORDER BY id"""
    return [name for (name,) in connection.execute(asked).fetchall()]


def test_threads_and_many_columns_in_one_statement(attached, crawl, lake_folder, kinds):
    lake, _ = crawl(lake_folder, **kinds["hnsw"])
    connection = attached(lake, threads=4)
    asked = """SELECT c.id, j."table", j."column", j.rank FROM tablelens.columns c,
        LATERAL (FROM tablelens.joins(c."table" || '.' || c."column", k := 3)) AS j ORDER BY ALL"""
    wanted = connection.execute(asked).fetchall()
    assert len(wanted) > 50
    wrong = []

    def ask(cursor):
        answers = [cursor.execute(asked).fetchall() for _ in range(3)]
        wrong.extend(answer for answer in answers if answer != wanted)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, [connection.cursor() for _ in range(4)]))
    assert wrong == []


TOGETHER = """SELECT q.name, j.* FROM (SELECT unnest(?::VARCHAR[]) AS name) AS q,
    LATERAL (FROM tablelens.joins(q.name, k := 5, mode := ?)) AS j ORDER BY q.name, j.rank"""


def asked_together(connection, columns, mode):
    return connection.execute(TOGETHER, [columns, mode]).fetchall()


def asked_alone(connection, columns, mode):
    asked = "FROM tablelens.joins(?, k := 5, mode := ?) ORDER BY rank"
    return [(name, *row) for name in sorted(columns) for row in connection.execute(asked, [name, mode]).fetchall()]


def test_columns_asked_together_are_answered_as_one_by_one(attached, crawl, lake_folder, kind, kinds):
    lake, _ = crawl(lake_folder, **kinds[kind])
    connection = attached(lake)
    columns = columns_of(connection)
    for mode in MODES:
        assert asked_together(connection, columns, mode) == asked_alone(connection, columns, mode)
    with pytest.raises(duckdb.InvalidInputException, match=r"unknown column 'no\.such'"):
        asked_together(connection, [*columns, "no.such"], "auto")


def test_columns_asked_together_look_into_the_same_lists(attached, crawl, lake_folder, kinds, monkeypatch):
    monkeypatch.setitem(IvfIndex.__init__.__kwdefaults__, "probes", 3)
    lake, _ = crawl(lake_folder, **kinds["ivf"])
    connection = attached(lake)
    columns = columns_of(connection)
    assert asked_together(connection, columns, "deepjoin") == asked_alone(connection, columns, "deepjoin")


def test_columns_asked_together_have_filters_of_their_own(attached, crawl, lake_folder):
    lake, _ = crawl(lake_folder)
    connection = attached(lake)
    patterns = ["t1*", "t*", None, "*s.csv", "long*", "t1*"]
    asked = [(column, patterns[i % len(patterns)]) for i, column in enumerate(columns_of(connection))]
    one = "FROM tablelens.joins(?, tables := ?, k := 4)"
    alone = [(name, *row) for name, tables in asked for row in connection.execute(one, [name, tables]).fetchall()]
    together = connection.execute(
        """SELECT q.name, j.* FROM (SELECT unnest(?::VARCHAR[]) AS name, unnest(?::VARCHAR[]) AS pattern) AS q,
           LATERAL (FROM tablelens.joins(q.name, tables := q.pattern, k := 4)) AS j""",
        list(map(list, zip(*asked, strict=True))),
    ).fetchall()
    assert len(alone) > 50
    assert sorted(together, key=lambda row: row[:2]) == sorted(alone, key=lambda row: row[:2])


def test_a_prepared_search_is_planned_once_and_takes_any_column(attached, crawl, lake_folder):
    lake, _ = crawl(lake_folder)
    connection = attached(lake)
    connection.execute("PREPARE partners AS FROM tablelens.joins($1, k := 3, mode := 'equi')")
    for column in columns_of(connection)[:20]:
        wanted = connection.execute("FROM tablelens.joins(?, k := 3, mode := 'equi')", [column]).fetchall()
        assert connection.execute(f"EXECUTE partners({literal(column)})").fetchall() == wanted
