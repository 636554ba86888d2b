"""A new encoder without encoding the lake at once: vectors of the one before, mapped into the new one's space.

A crawl that may encode only so many columns (``encode_most``) leaves the others with what the generation before has of
them. Of the columns that both encoders have read a linear map is fitted, and what has not been encoded goes through it:
queries of the new encoder then find old and new columns in one index, until later crawls have encoded the rest.
(Drift-Adapter, Vejendla, EMNLP 2025, maps the queries to the old space; here the columns are mapped to the new one, so
that what is encoded already loses nothing.)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tablelens.errors import IndexFault, NoLake
from tablelens.index import generation
from tablelens.types import Ids, Vectors

RIDGE = 1e-2
"""Share of the mean variance of a dimension that is added to each, so that few columns give a map too."""
MAPPED, BEFORE = "mapped", "mapped_from"
"""What a generation's manifest says beside its encoder: vectors that were mapped, and the encoder that made them."""


@dataclass(frozen=True, slots=True)
class Before:
    """The vectors of the generation before, and the encoder that made them."""

    ids: Ids
    vectors: Vectors
    encoder: dict[str, Any]

    @classmethod
    def of(cls, home: Path) -> Before | None:
        """Those of the current generation, if it can be read and has any."""
        try:
            made = generation.load(home)
        except (IndexFault, NoLake):
            return None
        ids = np.sort(made.vectors.labels())
        return cls(ids, made.vectors.vectors(ids), made.encoder) if len(ids) else None

    def fill(self, ids: Ids, vectors: Vectors, wanted: Ids, revision: str) -> tuple[Ids, Vectors, dict[str, Any]]:
        """Encoded vectors with those of the wanted columns that are missing, and what to say of these.

        Args:
            ids: columns that were encoded, ascending.
            vectors: their vectors, (n, d).
            wanted: all columns that should have a vector, ascending.
            revision: of the encoder that made ``vectors``.
        """
        left = np.intersect1d(np.setdiff1d(wanted, ids), self.ids)
        both = np.intersect1d(ids, self.ids)
        if not len(left) or not len(both):
            return ids, vectors, {}
        old = self.vectors[np.searchsorted(self.ids, left)]
        maker = str(self.encoder["name"])
        if self.encoder["revision"] == revision:  # mapped by an earlier crawl, or encoded before the lake changed
            maker = str(self.encoder.get(BEFORE, maker))
            filled = old
        else:
            pairs = self.vectors[np.searchsorted(self.ids, both)], vectors[np.searchsorted(ids, both)]
            filled = mapped(old, *pairs)
        every = np.concatenate([ids, left])
        order = np.argsort(every)
        return every[order], np.concatenate([vectors, filled])[order], {MAPPED: len(left), BEFORE: maker}


def mapped(rows: Vectors, old: Vectors, new: Vectors) -> Vectors:
    """Vectors (n, d) of one encoder as another would make them, float32 (n, e).

    Least squares with a ridge over columns that both have read, ``old`` (m, d) and ``new`` (m, e). A ridge makes what
    it maps shorter, so the results are stretched until those of ``old`` have the mean length of ``new``.

    >>> old = np.eye(3, dtype=np.float32)
    >>> mapped(old[:1], old, old[:, [1, 2, 0]]).round(2).tolist()
    [[0.0, 0.0, 1.0]]
    """
    left, right = old.astype(np.float64), new.astype(np.float64)
    squares = left.T @ left
    ridge = max(RIDGE * np.trace(squares) / len(squares), 1e-12)
    weights = np.linalg.solve(squares + ridge * np.eye(len(squares)), left.T @ right)
    stretch = np.linalg.norm(right, axis=1).mean() / max(np.linalg.norm(left @ weights, axis=1).mean(), 1e-12)
    return np.asarray(rows.astype(np.float64) @ weights * stretch, np.float32)
