"""Words of column names and cells as rows of the model's word table.

Text is cut by BERT's uncased WordPiece. The model keeps a row for each piece that it has met, not for all 30,000: on a
table of the TransTab paper that is 38 to 235. A piece met later gets a row of its own, the same one whenever it is met.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache, cached_property
from itertools import chain

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from tablelens.encoders.static import StaticEncoder
from tablelens.errors import ModelError
from tablelens.types import Vectors

UNKNOWN = "[UNK]"
LONGEST = 2000
"""Characters of a cell that are read; what comes after them is left out."""
Ints = npt.NDArray[np.int64]


class Vocabulary:
    """Pieces of text, numbered in the order in which they are met.

    >>> words = Vocabulary(["[UNK]", "red", "wine", "##s"])
    >>> starts, pieces = words.rows(["red wines", "wine"])
    >>> starts.tolist(), pieces.tolist(), words.used
    ([0, 3, 4], [0, 1, 2, 1], [1, 2, 3])

    Args:
        pieces: the WordPiece vocabulary in its order, with ``[UNK]``.
        used: ids of the pieces that have a row already, by row.

    Raises:
        ModelError: the pieces are no WordPiece vocabulary.
    """

    def __init__(self, pieces: Sequence[str], used: Sequence[int] = ()) -> None:
        self.pieces = list(pieces)
        ids = {piece: place for place, piece in enumerate(self.pieces)}
        if UNKNOWN not in ids or len(ids) != len(self.pieces):
            raise ModelError(
                f"a vocabulary of {len(self.pieces)} pieces, {len(ids)} of them distinct, {UNKNOWN} "
                f"{'is' if UNKNOWN in ids else 'is not'} among them",
                "give the vocab.txt of an uncased BERT model",
            )
        self.used = list(used)
        self._row = {piece: row for row, piece in enumerate(self.used)}
        model = WordPiece(ids, unk_token=UNKNOWN, max_input_chars_per_word=100)
        self._tokenizer = Tokenizer(model)
        self._tokenizer.normalizer = BertNormalizer(lowercase=True)
        self._tokenizer.pre_tokenizer = BertPreTokenizer()

    @classmethod
    def shipped(cls) -> Vocabulary:
        """The pieces that the default encoder knows."""
        return cls(StaticEncoder().pieces)

    @cached_property
    def digest(self) -> str:
        """sha256 of all pieces in order."""
        return hashlib.sha256("\n".join(self.pieces).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.used)

    def rows(self, texts: Sequence[str]) -> tuple[Ints, Ints]:
        """The rows of all texts end to end, and where each text's begin, shape (len(texts) + 1,)."""
        cut = [text[:LONGEST] for text in texts]
        found = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(cut, add_special_tokens=False)]
        for piece in chain.from_iterable(found):
            if piece not in self._row:
                self._row[piece] = len(self.used)
                self.used.append(piece)
        counts = np.fromiter(map(len, found), np.int64, len(found))
        flat = np.fromiter(map(self._row.__getitem__, chain.from_iterable(found)), np.int64, int(counts.sum()))
        return np.concatenate(([0], np.cumsum(counts))), flat


def random_words(pieces: Sequence[int], dimension: int, seed: int) -> Vectors:
    """First vectors of pieces, (n, d): normal with variance 2 / d, a piece's the same whenever it is met."""
    made = [np.random.default_rng((seed, piece)).standard_normal(dimension, np.float32) for piece in pieces]
    return np.asarray(made, np.float32).reshape(-1, dimension) * np.float32(np.sqrt(2 / dimension))


def known_words(vocabulary: Vocabulary, pieces: Sequence[int]) -> Vectors:
    """What the default encoder knows of pieces, (n, 128), each of length 1; 0 for a piece that it does not know."""
    place, table = _known()
    rows = np.array([place.get(vocabulary.pieces[piece], -1) for piece in pieces], np.int64)
    return np.where(rows[:, None] >= 0, table[rows], np.float32(0))


@cache
def _known() -> tuple[dict[str, int], Vectors]:
    """Row by piece, and the default encoder's token vectors at length 1."""
    encoder = StaticEncoder()
    lengths = np.linalg.norm(encoder.token_vectors, axis=1, keepdims=True)
    return {piece: row for row, piece in enumerate(encoder.pieces)}, encoder.token_vectors / np.maximum(lengths, 1e-9)


@cache
def known_digest() -> str:
    """sha256 of what the default encoder knows of words."""
    place, table = _known()
    return hashlib.sha256("\n".join(place).encode() + np.ascontiguousarray(table).tobytes()).hexdigest()
