"""Vectors in the plane."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SAMPLE = 20_000
"""Vectors that the axes are taken from."""


def plane(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Vectors (n, d), at length 1, on their first two principal components, (n, 2), each axis between -1 and 1.

    >>> plane(np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0]], np.float32)).shape
    (3, 2)
    """
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    vectors = vectors / lengths
    centered = (vectors - vectors.mean(axis=0)).astype(np.float64)
    some = centered[:: -(-len(centered) // SAMPLE)]
    _, axes = np.linalg.eigh(some.T @ some)
    two = axes[:, -2:][:, ::-1]
    two = two * np.where(two[np.abs(two).argmax(axis=0), range(two.shape[1])] < 0, -1.0, 1.0)  # one sign, every time
    found = centered @ two
    if found.shape[1] < 2:
        found = np.hstack([found, np.zeros((len(found), 2 - found.shape[1]))])
    return np.asarray(found / np.maximum(np.abs(found).max(axis=0), 1e-9))
