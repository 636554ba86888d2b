"""Which delimiter, quote and escape a delimited text uses, where its table begins, and whether it has a header.

Each candidate is tried on the first rows with Python's own CSV parser. In nearly every file the first row settles it:
one of the delimiters stands in it, and gives all rows the same width. Otherwise the candidates are compared by how
even the rows come out and by how many cells look like numbers or dates.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

PREFIX = 1 << 15
SAMPLE_ROWS = 200
HEADER_ROWS = 60
DELIMITERS = ",;\t|"
_BY_SUFFIX = {".tsv": "\t", ".tab": "\t", ".psv": "|"}
_NUMBER = re.compile(r"[-+]?[$€£]?\s?(\d+|\d{1,3}([,. ']\d{3})+)?([.,]\d+)?([eE][-+]?\d+)?\s?%?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d?:\d\d.*)?|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}|\d{4}/\d{1,2}/\d{1,2}")

Row = list[str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to split a text into rows and cells; ``quote`` and ``escape`` are empty where there are none."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    skip_space: bool = False
    """A quoted cell may follow a delimiter and a space."""

    def rows(self, lines: Iterator[str], strict: bool = False) -> Iterator[Row]:
        """Split lines (with their ends) into rows of cells."""
        # The module's limit of 128 kB would refuse what is read elsewhere; cells are measured after reading.
        csv.field_size_limit(2**31 - 1)
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            escapechar=self.escape or None,
            doublequote=not self.escape,
            skipinitialspace=self.skip_space,
            strict=strict,
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """A text's dialect, its first rows from the header on (without blank lines), and where these begin."""

    dialect: Dialect
    rows: tuple[tuple[str, ...], ...]
    start: int = 0
    """Characters before the first row."""
    second: int = 0
    """Characters before the second row."""
    skipped: int = 0
    """Lines before the table."""
    even: bool = True
    """Every sampled row has the first one's width, and its quotes stand around cells."""


def find_layout(prefix: str, name: str = "", whole: bool = True) -> Layout:
    r"""Find the dialect and the start of the table in the first lines of a text.

    ``whole`` says that the text ends here, and that its last row is not half of one.

    >>> find_layout("a;b\n1,5;2,5\n").dialect.delimiter
    ';'
    """
    lines = list(io.StringIO(prefix, newline=""))
    told = re.fullmatch(r'"?sep=(.)"?\s*', lines[0]) if lines else None
    if told and told[1] not in '\r\n"':  # a line that Excel writes and reads
        found = _layout(Dialect(told[1]), lines[1:], whole)
        before = len(lines[0])
        return replace(found, start=found.start + before, second=found.second + before)
    quote, escape, skip_space = _quoting(prefix, len(lines))
    candidates = [
        _layout(Dialect(delimiter, quote, escape, skip_space), lines, whole)
        for delimiter in _order(name)
        if delimiter in prefix
    ]
    if not candidates:
        return _layout(Dialect(",", quote, escape), lines, whole)
    clear = [c for c in candidates if c.even and not c.skipped and c.rows and len(c.rows[0]) > 1]
    return clear[0] if len(clear) == 1 else _best(candidates, lines, whole)


def looks_typed(cell: str) -> bool:
    """Whether a cell is a number or a date.

    >>> looks_typed("-1,250.5"), looks_typed("2020-01-31"), looks_typed("A1")
    (True, True, False)
    """
    cell = cell.strip()
    return len(cell) < 40 and any(c.isdigit() for c in cell) and bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell))


def has_header(rows: tuple[tuple[str, ...], ...]) -> bool:
    """Whether the first row names columns. It does unless it looks like the typed data below it.

    >>> has_header((("id", "n"), ("a", "1"))), has_header((("a", "1"), ("b", "2")))
    (True, False)
    """
    if len(rows) < 2:
        return True
    first, body = rows[0], rows[1:HEADER_ROWS]
    if not any(map(looks_typed, first)):
        return True
    typed = [i for i in range(len(first)) if _typed_share(body, i) > 0.8]
    same = [first[i] for i in typed if looks_typed(first[i])]
    if not same or any(first[i].strip() and not looks_typed(first[i]) for i in typed):
        return True
    return _is_series(first) or not any(_fits(first[i], body, i) for i in typed if first[i].strip())


def _fits(cell: str, body: tuple[tuple[str, ...], ...], column: int) -> bool:
    """Whether a typed cell may be one of the column's. A year above figures that are no years is its heading."""
    cells = [row[column] for row in body if column < len(row) and row[column].strip()]
    return not _is_year(cell) or 2 * sum(map(_is_year, cells)) > len(cells)


def _is_year(cell: str) -> bool:
    cell = cell.strip()
    return len(cell) == 4 and cell.isdecimal() and 1500 <= int(cell) <= 2200


def _typed_share(body: tuple[tuple[str, ...], ...], column: int) -> float:
    cells = [row[column] for row in body if column < len(row) and row[column].strip()]
    return sum(map(looks_typed, cells)) / len(cells) if cells else 0.0


def _is_series(first: tuple[str, ...]) -> bool:
    """Years, days or ordinals across the top: numbers that differ and only rise, or only fall."""
    cells = [cell.strip() for cell in first if looks_typed(cell)]
    if len(cells) < 2 or len(set(cells)) < len(cells):
        return False
    if all(cell.isdecimal() for cell in cells):
        numbers = [int(cell) for cell in cells]
        steps = {b - a for a, b in pairwise(numbers)}
        years = all(map(_is_year, cells))
        return (years and (min(steps) > 0 or max(steps) < 0)) or steps in ({1}, {-1})
    return len(cells) > 2 and all(_DATE.fullmatch(cell) for cell in cells)


def _order(name: str) -> str:
    first = next((d for suffix, d in _BY_SUFFIX.items() if suffix in name.lower()), "")
    return first + DELIMITERS.replace(first, "") if first else DELIMITERS


def _quoting(prefix: str, lines: int) -> tuple[str, str, bool]:
    """(quote, escape, space before quotes) that the text shows."""
    quote = '"'
    if '"' not in prefix and re.search(r"(^|[,;\t|])'[^'\n]*'([,;\t|\r\n]|$)", prefix):
        # An apostrophe stands at words' ends too, so it must open and close cells throughout.
        opened = len(re.findall(r"(?:^|[,;\t|])'", prefix, re.M))
        closed = len(re.findall(r"'(?:[,;\t|\r]|$)", prefix, re.M))
        quote = "'" if opened == closed else '"'
    # Where quotes are doubled, none that follows a backslash is followed by anything but a quote or a delimiter.
    escaped = f"\\{quote}" in prefix and bool(re.search(rf"\\{quote}[^{quote},;\t|\r\n]", prefix))
    spaced = (
        f" {quote}" in prefix
        and 2 * len(re.findall(rf"[,;|] +{quote}[^{quote}\n]+{quote} *[,;|\r\n]", prefix)) >= lines
    )
    return quote, "\\" if escaped else "", spaced


def _layout(dialect: Dialect, lines: list[str], whole: bool) -> Layout:
    """Split the first lines, and pass over what stands before the table."""
    proper = True
    found = _sampled(dialect, lines, whole, strict=True)
    if found is None:
        proper, found = False, _sampled(dialect, lines, whole, strict=False) or []
    skip = _preamble([row for _, _, row in found])
    rows = tuple(row for _, _, row in found[skip:])
    at, second = found[skip][:2] if rows else (0, 0)
    even = proper and len({len(row) for row in rows}) <= 1
    start, end = sum(map(len, lines[:at])), sum(map(len, lines[:second]))
    return Layout(dialect, rows, start, end, at if skip else 0, even)


def _sampled(
    dialect: Dialect, lines: list[str], whole: bool, strict: bool
) -> list[tuple[int, int, tuple[str, ...]]] | None:
    """(lines before, lines up to its end, cells) of each row; none where quotes are not as ``strict`` wants them."""
    reader = dialect.rows(iter(lines), strict)
    found: list[tuple[int, int, tuple[str, ...]]] = []
    before = 0
    try:
        for row in reader:
            after: int = reader.line_num  # type: ignore[attr-defined]
            if any(row) or len(row) > 1:
                found.append((before, after, tuple(row)))
            before = after
            if len(found) == SAMPLE_ROWS:
                return found
    except csv.Error as error:
        # Where the text goes on, the quote that is open at the sample's end may close after it.
        return found if not whole and "end of data" in str(error) else None
    return found if whole or len(found) < 2 else found[:-1]


def _preamble(rows: list[tuple[str, ...]]) -> int:
    """How many rows are titles and notes before the table: one filled cell where the table has several."""
    if len(rows) < 3:
        return 0
    usual = Counter(map(len, rows)).most_common(1)[0][0]
    if usual < 2:
        return 0
    for number, row in enumerate(rows[:20]):
        filled = sum(1 for cell in row if cell.strip())
        if len(row) == usual and (filled > 1 or usual == 2):
            return number
        if filled > 1 and not row[0].startswith("#") and len(row) >= usual - 1:
            return number
        if filled > 1 and not row[0].startswith("#"):
            return 0
    return 0


def _best(candidates: list[Layout], lines: list[str], whole: bool) -> Layout:
    """The candidate with the evenest rows; one column only where no delimiter does better."""
    scored = [(_score(c, lines), -i) for i, c in enumerate(candidates)]
    (score, place) = max(scored)
    chosen = candidates[-place]
    if score > 0:
        return chosen
    return _one_column(chosen, lines, whole)


def _score(layout: Layout, lines: list[str]) -> float:
    if not layout.rows:
        return 0.0
    widths = Counter(map(len, layout.rows))
    usual, times = widths.most_common(1)[0]
    if usual < 2 or (layout.dialect.delimiter == "," and _is_prose(layout, lines)):
        return 0.0
    share = times / len(layout.rows)
    header = len(layout.rows[0])
    cells = [cell for row in layout.rows[1:50] for cell in row if cell.strip()]
    typed = sum(map(looks_typed, cells)) / len(cells) if cells else 0.0
    named = 1.0 if header == usual else 0.6 if header > 1 else 0.3
    return share * named * (0.5 + typed) * (1.0 - 0.5 / usual) * (0.9 if layout.skipped else 1.0)


def _is_prose(layout: Layout, lines: list[str]) -> bool:
    """Commas as punctuation ("Boston, MA"): each is followed by a space, and the first line has none."""
    text = "".join(lines[1:])
    return "," not in lines[0] and "," in text and not re.search(r",(?! )", text)


def _one_column(layout: Layout, lines: list[str], whole: bool) -> Layout:
    # A delimiter that no line holds makes every line one cell.
    unused = next(c for c in "\x1f\x1e\x1d\x1c" if not any(c in line for line in lines))
    return _layout(replace(layout.dialect, delimiter=unused), lines, whole)
