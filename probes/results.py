"""What a run found, as typed documents that are JSON: one result for each model, property and level."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tablelens.errors import UsageError

from .base import Verdict

SCHEMA = 1
"""Counts up when a document of before could not be read any more."""


@dataclass(frozen=True)
class Estimate:
    """A measure over all tables, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Result:
    """One model, one property, one level."""

    model: str
    revision: str
    property: str
    version: int
    level: str
    verdict: Verdict
    why: str
    headline: str
    estimates: dict[str, Estimate]
    floor: float | None
    ceiling: float | None
    tables: int
    skipped: dict[str, int]
    faults: int
    variants: int
    stopped: str
    """Why no more variants were tried: narrow, tables, budget, all."""
    units: dict[str, dict[str, float]]
    """Table → measure → value."""
    curve: dict[str, Estimate]
    worst: tuple[dict[str, Any], ...]
    controls: dict[str, Any]
    tests: dict[str, float]
    kept: dict[str, Any]
    seconds: float
    key: str

    def figure(self) -> Estimate | None:
        """The headline's estimate, where there is one."""
        return self.estimates.get(self.headline)


@dataclass(frozen=True)
class ModelCard:
    """A model as the report names it, and what it cost."""

    name: str
    revision: str
    levels: tuple[str, ...]
    dimension: dict[str, int]
    max_tokens: int | None
    weights: str
    ms_a_column: float | None
    peak_mb: float
    encoded: int
    cached: int
    seconds: float


@dataclass(frozen=True)
class Run:
    """All results of one call, with all that they depend on."""

    id: str
    started: str
    preset: str
    seed: int
    parameters: dict[str, Any]
    dataset: dict[str, Any]
    models: tuple[ModelCard, ...]
    results: tuple[Result, ...]
    environment: dict[str, str]
    seconds: float
    schema: int = SCHEMA
    comparisons: tuple[dict[str, Any], ...] = field(default=())

    def document(self) -> dict[str, Any]:
        """The run as JSON has it; what is not finite is null."""
        found: dict[str, Any] = clean(asdict(self))
        return found


def clean(value: Any) -> Any:
    """A value that JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else clean(value.item())


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    partial.replace(path)


def read(path: Path) -> Run:
    """A run from its file.

    Raises:
        UsageError: no such file, no run, or one of a newer schema.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        schema = document["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is no probe run: {error}", "give the JSON file that `tablelens probe run` wrote"
        ) from error
    if schema != SCHEMA:
        raise UsageError(f"{path} has schema {schema!r}, this tablelens reads {SCHEMA}", "run the probes again")
    try:
        return as_run(document)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} is a damaged probe run: {error!r}", "run the probes again") from error


def as_run(document: Mapping[str, Any]) -> Run:
    """A run from its document."""
    rest = {name: document[name] for name in document if name not in ("models", "results", "comparisons")}
    models = tuple(ModelCard(**(card | {"levels": tuple(card["levels"])})) for card in document["models"])
    results = tuple(as_result(found) for found in document["results"])
    return Run(**rest, models=models, results=results, comparisons=tuple(document["comparisons"]))


def as_result(document: Mapping[str, Any]) -> Result:
    """A result from its document."""
    estimates = {name: as_estimate(found) for name, found in document["estimates"].items()}
    curve = {name: as_estimate(found) for name, found in document["curve"].items()}
    rest = {name: document[name] for name in document if name not in ("estimates", "curve", "worst")}
    return Result(**rest, estimates=estimates, curve=curve, worst=tuple(document["worst"]))


def as_estimate(found: Mapping[str, float | None]) -> Estimate:
    """An estimate; null is NaN."""
    return Estimate(**{name: math.nan if value is None else value for name, value in found.items()})
