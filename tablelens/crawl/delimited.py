"""Read delimited text: cells as they are written, in string columns.

The ladder: Arrow's reader where all rows have the header's width and all quotes close; Python's where they do not,
with short rows padded and long ones cut; line by line where a quote is never closed. Each repair is named in the
table's warnings.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from tablelens.crawl.dialect import PREFIX, Dialect, Layout, Row, find_layout, has_header
from tablelens.crawl.encoding import to_utf8
from tablelens.crawl.names import unique_names
from tablelens.crawl.unpack import Content
from tablelens.errors import UnreadableFile
from tablelens.settings import Settings
from tablelens.types import RawTable, Reading

BLOCK = 64 << 20
BATCH = 20_000
SAMPLED_LINES = 20
LONG_LINE = 2_000_000
"""Bytes of a line above which DuckDB has to be told."""
_MARKUP = ("<!doctype", "<html", "<?xml")


@dataclass(slots=True)
class _Text:
    """The body of a table while it is being read, and what there is to say of it."""

    body: bytes
    dialect: Dialect
    width: int
    settings: Settings
    reading: Reading
    warnings: list[str] = field(default_factory=list)
    truncated: bool = False

    @property
    def kept(self) -> int:
        return min(self.width, self.settings.max_columns)


def read_delimited(content: Content, name: str, settings: Settings) -> RawTable:
    """Read a CSV, TSV or alike; ``name`` lends its suffix to the choice of the delimiter.

    Raises:
        UnreadableFile: empty, binary, encoding, dialect, no-table, too-large.
    """
    decoded = to_utf8(_full_lines(content))
    data = decoded.data
    prefix, whole = _prefix(data, settings)
    if prefix[:200].lstrip().lower().startswith(_MARKUP):
        raise UnreadableFile("the content is markup, such as the page of a failed download", reason="no-table")
    layout = find_layout(prefix, name, whole)
    if not layout.rows:
        raise UnreadableFile("the file holds no cell", reason="empty")
    named = has_header(layout.rows)
    originals, start, width = _header(layout, named or settings.header == "first")
    body = data[len(prefix[:start].encode()) :]
    reading = Reading(
        delimiter=layout.dialect.delimiter,
        quote=layout.dialect.quote,
        escape=layout.dialect.escape,
        encoding=decoded.encoding,
        skip=_lines(prefix[: layout.start]),
        header_lines=_lines(prefix[layout.start : start]),
        loose=_mixed_ends(data),
        trouble="spaces stand before quotes" if layout.dialect.skip_space else "",
    )
    text = _Text(body, layout.dialect, width, settings, reading, list(decoded.warnings), content.cut)
    if layout.skipped:
        text.warnings.append(f"preamble: {layout.skipped} lines before the table were skipped")
    if not named:
        taken = "columns are numbered" if not originals else "it was taken for one (setting header)"
        text.warnings.append(f"header: the first row looks like data; {taken}")
    if not originals:
        originals = ("",) * width
    if content.cut:
        text.warnings.append(f"truncated: only the first {settings.max_file_mb} MB were read")
    table = _read(text, layout)
    if not _names_itself(originals, layout):
        text.reading = replace(text.reading, header=False, skip=_lines(prefix[:start]))
    return _finished(text, table, originals, "tsv" if layout.dialect.delimiter == "\t" else "csv")


def _lines(text: str) -> int:
    return text.count("\n") or text.count("\r")


def _names_itself(originals: tuple[str, ...], layout: Layout) -> bool:
    """Whether the header's cells are the names that the table has."""
    return originals == layout.rows[0] and list(originals) == unique_names(originals)


def _full_lines(content: Content) -> bytes:
    if not content.cut:
        return content.data
    end = content.data.rfind(b"\n") + 1
    end += content.data[end : end + 1] == b"\0"  # the other half of UTF-16's line feed
    return content.data[:end] if end else content.data


def _prefix(data: bytes, settings: Settings) -> tuple[str, bool]:
    """The first lines as text, and whether they are all."""
    end = PREFIX
    if len(data) > end:
        newline = b"\n" if b"\n" in data[: settings.max_cell_mb << 20] else b"\r"
        end = data.find(newline, end) + 1
        # Rows wider than the prefix: have some of them, to see whether they are even.
        lines = data.count(newline, 0, end)
        while end and lines < SAMPLED_LINES and end < 16 * PREFIX:
            end, lines = data.find(newline, end) + 1, lines + 1
    end = end if 0 < end < len(data) else len(data)
    if end > settings.max_cell_mb << 20:
        raise UnreadableFile(f"a line is longer than {settings.max_cell_mb} MB", reason="too-large")
    return data[:end].decode(), end == len(data)


def _header(layout: Layout, named: bool) -> tuple[tuple[str, ...], int, int]:
    """(names as written or none, characters before the body, columns)."""
    first, body = layout.rows[0], layout.rows[1:]
    usual = Counter(map(len, body)).most_common(1)[0][0] if body else len(first)
    if not named:
        return (), layout.start, max(usual, len(first))
    if 1 < len(first) == usual - 1 and all(len(row) == usual for row in body) and any(row[-1] for row in body):
        return ("", *first), layout.second, usual  # R writes row names without a header of their own
    return first, layout.second, len(first)


def _read(text: _Text, layout: Layout) -> pa.Table:
    if layout.even and not text.dialect.skip_space:
        try:
            table = _by_arrow(text)
            if _quotes_close(text, table.num_rows):
                return table
        except pa.ArrowInvalid as error:
            if "straddling" in str(error):
                raise UnreadableFile(f"a row is longer than {BLOCK >> 20} MB", reason="too-large") from error
    text.truncated = False
    text.reading = replace(text.reading, loose=True)
    return _by_python(text)


def _by_arrow(text: _Text) -> pa.Table:
    names = [str(i) for i in range(text.width)]
    kept = names[: text.kept]
    schema = pa.schema([(name, pa.string()) for name in kept])
    if not text.body.strip(b"\r\n") and (text.width > 1 or not text.body):
        return schema.empty_table()
    dialect = text.dialect
    reader = pacsv.open_csv(
        pa.BufferReader(_outside_python(text.body)),
        pacsv.ReadOptions(use_threads=False, block_size=min(BLOCK, len(text.body) + 1), column_names=names),
        pacsv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            double_quote=not dialect.escape,
            escape_char=dialect.escape or False,
            newlines_in_values=bool(dialect.quote) and dialect.quote.encode() in text.body,
            ignore_empty_lines=text.width > 1,  # a blank line is an empty cell where there is one column
        ),
        pacsv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(kept, pa.string()),
            include_columns=kept,
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    return pa.Table.from_batches(_until(reader, text), schema)


def _outside_python(body: bytes) -> pa.Buffer:
    """A copy in Arrow's memory: its thread that reads ahead may release it while the interpreter already ends."""
    copy = pa.BufferOutputStream()
    copy.write(body)
    return copy.getvalue()


def _until(batches: Iterator[pa.RecordBatch], text: _Text) -> Iterator[pa.RecordBatch]:
    """Batches up to the row limit."""
    left = text.settings.max_rows
    for batch in batches:
        yield batch.slice(0, left)
        if batch.num_rows > left:
            text.truncated = True
            text.warnings.append(f"truncated: rows beyond {text.settings.max_rows:,} were left out")
            return
        left -= batch.num_rows


def _quotes_close(text: _Text, rows: int) -> bool:
    """Whether no open quote has swallowed lines. Only where rows span lines is a second look needed."""
    quote = text.dialect.quote.encode()
    if not quote or quote not in text.body:
        return True
    ends = text.body.count(b"\n") or text.body.count(b"\r")
    if rows == ends + (not text.body.endswith((b"\n", b"\r"))):
        return True
    try:
        for _ in islice(_rows(text, strict=True), text.settings.max_rows):
            pass
    except csv.Error:
        return False
    return True


def _rows(text: _Text, strict: bool = False) -> Iterator[Row]:
    lines = io.TextIOWrapper(io.BytesIO(text.body), encoding="utf-8", newline="")
    return text.dialect.rows(lines, strict)


def _rows_by_line(text: _Text) -> Iterator[Row]:
    """Each line as a row; quotes are taken literally in those where they make no sense."""
    plain = replace(text.dialect, quote="")
    for line in io.TextIOWrapper(io.BytesIO(text.body), encoding="utf-8", newline=""):
        bare = [line.rstrip("\r\n")]
        try:
            yield from list(text.dialect.rows(iter(bare), strict=True))
        except csv.Error:
            yield from plain.rows(iter(bare))


def _by_python(text: _Text) -> pa.Table:
    """Read rows of any width."""
    try:
        rows = _rows(text) if _is_whole(text) else _rows_by_line(text)
        return pa.Table.from_batches(_until(_batches(rows, text), text), _schema(text))
    except csv.Error as error:
        raise UnreadableFile(f"cannot split into cells: {error}", reason="dialect") from error


def _is_whole(text: _Text) -> bool:
    """Whether rows may span lines. They may not where that makes more rows of odd width than reading by line."""
    try:
        for _ in _rows(text, strict=True):
            pass
        return True
    except csv.Error as error:
        if "end of data" not in str(error):
            text.warnings.append("quotes: some stand within cells")
            text.reading = replace(text.reading, trouble="quotes stand within cells")
            whole, lines = (_fit(rows, text.width) for rows in (_rows(text), _rows_by_line(text)))
            return whole > lines
    text.warnings.append("quotes: one is never closed, each line was read as a row")
    text.reading = replace(text.reading, trouble="a quote is never closed")
    return False


def _fit(rows: Iterator[Row], width: int) -> tuple[float, int]:
    """(share, number) of the first rows that have this width."""
    widths = Counter(len(row) for row in islice(rows, 100_000))
    return widths[width] / max(widths.total(), 1), widths[width]


def _schema(text: _Text) -> pa.Schema:
    return pa.schema([(str(i), pa.string()) for i in range(text.kept)])


def _batches(rows: Iterator[Row], text: _Text) -> Iterator[pa.RecordBatch]:
    width, short, long = text.width, 0, 0
    schema = _schema(text)
    while chunk := list(islice(rows, BATCH)):
        even = []
        for row in chunk:
            if len(row) != width:
                if not row and width > 1:
                    continue
                short += len(row) < width
                long += any(row[width:])
                row = row[:width] + [""] * (width - len(row))
            even.append(row)
        columns = list(zip(*even, strict=True))[: text.kept] if even else [()] * text.kept
        arrays = [pa.array([cell or None for cell in column], pa.string()) for column in columns]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
    if short:
        text.warnings.append(f"ragged: {short:,} short rows were filled up")
    if long:
        text.warnings.append(f"ragged: surplus cells of {long:,} long rows were left out")


def _finished(text: _Text, table: pa.Table, originals: tuple[str, ...], kind: str) -> RawTable:
    if len(text.body) > text.settings.max_cell_mb << 20:
        _check_cells(table, text.settings.max_cell_mb)
    if len(text.body) > LONG_LINE and (longest := _longest(table)) > LONG_LINE:
        text.reading = replace(text.reading, longest=longest)
    if text.kept < text.width:
        text.truncated = True
        text.warnings.append(f"truncated: {text.width - text.kept:,} of {text.width:,} columns were left out")
    names = originals[: text.kept]
    truncated = any(warning.startswith("truncated") for warning in text.warnings)
    named = table.rename_columns(unique_names(names))
    return RawTable(named, names, kind, "", tuple(text.warnings), truncated, text.reading)


def _mixed_ends(body: bytes) -> bool:
    """Whether some lines end in CR LF and some in LF alone."""
    both = body.count(b"\r\n")
    return both > 0 and both != body.count(b"\n")


def _longest(table: pa.Table) -> int:
    """An upper bound of a line's bytes: the longest cell of each column, quotes and delimiters."""
    return sum((pc.max(pc.binary_length(column)).as_py() or 0) + 3 for column in table.columns)


def _check_cells(table: pa.Table, limit_mb: int) -> None:
    for column in table.columns:
        longest = pc.max(pc.binary_length(column)).as_py() or 0
        if longest > limit_mb << 20:
            raise UnreadableFile(f"a cell is larger than {limit_mb} MB", reason="too-large")
