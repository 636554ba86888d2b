"""Tables to rows of numbers: each distinct text is cut into words once, and a row holds places in that list.

    categorical cell   the place of its text; with the column's name it says "column is value"
    numerical cell     the number, on the scale that was learnt when the column was first seen
    binary cell        1, 0, or NaN

What the paper calls tokenisation (TransTab, section 2.2) is finished in ``model.py``, which turns the distinct texts of
a batch into vectors and gathers them by place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tablelens.errors import UnknownColumn, UsageError
from tablelens.transtab.tables import KINDS, Kind, bits, kind_of, numbers, readable, texts
from tablelens.transtab.vocabulary import LONGEST, Vocabulary

KNOTS = 17
"""Quantiles by which a numerical column is scaled."""
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scale:
    """How a numerical column's numbers are scaled; all is learnt on the rows that were trained on.

    >>> scale = Scale.of(np.array([1.0, 2.0, 4.0, np.nan]))
    >>> scale.unit(np.array([1.0, 2.5])).tolist()
    [0.0, 0.5]
    """

    low: float = 0.0
    high: float = 1.0
    mean: float = 0.0
    spread: float = 1.0
    knots: tuple[float, ...] = (0.0, 1.0)
    """Values at evenly spaced quantiles, ascending; equal ones are one."""

    @classmethod
    def of(cls, values: npt.NDArray[np.float64]) -> Self:
        """Learn from a column's values; one without values gets the scale 0 to 1."""
        known = values[np.isfinite(values)]
        if not len(known):
            return cls()
        knots = np.quantile(known, np.linspace(0, 1, KNOTS))
        distinct = tuple(np.unique(knots).tolist())
        return cls(float(known.min()), float(known.max()), float(known.mean()), float(known.std()), distinct)

    def unit(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Min-max to 0 … 1, as the paper has it; numbers beyond what was learnt lie outside."""
        width = self.high - self.low
        return (values - self.low) / width if width > 0 else values * 0

    def quantile(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The share of values below, 0 … 1, linear between the knots."""
        if len(self.knots) < 2:
            return np.where(np.isnan(values), np.nan, 0.5)
        return np.where(np.isnan(values), np.nan, np.interp(values, self.knots, np.linspace(0, 1, len(self.knots))))

    def standard(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Standard scores, cut at 4."""
        return np.clip((values - self.mean) / self.spread, -4, 4) if self.spread > 0 else values * 0


class RawScale(dict[str, Scale]):
    """The scale 0 to 1, which changes nothing, for any column: somebody else has scaled the numbers."""

    def __missing__(self, name: str) -> Scale:
        return self.setdefault(name, Scale())

    def __contains__(self, name: object) -> bool:
        return bool(self[str(name)])


@dataclass(frozen=True, slots=True)
class Rows:
    """n rows of one table, ready for the model. Names and texts are places in the featurizer's list."""

    columns: tuple[tuple[str, Kind], ...]
    """Name and kind, in the table's order."""
    cat_names: Ints
    """(C,)"""
    cat_values: Ints
    """(n, C); -1 where a value is missing"""
    num_names: Ints
    """(U,)"""
    num_columns: Ints
    """(U,): each column's place among all numerical columns that were learnt"""
    num_values: Floats
    """(n, U, 3): unit, quantile and standard score; NaN where missing"""
    bin_names: Ints
    """(B,)"""
    bin_values: Floats
    """(n, B); NaN where missing"""

    def __len__(self) -> int:
        return len(self.cat_values)

    def take(self, places: Ints | slice) -> Rows:
        """Some of the rows."""
        return replace(
            self,
            cat_values=self.cat_values[places],
            num_values=self.num_values[places],
            bin_values=self.bin_values[places],
        )

    def select(self, names: Iterable[str]) -> Rows:
        """Some of the columns."""
        wanted = set(names)
        kept = {kind: [name in wanted for name, k in self.columns if k == kind] for kind in KINDS}
        cat, num, bin_ = (np.array(kept[kind], bool) for kind in KINDS)
        return Rows(
            tuple(column for column in self.columns if column[0] in wanted),
            self.cat_names[cat],
            self.cat_values[:, cat],
            self.num_names[num],
            self.num_columns[num],
            self.num_values[:, num],
            self.bin_names[bin_],
            self.bin_values[:, bin_],
        )


@dataclass
class Featurizer:
    """Learns the columns of tables and turns tables into ``Rows``.

    >>> featurizer = Featurizer(Vocabulary(["[UNK]", "wine", "red", "year"]))
    >>> table = pa.table({"wine": ["red", None], "year": [1999, 2004]})
    >>> rows = featurizer.rows(table, featurizer.learn(table))
    >>> rows.cat_values.tolist(), rows.num_values[:, 0, 0].tolist()
    ([[1], [-1]], [0.0, 1.0])
    """

    vocabulary: Vocabulary
    spoken: bool = True
    """Whether a column's name is read as words, ``home_address`` as "home address"; False reads it as it is."""
    scales: dict[str, Scale] = field(default_factory=dict)
    """Scale by numerical column."""
    kinds: dict[str, Kind] = field(default_factory=dict)
    """The kind that a column had when it was first seen; a table may say otherwise for itself."""
    texts: list[str] = field(default_factory=list)
    _place: dict[str, int] = field(default_factory=dict)
    _starts: Ints = field(default_factory=lambda: np.zeros(1, np.int64))
    _words: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    def learn(self, table: pa.Table, kinds: Mapping[str, Kind] | None = None) -> dict[str, Kind]:
        """Kinds of a table's columns, and scales of the numerical ones that are new.

        Raises:
            UnknownColumn: ``kinds`` names a column that is not there.
            UsageError: ``kinds`` names a kind that is none.
        """
        given = dict(kinds or {})
        for name, kind in given.items():
            if name not in table.column_names:
                raise UnknownColumn.among("column", name, table.column_names)
            if kind not in KINDS:
                raise UsageError(f"column {name!r} is said to be {kind!r}", f"known kinds: {', '.join(KINDS)}")
        found = {name: given.get(name) or self._kind(name, table[name]) for name in table.column_names}
        for name, kind in found.items():
            self.kinds.setdefault(name, kind)
            if kind == "numerical" and name not in self.scales:
                self.scales[name] = Scale.of(numbers(table[name]))
        return found

    def rows(self, table: pa.Table, kinds: Mapping[str, Kind] | None = None) -> Rows:
        """The rows of a table. Columns that were never seen are learnt from it."""
        found = self.learn(table, kinds)
        of = {kind: [name for name in table.column_names if found[name] == kind] for kind in KINDS}
        n = table.num_rows
        cat, num, bin_ = (of[kind] for kind in KINDS)
        learnt = {name: place for place, name in enumerate(self.scales)}
        return Rows(
            tuple((name, found[name]) for name in table.column_names),
            self.places([self._name(name) for name in cat]),
            _stack([self._coded(table[name]) for name in cat], (n, 0), np.int64),
            self.places([self._name(name) for name in num]),
            np.array([learnt[name] for name in num], np.int64),
            _stack([self._scaled(name, table[name]) for name in num], (n, 0, 3), np.float32),
            self.places([self._name(name) for name in bin_]),
            _stack([bits(table[name]) for name in bin_], (n, 0), np.float32),
        )

    def places(self, found: Sequence[str]) -> Ints:
        """The place of each text in ``texts``; texts that are new are cut into words now."""
        new = [text for text in dict.fromkeys(found) if text not in self._place]
        if new:
            for text in new:
                self._place[text] = len(self.texts)
                self.texts.append(text)
            starts, words = self.vocabulary.rows(new)
            self._starts = np.concatenate((self._starts, self._starts[-1] + starts[1:]))
            self._words = np.concatenate((self._words, words))
        return np.fromiter(map(self._place.__getitem__, found), np.int64, len(found))

    def words(self, places: Ints) -> tuple[Ints, Ints]:
        """Rows in the word table of each text, end to end, and how many each has."""
        starts = self._starts[places]
        counts = self._starts[places + 1] - starts
        ends = np.cumsum(counts)
        return self._words[np.repeat(starts - ends + counts, counts) + np.arange(int(counts.sum()))], counts

    def _kind(self, name: str, column: pa.ChunkedArray) -> Kind:
        """The kind that a column had before; texts under the name of numbers or flags are what they look like."""
        known = self.kinds.get(name)
        if known is None or (known != "categorical" and not readable(column, known)):
            return kind_of(column)
        return known

    def _name(self, name: str) -> str:
        return name.replace("_", " ") if self.spoken else name

    def _coded(self, column: pa.ChunkedArray) -> Ints:
        if not pa.types.is_dictionary(column.type):
            column = pc.dictionary_encode(column)
        codes = column.combine_chunks()
        codes = pa.concat_arrays(codes.chunks) if isinstance(codes, pa.ChunkedArray) else codes
        known = [None if text is None else text[:LONGEST] for text in texts(codes.dictionary)]
        table = np.append(self.places([text or "" for text in known]), -1)
        table[:-1][[text is None or not text.strip() for text in known]] = -1
        coded: Ints = table[codes.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)]
        return coded

    def _scaled(self, name: str, column: pa.ChunkedArray) -> Floats:
        scale, values = self.scales[name], numbers(column)
        return np.stack([scale.unit(values), scale.quantile(values), scale.standard(values)], 1).astype(np.float32)


def word_bags(featurizer: Featurizer, rows: Rows, longest: int = 512) -> tuple[Ints, Floats]:
    """Each row's words as the paper has them, equal ones counted once: (n, S) rows of the word table, (n, S) counts.

    A categorical cell gives the words of its column's name and of its value, the first ``longest`` of a row; a binary
    cell that is 1 gives its column's name. There are no positions, so a word that comes m times can be counted once
    with log m added to the attention it gets (``model.py``): the result is the same.
    """
    n, count = rows.cat_values.shape
    spans = np.empty((n, 2 * count), np.int64)
    spans[:, 0::2] = np.where(rows.cat_values >= 0, rows.cat_names, -1)
    spans[:, 1::2] = rows.cat_values
    said = np.where(rows.bin_values == 1, rows.bin_names, -1)
    first = _padded(*_spoken(featurizer, spans), n)[:, :longest]
    words = np.hstack([first, _padded(*_spoken(featurizer, said), n)[:, :longest]])
    words.sort(axis=1)  # NONE is the greatest
    fresh = np.ones(words.shape, bool)
    fresh[:, 1:] = words[:, 1:] != words[:, :-1]
    fresh &= words != NONE
    row, at = np.nonzero(fresh)
    ends = np.append(np.flatnonzero(np.diff(row)) + 1, len(row)) if len(row) else np.empty(0, np.int64)
    till = np.append(at[1:], 0)
    till[ends - 1] = (words != NONE).sum(1)[row[ends - 1]]
    slot = np.arange(len(row)) - np.searchsorted(row, row)
    width = int(slot.max()) + 1 if len(row) else 0
    made, counts = np.zeros((n, width), np.int64), np.zeros((n, width), np.float32)
    made[row, slot], counts[row, slot] = words[row, at], till - at
    return made, counts


NONE = np.iinfo(np.int32).max


def _spoken(featurizer: Featurizer, spans: Ints) -> tuple[Ints, Ints]:
    """The words of texts (n, m), -1 for none, row after row, and how many each row has."""
    there = spans >= 0
    words, counts = featurizer.words(spans[there])
    return words, np.bincount(np.nonzero(there)[0], counts, minlength=len(spans)).astype(np.int64)


def _padded(flat: Ints, counts: Ints, n: int) -> npt.NDArray[np.int32]:
    """Runs of the lengths ``counts`` as the rows of a matrix, filled up with NONE."""
    width = int(counts.max()) if n else 0
    made = np.full((n, width), NONE, np.int32)
    made[np.arange(width) < counts[:, None]] = flat
    return made


def _stack(columns: list[Any], empty: tuple[int, ...], dtype: Any) -> Any:
    return np.stack(columns, 1).astype(dtype, copy=False) if columns else np.empty(empty, dtype)
