"""The layout of an hnswlib file (save_index of hnswlib 0.8), read without loading the graph.

A header of 13 fields, then one record an element: links of level 0, the vector, the label. Mapping the records gives
the vectors at no cost in memory; hnswlib's own get_items copies them one number at a time.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tablelens.errors import DamagedIndex

_HEADER = struct.Struct("<QQQQQQiIQQQdQ")
"""offset of level 0, capacity, elements, bytes a record, offsets of label and vector, …"""


def read_vectors(path: Path, dimension: int) -> npt.NDArray[np.float32]:
    """Map the vectors of a graph file, (n, d), in the order in which they were added.

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
        return np.empty((0, dimension), np.float32)
    layout = np.dtype(
        {"names": ["vector"], "formats": [(np.float32, (dimension,))], "offsets": [vector_at], "itemsize": record}
    )
    return np.memmap(path, layout, "r", offset=_HEADER.size, shape=(elements,))["vector"]
