"""Functional dependencies, verified on the rows that are shown to the model, and their matched controls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from ..tables import Table
from .dataset import is_text

MIN_GROUPS = 3


@dataclass(frozen=True, slots=True)
class Pair:
    """Two columns, and the rows of each (x, y) value pair that comes twice or more."""

    x: int
    y: int
    groups: tuple[tuple[int, ...], ...]


def holds(table: Table, x: int, y: int) -> bool:
    """Whether equal cells of x always stand beside equal cells of y; rows with an empty cell do not count.

    >>> table = Table("t", ("town", "land"), (("Rome", "Oslo", "Rome"), ("IT", "NO", "IT")))
    >>> holds(table, 0, 1)
    True
    """
    beside: dict[str, str] = {}
    cells = zip(table.columns[x], table.columns[y], strict=True)
    return all(beside.setdefault(a, b) == b for a, b in cells if a and b)


def pairs(table: Table) -> tuple[list[Pair], list[Pair]]:
    """(dependencies, controls) among the text columns of a table, one list each, by column positions.

    A dependency x → y is one that says something: x is no key, y is not constant, at least three pairs of values come
    twice. A control is a pair of columns where neither x → y nor y → x holds, though pairs of values come twice too: a
    model that embeds equal cells equally is no better on the one than on the other.
    """
    found: list[Pair] = []
    controls: list[Pair] = []
    for x, y in _text_pairs(table):
        groups = repeated(table, x, y)
        if len(groups) < MIN_GROUPS or len({table.columns[y][rows[0]] for rows in groups}) < 2:
            continue
        if holds(table, x, y):
            found.append(Pair(x, y, groups))
        elif not holds(table, y, x):
            controls.append(Pair(x, y, groups))
    return found, controls


def repeated(table: Table, x: int, y: int) -> tuple[tuple[int, ...], ...]:
    """Rows of each (x, y) value pair that comes twice or more, empty cells left out."""
    rows: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, (a, b) in enumerate(zip(table.columns[x], table.columns[y], strict=True)):
        if a and b:
            rows[a, b].append(i)
    return tuple(tuple(found) for found in rows.values() if len(found) > 1)


def _text_pairs(table: Table) -> Iterator[tuple[int, int]]:
    text = [place for place, column in enumerate(table.columns) if sum(map(is_text, column)) * 2 > table.rows]
    return ((x, y) for x in text for y in text if x != y)
