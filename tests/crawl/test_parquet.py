import datetime as dt
import decimal
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def write(tmp_path):
    def write(name, table, **options):
        pq.write_table(table, tmp_path / name, **options)
        return name

    return write


def test_types_stay(write, read, cells):
    row = (7, 1.5, True, dt.date(2020, 1, 2), decimal.Decimal("1.50"), "x")
    table = pa.table({f"c{i}": [value] for i, value in enumerate(row)})
    result = read(write("x.parquet", table))
    assert result.data.schema.equals(table.schema)
    assert cells(result) == [list(row)]
    assert (result.format, result.names, result.warnings) == ("parquet", ("c0", "c1", "c2", "c3", "c4", "c5"), ())


def test_dictionaries_are_decoded(write, read):
    table = pa.table({"a": pa.array(["x", "y", "x"]).dictionary_encode()})
    assert read(write("x.parquet", table)).data.column(0).to_pylist() == ["x", "y", "x"]
    assert pa.types.is_string(read("x.parquet").data.schema.field(0).type)


def test_nested_columns_become_json(write, read, cells):
    table = pa.table({"id": [1, 2], "s": [{"a": 1, "b": [b"\x01"]}, None], "l": [["é"], []]})
    result = read(write("x.parquet", table))
    assert cells(result) == [[1, '{"a": 1, "b": ["01"]}', '["é"]'], [2, None, "[]"]]
    assert result.warnings == ("nested: written as JSON: s", "nested: written as JSON: l")


def test_maps_and_times_within_nesting(write, read, cells):
    when = dt.datetime(2020, 1, 2, 3, 4)
    table = pa.table({"m": pa.array([[("k", when)]], pa.map_(pa.string(), pa.timestamp("us")))})
    assert cells(read(write("x.parquet", table))) == [['[["k", "2020-01-02 03:04:00"]]']]


def test_uuids_are_written_with_dashes(write, read, cells):
    ids = [uuid.UUID(int=7), None]
    storage = pa.array([each and each.bytes for each in ids], pa.binary(16))
    table = read(write("x.parquet", pa.table({"u": pa.ExtensionArray.from_storage(pa.uuid(), storage)})))
    assert cells(table) == [["00000000-0000-0000-0000-000000000007"], [None]]


def test_binary_columns(write, read):
    table = pa.table(
        {
            "text": pa.array([b"abc"], pa.binary()),
            "raw": pa.array([b"\xff\xfe"], pa.binary()),
            "id": pa.array([b"\x01\x02"], pa.binary(2)),
        }
    )
    result = read(write("x.parquet", table))
    assert result.names == ("text", "id")
    assert result.data.to_pylist() == [{"text": "abc", "id": "0102"}]
    assert any("raw" in warning for warning in result.warnings)


def test_double_names(write, read):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    result = read(write("x.parquet", table))
    assert result.names == ("a", "a")
    assert result.data.to_pylist() == [{"a": 1, "a_2": 2}]


def test_no_rows(write, read):
    result = read(write("x.parquet", pa.table({"a": pa.array([], pa.int64())})))
    assert (result.data.num_rows, result.names) == (0, ("a",))


def test_no_columns(write, refusal):
    assert refusal(write("x.parquet", pa.table({}))) == "no-table"


def test_limits(write, read):
    table = pa.table({f"c{i}": list(range(1000)) for i in range(20)})
    result = read(write("x.parquet", table, row_group_size=100), max_rows=250, max_columns=5)
    assert (result.data.num_rows, result.data.num_columns, result.truncated) == (250, 5, True)
    assert result.data.column("c4").to_pylist() == list(range(250))


def test_dotted_names_are_no_paths(write, read):
    table = pa.table({"a.b": [1], "a": [{"b": 2}], "c": [3]})
    assert read(write("x.parquet", table), max_columns=1).data.to_pylist() == [{"a.b": 1}]


def test_known_by_its_bytes(write, read, cells, tmp_path):
    content = (tmp_path / write("x.parquet", pa.table({"a": [1]}))).read_bytes()
    assert cells(read("x.csv", content)) == [[1]]


def test_cut_short(write, refusal, tmp_path):
    content = (tmp_path / write("x.parquet", pa.table({"a": list(range(1000))}))).read_bytes()
    assert refusal("cut.parquet", content[:-20]) == "truncated"
    assert refusal("head.parquet", content[:40]) == "truncated"
    assert refusal("zero.parquet", b"") == "empty"
    assert refusal("text.parquet", b"a,b\n1,2\n") == "damaged"


def test_page_checksums_are_verified(write, refusal, tmp_path):
    name = write(
        "x.parquet",
        pa.table({"a": list(range(1000))}),
        write_page_checksum=True,
        compression="none",
        use_dictionary=False,
    )
    content = bytearray((tmp_path / name).read_bytes())
    content[500] ^= 1
    assert refusal("flipped.parquet", bytes(content)) == "damaged"


def test_huge_strings_in_the_footer_are_refused(write, refusal):
    table = pa.table({"a": [1]}).replace_schema_metadata({"k": "x" * (65 << 20)})
    assert refusal(write("x.parquet", table)) == "damaged"
