"""Static encoders: what a column's words mean, and which values it holds, without a neural network at run time.

A column's vector has two parts:

- **semantic** (128): the weighted mean of static token vectors over its cells. The token vectors were distilled from
  all-MiniLM-L6-v2 (``tablelens.training.distil``), and then trained on joins (``tablelens.training.static``). A cell of
  token weights w counts |w|^-1.25 times, so that long cells do not outshout short ones.
- **identity** (384): each value hash adds its weight to one of 384 buckets or takes it away; the inner product of two
  such vectors estimates how many values are shared (feature hashing, Weinberger et al., ICML 2009). A value weighs
  log(1 + df), df being the number of the lake's columns that hold it, for a value that no other column holds can only
  add noise; and a bucket's count is taken to the power .7, which tames the buckets of large columns.

Each part has length 1 before they are joined, in shares of the squared length. As a *query* the whole has length 1. As
a *candidate* it has length distinct^p e^f: containment favours large columns and cosine does not, so the candidate's
vector carries its size into the inner product. The exponent is below the 0.5 that undoes |X| in |Q and X| /
sqrt(|Q| |X|), because the noise of the buckets grows with |X| too; f is a small network over facts of the column
(``facts``), in an encoder that was trained.

The order of cells and of values has no part in the vector, to the last bit: counts are added as integers, and token
vectors in the order of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tablelens.encoders.bags import Bagger, Bags
from tablelens.encoders.static_files import CONFIG, TOKENIZER, WEIGHTS, StaticConfig, StaticWeights, read_static
from tablelens.types import ColumnText, Hashes, Vectors

__all__ = ["CONFIG", "TOKENIZER", "WEIGHTS", "StaticConfig", "StaticEncoder", "StaticWeights"]

DEEPJOIN = "deepjoin-static"
SHIPPED = Path(__file__).parent / "deepjoin"
"""Its folder: ``benchmarks/make_weights.py`` made it."""
CHUNK = 1024
"""Columns that are encoded at a time; it bounds memory and has no part in the vectors."""
LEAST, MOST = -6.0, 6.0
"""Bounds of the logarithm of what a candidate's length has beyond distinct^p."""

Floats = npt.NDArray[np.float64]


class StaticEncoder:
    """Static token vectors and hashed values behind the ``ColumnEncoder`` protocol. Safe to share between threads.

    >>> encoder = StaticEncoder()
    >>> fruit = ColumnText("", "fruit", ("apple", "pear"), np.array([3, 7], np.uint64), 2)
    >>> encoder.encode_queries([fruit]).shape
    (1, 512)

    Args:
        folder: holds ``config.json``, ``model.safetensors`` and ``tokenizer.json``; None takes the shipped one.
        name: under which ``load_encoder`` finds it again; None means ``deepjoin-static``, or the folder given.

    Raises:
        EncoderError: a file is missing, damaged, or does not fit the others.
    """

    max_tokens = 8192
    """Every cell that a profile keeps is seen."""

    def __init__(self, folder: Path | None = None, name: str | None = None) -> None:
        self.folder = SHIPPED if folder is None else Path(folder)
        self.name = name or (DEEPJOIN if folder is None else str(self.folder))
        self.config, self.weights, tokenizer, self.revision = read_static(self.folder)
        self.dimension = self.config.semantic + self.config.identity
        lake = ("commonness",) if self.config.by_frequency else ()
        self.reads: tuple[str, ...] = ("cells", "values", "distinct", *lake)
        weights = np.append(self.weights.weights, np.float32(0))
        self.bagger = Bagger(tokenizer, weights, self.config.cell_exponent)
        self._numbers = number_tokens(tokenizer.get_vocab(), len(weights))

    @property
    def semantic(self) -> slice:
        """The dimensions of the semantic part: ``vectors[:, encoder.semantic]``."""
        return slice(0, self.config.semantic)

    @property
    def token_vectors(self) -> npt.NDArray[np.float32]:
        """The vector of each token, float32 (V, semantic)."""
        return self.weights.tokens

    @property
    def pieces(self) -> list[str]:
        """The WordPiece vocabulary, in the order of ``token_vectors``."""
        known = self.bagger.tokenizer.get_vocab(with_added_tokens=False)
        return sorted(known, key=known.__getitem__)

    def encode(self, columns: Sequence[ColumnText]) -> Vectors:
        """Candidate vectors, float32 (n, d): those of the query, at a length of their own."""
        return self._encode(columns, lengths=True)

    def encode_queries(self, columns: Sequence[ColumnText]) -> Vectors:
        """Query vectors, float32 (n, d): length 1, or 0 for a column that holds nothing."""
        return self._encode(columns, lengths=False)

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """The semantic part alone of texts, float32 (n, 128): length 1, or 0 where no token is known."""
        parts = [self.bagger.bags([(text,) for text in texts[i : i + CHUNK]]) for i in range(0, len(texts), CHUNK)]
        none = np.zeros((0, self.config.semantic), np.float32)
        return np.concatenate([none, *(unit(bag_sums(part, self.weights.tokens)) for part in parts)])

    def encode_text_queries(self, texts: Sequence[str]) -> Vectors:
        """Texts as query vectors, float32 (n, d): the semantic part of length 1, the identity part 0."""
        rows = np.zeros((len(texts), self.dimension), np.float32)
        rows[:, self.semantic] = self.encode_text(texts)
        return rows

    def identity(self, columns: Sequence[ColumnText]) -> Vectors:
        """The identity part alone, float32 (n, identity): length 1, or 0 for a column without values."""
        rows = np.zeros((len(columns), self.config.identity), np.float32)
        for row, column in zip(rows, columns, strict=True):
            counts = hashed(column.values, self.config.identity, self._worth(column))
            row[:] = np.sign(counts) * np.abs(counts) ** self.config.identity_power
        return unit(rows)

    def facts(self, columns: Sequence[ColumnText], bags: Bags) -> Floats:
        """What a candidate's length depends on, (n, 7): see ``facts``."""
        return facts(columns, bags, self._numbers)

    def _encode(self, columns: Sequence[ColumnText], lengths: bool) -> Vectors:
        rows = np.zeros((len(columns), self.dimension), np.float32)
        share = self.config.semantic_share
        for start in range(0, len(columns), CHUNK):
            batch = columns[start : start + CHUNK]
            part = rows[start : start + CHUNK]
            bags = self.bagger.bags([column.cells for column in batch])
            part[:, self.semantic] = np.sqrt(share) * unit(bag_sums(bags, self.weights.tokens))
            part[:, self.config.semantic :] = np.sqrt(1 - share) * self.identity(batch)
            part[:] = unit(part)  # where one part is missing the other takes all of the length
            if lengths:
                part *= self._lengths(batch, bags).astype(np.float32)[:, None]
        return rows

    def _lengths(self, columns: Sequence[ColumnText], bags: Bags) -> Floats:
        sizes = np.array([max(column.distinct, 1) for column in columns], np.float64)
        made: Floats = sizes**self.config.size_exponent
        if self.weights.length is None:
            return made
        first, bias, last, shift = (array.astype(np.float64) for array in self.weights.length)
        # sums by broadcasting: a matrix product may differ in the last bit between batches
        hidden = np.tanh((self.facts(columns, bags)[:, :, None] * first).sum(1) + bias)
        return np.asarray(made * np.exp(np.clip((hidden * last).sum(1) + shift, LEAST, MOST)))

    def _worth(self, column: ColumnText) -> npt.NDArray[np.float64] | None:
        if column.commonness is None or not self.config.by_frequency:
            return None
        return column.commonness.astype(np.float64)


def facts(columns: Sequence[ColumnText], bags: Bags, numbers: npt.NDArray[np.bool_]) -> Floats:
    """Seven facts of a column that say how far its vector can be trusted, float64 (n, 7).

    In order: the logarithms of distinct values, of distinct tokens, and of the mass of a cell; the share of the mass
    that tokens of digits have; the logarithm of the mean length of a cell in characters; distinct tokens a cell; 1
    where not all values are kept as cells.
    """
    cells = np.array([max(len(column.cells), 1) for column in columns], np.float64)
    letters = np.array([sum(map(len, column.cells)) for column in columns], np.float64) / cells
    distinct = np.array([max(column.distinct, 1) for column in columns], np.float64)
    kinds = np.diff(bags.starts).astype(np.float64)
    owner = np.repeat(np.arange(len(columns)), np.diff(bags.starts))
    mass = np.bincount(owner, bags.counts, len(columns))
    digits = np.bincount(owner, bags.counts * numbers[bags.tokens], len(columns)) / np.maximum(mass, 1e-6)
    table = [
        np.log(distinct), np.log1p(kinds), np.log1p(mass) - np.log1p(cells),
        digits, np.log1p(letters), kinds / cells, distinct > cells,
    ]  # fmt: skip
    return np.stack([np.asarray(column, np.float64) for column in table], 1)


def number_tokens(vocabulary: dict[str, int], count: int) -> npt.NDArray[np.bool_]:
    """Which tokens are digits alone, bool (count,)."""
    found = np.zeros(count, bool)
    found[[place for token, place in vocabulary.items() if token.removeprefix("##").isdecimal()]] = True
    return found


def bag_sums(bags: Bags, tokens: npt.NDArray[np.float32]) -> Vectors:
    """Sum of token vectors times counts by column, float32 (n, semantic), in the order of the vocabulary."""
    rows = np.zeros((len(bags), tokens.shape[1]), np.float32)
    starts = bags.starts.tolist()
    for place, (left, right) in enumerate(pairwise(starts)):
        if right > left:
            rows[place] = bags.counts[left:right] @ tokens[bags.tokens[left:right]]
    return rows


def hashed(values: Hashes, dimension: int, worth: npt.NDArray[np.float64] | None = None) -> npt.NDArray[np.float64]:
    """Signed bucket counts (dimension,). Low bits choose, for a sketch keeps hashes whose high bits are 0."""
    low = values & np.uint64(0xFFFFFFFF)
    places = (low * np.uint64(2 * dimension)) >> np.uint64(32)  # 0 … 2 dimension - 1, each as likely
    counts = np.bincount(places.astype(np.int64), worth, minlength=2 * dimension).astype(np.float64)
    return counts[:dimension] - counts[dimension:]


def unit(rows: Vectors) -> Vectors:
    """Rows at length 1; a zero row stays zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    made: Vectors = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return made
