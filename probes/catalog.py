"""Results into the catalogue, where REST, SQL and ``doctor`` find them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from tablelens.catalog.store import Catalog
from tablelens.index import generation

from .results import Estimate, Result, Run, clean

SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("run", "model", "property", "level", "measure", "revision", "dataset")]
    + [("tables", pa.int64())]
    + [(name, pa.float64()) for name in ("value", "low", "high", "floor", "ceiling")]
    + [("headline", pa.bool_()), ("verdict", pa.string()), ("why", pa.string()), ("measured_at", pa.timestamp("us"))]
)


def keep(home: Path, run: Run) -> bool:
    """Write a run into the catalogue of a home; whether readers see it at once, or with the next crawl.

    Readers look at the snapshot of the generation that answers. It is replaced, whole, where the catalogue holds
    nothing else that is newer.

    Raises:
        CatalogLocked: another process is writing.
    """
    with Catalog(home / "catalog.duckdb") as catalog:
        catalog.store_probes(as_table(run))
        number = generation.current(home)
        seen = number is not None and catalog.indexed() == number
        if seen and number is not None:
            catalog.snapshot(generation.catalog_of(home, number))
    return seen


def as_table(run: Run) -> pa.Table:
    """A row for each measure of each result; what does not apply has its headline without a value."""
    when = datetime.fromisoformat(run.started).replace(tzinfo=None)
    rows = [
        _row(run, result, measure, estimate, when)
        for result in run.results
        for measure, estimate in (result.estimates or {result.headline: Estimate(*[float("nan")] * 3)}).items()
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(run: Run, result: Result, measure: str, estimate: Estimate, when: datetime) -> dict[str, Any]:
    headline = measure == result.headline
    return {
        "run": run.id, "model": result.model, "property": result.property, "level": result.level, "measure": measure,
        "revision": result.revision, "dataset": run.dataset["name"], "tables": result.tables,
        "value": clean(estimate.value), "low": clean(estimate.low), "high": clean(estimate.high),
        "floor": result.floor if headline else None, "ceiling": result.ceiling if headline else None,
        "headline": headline, "verdict": result.verdict, "why": result.why, "measured_at": when,
    }  # fmt: skip
