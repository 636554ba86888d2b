"""Parts for tests, ours and those of plug-ins: an encoder without weights, a small lake, a way to compare hits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from tablelens.types import Answer, ColumnText, Vectors


class HashEncoder:
    """Hashed whole values in signed buckets: knows identity and no meaning, and needs no weights.

    >>> HashEncoder(8).encode([ColumnText("", "", (), np.array([1, 9], np.uint64), 2)]).shape
    (1, 8)
    """

    name = "hash"
    max_tokens = 256
    reads: tuple[str, ...] = ("values",)

    def __init__(self, dimension: int = 64) -> None:
        self.dimension = dimension
        self.revision = f"hash-{dimension}"

    def encode(self, columns: Sequence[ColumnText]) -> Vectors:
        """Unit vectors, float32, shape (len(columns), dimension); zero for a column without values."""
        rows = np.zeros((len(columns), self.dimension), np.float32)
        for row, column in zip(rows, columns, strict=True):
            buckets = (column.values % np.uint64(self.dimension)).astype(np.int64)
            signs = np.where(column.values >> np.uint64(63), 1, -1)
            np.add.at(row, buckets, signs)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(lengths, 1e-9), np.float32)

    encode_queries = encode


def make_lake(folder: Path, tables: Mapping[str, Mapping[str, Iterable[Any]]]) -> Path:
    """Write tables, {name: {column: values}}, as CSV files into a folder."""
    for name, columns in tables.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = pa.table({column: pa.array(list(values)) for column, values in columns.items()})
        pa.csv.write_csv(data, path)
    return folder


def assert_same_hits(left: Answer, right: Answer) -> None:
    """Fail where two answers name other columns, or the same in another order."""
    mine, theirs = ([str(hit.column) for hit in answer.hits] for answer in (left, right))
    assert mine == theirs, f"{mine} is not {theirs}"
