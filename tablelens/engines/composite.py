"""Composite keys counted: tuples of cells of two tables, read from their files in a worker process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tablelens.crawl.readers import read_part
from tablelens.engines.rows import Source, told
from tablelens.errors import TablelensError, UnreadableFile
from tablelens.profile.columns import hashed_rows
from tablelens.settings import Settings
from tablelens.types import Hashes

COUNTED = "tablelens.engines.composite:counted_tuples"
EXAMPLES = 5
_MIX = np.uint64(0x9E3779B97F4A7C15)
Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TupleTask:
    """Keys of one table against keys of others: of each other table, pairs of (columns here, columns there)."""

    source: Source
    others: tuple[tuple[Source, tuple[tuple[Names, Names], ...]], ...]


@told
def counted_tuples(task: TupleTask, settings: Settings) -> pa.Table:
    """What the tuples of each pair of keys share, a row a pair in the order of the task.

    Columns: other and pair, its place in the task; overlap, left and right (distinct tuples), left_rows and right_rows
    (rows without a missing cell), join_rows, matched and unmatched (tuples as text); trouble, why a file was not read.

    Raises:
        UnreadableFile: the first table cannot be read as it was crawled.
    """
    mine = read_part(Path(task.source.path), task.source.part, settings).data
    keys: dict[Names, _Keys] = {}
    rows: list[dict[str, Any]] = []
    for number, (source, pairs) in enumerate(task.others):
        try:
            data = read_part(Path(source.path), source.part, settings).data
            for place, (left, right) in enumerate(pairs):
                if left not in keys:
                    keys[left] = _Keys.of(mine, left)
                rows.append({"other": number, "pair": place, **_counts(keys[left], _Keys.of(data, right))})
        except (TablelensError, OSError) as error:
            rows.append({"other": number, "pair": 0, "trouble": str(error)})
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


_SCHEMA = pa.schema(
    [
        *((name, pa.int64()) for name in ("other", "pair", "overlap", "left", "right", "left_rows", "right_rows")),
        ("join_rows", pa.int64()),
        *((name, pa.list_(pa.string())) for name in ("matched", "unmatched")),
        ("trouble", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class _Keys:
    """The distinct tuples of some columns: hashes, ascending, how often each comes, and a row that has it."""

    table: pa.Table
    names: Names
    hashes: Hashes
    counts: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]

    @classmethod
    def of(cls, table: pa.Table, names: Names) -> _Keys:
        missing = [name for name in names if name not in table.column_names]
        if missing:
            raise UnreadableFile(f"column {missing[0]!r} is not there any more", "crawl again", "changed")
        mixed = np.zeros(len(table), np.uint64)
        there = np.ones(len(table), bool)
        for name in names:
            hashes, given = hashed_rows(table[name])
            mixed = (mixed ^ hashes) * _MIX
            mixed ^= mixed >> np.uint64(29)
            there &= given
        rows = np.flatnonzero(there)
        hashes, first, counts = np.unique(mixed[rows], return_index=True, return_counts=True)
        return cls(table, names, hashes, counts.astype(np.int64), rows[first])

    def written(self, places: Sequence[int]) -> list[str]:
        """Some tuples as text."""
        return [
            " · ".join(str(self.table[name][int(self.first[i])].as_py())[:100] for name in self.names) for i in places
        ]


def _counts(left: _Keys, right: _Keys) -> dict[str, Any]:
    shared, mine, theirs = np.intersect1d(left.hashes, right.hashes, assume_unique=True, return_indices=True)
    alone = np.setdiff1d(np.arange(len(left.hashes)), mine)
    return {
        "overlap": len(shared),
        "left": len(left.hashes),
        "right": len(right.hashes),
        "left_rows": int(left.counts.sum()),
        "right_rows": int(right.counts.sum()),
        "join_rows": int((left.counts[mine] * right.counts[theirs]).sum()),
        "matched": left.written(mine[:EXAMPLES].tolist()),
        "unmatched": left.written(alone[:EXAMPLES].tolist()),
    }
