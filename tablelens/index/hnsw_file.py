"""The layout of an hnswlib file (save_index of hnswlib 0.8), read without loading the graph.

A header of 13 fields, then one record an element: links of level 0, the vector, the label. Mapping the records gives
vectors by label at no cost in memory; hnswlib's own get_items copies them one number at a time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tablelens.errors import DamagedIndex

_HEADER = struct.Struct("<QQQQQQiIQQQdQ")
"""offset of level 0, capacity, elements, bytes a record, offsets of label and vector, …"""


@dataclass(frozen=True, slots=True)
class Records:
    """The elements of a graph file: labels (n,) and vectors (n, d), in the order of the file."""

    labels: npt.NDArray[np.uint64]
    vectors: npt.NDArray[np.float32]


def read_records(path: Path, dimension: int) -> Records:
    """Map the elements of a graph file.

    Raises:
        DamagedIndex: the header does not fit the file or the dimension.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        raise DamagedIndex(f"the graph file {path} is cut short")
    _, capacity, elements, record, label_at, vector_at, *_ = _HEADER.unpack(head)
    fits = vector_at + 4 * dimension == label_at and label_at + 8 <= record and elements <= capacity
    if not fits or path.stat().st_size < _HEADER.size + elements * record:
        raise DamagedIndex(f"the graph file {path} does not hold {dimension}-dimensional vectors as its header says")
    if not elements:
        return Records(np.empty(0, np.uint64), np.empty((0, dimension), np.float32))
    layout = np.dtype(
        {
            "names": ["vector", "label"],
            "formats": [(np.float32, (dimension,)), np.uint64],
            "offsets": [vector_at, label_at],
            "itemsize": record,
        }
    )
    mapped = np.memmap(path, layout, "r", offset=_HEADER.size, shape=(elements,))
    return Records(np.array(mapped["label"]), mapped["vector"])
