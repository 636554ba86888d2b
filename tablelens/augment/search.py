"""Try what a lake can add to a table, and keep what is proven to help.

Each joinable table is attached to the base (attach.py), columns that give the target away are left out (leaks.py), and
trees compare repeated cross-validated scores with and without (folds.py, judges.py, lift.py). A TransTab that was
trained once on the base is continued on the best as a second judge, and what is proven is joined greedily. What is
recommended has an interval above zero at a level that holds for all candidates and judges at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tablelens.augment.attach import attach
from tablelens.augment.folds import RATIO, SPLITS, check_target, drawn, folds_of, groups_of
from tablelens.augment.judges import METRICS, Fold, Judge, OutOfTime, Rows, Trees
from tablelens.augment.leaks import leak
from tablelens.augment.lift import Lift, lift
from tablelens.errors import UsageError
from tablelens.transtab.tables import texts
from tablelens.types import Hit

LEAST_MATCHED = 0.05
"""Share of rows with a partner below which a candidate is not tried."""
MOST_COLUMNS = 30
"""Columns that one candidate may add."""
JUDGED = 3
"""Candidates that the slower judge looks at."""
SURE_SHARE, FAST_SHARE = 0.6, 0.8
"""Shares of the budget after which no further candidate is joined, and none judged by trees."""
SPENT = "not tried: the budget was spent"


@dataclass(frozen=True, slots=True)
class Base:
    """The table to be augmented, numbers as float64 and all else as texts, and its target."""

    data: pa.Table
    """Without the target."""
    target: npt.NDArray[Any]
    """(rows,), none missing"""
    metric: str


@dataclass
class Trial:
    """One candidate: what it adds, and what that is worth."""

    column: str
    """The base's column that it was joined by."""
    hit: Hit
    matched: float = 0.0
    most: int = 1
    columns: tuple[str, ...] = ()
    """What it adds, named as in the augmented table."""
    lifts: dict[str, Lift] = field(default_factory=dict)
    """By judge."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Columns that are not used, and why."""
    reason: str = ""
    """Why it was not tried, or nothing."""

    @property
    def recommended(self) -> bool:
        """Whether a judge is sure of it."""
        return any(lift.sure for lift in self.lifts.values())


@dataclass(frozen=True, slots=True)
class Outcome:
    """A choice of candidates beside none: by judge its mean score and its lift."""

    name: str
    """``none``, ``recommended``, ``everything`` or ``random``."""
    tables: tuple[str, ...]
    scores: dict[str, float]
    lifts: dict[str, Lift]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What was found. ``data`` is the base with the recommended columns; without any it is the base."""

    data: pa.Table
    metric: str
    trials: tuple[Trial, ...]
    chosen: tuple[Trial, ...]
    outcomes: tuple[Outcome, ...]
    seconds: float
    sql: str = ""
    """What makes ``data`` (with the target) in DuckDB; empty where nothing is recommended."""


def augment(
    base: Base,
    candidates: Sequence[tuple[str, Hit]],
    read: Callable[[Hit], pa.Table],
    *,
    budget: float = 300.0,
    rows: bool = True,
    seed: int = 0,
    told: Callable[[str], None] = lambda _: None,
) -> Augmentation:
    """Try candidates on a base table.

    Args:
        base: the table and its target.
        candidates: (column of the base, what joins with it), the likeliest first.
        read: a hit's table, numbers as float64 and all else as texts.
        budget: seconds. Candidates that were not begun by then are listed as not tried.
        rows: whether TransTab judges too.
        seed: of folds and models.
        told: is called with the name of each step.

    Raises:
        UsageError: there are too few rows, the target is constant, or there is no budget.
    """
    if not budget > 0:
        raise UsageError(f"budget is {budget}", "give some seconds")
    search = _Search(base, budget, seed, told)
    trials = [Trial(column, hit) for column, hit in candidates]
    extras: dict[int, pa.Table] = {}
    for trial in trials:
        if search.late(SURE_SHARE):
            trial.reason = SPENT
            continue
        told(f"{trial.hit.column.table}")
        extra = search.attached(trial, read)
        if extra is not None:
            extras[id(trial)] = extra
    tried = [trial for trial in trials if id(trial) in extras]
    search.judge(search.fast, tried, extras, judges=1 + rows)
    tried = [trial for trial in tried if trial.lifts]
    if rows and tried:
        best = sorted(tried, key=lambda trial: -trial.lifts["trees"].mean)[:JUDGED]
        search.judge(search.slow, best, extras, judges=2, among=len(tried))
    chosen = search.combine([trial for trial in tried if trial.recommended], extras)
    outcomes = search.outcomes(chosen, tried, extras, rows)
    data = search.joined([extras[id(trial)] for trial in chosen])
    return Augmentation(data, base.metric, tuple(trials), tuple(chosen), outcomes, time.perf_counter() - search.start)


class _Search:
    def __init__(self, base: Base, budget: float, seed: int, told: Callable[[str], None]) -> None:
        self.base, self.budget, self.seed, self.told = base, budget, seed, told
        self.start = time.perf_counter()
        self.places = drawn(len(base.target), seed)
        self.target = base.target[self.places]
        check_target(self.target, METRICS[base.metric])
        self.sample = base.data.take(pa.array(self.places))
        self.fast: Judge = Trees(base.metric, seed)
        self.slow: Judge = Rows(base.metric, self.sample, seed, late=self.late)
        self._folds: dict[str, list[Fold]] = {}
        self._scores: dict[tuple[str, str, tuple[str, ...]], npt.NDArray[np.float64]] = {}

    def late(self, share: float = 1.0) -> bool:
        return time.perf_counter() - self.start > share * self.budget

    def attached(self, trial: Trial, read: Callable[[Hit], pa.Table]) -> pa.Table | None:
        """The candidate's columns for all rows of the base, or None with the reason in the trial."""
        other, key = read(trial.hit), trial.hit.column.column
        prefix = f"{trial.hit.column.table}."
        names = [name for name in other.column_names if name != key]
        for name in names[MOST_COLUMNS:]:
            trial.left_out[name] = f"more than {MOST_COLUMNS} columns"
        made = attach(texts(self.base.data[trial.column]), other, key, names[:MOST_COLUMNS], prefix)
        trial.matched, trial.most = made.matched, made.most
        distinct = len(np.unique(groups_of(texts(self.sample[trial.column]))))
        if distinct < 2 * SPLITS:
            trial.reason = f"only {distinct} distinct values of {trial.column!r}: too few to tell what they add"
            return None
        if made.matched < LEAST_MATCHED:
            trial.reason = f"only {made.matched:.1%} of the rows have a partner"
            return None
        data = made.data
        for name in made.data.column_names:
            column = data[name].take(pa.array(self.places))
            why = _empty(column) or leak(name, column, self.target, self.folds(trial.column), self.base.metric)
            if why:
                trial.left_out[name] = why
                data = data.drop_columns([name])
        trial.columns = tuple(data.column_names)
        if not trial.columns:
            trial.reason = "no column is left to add"
            return None
        return data

    def judge(
        self, judge: Judge, trials: Sequence[Trial], extras: dict[int, pa.Table], judges: int, among: int = 0
    ) -> None:
        """Put the judge's lift into each trial that there is time for."""
        for trial in trials:
            if judge is self.fast and self.late(FAST_SHARE):
                trial.reason = SPENT
                continue
            try:
                before = self.scores(judge, [], trial.column)
                after = self.scores(judge, [extras[id(trial)]], trial.column)
            except OutOfTime:
                return
            trial.lifts[judge.name] = lift(before, after, RATIO, tried=judges * (among or len(trials)))

    def combine(self, trials: Sequence[Trial], extras: dict[int, pa.Table]) -> list[Trial]:
        """Greedily: the best first, others as long as the trees' mean score rises."""
        ordered = sorted(trials, key=lambda trial: -max(lift.mean for lift in trial.lifts.values()))
        chosen: list[Trial] = []
        best = -np.inf
        for trial in ordered:
            with_it = self.scores(self.fast, [extras[id(t)] for t in (*chosen, trial)], ordered[0].column)
            if float(with_it.mean()) > best:
                chosen.append(trial)
                best = float(with_it.mean())
            if self.late():
                break
        return chosen

    def outcomes(
        self, chosen: Sequence[Trial], tried: Sequence[Trial], extras: dict[int, pa.Table], rows: bool
    ) -> tuple[Outcome, ...]:
        """None, what is recommended, everything, and as many at random, by each judge."""
        rng = np.random.default_rng(self.seed)
        count = min(max(len(chosen), 1), len(tried))
        random = [tried[place] for place in rng.permutation(len(tried))[:count]]
        choices = {"none": [], "recommended": list(chosen), "everything": list(tried), "random": random}
        column = (list(chosen) or list(tried))[0].column if tried else ""
        scored: dict[str, dict[str, npt.NDArray[np.float64]]] = {}
        for judge in (self.fast, self.slow) if rows else (self.fast,):
            with suppress(OutOfTime):
                scored[judge.name] = {
                    name: self.scores(judge, [extras[id(trial)] for trial in trials], column)
                    for name, trials in choices.items()
                }
        found = []
        for name, trials in choices.items():
            scores = {judge: float(of[name].mean()) for judge, of in scored.items()}
            lifts = {judge: lift(of["none"], of[name], RATIO, 3) for judge, of in scored.items()}
            found.append(Outcome(name, tuple(trial.hit.column.table for trial in trials), scores, lifts))
        return tuple(found)

    def folds(self, column: str) -> list[Fold]:
        """Folds of the sampled rows in which all rows with one value of a column lie together."""
        if column not in self._folds:
            groups = groups_of(texts(self.sample[column])) if column else np.arange(len(self.target))
            self._folds[column] = folds_of(self.target, groups, METRICS[self.base.metric], self.seed)
        return self._folds[column]

    def scores(self, judge: Judge, extras: Sequence[pa.Table], column: str) -> npt.NDArray[np.float64]:
        """The judge's scores of the base with extras, measured once, on folds that keep a column's values whole."""
        table = self.sample
        for extra in extras:
            for name in extra.column_names:
                table = table.append_column(name, extra[name].take(pa.array(self.places)))
        key = judge.name, column, tuple(table.column_names)
        if key not in self._scores:
            self._scores[key] = judge.scores(table, self.target, self.folds(column))
        return self._scores[key]

    def joined(self, extras: Sequence[pa.Table]) -> pa.Table:
        table = self.base.data
        for extra in extras:
            for name in extra.column_names:
                table = table.append_column(name, extra[name])
        return table


def _empty(column: pa.ChunkedArray) -> str:
    known = column.drop_null()
    if not len(known):
        return "empty"
    return "constant" if len(known.unique()) < 2 and len(known) == len(column) else ""
