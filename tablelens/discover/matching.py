"""What the matching of cells adds to a pair of columns: semantic containment, examples, and a join by it.

Where one transformation makes nearly all matches, the SQL applies it. Where cells differ one by one, the SQL joins over
a mapping of the cells that are not equal: written into it while they are few, else in a file.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.compute as pc

from tablelens.discover import sql
from tablelens.discover.candidates import DIRECT, Candidates
from tablelens.discover.condition import Condition, Side, column_side, condition, query_side
from tablelens.discover.evidence import Query
from tablelens.match.cells import HOW, match_cells
from tablelens.match.pairs import Pairs, pairs_table
from tablelens.types import CellMatching, CellPair, Hit, JoinedBy

NEAR = 0.35
"""Cosine from which on the cells of a join by meaning are worth a look …"""
COMPARED = 20
"""… of so many candidates, the nearest."""
EXAMPLES = 5
SHOWN = 200
"""Letters of a cell that are shown."""
NEARLY_ALL = 0.95
"""Share of the matches that a transformation makes for the SQL to go by it."""
INLINE = 100
"""Pairs of cells that the SQL holds itself."""
MAPPING = "mapping.parquet"
"""The file that the SQL reads where they are more; ``tablelens explain A B --map FILE`` writes it."""


def worth_matching(query: Query, place: int, hit: Hit) -> bool:
    """Whether comparing cell by cell can tell more than the value sets did."""
    view, e = query.view, hit.evidence
    if query.excluded or view.value("excluded", place) or "date" in (query.family, view.value("family", place)):
        return False
    return e.error > 0 or e.containment < 1


def with_cells(query: Query, found: Candidates) -> Candidates:
    """Candidates of a query of text, the nearest of those that neither equality nor a bridge explains cell by cell."""
    if query.family != "text":
        return found
    near = (found.form < 0) & (found.counted.containment < DIRECT) & (np.nan_to_num(found.cosine) >= NEAR)
    worth = np.flatnonzero(near)
    worth = worth[np.argsort(-found.cosine[worth], kind="stable")[:COMPARED]]
    return replace(found, cells={place: of_kept_cells(query, place) for place in found.places[worth].tolist()})


def of_kept_cells(query: Query, place: int) -> CellMatching:
    """The matching of the cells that the catalogue keeps: quick, and of a part only where there are more."""
    theirs = query.view.value("cells", place)
    pairs = Pairs.of(pairs_table(query.cells, theirs, match_cells(query.cells, theirs)))
    whole = len(query.cells) >= query.distinct and len(theirs) >= query.view.distinct[place]
    return replace(matching_of(pairs), whole=bool(whole), joined_by="equality")


def matching_of(pairs: Pairs) -> CellMatching:
    """Pairs in a few figures and examples, transformed cells first."""
    how = pairs.table["how"]
    equal, transformed, similar = (int(pc.sum(pc.equal(how, name)).as_py() or 0) for name in HOW)
    unequal = pairs.table.filter(pc.not_equal(how, "equal")).slice(0, EXAMPLES).to_pylist()
    examples = [CellPair(p["left"][:SHOWN], p["right"][:SHOWN], p["how"], round(p["score"], 4)) for p in unequal]
    return CellMatching(
        containment=round(len(pairs.table) / max(pairs.left, 1), 6),
        reverse_containment=round(pc.count_distinct(pairs.table["right"]).as_py() / max(pairs.right, 1), 6),
        equal=equal,
        transformed=transformed,
        similar=similar,
        examples=tuple(examples),
        unmatched=pairs.unmatched,
        transformation=pairs.program,
        turned=pairs.turned,
        joined_by=_joined_by(pairs),
    )


def with_matching(query: Query, place: int, hit: Hit, pairs: Pairs) -> Hit:
    """A hit with the matching of its cells, and the SQL that joins what was matched."""
    found = matching_of(pairs)
    if hit.evidence.bridge is not None and hit.evidence.bridge.coverage >= found.containment:
        found = replace(found, joined_by="equality")  # the bridge brings more
    hit = replace(hit, evidence=replace(hit.evidence, matching=found))
    if found.joined_by == "equality":
        return hit
    mine, theirs = query.source, query.view.source(place)
    notes = [*hit.notes, *dict.fromkeys([*mine.notes, *theirs.notes])]
    if found.joined_by == "transformation":
        on = transformed_condition(query, place, pairs)
        if missed := len(pairs.table) - pairs.held:
            notes.append(
                f"{missed:,} of {len(pairs.table):,} matched cells are not joined by the SQL; a mapping has all"
            )
        return replace(hit, sql=sql.join(mine.sql, theirs.sql, on.sql), notes=tuple(dict.fromkeys([*notes, *on.notes])))
    over, on = mapped_conditions(query, place, pairs)
    rows = unequal_pairs(pairs)
    if len(rows) > INLINE:
        held = f"(SELECT * FROM read_parquet('{MAPPING}') WHERE how <> 'equal') AS m"
        notes.append(f"the SQL reads {MAPPING}: `tablelens explain A B --map {MAPPING}` writes it, {len(rows):,} pairs")
    else:
        values = ",\n  ".join(f"({sql.literal(left)}, {sql.literal(right)})" for left, right in rows)
        held = f'(VALUES\n  {values}) AS m("left", "right")'
    made = (
        f"SELECT a.*, b.*\nFROM {mine.sql} AS a\nLEFT JOIN {held}\n  ON {over.sql}\n"
        f"JOIN {theirs.sql} AS b\n  ON {on.sql}"
    )
    return replace(hit, sql=made, notes=tuple(dict.fromkeys([*notes, *over.notes, *on.notes])))


def unequal_pairs(pairs: Pairs) -> list[tuple[str, str]]:
    """(left cell, right cell) of the matches that equality does not make."""
    some = pairs.table.filter(pc.not_equal(pairs.table["how"], "equal"))
    return list(zip(some["left"].to_pylist(), some["right"].to_pylist(), strict=True))


def transformed_condition(query: Query, place: int, pairs: Pairs, aliases: tuple[str, str] = ("a", "b")) -> Condition:
    """The condition of a join by a transformation."""
    sides = query_side(query, aliases[0]), column_side(query.view, place, aliases[1])
    turned = 0 if pairs.turned == "left" else 1
    made = Side(pairs.template.replace("{x}", sides[turned].written), True, sides[1 - turned].cells)
    left, right = (made, sides[1]) if turned == 0 else (sides[0], made)
    return condition(left, right, "text")


def mapped_conditions(
    query: Query, place: int, pairs: Pairs, aliases: tuple[str, str, str] = ("a", "m", "b")
) -> tuple[Condition, Condition]:
    """The conditions of a join over a mapping: of the query with the mapping, and of both with the candidate."""
    mine, theirs = query_side(query, aliases[0]), column_side(query.view, place, aliases[2])
    rows = unequal_pairs(pairs)
    near = Side(f'{aliases[1]}."left"', True, [left for left, _ in rows])
    far = Side(
        f'coalesce({aliases[1]}."right", {mine.written})', True, [*(right for _, right in rows), *mine.cells],
        mine.null_words,
    )  # fmt: skip
    return condition(mine, near, "text"), condition(far, theirs, "text")


def _joined_by(pairs: Pairs) -> JoinedBy:
    how = pairs.table["how"]
    unequal = pc.sum(pc.not_equal(how, "equal")).as_py() or 0
    if not unequal:
        return "equality"
    enough = len(how) if unequal <= INLINE else NEARLY_ALL * len(how)
    return "transformation" if pairs.program and pairs.held >= enough else "mapping"
