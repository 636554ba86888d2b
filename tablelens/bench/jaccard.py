"""Baselines that compare two columns by the Jaccard index of two sets: of character 3-grams, of the words of a name."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tablelens.bench.ground import Ground
from tablelens.bench.pack import PackQuery
from tablelens.index.postings import Postings
from tablelens.profile.names import words
from tablelens.profile.normalize import fold, hash_values
from tablelens.types import Hashes, Ids

GRAMS, NAMES = "character 3-grams", "name similarity"
END = "\n"
CODEPOINT = np.uint64(21)
"""Bits of a sign: three of them fill a hash."""


@dataclass
class JaccardArm:
    """Candidates of the truth by falling Jaccard index of some sets; ties in the order of the lake.

    ``sets`` are those of the columns at ``places``, ascending; each sorted and distinct.
    """

    ground: Ground
    name: str
    places: Ids
    sets: Sequence[Hashes]
    build_seconds: float = 0.0

    def __post_init__(self) -> None:
        start = time.process_time()
        self._postings = Postings.build(self.sets)
        self.build_seconds += time.process_time() - start

    def rank(self, query: PackQuery, k: int, pool: str) -> list[int]:
        """Column ids of the pack, best first."""
        own = np.searchsorted(self.places, self.ground.place_of[query.cid])
        rows, scores = by_jaccard(self._postings, self.sets[int(own)])
        found = self.places[rows]
        kept = self.ground.rivals(query, pool)[found]
        return self.ground.cids_at(found[kept][np.argsort(-scores[kept], kind="stable")[:k]])


def gram_arm(ground: Ground, places: Ids) -> JaccardArm:
    """By the character 3-grams of the cells that the catalogue keeps of each column."""
    start = time.process_time()
    cells = ground.view.generation.columns["cells"].take(places).to_pylist()
    sets = [grams(column) for column in cells]
    return JaccardArm(ground, GRAMS, places, sets, time.process_time() - start)


def name_arm(ground: Ground, places: Ids) -> JaccardArm:
    """By the words of the columns' names, as ``profile.names.name_similarity`` compares two of them."""
    start = time.process_time()
    sets = [hash_values(words(ground.view.names[place])) for place in places.tolist()]
    return JaccardArm(ground, NAMES, places, sets, time.process_time() - start)


def by_jaccard(postings: Postings, query: Hashes) -> tuple[Ids, npt.NDArray[np.float64]]:
    """The sets that share something with the query, ascending, and their Jaccard index with it.

    >>> sets = [np.array([1, 2], np.uint64), np.array([9], np.uint64)]
    >>> by_jaccard(Postings.build(sets), np.array([1, 3], np.uint64))
    (array([0]), array([0.33333333]))
    """
    shared = postings.overlaps(postings.places(query), len(postings) + 1)  # so many that all are counted
    sizes = np.diff(postings.own_starts)[shared.columns]
    return shared.columns, shared.counts / (sizes + len(query) - shared.counts)


def grams(cells: Iterable[str]) -> Hashes:
    """The distinct character 3-grams of cells, folded and with a space on either side, sorted.

    >>> [len(grams(cells)) for cells in (["a"], ["abc"], ["abc", "ABC "], [])]
    [1, 3, 3, 0]
    """
    text = "".join(f" {fold(cell).replace(END, ' ').strip()} {END}" for cell in cells)
    signs = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    first, second, third = signs[:-2], signs[1:-1], signs[2:]
    within = (first != ord(END)) & (second != ord(END)) & (third != ord(END))
    return np.unique(((first << CODEPOINT | second) << CODEPOINT | third)[within])
