"""P4. Is the step from a determinant to its dependent the same wherever the dependency holds?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tablelens.types import Vectors

from ..base import Level, Limits, Meta, Observation, Property, Skip, observed
from ..data.dependencies import Pair, pairs
from ..data.generated import generate
from ..tables import Table

if TYPE_CHECKING:
    from ..runner import Probe

ROWS = 40
GENERATED = 12
"""Tables of planted dependencies beside the dataset's own: of real tables few rows seldom repeat a pair of values."""


class FunctionalDependencies(Property):
    """The spread of E(y) - E(x) over the rows that share a value pair, for dependencies and for matched controls.

    Observatory compares the variance of the step's *length* with pairs of columns whose values do not repeat: that is
    won by any embedder that gives equal cells equal vectors, and depends on the scale. Here the step is a vector, its
    spread is over the mean square length of cells, groups of one row are left out, and the controls repeat too.
    """

    meta = Meta(
        id="functional_dependencies",
        title="Functional dependencies",
        question="Is the step from a determinant to its dependent the same wherever the dependency holds?",
        levels=("cell",),
        headline="contrast",
        measures={
            "contrast": "(control - dependency) / (control + dependency) of the spreads: 1 where it is a translation",
            "dependency": "spread of the step within groups of a dependency, over the cells' mean square length",
            "control": "the same of columns without a dependency, whose value pairs repeat too",
        },
        limits=Limits(0.2, 0.05),
        paper="P4",
        reference="Observatory, PVLDB 17(4), 2023",
        floor=0.0,
        degenerate=False,
        version=2,
    )

    def observe(self, probe: Probe, level: Level, variants: int) -> Iterator[Observation]:
        """Each table that holds a dependency and a control, by its first rows; some generated ones after them."""
        del variants
        for whole in (*probe.dataset.tables, *generate(GENERATED, ROWS, probe.seed).tables):
            try:
                table = whole.head(min(ROWS, probe.embedder.model.fit(whole.head(ROWS), level)))
                yield self._observation(probe, table, level)
            except Skip as error:
                yield observed(whole.name, error)

    def _observation(self, probe: Probe, table: Table, level: Level) -> Observation:
        held, controls = pairs(table)
        if not held:
            raise Skip("no-dependency")
        if not controls:
            raise Skip("no-matched-control")
        flat = probe.embedder.embed(table, level).astype(np.float64)
        size = float(np.mean(np.sum(flat**2, axis=1))) or 1.0
        cells = flat.reshape(table.rows, table.width, -1)
        one = float(np.mean([spread(cells, pair) for pair in held])) / size
        other = float(np.mean([spread(cells, pair) for pair in controls])) / size
        contrast = (other - one) / (other + one) if other + one > 1e-12 else 0.0
        values = {"contrast": contrast, "dependency": one, "control": other}
        return Observation(table.name, values, items=len(held) + len(controls))

    def blind(self, values: dict[str, float]) -> str:
        """A model that embeds equal cells equally, whatever stands beside them, shows no spread at all."""
        if values["dependency"] < 1e-9 and values["control"] < 1e-9:
            return "equal cells have equal vectors in any context: the step never varies, with or without a dependency"
        return ""


def spread(cells: Vectors | np.ndarray[Any, Any], pair: Pair) -> float:
    """Mean over groups of the total variance of E(y) - E(x) within a group; ``cells`` is (rows, columns, d)."""
    steps = [cells[list(rows), pair.y] - cells[list(rows), pair.x] for rows in pair.groups if len(rows) > 1]
    return float(np.mean([np.sum(step.var(axis=0, ddof=1)) for step in steps])) if steps else 0.0
