"""What DuckDB reads with a source is what the crawl read, whatever the file is like."""

import bz2
import csv
import gzip
import io
import json
import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tablelens.crawl.readers import read_file
from tablelens.crawl.walk import walk
from tablelens.discover.source import TableFile, duckdb_names, source_of
from tablelens.settings import Settings
from tablelens.types import Reading

PACK = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress, ".bz2": bz2.compress}


def tables_of(path):
    """(source, cells as read) of each table in a file."""
    (file,) = walk(Path(path))
    for table in read_file(file, Settings()):
        names = table.data.column_names
        yield source_of(TableFile(str(path), "t", table.format, table.reading, names, table.part)), table


def rows_of(table):
    columns = [column.to_pylist() for column in table.data.columns]
    return [row for row in zip(*columns, strict=True) if any(cell is not None for cell in row)]


def rows_in_duckdb(source):
    rows = duckdb.sql(f"FROM {source.sql}").fetchall()
    return [row for row in (tuple(cell or None for cell in row) for row in rows) if any(row)]


def assert_duckdb_reads_the_same(path):
    for source, table in tables_of(path):
        assert source.notes == ()
        assert rows_in_duckdb(source) == rows_of(table), source.sql
        names = duckdb.sql(f"FROM {source.sql}").columns
        assert names == [source.renamed.get(name, name) for name in table.data.column_names]


def needs_export(path):
    ((source, _),) = tables_of(path)
    assert source.sql == "read_parquet('t.parquet')"
    (note,) = source.notes
    assert "`tablelens export t t.parquet`" in note
    return note


def saved(tmp_path, name, content):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# delimited text ---------------------------------------------------------------------------------------------------

CELLS = st.one_of(
    st.sampled_from(["", "n/a", "NULL", "7", "-1.50", "2024-01-31", "a b", "it's", "x,y", "p;q", "u|v", "#1", "a\tb"]),
    st.text(st.sampled_from("abcäéßñ 10,;|'\"\n."), max_size=8),
)
NAMES = st.lists(
    st.sampled_from(["id", "Id", "name", "name", "", "größe", "a b", "x.y", "n,m"]), min_size=2, max_size=5
)


@st.composite
def delimited(draw):
    """The bytes of a CSV of some dialect, and the end of its name."""
    names = draw(NAMES)
    rows = draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), min_size=1, max_size=12))
    # something in each row tells the widths of real tables apart from those of noise
    rows = [[str(i), *row] for i, row in enumerate(rows, 100)]
    buffer = io.StringIO(newline="")
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    ends = draw(st.sampled_from(["\n", "\r\n"]))
    writer = csv.writer(buffer, delimiter=draw(st.sampled_from(",;\t|")), quoting=quoting, lineterminator=ends)
    writer.writerows([["key", *names], *rows])
    preamble = draw(st.sampled_from(["", f"A title{ends}", f"A title{ends}{ends}of two lines{ends}"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16-le", "utf-16"]))
    packed = draw(st.sampled_from(["", ".gz", ".zst"]))
    content = (preamble + buffer.getvalue()).encode(encoding)
    return (PACK[packed](content) if packed else content), f".csv{packed}"


@given(delimited())
@settings(max_examples=80)
def test_any_dialect(made):
    content, suffix = made
    with tempfile.TemporaryDirectory() as folder:
        path = saved(Path(folder), f"x{suffix}", content)
        for source, table in tables_of(path):
            if not source.notes:
                assert rows_in_duckdb(source) == rows_of(table), source.sql


ODD = {
    "ragged": "a,b,c\n1,2\n3,4,5,6\n7,8,9\n10\n",
    "a longer row after the sample": "a,b\n" + "1,2\n" * 300 + "3,4,5\n6\n",
    "line ends of two kinds": 'a,b\nx,1\r\nz,2\n"u\nv",3\r\n',
    "old line ends": "a,b\rx,1\rz,2\r",
    "one column": "a name\nx, y\nz;2\n",
    "names that repeat": "id,id,,x\n1,2,3,4\n5,6,7,8\n",
    "names that differ by case": "Id,id,ID\n1,2,3\n4,5,6\n",
    "a header of two lines": 'pre\n"a\nx",b\n1,2\n3,4\n',
    "a header alone, of two lines": 'a,"b\nx"',
    "no name for the row names": "a,b\nr1,1,2\nr2,3,4\n",
    "a backslash before quotes": 'a,b\n"x \\"q\\" y",1\nzw,2\n',
    "apostrophes as quotes": "a,b\n'x, y',1\n'z',2\n",
    "a separator that is told": "sep=;\na;b\n1;2\n3;4\n",
    "a note in the middle": "a,b\n#x,1\ny,2\n#z,3\n",
    "NUL": "a,b\nx\0y,1\nz,2\n",
    "blank lines": "\n\na,b\n1,2\n\n3,4\n\n",
    "empty text": 'a,b\n"",1\n" ",2\nx,""\n',
    "a long name": f"{'n' * 300},b\n1,2\n",
    "long cells": "a,b\n" + "x" * 3_000_000 + ",1\ny,2\n",
    "header only": "a,b\n",
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files(tmp_path, name):
    assert_duckdb_reads_the_same(saved(tmp_path, "x.csv", ODD[name]))


def test_no_column_comes_from_the_name_of_a_folder(tmp_path):
    assert_duckdb_reads_the_same(saved(tmp_path, "year=2020/x.csv", "a,year\n1,5\n2,6\n"))
    path = tmp_path / "year=2020" / "x.parquet"
    pq.write_table(pa.table({"a": ["1"], "year": ["5"]}), path)
    assert_duckdb_reads_the_same(path)


def test_a_packed_file_without_its_suffix(tmp_path):
    assert_duckdb_reads_the_same(saved(tmp_path, "x.csv", gzip.compress(b"a,b\n1,2\n")))


def test_an_encoding_of_an_extension_is_named(tmp_path):
    ((source, _),) = tables_of(saved(tmp_path, "x.csv", "a,b\n€,Müller\nœ,é\n".encode("cp1252")))
    assert "encoding = 'CP1252'" in source.sql
    assert "INSTALL encodings" in source.notes[0]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("x.csv.bz2", bz2.compress(b"a,b\n1,2\n"), "packed with bz2"),
        ("x.csv", "a,b\n1,é\n2,x\n".encode("utf-16-be"), "utf-16-be"),
        ("x.csv", 'a,b\n"x,1\nz,2\ny,3\n', "a quote is never closed"),
        ("x.csv", 'a,b\n"x" y,1\n"z" w,2\n', "quotes stand within cells"),
        ("x.csv", 'a,"b\nx"\r\n1,2\r\n3,4\r\n', "a column's name spans lines"),
        ("x.csv", 'a,"b\nx",A\n1,2,3\n3,4,5\n', "a column's name spans lines"),
        ("x.csv", 'pre\na,"b\nx",a\n1,2,3\n3,4,5\n', "a column's name spans lines"),
        ("x.json", json.dumps([{"a": 1}, {"a": "é"}]).encode("utf-16-le"), "JSON in utf-16-le"),
        ("x.json", '[{"Id": 1, "id": 2}]', "differ by case"),
    ],
)
def test_what_duckdb_cannot_read_is_exported_first(tmp_path, name, content, why):
    assert why in needs_export(saved(tmp_path, name, content))


# JSON, workbooks, Parquet -----------------------------------------------------------------------------------------

JSON = {
    "records.json": '[{"id": 1, "d": "2024-01-01T00:00:00Z", "x": "é"}, {"id": 2.5, "b": true, "x": null}]',
    "lines.ndjson": '{"a": 1, "b": "x"}\n\n{"a": "N", "c": 2}\n',
    "pretty.json": '{"a": 1,\n"b": "x"}\n{"a": 2, "b": "y"}\n',
    "multi.json": '{"people": [{"id": 1, "it\'s": "a"}, {"id": 2, "x.y": "b"}], "towns": [{"t": "x"}], "n": 3}',
    "one key.json": '{"it\'s \\"so\\"": [{"a \\" b": 1}, {"a \\" b": 2}], "n": 3}',
    "lists.json": '[["a", "b"], ["x", 1], ["y", 2.5]]',
    "bare lists.json": '[["a", 1], ["x", 1]]',
    "lines of lists.ndjson": '["x", 1]\n["y", 2]\n',
    "columns.json": '{"a": ["x", "y", "z"], "b": [1, 2.5]}',
    "entries.json": '{"k1": {"v": 1, "w \\" q": "q"}, "k2": {"v": 2.5}}',
    "object.json": '{"v": 1, "w": "q"}',
    "values.json": '["a", "b", 1.5]',
    "values.ndjson": '"a"\n"b"\n1.5\n',
}


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_json(tmp_path, name, packed):
    content = JSON[name].encode()
    assert_duckdb_reads_the_same(saved(tmp_path, name + packed, PACK[packed](content) if packed else content))


@given(st.lists(st.dictionaries(st.text(min_size=1, max_size=4), st.text(max_size=4), min_size=1), min_size=1))
@settings(max_examples=40)
def test_any_records(records):
    with tempfile.TemporaryDirectory() as folder:
        for name, value in (
            ("x.json", records),
            ("y.json", {"k'\"": records}),
            ("z.json", {"1": {"a": "b"}, "2": records[0]}),
        ):
            path = saved(Path(folder), name, json.dumps(value, ensure_ascii=False))
            for source, table in tables_of(path):
                if not source.notes:
                    assert rows_in_duckdb(source) == rows_of(table), source.sql


def test_parquet_whose_names_differ_by_case(tmp_path):
    pq.write_table(pa.table([["1"], ["2"], ["3"]], names=["Id", "id", "id_1"]), tmp_path / "x.parquet")
    assert_duckdb_reads_the_same(tmp_path / "x.parquet")


def test_a_workbook_names_sheet_area_and_cure(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "it's"
    for row in (["A title"], [], [None, "a", "b"], [None, "x", 1], [], [None, "y", 2]):
        book.active.append(row)
    book.save(tmp_path / "x.xlsx")
    ((source, _),) = tables_of(tmp_path / "x.xlsx")
    assert "sheet = 'it''s'" in source.sql
    assert "INSTALL excel" in source.notes[0]


@given(st.lists(st.text(st.sampled_from("aA1_éÉßẞ"), min_size=1, max_size=4), min_size=1, unique=True))
@settings(max_examples=100)
@example(["a", "A_1", "A"])
def test_duckdb_renames_columns_as_we_say(names):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.parquet")
        pq.write_table(pa.table([["x"]] * len(names), names=names), path)
        assert duckdb.sql(f"FROM read_parquet('{path}')").columns == duckdb_names(names)


def test_readings_round_trip():
    assert Reading().as_text() == ""
    assert Reading.of("") == Reading()
    odd = Reading(";", "'", "\\", "utf-16-le", "gzip", 3, False, 2, True, 9, "records", "é", "x")
    assert Reading.of(odd.as_text()) == odd
