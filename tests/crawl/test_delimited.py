import csv
import io

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tablelens.crawl.delimited import read_delimited
from tablelens.crawl.dialect import find_layout, has_header
from tablelens.crawl.unpack import Content
from tablelens.settings import Settings


def warned(table, word):
    return any(word in warning for warning in table.warnings)


def test_cells_stay_as_written(read, cells):
    table = read("x.csv", "id,amount,when\n007,1.50,2020-01-01\n 8 ,,x\n")
    assert table.names == ("id", "amount", "when")
    assert cells(table) == [["007", "1.50", "2020-01-01"], [" 8 ", None, "x"]]
    assert (table.format, table.part, table.warnings, table.truncated) == ("csv", "", (), False)


@pytest.mark.parametrize(("name", "delimiter"), [("x.csv", ";"), ("x.tsv", "\t"), ("x.psv", "|"), ("x.csv", "\t")])
def test_delimiters(read, cells, name, delimiter):
    table = read(name, "a,b,c\n1,2,3\n4,5,6\n".replace(",", delimiter))
    assert table.names == ("a", "b", "c")
    assert cells(table) == [["1", "2", "3"], ["4", "5", "6"]]


def test_decimal_commas_do_not_delimit(read, cells):
    table = read("x.csv", "Größe, cm;Gewicht, kg\n1,5;2,5\n3,5;4,5\n")
    assert table.names == ("Größe, cm", "Gewicht, kg")
    assert cells(table)[0] == ["1,5", "2,5"]


def test_excels_separator_line(read, cells):
    table = read("x.csv", "sep=;\na;b\n1;2\n")
    assert table.names == ("a", "b")
    assert cells(table) == [["1", "2"]]


def test_line_breaks_in_quoted_cells_survive(read, cells):
    table = read("x.csv", 'a,b\n"one\r\ntwo\n",2\n3,"x\n\ny"\n')
    assert cells(table) == [["one\r\ntwo\n", "2"], ["3", "x\n\ny"]]


def test_doubled_and_escaped_quotes(read, cells):
    assert cells(read("d.csv", 'a,b\n"say ""hi""",2\n')) == [['say "hi"', "2"]]
    assert cells(read("e.csv", 'a,b\n"say \\"hi\\", you",2\n"x",3\n')) == [['say "hi", you', "2"], ["x", "3"]]


def test_single_quotes(read, cells):
    assert cells(read("x.csv", "'a','b'\n'1,5','x'\n")) == [["1,5", "x"]]
    assert cells(read("y.csv", "a,b\n'tis,the cats'\n")) == [["'tis", "the cats'"]]


def test_spaces_before_quotes(read, cells):
    assert cells(read("x.csv", 'a, b\n1, "x, y"\n2, "z, w"\n')) == [["1", "x, y"], ["2", "z, w"]]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings(read, cells, ending):
    assert cells(read("x.csv", ending.join(["a,b", "1,2", "3,4"]))) == [["1", "2"], ["3", "4"]]


def test_mixed_line_endings(read, cells):
    assert cells(read("x.csv", "a,b\r\n1,2\n3,4\r5,6\n")) == [["1", "2"], ["3", "4"], ["5", "6"]]


def test_one_column(read, cells):
    table = read("x.csv", "city\nBoston\n\nNew York\n")
    assert table.names == ("city",)
    assert cells(table) == [["Boston"], [None], ["New York"]]


def test_one_column_with_punctuation(read):
    assert read("x.csv", "city\nBoston, MA\nAustin, TX\nReno, NV\n").names == ("city",)


def test_blank_lines_are_no_rows(read, cells):
    assert cells(read("x.csv", "a,b\n\n1,2\n\n\n3,4\n\n")) == [["1", "2"], ["3", "4"]]


def test_short_and_long_rows_are_repaired_aloud(read, cells):
    table = read("x.csv", "a,b,c\n1,2,3\n4,5\n6,7,8,9\n1,1,1\n")
    assert cells(table) == [["1", "2", "3"], ["4", "5", None], ["6", "7", "8"], ["1", "1", "1"]]
    assert warned(table, "1 short rows")
    assert warned(table, "surplus cells of 1 long rows")


def test_ragged_rows_deep_in_a_file(read):
    rows = ["a,b,c"] + ["1,2,3"] * 9000 + ["4,5"] + ["1,2,3"] * 10
    table = read("x.csv", "\n".join(rows))
    assert (table.data.num_rows, table.data.num_columns) == (9011, 3)
    assert warned(table, "ragged")


def test_trailing_delimiters(read, cells):
    table = read("x.csv", "a,b,c\n1,2,3,\n4,5,6,\n7,8,9,\n")
    assert table.names == ("a", "b", "c")
    assert cells(table)[0] == ["1", "2", "3"]
    assert not warned(table, "surplus")


def test_row_names_without_a_header(read, cells):
    table = read("x.csv", '"mpg","cyl"\n"Mazda",21,6\n"Fiat",32,4\n')
    assert table.names == ("", "mpg", "cyl")
    assert table.data.column_names == ["column_1", "mpg", "cyl"]
    assert cells(table)[1] == ["Fiat", "32", "4"]


def test_preamble_is_skipped_aloud(read, cells):
    table = read("x.csv", "Report of 2020\n\n# source: us\nid,name,n\n1,a,2\n2,b,3\n3,c,4\n")
    assert table.names == ("id", "name", "n")
    assert len(cells(table)) == 3
    assert warned(table, "preamble: 3 lines")


def test_title_row_of_full_width_is_skipped(read):
    assert read("x.csv", "Report 2020,,\nid,name,n\n1,a,2\n2,b,3\n").names == ("id", "name", "n")


def test_unclosed_quote_is_bounded_and_said(read, cells):
    table = read("x.csv", 'a,b\n1,"open\n2,x\n3,y\n')
    assert [row[0] for row in cells(table)] == ["1", "2", "3"]
    assert warned(table, "never closed")


def test_two_unclosed_quotes_do_not_swallow_rows(read, cells):
    table = read("x.csv", 'a,b\n1,"open\n2,x\n3,"again\n4,y\n')
    assert [row[0] for row in cells(table)] == ["1", "2", "3", "4"]
    assert table.warnings


def test_quotes_within_cells(read, cells):
    assert cells(read("x.csv", 'a,b\n5" pipe,2\n6" pipe,3\n')) == [['5" pipe', "2"], ['6" pipe', "3"]]


@pytest.mark.parametrize("deep", [0, 9000])
def test_quotes_around_a_part_of_a_cell_stay(read, cells, deep):
    table = read("x.tsv", 'a\tb\n"big" dog\t1\nsay "hi"\t2\n' + "x\ty\n" * deep + '"open\t3\n')
    assert [row[0] for row in cells(table)] == ['"big" dog', 'say "hi"', *["x"] * deep, '"open']
    assert warned(table, "quotes: ")


def test_line_breaks_survive_beside_loose_quotes(read, cells):
    rows = ['"one\ntwo",1,x'] * 5 + ['"big" dog,2,y']
    table = read("x.csv", "a,b,c\n" + "\n".join(rows))
    assert cells(table)[0] == ["one\ntwo", "1", "x"]
    assert (table.data.num_rows, warned(table, "quotes: ")) == (6, True)


@pytest.mark.parametrize("start", ["<!DOCTYPE html>", "<html>", '\n<?xml version="1.0"?>'])
def test_pages_of_failed_downloads_are_no_tables(refusal, start):
    assert refusal("x.csv", start + "\n<p>Not found, sorry</p>") == "no-table"


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("a,b\nc,d\ne,f\n", 2),  # all text: a header
        ("id,n\n1,2\n3,4\n", 2),
        ("country,1990,1991\nFR,1,2\nDE,3,4\n", 2),  # years across the top
        ("name,2008\nFR,12.5\nDE,7\n", 2),
        ("0,1,2\n5,6,7\n9,9,9\n", 2),  # ordinals, as data frames write them
        ("1,2\n", 0),
        ("name,%\nx,1\ny,2\n", 2),
    ],
)
def test_first_row_is_a_header(read, content, rows):
    table = read("x.csv", content)
    assert table.data.num_rows == rows
    assert not warned(table, "header")


DATA_ABOVE_DATA = ["1,2.5,x\n2,3.5,y\n7,1.5,z\n", "2020-01-02,5,a\n2020-01-01,7,b\n2020-02-02,9,c\n"]


@pytest.mark.parametrize("content", DATA_ABOVE_DATA)
def test_first_row_of_data_is_taken_for_a_header_aloud(read, content):
    table = read("x.csv", content)
    assert table.data.num_rows == 2
    assert list(table.names) == content.split("\n")[0].split(",")
    assert warned(table, "header: the first row looks like data")


@pytest.mark.parametrize("content", DATA_ABOVE_DATA)
def test_first_row_is_data_where_headers_are_told(read, content):
    table = read("x.csv", content, header="auto")
    assert table.data.num_rows == 3
    assert table.names == ("", "", "")
    assert table.data.column_names == ["column_1", "column_2", "column_3"]
    assert warned(table, "columns are numbered")


def test_header_of_nothing_below():
    assert has_header((("a", "b"),))


def test_header_only(read):
    table = read("x.csv", "a,b,c\n")
    assert (table.data.num_rows, table.names) == (0, ("a", "b", "c"))


def test_names_are_unique_and_originals_kept(read):
    table = read("x.csv", "id,id,,id_2\na,b,c,d\n")
    assert table.names == ("id", "id", "", "id_2")
    assert table.data.column_names == ["id", "id_3", "column_3", "id_2"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_encodings(read, cells, encoding):
    table = read("x.csv", "name,city\nJosé,Köln\nZoë,Malmö\nAna,Rome\n".encode(encoding))
    assert table.names == ("name", "city")
    assert cells(table)[0] == ["José", "Köln"]
    assert warned(table, "encoding: utf-16") == encoding.startswith("utf-16")


TEXTS = {
    "cp1252": "nom,ville,prix\nJosé Núñez,Besançon,5 €\nZoë,Saint-Étienne,7 €\nJérôme,Orléans,9 €\nFrançois,Nîmes,3\n",
    "latin-1": "id,stad\n1,Malmö\n2,Göteborg\n3,Växjö\n4,Örebro\n5,Jönköping\n6,Borås\n7,Luleå\n8,Umeå\n",
    "cp1251": "город,страна\nМосква,Россия\nСанкт-Петербург,Россия\nКиев,Украина\nМинск,Беларусь\nНовосибирск,Россия\n"
    * 3,
    "shift_jis": "都市,国\n東京,日本\n大阪,日本\n京都市の中心部,日本\n札幌,日本国です\nさくら,ひらがな\n" * 3,
    "gb18030": "城市,国家\n北京,中国\n上海,中国\n广州,中国\n深圳,中华人民共和国\n这是一个测试,数据\n" * 3,
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_older_encodings_are_guessed_and_named(read, encoding):
    table = read("x.csv", TEXTS[encoding].encode(encoding))
    written = list(csv.reader(io.StringIO(TEXTS[encoding])))
    assert list(table.names) == written[0]
    assert table.data.column(0).to_pylist() == [row[0] for row in written[1:]]
    assert warned(table, "encoding: ")


def test_mixed_encodings(read, cells):
    data = "a,b\nKöln,Malmö\nÅrhus,Zürich\n".encode() + "Orléans,x\n".encode("cp1252")
    table = read("x.csv", data)
    assert cells(table) == [["Köln", "Malmö"], ["Århus", "Zürich"], ["Orléans", "x"]]
    assert warned(table, "mixed UTF-8")


def test_control_characters_stay(read, cells):
    text = "a,b\n\x002,\u202eevil\nx\x01y,zero\u200bwidth and more text so that it is not taken for binary\n"
    assert cells(read("x.csv", text))[0] == ["\x002", "\u202eevil"]


def test_row_limit(read, cells):
    table = read("x.csv", "a,b\n" + "1,2\n" * 50, max_rows=10)
    assert (table.data.num_rows, table.truncated) == (10, True)
    table = read("y.csv", "a,b\n" + "1,2\n" * 10, max_rows=10)
    assert (table.data.num_rows, table.truncated) == (10, False)


def test_file_limit_ends_at_a_full_line(read):
    line = "x" * 99 + ",yé\n"
    table = read("x.csv", "a,b\n" + line * 20_000, max_file_mb=1)
    assert table.truncated
    assert 9_500 < table.data.num_rows < (1 << 20) / len(line)
    assert set(table.data.column(1).to_pylist()) == {"yé"}


def test_file_limit_in_utf16(read):
    table = read(
        "x.csv",
        ("a,b\n" + "x" * 99 + ",yé\n").encode("utf-16") + (("x" * 99 + ",yé\n") * 9000).encode("utf-16-le"),
        max_file_mb=1,
    )
    assert table.truncated
    assert set(table.data.column(1).to_pylist()) == {"yé"}


def test_ragged_beyond_a_million_is_cut_too(read):
    table = read("x.csv", "a,b,c\n" + "1,2\n" * 500, max_rows=100)
    assert (table.data.num_rows, table.truncated) == (100, True)


def test_glob_names_read_one_file(tmp_path, found, read, cells):
    found("xsecret.csv", "a,b\nsecret,secret\n")
    assert cells(read("x*.csv", "a,b\n1,2\n")) == [["1", "2"]]


LETTERS = st.text("abcXYZ019 .,;|\t'\"\n\r\\é漢\u200b#-_", max_size=8)
NAMES = st.lists(st.text("abcdefgh", min_size=1, max_size=5), min_size=2, max_size=5)


@st.composite
def tables(draw):
    names = draw(NAMES)
    rows = draw(st.lists(st.lists(LETTERS, min_size=len(names), max_size=len(names)), max_size=8))
    return names, rows


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(
    tables(),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(["\n", "\r\n"]),
)
@example((["a", "b"], [["", ""], ["x", ""]]), ",", csv.QUOTE_MINIMAL, "\n")
def test_what_csv_writes_comes_back(table, delimiter, quoting, ending):
    names, rows = table
    if ending == "\n" and quoting == csv.QUOTE_MINIMAL:
        # Before Python 3.13 the writer leaves a lone carriage return unquoted, which then ends the row.
        rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, quoting=quoting, lineterminator=ending)
    writer.writerows([names, *rows])
    read = read_delimited(Content(buffer.getvalue().encode()), "x.csv", Settings())
    assert list(read.names) == names
    assert [
        [cell or "" for cell in row.values()]
        for row in read.data.rename_columns([str(i) for i in range(len(names))]).to_pylist()
    ] == rows


@settings(max_examples=200)
@given(st.lists(st.text('abc019 ."\n é', max_size=6), max_size=8))
def test_one_column_comes_back(column):
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([["name"], *([cell] for cell in column)])
    read = read_delimited(Content(buffer.getvalue().encode()), "x.csv", Settings())
    assert [cell or "" for cell in read.data.column(0).to_pylist()] == column


@settings(max_examples=300)
@given(st.text(max_size=200))
def test_a_layout_is_found_for_any_text(text):
    assume(text)
    layout = find_layout(text)
    assert 0 <= layout.start <= layout.second <= len(text)
