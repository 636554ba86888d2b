"""The SQL that goes with a hit runs, and joins what the evidence counted."""

import datetime as dt
import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablelens.discover import sql
from tablelens.engines.base import InlineEngine
from tablelens.lake import Lake
from tablelens.profile.normalize import normalize
from tablelens.testing import make_lake

ANY = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = ANY.filter(lambda name: name and "\0" not in name)
VALUES = [f"value {i}" for i in range(30)]


def matched(hit, column):
    """The distinct values of the left column that the hit's SQL joins, as the value sets count them."""
    distinct = hit.sql.replace("SELECT *", f"SELECT DISTINCT a.{sql.identifier(column)}::VARCHAR", 1)
    values = {normalize(row[0]) for row in duckdb.sql(distinct).fetchall()}
    return len(values - {None})


def assert_sql_joins_what_was_counted(lake, left, right):
    query = lake.query(left)
    hit = lake.explain(left, right)
    assert hit.evidence.overlap > 0
    assert matched(hit, query.name) == hit.evidence.overlap, hit.sql


@given(NAMES)
def test_identifiers_round_trip(name):
    relation = duckdb.sql(f"SELECT 1 AS {sql.identifier(name)}")
    assert relation.columns == [name]


@given(ANY.filter(lambda text: "\0" not in text))
def test_literals_round_trip(text):
    assert duckdb.sql(f"SELECT {sql.literal(text)}").fetchall() == [(text,)]


@given(st.text(st.sampled_from("ab*?[]{}'\"%\n;-!^,é"), min_size=1, max_size=12))
def test_file_literals_name_one_file(name):
    with tempfile.TemporaryDirectory() as folder:
        for other in ("ab", "a", "b", "aab", name):
            Path(folder, f"{other}.csv").write_text("x\nother\n")
        Path(folder, f"{name}.csv").write_text("x\nmine\n")
        query = f"SELECT x FROM read_csv({sql.file_literal(f'{folder}/{name}.csv')}, all_varchar = true, header = true)"
        assert duckdb.sql(query).fetchall() == [("mine",)]


DAYS = [dt.date(2024, 1, 1) + dt.timedelta(i) for i in range(30)]
NOONS = [dt.datetime(2024, 1, 1, 12) + dt.timedelta(i) for i in range(30)]
MIDNIGHTS = [dt.datetime(2024, 1, 1) + dt.timedelta(i) for i in range(30)]
LONG = [900000000000000000 + i for i in range(30)]
PAIRS = {
    "same text": (VALUES, VALUES[7:]),
    "other case": (VALUES, [value.upper() for value in VALUES[7:]]),
    "some of another case": (VALUES, [*VALUES[7:20], *(value.upper() for value in VALUES[20:])]),
    "space around": (VALUES, [f"  {value} " for value in VALUES[7:]]),
    "space inside": (VALUES, [value.replace(" ", "   ") for value in VALUES[7:]]),
    "some with space inside": (VALUES, [*VALUES[7:20], *(value.replace(" ", "   ") for value in VALUES[20:])]),
    "null words": ([*VALUES, "n/a", "NULL"], [*VALUES[7:], "n/a", "-"]),
    "integers": (range(30), range(7, 40)),
    "integers and decimals": (range(30), [float(i) for i in range(7, 40)]),
    "decimals": ([i / 4 for i in range(30)], [i / 2 for i in range(30)]),
    "codes with zeros": ([f"{i:05}" for i in range(30)], [f"{i:05}" for i in range(7, 40)]),
    "long ids": (LONG, LONG[7:]),
    "long ids next to each other": (LONG[::2], LONG[:20]),
    "days": (DAYS, DAYS[7:]),
    "noons": (NOONS, NOONS[7:]),
    "umlauts": (["Zürich", "Genève", "Bern", "Chur", "Brig"], ["ZÜRICH", "GENÈVE", "bern", "x", "y"]),
    "sharp s": ([f"Straße {i}" for i in range(30)], [f"STRASSE {i}" for i in range(30)]),
    "full width": (["A1", "B2", "C3", "D4", "E5"], ["Ａ１", "Ｂ２", "C3", "d4", "e5"]),
    "accents apart": (["Zürich", "Genève", "Bern", "Chur"], ["Zu\u0308rich", "Gene\u0300ve", "BERN", "chur"]),
    "no-break spaces": (["New York", "Los Angeles", "x y"], ["New\xa0York", "los\u2003angeles", "x y"]),
    "ligatures and half widths": (["file", "№ 5", "ｱ", "Ǆ", "x²"], ["ﬁle", "no 5", "ア", "ǆ", "x2"]),
    "final sigma": (["ΟΔΟΣ", "λόγος", "x"], ["οδος", "ΛΌΓΟΣ", "x"]),
    "codes and numbers": ([f"{i:05}" for i in [7, *range(90_000, 90_030)]], [7, *range(90_000, 90_030)]),
    "codes and decimals": (["007", "08", "9", "10"], ["007.0", "8", "9.00", "10"]),
    "null words of all kinds": ([*VALUES, "n/a", "N/A", "-", "none", ""], [*VALUES[7:], "n/a", " NULL ", "-", "None"]),
    "null words among numbers": (
        [*map(str, range(30)), "nan", "-", "n/a"],
        [*map(str, range(7, 40)), "NaN", "-", "n/a"],
    ),
    "wide spread of decimals": ([0.1, 0.2, 0.3, 1e-7, 1e20], [0.1, 0.2, 0.5, 1e-7, 1e20]),
}
TYPED = {"days and midnights": (DAYS, MIDNIGHTS[7:])}
SUFFIXES = [("csv", "csv"), ("csv", "parquet"), ("parquet", "parquet")]
FILES = ["x*.csv", "a b.csv", "it's.csv", 'q"q.csv', "[x].csv", "new\nline.csv", "?.csv", "ü.csv", "%.csv", "#.csv"]
COLUMNS = [
    'q"q',
    "twin",
    "TWIN",
    "Twin",
    "a b",
    "it's",
    "sel;ect",
    "select",
    "x.y",
    "ü",
    "a\tb",
    "$1",
    "?",
    "CaSe",
    "{}",
]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """One lake with all pairs, as CSV and as Parquet files, files and columns of unusual names, crawled."""
    folder = tmp_path_factory.mktemp("pairs")
    for name, sides in {**PAIRS, **TYPED}.items():
        for side, values in zip("lr", sides, strict=True):
            write(folder / name / f"{side}.csv", {"v": list(values)})
            write(folder / name / f"{side}.parquet", {"v": list(values)})
    for name in FILES:
        write(folder / "names" / name, {"v": VALUES})
    write(folder / "names" / "xsecret.csv", {"v": [value.upper() for value in VALUES]})
    for side, values in (("l", VALUES), ("r", VALUES[7:])):
        write(folder / "columns" / f"{side}.csv", dict.fromkeys(COLUMNS, values))
    lake = Lake.open(tmp_path_factory.mktemp("home"), encoder="hash")
    assert lake.crawl(folder, "pairs", engine=InlineEngine()).failed == ()
    return lake


def write(path, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({**columns, "n": range(len(next(iter(columns.values()))))})
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return
    kinds = [pa.timestamp("s") if pa.types.is_timestamp(kind) else kind for kind in table.schema.types]
    pa.csv.write_csv(table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True)))), path)


def assert_sql_joins_both_ways(lake, left, right):
    assert_sql_joins_what_was_counted(lake, left, right)
    assert_sql_joins_what_was_counted(lake, right, left)


@pytest.mark.parametrize("name", FILES)
def test_files_of_unusual_names_join_by_their_sql(pairs, name):
    assert_sql_joins_both_ways(pairs, f"names/{name}.v", "same text/r.csv.v")


@pytest.mark.parametrize("column", COLUMNS)
def test_columns_of_unusual_names_join_by_their_sql(pairs, column):
    assert_sql_joins_both_ways(pairs, f"columns/l.csv.{column}", f"columns/r.csv.{column}")


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("suffixes", SUFFIXES, ids="-".join)
def test_the_sql_joins_what_was_counted(pairs, pair, suffixes):
    assert_sql_joins_both_ways(pairs, *(f"{pair}/{side}.{end}.v" for side, end in zip("lr", suffixes, strict=True)))


@pytest.mark.parametrize("pair", TYPED)
def test_the_sql_joins_what_was_counted_in_typed_files(pairs, pair):
    assert_sql_joins_both_ways(pairs, f"{pair}/l.parquet.v", f"{pair}/r.parquet.v")
    assert_sql_joins_both_ways(pairs, f"{pair}/l.csv.v", f"{pair}/r.parquet.v")


def test_text_that_is_empty_and_figures_that_are_none_do_not_join(tmp_path, crawl):
    numbers = [float(i) for i in range(9)]
    for name in ("l", "r"):
        texts = [*(f"word {i}" for i in range(9)), "", "  ", "n/a", None]
        table = pa.table({"t": texts, "x": [*numbers, float("nan"), float("nan"), 0.5, None]})
        (tmp_path / "lake").mkdir(exist_ok=True)
        pq.write_table(table, tmp_path / "lake" / f"{name}.parquet")
    lake, _ = crawl(tmp_path / "lake")
    for column, rows in (("t", 9), ("x", 10)):
        assert len(duckdb.sql(lake.explain(f"l.{column}", f"r.{column}").sql).fetchall()) == rows


def test_a_hit_says_what_its_sql_cannot_find(tmp_path, crawl):
    """A number among words has one value in all its spellings; SQL compares words as they are written."""
    words = [f"word {i}" for i in range(9)]
    write(tmp_path / "lake" / "l.csv", {"v": [*words, "5.0"]})
    write(tmp_path / "lake" / "r.csv", {"v": [*words[:8], words[8].upper(), "5"]})
    lake, _ = crawl(tmp_path / "lake")
    hit = lake.explain("l.v", "r.v")
    assert hit.evidence.overlap == 10
    assert matched(hit, "v") == 9
    assert hit.notes == ("counted as equal, but not joined by the SQL: 5.0",)


def test_a_path_joins_as_its_hits_do(tmp_path, crawl):
    words = [f"straße {i}" for i in range(9)]
    write(tmp_path / "lake" / "l.csv", {"v": [*words, "n/a"]})
    write(tmp_path / "lake" / "r.csv", {"v": [*map(str.upper, words), "n/a"]})
    lake, _ = crawl(tmp_path / "lake")
    (path,) = lake.paths("l", "r")
    assert len(duckdb.sql(path.sql).fetchall()) == 9


def test_no_row_is_joined_for_a_value_that_was_not_counted(pairs):
    """Long ids differ in their last digit only, which a double does not hold."""
    hit = pairs.explain("long ids/l.csv.v", "long ids/r.csv.v")
    assert len(duckdb.sql(hit.sql).fetchall()) == hit.evidence.join_rows == 23


def test_namibia_is_joined(tmp_path, home):
    """NA is a value in both columns of codes: counted, shown, and joined by the SQL."""
    codes = [first + second for first in "ABCDE" for second in "EFGHI"]
    folder = make_lake(tmp_path / "lake", {"a.csv": {"code": [*codes, "NA"]}, "b.csv": {"iso": ["NA", *codes[:22]]}})
    lake = Lake.open(home, encoder="hash")
    lake.crawl(folder, engine=InlineEngine())
    (hit,) = lake.joins("b.iso", mode="equi").hits
    assert (hit.evidence.containment, hit.evidence.unmatched) == (1, ())
    assert ("NA", "NA") in duckdb.sql(hit.sql).fetchall()
