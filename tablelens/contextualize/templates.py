"""DeepJoin's seven ways to turn a column into text (Dong et al., PVLDB 16(10) 2023, Table 1).

The names are the paper's. Where the paper leaves a choice open, it is an argument: ``unit`` says whether the
statistics count characters (as its example does) or words (as its text says). The context of a table is, in the paper,
a short description where the lake has one; files seldom carry any, so it is here what every table says of itself: the
names of its other columns (``table_context``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tablelens.errors import UsageError

Unit = Literal["characters", "words"]


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What a template can say of a column. ``cells`` come in the order in which the text is to hold them."""

    name: str
    title: str
    cells: Sequence[str]
    distinct: int
    characters: tuple[int, int, float]
    """(greatest, least, mean) characters of a distinct cell."""
    words: tuple[int, int, float]
    """(greatest, least, mean) words of a distinct cell."""
    context: str = ""
    """What the templates whose names end on -context say of the table, see ``table_context``."""


def _col(f: ColumnFacts, unit: Unit) -> str:
    return ", ".join(f.cells)


def _colname_col(f: ColumnFacts, unit: Unit) -> str:
    return f"{f.name}: {_col(f, unit)}."


def _colname_col_context(f: ColumnFacts, unit: Unit) -> str:
    return f"{_colname_col(f, unit)} {f.context}".rstrip()


def _colname_stat_col(f: ColumnFacts, unit: Unit) -> str:
    most, least, mean = f.words if unit == "words" else f.characters
    average = f"{mean:.1f}".removesuffix(".0")
    return f"{f.name} contains {f.distinct} values ({most}, {least}, {average}): {_col(f, unit)}"


def _title_colname_col(f: ColumnFacts, unit: Unit) -> str:
    return f"{f.title}. {_colname_col(f, unit)}"


def _title_colname_col_context(f: ColumnFacts, unit: Unit) -> str:
    return f"{_title_colname_col(f, unit)} {f.context}".rstrip()


def _title_colname_stat_col(f: ColumnFacts, unit: Unit) -> str:
    return f"{f.title}. {_colname_stat_col(f, unit)}."


TEMPLATES: dict[str, Callable[[ColumnFacts, Unit], str]] = {
    "col": _col,
    "colname-col": _colname_col,
    "colname-col-context": _colname_col_context,
    "colname-stat-col": _colname_stat_col,
    "title-colname-col": _title_colname_col,
    "title-colname-col-context": _title_colname_col_context,
    "title-colname-stat-col": _title_colname_stat_col,
}


CONTEXT_NAMES = 30
"""Names that a context holds at most."""


def needs_context(template: str) -> bool:
    """Whether a template speaks of the table around the column."""
    return template.endswith("-context")


def table_context(column: str, names: Sequence[str]) -> str:
    """The context of a column: the names of its table's other columns, in their order.

    >>> table_context("city", ["city", "country", "population"])
    'Other columns: country, population.'
    """
    others = [name for name in names if name != column][:CONTEXT_NAMES]
    return f"Other columns: {', '.join(others)}." if others else ""


def contextualize(facts: ColumnFacts, template: str = "title-colname-stat-col", unit: str = "characters") -> str:
    """The column as text.

    Raises:
        UsageError: an unknown template or unit.

    >>> facts = ColumnFacts("Company", "Company information", ["Apple", "GE"], 2, (5, 2, 3.5), (1, 1, 1.0))
    >>> contextualize(facts)
    'Company information. Company contains 2 values (5, 2, 3.5): Apple, GE.'
    """
    if template not in TEMPLATES:
        raise UsageError(f"unknown template {template!r}", f"known templates: {', '.join(TEMPLATES)}")
    if unit not in ("characters", "words"):
        raise UsageError(f"unknown unit {unit!r} of statistics", "characters or words")
    return TEMPLATES[template](facts, unit)  # type: ignore[arg-type]
