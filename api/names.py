"""Opaque ids: what a table or a column is called in a URL. They stay the same from crawl to crawl."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

LENGTH = 16
PATTERN = "^[a-z2-7]{16}$"


def opaque(*names: str) -> str:
    """The id of what is called by some names.

    >>> opaque("shop", "orders.csv")
    'ikfkj44snin2ofiy'
    """
    text = "\0".join(names).encode("utf-8", "surrogatepass")
    return b32encode(blake2b(text, digest_size=10).digest()).decode().lower()


class Directory:
    """Finds the number of each id in a list of them."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids: npt.NDArray[np.bytes_] = np.array(list(ids), dtype=f"S{LENGTH}")
        self._order = np.argsort(self.ids)

    def __getitem__(self, number: int) -> str:
        return str(self.ids[number], "ascii")

    def find(self, id_: str) -> int:
        """The number of an id, or -1."""
        if len(id_) != LENGTH or not id_.isascii() or not len(self.ids):
            return -1
        wanted = np.bytes_(id_, "ascii")
        place = int(np.searchsorted(self.ids, wanted, sorter=self._order))
        found = int(self._order[min(place, len(self.ids) - 1)])
        return found if self.ids[found] == wanted else -1
