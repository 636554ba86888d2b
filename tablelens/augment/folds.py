"""Which rows are learnt from and which are predicted.

A number that differs from key to key names the key, and a model can learn the target by key from it, whatever it means.
So all rows of a key lie in one fold: what a candidate adds has to be true of keys that were not learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from tablelens.augment.attach import NOTHING, hashes
from tablelens.augment.judges import Fold
from tablelens.errors import UsageError

SPLITS, REPEATS = 5, 2
RATIO = 1 / (SPLITS - 1)
"""Rows that are predicted over rows that are learnt from, of a fold."""
MOST_ROWS = 20_000
"""Rows that scores are measured on, drawn at random where there are more."""


def drawn(n: int, seed: int) -> npt.NDArray[np.int64]:
    """Places of the rows that scores are measured on, ascending.

    >>> drawn(4, seed=0).tolist(), len(drawn(10**6, seed=0))
    ([0, 1, 2, 3], 20000)
    """
    if n <= MOST_ROWS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, MOST_ROWS, replace=False))


def check_target(target: npt.NDArray[Any], task: str) -> None:
    """Refuse a target that folds cannot be made of.

    Raises:
        UsageError: it has one value only, or there are too few rows.
    """
    distinct, counts = np.unique(target, return_counts=True)
    if len(distinct) < 2:
        raise UsageError(f"the target has one value only, {distinct.tolist()}", "choose another target")
    least = int(counts.min()) if task == "classes" else len(target)
    if least < SPLITS or len(target) < 4 * SPLITS:
        raise UsageError(
            f"{len(target)} rows, {least} of the rarest class, are too few for {SPLITS} folds",
            f"give at least {4 * SPLITS} rows and {SPLITS} of each class",
        )


def folds_of(target: npt.NDArray[Any], groups: npt.NDArray[np.int64], task: str, seed: int) -> list[Fold]:
    """Repeated folds, (train, test) places each, in which no group is on both sides.

    >>> keys = np.repeat(np.arange(10), 3)
    >>> train, test = folds_of(np.arange(30.0), keys, "numbers", seed=0)[0]
    >>> len(train), len(test), set(keys[train]) & set(keys[test])
    (24, 6, set())
    """
    kind = StratifiedGroupKFold if task == "classes" else GroupKFold
    nothing = np.zeros((len(target), 1))
    return [
        fold
        for repeat in range(REPEATS)
        for fold in kind(SPLITS, shuffle=True, random_state=seed + repeat).split(nothing, target, groups)
        if task == "numbers" or len(np.unique(target[fold[1]])) == len(np.unique(target))
    ]


def groups_of(key: Sequence[str | None]) -> npt.NDArray[np.int64]:
    """A number a key; each row without one is a group of its own.

    >>> germany, france, again, nobody, none = groups_of(["de", "fr", "DE", None, None])
    >>> bool(germany == again), len({germany, france, nobody, none})
    (True, 4)
    """
    found = hashes(key)
    _, groups = np.unique(found, return_inverse=True)
    alone = np.flatnonzero(found == NOTHING)
    groups[alone] = groups.max(initial=0) + 1 + np.arange(len(alone))
    return groups.astype(np.int64)
