"""From evidence to one number: the probability that somebody wants this join.

A logistic model of a few signs, each of which can only push one way. Its weights were fitted on labelled joins
(``benchmarks/calibrate.py``). The signs:

- containment, shrunk towards nothing where few values back it: (overlap - 1/2) / (|Q| + 1/2), in logits;
- the other direction's containment: how much of the candidate the query explains;
- similarity of the two columns' vectors, and of their names;
- how common the shared values are over the lake: a hub, such as years or yes and no, joins with everything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tablelens.discover.evidence import Counted, Query

Floats = npt.NDArray[np.float64]
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Weights of the logistic model."""

    bias: float = -1.6
    containment: float = 1.1
    reverse: float = 0.6
    cosine: float = 1.0
    name: float = 0.5
    hub: float = 0.25

    def probability(self, query: Query, counted: Counted, cosine: Floats, hub: Floats) -> Floats:
        """Probability of each candidate, shape (n,)."""
        names = np.array([name_similarity(query.name, name) for name in _names(query, counted)])
        held = counted.containment * max(query.distinct, 1)
        shrunk = np.clip((held - 0.5) / (query.distinct + 0.5), 1e-3, 1 - 1e-3)
        z = (
            self.bias
            + self.containment * np.log(shrunk / (1 - shrunk))
            + self.reverse * counted.reverse
            + self.cosine * np.clip(cosine, 0, 1)
            + self.name * names
            - self.hub * np.log1p(hub * 100)
        )
        return np.asarray(1 / (1 + np.exp(-z)))


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
    return frozenset(word.casefold() for word in _WORD.findall(name))


def hubness(query: Query, counted: Counted) -> Floats:
    """Share of the lake's columns that hold the typical value of the query, the same for all candidates."""
    postings = query.view.generation.postings
    if not len(query.places):
        return np.zeros(len(counted.places))
    typical = float(np.median(postings.frequency(query.places))) / max(len(postings), 1)
    return np.full(len(counted.places), typical)


def _names(query: Query, counted: Counted) -> list[str]:
    names = query.view.names
    return [names[place] for place in counted.places.tolist()]
