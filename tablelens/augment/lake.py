"""Augment a table by what a lake holds: candidates from discovery, the search, the SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from tablelens.augment.base import base_of
from tablelens.augment.search import Augmentation, augment
from tablelens.augment.sql import statement
from tablelens.discover.evidence import Query
from tablelens.settings import Settings
from tablelens.types import Answer, Hit


def augment_by_lake(
    data: pa.Table,
    target: str,
    query_of: Callable[[str], Query],
    answer: Callable[[Query], Answer],
    read: Callable[[Hit], pa.Table],
    settings: Settings,
    *,
    metric: str | None,
    budget: float,
    rows: bool,
    seed: int,
    told: Callable[[str], None],
) -> Augmentation:
    """Find what joins with each column, one candidate a table by the likeliest join, and try them.

    Args:
        data: the table.
        target: its column that is to be predicted.
        query_of: a column of the table as a query.
        answer: what joins with it, one hit a table.
        read: a hit's table, numbers as float64 and all else as texts.
        settings: how values are told to be numbers.
        metric: as ``search.augment`` has it, and so are the others.
        budget: seconds.
        rows: whether TransTab judges too.
        seed: of folds and models.
        told: is called with the name of each step.
    """
    base = base_of(data, target, metric, settings)
    queries = {column: query_of(column) for column in base.data.column_names}
    best: dict[str, tuple[str, Hit]] = {}
    for column, query in queries.items():
        for hit in answer(query).hits:
            name = f"{hit.column.lake}:{hit.column.table}"
            if name not in best or hit.probability > best[name][1].probability:
                best[name] = column, hit
    ordered = sorted(best.values(), key=lambda found: -found[1].probability)
    found = augment(base, ordered, read, budget=budget, rows=rows, seed=seed, told=told)
    chosen = [(trial, queries[trial.column], _place(queries[trial.column], trial.hit)) for trial in found.chosen]
    return replace(found, sql=statement(chosen, found.data.schema))


def _place(query: Query, hit: Hit) -> int:
    return int(query.view.generation.places(np.array([hit.column.id]))[0])
