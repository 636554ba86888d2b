"""Is the difference between two columns of cross-validated scores above zero?

Scores of repeated folds share rows, so their plain standard error is too small. The corrected resampled t interval
(Nadeau & Bengio, Machine Learning 2003) adds the share of test to training rows to the variance. Where several
candidates are tried, each interval is taken at the level 1 - alpha / m (Bonferroni), so that all hold at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lift:
    """Mean difference of scores, and its interval."""

    mean: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.low > 0


def lift(before: Floats, after: Floats, ratio: float, tried: int = 1, alpha: float = 0.05) -> Lift:
    """The lift of ``after`` over ``before``, fold by fold.

    Args:
        before: scores by fold, (folds,).
        after: scores of the same folds.
        ratio: test rows over training rows of a fold.
        tried: how many such comparisons are made.
        alpha: 1 - level of all intervals together.

    >>> lift(np.array([0.5, 0.6, 0.55]), np.array([0.7, 0.79, 0.76]), 0.25).sure
    True
    >>> lift(np.array([0.5, 0.6, 0.55]), np.array([0.7, 0.55, 0.5]), 0.25).sure
    False
    """
    differences = after - before
    n = len(differences)
    error = np.sqrt((1 / n + ratio) * differences.var(ddof=1))
    reach = float(student.ppf(1 - alpha / tried / 2, n - 1) * error)
    mean = float(differences.mean())
    return Lift(mean, mean - reach, mean + reach)
