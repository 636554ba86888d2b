"""Judges say how well a table's columns predict the target, a score a fold.

``Trees`` are scikit-learn's histogram gradient boosting. ``Rows`` is TransTab, trained once a fold on the base table
and continued on each table with more columns; what it is compared with is itself, continued as long without them. It
is continued longer than it was trained: new columns begin from nothing, in a model that can do without them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.stats import rankdata, spearmanr
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score
from threadpoolctl import threadpool_limits

from tablelens.errors import UsageError
from tablelens.transtab.classifier import TransTabClassifier
from tablelens.transtab.regressor import TransTabRegressor
from tablelens.transtab.tables import numbers, texts

METRICS = {"auc": "classes", "accuracy": "classes", "r2": "numbers", "spearman": "numbers"}
"""Of ``spearman``, the correlation of ranks, models learn the target's ranks: a few giants do not outweigh all else."""
CATEGORIES = 200
"""Distinct texts of a column that trees tell apart, the most frequent ones."""
FEW = 10_000
"""Rows below which more threads cost trees more than they bring."""
FIRST, FURTHER = 10, 30
"""Epochs of TransTab on the base, and then on each table with more columns."""
Floats = npt.NDArray[np.float64]
Fold = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


class OutOfTime(Exception):
    """A judge stopped, for the time that it may take is over."""


class Judge(Protocol):
    """Scores of a table by fold, float64 (folds,), greater is better."""

    name: str

    def scores(self, table: pa.Table, target: npt.NDArray[Any], folds: Sequence[Fold]) -> Floats:
        """How well the columns predict the target on each fold's second part, learnt on its first."""
        ...


class Trees:
    """Gradient-boosted trees."""

    name = "trees"

    def __init__(self, metric: str, seed: int = 0) -> None:
        self.metric, self.seed = metric, seed

    def scores(self, table: pa.Table, target: npt.NDArray[Any], folds: Sequence[Fold]) -> Floats:
        """A fresh model a fold."""
        features, categorical = coded(table)
        learnt = learnt_as(self.metric, target)
        kind = HistGradientBoostingRegressor if METRICS[self.metric] == "numbers" else HistGradientBoostingClassifier
        found = []
        for train, test in folds:
            held = [not np.isnan(column).all() for column in features[train].T]  # one without a value has no bins
            chosen = [text for text, there in zip(categorical, held, strict=True) if there]
            model = kind(random_state=self.seed, categorical_features=chosen, max_iter=60, early_stopping=False)
            with threadpool_limits(1 if len(train) < FEW else None):
                model.fit(features[train][:, held], learnt[train])
            found.append(measured(self.metric, model, features[test][:, held], target[test]))
        return np.array(found)


class Rows:
    """TransTab, trained once a fold on the base and continued on more columns."""

    name = "transtab"

    def __init__(self, metric: str, base: pa.Table, seed: int = 0, late: Callable[[], bool] = lambda: False) -> None:
        self.metric, self.base, self.seed, self.late = metric, base, seed, late
        self._trained: dict[bytes, Any] = {}

    def scores(self, table: pa.Table, target: npt.NDArray[Any], folds: Sequence[Fold]) -> Floats:
        """The base's model of each fold, continued on the table.

        Raises:
            OutOfTime: it got late before all folds were done.
        """
        found, learnt = [], learnt_as(self.metric, target)
        for train, test in folds:
            if self.late():
                raise OutOfTime
            rows = train.tobytes()
            if rows not in self._trained:
                kind = TransTabRegressor if METRICS[self.metric] == "numbers" else TransTabClassifier
                model = kind(members=1, epochs=FIRST, recall=0, random_state=self.seed)
                self._trained[rows] = model.fit(self.base.take(pa.array(train)), learnt[train])
            model = copy.deepcopy(self._trained[rows]).set_params(epochs=FURTHER)
            model.partial_fit(table.take(pa.array(train)), learnt[train])
            found.append(measured(self.metric, model, table.take(pa.array(test)), target[test]))
        return np.array(found)


def measured(metric: str, model: Any, features: Any, target: npt.NDArray[Any]) -> float:
    """The metric on rows that were held out."""
    if metric == "r2":
        return float(r2_score(target, model.predict(features)))
    if metric == "spearman":
        predicted = model.predict(features)
        return float(spearmanr(target, predicted).statistic) if np.ptp(predicted) and np.ptp(target) else 0.0
    if metric == "accuracy":
        return float(accuracy_score(target, model.predict(features)))
    chances = model.predict_proba(features)
    if len(model.classes_) == 2:
        return float(roc_auc_score(target == model.classes_[1], chances[:, 1]))
    return float(roc_auc_score(target, chances, multi_class="ovr", labels=model.classes_))


def learnt_as(metric: str, target: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The target as models learn it: for ``spearman`` its ranks, above 0 to 1.

    >>> learnt_as("spearman", np.array([5.0, 7e9, 6.0, 5.0])).tolist()
    [0.375, 1.0, 0.75, 0.375]
    """
    return rankdata(target) / len(target) if metric == "spearman" else target


def coded(table: pa.Table) -> tuple[Floats, list[bool]]:
    """Columns as numbers, float64 (n, columns), and which of them are categories; NaN where a cell is missing.

    >>> coded(pa.table({"year": [1999.0, None, 2004.0], "colour": ["red", None, "red"]}))[0].tolist()
    [[1999.0, 0.0], [nan, nan], [2004.0, 0.0]]
    """
    made, categorical = [], []
    for column in table.columns:
        text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        categorical.append(text)
        made.append(_categories(texts(column)) if text else numbers(column))
    return np.column_stack(made) if made else np.empty((table.num_rows, 0)), categorical


def _categories(cells: Sequence[str | None]) -> Floats:
    names, counts = np.unique([cell for cell in cells if cell is not None], return_counts=True)
    kept = names[np.argsort(-counts, kind="stable")[:CATEGORIES]]
    place = {name: number for number, name in enumerate(kept.tolist())}
    return np.array([np.nan if cell is None else place.get(cell, np.nan) for cell in cells], np.float64)


def metric_for(target: npt.NDArray[Any], asked: str | None) -> str:
    """The metric asked for, or one that fits the target: ``auc`` for classes, ``r2`` for more than ten numbers.

    Raises:
        UsageError: no such metric, or one that does not fit.

    >>> metric_for(np.array(["few", "many"]), None), metric_for(np.arange(20.0), None)
    ('auc', 'r2')
    """
    numeric = target.dtype.kind == "f" and len(np.unique(target)) > 10
    chosen = asked or ("r2" if numeric else "auc")
    if chosen not in METRICS:
        raise UsageError(f"unknown metric {chosen!r}", f"known metrics: {', '.join(METRICS)}")
    if METRICS[chosen] == "classes" and len(np.unique(target)) > 50:
        raise UsageError(
            f"metric {chosen!r} is one of classes, the target has {len(np.unique(target)):,} distinct values",
            "use --metric r2 for numbers",
        )
    if METRICS[chosen] == "numbers" and target.dtype.kind != "f":
        raise UsageError(f"metric {chosen!r} is one of numbers, the target holds texts", "use --metric auc")
    return chosen
