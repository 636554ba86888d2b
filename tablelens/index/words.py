"""Words of the tables: BM25 (Robertson & Zaragoza 2009, by bm25s) over titles, column names and values."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Self

import bm25s
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tablelens.profile.names import parts_of
from tablelens.types import Ids

FOLDER = "words"
VALUES = 40
"""Cells of a column that count towards its table's words."""
WORD_SCORES = pa.schema([("word", pa.string()), ("tables", pa.list_(pa.int64())), ("scores", pa.list_(pa.float32()))])
_COMMON = frozenset("a an and are as at be by for from in is it of on or that the this to was with".split())  # noqa: SIM905


def words_of(text: str) -> list[str]:
    """Words of a name or a cell, folded, plural endings off.

    >>> words_of("IATA airportCodes, 2nd edition")
    ['iata', 'airport', 'code', '2', 'nd', 'edition']
    """
    return [_stem(word) for word in parts_of(text) if word not in _COMMON]


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


class WordIndex:
    """BM25 over the tables of a lake; a title's words count three times, a column name's twice."""

    def __init__(self, tables: Ids, index: bm25s.BM25 | None) -> None:
        self.tables = tables
        self._index = index

    @classmethod
    def build(cls, columns: pa.Table) -> Self:
        """From the columns of a generation."""
        documents: dict[int, list[str]] = {}
        fields = (columns[name].to_pylist() for name in ("table_id", "title", "table", "column", "family"))
        cells = columns["cells"]
        for place, (table, title, name, column, family) in enumerate(zip(*fields, strict=True)):
            if table not in documents:
                documents[table] = 3 * words_of(title) or words_of(name)
            documents[table] += 2 * words_of(column)
            if family == "text":
                documents[table] += words_of(" ".join(cells[place].as_py()[:VALUES]))
        corpus = [words or [""] for words in documents.values()]
        index = bm25s.BM25() if corpus else None
        if index is not None:
            index.index(corpus, show_progress=False)
        return cls(np.array(list(documents), np.int64), index)

    def scores(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        """BM25 score of each table, in the order of ``tables``."""
        known = [word for word in words if self._index is not None and word in self._index.vocab_dict]
        if not known:
            return np.zeros(len(self.tables), np.float32)
        assert self._index is not None
        return np.asarray(self._index.get_scores(known), np.float32)

    def by_word(self) -> pa.Table:
        """The index as a table: ``word``, and the ``scores`` of the ``tables`` that hold it."""
        if self._index is None:
            return pa.table({"word": [], "tables": [], "scores": []}, WORD_SCORES)
        sparse = self._index.scores
        starts = pa.array(np.asarray(sparse["indptr"], np.int32))
        places = sorted(self._index.vocab_dict.items(), key=itemgetter(1))[: len(starts) - 1]
        tables = pa.ListArray.from_arrays(starts, pa.array(self.tables[np.asarray(sparse["indices"])]))
        scores = pa.ListArray.from_arrays(starts, pa.array(np.asarray(sparse["data"], np.float32)))
        return pa.table([[word for word, _ in places], tables, scores], WORD_SCORES)

    def save(self, folder: Path) -> None:
        """Write the index into a folder of its own."""
        target = folder / FOLDER
        target.mkdir()
        np.save(target / "tables.npy", self.tables, allow_pickle=False)
        if self._index is not None:
            self._index.save(target, show_progress=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what ``save`` wrote."""
        source = folder / FOLDER
        tables = np.load(source / "tables.npy", allow_pickle=False)
        return cls(tables, bm25s.BM25.load(source, mmap=True) if len(tables) else None)
