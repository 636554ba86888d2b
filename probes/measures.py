"""What is counted on vectors and on value sets: each measure a function of arrays, with its closed form in the tests.

Two kinds of movement are kept apart. *Angular*: the cosine of a vector and its original. *Radial*: Albert and Zhang's
multivariate coefficient of variation, which sees the variance along the mean alone and so is blind to rotation. Van
Valen's coefficient sees both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
SAME = 1e-9
"""Two similarities that differ by less are a tie."""


def cosine(left: npt.ArrayLike, right: npt.ArrayLike) -> Floats:
    """Cosine of each row of ``left`` (n, d) with the same row of ``right``, shape (n,).

    Two zero vectors are the same (1); a zero vector has nothing in common with another (0).

    >>> cosine([[1, 0], [0, 0], [0, 0]], [[1, 1], [0, 0], [0, 2]]).round(3).tolist()
    [0.707, 1.0, 0.0]
    """
    a, b = np.atleast_2d(np.asarray(left, np.float64)), np.atleast_2d(np.asarray(right, np.float64))
    made = np.einsum("nd,nd->n", unit(a), unit(b))
    made[~a.any(axis=1) & ~b.any(axis=1)] = 1.0
    return np.asarray(np.clip(made, -1.0, 1.0))


def unit(rows: npt.ArrayLike) -> Floats:
    """Rows at length 1, shape (n, d); a zero row stays zero."""
    made = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(made, axis=-1, keepdims=True)
    return np.asarray(np.divide(made, lengths, out=np.zeros_like(made), where=lengths > 0))


def mcv(rows: npt.ArrayLike) -> float:
    """Albert and Zhang's coefficient of variation, sqrt(μᵀΣμ / (μᵀμ)²), of n vectors (n, d); sample covariance.

    It is std(X·μ) / |μ|²: no covariance matrix is made, and rounding cannot make it NaN (Albert and Zhang, Biometrical
    Journal 52(5), 2010). 0 for one vector, infinite where the mean is zero and the vectors are not.

    >>> round(mcv([[1, 1, 1], [2, 2, 2], [6, 6, 6]]), 5)
    0.88192
    """
    x = np.atleast_2d(np.asarray(rows, np.float64))
    return _over(np.std(x @ x.mean(axis=0), ddof=1) if len(x) > 1 else 0.0, float(np.sum(x.mean(axis=0) ** 2)), x)


def van_valen(rows: npt.ArrayLike) -> float:
    """Van Valen's coefficient of variation, sqrt(tr Σ / μᵀμ), of n vectors (n, d); sample covariance.

    >>> round(van_valen([[1, 0.5], [1, -0.5]]), 5)
    0.70711
    """
    x = np.atleast_2d(np.asarray(rows, np.float64))
    spread = float(np.sqrt(x.var(axis=0, ddof=1).sum())) if len(x) > 1 else 0.0
    return _over(spread, float(np.linalg.norm(x.mean(axis=0))), x)


def _over(spread: float, size: float, rows: Floats) -> float:
    same = bool((rows == rows[0]).all())  # so that rounding makes no spread of equal rows
    if same or spread == 0:
        return 0.0
    return float(spread) / size if size > 0 else float("inf")


def mean_pairwise_cosine(rows: npt.ArrayLike) -> float:
    """Mean cosine over all pairs of n vectors, (nR² - 1) / (n - 1) with R the length of the mean unit vector.

    >>> mean_pairwise_cosine([[1, 0], [0, 2]])
    0.0
    """
    x = unit(rows)
    if len(x) < 2:
        return 1.0
    return float((len(x) * np.sum(x.mean(axis=0) ** 2) - 1) / (len(x) - 1))


def spearman(left: npt.ArrayLike, right: npt.ArrayLike) -> float:
    """Spearman's rank correlation; ties get their mean rank. 0 where one side is constant, for that orders nothing.

    >>> spearman([1, 2, 2, 4], [10, 20, 20, 90])
    1.0
    """
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    if len(a) < 2 or np.ptp(a) <= SAME or np.ptp(b) <= SAME:
        return 0.0
    return float(np.clip(np.corrcoef(rankdata(a), rankdata(b))[0, 1], -1, 1))


def auc(positive: npt.ArrayLike, negative: npt.ArrayLike) -> float:
    """Share of (positive, negative) pairs where the positive one is greater; a tie counts as half.

    >>> auc([3, 2], [1, 2])
    0.875
    """
    a, b = np.asarray(positive, np.float64), np.asarray(negative, np.float64)
    if not len(a) or not len(b):
        return 0.5
    ranks = rankdata(np.concatenate([a, b]).round(9))
    return float((ranks[: len(a)].sum() - len(a) * (len(a) + 1) / 2) / (len(a) * len(b)))


def neighbours(rows: npt.ArrayLike, k: int) -> Longs:
    """The k nearest others of each row by cosine, itself left out, shape (n, k); ties go to the smaller place."""
    x = unit(rows)
    near = (x @ x.T).round(9)
    np.fill_diagonal(near, -np.inf)
    return np.argsort(-near, axis=1, kind="stable")[:, :k]


def top_k_overlap(left: npt.ArrayLike, right: npt.ArrayLike, k: int) -> Floats:
    """Share of each item's k nearest others that two spaces (n, ·) have in common, shape (n,). By chance k / (n - 1).

    >>> space = [[1, 0], [1, 0.1], [0, 1], [0.1, 1]]
    >>> top_k_overlap(space, space, 1).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    a, b = neighbours(left, k), neighbours(right, k)
    return np.array([len(np.intersect1d(p, q)) / k for p, q in zip(a, b, strict=True)])


def above_chance(value: float, chance: float) -> float:
    """A share with chance at 0 and the best at 1: (value - chance) / (1 - chance).

    >>> round(above_chance(0.55, 0.1), 6)
    0.5
    """
    return (value - chance) / (1 - chance) if chance < 1 else 0.0


def rbo(left: Sequence[int], right: Sequence[int], p: float = 0.9) -> float:
    """Rank-biased overlap of two rankings, extrapolated (Webber, Moffat and Zobel, TOIS 28(4), 2010, equation 23).

    >>> rbo([1, 2, 3], [1, 2, 3]), rbo([1, 2], [3, 4])
    (1.0, 0.0)
    """
    depth = min(len(left), len(right))
    if not depth:
        return 0.0
    shared = np.array([len(set(left[:d]) & set(right[:d])) for d in range(1, depth + 1)])
    depths = np.arange(1, depth + 1)
    found = shared[-1] / depth * p**depth + (1 - p) / p * np.sum(shared / depths * p**depths)
    return float(np.round(found, 12))


def cka(left: npt.ArrayLike, right: npt.ArrayLike) -> float:
    """Linear centred kernel alignment of two spaces of the same n items (Kornblith et al., ICML 2019, equation 3).

    1 for any rotation and scale of the same space; 0 where one of them is constant.
    """
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    below = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.linalg.norm(a.T @ b) ** 2 / below) if below > SAME**2 else 0.0


def effective_rank(rows: npt.ArrayLike) -> float:
    """Dimensions that centred vectors really use: exp of the entropy of their singular values (Roy, Vetterli 2007).

    >>> round(effective_rank([[1, 0], [-1, 0], [0, 1], [0, -1]]), 6)
    2.0
    """
    x = np.asarray(rows, np.float64)
    found = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    if not found.size or found[0] <= SAME * max(float(np.linalg.norm(x)), SAME):
        return 1.0  # all the same: a point
    share = found[found > 0] / found.sum()
    return float(np.exp(-np.sum(share * np.log(share))))


def hubness(rows: npt.ArrayLike, k: int = 10) -> float:
    """Skewness of how often an item is among others' k nearest: 0 is even, above 1.5 hubs crowd the rest out."""
    n = len(np.asarray(rows))
    if n <= k + 1:
        return 0.0
    counts = np.bincount(neighbours(rows, k).ravel(), minlength=n).astype(np.float64)
    spread = counts.std()
    return float(np.mean((counts - counts.mean()) ** 3) / spread**3) if spread > 0 else 0.0


def self_retrieval(queries: npt.ArrayLike, items: npt.ArrayLike, own: npt.ArrayLike) -> Floats:
    """How often query i finds item ``own[i]`` first among all items (m, d), shape (n,). Of t tied firsts each has 1/t.

    >>> self_retrieval([[1, 0], [1, 1]], [[1, 0], [0, 1]], [0, 1]).tolist()
    [1.0, 0.5]
    """
    near = unit(queries) @ unit(items).T
    mine = near[np.arange(len(near)), np.asarray(own, np.int64)]
    best = near.max(axis=1)
    ties = (near >= best[:, None] - 1e-7).sum(axis=1)
    return np.where(mine >= best - 1e-7, 1.0 / ties, 0.0)


def containment(left: Iterable[str], right: Iterable[str]) -> float:
    """|A and B| / |A| over distinct values."""
    a, b = set(left), set(right)
    return len(a & b) / len(a) if a else 0.0


def jaccard(left: Iterable[str], right: Iterable[str]) -> float:
    """|A and B| / |A or B| over distinct values."""
    a, b = set(left), set(right)
    return len(a & b) / len(a | b) if a or b else 0.0


def multiset_jaccard(left: Iterable[str], right: Iterable[str]) -> float:
    """Σ min / (Σ max + Σ min) over counts of values, 0 to 0.5: Observatory's multiset Jaccard.

    >>> round(multiset_jaccard("aab", "abb"), 4)
    0.3333
    """
    a, b = Counter(left), Counter(right)
    low, high = (a & b).total(), (a | b).total()
    return low / (high + low) if high else 0.0
