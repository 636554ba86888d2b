"""What a search needs of every column, as plain arrays: for readers of a generation that speak no Arrow.

The DuckDB extension maps them beside the postings. .npy 1.0, little-endian, C order; c columns, w words:

    facts.npy        int64[c, 8]   id, table id, rank by names, distinct values, rows with a value, rows, distinct
                                   values of its own family, bits: family (2), usable, key, exact, kind (4)
    density.npy      float64[c]    distinct whole numbers over the width of their range
    name_starts.npy  int64[c + 1]  where each column's words begin
    name_words.npy   uint64[w]     hashes of the words of its name, ascending
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tablelens.profile.names import parts_of
from tablelens.profile.normalize import hash_values
from tablelens.types import Family, Kind

FAMILIES = ("", *(name for name in get_args(Family) if name))
KINDS = get_args(Kind)
NUMBERS = ("id", "table_id", "order", "distinct")
NEEDED = frozenset(
    (*NUMBERS, "rows", "nulls", "texts", "family", "kind", "excluded", "key", "exact", "density", "column")
)


def save_facts(folder: Path, columns: pa.Table) -> None:
    """Write the facts of a generation's columns; nothing where they do not tell all of them."""
    if not set(columns.column_names) >= NEEDED:
        return
    rows = np.empty((columns.num_rows, 8), np.int64)
    for place, name in enumerate(NUMBERS):
        rows[:, place] = columns[name].to_numpy()
    rows[:, 4] = columns["rows"].to_numpy() - columns["nulls"].to_numpy()
    rows[:, 5] = columns["rows"].to_numpy()
    family = _place(columns["family"], FAMILIES)
    rows[:, 6] = np.where(family == FAMILIES.index("text"), columns["texts"].to_numpy(), columns["distinct"].to_numpy())
    flags = (pc.equal(columns["excluded"], ""), columns["key"], columns["exact"])
    usable, key, exact = (np.asarray(flag.to_numpy(), np.int64) for flag in flags)
    rows[:, 7] = family | usable << 2 | key << 3 | exact << 4 | _place(columns["kind"], KINDS) << 5
    np.save(folder / "facts.npy", rows, allow_pickle=False)
    np.save(folder / "density.npy", np.asarray(columns["density"].to_numpy(), np.float64), allow_pickle=False)
    _save_names(folder, columns["column"])


def _save_names(folder: Path, names: pa.ChunkedArray) -> None:
    distinct = pc.unique(names)
    words = [hash_values(parts_of(name)) for name in distinct.to_pylist()]
    places = pc.index_in(names, distinct).to_numpy()
    sizes = np.fromiter(map(len, words), np.int64, len(words))[places]
    flat = np.concatenate([words[place] for place in places]) if len(places) else np.empty(0, np.uint64)
    np.save(folder / "name_starts.npy", np.concatenate(([0], np.cumsum(sizes))).astype(np.int64), allow_pickle=False)
    np.save(folder / "name_words.npy", flat.astype(np.uint64, copy=False), allow_pickle=False)


def _place(column: pa.ChunkedArray, known: tuple[str, ...]) -> npt.NDArray[np.int64]:
    return np.asarray(pc.index_in(column, pa.array(known)).to_numpy(), np.int64)
