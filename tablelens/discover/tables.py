"""Tables by words: BM25 over what they say, vectors over what they mean, fused by reciprocal rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tablelens.discover.view import LakeView
from tablelens.errors import UsageError
from tablelens.index.words import WordIndex, words_of

DAMPING = 60
"""The constant of reciprocal rank fusion (Cormack et al., SIGIR 2009)."""
DEPTH = 100


@dataclass(frozen=True, slots=True)
class TableHit:
    """A table that answers to the words, with what of it did."""

    lake: str
    table: str
    title: str
    rows: int
    columns: tuple[str, ...]
    score: float
    matched: tuple[str, ...]
    """Words of the query that the table's title or column names hold."""


def search_tables(
    view: LakeView, index: WordIndex, text: str, k: int = 10, vector: npt.NDArray[np.float32] | None = None
) -> list[TableHit]:
    """At most k tables, best first.

    Args:
        view: the lake.
        index: its words.
        text: what to look for.
        k: how many.
        vector: the text as a query vector (d,), if the encoder can make one.

    Raises:
        UsageError: no word in the text, or k below 1.
    """
    asked = words_of(text)
    if k < 1:
        raise UsageError(f"k is {k}", "ask for 1 table or more")
    if not asked:
        raise UsageError(f"no word in {text!r}", "name a topic, for example: airport codes")
    fused: dict[int, float] = {}
    bm25 = index.scores(asked)
    ranked = [int(index.tables[i]) for i in np.argsort(-bm25, kind="stable")[:DEPTH] if bm25[i] > 0]
    for ranking in (ranked, _by_meaning(view, vector)):
        for rank, table in enumerate(ranking):
            fused[table] = fused.get(table, 0.0) + 1 / (DAMPING + rank)
    best = sorted(fused, key=lambda table: (-fused[table], table))[:k]
    return [_hit(view, table, fused[table], asked) for table in best]


def _by_meaning(view: LakeView, vector: npt.NDArray[np.float32] | None) -> list[int]:
    """Tables in the order of their nearest column."""
    generation = view.generation
    if vector is None or not len(generation.vectors):
        return []
    labels, scores = generation.vectors.query(vector[None, :], 4 * DEPTH)[0]
    lengths = np.linalg.norm(generation.vectors.vectors(labels), axis=1)
    order = np.argsort(-scores / np.maximum(lengths, 1e-9), kind="stable")
    tables = view.table_ids[generation.places(labels[order])].tolist()
    return list(dict.fromkeys(tables))[:DEPTH]


def _hit(view: LakeView, table: int, score: float, asked: list[str]) -> TableHit:
    places = view.places_of(table).tolist()
    names = tuple(view.value("column", place) for place in places)
    first = places[0]
    held = set(words_of(" ".join([view.value("title", first), *names])))
    return TableHit(
        lake=view.value("lake", first),
        table=view.value("table", first),
        title=view.value("title", first),
        rows=int(view.rows[first]),
        columns=names,
        score=round(score, 6),
        matched=tuple(word for word in dict.fromkeys(asked) if word in held),
    )
