import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablelens.crawl.jsonlines import read_json
from tablelens.crawl.readers import read_file
from tablelens.crawl.unpack import Content
from tablelens.settings import Settings


def test_records(read, cells):
    table = read("x.json", '[{"a": 1, "b": "x"}, {"b": null, "c": 1.50}, {"a": true}]')
    assert table.names == ("a", "b", "c")
    assert cells(table) == [["1", "x", None], [None, None, "1.50"], ["true", None, None]]
    assert table.format == "json"


@pytest.mark.parametrize(
    ("value", "names", "rows"),
    [
        ({"a": [1, 2], "b": ["x"]}, ("a", "b"), [["1", "x"], ["2", None]]),
        ({"fr": {"n": 1}, "de": {"n": 2}}, ("key", "n"), [["fr", "1"], ["de", "2"]]),
        ({"a": 1, "b": "x"}, ("a", "b"), [["1", "x"]]),
        ([["a", "b"], [1, 2]], ("a", "b"), [["1", "2"]]),
        ([[1, 2], [3, 4]], ("column_1", "column_2"), [["1", "2"], ["3", "4"]]),
        (["x", "y"], ("value",), [["x"], ["y"]]),
        ({"description": "animals", "animals": ["cat", "dog"]}, ("animals",), [["cat"], ["dog"]]),
        ({"data": [{"a": 1}], "page": 2}, ("a",), [["1"]]),
        ([{"a": {"b": [1, 2.50]}}], ("a",), [['{"b": [1, 2.5]}']]),
    ],
)
def test_shapes(read, cells, value, names, rows):
    table = read("x.json", json.dumps(value))
    assert table.names == names
    assert cells(table) == rows


def test_lists_of_records_are_parts(found):
    tables = read_file(found("x.json", '{"a": [{"x": 1}], "b": [{"y": 2}]}'), Settings())
    assert [(table.part, table.names) for table in tables] == [("a", ("x",)), ("b", ("y",))]


def test_lines(read, cells):
    table = read("x.ndjson", '{"a": 1}\n\n{"b": "two\\nlines"}\n')
    assert cells(table) == [["1", None], [None, "two\nlines"]]
    assert table.format == "ndjson"
    assert cells(read("y.jsonl", '[{"a": 1}]')) == [["1"]]
    assert cells(read("z.json", '{"a": 1}\n{"a": 2}\n')) == [["1"], ["2"]]


def test_line_limits(read):
    table = read("x.ndjson", '{"a": 1}\n' * 50, max_rows=10)
    assert (table.data.num_rows, table.truncated) == (10, True)
    table = read("y.ndjson", ('{"a": "' + "x" * 1000 + '"}\n') * 2000, max_file_mb=1)
    assert table.truncated


def test_wide_records(read):
    table = read("x.json", json.dumps([{f"c{i}": i for i in range(300)}]), max_columns=100)
    assert (table.data.num_columns, table.truncated) == (100, True)


def test_large_json_is_refused(refusal):
    assert refusal("x.json", "[" + "1," * 600_000 + "1]", max_file_mb=1) == "too-large"


def test_numbers_as_written(read, cells):
    text = '[{"a": 1e308, "b": 1e999, "c": 12345678901234567890123, "d": NaN, "e": -0.0, "f": ' + "9" * 5000 + "}]"
    assert cells(read("x.json", text)) == [["1e308", "1e999", "12345678901234567890123", "nan", "-0.0", "9" * 5000]]


def test_double_keys(read, cells):
    assert cells(read("x.json", '[{"a": 1, "a": 2}]')) == [["2"]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-le"])
def test_encodings(read, cells, encoding):
    assert cells(read("x.json", '[{"a": "é"}]'.encode(encoding))) == [["é"]]


def test_lone_surrogates(read, cells):
    assert cells(read("x.json", '[{"a\\ud800": "x\\udfff"}]')) == [["x?"]]


@pytest.mark.parametrize(("content", "reason"), [
    ("[" * 100_000 + "]" * 100_000, "depth"),
    ('{"a":' * 100_000 + "1" + "}" * 100_000, "depth"),
    ('[{"a": 1}', "damaged"),
    ("{}", "no-table"),
    ("[]", "empty"),
    ("[{}]", "empty"),
    ("7", "no-table"),
    ("  \n", "empty"),
    (b'[{"a": "\xff"}]', "encoding"),
    ("", "empty"),
])  # fmt: skip
def test_refusals(refusal, content, reason):
    assert refusal("x.json", content) == reason


def test_a_damaged_line_says_which(found):
    from tablelens.errors import UnreadableFile

    with pytest.raises(UnreadableFile, match="line 2"):
        read_file(found("x.ndjson", '{"a": 1}\n{"a": \n'), Settings())


@given(
    st.lists(st.dictionaries(st.text(min_size=1, max_size=5), st.text(min_size=1, max_size=5), min_size=1), min_size=1)
)
def test_records_of_text_come_back(records):
    (table,) = read_json(Content(json.dumps(records).encode()), Settings())
    rows = zip(*(column.to_pylist() for column in table.data.columns), strict=True)
    back = [{name: cell for name, cell in zip(table.names, row, strict=True) if cell is not None} for row in rows]
    assert back == records
