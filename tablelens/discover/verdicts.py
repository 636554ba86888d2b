"""What people said of joins, as the ranking and the training use it."""

from __future__ import annotations

from collections.abc import Iterable

from tablelens.discover.view import LakeView
from tablelens.errors import NotFound
from tablelens.types import ColumnName, Verdict


def judged(view: LakeView, place: int, verdicts: Iterable[Verdict]) -> dict[int, bool]:
    """For a column of the lake: whether it joins with others, by the place of the other, as far as people said so."""
    if place < 0:
        return {}
    own = name_of(view, place)
    others = [
        (verdict.right if verdict.left == own else verdict.left, verdict.joins)
        for verdict in verdicts
        if own in (verdict.left, verdict.right)
    ]
    found = ((place_of(view, name), joins) for name, joins in others)
    return {other: joins for other, joins in found if other is not None}


def labelled_pairs(view: LakeView, verdicts: Iterable[Verdict]) -> list[tuple[int, int, bool]]:
    """(place, place, joins) of each pair that is in the lake: examples for training and calibration."""
    found = [(place_of(view, v.left), place_of(view, v.right), v.joins) for v in verdicts]
    return [(left, right, joins) for left, right, joins in found if left is not None and right is not None]


def name_of(view: LakeView, place: int) -> ColumnName:
    """The lake, table and column of a place."""
    return view.value("lake", place), view.value("table", place), view.value("column", place)


def place_of(view: LakeView, name: ColumnName) -> int | None:
    """The place of a column, or None where the lake lost it."""
    lake, table, column = name
    try:
        return view.column(f"{lake}:{table}", column)
    except NotFound:
        return None
