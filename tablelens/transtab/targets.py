"""What rows are to tell, checked; and which rows each member learns from."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.utils.validation import column_or_1d

from tablelens.errors import UnusableTable
from tablelens.transtab.tokenize import Ints


def targets_of(y: Any, n: int, *, numeric: bool = False) -> npt.NDArray[Any]:
    """Targets as an array of n.

    Raises:
        UnusableTable: there are none, not n, or some are missing.
    """
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    found: npt.NDArray[Any] = column_or_1d(
        np.asarray(y.to_pylist() if isinstance(y, pa.Array | pa.ChunkedArray) else y), warn=True
    )
    if len(found) != n:
        raise UnusableTable(f"{n} rows and {len(found)} targets", "give one target a row")
    missing = [place for place, value in enumerate(found.tolist()) if value is None or value != value]
    if missing:
        raise UnusableTable(f"Input y contains NaN: {len(missing)} of {n} targets are missing", "leave those rows out")
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise UnusableTable("Input y contains infinity", "leave those rows out")
    if not numeric:
        return found
    try:
        return found.astype(np.float64)
    except ValueError as error:
        raise UnusableTable(f"targets are no numbers: {error}", "use TransTabClassifier for classes") from error


def splits_of(n: int, codes: Ints | None, members: int, seed: int, *, held_out: bool) -> list[tuple[Ints, Ints]]:
    """(rows to train on, rows to stop early on) of each member; without ``held_out`` all rows, and none."""
    if not held_out:
        return [(np.arange(n), np.arange(0))]
    rare = 0 if codes is None else int(np.bincount(codes).min(initial=n, where=np.bincount(codes) > 0))
    return list(_folds(n, codes if rare >= 2 else None, members, seed))


def _folds(n: int, codes: Ints | None, members: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """Folds, or a tenth of the rows for a single member."""
    places = np.arange(n)
    if n < 10:
        yield from [(places, places)] * members
    elif members == 1:
        share = min(max(2 if codes is None else int(codes.max()) + 1, n // 10), n // 2)
        try:
            yield tuple(train_test_split(places, test_size=share, random_state=seed, stratify=codes))
        except ValueError:  # a class is too rare to be in both
            yield tuple(train_test_split(places, test_size=share, random_state=seed))
    else:
        folds = min(members, n // 2)
        kind = KFold if codes is None or np.bincount(codes).max() < folds else StratifiedKFold
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a class with fewer rows than folds
            yield from kind(folds, shuffle=True, random_state=seed).split(places, codes)
