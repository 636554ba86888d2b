"""How surely two cells that are written alike mean the same thing: a few signs and a logistic model.

For each pair: ``cosine`` of their weighted 3-grams; ``within``, the share of the shorter cell that the longer holds;
``gap``, by how much the cosine is above that of the left cell's next best partner; ``mutual``, 1 where each is the
other's best; ``free``, 1 where the right cell has no equal on the left; ``numbers``, 0 where the digits in both are
others, ½ where only one has some; ``meaning``, the cosine of the cells' token vectors, those of the shipped encoder.

The weights were fitted on labelled rows (``benchmarks/match_cells.py``), whole columns kept aside.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from tablelens.encoders import load_encoder
from tablelens.encoders.static import StaticEncoder
from tablelens.match.grams import Alike
from tablelens.types import Ids

Floats = npt.NDArray[np.float64]
SIGNS = ("cosine", "within", "gap", "mutual", "free", "numbers", "meaning")
_DIGITS = re.compile(r"\d+")


def signs_of(left: Sequence[str], right: Sequence[str], pairs: Alike, taken: npt.NDArray[np.bool_]) -> Floats:
    """The signs of each pair, (pairs, 7).

    Args:
        left: the cells of the one column.
        right: those of the other.
        pairs: the pairs, best partners of each left cell.
        taken: for each right cell, whether some left cell is equal to it.
    """
    gap, best = _gap(pairs.left, pairs.cosine, len(left))
    _, theirs = _gap(pairs.right, pairs.cosine, len(right))
    return np.column_stack(
        [
            pairs.cosine,
            pairs.within,
            gap,
            best & theirs,
            ~taken[pairs.right],
            _numbers(left, right, pairs),
            _meaning(left, right, pairs),
        ]
    ).astype(np.float64)


def probability(signs: Floats) -> Floats:
    """That each pair means the same, shape (pairs,)."""
    fitted = weights()
    return np.asarray(1 / (1 + np.exp(-(signs @ np.array([fitted[sign] for sign in SIGNS]) + fitted["bias"]))))


@lru_cache(maxsize=1)
def weights() -> dict[str, float]:
    """The fitted weights by sign, and the bias."""
    found: dict[str, float] = json.loads((files(__package__) / "weights.json").read_text(encoding="utf-8"))
    return found


def _gap(cells: Ids, cosine: Floats, count: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """By how much each pair is above the best other one of its cell, and whether it is the best itself."""
    order = np.lexsort((-cosine, cells))
    ranked = cells[order]
    first = np.flatnonzero(np.diff(ranked, prepend=-1))
    top, second = np.zeros(count), np.zeros(count)
    top[ranked[first]] = cosine[order][first]
    more = first[np.append(np.diff(first), len(ranked) - first[-1:]) > 1] + 1
    second[ranked[more]] = cosine[order][more]
    best = np.zeros(len(cells), bool)
    best[order[first]] = True
    return cosine - np.where(best, second[cells], top[cells]), best


def _numbers(left: Sequence[str], right: Sequence[str], pairs: Alike) -> Floats:
    """1 where two cells hold the same numbers, ½ where only one holds some, 0 where they hold others."""
    known: dict[tuple[str, ...], int] = {(): 0}
    one, other = (
        np.fromiter((known.setdefault(tuple(sorted(_DIGITS.findall(cell))), len(known)) for cell in cells), np.int64)
        for cells in (left, right)
    )
    mine, theirs = one[pairs.left], other[pairs.right]
    return np.where(mine == theirs, 1.0, np.where((mine == 0) | (theirs == 0), 0.5, 0.0))


def _meaning(left: Sequence[str], right: Sequence[str], pairs: Alike) -> Floats:
    """The cosine of the token vectors; only cells that are in a pair are encoded."""
    made = []
    for cells, places in ((left, pairs.left), (right, pairs.right)):
        asked, at = np.unique(places, return_inverse=True)
        made.append((_encoder().encode_text([cells[i] for i in asked.tolist()]), at))
    (one, i), (other, j) = made
    return np.asarray((one[i] * other[j]).sum(axis=1), np.float64)


@lru_cache(maxsize=1)
def _encoder() -> StaticEncoder:
    found = load_encoder("deepjoin-static")
    assert isinstance(found, StaticEncoder)
    return found
