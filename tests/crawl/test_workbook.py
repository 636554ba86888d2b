import contextlib
import datetime as dt
import io
import zipfile

import pytest

from tablelens.crawl.readers import read_file
from tablelens.errors import UnreadableFile
from tablelens.settings import Settings

openpyxl = pytest.importorskip("openpyxl")


def book(sheets):
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def repacked(content, member, change):
    """The workbook with one member's content changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, change(old.read(info)) if info.filename == member else old.read(info))
    return buffer.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def test_cells_as_canonical_text(read, cells):
    row = [1, 2.5, 3.0, "007", True, dt.date(2020, 1, 2), dt.datetime(2020, 1, 2, 3, 4, 5), None]
    table = read("x.xlsx", book({"S": [["a", "b", "c", "d", "e", "f", "g", "h"], row]}))
    assert cells(table) == [["1", "2.5", "3", "007", "true", "2020-01-02", "2020-01-02 03:04:05", None]]
    assert (table.part, table.format) == ("", "workbook")


def test_each_filled_sheet_is_a_table(found):
    content = book({"one": [["a"], [1]], "empty": [], "two": [["b"], [2]]})
    tables = read_file(found("x.xlsx", content), Settings())
    assert [(table.part, table.names) for table in tables] == [("one", ("a",)), ("two", ("b",))]


def test_header_is_the_first_filled_row(read, cells):
    table = read("x.xlsx", book({"S": [[], [], ["a", None, "a"], [], [1, 2, 3]]}))
    assert table.names == ("a", "", "a")
    assert table.data.column_names == ["a", "column_2", "a_2"]
    assert cells(table) == [["1", "2", "3"]]


def test_titles_above_the_table_are_passed_over(read):
    rows = [["Quarterly report"], [], ["all in kEUR"], [None, "region", "2024"], [None, "North", 1], [None, "South", 2]]
    table = read("x.xlsx", book({"s": rows}))
    assert table.data.column_names == ["column_1", "region", "2024"]
    assert table.data.num_rows == 2
    assert table.warnings == ("preamble: 2 lines before the table were skipped",)
    assert (table.truncated, table.reading.place) == (False, "s!A4:C6")


def test_one_column_has_no_titles(read):
    table = read("x.xlsx", book({"s": [["name"], ["a"], ["b"], ["c", "a remark"]]}))
    assert table.data.column_names == ["name", "column_2"]


def test_cells_as_they_were_saved(read, cells):
    """A merged cell has its value once; a formula that was never computed has none; long numbers stay whole."""
    made = openpyxl.Workbook()
    for row in (["a", "b", "c"], ["x", 1e15, "=1+1"], [None, 2, "=1/0"]):
        made.active.append(row)
    made.active.merge_cells("A2:A3")
    buffer = io.BytesIO()
    made.save(buffer)
    assert cells(read("x.xlsx", buffer.getvalue())) == [["x", "1000000000000000", None], [None, "2", None]]


def test_hidden_sheets_are_read_and_said_to_be_hidden(found):
    made = openpyxl.load_workbook(io.BytesIO(book({"open": [["a"], ["x"]], "hidden": [["b"], ["y"]]})))
    made["hidden"].sheet_state = "hidden"
    buffer = io.BytesIO()
    made.save(buffer)
    tables = {table.part: table.warnings for table in read_file(found("x.xlsx", buffer.getvalue()), Settings())}
    assert tables == {"open": (), "hidden": ("hidden: the sheet is hidden",)}


def test_limits(read):
    content = book({"S": [[f"c{i}" for i in range(30)], *([i] * 30 for i in range(50))]})
    table = read("x.xlsx", content, max_rows=10, max_columns=5)
    assert (table.data.num_rows, table.data.num_columns, table.truncated) == (10, 5, True)


def test_no_cells(refusal):
    assert refusal("x.xlsx", book({"S": []})) == "empty"


def test_known_by_its_bytes(read, cells):
    assert cells(read("x.csv", book({"S": [["a"], ["x"]]}))) == [["x"]]


@pytest.mark.parametrize("name", ["x.xlsx", "x.xls", "x.ods", "x.xlsb"])
def test_other_content_is_damaged(refusal, name):
    assert refusal(name, b"a,b\n1,2\n") == "damaged"


def test_damaged_archives(refusal):
    content = book({"S": [["a"], ["x"]]})
    assert refusal("cut.xlsx", content[:-30]) == "damaged"
    assert refusal("half.xlsx", content[: len(content) // 2]) == "damaged"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.txt", "no workbook")
    assert refusal("zip.xlsx", buffer.getvalue()) == "damaged"


def test_bomb_with_honest_sizes(refusal):
    content = repacked(book({"S": [["a"], ["x"]]}), SHEET, lambda xml: xml + b" " * (40 << 20))
    assert len(content) < 100_000
    assert refusal("x.xlsx", content) == "bomb"


def test_bomb_with_false_sizes(refusal):
    content = repacked(book({"S": [["a"], ["x"]]}), SHEET, lambda xml: xml + b" " * (40 << 20))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = archive.getinfo(SHEET).file_size
    assert content.count(size.to_bytes(4, "little")) == 2
    content = content.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert refusal("x.xlsx", content) == "bomb"


def test_two_far_corners_do_not_fill_the_memory(refusal):
    made = openpyxl.Workbook()
    made.active["A1"] = "a"
    made.active["XFD1048576"] = "z"
    buffer = io.BytesIO()
    made.save(buffer)
    assert refusal("x.xlsx", buffer.getvalue()) == "too-large"


def test_external_entities_are_not_fetched(found, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("TOP SECRET")
    doctype = f'<!DOCTYPE x [<!ENTITY leak SYSTEM "file://{secret}">]>'.encode()

    def change(xml):
        head, body = (b"", xml) if not xml.startswith(b"<?xml") else xml.split(b"?>", 1)
        declaration = head + b"?>" if head else b""
        return declaration + doctype + body.replace(b"PLACE", b"&leak;")

    for member in (SHEET, "xl/sharedStrings.xml"):
        content = repacked(book({"S": [["a"], ["PLACE"]]}), member, change)
        seen = []
        with contextlib.suppress(UnreadableFile):
            seen = [table.data.to_pylist() for table in read_file(found("x.xlsx", content), Settings())]
        assert "TOP SECRET" not in str(seen)
