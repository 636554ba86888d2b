"""A column of the lake, or one from outside, as a query."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tablelens.discover.evidence import Query
from tablelens.discover.source import YOURS, Source
from tablelens.discover.spread import spread_of
from tablelens.discover.view import LakeView
from tablelens.types import ColumnProfile, Vectors


def query_of_place(view: LakeView, place: int) -> Query:
    """A column of the lake. Its vector is that of the index at length 1: candidates only add a length."""
    generation = view.generation
    vector = None
    if view.embedded[place]:
        vector = generation.vectors.vectors(generation.ids[place : place + 1])[0]
        vector = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return Query(
        view=view,
        name=view.value("column", place),
        table=view.value("table", place),
        kind=view.value("kind", place),
        family=view.value("family", place),
        rows=int(view.rows[place]),
        filled=int(view.filled[place]),
        distinct=int(view.distinct[place]),
        hashes=generation.postings.hashes_of(place),
        exact=bool(view.exact[place]),
        cells=tuple(view.value("cells", place)),
        vector=vector,
        place=place,
        table_id=int(view.table_ids[place]),
        source=view.source(place),
        excluded=view.value("excluded", place),
        null_words=tuple(view.value("null_words", place)),
        spread=_spread_at(view, place),
    )


def query_of_profile(
    view: LakeView, profile: ColumnProfile, vectors: Vectors | None, table: str = "", source: Source = YOURS
) -> Query:
    """A column from outside the lake, with its query vector of shape (1, d) if it has one."""
    return Query(
        view=view,
        name=profile.name,
        table=table,
        kind=profile.kind,
        family=profile.family,
        rows=profile.rows,
        filled=profile.rows - profile.nulls,
        distinct=profile.distinct,
        hashes=profile.values.hashes,
        exact=profile.values.exact,
        cells=profile.cells,
        vector=None if vectors is None else vectors[0],
        source=source,
        excluded=profile.excluded,
        null_words=profile.null_words,
        spread=spread_of(profile.histogram),
    )


def _spread_at(view: LakeView, place: int) -> npt.NDArray[np.float64] | None:
    (row,) = view.spreads(np.array([place]))
    return None if np.isnan(row).any() else row
