"""From evidence to one number: the probability that somebody wants this join.

There are four ways in which a join can be right: the columns hold **equal** values, they hold the same things by
**meaning**, a **bridge** leads from one to the other, or their **cells** match one by one, where they were compared.
Each way has a logistic model over a few signs, each of which may only push one way; the probability that at least one
of them holds is their noisy-or, 1 - (1-p)(1-q)(1-r)(1-s). The weights were fitted on labelled joins
(``benchmarks/calibrate.py``) and lie in ``calibration.json``, one set an encoder.

Signs of equality: ``containment``, its logit, shrunk to nothing where few values back it, (overlap - ½) / (|Q| + ½);
``cosine`` of the vectors; ``name``, how alike the names are; ``key``, the candidate has a different value in every row;
``text``, for numbers meet by accident; ``sparse``, no whole numbers of a range without gaps, such as row numbers, ranks
and years, the hubs in which every small number is found; ``number_name``, the likeness of the names of two columns of
numbers; ``partner``, whether the candidate holds enough of the query's values to be a join at all, 0 below a fifth,
1 above a third. ``cosine``, ``name`` and ``key`` weigh no more than a share of what containment weighs.

Signs of meaning: ``cosine``, ``name``, and ``both``, their product.

Signs of a bridge: ``coverage``, as containment, of the values that arrive; ``fit``, the logarithm of the images over
the values of the candidate; ``witnesses``, the logarithm of how many bridge tables agree; ``single`` and ``apart``, how
near to one-to-one the first is; ``size``, the logarithm of how many values back it; ``near_name`` and ``far_name``,
whether the bridge's columns are called as query and candidate are; ``own``, the bridge is the query's own table;
``cosine``.

Signs of cells: ``matched``, as containment, of the query's cells that have a match, ``reverse``, of the candidate's;
``cosine``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from tablelens.discover.candidates import Candidates
from tablelens.discover.evidence import Query
from tablelens.profile.names import name_similarities, name_similarity

Floats = npt.NDArray[np.float64]
EQUALITY = ("containment", "cosine", "name", "key", "text", "sparse", "number_name", "partner")
MEANING = ("cosine", "name", "both")
BRIDGE = ("coverage", "fit", "witnesses", "single", "apart", "size", "near_name", "far_name", "own", "cosine")
CELLS = ("matched", "reverse", "cosine")
WAYS = {"equality": EQUALITY, "meaning": MEANING, "bridge": BRIDGE, "cells": CELLS}


@dataclass(frozen=True, slots=True)
class Way:
    """A logistic model: the weights, all at or above zero, one a sign in the order of its tuple."""

    bias: float
    weights: tuple[float, ...]

    def probability(self, signs: Floats) -> Floats:
        """Of each row of signs, shape (n,)."""
        return np.asarray(1 / (1 + np.exp(-(signs @ np.array(self.weights) + self.bias))))


@dataclass(frozen=True, slots=True)
class Calibration:
    """The four ways."""

    equality: Way
    meaning: Way
    bridge: Way
    cells: Way

    @classmethod
    @lru_cache(maxsize=16)
    def of(cls, encoder: str) -> Calibration:
        """The weights that were fitted for an encoder, or those of the default one."""
        known = json.loads((files(__package__) / "calibration.json").read_text(encoding="utf-8"))
        fitted = known.get(encoder, known["deepjoin-static"])
        return cls(*(_way(fitted[way], signs) for way, signs in WAYS.items()))

    def probability(self, query: Query, candidates: Candidates) -> Floats:
        """Probability of each candidate, shape (n,)."""
        signs = signs_of(query, candidates)
        none = 1 - self.equality.probability(signs["equality"])
        if query.vector is not None:
            none *= 1 - self.meaning.probability(signs["meaning"])
        over = candidates.form >= 0
        none[over] *= 1 - self.bridge.probability(signs["bridge"])
        compared = ~np.isnan(candidates.matched)
        none[compared] *= 1 - self.cells.probability(signs["cells"])
        return 1 - none


def _way(fitted: dict[str, float], signs: tuple[str, ...]) -> Way:
    return Way(fitted["bias"], tuple(fitted[sign] for sign in signs))


def signs_of(query: Query, candidates: Candidates) -> dict[str, Floats]:
    """The signs of each way: (n, signs) of equality and meaning, of bridge and cells only for those that have them."""
    view, places, n = query.view, candidates.places, len(candidates.places)
    text = query.family == "text"
    alike = name_similarities(query.name, map(view.names.__getitem__, places.tolist()))
    cosine = np.clip(np.nan_to_num(candidates.cosine), 0, 1)  # one that is not known says nothing
    contained = _shrunk(candidates.counted.containment, query.distinct)
    equality = (contained, cosine, alike, view.key[places], np.full(n, text), 1 - view.density[places])
    return {
        "equality": np.column_stack([*equality, alike * (not text), _partner(contained)]),
        "meaning": np.column_stack([cosine, alike, cosine * alike]),
        "bridge": _bridge_signs(query, candidates, cosine),
        "cells": _cell_signs(query, candidates, cosine),
    }


def _partner(logit: Floats) -> Floats:
    return np.asarray(np.clip((1 / (1 + np.exp(-logit)) - 0.2) / 0.15, 0, 1))


def _bridge_signs(query: Query, candidates: Candidates, cosine: Floats) -> Floats:
    view, over = query.view, np.flatnonzero(candidates.form >= 0)
    coverage, places = candidates.coverage[over], candidates.places[over]
    forms = [candidates.forms[form] for form in candidates.form[over].tolist()]
    fit = coverage * query.distinct / np.maximum(view.distinct[places], 1)
    names = [
        (name_similarity(query.name, view.names[form.near[0]]), name_similarity(view.names[form.far[0]], view.names[p]))
        for form, p in zip(forms, places.tolist(), strict=True)
    ]
    facts = [
        (np.log2(form.witnesses), form.single, min(form.apart, 1.0), view.table_ids[form.near[0]] == query.table_id)
        for form in forms
    ]
    near, far = np.array(names, np.float64).reshape(-1, 2).T
    witnesses, single, apart, own = np.array(facts, np.float64).reshape(-1, 4).T
    return np.column_stack(
        [
            _shrunk(coverage, query.distinct),
            np.log(np.clip(fit, 1e-2, 1)),
            np.clip(witnesses, 0, 3),
            single,
            apart,
            np.log(np.clip(coverage * query.distinct, 1, 200)),
            near,
            far,
            own,
            cosine[over],
        ]
    )


def _cell_signs(query: Query, candidates: Candidates, cosine: Floats) -> Floats:
    compared = np.flatnonzero(~np.isnan(candidates.matched))
    places = candidates.places[compared].tolist()
    reverse = np.array([candidates.cells[place].reverse_containment for place in places])
    theirs = np.array([len(query.view.value("cells", place)) for place in places])
    matched = _shrunk(candidates.matched[compared], len(query.cells))
    return np.column_stack([matched, _shrunk(reverse, theirs), cosine[compared]])


def _shrunk(share: Floats, distinct: int | npt.NDArray[np.int64]) -> Floats:
    """The logit of a share of the query's values, pulled to 0 where few values back it."""
    shrunk = np.clip((share * distinct - 0.5) / (distinct + 0.5), 1e-3, 1 - 1e-3)
    return np.asarray(np.log(shrunk / (1 - shrunk)))


def hubness(query: Query) -> float:
    """Share of the lake's columns that hold the typical value of the query."""
    postings = query.view.generation.postings
    if not len(query.places):
        return 0.0
    return float(np.median(postings.frequency(query.places))) / max(len(postings), 1)
