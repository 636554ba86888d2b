"""A set of tables with what is known of their columns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tablelens.profile.normalize import normalize

from ..tables import Table, content, digest

Place = tuple[str, int]
"""(name of the table, position of the column)."""
MAX_WIDTH, MAX_CELL = 12, 200


@dataclass(frozen=True)
class Dataset:
    """Tables, the semantic types of some of their columns, and what was left out for which reason."""

    name: str
    tables: tuple[Table, ...]
    licence: str
    types: Mapping[Place, str] = field(default_factory=dict)
    """Semantic type of a column, where it is known. Cells of two columns of one type that are equal are one entity."""
    labels: str = ""
    """Where the types come from."""
    skipped: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def revision(self) -> str:
        """Hash of all tables and types: two runs can be compared if theirs is the same."""
        typed = [f"{name}\0{place}\0{kind}" for (name, place), kind in sorted(self.types.items())]
        contents = [content(table).hex() for table in self.tables]
        return digest([table.name for table in self.tables], contents, typed).hex()

    @cached_property
    def entities(self) -> dict[str, list[tuple[int, int, int]]]:
        """Entity → (table, row, column) of each cell that names it, of entities that two or more tables name."""
        found: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for t, table in enumerate(self.tables):
            for c, column in enumerate(table.columns):
                kind = self.types.get((table.name, c))
                for r, cell in enumerate(column if kind else ()):
                    if value := normalize(cell):
                        found[f"{kind}: {value}"].append((t, r, c))
        return {name: cells for name, cells in sorted(found.items()) if len({t for t, _, _ in cells}) > 1}


def fitted(table: Table, rows: int) -> Table | None:
    """The part of a table that probes look at, cut in rows, columns and cell length; None where it is empty."""
    kept = table.head(rows).take_columns(range(min(table.width, MAX_WIDTH)))
    if not kept.rows or not any(cell for column in kept.columns for cell in column):
        return None
    cut = tuple(tuple(cell[:MAX_CELL] for cell in column) for column in kept.columns)
    return Table(kept.name, kept.header, cut, kept.title)


def named_alike(tables: Iterable[Table]) -> dict[Place, str]:
    """Types where nothing better is known: text columns of the same name in two or more tables."""
    places: dict[str, list[Place]] = defaultdict(list)
    for table in tables:
        for place, name in enumerate(table.header):
            cells = [cell for cell in table.columns[place] if cell]
            if name.strip() and cells and sum(map(is_text, cells)) * 2 > len(cells):
                places[" ".join(name.casefold().replace("_", " ").split())].append((table.name, place))
    return {place: name for name, found in places.items() if len({t for t, _ in found}) > 1 for place in found}


def is_text(cell: str) -> bool:
    """Whether a cell is words rather than a number.

    >>> is_text("Rome"), is_text("3.14"), is_text("")
    (True, False, False)
    """
    return any(sign.isalpha() for sign in cell)


def subject(table: Table) -> int:
    """Position of the subject column: the leftmost of the text columns with the most distinct cells; else 0."""
    distinct = [len(set(column)) * (sum(map(is_text, column)) * 2 > table.rows) for column in table.columns]
    return max(range(table.width), key=lambda place: (distinct[place], -place), default=0)


def count_reasons(reasons: Iterable[str]) -> dict[str, int]:
    """How often each reason came, the most frequent first."""
    return dict(Counter(reason for reason in reasons if reason).most_common())
