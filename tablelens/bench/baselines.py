"""What a ranking has to beat: exact overlap, the same name, LSH Ensemble, vectors of untuned language models.

Those that compare sets of 3-grams and of words are in ``jaccard``.

All of them rank the candidates of the truth alone, which makes it easier for them than for the modes.
"""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tablelens.bench.ground import Ground
from tablelens.bench.kept import KeptVectors
from tablelens.bench.pack import PackQuery, folded
from tablelens.discover.evidence import count
from tablelens.encoders.sentence import SentenceEncoder, check_folder, find_folder
from tablelens.errors import MissingExtra
from tablelens.pipeline.texts import column_texts
from tablelens.progress import Progress
from tablelens.settings import Settings
from tablelens.types import Hashes, Ids, Vectors

PERMUTATIONS, PARTITIONS = 128, 32
ENCODE_BATCH = 512


@dataclass(frozen=True)
class OverlapArm:
    """The oracle of equi-joins: containment counted on every candidate, ties by Jaccard."""

    ground: Ground
    name: str = "exact overlap"

    def rank(self, query: PackQuery, k: int, pool: str) -> list[int]:
        """Candidates by falling containment."""
        asked = self.ground.query(query)
        postings = self.ground.view.generation.postings
        places = postings.overlaps(asked.places, k, self.ground.rivals(query, pool).__getitem__).columns
        return by_containment(self.ground, query, places)[:k]


@dataclass(frozen=True)
class NameArm:
    """Columns that are called as the query is, in the order of the lake."""

    ground: Ground
    name: str = "same column name"

    @cached_property
    def _places(self) -> dict[str, Ids]:
        names = np.array([folded(name) for name in self.ground.view.names], object)
        order = np.argsort(names, kind="stable")
        starts = np.flatnonzero(np.append(True, names[order][1:] != names[order][:-1]))
        return {str(names[run[0]]): run for run in np.split(order, starts[1:])}

    def rank(self, query: PackQuery, k: int, pool: str) -> list[int]:
        """Candidates of that name."""
        places = self._places[folded(self.ground.view.names[self.ground.place_of[query.cid]])]
        return self.ground.cids_at(places[self.ground.rivals(query, pool)[places]][:k])


@dataclass
class EnsembleArm:
    """LSH Ensemble (Zhu et al., PVLDB 9(12) 2016), as in datasketch; what it gives is ranked by exact containment."""

    ground: Ground
    threshold: float
    sketches: Sketches
    build_seconds: float = 0.0
    _index: Any = None

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"LSH Ensemble {self.threshold:g}"

    def build(self) -> None:
        """Index all candidates; ``build_seconds`` counts sketching too."""
        library, entries = datasketch(), self.sketches.entries()
        start = time.process_time()
        self._index = library.MinHashLSHEnsemble(self.threshold, num_perm=PERMUTATIONS, num_part=PARTITIONS)
        self._index.index(entries)
        self.build_seconds = time.process_time() - start + self.sketches.seconds

    def rank(self, query: PackQuery, k: int, pool: str) -> list[int]:
        """Candidates that the index gives, by falling containment."""
        place = self.ground.place_of[query.cid]
        hashes = self.ground.view.generation.postings.hashes_of(place)
        if not len(hashes):
            return []
        found = np.fromiter(set(self._index.query(self.sketches.of(hashes), len(hashes))), np.int64)
        rivals = self.ground.rivals(query, pool)
        return by_containment(self.ground, query, np.sort(found[rivals[found]]))[:k]


@dataclass
class Sketches:
    """MinHash sketches of all candidates, made once for every threshold."""

    ground: Ground
    progress: Progress
    seconds: float = 0.0
    _made: list[tuple[int, Any, int]] = field(default_factory=list)

    @cached_property
    def _empty(self) -> Any:
        return datasketch().MinHash(num_perm=PERMUTATIONS, hashfunc=int)

    def entries(self) -> list[tuple[int, Any, int]]:
        """(place, sketch, size) of each candidate, made when they are first asked for."""
        if not self._made:
            self._make()
        return list(self._made)

    def clear(self) -> None:
        """Give the memory back."""
        self._made.clear()

    def _make(self) -> None:
        start = time.process_time()
        places = np.flatnonzero(self.ground.pools["text"] | self.ground.pools["key"])
        postings = self.ground.view.generation.postings
        self.progress.start("sketch", len(places), 0)
        for place in places.tolist():
            hashes = postings.hashes_of(place)
            if len(hashes):
                self._made.append((place, self.of(hashes), len(hashes)))
            self.progress.advance(1, 0)
        self.progress.end()
        self.seconds = time.process_time() - start

    def of(self, hashes: Hashes) -> Any:
        """The sketch of a set. The values are hashed already: their low half serves as datasketch's 32-bit hash."""
        sketch = self._empty.copy()
        sketch.update_batch((hashes & np.uint64(0xFFFFFFFF)).tolist())
        return sketch


@dataclass
class SentenceArm:
    """Cosine of an untuned sentence-transformers model on the template title-colname-stat-col."""

    ground: Ground
    name: str
    folder: Path
    progress: Progress
    build_seconds: float = 0.0
    made: int = 0
    """Columns that ``build_seconds`` went into: those that are alike are encoded once."""
    _places: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    _matrix: Vectors = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def build(self, queries: Ids) -> None:
        """Encode all candidates and the queries; what an earlier run on the same work folder encoded is taken.

        Raises:
            MissingExtra: sentence-transformers is not installed.
            EncoderError: the folder holds no model.
        """
        encoder = SentenceEncoder(str(self.folder))
        kept = KeptVectors.open(encoder, self.ground.lake.home.parent / "vectors")
        view, settings = self.ground.view, Settings()
        pool = np.flatnonzero(self.ground.pools["text"] & view.usable)
        self._places = np.union1d(pool, queries)
        self._matrix = np.empty((len(self._places), encoder.dimension), np.float32)
        self.progress.start(self.name, len(self._places), 0)
        for first in range(0, len(self._places), ENCODE_BATCH):
            batch = self._places[first : first + ENCODE_BATCH]
            texts = column_texts(view.generation.columns, batch, view.generation.postings, encoder.max_tokens, settings)
            self._matrix[first : first + len(batch)] = kept.encode(texts)
            self.progress.advance(len(batch), 0)
        self.progress.end()
        self.build_seconds, self.made = kept.seconds, len(kept)

    def rank(self, query: PackQuery, k: int, pool: str) -> list[int]:
        """Candidates by falling cosine."""
        row = np.searchsorted(self._places, self.ground.place_of[query.cid])
        scores = self._matrix @ self._matrix[row]
        scores[~self.ground.rivals(query, pool)[self._places]] = -np.inf
        order = np.argsort(-scores, kind="stable")[:k]
        return self.ground.cids_at(self._places[order[np.isfinite(scores[order])]])


def by_containment(ground: Ground, query: PackQuery, places: Ids) -> list[int]:
    """Column ids at places by falling exact containment, ties by Jaccard."""
    counted = count(ground.query(query), places)
    order: npt.NDArray[np.int64] = np.lexsort((places, -counted.jaccard, -counted.containment))
    return ground.cids_at(places[order])


def check_model(folder: Path) -> None:
    """See that a model can be loaded, before the long part.

    Raises:
        MissingExtra: sentence-transformers is not installed.
        EncoderError: the folder holds no model.
    """
    if importlib.util.find_spec("sentence_transformers") is None:
        raise MissingExtra.of("sentence-transformers", "models", "the baseline of a language model")
    check_folder(find_folder(str(folder)))


def datasketch() -> Any:
    """The module datasketch.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import datasketch as library
    except ImportError as error:
        raise MissingExtra.of("datasketch", "bench", "the LSH Ensemble baseline") from error
    return library
