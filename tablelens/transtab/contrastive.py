"""Vertical-partition contrastive learning: views of a row are parts of its columns (TransTab, section 2.4).

Three losses on views v, float32 (b, K, p); psi is the cosine over a temperature in the paper's two and the bare inner
product over a temperature in the released code's:

    self_supervised   eq. 4   views of the same row attract, all views of the batch are the denominator
    supervised        eq. 5   views of rows of one class attract, views of the other classes are the denominator
    shipped           the released code: supervised contrastive learning (Khosla et al., NeurIPS 2020)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tablelens.errors import UsageError


def partitions(
    names: Sequence[str], count: int, overlap: float, rng: np.random.Generator | None = None
) -> list[list[str]]:
    """Columns cut into ``count`` runs, each with a share ``overlap`` of its neighbour's columns.

    With ``rng`` the columns are shuffled first; without, the order is the table's, as in the released code.

    Raises:
        UsageError: fewer columns than parts, or an overlap that is no share.

    >>> partitions(list("abcdef"), 3, 0.5)
    [['a', 'b', 'c'], ['c', 'd', 'e'], ['e', 'f', 'd']]
    """
    if not 2 <= count <= len(names) or not 0 <= overlap < 1:
        raise UsageError(
            f"{count} partitions of {len(names)} columns with overlap {overlap}",
            "2 partitions or more, no more than columns; the overlap is at least 0 and below 1",
        )
    ordered = list(names) if rng is None else [names[place] for place in rng.permutation(len(names))]
    parts = [part.tolist() for part in np.array_split(np.array(ordered, object), count)]
    extra = math.ceil(len(parts[0]) * overlap)
    if not extra:
        return parts
    after = [parts[place + 1][:extra] for place in range(count - 1)]
    return [part + more for part, more in zip(parts, [*after, parts[-2][-extra:]], strict=True)]


def self_supervised(views: Tensor, temperature: float = 1.0) -> Tensor:
    """Equation 4, the mean over anchors and their other views.

    >>> alike = torch.ones(2, 2, 3)  # two rows, two views of each, all the same: 1 of 4
    >>> round(self_supervised(alike).exp().item(), 3)
    4.0
    """
    b, count, _ = views.shape
    scores = _cosines(views, temperature)  # (K b, K b), view by view
    row = torch.arange(b, device=views.device).repeat(count)
    positive = (row[:, None] == row[None, :]) & ~_same(scores)
    return -(F.log_softmax(scores, 1)[positive]).mean()


def supervised(views: Tensor, labels: Tensor, temperature: float = 1.0) -> Tensor:
    """Equation 5, the mean over anchors and positives. 0 where the batch has one class only, which teaches nothing.

    >>> alike = torch.ones(2, 2, 3)  # below the line are the two views of the other class
    >>> round(supervised(alike, torch.tensor([0, 1])).exp().item(), 3)
    2.0
    """
    label = labels.repeat(views.shape[1])
    scores = _cosines(views, temperature)
    alike = label[:, None] == label[None, :]
    others = torch.logsumexp(scores.masked_fill(alike, -torch.inf), 1, keepdim=True)
    positive = alike & ~_same(scores) & torch.isfinite(others)
    return (others - scores)[positive].mean() if positive.any() else scores.sum() * 0


def shipped(views: Tensor, labels: Tensor | None = None, temperature: float = 10.0) -> Tensor:
    """What the released code computes, with and without labels: inner products, all views but the anchor below.

    >>> alike = torch.ones(2, 2, 3)
    >>> round(shipped(alike).exp().item(), 3)
    3.0
    """
    b, count, _ = views.shape
    label = (torch.arange(b, device=views.device) if labels is None else labels).repeat(count)
    flat = views.transpose(0, 1).flatten(0, 1)
    scores = (flat @ flat.T / temperature).masked_fill(_same_size(len(flat), views.device), -torch.inf)
    positive = (label[:, None] == label[None, :]) & ~_same(scores)
    logs = F.log_softmax(scores, 1)
    return -(torch.where(positive, logs, 0).sum(1) / positive.sum(1)).mean()


def _cosines(views: Tensor, temperature: float) -> Tensor:
    flat = F.normalize(views.transpose(0, 1).flatten(0, 1), dim=1)
    return flat @ flat.T / temperature


def _same(scores: Tensor) -> Tensor:
    return _same_size(len(scores), scores.device)


def _same_size(count: int, device: torch.device) -> Tensor:
    return torch.eye(count, dtype=torch.bool, device=device)
