"""Train on one table or on several with different columns: supervised, or by contrast of vertical partitions.

Batches come from one table at a time, the tables' batches in a shuffled order. What is minimised is an ``Objective``;
the weights of the epoch with the least loss on the validation rows are kept (early stopping, section 3).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tablelens.errors import ModelError, UsageError
from tablelens.transtab import contrastive
from tablelens.transtab.model import Head, TransTab, rows_at_once
from tablelens.transtab.tokenize import Featurizer, Ints, Rows

Part = tuple[Rows, Tensor | None]
"""Rows of one table and their targets, (n,): class numbers, numbers, or None."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to train. Rate, batch and patience are the paper's for ``cells="words"`` (section 3)."""

    epochs: int = 100
    patience: int = 10
    batch: int = 64
    rate: float = 1e-4
    decay: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2 or self.patience < 1 or not 0 < self.rate < 1 or self.decay < 0:
            raise UsageError(
                f"epochs {self.epochs}, batch {self.batch}, patience {self.patience}, rate {self.rate}, "
                f"decay {self.decay}",
                "epochs and patience at least 1, batch at least 2, rate between 0 and 1, decay 0 or more",
            )


@dataclass
class History:
    """Losses by epoch, mean by row; the epoch whose weights were kept; seconds."""

    train: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    best: int = -1
    seconds: float = 0.0


class Objective(Protocol):
    """What is minimised: a module with its own weights, called on a batch."""

    whole: bool
    """Whether the loss needs all rows of a batch at once."""

    def __call__(self, model: TransTab, featurizer: Featurizer, rows: Rows, targets: Tensor | None) -> Tensor:
        """The mean loss of a batch."""
        ...


class Supervised(nn.Module):
    """Cross-entropy of classes, or squared error of numbers, by a head on z_cls."""

    whole = False

    def __init__(self, width: int, task: Literal["classes", "numbers"], outputs: int) -> None:
        super().__init__()
        self.task, self.head = task, Head(width, outputs)

    def forward(self, model: TransTab, featurizer: Featurizer, rows: Rows, targets: Tensor | None) -> Tensor:
        """The mean loss of a batch."""
        assert targets is not None
        outputs = self.head(model(featurizer, rows))
        if self.task == "numbers":
            return F.mse_loss(outputs[:, 0], targets.float())
        if outputs.shape[1] == 1:
            return F.binary_cross_entropy_with_logits(outputs[:, 0], targets.float())
        return F.cross_entropy(outputs, targets)


class Contrast(nn.Module):
    """VPCL: vertical partitions of the columns as views, a linear projection, one of the losses of contrastive.py.

    Args:
        width: of z_cls.
        loss: ``supervised`` (eq. 5), ``self`` (eq. 4), ``shipped`` (the released code; with targets supervised).
        count: partitions.
        overlap: share of a partition's columns that it takes over from its neighbour.
        shuffle: draw the partitions anew for each batch, else as the columns come.
        pair: of more than two partitions take two at random, as the paper says; else all, as its code does.
        temperature: None takes 1 for the paper's losses and 10 for the shipped one.
    """

    whole = True

    def __init__(
        self,
        width: int,
        loss: Literal["supervised", "self", "shipped"] = "self",
        *,
        count: int = 3,
        overlap: float = 0.5,
        shuffle: bool = True,
        pair: bool = False,
        temperature: float | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.loss, self.count, self.overlap, self.shuffle, self.pair = loss, count, overlap, shuffle, pair
        self.temperature = temperature if temperature is not None else (10.0 if loss == "shipped" else 1.0)
        self.projection = nn.Linear(width, width, bias=False)
        self.rng = np.random.default_rng(seed)

    def forward(self, model: TransTab, featurizer: Featurizer, rows: Rows, targets: Tensor | None) -> Tensor:
        """The mean loss of a batch."""
        views = torch.stack([self.projection(model(featurizer, view)) for view in self.views(rows)], 1)
        if self.loss == "shipped":
            return contrastive.shipped(views, targets, self.temperature)
        if self.loss == "supervised":
            assert targets is not None
            return contrastive.supervised(views, targets, self.temperature)
        return contrastive.self_supervised(views, self.temperature)

    def views(self, rows: Rows) -> list[Rows]:
        """The rows as seen through each partition."""
        names = [name for name, _ in rows.columns]
        random = self.rng if self.shuffle and self.training else None
        parts = contrastive.partitions(names, min(self.count, len(names)), self.overlap, random)
        if self.pair and len(parts) > 2:
            parts = [parts[place] for place in self.rng.choice(len(parts), 2, replace=False)]
        return [rows.select(part) for part in parts]


def fit(
    model: TransTab,
    objective: nn.Module,
    featurizer: Featurizer,
    train: Sequence[Part],
    valid: Sequence[Part],
    options: Options,
    *,
    told: Callable[[int, float, float], None] | None = None,
) -> History:
    """Train in place and keep the best epoch's weights. Without validation rows the last epoch's.

    Args:
        model: takes up the words and columns of the featurizer first.
        objective: what is minimised; its weights are trained too.
        featurizer: that made the rows.
        train: tables to learn from.
        valid: tables to stop early on.
        options: how to train.
        told: is called after each epoch with its number, and the mean loss on training and on validation rows.

    Raises:
        ModelError: a loss is not finite, or there are no rows; the model keeps the best weights so far.
    """
    if not sum(len(rows) for rows, _ in train):
        raise ModelError("there are no rows to train on", "give at least two rows")
    start, history = time.perf_counter(), History()
    model.grow(featurizer)
    both = nn.ModuleList([model, objective])
    optimizer = torch.optim.AdamW(both.parameters(), lr=options.rate, weight_decay=options.decay)
    best, kept = np.inf, copy.deepcopy(both.state_dict())
    for epoch in range(options.epochs):
        torch.manual_seed(options.seed * 100_003 + epoch)
        both.train()
        total, seen = 0.0, 0
        for rows, targets in batches(train, options.batch, np.random.default_rng((options.seed, epoch))):
            loss = step(model, objective, featurizer, rows, targets, optimizer)
            total, seen = total + loss * len(rows), seen + len(rows)
        history.train.append(total / seen)
        history.valid.append(mean_loss(model, objective, featurizer, valid, options) if valid else total / seen)
        if not np.isfinite(history.train[-1]) or not np.isfinite(history.valid[-1]):
            both.load_state_dict(kept)
            raise ModelError(
                f"the loss of epoch {epoch + 1} is {history.train[-1]}, on validation rows {history.valid[-1]}",
                f"train with a smaller rate than {options.rate}",
            )
        if told is not None:
            told(epoch, history.train[-1], history.valid[-1])
        if history.valid[-1] < best or not valid:
            best, kept, history.best = history.valid[-1], copy.deepcopy(both.state_dict()), epoch
        elif epoch - history.best >= options.patience:
            break
    both.load_state_dict(kept)
    both.eval()
    history.seconds = time.perf_counter() - start
    return history


def step(
    model: TransTab,
    objective: nn.Module,
    featurizer: Featurizer,
    rows: Rows,
    targets: Tensor | None,
    optimizer: torch.optim.Optimizer,
) -> float:
    """One update; a batch of a very wide table goes through in pieces whose gradients are added."""
    optimizer.zero_grad()
    size = len(rows) if objective.whole else rows_at_once(rows, featurizer)
    total = 0.0
    for first in range(0, len(rows), size):
        piece = slice(first, first + size)
        part = rows if size >= len(rows) else rows.take(piece)
        loss = objective(model, featurizer, part, None if targets is None else targets[piece])
        share = len(part) / len(rows)
        (loss * share).backward()
        total += float(loss.detach()) * share
    optimizer.step()
    return total


def batches(parts: Sequence[Part], size: int, rng: np.random.Generator) -> Iterator[tuple[Rows, Tensor | None]]:
    """All rows once, shuffled, in batches of one table; a batch of a single row joins the one before."""
    planned: list[tuple[int, Ints]] = []
    for table, (rows, _) in enumerate(parts):
        order = rng.permutation(len(rows))
        cuts = list(range(size, len(rows), size))
        if cuts and len(rows) - cuts[-1] == 1:
            cuts.pop()
        planned += [(table, part) for part in np.split(order, cuts) if len(part)]
    for place in rng.permutation(len(planned)):
        table, chosen = planned[place]
        rows, targets = parts[table]
        yield rows.take(chosen), None if targets is None else targets[torch.from_numpy(chosen)]


@torch.no_grad()
def mean_loss(
    model: TransTab, objective: nn.Module, featurizer: Featurizer, parts: Sequence[Part], options: Options
) -> float:
    """Mean loss by row, in batches as they come."""
    model.eval()
    objective.eval()
    total, seen = 0.0, 0
    for rows, targets in parts:
        size = 4 * options.batch if objective.whole else min(1024, rows_at_once(rows, featurizer))
        for first in range(0, len(rows), size):
            piece = slice(first, first + size)
            part = rows.take(piece)
            loss = objective(model, featurizer, part, None if targets is None else targets[piece])
            total, seen = total + float(loss) * len(part), seen + len(part)
    return total / max(seen, 1)
