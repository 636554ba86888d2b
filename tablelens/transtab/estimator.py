"""What TransTab's scikit-learn estimators share: parameters, featurizer, members, training, saving.

    model = TransTabClassifier().fit(frame, labels)
    model.partial_fit(other_frame, other_labels)        # a table with other columns: it learns on
    model.predict_proba(third_frame)                    # columns never seen are read by their names

Small tables get several members, trained from other beginnings, whose predictions are averaged.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError

from tablelens.errors import ModelError, UnusableTable, UsageError
from tablelens.transtab import checkpoint
from tablelens.transtab.model import Config, TransTab, encode_rows
from tablelens.transtab.objectives import Contrast, Objective, Supervised
from tablelens.transtab.resume import History
from tablelens.transtab.tables import Kind, as_table
from tablelens.transtab.targets import splits_of
from tablelens.transtab.tokenize import Featurizer, Ints, Rows
from tablelens.transtab.training import Options, Part, fit
from tablelens.transtab.vocabulary import Vocabulary
from tablelens.types import Vectors

SMALL, MIDDLING = 2_500, 12_000
"""Rows below which a table gets five members, and three."""
ENOUGH = 60_000
"""Rows that a member sees in a training, each as often as it comes, if that takes 8 to 30 epochs."""
Learnt = tuple[Rows, torch.Tensor, Ints | None]
"""A table's rows, targets, and class numbers where rows that are held out shall have all classes."""
PAPER: dict[str, Any] = {
    "cells": "words", "words": "random", "width": 128, "heads": 8, "hidden": 256, "dropout": 0.0, "hide": 0.0,
    "rate": 1e-4, "decay": 0.0, "epochs": 100, "patience": 10, "batch": 64, "members": 1,
    "recall": 0,
}  # fmt: skip
"""Parameters of the paper's model and training (sections 2 and 3): ``TransTabClassifier(**PAPER)``."""


class RowModel(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base of the estimators.

    Args:
        cells: ``fused``, a position a cell, or ``words``, the paper's bag of words.
        words: what words start from: ``known``, the default encoder's vectors; ``random``, chance as in the paper;
            ``both``. None is ``both`` where there are targets, and ``known`` without.
        width, layers, heads, hidden, dropout: of the transformer.
        hide: share of the columns that a batch does not see, others in each; it keeps small tables from being learnt
            by heart.
        rate, decay, batch: of the training; ``batch=None`` is 16 to 64 by the rows, and more from 6,400 rows on.
        epochs: None is 8 to 30, the fewer the more rows there are.
        patience: None learns from all rows at a rate that falls to zero. A number holds rows out, another part for each
            member, and stops when the loss on them has not fallen for so many epochs.
        members: how many models are averaged; None is 5 below 2,500 rows, 3 below 12,000, else 1.
        recall: how many rows are kept of all that was learnt from. ``partial_fit`` learns from them again, from as many
            as it is given, so that it does not forget what other tables told. They are in memory, and in no checkpoint.
            ``TransTabEncoder`` keeps none.
        pretrain: ``self`` or ``supervised`` trains by vertical-partition contrast first, None does not.
        kinds: kind by column, ``categorical``, ``numerical`` or ``binary``, for columns that are not what they look.
        resume: a folder for the state after each epoch. A ``fit`` or ``partial_fit`` that was cut off, called again on
            the same rows, goes on from there and ends as it would have; then the folder is removed.
        told: is called after each epoch with the member's number, the epoch's, and its loss.
        device: of torch; ``auto`` takes a GPU where there is one.
        random_state: seed; the same one gives the same model.
    """

    _words: Literal["known", "both"] = "both"

    def __init__(
        self,
        *,
        cells: Literal["fused", "words"] = "fused",
        words: Literal["known", "random", "both"] | None = None,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        hidden: int = 128,
        dropout: float = 0.1,
        hide: float = 0.5,
        rate: float = 2e-3,
        decay: float = 0.1,
        epochs: int | None = None,
        patience: int | None = None,
        batch: int | None = None,
        members: int | None = None,
        recall: int = 2000,
        pretrain: Literal["self", "supervised"] | None = None,
        kinds: Mapping[str, Kind] | None = None,
        resume: str | None = None,
        told: Callable[[int, int, float], None] | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.cells, self.words = cells, words
        self.width, self.layers, self.heads, self.hidden, self.dropout = width, layers, heads, hidden, dropout
        self.hide, self.rate, self.decay, self.batch = hide, rate, decay, batch
        self.epochs, self.patience = epochs, patience
        self.members, self.recall, self.pretrain, self.kinds = members, recall, pretrain, kinds
        self.resume, self.told = resume, told
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
        here = {"random_state": self._seed(), "resume": None, "told": None}
        about = {"estimator": type(self).__name__, "parameters": parameters | here}
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
        made.n_features_in_, made.history_, made.recalled_ = bundle.about["features"], [], []
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
        """A table's rows, its new words and columns taken up."""
        rows = self._read(X)
        self._grow()
        return rows

    def _read(self, X: Any) -> Rows:
        """A table's rows, its new words and columns learnt by the featurizer."""
        self._fitted()
        table = self._checked(X)
        kinds = {name: kind for name, kind in (self.kinds or {}).items() if name in table.column_names}
        return self.featurizer_.rows(table, kinds)

    def _grow(self) -> None:
        """Room in the models for what the featurizer has learnt."""
        for model in self.models_:
            model.grow(self.featurizer_)

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
        self.models_ = [
            TransTab(Config(self.cells, self.words or self._words, *form, seed + n)).to(device) for n in range(members)
        ]
        self.heads_: list[Supervised] = []
        self.history_: list[History] = []
        self.recalled_: list[Learnt] = []

    def _train(self, new: Sequence[Learnt]) -> None:
        """Each member on its rows of all tables, and on those that it shall not forget."""
        fresh = sum(len(rows) for rows, _, _ in new)
        tables = [*_drawn(self.recalled_, fresh, self._seed() + len(self.history_)), *new]
        count = sum(len(rows) for rows, _, _ in tables)
        options, held_out = self._options(count), self.patience is not None
        splits = [splits_of(len(rows), codes, len(self.models_), self._seed(), held_out=held_out)
                  for rows, _, codes in tables]  # fmt: skip
        for n, (model, head) in enumerate(zip(self.models_, self.heads_, strict=True)):
            train, valid = (
                [self._part(rows, targets, split[n % len(split)][side])
                 for (rows, targets, _), split in zip(tables, splits, strict=True)]
                for side in (0, 1)
            )  # fmt: skip
            own = replace(options, seed=options.seed + n)
            if self.pretrain:
                contrast = self._contrast_by(self.pretrain, own.seed)
                self._fit(n, "pretraining", model, contrast, train, valid, own)
            self.history_.append(self._fit(n, "training", model, head, train, valid, own))
        self._forget()
        self.recalled_ = _drawn([*self.recalled_, *new], self.recall, self._seed())

    def _fit(
        self, n: int, name: str, model: TransTab, objective: Objective, train: list[Part], valid: list[Part],
        options: Options,
    ) -> History:  # fmt: skip
        told, kept = self.told, Path(self.resume) / f"{name}{n}.safetensors" if self.resume else None
        valid = [part for part in valid if len(part[0])]
        return fit(
            model, objective, self.featurizer_, train, valid, options, kept=kept,
            told=None if told is None else lambda epoch, loss, _: told(n, epoch, loss),
        )  # fmt: skip

    def _contrast_by(self, loss: Literal["self", "supervised"], seed: int) -> Contrast:
        torch.manual_seed(seed)
        return Contrast(self.width, loss, temperature=0.1).to(self._device())

    def _forget(self) -> None:
        """Remove what was kept for the case that the training is cut off."""
        if self.resume:
            shutil.rmtree(self.resume, ignore_errors=True)

    def _part(self, rows: Rows, targets: torch.Tensor, chosen: Ints) -> Part:
        return rows.take(chosen), targets[torch.from_numpy(chosen)].to(self._device())

    def _options(self, n: int) -> Options:
        batch = self.batch or int(np.clip(n // 12, 16, 64) if n < 6_400 else min(n // 100, 256))
        epochs = self.epochs or int(np.clip(ENOUGH // n, 8, 30))
        return Options(epochs, self.patience, batch, self.rate, self.decay, self.hide, self._seed())

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


def _drawn(tables: Sequence[Learnt], most: int, seed: int) -> list[Learnt]:
    """At most so many rows of tables, of each the same share, drawn at random; their order stays."""
    count, rng = sum(len(rows) for rows, _, _ in tables), np.random.default_rng(seed)
    found = []
    for rows, targets, codes in tables:
        chosen = np.sort(rng.permutation(len(rows))[: len(rows) * most // max(count, most)])
        kept = targets[torch.from_numpy(chosen)], None if codes is None else codes[chosen]
        found += [(rows.take(chosen), *kept)] if len(chosen) else []
    return found
