"""Match the cells of two columns: equal ones first, then by a transformation, then those that are written alike.

Whatever is equal stays matched with its equal. What is written alike is matched only where the probability that both
mean the same reaches ``THRESHOLD``; nothing is claimed below it. Each left cell has one partner at most, and where both
columns are keys each right cell too: the surest pair first, as in a stable marriage, which is the same from both sides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tablelens.match.grams import alike
from tablelens.match.programs import NEARLY_ALL, Found, Program, find_program
from tablelens.match.signs import probability, signs_of
from tablelens.profile.normalize import normalize, normalizer
from tablelens.types import Ids, Turned

THRESHOLD = 0.6
"""Least probability of a match; fitted rows of columns that were kept aside are right in about nine of ten cases."""
LONG = 200
"""Letters of a cell beyond which only equality counts: it is for reading, not for joining."""
MOST = 300_000
"""Cells of a column beyond which only equality and transformations count."""
How = Literal["equal", "transformed", "similar"]
HOW: tuple[How, ...] = ("equal", "transformed", "similar")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Matched:
    """Matches of cells, arrays of shape (matches,), ascending by left; each left cell at most once."""

    left: Ids
    right: Ids
    score: Floats
    """1 for equal cells, else the probability that both mean the same; of transformed ones the surer, the more of the
    cells without an equal their program explains."""
    how: npt.NDArray[np.int8]
    """Place in ``HOW``."""
    program: Program | None = None
    turned: Turned = "left"
    """Which side's cells the program turns into the other's."""


def match_cells(left: Sequence[str], right: Sequence[str], *, one_to_one: bool = False) -> Matched:
    """Which cell of the left column stands for which of the right.

    Args:
        left: distinct cells; of cells that count as equal (``profile.normalize.normalizer``) the first stands for all.
        right: as left.
        one_to_one: both columns are keys, so that a right cell has one partner too.

    >>> found = match_cells(["Oslo", "Berlin (Germany)"], ["BERLIN, GERMANY", "oslo"])
    >>> [(int(i), int(j), HOW[how]) for i, j, how in zip(found.left, found.right, found.how)]
    [(0, 1, 'equal'), (1, 0, 'similar')]
    """
    mine, theirs = _Side.of(left), _Side.of(right)
    partner = np.full(len(left), -1, np.int64)
    score, how = np.zeros(len(left)), np.zeros(len(left), np.int8)
    for value, i in mine.places.items():
        if (j := theirs.places.get(value)) is not None:
            partner[i], score[i] = j, 1.0
    taken = np.zeros(len(right), bool)
    taken[partner[partner >= 0]] = True
    found, turned = _transformed(mine, theirs, partner, taken)
    if found is not None:
        pairs = _pairs_of(found, mine, theirs, turned == "right")
        free = taken[list(theirs.places.values())] if turned == "right" else partner[list(mine.places.values())] >= 0
        sure = THRESHOLD + (0.99 - THRESHOLD) * len(pairs) / max(int((~free).sum()), len(pairs))
        _assign(pairs, np.full(len(pairs), sure), partner, score, taken, one_to_one)
        how[(partner >= 0) & (score < 1)] = HOW.index("transformed")
    before = partner >= 0
    if max(len(left), len(right)) <= MOST:
        pairs, scores = _similar(mine, theirs, partner, taken)
        _assign(pairs, scores, partner, score, taken, one_to_one)
        how[~before & (partner >= 0)] = HOW.index("similar")
    rows = np.flatnonzero(partner >= 0)
    program = found.program if found is not None else None
    return Matched(rows, partner[rows], score[rows], how[rows], program, turned)


@dataclass(frozen=True, slots=True)
class _Side:
    cells: Sequence[str]
    values: list[str | None]
    """The normalised value of each cell, None for one that has none or repeats an earlier one."""
    places: dict[str, int]

    @classmethod
    def of(cls, cells: Sequence[str]) -> _Side:
        values: list[str | None] = []
        places: dict[str, int] = {}
        value_of = normalizer(cells)
        for i, cell in enumerate(cells):
            value = value_of(cell)
            fresh = value is not None and places.setdefault(value, i) == i
            values.append(value if fresh else None)
        return cls(cells, values, places)

    def free(self, matched: npt.NDArray[np.bool_]) -> list[int]:
        """Places of short cells that have no match."""
        some = np.flatnonzero(~matched).tolist()
        return [i for i in some if self.values[i] is not None and len(self.cells[i]) <= LONG]

    def spoken(self, matched: npt.NDArray[np.bool_]) -> list[int]:
        """Those of them that hold a letter: numbers are equal or they are not."""
        return [i for i in self.free(matched) if any(letter.isalpha() for letter in self.cells[i])]


def _transformed(mine: _Side, theirs: _Side, partner: Ids, taken: npt.NDArray[np.bool_]) -> tuple[Found | None, Turned]:
    """The program that explains most, on the one side or the other."""
    one = find_program(mine.cells, mine.free(partner >= 0), theirs.places)
    other = find_program(theirs.cells, theirs.free(taken), mine.places)
    if other is not None and (one is None or NEARLY_ALL * len(other.cells) > len(one.cells)):
        return other, "right"
    return one, "left"


def _pairs_of(found: Found, mine: _Side, theirs: _Side, turned: bool) -> Ids:
    """(left, right) places of the cells that a program brings together."""
    one, other = (theirs, mine) if turned else (mine, theirs)
    pairs = [(i, other.places[normalize(found.program.apply(one.cells[i]) or "") or ""]) for i in found.cells]
    made = np.array(pairs, np.int64).reshape(-1, 2)
    return made[:, ::-1] if turned else made


def _similar(mine: _Side, theirs: _Side, partner: Ids, taken: npt.NDArray[np.bool_]) -> tuple[Ids, Floats]:
    """Pairs that are written alike and likely to mean the same, with their probability."""
    rows, columns = mine.spoken(partner >= 0), theirs.spoken(np.zeros(len(theirs.cells), bool))
    left = [canonical(mine.cells[i]) for i in rows]
    right = [canonical(theirs.cells[j]) for j in columns]
    pairs = alike(left, right)
    if not len(pairs.left):
        return np.empty((0, 2), np.int64), np.empty(0)
    scores = probability(signs_of(left, right, pairs, taken[columns]))
    kept = scores >= THRESHOLD
    return np.column_stack([np.array(rows)[pairs.left], np.array(columns)[pairs.right]])[kept], scores[kept]


def canonical(cell: str) -> str:
    """A cell as similarity sees it: folded, without accents, words and digits alone.

    >>> canonical("Côte d’Ivoire (CI)")
    'cote d ivoire ci'
    """
    apart = unicodedata.normalize("NFKD", cell.casefold())
    bare = apart if apart.isascii() else "".join(c for c in apart if not unicodedata.combining(c))
    return " ".join(re.sub(r"[\W_]+", " ", bare).split()) or " ".join(apart.split())


def _assign(
    pairs: Ids, scores: Floats, partner: Ids, score: Floats, taken: npt.NDArray[np.bool_], one_to_one: bool
) -> None:
    """Give cells their partners, the surest pair first; ties by place, so that it is the same from both sides."""
    gone = taken.copy()
    order = np.lexsort((pairs.max(axis=1, initial=0), pairs.sum(axis=1), -np.round(scores, 9)))
    for (i, j), sure in zip(pairs[order].tolist(), scores[order].tolist(), strict=True):
        if partner[i] < 0 and not (one_to_one and gone[j]):
            partner[i], score[i] = j, sure
            gone[j] = taken[j] = True
