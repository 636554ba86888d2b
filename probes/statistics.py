"""Intervals and tests. The unit is a table: permutations of one table are no independent samples.

The formulas are scipy's where scipy has them; it comes with the extra ``probes``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval's length."""
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True)
class Paired:
    """Two models on the same tables. ``difference`` is left less right, ``p`` is Wilcoxon's, uncorrected."""

    difference: Interval
    p: float
    cliffs_delta: float
    units: int


def bootstrap_mean(values: Sequence[float], seed: int = 0) -> Interval:
    """Mean over tables with its percentile bootstrap interval, tables drawn with replacement.

    >>> bootstrap_mean([1.0, 1.0, 1.0])
    Interval(value=1.0, low=1.0, high=1.0)
    """
    x = np.asarray(values, np.float64)
    drawn = x[_draws(len(x), seed)].mean(axis=1)
    return _interval(float(x.mean()), drawn)


def bootstrap(
    clusters: Sequence[Any], statistics: Callable[[list[Any]], dict[str, float]], seed: int = 0
) -> dict[str, Interval]:
    """Statistics over a list of clusters (a cluster: what one table gave), clusters drawn with replacement."""
    value = statistics(list(clusters))
    drawn = [statistics([clusters[i] for i in row]) for row in _draws(len(clusters), seed).tolist()]
    return {name: _interval(value[name], np.array([one[name] for one in drawn], np.float64)) for name in value}


def _draws(count: int, seed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, count]).integers(0, count, (RESAMPLES, count))


def _interval(value: float, drawn: Floats) -> Interval:
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Interval(value, value, value)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(min(low, value)), float(max(high, value)))


def tost(values: Sequence[float], target: float, margin: float) -> float:
    """P of two one-sided t tests: small where the mean is shown to lie within ``target`` ± ``margin``.

    "The change is insignificant" is shown by this, and not by a test that found nothing (Schuirmann, 1987).

    >>> tost([1.0, 0.999, 1.0, 0.998], 1.0, 0.05) < 0.001, tost([1.0, 0.9, 0.7], 1.0, 0.05) > 0.1
    (True, True)
    """
    x = np.asarray(values, np.float64)
    away = abs(float(x.mean()) - target)
    if len(x) < 2 or np.ptp(x) == 0:
        return float(len(x) < 2 or away > margin)
    error = float(x.std(ddof=1)) / np.sqrt(len(x))
    below = stats.t.sf((x.mean() - (target - margin)) / error, len(x) - 1)
    above = stats.t.cdf((x.mean() - (target + margin)) / error, len(x) - 1)
    return float(max(below, above))


def paired(left: Sequence[float], right: Sequence[float], seed: int = 0) -> Paired:
    """Compare two models on the same tables: interval of the mean difference, Wilcoxon's p, Cliff's delta.

    >>> paired([0.9, 0.8, 0.95], [0.9, 0.8, 0.95]).p
    1.0
    """
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    gap = a - b
    p = float(stats.wilcoxon(gap, zero_method="zsplit").pvalue) if np.abs(gap).max(initial=0) > 0 else 1.0
    return Paired(bootstrap_mean(gap.tolist(), seed), p, cliffs_delta(left, right), len(gap))


def cliffs_delta(left: Sequence[float], right: Sequence[float]) -> float:
    """P(left > right) - P(left < right) over all pairs, -1 to 1.

    >>> cliffs_delta([2, 3], [1, 2])
    0.75
    """
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    return float(np.sign(a[:, None] - b[None, :]).mean())


def holm(values: Sequence[float]) -> list[float]:
    """P values corrected for their number (Holm, 1979): none is smaller than before, their order stays.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(values, np.float64)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    made = np.empty_like(p)
    made[order] = np.minimum(raised, 1.0)
    return [float(value) for value in made]
