"""A table as read becomes a table of profiles: one pass over each column's distinct cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tablelens.profile.align import COLUMNS, NULL, ROWS, align
from tablelens.profile.kinds import as_day, as_number, count_texts, kind_of
from tablelens.profile.names import says_identifier
from tablelens.profile.normalize import hash_value, normalizer
from tablelens.settings import Settings
from tablelens.types import ColumnProfile, Kind, RawTable, TableProfile, ValueSet

BINS = 10
TOP = 10
KIND_SAMPLE = 1000
NAME_LENGTH = 60
"""Mean characters of a column that names things, at most."""
LEAST = 3
CELL_LENGTH = 200
"""Characters of a kept cell; what is longer is for reading, not for joining."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Distinct:
    """Distinct values of a column: normalised value, a cell that has it, rows and hash, most frequent first."""

    values: list[str]
    cells: list[str]
    counts: Counts
    hashes: npt.NDArray[np.uint64]
    rows: pa.Array
    """For each row the place of its cell among the cells as written, null where there is none."""
    written: Counts
    """For each cell as written the place of its value in ``hashes``, -1 where it has none."""
    null_words: tuple[str, ...]

    def codes(self) -> Counts:
        """For each row the place of its value among the sorted hashes, -1 where it has none."""
        rank = np.empty(len(self.hashes) + 1, np.int64)
        rank[np.argsort(self.hashes)] = np.arange(len(self.hashes))
        rank[-1] = -1
        lookup = np.append(rank[self.written], -1)
        return np.asarray(lookup[self.rows.fill_null(len(self.written)).to_numpy(zero_copy_only=False)])


def profile_table(path: str, table: RawTable, settings: Settings) -> TableProfile:
    """Profile every column of a table that was read from ``path``."""
    columns: list[ColumnProfile] = []
    codes: dict[int, Counts] = {}
    for i, name in enumerate(table.data.column_names):
        found = _distinct(as_strings(table.data.column(i)))
        columns.append(_profile(table.data.column(i), found, settings, i, name, table.names[i]))
        if len(codes) < COLUMNS and len(table.data) <= ROWS and _may_name(columns[-1]):
            codes[i] = found.codes()
    return TableProfile(
        table.part,
        title_of(path, table.part),
        table.format,
        table.data.num_rows,
        tuple(columns),
        table.warnings,
        table.truncated,
        align(codes),
        table.reading,
    )


def profile_column(
    data: pa.ChunkedArray, settings: Settings, *, position: int = 0, name: str = "", original_name: str = ""
) -> ColumnProfile:
    """Profile one column.

    >>> p = profile_column(pa.chunked_array([["DE", "FR", "de", None]]), Settings(), name="country")
    >>> p.distinct, p.nulls, p.kind, p.top_values
    (2, 1, 'text', (('DE', 2), ('FR', 1)))
    """
    return _profile(data, _distinct(as_strings(data)), settings, position, name, original_name)


def _profile(
    data: pa.ChunkedArray, found: _Distinct, settings: Settings, position: int, name: str, original_name: str
) -> ColumnProfile:
    filled = int(found.counts.sum())
    some = found.values[:KIND_SAMPLE]
    kind = kind_of(data.type, some, filled)
    scale = _scale(found, kind)
    low, high = _extremes(found, scale)
    letters = _spread([len(cell) for cell in found.cells])
    words = _spread([cell.count(" ") + 1 for cell in found.cells])
    return ColumnProfile(
        name=name,
        original_name=original_name or name,
        position=position,
        type=str(data.type),
        kind=kind,
        rows=len(data),
        nulls=len(data) - filled,
        distinct=len(found.values),
        values=value_set(found.hashes, settings),
        cells=tuple(cell[:CELL_LENGTH] for cell in found.cells[: settings.cells]),
        minimum=low,
        maximum=high,
        min_length=int(letters[0]),
        max_length=int(letters[1]),
        mean_length=letters[2],
        min_words=int(words[0]),
        max_words=int(words[1]),
        mean_words=words[2],
        top_values=tuple(
            (cell[:CELL_LENGTH], int(count)) for cell, count in zip(found.cells[:TOP], found.counts[:TOP], strict=True)
        ),
        histogram=_histogram(scale, found.counts),
        texts=0 if kind == "boolean" else count_texts(some, len(found.values)),
        density=_density(scale) if kind == "integer" else 0.0,
        key=len(found.values) == len(data) > 0,
        excluded=_excluded(kind, len(found.values)),
        null_words=found.null_words,
    )


def title_of(path: str, part: str = "") -> str:
    """A table's title in words, from its file's name and folder.

    >>> title_of("world/capital_cities.csv.gz")
    'world capital cities'
    """
    pure = PurePosixPath(path)
    names = [pure.parent.name, pure.name.split(".", 1)[0] or pure.name, part]
    return " ".join(" ".join(names).replace("_", " ").replace("-", " ").split())


def as_strings(data: pa.ChunkedArray) -> pa.Array:
    """A column's cells as text, nulls kept, one array.

    Bytes become hexadecimal, times of a zone those of UTC, fractions of 0 seconds nothing, midnights dates.
    """
    kind = data.type
    if pa.types.is_dictionary(kind):
        data = decoded(data)
        kind = data.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.array([None if cell is None else cell.hex() for cell in data.to_pylist()], pa.string())
    if pa.types.is_null(kind):
        return pa.nulls(len(data), pa.string())
    if pa.types.is_timestamp(kind) and kind.tz:
        data = data.cast(pa.timestamp(kind.unit, "UTC"))
    text = data if pa.types.is_string(kind) or pa.types.is_large_string(kind) else data.cast(pa.string())
    if pa.types.is_timestamp(kind):
        text = pc.replace_substring_regex(text, r"\.0+(Z?)$", r"\1")
        text = pc.replace_substring_regex(text, r" 00:00:00Z?$", "")
    return text.combine_chunks()


def decoded(data: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column without its dictionary. Arrow cannot look up in one of string views, as polars makes them."""
    kind = data.type.value_type
    if pa.types.is_string_view(kind):
        data = data.cast(pa.dictionary(data.type.index_type, pa.large_string()))
        kind = pa.large_string()
    return data.cast(kind)


def value_set(hashes: npt.NDArray[np.uint64], settings: Settings) -> ValueSet:
    """Sorted hashes, exact up to ``settings.exact_values`` and a bottom-k sketch beyond (k: ``sketch_values``)."""
    ordered = np.sort(hashes)
    if len(ordered) <= settings.exact_values:
        return ValueSet(ordered, len(ordered))
    return ValueSet(ordered[: settings.sketch_values].copy(), len(ordered), exact=False)


def distinct_cells(data: pa.ChunkedArray) -> tuple[list[str], bool]:
    """A cell of each distinct value, the most frequent first, and whether no value comes twice.

    >>> distinct_cells(pa.chunked_array([["b", "a", "B", None, "b"]]))
    (['b', 'a'], False)
    """
    found = _distinct(as_strings(data))
    return found.cells, len(found.cells) == len(data)


def hashed_rows(data: pa.ChunkedArray) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """The value hash of each row, and whether it holds a value; arrays of shape (rows,).

    >>> hashes, there = hashed_rows(pa.chunked_array([["a", "A ", None]]))
    >>> bool(hashes[0] == hashes[1]), there.tolist()
    (True, [True, True, False])
    """
    found = _distinct(as_strings(data))
    places = np.append(found.written, -1)[found.rows.fill_null(len(found.written)).to_numpy(zero_copy_only=False)]
    return np.append(found.hashes, np.uint64(0))[places], places >= 0


def _distinct(cells: pa.Array) -> _Distinct:
    """Distinct values in order of falling count, then hash: the order of rows has no part in it."""
    coded = cells.dictionary_encode()
    rows = coded.indices
    size = len(coded.dictionary)
    totals = np.bincount(rows.drop_null().to_numpy(), minlength=size)
    merged: dict[str, int] = {}
    forms: list[str] = []
    counts: list[int] = []
    most: list[int] = []
    written = np.full(size, -1, np.int64)
    words: set[str] = set()
    written_as = coded.dictionary.to_pylist()
    value_of = normalizer(written_as)
    for i, (cell, count) in enumerate(zip(written_as, totals.tolist(), strict=True)):
        value = value_of(cell)
        if value is None:
            words.add(" ".join(cell.split()).lower())
            continue
        place = merged.setdefault(value, len(merged))
        written[i] = place
        if place == len(forms):
            forms.append(cell)
            counts.append(count)
            most.append(count)
            continue
        counts[place] += count
        if (-count, cell) < (-most[place], forms[place]):
            forms[place], most[place] = cell, count
    values, tally = list(merged), np.array(counts, np.int64)
    hashes = np.fromiter(map(hash_value, values), np.uint64, len(values))
    order = np.lexsort((hashes, -tally))
    turned = np.append(np.argsort(order), -1)
    places = order.tolist()
    return _Distinct(
        [values[i] for i in places],
        [forms[i] for i in places],
        tally[order],
        hashes[order],
        rows,
        turned[written],
        tuple(sorted(words)),
    )


def _may_name(column: ColumnProfile) -> bool:
    """Whether a column can be one that names things: neither measures nor long texts, few enough to be aligned."""
    return (
        column.kind in ("text", "identifier", "categorical", "integer")
        and not column.excluded
        and column.values.exact
        and LEAST <= column.distinct <= NULL
        and column.mean_length <= NAME_LENGTH
        and (column.family == "text" or says_identifier(column.name))
    )


def _spread(sizes: Sequence[int]) -> tuple[float, float, float]:
    """(least, greatest, mean) of sizes; zeros where there are none."""
    return (min(sizes), max(sizes), sum(sizes) / len(sizes)) if sizes else (0, 0, 0.0)


def _scale(found: _Distinct, kind: Kind) -> npt.NDArray[np.float64]:
    """The values of a numeric or date column as numbers, NaN for what is none; empty for other kinds."""
    measure = as_number if kind in ("integer", "decimal") else as_day if kind == "date" else None
    if measure is None:
        return np.empty(0)
    return np.array([np.nan if (n := measure(value)) is None else n for value in found.values], np.float64)


def _extremes(found: _Distinct, scale: npt.NDArray[np.float64]) -> tuple[str | None, str | None]:
    """Least and greatest cell, by number where the column is numeric, else by its normalised text."""
    if not found.values:
        return None, None
    if np.isfinite(scale).any():
        low, high = int(np.nanargmin(scale)), int(np.nanargmax(scale))
    else:
        low, high = found.values.index(min(found.values)), found.values.index(max(found.values))
    return found.cells[low][:CELL_LENGTH], found.cells[high][:CELL_LENGTH]


def _histogram(scale: npt.NDArray[np.float64], counts: Counts) -> tuple[tuple[float, ...], tuple[int, ...]] | None:
    usable = np.isfinite(scale)
    with np.errstate(over="ignore"):  # from end to end of what a float can hold is infinitely far
        if not usable.any() or not np.isfinite(np.ptp(scale[usable])):
            return None
    try:
        heights, edges = np.histogram(scale[usable], bins=BINS, weights=counts[usable])
    except ValueError:  # long ids so near to each other that no float lies between two edges
        return None
    return tuple(edges.tolist()), tuple(int(height) for height in heights)


def _density(scale: npt.NDArray[np.float64]) -> float:
    """Distinct whole numbers over the width of their range."""
    numbers = scale[np.isfinite(scale)]
    return float(min(len(numbers) / (np.ptp(numbers) + 1), 1.0)) if len(numbers) else 0.0


def _excluded(kind: Kind, distinct: int) -> str:
    """Why a column takes no part in joins, or nothing."""
    if distinct == 0:
        return "empty: no row holds a value"
    if distinct == 1:
        return "constant: one value in all rows"
    return "boolean: two truth values join with everything" if kind == "boolean" else ""
