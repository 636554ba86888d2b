"""Classes of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from tablelens.errors import UnusableTable, UsageError
from tablelens.transtab.estimator import RowModel
from tablelens.transtab.model import encode_rows
from tablelens.transtab.objectives import Supervised
from tablelens.transtab.targets import targets_of


class TransTabClassifier(ClassifierMixin, RowModel):  # type: ignore[misc]
    """Classifies rows of tables with any columns.

    >>> import numpy as np
    >>> wine = {"colour": ["red", "white"] * 20, "year": list(range(40))}
    >>> model = TransTabClassifier(members=1, epochs=5, rate=3e-3).fit(wine, ["heavy", "light"] * 20)
    >>> model.predict({"colour": ["white", "red"]}).tolist()
    ['light', 'heavy']
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from a table and the class of each row, afresh.

        Raises:
            UnusableTable: lengths differ, classes are missing, or there is one class only.
        """
        table = self._checked(X)
        labels = targets_of(y, table.num_rows)
        check_classification_targets(labels)
        if len(np.unique(labels)) < 2:
            raise UnusableTable(f"y holds one class only, {labels[0]!r}", "give rows of at least two classes")
        self.fit_classes(table, labels)
        return self._learn(table, labels)

    def fit_tables(self, tables: Sequence[tuple[Any, Any]]) -> Self:
        """Learn from several tables with any columns at once, each given with the class of each row, afresh.

        Raises:
            UsageError: there is no table.
            UnusableTable: as in ``fit``.
        """
        if not tables:
            raise UsageError("there is no table to learn from", "give at least one")
        known = [(self._checked(X), y) for X, y in tables]
        labels = [targets_of(y, table.num_rows) for table, y in known]
        classes = np.unique(np.concatenate(labels))
        if len(classes) < 2:
            raise UnusableTable(f"y holds one class only, {classes[0]!r}", "give rows of at least two classes")
        self._begin_classes(known[0][0], classes, sum(map(len, labels)))
        codes = [np.searchsorted(classes, label) for label in labels]
        rows = [self._rows(table) for table, _ in known]
        self._train([(part, torch.from_numpy(code), code) for part, code in zip(rows, codes, strict=True)])
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Learn on, from a table that may have other columns. The first call fits.

        Args:
            X: a table.
            y: the class of each row; only classes that were there at first.
            classes: ignored but in the first call, where ``y`` may lack some of them.

        Raises:
            UnusableTable: a class that was not there at first.
        """
        if not hasattr(self, "models_"):
            if classes is None or set(np.unique(np.asarray(y))) == set(np.unique(np.asarray(classes))):
                return self.fit(X, y)
            self.fit_classes(X, classes)
        table = self._checked(X)
        labels = targets_of(y, table.num_rows)
        new = sorted(set(labels.tolist()) - set(self.classes_.tolist()), key=str)
        if new:
            raise UnusableTable(
                f"classes {new[:5]} were not there at first", f"known are {self.classes_.tolist()[:20]}"
            )
        return self._learn(table, labels)

    def fit_classes(self, X: Any, classes: Any) -> Self:
        """An untrained model for given classes and the columns of a table."""
        table = self._checked(X)
        self._begin_classes(table, np.unique(np.asarray(classes)), table.num_rows)
        return self

    def _begin_classes(self, table: pa.Table, classes: npt.NDArray[Any], count: int) -> None:
        self.classes_, members = classes, self._count(count)
        self._begin(table, members)
        outputs = 1 if len(classes) == 2 else len(classes)
        self.heads_ = [Supervised(self.width, "classes", outputs).to(self._device()) for _ in range(members)]

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Probability of each class, (n, classes), the mean over members."""
        rows = self._rows(X)
        total = np.zeros((len(rows), len(self.classes_)))
        for model, head in zip(self.models_, self.heads_, strict=True):
            with torch.no_grad():
                z = torch.from_numpy(encode_rows(model, self.featurizer_, rows)).to(self._device())
                outputs = head.head(z).double()
                one = torch.sigmoid(outputs)
                found = torch.cat([1 - one, one], 1) if outputs.shape[1] == 1 else torch.softmax(outputs, 1)
            total += found.cpu().numpy()
        return total / len(self.models_)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The likeliest class of each row."""
        best = self.predict_proba(X).argmax(1)
        return np.asarray(self.classes_[best])

    def _learn(self, table: pa.Table, labels: npt.NDArray[Any]) -> Self:
        codes = np.searchsorted(self.classes_, labels)
        self._train([(self._rows(table), torch.from_numpy(codes), codes)])
        return self

    def _about(self) -> dict[str, Any]:
        return super()._about() | {"classes": self.classes_.tolist(), "dtype": self.classes_.dtype.str}

    def _take(self, about: dict[str, Any]) -> None:
        kind = object if about["dtype"] == "|O" else about["dtype"]
        self.classes_ = np.array(about["classes"], kind)
