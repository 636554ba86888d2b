"""The default encoder: what a column's words mean, and which values it holds, without a neural network at run time.

A column's vector has two parts:

- **semantic** (128): the weighted mean of static token vectors over its cells. The token vectors were distilled from
  all-MiniLM-L6-v2 (``tablelens.training.distil``). A cell of token weights w counts |w|^-1.25 times, so that long cells
  do not outshout short ones.
- **identity** (256): each value hash h adds +1 or -1 to one of 256 buckets; the inner product of two such vectors
  estimates the number of shared values (feature hashing, Weinberger et al., ICML 2009).

Each part has length 1 before they are joined in the shares .53 and .47 of the squared length. As a *query* the whole
has length 1. As a *candidate* it has length distinct^0.14: containment favours large columns and cosine does not, so
the candidate's vector carries its size into the inner product. The exponent is below the 0.5 that undoes |X| in
|Q and X| / sqrt(|Q| |X|), because the noise of the buckets grows with |X| too.

The order of cells and of values has no part in the vector, to the last bit: counts are added as integers, and token
vectors in the order of the vocabulary.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from tokenizers import Tokenizer

from tablelens.errors import EncoderError
from tablelens.types import ColumnText, Hashes, Vectors

FORMAT = 1
"""Counts up whenever the same weights would give other vectors."""
CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
SHIPPED = Path(__file__).parent / "weights"
CHUNK = 1024
"""Columns that are encoded at a time; it bounds memory and has no part in the vectors."""
BREAK = "\n"
"""Ends a cell, and stands between the words that the tokenizer is given many at a time."""
CHINESE = re.compile("([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")
WORD = re.compile(r"[^\W_]+|\n|[^\w\s]|_")
GRAIN = 1 << 20
"""Cell weights are added as multiples of 1/GRAIN, so that their sum does not depend on order."""

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StaticConfig:
    """The part of ``config.json`` that changes vectors; the rest of the file is for people."""

    semantic: int
    identity: int
    semantic_share: float
    """Share of the semantic part in the squared length, 0 to 1."""
    size_exponent: float
    cell_exponent: float
    files: dict[str, str]
    """File name to sha256."""

    @classmethod
    def parse(cls, raw: bytes, path: Path) -> Self:
        """Read and check.

        Raises:
            EncoderError: not JSON, of another format, a field missing or out of its range.
        """
        try:
            found: dict[str, Any] = json.loads(raw)
            if found["format"] != FORMAT:
                raise EncoderError(f"{path} has format {found['format']!r}, this tablelens reads {FORMAT}")
            config = cls(**{name: found[name] for name in cls.__slots__})
            files_named = set(config.files) == {WEIGHTS, TOKENIZER}
            sane = config.semantic > 0 and config.identity > 0 and 0 <= config.semantic_share <= 1 and files_named
            sane = sane and abs(config.size_exponent) <= 1 and abs(config.cell_exponent) <= 4
        except (ValueError, KeyError, TypeError) as error:
            raise EncoderError(f"{path} is not the config of a static encoder: {error!r}") from error
        if not sane:
            raise EncoderError(f"{path} holds values out of their range", "distil the weights again")
        return config


class StaticEncoder:
    """Static token vectors and hashed values behind the ``ColumnEncoder`` protocol. Safe to share between threads.

    >>> encoder = StaticEncoder()
    >>> fruit = ColumnText("", "fruit", ("apple", "pear"), np.array([3, 7], np.uint64), 2)
    >>> encoder.encode_queries([fruit]).shape
    (1, 384)
    >>> float(np.linalg.norm(encoder.encode([fruit])) / 2**0.14)  # doctest: +ELLIPSIS
    1.0...

    Args:
        folder: holds ``config.json``, ``model.safetensors`` and ``tokenizer.json``; None takes the shipped one.
        name: under which ``load_encoder`` finds it again; None means ``static``, or the folder given.

    Raises:
        EncoderError: a file is missing, damaged, or does not fit the others.
    """

    max_tokens = 8192
    """Every cell that a profile keeps is seen."""
    reads: tuple[str, ...] = ("cells", "values", "distinct")

    def __init__(self, folder: Path | None = None, name: str | None = None) -> None:
        place = SHIPPED if folder is None else Path(folder)
        self.name = name or ("static" if folder is None else str(place))
        raw = {file: _read(place / file) for file in (CONFIG, WEIGHTS, TOKENIZER)}
        self.config = StaticConfig.parse(raw[CONFIG], place / CONFIG)
        for file, digest in self.config.files.items():
            if hashlib.sha256(raw[file]).hexdigest() != digest:
                raise EncoderError(
                    f"{place / file} is damaged or of another version: its sha256 is not that in {CONFIG}",
                    "install tablelens again, or distil the weights again",
                )
        self.revision = _revision(raw)
        self.dimension = self.config.semantic + self.config.identity
        self.token_vectors, self._weights = _table(raw[WEIGHTS], self.config, place / WEIGHTS)
        self._tokenizer = _tokenizer(raw[TOKENIZER], len(self.token_vectors), place / TOKENIZER)

    @property
    def semantic(self) -> slice:
        """The dimensions of the semantic part: ``vectors[:, encoder.semantic]``."""
        return slice(0, self.config.semantic)

    @property
    def pieces(self) -> list[str]:
        """The WordPiece vocabulary, in the order of ``token_vectors``, float32 (pieces, semantic)."""
        known = self._tokenizer.get_vocab(with_added_tokens=False)
        return sorted(known, key=known.__getitem__)

    def encode(self, columns: Sequence[ColumnText]) -> Vectors:
        """Candidate vectors, float32 (n, 384): length distinct^0.14, or 0 for a column that holds nothing."""
        sizes = np.array([max(column.distinct, 1) for column in columns], np.float64)
        rows = self.encode_queries(columns)
        rows *= (sizes**self.config.size_exponent).astype(np.float32)[:, None]
        return rows

    def encode_queries(self, columns: Sequence[ColumnText]) -> Vectors:
        """Query vectors, float32 (n, 384): length 1, or 0 for a column that holds nothing."""
        rows = np.zeros((len(columns), self.dimension), np.float32)
        share = self.config.semantic_share
        for start in range(0, len(columns), CHUNK):
            batch = columns[start : start + CHUNK]
            part = rows[start : start + CHUNK]
            part[:, self.semantic] = np.sqrt(share) * self._meaning([column.cells for column in batch])
            for row, column in zip(part[:, self.config.semantic :], batch, strict=True):
                row[:] = _hashed(column.values, self.config.identity)
            part[:, self.config.semantic :] = np.sqrt(1 - share) * _unit(part[:, self.config.semantic :])
        return _unit(rows)  # where one part is missing the other takes all of the length

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """The semantic part alone of texts, float32 (n, 128): length 1, or 0 where no token is known."""
        return np.concatenate(
            [np.zeros((0, self.config.semantic), np.float32)]
            + [self._meaning([(text,) for text in texts[i : i + CHUNK]]) for i in range(0, len(texts), CHUNK)]
        )

    def encode_text_queries(self, texts: Sequence[str]) -> Vectors:
        """Texts as query vectors, float32 (n, 384): the semantic part of length 1, the identity part 0."""
        rows = np.zeros((len(texts), self.dimension), np.float32)
        rows[:, self.semantic] = self.encode_text(texts)
        return rows

    def _meaning(self, columns: Sequence[Sequence[str]]) -> Vectors:
        """Columns of cells to unit vectors (n, semantic)."""
        column_of_cell = np.repeat(np.arange(len(columns)), [len(column) for column in columns])
        flat = split_words(list(chain.from_iterable(columns)))
        places = {word: place for place, word in enumerate(dict.fromkeys([BREAK, *flat]))}
        words = np.fromiter(map(places.__getitem__, flat), np.int64, len(flat))
        ends = words == 0
        words, cell_of_word = words[~ends], (np.cumsum(ends) - ends)[~ends]

        tokens, starts, counts = self._tokenize(list(places))  # of each distinct word
        word_of_token = np.repeat(np.arange(len(places)), counts + 1)
        squares = np.bincount(word_of_token, self._weights[tokens] ** 2, minlength=len(places))
        masses = np.bincount(cell_of_word, squares[words], minlength=len(column_of_cell))  # |w|² of each cell
        worth = np.zeros(len(column_of_cell))
        np.power(masses, -self.config.cell_exponent / 2, where=masses > 0, out=worth)
        grains = np.rint(worth * GRAIN).astype(np.int64)

        spread = counts[words]  # words to their tokens
        token = tokens[_ranges(starts[words], spread)]
        cell = np.repeat(cell_of_word, spread)
        return _unit(self._sums(column_of_cell[cell], token, grains[cell], len(columns)))

    def _sums(self, column: Longs, token: Longs, grains: Longs, count: int) -> Vectors:
        """Sum of token vectors times grains by column, (count, semantic), in the order of the vocabulary."""
        rows = np.zeros((count, self.config.semantic), np.float32)
        if not len(token):
            return rows
        key = column * len(self.token_vectors) + token
        order = np.argsort(key)
        key = key[order]
        first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
        totals = (np.add.reduceat(grains[order], first) / GRAIN).astype(np.float32)
        owner, token = np.divmod(key[first], len(self.token_vectors))
        bounds = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1], True])
        for left, right in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            rows[owner[left]] = totals[left:right] @ self.token_vectors[token[left:right]]
        return rows

    def _tokenize(self, words: list[str]) -> tuple[Longs, Longs, Longs]:
        """Token ids of all words in one array, a break after each; where each word's begin, and how many they are.

        The first of the words is the break itself, which has none.
        """
        texts = [BREAK.join(words[start : start + CHUNK]) + BREAK for start in range(1, len(words), CHUNK)]
        found = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        tokens = np.fromiter(chain([len(self.token_vectors)], *found), np.int64)
        ends = np.flatnonzero(tokens == len(self.token_vectors))
        counts = np.diff(ends, prepend=-1) - 1
        return tokens, ends - counts, counts


def split_words(cells: Sequence[str]) -> list[str]:
    r"""Words of cells, and a line break after each cell: BERT's uncased splitting, on all cells at once.

    Lower case, accents dropped; a sign of punctuation or a Chinese sign is a word of its own.

    >>> split_words(["São Paulo-1", "北京"])
    ['sao', 'paulo', '-', '1', '\n', '北', '京', '\n']
    """
    text = BREAK.join([*cells, ""])
    if text.count(BREAK) != len(cells):
        text = BREAK.join([*(cell.replace(BREAK, " ") if BREAK in cell else cell for cell in cells), ""])
    text = text.lower()
    if not text.isascii():
        text = unicodedata.normalize("NFD", text.encode("utf-8", "replace").decode())  # lone surrogates become "?"
        marks = "".join(sign for sign in sorted(set(text)) if unicodedata.category(sign) == "Mn")
        text = re.sub(f"[{marks}]+", "", text) if marks else text
        text = CHINESE.sub(r" \1 ", text)
    return WORD.findall(text)


def _hashed(values: Hashes, dimension: int) -> npt.NDArray[np.int64]:
    """Signed bucket counts (dimension,). Low bits choose, for a sketch keeps hashes whose high bits are 0."""
    low = values & np.uint64(0xFFFFFFFF)
    places = (low * np.uint64(2 * dimension)) >> np.uint64(32)  # 0 … 2 dimension - 1, each as likely
    counts = np.bincount(places.astype(np.int64), minlength=2 * dimension)
    return counts[:dimension] - counts[dimension:]


def _ranges(starts: Longs, counts: Longs) -> Longs:
    """The integers starts[i] … starts[i] + counts[i] - 1 for all i, one after the other.

    >>> _ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    return np.arange(int(counts.sum())) + np.repeat(starts - np.cumsum(counts) + counts, counts)


def _unit(rows: Vectors) -> Vectors:
    """Rows at length 1; a zero row stays zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    made: Vectors = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return made


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EncoderError(f"cannot read the encoder's file {path}: {error.strerror or error}") from error


def _revision(raw: dict[str, bytes]) -> str:
    """sha256 over names, lengths and bytes of all files."""
    digest = hashlib.sha256()
    for name in sorted(raw):
        digest.update(f"{name}\0{len(raw[name])}\0".encode() + raw[name])
    return digest.hexdigest()


def _table(raw: bytes, config: StaticConfig, path: Path) -> tuple[Vectors, npt.NDArray[np.float32]]:
    """Token vectors (V, semantic), weights in them already, and the weights (V + 1,), 0 for a break."""
    try:
        tensors = load_tensors(raw)
        tokens, scales, weights = tensors["tokens"], tensors["scales"], tensors["weights"]
    except (SafetensorError, KeyError, ValueError) as error:
        raise EncoderError(f"{path} does not hold the weights of a static encoder: {error!r}") from error
    count = len(weights)
    fits = tokens.dtype == np.int8 and tokens.shape == (count, config.semantic)
    if not fits or scales.shape != (count,) or weights.shape != (count,):
        raise EncoderError(f"{path} holds a table of {tokens.dtype} {tokens.shape}, the config says {config.semantic}")
    if not (np.isfinite(scales).all() and np.isfinite(weights).all()):
        raise EncoderError(f"{path} holds weights that are not finite")
    table = tokens.astype(np.float32) * scales[:, None].astype(np.float32)
    return table, np.append(weights, 0).astype(np.float32)


def _tokenizer(raw: bytes, count: int, path: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_str(raw.decode("utf-8"))
    except Exception as error:  # tokenizers raises bare Exception
        raise EncoderError(f"{path} is not a tokenizer: {error}") from error
    if tokenizer.get_vocab_size() != count:
        raise EncoderError(f"{path} has {tokenizer.get_vocab_size()} tokens, the weights have {count}")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.add_special_tokens([BREAK])  # its id is the number of tokens
    return tokenizer
