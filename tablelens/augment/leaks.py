"""Columns that would give the target away: its copy under another name, or a function of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tablelens.augment.judges import METRICS, Fold, coded, measured
from tablelens.profile.normalize import normalize
from tablelens.transtab.tables import texts

SAME = 0.95
"""Share of rows with the target's own value from which on a column is its copy."""
TELLS = 0.99
"""Score from which on one column alone tells the target."""
COVERED = 0.3
"""Least share of rows that a column must have a value for to be judged by its score."""


def leak(name: str, column: pa.ChunkedArray, target: npt.NDArray[Any], folds: Sequence[Fold], metric: str) -> str:
    """Why a column gives the target away, or nothing.

    >>> copy = pa.chunked_array([["Yes", "no", "NO", None]])
    >>> leak("clinic.sick", copy, np.array(["yes", "no", "no", "yes"]), [], "auc")
    'clinic.sick is the target: 100% of its values are equal'
    """
    cells = texts(column)
    held = np.array([cell is not None for cell in cells], bool)
    if not held.any():
        return ""
    same = np.mean([_value(cell) == _value(str(y)) for cell, y in zip(cells, target.tolist(), strict=True) if cell])
    if same >= SAME:
        return f"{name} is the target: {same:.0%} of its values are equal"
    if held.mean() < COVERED:
        return ""
    inner = [(train[held[train]], test[held[test]]) for train, test in folds[:3]]
    if any(len(np.unique(target[part])) < 2 for fold in inner for part in fold):
        return ""
    features = np.nan_to_num(coded(pa.table({name: column}))[0], nan=-1.0)
    score = float(np.mean([_alone(metric, features, target, fold) for fold in inner]))
    return f"{name} alone tells the target: {metric} {score:.3f}" if score >= TELLS else ""


def _alone(metric: str, feature: npt.NDArray[np.float64], target: npt.NDArray[Any], fold: Fold) -> float:
    """How well a single tree on a single column tells the target."""
    train, test = fold
    kind = DecisionTreeRegressor if METRICS[metric] == "numbers" else DecisionTreeClassifier
    model = kind(min_samples_leaf=2, random_state=0).fit(feature[train], target[train])
    return measured(metric, model, feature[test], target[test])


def _value(cell: str) -> str | None:
    value = normalize(cell)
    try:
        return f"{float(value):.6g}" if value is not None else None
    except ValueError:
        return value
