"""The columns that a training learns from, which pairs of them join, and which are kept aside for validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import xxhash

from tablelens.errors import TrainingError
from tablelens.training.config import TrainConfig
from tablelens.training.mine import Pairs
from tablelens.types import ColumnText

LEAST_QUERIES = 20
"""Columns with a positive partner, in training and in validation each at least a fifth of this."""
PARTNERS = 60
"""Best partners of a query that positives are drawn from."""

Mask = npt.NDArray[np.bool_]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Corpus:
    """Text columns of a lake with the tables and split groups that they belong to, and all joinable pairs."""

    columns: Sequence[ColumnText]
    tables: Longs
    groups: Sequence[str]
    """Name of what a column is split by: its table, or its first folder."""
    pairs: Pairs

    def __len__(self) -> int:
        return len(self.columns)

    @cached_property
    def sizes(self) -> npt.NDArray[np.float32]:
        """Distinct values by column, at least 1."""
        return np.array([max(column.distinct, 1) for column in self.columns], np.float32)

    def fingerprint(self) -> str:
        """A digest of columns, split groups and pairs: a checkpoint of another corpus is not gone on with."""
        digest = xxhash.xxh3_128()
        for column, group in zip(self.columns, self.groups, strict=True):
            digest.update(f"{group}\0{column.name}\0{column.distinct}\0".encode("utf-8", "surrogatepass"))
            digest.update(column.values.tobytes())
        for array in (self.pairs.starts, self.pairs.partners, self.pairs.joinability):
            digest.update(array.tobytes())
        return digest.hexdigest()

    def joinability(self, query: int, candidates: Longs) -> npt.NDArray[np.float32]:
        """How far the query joins with each candidate, 0 below the least that was mined; shape of ``candidates``."""
        partners, joined = self.pairs.of(query)
        if not len(partners):
            return np.zeros(len(candidates), np.float32)
        at = np.minimum(np.searchsorted(partners, candidates), len(partners) - 1)
        return np.where(partners[at] == candidates, joined[at], np.float32(0))


@dataclass(frozen=True)
class Split:
    """Which columns train and which validate, and the queries of both."""

    validating: Mask
    queries: Longs
    """Training columns with a positive among training columns."""
    validation: Longs
    """Validation columns with a positive among validation columns."""
    weights: npt.NDArray[np.float64]
    """How often each of ``queries`` is drawn; they sum to 1."""


def split(corpus: Corpus, config: TrainConfig) -> Split:
    """Keep whole tables (or folders) aside, and weigh the queries so that hubs and large groups do not dominate.

    Raises:
        TrainingError: too few columns join, or all of them lie in one group.
    """
    names = sorted(set(corpus.groups))
    if len(names) < 2:
        raise TrainingError(
            f"all {len(corpus):,} text columns lie in one {config.split}",
            "crawl more tables" if config.split == "table" else "split by table: --split table",
        )
    aside = _drawn(names, config)
    validating = np.array([group in aside for group in corpus.groups])
    pairs, floor = corpus.pairs, floor_of(config)
    strong = pairs.joinability >= floor
    source, target = pairs.queries, pairs.partners

    def partners(mask: Mask) -> Longs:
        both = strong & mask[source] & mask[target]
        return np.bincount(source[both], minlength=len(corpus))

    reach = partners(~validating)
    queries, validation = np.flatnonzero(reach), np.flatnonzero(partners(validating))
    few = min(len(queries), 5 * len(validation))
    if few < LEAST_QUERIES:
        raise TrainingError(
            f"too few joins to learn from: {len(queries):,} columns have a partner at joinability {floor:g} or more "
            f"among the training tables, {len(validation):,} among those kept aside",
            f"at least {LEAST_QUERIES} and {LEAST_QUERIES // 5} are needed: crawl more, lower --least, or raise "
            "--validation",
        )
    return Split(validating, queries, validation, _weights(corpus, queries, reach))


def floor_of(config: TrainConfig) -> float:
    """Joinability from which a partner is a positive: ``least``, less for graded joinability, which knows degrees."""
    return min(config.least, 0.3) if config.loss == "listwise" else config.least


def _drawn(names: Sequence[str], config: TrainConfig) -> frozenset[str]:
    """The groups kept aside: at least one, by a hash that does not depend on which others there are."""
    order = sorted(names, key=lambda name: xxhash.xxh3_64_intdigest(name.encode("utf-8", "surrogatepass"), config.seed))
    return frozenset(order[: max(1, round(config.validation * len(order)))])


def _weights(corpus: Corpus, queries: Longs, reach: Longs) -> npt.NDArray[np.float64]:
    """1 / sqrt of the partners a query has, times 1 / sqrt of the queries that its folder has.

    Drawn evenly, a clique of n columns that all join would give n² of the pairs.
    """
    folders = ["/".join(group.split("/")[:2]) for group in corpus.groups]
    places = np.unique(folders, return_inverse=True)[1][queries]
    weights = 1 / np.sqrt(reach[queries] * np.bincount(places)[places])
    return np.asarray(weights / weights.sum())
