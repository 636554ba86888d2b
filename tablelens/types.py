"""What travels between the stages: frozen dataclasses, no dicts across a folder border."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]
"""Sorted, distinct 64-bit hashes of a column's normalised values, shape (n,)."""
Vectors = npt.NDArray[np.float32]
"""Row vectors, shape (n, d)."""
Ids = npt.NDArray[np.int64]

Kind = Literal["text", "integer", "decimal", "boolean", "date", "identifier", "categorical", "empty"]
Family = Literal["text", "number", "date", ""]
"""What a column's values are compared as: columns of different families do not join."""
Mode = Literal["auto", "equi", "semantic", "deepjoin"]
Cardinality = Literal["1:1", "1:n", "n:1", "n:m"]
Turned = Literal["left", "right"]
"""Which column's cells a transformation is of."""
JoinedBy = Literal["equality", "transformation", "mapping"]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that the walk found. ``path`` is relative to the lake's root, with forward slashes."""

    path: str
    absolute: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Reading:
    """How a table lies in its file: what another reader must be told to find the same cells.

    >>> Reading(delimiter=";", skip=2).as_text()
    '{"delimiter": ";", "skip": 2}'
    >>> Reading.of('{"skip": 2}').skip
    2
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    encoding: str = "utf-8"
    """As Python calls it."""
    packing: str = ""
    """gzip, zstd, bz2 or nothing."""
    skip: int = 0
    """Lines before the header; before the first row where the header is of no use."""
    header: bool = True
    """The header gives the columns the very names that the table has."""
    header_lines: int = 1
    """Lines that the header takes: a name may hold line ends."""
    loose: bool = False
    """Some rows are shorter or longer than the header, or line ends differ."""
    longest: int = 0
    """An upper bound of the bytes in a line, where it is more than a reader would expect."""
    shape: str = ""
    """What the JSON is made of: records, lines, lists, values, columns, entries, object."""
    place: str = ""
    """The key that holds a JSON table, the area of a sheet."""
    trouble: str = ""
    """Why other readers would see other cells, or nothing."""

    def as_text(self) -> str:
        """What differs from a plain CSV or a plain file, as JSON; "" where nothing does."""
        told = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}
        return json.dumps(told, ensure_ascii=False) if told else ""

    @classmethod
    def of(cls, text: str) -> Reading:
        """Undo ``as_text``."""
        return cls(**json.loads(text)) if text else cls()


@dataclass(frozen=True, slots=True)
class RawTable:
    """One table as read from a file. Text formats give string columns, Parquet gives its own types.

    ``part`` names a sheet of a workbook, and is empty where a file holds one table. ``names`` are the column
    names as the file has them; those of ``data`` are made unique. ``truncated`` says that rows or columns
    beyond a limit were left out; ``warnings`` says in words what was repaired or left out.
    """

    data: pa.Table
    names: tuple[str, ...]
    format: str
    part: str = ""
    warnings: tuple[str, ...] = ()
    truncated: bool = False
    reading: Reading = Reading()


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A column's distinct normalised values as sorted 64-bit hashes.

    ``exact`` means that all are there. Otherwise ``hashes`` is the bottom-k sketch, the k smallest of
    ``distinct`` (then an estimate) hashes.
    """

    hashes: Hashes
    distinct: int
    exact: bool = True

    @property
    def error(self) -> float:
        """Standard error of a containment estimated from the sketch; 0 where the set is exact."""
        return 0.0 if self.exact else 0.5 / float(np.sqrt(max(len(self.hashes), 1)))


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What is known of one column. Lengths are in characters, ``words`` in white-space separated words."""

    name: str
    original_name: str
    position: int
    type: str
    kind: Kind
    rows: int
    nulls: int
    distinct: int
    values: ValueSet
    cells: tuple[str, ...]
    """Distinct cells as written, at most ``settings.cells``, most frequent first."""
    minimum: str | None = None
    maximum: str | None = None
    min_length: int = 0
    max_length: int = 0
    mean_length: float = 0.0
    min_words: int = 0
    max_words: int = 0
    mean_words: float = 0.0
    top_values: tuple[tuple[str, int], ...] = ()
    histogram: tuple[tuple[float, ...], tuple[int, ...]] | None = None
    """Bin edges (n + 1) and counts (n) of a numeric or date column."""
    texts: int = 0
    """Distinct values that are text: no number, quantity or date (estimated from 1,000 where there are more)."""
    density: float = 0.0
    """Of a column of whole numbers: distinct values over the width of their range. 1 for 1, 2, … n; 0 for others."""
    key: bool = False
    """Every row has a value and no value comes twice."""
    excluded: str = ""
    """Why the column takes no part in joins (empty, constant, boolean), or nothing."""
    null_words: tuple[str, ...] = ()
    """Words such as ``n/a`` that stand in the column for no value, normalised; "" for empty text."""

    @property
    def family(self) -> Family:
        """Text where at least half of the distinct values are text, else date or number; "" where there are none."""
        if not self.distinct:
            return ""
        if 2 * self.texts >= self.distinct:
            return "text"
        return "date" if self.kind == "date" else "number"


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Which values of some columns of a table stand in one row.

    ``positions`` are the columns, m of them; ``cells``, uint16 (m, rows), the place of each value in the sorted hashes
    of its column, 65,535 where the row has none.
    """

    positions: tuple[int, ...]
    cells: npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class TableProfile:
    """One table with its columns, ready for the catalogue."""

    part: str
    title: str
    format: str
    rows: int
    columns: tuple[ColumnProfile, ...]
    warnings: tuple[str, ...] = ()
    truncated: bool = False
    alignment: Alignment | None = None
    reading: Reading = Reading()


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file: tables, or the reason why not."""

    file: FoundFile
    digest: str = ""
    tables: tuple[TableProfile, ...] = ()
    reason: str = ""
    error: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True where the file was read."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class ColumnText:
    """A column as an encoder sees it.

    ``text`` is one of DeepJoin's seven templates, filled; ``cells`` are the cells in the order and number that
    the text holds them; ``values`` the column's whole set of value hashes. For an encoder that reads no text it is
    empty, and ``cells`` are all that are kept, the most frequent in the column first. ``commonness`` says of each of
    ``values`` how common it is in the lake, round(2 log2(1 + df)) of the df columns that hold it, this one counted;
    None where no lake is known.
    """

    text: str
    name: str
    cells: tuple[str, ...]
    values: Hashes
    distinct: int
    commonness: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class ColumnRef:
    """A column of the lake: its place in the index, and its names."""

    id: int
    lake: str
    table: str
    column: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


@dataclass(frozen=True, slots=True)
class Bridge:
    """A way from the query to a candidate over tables that hold both forms of the same things."""

    steps: tuple[tuple[ColumnRef, ColumnRef], ...]
    """(column that holds the query's values, column beside it that holds the candidate's) of each table, which
    together bring the values over; the one that brings most first."""
    coverage: float
    """Share of the query's distinct values that arrive at the candidate, over all tables that agree."""
    witnesses: float
    """Mean number of tables that give a value the same image."""
    examples: tuple[tuple[str, str], ...] = ()
    """(cell of the query, cell that stands for it)."""


@dataclass(frozen=True, slots=True)
class CellPair:
    """A cell of the query and the one of the candidate that stands for it."""

    left: str
    right: str
    how: str
    """equal (as values are compared), transformed or similar."""
    score: float
    """Probability that both mean the same; 1 for equal cells."""


@dataclass(frozen=True, slots=True)
class CellMatching:
    """Which cells of the query stand for which of the candidate: equal ones, transformed ones, ones written alike."""

    containment: float
    """Semantic containment: share of the query's distinct values that have a match."""
    reverse_containment: float
    """Share of the candidate's that are a match."""
    equal: int
    transformed: int
    similar: int
    examples: tuple[CellPair, ...] = ()
    """Some matches of cells that are not equal, the surest first."""
    unmatched: tuple[str, ...] = ()
    transformation: str = ""
    """What turns the cells of the one column into those of the other, in words."""
    turned: Turned = "left"
    joined_by: JoinedBy = "equality"
    """What the SQL joins by."""
    whole: bool = True
    """All cells were read; else only those that the catalogue keeps."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was counted on the two value sets; nothing in it is estimated unless ``error`` is above zero."""

    overlap: int
    containment: float
    """|Q and X| / |Q|."""
    reverse_containment: float
    """|Q and X| / |X|."""
    jaccard: float
    cardinality: Cardinality
    join_rows: int
    """Rows of the inner join, estimated from mean rows a value."""
    explosion: float
    """``join_rows`` over the query table's rows."""
    matched: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    error: float = 0.0
    cosine: float | None = None
    bridge: Bridge | None = None
    """The way over other tables, where more of the query's values arrive so than by equality."""
    matching: CellMatching | None = None
    """What the cells say one by one, where they were compared."""
    spread: float | None = None
    """How alike the distributions of two columns of numbers or dates are: 1 - the Kolmogorov-Smirnov distance."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A column that joins, how well, and why."""

    column: ColumnRef
    score: float
    probability: float
    evidence: Evidence
    sql: str
    notes: tuple[str, ...] = ()
    hub: float = 0.0
    """Share of the lake's columns in whose value sets this column's typical value is found."""
    verdict: bool | None = None
    """What a person said of the join, where one did."""
    key: CompositeHit | None = None
    """A second pair of columns with which rows do not multiply, where the join is n:m and ``explain`` found one."""


@dataclass(frozen=True, slots=True)
class CompositeHit:
    """Columns of one table that match the columns of a composite key together, tuple by tuple."""

    columns: tuple[ColumnRef, ...]
    """In the order of the key."""
    evidence: Evidence
    """Counted on the distinct tuples of both files; examples are tuples with a dot between their cells."""
    sql: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CompositeAnswer:
    """The hits of a composite key, best first, one a table."""

    table: str
    columns: tuple[str, ...]
    hits: tuple[CompositeHit, ...]
    seconds: float
    generation: int
    notes: tuple[str, ...] = ()


ColumnName = tuple[str, str, str]
"""(lake, table, column)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person said of a pair of columns: whether they join. Either may stand left."""

    left: ColumnName
    right: ColumnName
    joins: bool
    note: str = ""
    decided: str = ""
    """When, in UTC."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits of one query, best first. An empty ``hits`` is an answer: none found."""

    table: str
    column: str
    mode: Mode
    hits: tuple[Hit, ...]
    seconds: float
    generation: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CrawlReport:
    """What a crawl did."""

    lake: str
    root: str
    tables: int
    columns: int
    read: int
    skipped: int
    removed: int
    failed: tuple[tuple[str, str], ...]
    """(path, reason) of each file that could not be read."""
    seconds: float
    generation: int
    passed: dict[str, int] = field(default_factory=dict)
    """Entries that were passed over by rule, {reason: how many}: symlink, special, format."""
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds by stage."""

    def as_dict(self) -> dict[str, Any]:
        """The report as the command line's JSON has it."""
        return {
            "lake": self.lake,
            "root": self.root,
            "tables": self.tables,
            "columns": self.columns,
            "read": self.read,
            "skipped": self.skipped,
            "removed": self.removed,
            "failed": [{"path": path, "reason": reason} for path, reason in self.failed],
            "passed": self.passed,
            "seconds": round(self.seconds, 3),
            "generation": self.generation,
            "stages": {name: round(seconds, 3) for name, seconds in self.stages.items()},
        }
