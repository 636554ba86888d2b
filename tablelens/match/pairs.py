"""Matches of cells as an Arrow table: what a worker sends, and what a mapping file holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tablelens.match.cells import HOW, Matched
from tablelens.profile.normalize import normalize
from tablelens.types import Turned

UNMATCHED = 5
"""Cells without a match that are kept, of either side."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Matches of two columns' cells. ``table`` has the columns left, right, how and score, a row a match."""

    table: pa.Table
    left: int
    """Distinct values of the left column …"""
    right: int
    """… and of the right one."""
    unmatched: tuple[str, ...]
    """Some left cells without a match."""
    program: str
    """The transformation in words, or nothing …"""
    template: str
    """… and in SQL, with {x} for the cell."""
    turned: Turned
    held: int
    """Matches that the transformation alone would make."""

    @classmethod
    def of(cls, table: pa.Table) -> Pairs:
        """Undo ``pairs_table``."""
        told = {key.decode(): value.decode("utf-8") for key, value in (table.schema.metadata or {}).items()}
        numbers = {name: int(told[name]) for name in ("left", "right", "held")}
        unmatched = tuple(told["unmatched"].split("\0")) if told["unmatched"] else ()
        turned: Turned = "right" if told["turned"] == "right" else "left"
        return cls(
            table.replace_schema_metadata(None), **numbers, unmatched=unmatched, program=told["program"],
            template=told["template"], turned=turned,
        )  # fmt: skip


def pairs_table(left: Sequence[str], right: Sequence[str], matched: Matched) -> pa.Table:
    """The matches as a table, equal cells first, then by score, with what ``Pairs`` tells of them beside.

    >>> from tablelens.match.cells import match_cells
    >>> cells = ["Oslo", "Rome"]
    >>> pairs_table(cells, ["rome"], match_cells(cells, ["rome"])).to_pylist()
    [{'left': 'Rome', 'right': 'rome', 'how': 'equal', 'score': 1.0}]
    """
    order = np.lexsort((-matched.score, matched.how))
    mine = [_sound(left[i]) for i in matched.left[order].tolist()]
    theirs = [_sound(right[j]) for j in matched.right[order].tolist()]
    how = pa.array([HOW[i] for i in matched.how[order].tolist()], pa.string())
    program, held = matched.program, 0
    if program is not None:
        sides = (mine, theirs) if matched.turned == "left" else (theirs, mine)
        held = sum(normalize(program.apply(cell) or "") == normalize(image) for cell, image in zip(*sides, strict=True))
    there = np.zeros(len(left), bool)
    there[matched.left] = True
    told = {
        "left": str(len(left)),
        "right": str(len(right)),
        "unmatched": "\0".join(_sound(left[i])[:200] for i in np.flatnonzero(~there)[:UNMATCHED].tolist()),
        "program": program.name if program else "",
        "template": program.template if program else "",
        "turned": matched.turned,
        "held": str(held),
    }
    columns = [pa.array(mine, pa.string()), pa.array(theirs, pa.string()), how, pa.array(matched.score[order])]
    return pa.table(columns, names=["left", "right", "how", "score"]).replace_schema_metadata(told)


def _sound(cell: str) -> str:
    """A cell that Arrow takes: surrogates of broken text replaced."""
    return cell if cell.isascii() else cell.encode("utf-8", "replace").decode()
