"""A table as the probes see it: text cells, by position. Names may come twice, so nothing is found by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blake3 import blake3

Order = tuple[int, ...]
Columns = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells column by column; an empty cell is ``""``.

    >>> table = Table("t", ("id", "id"), (("1", "2"), ("a", "")))
    >>> table.rows, table.width, table.row(1)
    (2, 2, ('2', ''))
    """

    name: str
    header: tuple[str, ...]
    columns: Columns
    title: str = ""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.columns[0]) if self.columns else 0

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.columns)

    def row(self, i: int) -> tuple[str, ...]:
        """The cells of a row."""
        return tuple(column[i] for column in self.columns)

    def take_rows(self, order: Sequence[int]) -> Table:
        """The rows named, in that order: a permutation, a sample or a prefix."""
        return replace(self, columns=tuple(tuple(column[i] for i in order) for column in self.columns))

    def take_columns(self, order: Sequence[int]) -> Table:
        """The columns named, in that order."""
        return replace(self, header=tuple(self.header[i] for i in order), columns=tuple(self.columns[i] for i in order))

    def head(self, rows: int) -> Table:
        """The first rows."""
        return self if rows >= self.rows else replace(self, columns=tuple(column[:rows] for column in self.columns))

    def with_column(self, place: int, cells: Sequence[str] | None = None, name: str | None = None) -> Table:
        """Another column, or another name of it, in one place."""
        columns, header = list(self.columns), list(self.header)
        if cells is not None:
            columns[place] = tuple(cells)
        if name is not None:
            header[place] = name
        return replace(self, columns=tuple(columns), header=tuple(header))


def digest(*parts: str | bytes | Sequence[str]) -> bytes:
    """A hash of texts and lists of texts that no other division of the same letters shares.

    >>> digest(["a", "bc"]) == digest(["ab", "c"])
    False
    """
    hasher = blake3()
    for part in parts:
        texts = [part] if isinstance(part, str | bytes) else part
        hasher.update(len(texts).to_bytes(8, "little"))
        for text in texts:
            raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
            hasher.update(len(raw).to_bytes(8, "little") + raw)
    return hasher.digest(16)


def content(table: Table) -> bytes:
    """A hash of all that is in a table but its name."""
    return digest(table.title, table.header, *table.columns)
