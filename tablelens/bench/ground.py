"""The crawled lake beside its pack: which column of the one is which of the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tablelens.bench.pack import Pack, PackQuery
from tablelens.discover.evidence import Query
from tablelens.discover.query import query_of_place
from tablelens.discover.view import LakeView, Mask
from tablelens.errors import UnknownTable
from tablelens.lake import Lake
from tablelens.types import Answer, Ids


@dataclass(frozen=True)
class Ground:
    """A pack, the lake crawled from it, and where each table lies in it."""

    pack: Pack
    lake: Lake
    paths: dict[str, str]

    @property
    def view(self) -> LakeView:
        """The lake as discovery looks at it."""
        return self.lake.view

    @cached_property
    def place_of(self) -> dict[int, int]:
        """Place in the view by column id of the pack; columns that the crawl could not read are missing."""
        found = {}
        tables: dict[str, Ids] = {}
        for cid, column in self.pack.columns.items():
            if column.table not in tables:
                tables[column.table] = self._places(self.paths.get(column.table, ""))
            places = tables[column.table]
            if column.position < len(places):
                found[cid] = int(places[column.position])
        return found

    @cached_property
    def cids(self) -> Ids:
        """Column id of the pack by place, -1 where the pack has none."""
        cids = np.full(len(self.view), -1, np.int64)
        cids[list(self.place_of.values())] = list(self.place_of)
        return cids

    @cached_property
    def pools(self) -> dict[str, Mask]:
        """Candidates of the truth on text and on keys, by place."""
        masks = {kind: np.zeros(len(self.view), bool) for kind in ("text", "key")}
        for cid, place in self.place_of.items():
            masks["text"][place] = self.pack.columns[cid].text
            masks["key"][place] = self.pack.columns[cid].key
        return masks

    def query(self, query: PackQuery) -> Query:
        """A query of the pack as discovery takes it."""
        return query_of_place(self.view, self.place_of[query.cid])

    def rivals(self, query: PackQuery, pool: str) -> Mask:
        """Candidates of other tables than the query's."""
        place = self.place_of[query.cid]
        return np.asarray(self.pools[pool] & (self.view.table_ids != self.view.table_ids[place]))

    def cids_at(self, places: npt.NDArray[np.integer]) -> list[int]:
        """Column ids of the pack at places."""
        return self.cids[places].tolist()  # type: ignore[no-any-return]

    def cids_of(self, answer: Answer) -> list[int]:
        """Column ids of the pack of an answer's hits."""
        return self.cids_at(self.view.generation.places(np.array([hit.column.id for hit in answer.hits], np.int64)))

    def _places(self, path: str) -> Ids:
        try:
            return self.view.table_places(path)
        except UnknownTable:  # a file that could not be read
            return np.empty(0, np.int64)
