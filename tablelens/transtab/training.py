"""Train on one table or on several with different columns: supervised, or by contrast of vertical partitions.

Batches come from one table at a time, the tables' batches in a shuffled order. What is minimised: objectives.py.
There are two ways to end: the paper's, at one rate until a loss on validation rows rises (section 3), and ours, which
learns from all rows for so many epochs at a rate that falls to zero, each batch seeing a part of the columns only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tablelens.errors import ModelError, UsageError
from tablelens.transtab.model import TransTab, rows_at_once
from tablelens.transtab.objectives import Objective
from tablelens.transtab.resume import History, Kept, task_of
from tablelens.transtab.tokenize import Featurizer, Ints, Rows

Part = tuple[Rows, Tensor | None]
"""Rows of one table and their targets, (n,): class numbers, numbers, or None."""


WARM = 0.1
"""Share of a training in which a falling rate rises first."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to train. Rate, batch, epochs and patience are the paper's (section 3)."""

    epochs: int = 100
    patience: int | None = 10
    """Epochs without a lesser loss on validation rows after which it ends, the best epoch's weights kept; None trains
    all epochs at a rate that falls to zero."""
    batch: int = 64
    rate: float = 1e-4
    decay: float = 0.0
    hide: float = 0.0
    """Share of the columns that a batch does not see, others in each."""
    seed: int = 0

    def __post_init__(self) -> None:
        least = min(self.epochs, self.batch - 1, 1 if self.patience is None else self.patience)
        if least < 1 or not 0 < self.rate < 1 or self.decay < 0 or not 0 <= self.hide < 1:
            raise UsageError(
                f"epochs {self.epochs}, batch {self.batch}, patience {self.patience}, rate {self.rate}, "
                f"decay {self.decay}, hide {self.hide}",
                "epochs and patience at least 1, batch at least 2, rate between 0 and 1, decay 0 or more, hide a share",
            )


def fit(
    model: TransTab,
    objective: Objective,
    featurizer: Featurizer,
    train: Sequence[Part],
    valid: Sequence[Part],
    options: Options,
    *,
    told: Callable[[int, float, float], None] | None = None,
    kept: Path | None = None,
) -> History:
    """Train in place. With validation rows and patience the best epoch's weights are kept, else the last one's.

    Args:
        model: takes up the words and columns of the featurizer first.
        objective: what is minimised; its weights are trained too.
        featurizer: that made the rows.
        train: tables to learn from.
        valid: tables to stop early on.
        options: how to train.
        told: is called after each epoch with its number, and the mean loss on training and on validation rows.
        kept: a file for the state after each epoch; the same training, begun again, goes on from there and ends with
            the same weights.

    Raises:
        ModelError: a loss is not finite, or there are no rows; the model keeps the best weights so far.
    """
    if not sum(len(rows) for rows, _ in train):
        raise ModelError("there are no rows to train on", "give at least two rows")
    start, patience = time.perf_counter(), options.patience if valid else None
    model.grow(featurizer)
    both = nn.ModuleList([model, objective])
    optimizer = torch.optim.AdamW(_groups(both, options.decay), lr=options.rate, fused=True)
    state = Kept(kept, both, optimizer, "" if kept is None else task_of(both, options, [*train, *valid]))
    history = state.begin()
    with one_thread():
        while len(history.train) < options.epochs and (patience is None or history.since_best < patience):
            epoch = len(history.train)
            torch.manual_seed(options.seed * 100_003 + epoch)
            history.train.append(_epoch(model, objective, featurizer, train, options, optimizer, epoch))
            ended = mean_loss(model, objective, featurizer, valid, options) if valid else history.train[-1]
            history.valid.append(ended)
            if not np.isfinite(history.train[-1]) or not np.isfinite(ended):
                state.end()
                raise ModelError(
                    f"the loss of epoch {epoch + 1} is {history.train[-1]}, on validation rows {ended}",
                    f"train with a smaller rate than {options.rate}",
                )
            state.epoch(history, better=patience is None or ended < history.least)
            if told is not None:
                told(epoch, history.train[-1], ended)
    state.end()
    both.eval()
    history.seconds = time.perf_counter() - start
    return history


def _groups(both: nn.Module, decay: float) -> list[dict[str, object]]:
    """Weight matrices, which decay, and all else, which does not."""
    matrices = [weight for weight in both.parameters() if weight.ndim > 1]
    rest = [weight for weight in both.parameters() if weight.ndim < 2]
    return [{"params": matrices, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]


def _epoch(
    model: TransTab,
    objective: Objective,
    featurizer: Featurizer,
    train: Sequence[Part],
    options: Options,
    optimizer: torch.optim.Optimizer,
    epoch: int,
) -> float:
    """All rows once; the mean loss."""
    model.train()
    objective.train()
    rng = np.random.default_rng((options.seed, epoch))
    count, total, seen = sum(len(rows) for rows, _ in train), 0.0, 0
    for rows, targets in batches(train, options.batch, rng):
        if options.patience is None:
            done = (epoch + (seen + len(rows) / 2) / count) / options.epochs
            for group in optimizer.param_groups:
                group["lr"] = options.rate * falling(done)
        part = rows if objective.whole else hidden(rows, options.hide, rng)
        total += step(model, objective, featurizer, part, targets, optimizer) * len(rows)
        seen += len(rows)
    return total / seen


def falling(done: float) -> float:
    """The factor of the rate when a share of the training is done: up in its first tenth, then half a cosine down.

    >>> [round(falling(done), 2) for done in (0.05, 0.1, 0.5, 1.0)]
    [0.5, 0.98, 0.5, 0.0]
    """
    return min(1.0, done / WARM) * (1 + math.cos(math.pi * done)) / 2


def hidden(rows: Rows, share: float, rng: np.random.Generator) -> Rows:
    """The rows without a share of their columns; at least one is left."""
    if not share or len(rows.columns) < 2:
        return rows
    left = rng.random(len(rows.columns)) >= share
    left[rng.integers(len(left))] |= not left.any()
    return rows.select([name for (name, _), stays in zip(rows.columns, left, strict=True) if stays])


@contextmanager
def one_thread() -> Iterator[None]:
    """Train on one thread: batches are small, and threads that wait for one another cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def step(
    model: TransTab,
    objective: Objective,
    featurizer: Featurizer,
    rows: Rows,
    targets: Tensor | None,
    optimizer: torch.optim.Optimizer,
) -> float:
    """One update; a batch of a very wide table goes through in pieces whose gradients are added."""
    optimizer.zero_grad()
    size = len(rows) if objective.whole else rows_at_once(rows)
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
    model: TransTab, objective: Objective, featurizer: Featurizer, parts: Sequence[Part], options: Options
) -> float:
    """Mean loss by row, in batches as they come."""
    model.eval()
    objective.eval()
    total, seen = 0.0, 0
    for rows, targets in parts:
        size = 4 * options.batch if objective.whole else min(1024, rows_at_once(rows))
        for first in range(0, len(rows), size):
            piece = slice(first, first + size)
            part = rows.take(piece)
            loss = objective(model, featurizer, part, None if targets is None else targets[piece])
            total, seen = total + float(loss) * len(part), seen + len(part)
    return total / max(seen, 1)
