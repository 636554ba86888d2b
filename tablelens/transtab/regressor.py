"""Numbers of rows."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from sklearn.base import RegressorMixin

from tablelens.transtab.estimator import RowModel
from tablelens.transtab.model import encode_rows
from tablelens.transtab.objectives import Supervised
from tablelens.transtab.targets import targets_of


class TransTabRegressor(RegressorMixin, RowModel):  # type: ignore[misc]
    """Predicts a number for rows of tables with any columns. Targets are standardised for the training.

    >>> wine = {"colour": ["red", "white"] * 20, "year": list(range(40))}
    >>> model = TransTabRegressor(members=1, epochs=10, rate=3e-3).fit(wine, [14.0, 11.0] * 20)
    >>> model.predict({"colour": ["white", "red"]}).round().tolist()
    [11.0, 14.0]
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from a table and the number of each row, afresh.

        Raises:
            UnusableTable: lengths differ, or numbers are missing or all the same.
        """
        table = self._checked(X)
        targets = targets_of(y, table.num_rows, numeric=True)
        self.mean_, self.spread_ = float(targets.mean()), float(targets.std()) or 1.0
        members = self._count(table.num_rows)
        self._begin(table, members)
        self.heads_ = [Supervised(self.width, "numbers", 1).to(self._device()) for _ in range(members)]
        return self._learn(table, targets)

    def partial_fit(self, X: Any, y: Any) -> Self:
        """Learn on, from a table that may have other columns. The first call fits."""
        if not hasattr(self, "models_"):
            return self.fit(X, y)
        table = self._checked(X)
        return self._learn(table, targets_of(y, table.num_rows, numeric=True))

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """A number for each row, the mean over members."""
        rows = self._rows(X)
        total = np.zeros(len(rows))
        for model, head in zip(self.models_, self.heads_, strict=True):
            with torch.no_grad():
                z = torch.from_numpy(encode_rows(model, self.featurizer_, rows)).to(self._device())
                total += head.head(z)[:, 0].cpu().numpy()
        return total / len(self.models_) * self.spread_ + self.mean_

    def _learn(self, table: pa.Table, targets: npt.NDArray[np.float64]) -> Self:
        scaled = torch.from_numpy(((targets - self.mean_) / self.spread_).astype(np.float32))
        self._train([(self._rows(table), scaled, None)])
        return self

    def _about(self) -> dict[str, Any]:
        return super()._about() | {"mean": self.mean_, "spread": self.spread_}

    def _take(self, about: dict[str, Any]) -> None:
        self.mean_, self.spread_ = about["mean"], about["spread"]
