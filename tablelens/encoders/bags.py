"""Cells to bags of tokens: which tokens a column's cells are made of, and how much each counts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

BREAK = "\n"
"""Ends a cell, and stands between the words that the tokenizer is given many at a time."""
CHINESE = re.compile("([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")
WORD = re.compile(r"[^\W_]+|\n|[^\w\s]|_")
GRAIN = 1 << 20
"""Cell weights are added as multiples of 1/GRAIN, so that their sum does not depend on order."""
WORDS = 1024
"""Words that the tokenizer is given in one text."""

Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Bags:
    """Token bags of n columns. Column i holds ``tokens[starts[i]:starts[i + 1]]``, ascending and distinct."""

    starts: Longs
    tokens: Longs
    counts: Floats
    """What each token counts in its column, shape of ``tokens``."""

    def __len__(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True)
class Bagger:
    """Makes bags. A cell of token weights w counts |w|^-exponent times, so that long cells do not outshout short ones.

    ``weights``, shape (V + 1,), holds 0 for the break, whose token id is V.
    """

    tokenizer: Tokenizer
    weights: Floats
    exponent: float

    def bags(self, columns: Sequence[Sequence[str]]) -> Bags:
        """The bag of each column of cells. Their order has no part in it, to the last bit."""
        column_of_cell = np.repeat(np.arange(len(columns)), [len(column) for column in columns])
        flat = split_words(list(chain.from_iterable(columns)))
        places = {word: place for place, word in enumerate(dict.fromkeys([BREAK, *flat]))}
        words = np.fromiter(map(places.__getitem__, flat), np.int64, len(flat))
        ends = words == 0
        words, cell_of_word = words[~ends], (np.cumsum(ends) - ends)[~ends]

        tokens, starts, counts = self._tokenize(list(places))  # of each distinct word
        word_of_token = np.repeat(np.arange(len(places)), counts + 1)
        squares = np.bincount(word_of_token, self.weights[tokens] ** 2, minlength=len(places))
        masses = np.bincount(cell_of_word, squares[words], minlength=len(column_of_cell))  # |w|² of each cell
        worth = np.zeros(len(column_of_cell))
        np.power(masses, -self.exponent / 2, where=masses > 0, out=worth)
        grains = np.rint(worth * GRAIN).astype(np.int64)

        spread = counts[words]  # words to their tokens
        token = tokens[_ranges(starts[words], spread)]
        cell = np.repeat(cell_of_word, spread)
        return self._merged(column_of_cell[cell], token, grains[cell], len(columns))

    def _merged(self, column: Longs, token: Longs, grains: Longs, count: int) -> Bags:
        """One entry for each token of a column."""
        size = len(self.weights)
        key = column * size + token
        order = np.argsort(key)
        key = key[order]
        first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else np.empty(0, np.int64)
        totals = np.add.reduceat(grains[order], first) / GRAIN if len(key) else np.empty(0)
        owner, token = np.divmod(key[first], size)
        starts = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=count)))).astype(np.int64)
        return Bags(starts, token, totals.astype(np.float32))

    def _tokenize(self, words: list[str]) -> tuple[Longs, Longs, Longs]:
        """Token ids of all words in one array, a break after each; where each word's begin, and how many they are.

        The first of the words is the break itself, which has none.
        """
        last = len(self.weights) - 1
        texts = [BREAK.join(words[start : start + WORDS]) + BREAK for start in range(1, len(words), WORDS)]
        found = [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        tokens = np.fromiter(chain([last], *found), np.int64)
        ends = np.flatnonzero(tokens == last)
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


def _ranges(starts: Longs, counts: Longs) -> Longs:
    """The integers starts[i] … starts[i] + counts[i] - 1 for all i, one after the other.

    >>> _ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    return np.arange(int(counts.sum())) + np.repeat(starts - np.cumsum(counts) + counts, counts)
