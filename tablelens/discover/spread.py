"""How alike the distributions of two columns of numbers or dates are.

A column's distribution is the histogram of its profile, ten bins of one width, taken for piecewise linear. The likeness
of two is 1 - D, with D the greatest gap between their distribution functions (Kolmogorov and Smirnov): 1 for the same
distribution, 0 for ranges that do not meet. It knows no units: metres are unlike feet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tablelens.discover.evidence import Query
from tablelens.types import Ids

Floats = npt.NDArray[np.float64]


def spread_of(histogram: tuple[Sequence[float], Sequence[int]] | None) -> Floats | None:
    """Least value, greatest value and the counts of the bins between, (2 + bins,); None where there is no histogram."""
    if histogram is None or not histogram[1]:
        return None
    edges, counts = histogram
    return np.array([edges[0], edges[-1], *counts], np.float64)


def likeness(one: Floats, many: Floats) -> Floats:
    """1 - D of a distribution with each of many.

    Args:
        one: as ``spread_of`` makes it, (2 + bins,).
        many: the same by row, (n, 2 + bins); rows of NaN give NaN.

    >>> ages = np.array([0, 10, *[5] * 10], float)
    >>> likeness(ages, np.stack([ages, ages + [20, 20, *[0] * 10], ages + [5, 5, *[0] * 10]])).round(6).tolist()
    [1.0, 0.0, 0.5]
    """
    at, share = _function(one[None, :])
    theirs, shares = _function(many)
    # the gap of two piecewise linear functions is greatest where one of them bends
    mine_at_theirs = np.interp(theirs.ravel(), at[0], share[0]).reshape(theirs.shape)
    gap = np.maximum(np.abs(mine_at_theirs - shares).max(1), np.abs(_between(at[0], theirs, shares) - share[0]).max(1))
    return np.asarray(np.where(np.isnan(many).any(1), np.nan, 1 - gap))


def spread_to(query: Query, places: Ids) -> Floats:
    """Likeness of the query's distribution with each column's, (n,), NaN where either has none."""
    if query.spread is None or not len(places):
        return np.full(len(places), np.nan)
    return likeness(query.spread, query.view.spreads(places))


def _function(rows: Floats) -> tuple[Floats, Floats]:
    """Edges (n, bins + 1) and the share of the values below each; where all values are one, a steep step."""
    low, high = rows[:, :1], rows[:, 1:2]
    room = np.maximum(np.abs(high), np.abs(low)) * 1e-9 + 1e-300
    bins = rows.shape[1] - 2
    edges = low + np.maximum(high - low, room) * (np.arange(bins + 1) / bins)
    below = np.concatenate([np.zeros_like(low), np.cumsum(rows[:, 2:], axis=1)], axis=1)
    return edges, below / np.maximum(below[:, -1:], 1)


def _between(at: Floats, edges: Floats, shares: Floats) -> Floats:
    """The functions of many columns at the same points, (n, points): edges of a row are evenly spaced."""
    bins = edges.shape[1] - 1
    width = (edges[:, -1:] - edges[:, :1]) / bins
    with np.errstate(divide="ignore", invalid="ignore"):
        place = np.clip(np.nan_to_num((at - edges[:, :1]) / width, posinf=bins, neginf=0), 0, bins)
    low = np.minimum(place.astype(np.int64), bins - 1)
    left, right = (np.take_along_axis(shares, low + side, axis=1) for side in (0, 1))
    return np.asarray(left + (right - left) * (place - low))
