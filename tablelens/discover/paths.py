"""Ways to get from one table to another over joins, the surest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tablelens.discover import sql
from tablelens.discover.condition import condition_of
from tablelens.discover.evidence import held_cells
from tablelens.discover.joins import Request, find_joins
from tablelens.discover.query import query_of_place
from tablelens.discover.verdicts import judged
from tablelens.discover.view import LakeView
from tablelens.errors import UsageError
from tablelens.index.facts import FAMILIES
from tablelens.profile.names import name_similarity, says_identifier
from tablelens.types import ColumnRef, Evidence, Hit, Verdict

SURE = 0.5
"""Least probability of a join that a path may use."""
SURE_NUMBERS = 0.9
"""The same for columns of numbers, which meet by accident more often than a chain of joins can bear. Besides, their
names must have a word in common, or both say that they tell things apart."""
FAN_OUT = 60
"""Tables that the middle of a path of three joins may lead over, the surest first."""


@dataclass(frozen=True, slots=True)
class Step:
    """One join of a path."""

    left: ColumnRef
    right: ColumnRef
    probability: float
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class JoinPath:
    """A chain of joins; ``probability`` is the product of its steps'."""

    steps: tuple[Step, ...]
    probability: float
    sql: str
    notes: tuple[str, ...] = ()


@dataclass
class PathFinder:
    """Finds paths between tables by a search from both ends; the joins of each table are looked up once."""

    view: LakeView
    request: Request = field(default_factory=lambda: Request(k=100, threshold=SURE, candidates=100))
    verdicts: tuple[Verdict, ...] = ()
    _edges: dict[int, dict[int, Step]] = field(default_factory=dict)

    def paths(self, left: str, right: str, hops: int = 3, k: int = 5) -> list[JoinPath]:
        """At most k paths of at most ``hops`` joins from one table to another, no table twice.

        Raises:
            UnknownTable: a table that is not there.
            UsageError: both are the same table, hops is not 1, 2 or 3, or k below 1.
        """
        if hops not in (1, 2, 3):
            raise UsageError(f"hops is {hops}", "hops is 1, 2 or 3")
        if k < 1:
            raise UsageError(f"k is {k}", "ask for 1 path or more")
        start, goal = self._id(left), self._id(right)
        if start == goal:
            raise UsageError(f"{left!r} and {right!r} are the same table", "name two tables")
        routes = self._routes(start, goal, hops)
        found = [self._path(route) for route in routes]
        found.sort(key=_best_first)
        return found[:k]

    def joins_of(self, table: int) -> dict[int, Step]:
        """The surest join of a table to each other table."""
        if table not in self._edges:
            best: dict[int, Step] = {}
            places = self.view.places_of(table)
            for place in places[self.view.usable[places]].tolist():
                query, said = query_of_place(self.view, place), judged(self.view, place, self.verdicts)
                for hit in find_joins(query, self.request, judged=said).hits:
                    self._keep(best, place, hit)
            self._edges[table] = best
        return self._edges[table]

    def _keep(self, best: dict[int, Step], place: int, hit: Hit) -> None:
        if self.view.family[place] == FAMILIES.index("number") and not (hit.verdict or self._told_apart(place, hit)):
            return
        if hit.evidence.bridge is not None:  # its tables are steps of their own
            return
        other = int(self.view.table_ids[self._place(hit.column)])
        if other not in best or best[other].probability < hit.probability:
            best[other] = Step(self.view.ref(place), hit.column, hit.probability, hit.evidence)

    def _told_apart(self, place: int, hit: Hit) -> bool:
        """Whether a join of numbers is sure enough: by its probability, and by names that say so."""
        left, right = self.view.names[place], hit.column.column
        named = name_similarity(left, right) > 0 or (says_identifier(left) and says_identifier(right))
        return named and hit.probability >= SURE_NUMBERS

    def _routes(self, start: int, goal: int, hops: int) -> list[tuple[Step, ...]]:
        ahead = self.joins_of(start)
        back = {table: self._turned(step) for table, step in self.joins_of(goal).items()}
        routes: list[tuple[Step, ...]] = []
        direct = [step for step in (ahead.get(goal), back.get(start)) if step is not None]
        if direct:
            routes.append((max(direct, key=lambda step: step.probability),))
        if hops >= 2:
            routes += [(ahead[table], back[table]) for table in ahead.keys() & back.keys() - {start, goal}]
        if hops == 3 and len(routes) < 3:
            routes += self._long_routes(start, goal, ahead, back)
        return routes

    def _long_routes(
        self, start: int, goal: int, ahead: dict[int, Step], back: dict[int, Step]
    ) -> list[tuple[Step, ...]]:
        near = sorted(ahead, key=lambda table: -ahead[table].probability)[:FAN_OUT]
        routes: list[tuple[Step, ...]] = []
        for first in near:
            for second, middle in self.joins_of(first).items():
                if second in back and second not in (start, goal, first) and first != goal:
                    routes.append((ahead[first], middle, back[second]))
        return routes

    def _id(self, table: str) -> int:
        return int(self.view.table_ids[self.view.table_places(table)[0]])

    def _path(self, steps: Sequence[Step]) -> JoinPath:
        probability = float(np.prod([step.probability for step in steps]))
        return JoinPath(tuple(steps), round(probability, 4), *self._sql(steps))

    def _sql(self, steps: Sequence[Step]) -> tuple[str, tuple[str, ...]]:
        """The joins in SQL, and what there is to say of it."""
        sources = [self.view.source(self._place(column)) for column in (steps[0].left, *(s.right for s in steps))]
        conditions = []
        for number, step in enumerate(steps):
            query, place = query_of_place(self.view, self._place(step.left)), self._place(step.right)
            held = held_cells(query, place)
            conditions.append(condition_of(query, place, held, (f"t{number}", f"t{number + 1}")))
        notes = [*(note for each in conditions for note in each.notes), *(n for each in sources for n in each.notes)]
        made = sql.chain((source.sql for source in sources), (each.sql for each in conditions))
        return made, tuple(dict.fromkeys(notes))

    def _place(self, column: ColumnRef) -> int:
        return int(self.view.generation.places(np.array([column.id]))[0])

    def _turned(self, step: Step) -> Step:
        """The same join seen from the other side."""
        e = step.evidence
        flipped: dict[str, str] = {"1:1": "1:1", "1:n": "n:1", "n:1": "1:n", "n:m": "n:m"}
        explosion = round(e.join_rows / max(int(self.view.rows[self._place(step.right)]), 1), 3)
        evidence = Evidence(
            e.overlap, e.reverse_containment, e.containment, e.jaccard, flipped[e.cardinality],  # type: ignore[arg-type]
            e.join_rows, explosion, e.matched, (), e.error, e.cosine,
        )  # fmt: skip
        return Step(step.right, step.left, step.probability, evidence)


def _best_first(path: JoinPath) -> tuple[float, int, float, str]:
    """Likelier and shorter paths first; among those about as likely the one whose columns hold most in common."""
    common = float(np.prod([step.evidence.jaccard for step in path.steps]))
    return -round(path.probability, 1), len(path.steps), -common, str(path.steps)
