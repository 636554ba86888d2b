"""From evidence to one number: the probability that somebody wants this join.

A logistic model over a few signs, each of which may only push one way. The weights were fitted on labelled joins
(``benchmarks/calibrate.py``) and lie in ``calibration.json``, one set an encoder. The signs:

- ``containment``: logit of the containment, shrunk to nothing where few values back it, (overlap - ½) / (|Q| + ½);
- ``cosine``: how alike the columns' vectors are;
- ``name``: how alike their names are;
- ``key``: the candidate has a different value in every row;
- ``text``: the values are text; numbers meet by accident;
- ``sparse``: they are not the whole numbers of a range without gaps, such as row numbers, ranks and years, the hubs in
  which every small number is found;
- ``number_name``: for two columns of numbers, how alike their names are, for there containment alone says little.

``cosine``, ``name`` and ``key`` may weigh no more than a share of what containment weighs: they break ties, and among
columns that are all wanted the one that holds more of the query's values comes first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from tablelens.discover.evidence import Counted, Query
from tablelens.index.words import parts_of

Floats = npt.NDArray[np.float64]
SIGNS = ("containment", "cosine", "name", "key", "text", "sparse", "number_name")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Weights of the logistic model, all but the bias at or above zero."""

    bias: float
    weights: tuple[float, ...]
    """One a sign, in the order of ``SIGNS``."""

    @classmethod
    @lru_cache(maxsize=16)
    def of(cls, encoder: str) -> Calibration:
        """The weights that were fitted for an encoder, or those of the default one."""
        known = json.loads((files(__package__) / "calibration.json").read_text(encoding="utf-8"))
        fitted = known.get(encoder, known["static"])
        return cls(fitted["bias"], tuple(fitted[sign] for sign in SIGNS))

    def probability(self, query: Query, counted: Counted, cosine: Floats) -> Floats:
        """Probability of each candidate, shape (n,)."""
        return np.asarray(1 / (1 + np.exp(-(signs(query, counted, cosine) @ np.array(self.weights) + self.bias))))


def signs(query: Query, counted: Counted, cosine: Floats) -> Floats:
    """The signs of each candidate, shape (n, len(SIGNS)). A cosine that is not known (NaN) says nothing: 0."""
    view, places = query.view, counted.places
    held = counted.containment * query.distinct
    shrunk = np.clip((held - 0.5) / (query.distinct + 0.5), 1e-3, 1 - 1e-3)
    names = view.names
    n, text = len(places), query.family == "text"
    alike = np.fromiter((name_similarity(query.name, names[place]) for place in places.tolist()), np.float64, n)
    return np.column_stack(
        [
            np.log(shrunk / (1 - shrunk)),
            np.clip(np.nan_to_num(cosine), 0, 1),
            alike,
            view.key[places],
            np.full(n, text),
            1 - view.density[places],
            alike * (not text),
        ]
    )


def hubness(query: Query) -> float:
    """Share of the lake's columns that hold the typical value of the query."""
    postings = query.view.generation.postings
    if not len(query.places):
        return 0.0
    return float(np.median(postings.frequency(query.places))) / max(len(postings), 1)


@lru_cache(maxsize=100_000)
def name_similarity(left: str, right: str) -> float:
    """Jaccard of the words of two column names, 1 where they are the same.

    >>> name_similarity("customer_id", "customerId")
    1.0
    """
    a, b = words(left), words(right)
    return len(a & b) / len(a | b) if a | b else 0.0


@lru_cache(maxsize=100_000)
def words(name: str) -> frozenset[str]:
    """The words of a name in camelCase, snake_case or plain text, case folded."""
    return frozenset(parts_of(name))
