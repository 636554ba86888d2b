"""What a property is: typed metadata, what it looks at, and how its observations become one figure with an interval."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

Level = Literal["table", "column", "row", "cell"]
LEVELS: tuple[Level, ...] = ("table", "column", "row", "cell")
Verdict = Literal["pass", "warn", "fail", "not applicable", "degenerate"]
VERDICTS: tuple[Verdict, ...] = ("pass", "warn", "fail", "not applicable", "degenerate")


class Skip(Exception):
    """An item that cannot be looked at. ``reason`` is a stable word and is counted; nothing vanishes silently."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EncoderFault(Skip):
    """The model failed on an input: it raised, gave NaN, or the wrong shape. The verdict cannot be a pass."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a verdict falls on the scale of the headline measure, greater being better.

    Pass needs the whole interval at or above ``good``; fail the whole interval below ``poor``; between them is warn.
    """

    good: float
    poor: float


@dataclass(frozen=True, slots=True)
class Meta:
    """What a property is called, asks and reports. ``version`` counts up when its figures change."""

    id: str
    title: str
    question: str
    levels: tuple[Level, ...]
    headline: str
    measures: dict[str, str]
    """Measure → what it says, in a sentence."""
    limits: Limits | None
    paper: str = ""
    """P1 to P8 of Observatory; empty for our additions."""
    reference: str = ""
    floor: float | None = None
    """What the headline is by chance; None where nothing is."""
    ceiling: float = 1.0
    degenerate: bool = True
    """Whether a model whose vectors are all alike would shine here, so that it is called degenerate instead."""
    join_discovery: bool = False
    """Whether finding joins leans on it, so that ``doctor`` warns."""
    version: int = 1


@dataclass(frozen=True, slots=True)
class Worst:
    """The variant that moved the embedding most, to be shown."""

    value: float
    what: str


@dataclass(frozen=True, slots=True)
class Observation:
    """What one table gave: a value for each measure, or the reason why there is none."""

    unit: str
    values: dict[str, float] = field(default_factory=dict)
    curve: dict[str, float] = field(default_factory=dict)
    """A value by dose or by kind of perturbation."""
    sample: Any = None
    """Rows for a statistic that is no mean over tables, as a rank correlation over all pairs."""
    items: int = 0
    variants: int = 0
    worst: Worst | None = None
    skipped: str = ""
    fault: bool = False
    within: float = 0.0
    """Standard error of the headline that more variants of this table would lessen."""


class Property(ABC):
    """One question to a model. A subclass gives ``meta`` and ``observe``."""

    meta: ClassVar[Meta]

    @abstractmethod
    def observe(self, probe: Any, level: Level, variants: int) -> Iterator[Observation]:
        """Look at each table once, with at most so many variants of it. ``probe`` is a ``runner.Probe``."""

    def statistics(self, seen: Sequence[Observation]) -> dict[str, float]:
        """The property's figures over some tables: the mean of each measure, unless a subclass says otherwise."""
        return {name: mean_of([found.values[name] for found in seen if name in found.values]) for name in self.names()}

    def names(self) -> tuple[str, ...]:
        """Names of the measures."""
        return tuple(self.meta.measures)

    def blind(self, values: dict[str, float]) -> str:
        """Why the figures say nothing of this model although they could be computed, or nothing."""
        del values
        return ""


def mean_of(values: Sequence[float]) -> float:
    """Mean; NaN where there is nothing."""
    return float(np.mean(values)) if len(values) else float("nan")


def observed(unit: str, error: Skip) -> Observation:
    """A table that could not be looked at."""
    return Observation(unit, skipped=error.reason, fault=isinstance(error, EncoderFault))
