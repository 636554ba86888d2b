"""Vectors of rows, learnt without targets."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
import torch

from tablelens.errors import UsageError
from tablelens.transtab.estimator import RowModel
from tablelens.transtab.model import encode_rows
from tablelens.transtab.targets import splits_of, targets_of
from tablelens.transtab.tokenize import Ints, Rows
from tablelens.types import Vectors


class TransTabEncoder(RowModel):
    """Rows to vectors, learnt without targets by contrast of vertical partitions (section 2.4).

    >>> wine = {"colour": ["red", "white"] * 20, "year": list(range(40))}
    >>> TransTabEncoder(epochs=2).fit(wine).transform(wine).shape
    (40, 64)
    """

    _words = "known"

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from a table; with ``y`` by eq. 5, views of one class attract, else by eq. 4.

        Raises:
            UnusableTable: the table has one column only, of which there are no partitions.
        """
        return self._learn(self._checked(X), y, afresh=True)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Learn on, from a table that may have other columns. The first call fits."""
        return self._learn(self._checked(X), y, afresh=not hasattr(self, "models_"))

    def fit_tables(self, tables: Sequence[Any]) -> Self:
        """Learn from several tables with any columns at once, without targets.

        Raises:
            UsageError: there is no table.
        """
        known = [self._checked(table) for table in tables]
        if not known:
            raise UsageError("there is no table to learn from", "give at least one")
        self._begin(known[0], 1)
        rows = [self._read(table) for table in known]
        self._grow()
        return self._contrast(rows, [None] * len(known))

    def encode_tables(self, tables: Sequence[Any]) -> list[Vectors]:
        """``transform`` of several tables; the model grows by the words of all of them once."""
        rows = [self._read(table) for table in tables]
        self._grow()
        return [encode_rows(self.models_[0], self.featurizer_, part) for part in rows]

    def _learn(self, table: pa.Table, y: Any, *, afresh: bool) -> Self:
        labels = None if y is None else np.unique(targets_of(y, table.num_rows), return_inverse=True)[1]
        if afresh:
            self._begin(table, 1)
        return self._contrast([self._rows(table)], [labels])

    def _contrast(self, tables: Sequence[Rows], labels: Sequence[Ints | None]) -> Self:
        """Train on those tables that have partitions: two columns and two rows at least."""
        train, valid = [], []
        for rows, label in zip(tables, labels, strict=True):
            if len(rows.columns) < 2 or len(rows) < 2:
                continue
            targets = torch.zeros(len(rows), dtype=torch.int64) if label is None else torch.from_numpy(label)
            learnt, held = splits_of(len(rows), None, 1, self._seed(), held_out=self.patience is not None)[0]
            train.append(self._part(rows, targets, learnt))
            valid.append(self._part(rows, targets, held))
        if not train:
            warnings.warn("one column or one row has no contrast: the vectors are untrained", stacklevel=3)
            return self
        loss: Literal["self", "supervised"] = "self" if labels[0] is None else "supervised"
        contrast = self._contrast_by(loss, self._seed())
        options = self._options(sum(len(rows) for rows, _ in train))
        self.history_.append(self._fit(0, "contrast", self.models_[0], contrast, train, valid, options))
        self._forget()
        return self
