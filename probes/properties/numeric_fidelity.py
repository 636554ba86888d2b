"""Ours. Can the size of a column's numbers be read from its embedding?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..base import Level, Limits, Meta, Observation, Property, Skip, observed
from ..data.generated import number_columns
from ..measures import Floats, Longs, cosine, spearman, unit
from ..tables import Table

if TYPE_CHECKING:
    from ..runner import Probe

RIDGE = 1e-2
FOLDS = 6


class NumericFidelity(Property):
    """Generated number columns of means from 1 to a million; a ridge regression reads log10 of mean and spread.

    Whole tables are held out of each fit. The unit's change multiplies a column by 1,000 under the same header.
    """

    meta = Meta(
        id="numeric_fidelity",
        title="Numeric fidelity",
        question="Can the size of a column's numbers be read from its embedding?",
        levels=("column",),
        headline="mean r2",
        measures={
            "mean r2": "R² of log10 of the mean, predicted for tables held out",
            "mean spearman": "rank correlation of prediction and log10 of the mean",
            "spread r2": "R² of log10 of the standard deviation",
            "unit change": "cosine of a column and the same times 1,000",
        },
        limits=Limits(0.8, 0.4),
        floor=0.0,
        degenerate=False,
    )

    def observe(self, probe: Probe, level: Level, variants: int) -> Iterator[Observation]:
        """One observation a generated table, with out-of-fold predictions."""
        del variants
        made = number_columns(seed=probe.seed)
        tables = [table for table, _, _ in made]
        found = probe.embedder.embed_all(tables, level)
        grown = probe.embedder.embed_all([_thousandfold(table) for table in tables], level)
        good = [i for i in range(len(made)) if not isinstance(found[i], Skip) and not isinstance(grown[i], Skip)]
        for i in set(range(len(made))) - set(good):
            fault = found[i] if isinstance(found[i], Skip) else grown[i]
            yield observed(tables[i].name, fault if isinstance(fault, Skip) else Skip("no-vectors"))
        if len(good) < FOLDS:
            return
        vectors = np.concatenate([np.asarray(found[i]) for i in good])
        folds = np.repeat(np.arange(len(good)) % FOLDS, [tables[i].width for i in good])
        mean = np.concatenate([made[i][1] for i in good])
        spread = np.concatenate([made[i][2] for i in good])
        rows = np.column_stack([held_out(vectors, mean, folds), mean, held_out(vectors, spread, folds), spread])
        for i, part in zip(good, np.split(rows, np.cumsum([tables[i].width for i in good])[:-1]), strict=True):
            near = float(cosine(np.asarray(found[i]), np.asarray(grown[i])).mean())
            yield Observation(tables[i].name, {"unit change": near}, sample=part, items=len(part))

    def statistics(self, seen: Sequence[Observation]) -> dict[str, float]:
        """R² over the columns of these tables together."""
        rows = np.concatenate([found.sample for found in seen])
        return {
            "mean r2": r2(rows[:, 0], rows[:, 1]),
            "mean spearman": spearman(rows[:, 0], rows[:, 1]),
            "spread r2": r2(rows[:, 2], rows[:, 3]),
            "unit change": float(np.mean([found.values["unit change"] for found in seen])),
        }


def held_out(vectors: Floats, target: Floats, folds: Longs) -> Floats:
    """Ridge predictions of each item by a fit on the other folds, shape (n,); vectors (n, d) at length 1."""
    x = unit(vectors)
    made = np.zeros(len(x))
    for fold in np.unique(folds):
        fit, rest = folds != fold, folds == fold
        middle, level = x[fit].mean(axis=0), target[fit].mean()
        a = x[fit] - middle
        kernel = a @ a.T
        weight = np.linalg.solve(
            kernel + RIDGE * (np.trace(kernel) / len(a) + 1e-9) * np.eye(len(a)), target[fit] - level
        )
        made[rest] = (x[rest] - middle) @ a.T @ weight + level
    return made


def r2(predicted: Floats, true: Floats) -> float:
    """1 - residual over total sum of squares; 0 where the truth does not vary."""
    total = float(np.sum((true - true.mean()) ** 2))
    return 1 - float(np.sum((true - predicted) ** 2)) / total if total > 0 else 0.0


def _thousandfold(table: Table) -> Table:
    made = table
    for place, column in enumerate(table.columns):
        made = made.with_column(place, [f"{float(cell) * 1000:.2f}" for cell in column])
    return made
