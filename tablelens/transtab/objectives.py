"""What a training minimises: a supervised loss by a head on z_cls, or a contrast of vertical partitions."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tablelens.transtab import contrastive
from tablelens.transtab.model import Head, TransTab
from tablelens.transtab.tokenize import Featurizer, Rows


class Objective(nn.Module):
    """What is minimised: a module with its own weights, called on a batch."""

    whole: bool
    """Whether the loss needs all rows of a batch at once."""

    def forward(self, model: TransTab, featurizer: Featurizer, rows: Rows, targets: Tensor | None) -> Tensor:
        """The mean loss of a batch."""
        raise NotImplementedError


class Supervised(Objective):
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


class Contrast(Objective):
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
    ) -> None:
        super().__init__()
        self.loss, self.count, self.overlap, self.shuffle, self.pair = loss, count, overlap, shuffle, pair
        self.temperature = temperature if temperature is not None else (10.0 if loss == "shipped" else 1.0)
        self.projection = nn.Linear(width, width, bias=False)

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
        rng = np.random.default_rng(int(torch.randint(2**62, ())))  # as the epoch's seed has it
        random = rng if self.shuffle and self.training else None
        parts = contrastive.partitions(names, min(self.count, len(names)), self.overlap, random)
        if self.pair and len(parts) > 2:
            parts = [parts[place] for place in rng.choice(len(parts), 2, replace=False)]
        return [rows.select(part) for part in parts]
