"""Vectors of language models, kept beside the crawled lake: a run that is cut off goes on where it was.

work/vectors/REVISION/00000.npz    keys, vectors and seconds of some columns, by what was encoded
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tablelens.encoders.base import ColumnEncoder
from tablelens.pipeline.texts import contents_of
from tablelens.types import ColumnText, Vectors


@dataclass
class KeptVectors:
    """The vectors of one encoder in a folder; ``seconds`` is the processor time of making them, in whichever run."""

    encoder: ColumnEncoder
    folder: Path
    seconds: float = 0.0
    _known: dict[int, Vectors] = field(default_factory=dict)
    _files: int = 0

    @classmethod
    def open(cls, encoder: ColumnEncoder, folder: Path) -> KeptVectors:
        """What an earlier run left, or nothing."""
        kept = cls(encoder, folder / encoder.revision[:16])
        kept.folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(kept.folder.glob("*.npz")):
            with np.load(path, allow_pickle=False) as file:
                kept._take(file["keys"].tolist(), file["vectors"], float(file["seconds"]))
        return kept

    def __len__(self) -> int:
        return len(self._known)

    def encode(self, texts: Sequence[ColumnText]) -> Vectors:
        """Vectors of columns, float32 (n, d); those that are new are written before they are given."""
        keys = contents_of(texts, self.encoder)
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if fresh:
            start = time.process_time()
            vectors = self.encoder.encode(list(fresh.values()))
            self._write(list(fresh), vectors, time.process_time() - start)
        return np.stack([self._known[key] for key in keys])

    def _write(self, keys: list[int], vectors: Vectors, seconds: float) -> None:
        path = self.folder / f"{self._files:05}.npz"
        partial = path.with_suffix(".tmp")
        with partial.open("wb") as file:
            np.savez(file, keys=np.array(keys, np.uint64), vectors=vectors, seconds=seconds)
        partial.replace(path)
        self._take(keys, vectors, seconds)

    def _take(self, keys: list[int], vectors: Vectors, seconds: float) -> None:
        self._known.update(zip(keys, vectors, strict=True))
        self.seconds += seconds
        self._files += 1
