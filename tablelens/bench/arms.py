"""Ways to rank the columns of a lake for a query: the four modes of tablelens, and re-ranked vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from tablelens.bench.ground import Ground
from tablelens.bench.pack import PackQuery
from tablelens.discover.candidates import propose
from tablelens.discover.joins import Request, allowed_columns
from tablelens.types import Mode


class Arm(Protocol):
    """One way to rank."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def rank(self, query: PackQuery, k: int, pool: str) -> list[int]:
        """Column ids of the pack, about the k best, best first. Baselines rank the truth's candidates alone."""
        ...


@dataclass(frozen=True, slots=True)
class ModeArm:
    """A mode of ``Lake.joins``, over the whole lake, with all that an answer holds."""

    ground: Ground
    mode: Mode
    threshold: float = 0.0
    """Least probability of a hit in mode auto; 0 ranks on to the k-th."""

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"{self.mode}, as shown" if self.threshold else self.mode

    def rank(self, query: PackQuery, k: int, pool: str) -> list[int]:
        """The hits' column ids."""
        ground = self.ground
        answer = ground.lake.joins_at(ground.place_of[query.cid], k=k, mode=self.mode, threshold=self.threshold)
        return ground.cids_of(answer)


@dataclass(frozen=True, slots=True)
class OutsideArm:
    """A mode that is asked with the query's file, as if the lake did not hold it: nothing of the catalogue helps."""

    ground: Ground
    files: Path
    mode: Mode

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"{self.mode}, from outside"

    def rank(self, query: PackQuery, k: int, pool: str) -> list[int]:
        """The hits' column ids; those of the query's own table, which the lake does hold, come with them."""
        ground, place = self.ground, self.ground.place_of[query.cid]
        view = ground.view
        path, own = self.files / view.value("table", place), len(view.places_of(int(view.table_ids[place])))
        answer = ground.lake.joins_of_file(path, view.value("column", place), k=k + own, mode=self.mode, threshold=0.0)
        return ground.cids_of(answer)


@dataclass(frozen=True, slots=True)
class RerankArm:
    """The first ``depth`` of mode deepjoin in the order of exact containment: what verification adds."""

    ground: Ground
    depth: int = 200

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"deepjoin, re-ranked {self.depth}"

    def rank(self, query: PackQuery, k: int, pool: str) -> list[int]:
        """Candidates of the vectors, ordered by what was counted."""
        asked = self.ground.query(query)
        request = Request(k=self.depth, mode="deepjoin")
        if asked.vector is None:
            return []
        counted = propose(asked, request, allowed_columns(asked, request), self.depth).counted
        order = np.lexsort((counted.places, -counted.jaccard, -counted.containment))
        return self.ground.cids_at(counted.places[order][:k])
