"""TransTab as scikit-learn estimators: any table in, predictions or row vectors out.

    model = TransTabClassifier().fit(frame, labels)
    model.partial_fit(other_frame, other_labels)        # a table with other columns: it learns on
    model.predict_proba(third_frame)                    # columns never seen are read by their names

Small tables get several members, each trained on other rows and stopped early on the rest, whose probabilities are
averaged; so no row is lost to validation.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from tablelens.errors import ModelError, UnusableTable, UsageError
from tablelens.transtab import checkpoint
from tablelens.transtab.model import Config, TransTab, encode_rows
from tablelens.transtab.tables import Kind, as_table
from tablelens.transtab.tokenize import Featurizer, Ints, Rows
from tablelens.transtab.training import Contrast, History, Options, Part, Supervised, fit
from tablelens.transtab.vocabulary import Vocabulary
from tablelens.types import Vectors

SMALL, MIDDLING = 2_500, 12_000
"""Rows below which a table gets five members, and three."""


class _TransTab(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """What the three estimators share.

    Args:
        cells: ``fused``, a position a cell, or ``words``, the paper's bag of words.
        words: ``known``, words start from the default encoder's vectors, or ``random`` as in the paper.
        width, layers, heads, hidden, dropout: of the transformer.
        rate, decay, epochs, patience, batch: of the training. ``rate=None`` is 5e-4 for ``fused`` and 1e-4 for
            ``words``; ``batch=None`` is 64, and more for tables of more than 6,400 rows.
        members: how many models are averaged; None is 5 below 2,500 rows, 3 below 12,000, else 1.
        pretrain: ``self`` or ``supervised`` trains by vertical-partition contrast first, None does not.
        kinds: kind by column, ``categorical``, ``numerical`` or ``binary``, for columns that are not what they look.
        device: of torch; ``auto`` takes a GPU where there is one.
        random_state: seed; the same one gives the same model.
    """

    def __init__(
        self,
        *,
        cells: Literal["fused", "words"] = "fused",
        words: Literal["known", "random"] = "known",
        width: int = 128,
        layers: int = 2,
        heads: int = 8,
        hidden: int = 256,
        dropout: float = 0.1,
        rate: float | None = None,
        decay: float = 0.01,
        epochs: int = 100,
        patience: int = 10,
        batch: int | None = None,
        members: int | None = None,
        pretrain: Literal["self", "supervised"] | None = None,
        kinds: Mapping[str, Kind] | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.cells, self.words = cells, words
        self.width, self.layers, self.heads, self.hidden, self.dropout = width, layers, heads, hidden, dropout
        self.rate, self.decay, self.epochs, self.patience, self.batch = rate, decay, epochs, patience, batch
        self.members, self.pretrain, self.kinds = members, pretrain, kinds
        self.device, self.random_state = device, random_state

    def transform(self, X: Any) -> Vectors:
        """Row vectors z_cls of the first member, float32 (n, width)."""
        rows = self._rows(X)
        return encode_rows(self.models_[0], self.featurizer_, rows)

    def encode(self, table: Any) -> Vectors:
        """``transform`` by the name of the ``RowEncoder`` protocol."""
        return self.transform(table)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[Any]:
        """Names of the dimensions."""
        return np.array([f"transtab{place}" for place in range(self.width)], object)

    def save(self, folder: str | Path) -> None:
        """Write config.json, model.safetensors and vocab.txt into a folder."""
        self._fitted()
        parameters = self.get_params(deep=False)
        about = {"estimator": type(self).__name__, "parameters": parameters | {"random_state": self._seed()}}
        checkpoint.save(
            checkpoint.Bundle(self.featurizer_, self.models_, self.heads_, about | self._about()), Path(folder)
        )

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what ``save`` wrote.

        Raises:
            ModelError: a file is missing, damaged or of another format, or it is another estimator's.
        """
        bundle = checkpoint.load(Path(folder))
        if bundle.about["estimator"] != cls.__name__:
            raise ModelError(f"{folder} holds a {bundle.about['estimator']}", f"load it by {bundle.about['estimator']}")
        made = cls(**bundle.about["parameters"])
        made.featurizer_, made.models_, made.heads_ = bundle.featurizer, bundle.models, bundle.heads
        made.n_features_in_ = bundle.about["features"]
        made._take(bundle.about)
        device = made._device()
        for module in (*made.models_, *made.heads_):
            module.to(device)
        return made

    def __sklearn_tags__(self) -> Any:
        """Text, categories and missing values are welcome."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # vectors are float32
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags

    def _about(self) -> dict[str, Any]:
        return {"features": self.n_features_in_}

    def _take(self, about: dict[str, Any]) -> None:
        pass

    def _fitted(self) -> None:
        if not hasattr(self, "models_"):
            raise NotFittedError(f"This {type(self).__name__} instance is not fitted yet: call fit before")

    def _rows(self, X: Any) -> Rows:
        """A table's rows, its new words and columns taken up.

        Raises:
            UnusableTable: none of its columns was ever seen and their names hold no known word either.
        """
        self._fitted()
        table = self._checked(X)
        kinds = {name: kind for name, kind in (self.kinds or {}).items() if name in table.column_names}
        rows = self.featurizer_.rows(table, kinds)
        for model in self.models_:
            model.grow(self.featurizer_)
        return rows

    def _checked(self, X: Any) -> pa.Table:
        table = as_table(X)
        if not table.num_rows:
            raise UnusableTable("the table has 0 sample(s), while a minimum of 1 is required.", "give at least one row")
        return table

    def _begin(self, table: pa.Table, members: int) -> None:
        seed, device = self._seed(), self._device()
        self.n_features_in_ = table.num_columns
        self.feature_names_in_ = np.array(table.column_names, object)
        self.featurizer_ = Featurizer(Vocabulary.shipped(), spoken=self.cells == "fused")
        form = (self.width, self.layers, self.heads, self.hidden, self.dropout)
        self.models_ = [TransTab(Config(self.cells, self.words, *form, seed + n)).to(device) for n in range(members)]
        self.heads_: list[Supervised] = []
        self.history_: list[History] = []

    def _train(self, rows: Rows, targets: torch.Tensor, splits: list[tuple[Ints, Ints]], options: Options) -> None:
        """Each member on its rows."""
        for n, (model, head) in enumerate(zip(self.models_, self.heads_, strict=True)):
            train, valid = (self._part(rows, targets, chosen) for chosen in splits[n % len(splits)])
            if self.pretrain:
                contrast = Contrast(self.width, self.pretrain, seed=options.seed + n, temperature=0.1).to(
                    self._device()
                )
                fit(model, contrast, self.featurizer_, [train], [valid], options)
            own = replace(options, seed=options.seed + n)
            self.history_.append(fit(model, head, self.featurizer_, [train], [valid], own))

    def _part(self, rows: Rows, targets: torch.Tensor, chosen: Ints) -> Part:
        return rows.take(chosen), targets[torch.from_numpy(chosen)].to(self._device())

    def _options(self, n: int) -> Options:
        rate = self.rate or (5e-4 if self.cells == "fused" else 1e-4)
        batch = self.batch or int(min(max(64, n // 100), 256))
        return Options(self.epochs, self.patience, batch, rate, self.decay, self._seed())

    def _count(self, n: int) -> int:
        if self.members is not None:
            if self.members < 1:
                raise UsageError(f"members is {self.members}", "give 1 or more, or None")
            return self.members
        return 5 if n < SMALL else 3 if n < MIDDLING else 1

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        source = self.random_state or np.random.RandomState()
        return int(source.randint(2**31 - 1))

    def _device(self) -> torch.device:
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self.device)


class TransTabClassifier(ClassifierMixin, _TransTab):  # type: ignore[misc]
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
        labels = _targets(y, table.num_rows)
        check_classification_targets(labels)
        if len(np.unique(labels)) < 2:
            raise UnusableTable(f"y holds one class only, {labels[0]!r}", "give rows of at least two classes")
        self.fit_classes(table, labels)
        return self._learn(table, labels, self._options(table.num_rows))

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
        labels = _targets(y, table.num_rows)
        new = sorted(set(labels.tolist()) - set(self.classes_.tolist()), key=str)
        if new:
            raise UnusableTable(
                f"classes {new[:5]} were not there at first", f"known are {self.classes_.tolist()[:20]}"
            )
        return self._learn(table, labels, self._options(table.num_rows))

    def fit_classes(self, X: Any, classes: Any) -> Self:
        """An untrained model for given classes and the columns of a table."""
        table = self._checked(X)
        self.classes_ = np.unique(np.asarray(classes))
        members = self._count(table.num_rows)
        self._begin(table, members)
        outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        self.heads_ = [Supervised(self.width, "classes", outputs).to(self._device()) for _ in range(members)]
        return self

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

    def _learn(self, table: pa.Table, labels: npt.NDArray[Any], options: Options) -> Self:
        codes = np.searchsorted(self.classes_, labels)
        rows = self._rows(table)
        rare = np.bincount(codes).min(initial=len(codes), where=np.bincount(codes) > 0)
        splits = list(_splits(len(codes), codes if rare >= 2 else None, len(self.models_), self._seed()))
        self._train(rows, torch.from_numpy(codes), splits, options)
        return self

    def _about(self) -> dict[str, Any]:
        return super()._about() | {"classes": self.classes_.tolist(), "dtype": self.classes_.dtype.str}

    def _take(self, about: dict[str, Any]) -> None:
        kind = object if about["dtype"] == "|O" else about["dtype"]
        self.classes_ = np.array(about["classes"], kind)


class TransTabRegressor(RegressorMixin, _TransTab):  # type: ignore[misc]
    """Predicts a number for rows of tables with any columns. Targets are standardised for the training."""

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from a table and the number of each row, afresh.

        Raises:
            UnusableTable: lengths differ, or numbers are missing or all the same.
        """
        table = self._checked(X)
        targets = _targets(y, table.num_rows, numeric=True)
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
        return self._learn(table, _targets(y, table.num_rows, numeric=True))

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
        rows = self._rows(table)
        splits = list(_splits(len(targets), None, len(self.models_), self._seed()))
        scaled = torch.from_numpy(((targets - self.mean_) / self.spread_).astype(np.float32))
        self._train(rows, scaled, splits, self._options(len(targets)))
        return self

    def _about(self) -> dict[str, Any]:
        return super()._about() | {"mean": self.mean_, "spread": self.spread_}

    def _take(self, about: dict[str, Any]) -> None:
        self.mean_, self.spread_ = about["mean"], about["spread"]


class TransTabEncoder(_TransTab):
    """Rows to vectors, learnt without targets by contrast of vertical partitions (section 2.4).

    >>> wine = {"colour": ["red", "white"] * 20, "year": list(range(40))}
    >>> TransTabEncoder(epochs=2).fit(wine).transform(wine).shape
    (40, 128)
    """

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
        return self._contrast([self._rows(table) for table in known], [None] * len(known))

    def _learn(self, table: pa.Table, y: Any, *, afresh: bool) -> Self:
        labels = None if y is None else np.unique(_targets(y, table.num_rows), return_inverse=True)[1]
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
            places = next(_splits(len(rows), None, 1, self._seed()))
            train.append(self._part(rows, targets, places[0]))
            valid.append(self._part(rows, targets, places[1]))
        if not train:
            warnings.warn("one column or one row has no contrast: the vectors are untrained", stacklevel=3)
            return self
        loss: Literal["self", "supervised"] = "self" if labels[0] is None else "supervised"
        contrast = Contrast(self.width, loss, seed=self._seed(), temperature=0.1).to(self._device())
        options = self._options(sum(len(rows) for rows, _ in train))
        self.history_.append(fit(self.models_[0], contrast, self.featurizer_, train, valid, options))
        return self


def _splits(n: int, codes: Ints | None, members: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """(rows to train on, rows to stop early on) of each member: folds, or a tenth of the rows for a single one."""
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


def _targets(y: Any, n: int, *, numeric: bool = False) -> npt.NDArray[Any]:
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


__all__ = ["TransTabClassifier", "TransTabEncoder", "TransTabRegressor"]
