"""The losses, on a matrix of scores: rows are queries, columns are candidates."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

MASKED = -1e4


def ranking(scores: Any, positive: Any, known: Any, scale: float) -> Any:
    """Multiple-negatives ranking loss (Henderson et al., 2017; DeepJoin's), without the known false negatives.

    Args:
        scores: (b, c).
        positive: (b,) the column of each row's positive.
        known: bool (b, c), pairs that join or are of one table: no negatives. The positive itself may be marked.
        scale: inverse temperature.

    >>> scores = torch.tensor([[0.9, 0.8], [0.1, 0.7]])
    >>> masked = torch.tensor([[False, True], [False, False]])
    >>> positive, none = torch.tensor([0, 1]), torch.zeros(2, 2, dtype=torch.bool)
    >>> bool(ranking(scores, positive, masked, 20) < ranking(scores, positive, none, 20))
    True
    """
    rows = torch.arange(len(scores))
    masked = known.clone()
    masked[rows, positive] = False
    return F.cross_entropy((scores * scale).masked_fill(masked, MASKED), positive)


def guided(guide: Any, positive: Any, margin: float) -> Any:
    """Negatives that a guide finds nearer than the positive, less a margin: bool (b, c) (GISTEmbed, Solatorio 2024)."""
    return guide > guide.gather(1, positive[:, None]) - margin


def listwise(scores: Any, gains: Any, masked: Any, scale: float) -> Any:
    """ListNet's cross-entropy (Cao et al., ICML 2007): candidates in the proportions of their joinability.

    Args:
        scores: (b, c).
        gains: (b, c), at least 0; rows of zeros take no part.
        masked: bool (b, c), candidates that take no part.
        scale: inverse temperature.
    """
    gains = gains.masked_fill(masked, 0)
    totals = gains.sum(1, keepdim=True)
    target = gains / totals.clamp_min(1e-9)
    logs = F.log_softmax((scores * scale).masked_fill(masked, MASKED), 1)
    return -(target * logs).sum() / (totals > 0).sum().clamp_min(1)


def reach(scores: Any, gains: Any, masked: Any, scale: float, depth: int, best: int = 10) -> Any:
    """Keep the best partners above the ``depth``-th candidate: what re-ranking never sees it cannot mend.

    The mean over each row's ``best`` partners of softplus(s_depth - s_partner + .5).
    """
    scores, gains = (scores * scale).masked_fill(masked, MASKED), gains.masked_fill(masked, 0)
    cut = gains.topk(min(best, gains.shape[1]), dim=1).values[:, -1:].clamp_min(1e-6)
    partners = gains >= cut
    rival = scores.topk(min(depth, scores.shape[1]), dim=1).values[:, -1:]
    each = F.softplus(rival - scores + 0.5) * partners
    return (each.sum(1) / partners.sum(1).clamp_min(1)).mean()
