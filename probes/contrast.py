"""Models against each other on the tables that both could look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from .results import Result
from .statistics import holm, paired

LEAST = 6
"""Tables that two models must share: with fewer, Wilcoxon's test cannot reject anything."""


def contrasts(results: Sequence[Result], seed: int) -> tuple[dict[str, Any], ...]:
    """Paired differences of the headline for each property, level and pair of models; p corrected over all of them.

    A property whose figure is no mean over tables is compared by its figure for each table, where it has one.
    """
    by_question: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        by_question[result.property, result.level].append(result)
    found: list[dict[str, Any]] = []
    for (name, level), group in by_question.items():
        for left, right in combinations(group, 2):
            shared = [
                unit
                for unit in left.units
                if left.headline in left.units[unit] and right.headline in right.units.get(unit, {})
            ]
            if len(shared) < LEAST:
                continue
            a, b = ([side.units[unit][side.headline] for unit in shared] for side in (left, right))
            gap = paired(a, b, seed)
            found.append(
                {"property": name, "level": level, "left": left.model, "right": right.model, "tables": gap.units}
                | {"difference": gap.difference.value, "low": gap.difference.low, "high": gap.difference.high}
                | {"p": gap.p, "cliffs_delta": gap.cliffs_delta}
            )
    for row, corrected in zip(found, holm([row["p"] for row in found]), strict=True):
        row["p_holm"] = corrected
    return tuple(found)
