"""How a table becomes one sequence of tokens, for each family of models; every token knows its row and column.

Cells are tokenised one by one and put together here, so that markers are the model's own special tokens by id: a
literal "[CLS]" given to a tokenizer that has no such token would become an unknown word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..tables import Table

NOWHERE = -1
Ids = tuple[int, ...]
Tokenize = Callable[[str], Ids]


@dataclass(frozen=True, slots=True)
class Special:
    """Ids of a model's special tokens. ``start`` marks what follows, where the family has such a token."""

    start: int | None
    end: int | None
    pad: int
    empty: int | None = None


@dataclass
class Tokens:
    """A sequence: ids with the column and row of each (row -1 is the header), and the places of markers."""

    ids: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    markers: list[int] = field(default_factory=list)
    types: list[tuple[int, ...]] = field(default_factory=list)
    """Token type ids where the family has several kinds of them."""

    def put(self, ids: Sequence[int], column: int = NOWHERE, row: int = NOWHERE) -> None:
        """Append tokens of one cell."""
        self.ids += ids
        self.columns += [column] * len(ids)
        self.rows += [row] * len(ids)

    def mark(self, marker: int, column: int = NOWHERE) -> None:
        """Append a marker and remember its place."""
        self.markers.append(len(self.ids))
        self.put([marker], column)

    def __len__(self) -> int:
        return len(self.ids)


Layout = Callable[[Table, Tokenize, Special], Tokens]


def by_column(table: Table, tokenize: Tokenize, special: Special) -> Tokens:
    """``[CLS] header value value … [CLS] header value … [SEP]``: Observatory's for BERT and RoBERTa.

    Where a family has no starting token, as T5, columns follow each other and end with the end token.
    """
    made = Tokens()
    for c, (name, cells) in enumerate(zip(table.header, table.columns, strict=True)):
        if special.start is not None:
            made.mark(special.start, c)
        made.put(tokenize(name), c)
        for r, cell in enumerate(cells):
            made.put(tokenize(cell), c, r)
        if special.start is None and special.end is not None:
            made.put([special.end], c)
    if special.start is not None and special.end is not None:
        made.put([special.end])
    return made


def of_row(table: Table, row: int, tokenize: Tokenize, special: Special) -> Tokens:
    """``[CLS] header value header value … [SEP]`` of one row."""
    made = Tokens()
    if special.start is not None:
        made.mark(special.start)
    for c, name in enumerate(table.header):
        made.put(tokenize(name), c)
        made.put(tokenize(table.columns[c][row]), c, row)
    if special.end is not None:
        made.put([special.end])
    return made


def tapas(table: Table, tokenize: Tokenize, special: Special) -> Tokens:
    """``[CLS] [SEP] headers row row …`` with TAPAS's seven token types; an empty question, empty cells as [EMPTY].

    Types: segment, column, row, previous label, rank in the column, inverse rank, relation to the question's numbers.
    """
    made = Tokens()
    made.mark(special.start or 0)
    made.put([special.end or 0])
    made.types += [(0,) * 7] * 2
    ranks = [_ranks(column) for column in table.columns]
    for r in range(-1, table.rows):
        for c in range(table.width):
            ids = tokenize(table.header[c] if r < 0 else table.columns[c][r])
            ids = ids or ((special.empty,) if special.empty is not None else ())
            made.put(ids, c, r)
            rank, inverse = ranks[c][r] if r >= 0 else (0, 0)
            made.types += [(1, c + 1, r + 1, 0, rank, inverse, 0)] * len(ids)
    return made


def tapex(table: Table, tokenize: Tokenize, special: Special) -> Tokens:
    """``<s> col : a | b row 1 : x | y row 2 : … </s>``: TAPEX's flattening, in small letters."""
    made = Tokens()
    made.mark(special.start or 0)
    made.put(tokenize("col :"))
    _cells(made, [name.lower() for name in table.header], NOWHERE, tokenize)
    for r in range(table.rows):
        made.put(tokenize(f"row {r + 1} :"))
        _cells(made, [cell.lower() for cell in table.row(r)], r, tokenize)
    made.put([special.end or 0])
    return made


def doduo(table: Table, tokenize: Tokenize, special: Special) -> Tokens:
    """``[CLS] value value … [CLS] value … [SEP]``: no headers, at most 32 tokens a column, as DODUO was trained."""
    made = Tokens()
    for c, cells in enumerate(table.columns):
        made.mark(special.start or 0, c)
        begin = len(made)
        for r, cell in enumerate(cells):
            made.put(tokenize(cell)[: max(DODUO_TOKENS - (len(made) - begin), 0)], c, r)
    made.put([special.end or 0])
    return made


DODUO_TOKENS = 32


def _cells(made: Tokens, cells: Sequence[str], row: int, tokenize: Tokenize) -> None:
    for c, cell in enumerate(cells):
        if c:
            made.put(tokenize("|"))
        made.put(tokenize(cell), c, row)


def _ranks(column: Sequence[str]) -> list[tuple[int, int]]:
    """(rank, inverse rank) of each cell from 1, where all cells are numbers; else zeros."""
    try:
        numbers = [float(cell.replace(",", "")) for cell in column]
    except ValueError:
        return [(0, 0)] * len(column)
    order = {value: place + 1 for place, value in enumerate(sorted(set(numbers)))}
    return [(min(order[n], 255), min(len(order) + 1 - order[n], 255)) for n in numbers]
