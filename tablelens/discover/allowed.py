"""Which columns may be hits: asked of the columns that turned up, so that no query looks at the whole lake."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tablelens.discover.view import LakeView, Mask
from tablelens.types import Ids

FEWEST = 3
"""Distinct values of a column of numbers that can be reached over a bridge, at least."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Columns that may be hits of one query. Its masks belong to the view, which made them once."""

    view: LakeView
    pool: Mask | None
    """Columns of the query's family with enough values; None where nothing may be a hit."""
    own: int = -1
    """The query's own table, whose columns are no hits."""
    named: Mask | None = None
    """Columns of text with enough values: they may be reached over a bridge, whatever the query's family."""
    asked: Mask | None = None
    """Columns that pass the request's filters; None where it has none."""

    def __call__(self, places: Ids) -> Mask:
        """Which of these columns may be hits."""
        if self.pool is None:
            return np.zeros(len(places), bool)
        marks: Mask = self.pool[places] & (self.view.table_ids[places] != self.own)
        return marks if self.asked is None else marks & self.asked[places]

    def anyhow(self, places: Ids) -> Mask:
        """Which of these columns may be hits though they hold values of another family, as codes and names do."""
        if self.pool is None or self.named is None:
            return np.zeros(len(places), bool)
        marks: Mask = self.named[places] | (self.view.numbered[places] & (self.view.distinct[places] >= FEWEST))
        return np.asarray(marks & (self.view.table_ids[places] != self.own) & self.filtered(places))

    def filtered(self, places: Ids) -> Mask:
        """Which of these columns pass the request's filters, whatever they hold."""
        return np.ones(len(places), bool) if self.asked is None else self.asked[places]

    def share(self) -> float:
        """About which share of the columns that have a vector, told from a sample of them."""
        sample = self.view.sample
        return float(self(sample).mean()) if len(sample) else 0.0

    def embedded(self) -> Ids:
        """All that have a vector, ascending: a walk over the lake, for filters that let little through."""
        marks = self.view.embedded if self.pool is None else self.view.embedded & self.pool
        places = np.flatnonzero(marks if self.asked is None else marks & self.asked)
        return places[self(places)]
