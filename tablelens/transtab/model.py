"""TransTab (Wang & Sun, NeurIPS 2022): a row of any table to one vector, and from it to a prediction.

In paper order: cells to vectors (section 2.2), gated transformer layers (2.3, eq. 1-3), the classifier (2.3), the
projection for contrastive learning (2.4). ``Config.cells`` chooses between two readings of section 2.2:

- ``words``: the paper and its released code. Each word of each cell is a position of the sequence; words have no
  positions, so a row is a bag of words.
- ``fused``, the default: each cell is one position, name and value joined before the transformer sees them, so that a
  value stays with its column. Numbers come in by a piece-wise linear basis over quantiles, missing cells as missing.

d is the width, b rows in a batch, S positions, V words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tablelens.errors import UsageError
from tablelens.transtab.tokenize import Featurizer, Ints, Rows, word_bags
from tablelens.transtab.vocabulary import known_words, random_words
from tablelens.types import Vectors

BINS = 8
"""Pieces of the piece-wise linear basis of numbers."""
BASIS = BINS + 2
WORDS = ("known", "random", "both")


@dataclass(frozen=True, slots=True)
class Config:
    """The model's form. The defaults of width, depth and heads are the paper's (section 3)."""

    cells: Literal["fused", "words"] = "fused"
    words: Literal["known", "random", "both"] = "known"
    """What words start from: the default encoder's vectors, linearly mapped; chance as in the paper; or their sum."""
    width: int = 128
    layers: int = 2
    heads: int = 8
    hidden: int = 256
    dropout: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.cells not in ("fused", "words") or self.words not in WORDS:
            raise UsageError(
                f"cells={self.cells!r}, words={self.words!r}", f"cells: fused, words; words: {', '.join(WORDS)}"
            )
        if self.width % self.heads or min(self.width, self.layers, self.heads, self.hidden) < 1:
            raise UsageError(
                f"width {self.width}, layers {self.layers}, heads {self.heads}, hidden {self.hidden}",
                "all at least 1, and heads divide the width",
            )


class WordTable(nn.Module):
    """Vectors of the words that were met, and the norm and linear layer that all kinds of cells share (2.2)."""

    known: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.table = nn.Parameter(torch.empty(0, config.width))
        if config.words != "random":
            self.register_buffer("known", torch.empty(0, 128))
            self.lift = nn.Linear(128, config.width, bias=False)
        self.norm = nn.LayerNorm(config.width)
        self.align = nn.Linear(config.width, config.width, bias=False)
        self.stale = False
        """Whether ``known`` came from other vectors than those at hand: then new words start from nothing."""

    def grow(self, featurizer: Featurizer) -> None:
        """Give each word that the vocabulary has met since a row: the same one, whenever it is met."""
        words, have = featurizer.vocabulary, len(self.table)
        if len(words) == have:
            return
        fresh, width = words.used[have:], self.config.width
        if self.config.words != "random":
            more = torch.from_numpy(known_words(words, fresh)).to(self.table.device) * (not self.stale)
            self.known = torch.cat([self.known, more])
        rows = np.zeros((len(fresh), width), np.float32)
        if self.config.words != "known":
            rows = random_words(fresh, width, self.config.seed)
        added = torch.from_numpy(rows).to(self.table.device)
        self.table = nn.Parameter(torch.cat([self.table.data, added]))

    def forward(self, words: Tensor) -> Tensor:
        """(V,) rows to (V, d)."""
        vectors = self.table[words]
        if self.config.words != "random":
            vectors = vectors + self.lift(self.known[words])
        return self.norm(vectors)  # type: ignore[no-any-return]


class WordCells(nn.Module):
    """Cells as the paper and its code have them: a position a word, one a number."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.words = WordTable(config)
        self.number_bias = nn.Parameter(_uniform(config.width))

    def forward(self, featurizer: Featurizer, rows: Rows) -> tuple[Tensor, Tensor]:
        """B rows to positions (b, S, d) and what is added to the attention that each gets (b, S)."""
        device = self.number_bias.device
        bags, counts = word_bags(featurizer, rows)
        distinct, place = np.unique(bags, return_inverse=True)
        texts = self.words.align(self.words(_tensor(distinct, device)))  # each distinct word once
        names = text_means(self.words, featurizer, rows.num_names)  # (U, d)
        x = torch.nan_to_num(_tensor(rows.num_values[:, :, 0], device))  # (b, U), a missing number is 0
        numbers = self.words.align(names * x[:, :, None] + self.number_bias)
        said = texts[_tensor(place.reshape(bags.shape), device)]
        heard = torch.cat([torch.zeros_like(x), torch.log(_tensor(counts, device))], 1)  # log 0 = -inf: padding
        return torch.cat([numbers, said], 1), heard


class FusedCells(nn.Module):
    """A position a cell: the column's name and the value become one vector, whatever the kind of the cell."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        d = config.width
        self.words = WordTable(config)
        self.missing = nn.Parameter(_uniform(3, d))
        """What stands for a missing value: categorical, numerical, binary."""
        self.flag = nn.Parameter(_uniform(2, d))
        self.bend = nn.Linear(d, d, bias=False)
        """How a column's name bends its values."""
        self.basis = nn.Parameter(_uniform(BASIS, d))
        self.stretch = nn.Parameter(_uniform(BASIS, d))
        self.own = nn.Parameter(torch.empty(0, BASIS, d))
        """Each learnt numerical column's own addition to the basis; a new column has none."""

    def grow(self, columns: int) -> None:
        """Room for the additions of numerical columns that were learnt since."""
        if columns > len(self.own):
            more = torch.zeros(columns - len(self.own), *self.own.shape[1:], device=self.own.device)
            self.own = nn.Parameter(torch.cat([self.own.data, more]))

    def forward(self, featurizer: Featurizer, rows: Rows) -> tuple[Tensor, Tensor]:
        """B rows to positions (b, S, d), one a cell, and what is added to the attention that each gets: 0, (b, S)."""
        device = self.flag.device
        cells = [self._texts(featurizer, rows), self._numbers(featurizer, rows), self._flags(featurizer, rows)]
        made = self.words.align(torch.cat(cells, 1))
        return made, torch.zeros(made.shape[:2], device=device)

    def _texts(self, featurizer: Featurizer, rows: Rows) -> Tensor:
        names = text_means(self.words, featurizer, rows.cat_names)  # (C, d)
        distinct, place = np.unique(rows.cat_values, return_inverse=True)
        values = text_means(self.words, featurizer, distinct[distinct >= 0])
        if len(distinct) and distinct[0] < 0:
            values = torch.cat([self.missing[:1], values])
        said = values[_tensor(place.reshape(rows.cat_values.shape), values.device)]  # (b, C, d)
        cells: Tensor = names + said + self.bend(names) * said
        return cells

    def _numbers(self, featurizer: Featurizer, rows: Rows) -> Tensor:
        names = text_means(self.words, featurizer, rows.num_names)  # (U, d)
        values = _tensor(rows.num_values, names.device)
        there = ~torch.isnan(values[:, :, :1])
        basis = number_basis(torch.nan_to_num(values))  # (b, U, BASIS)
        own = self.own[_tensor(rows.num_columns, names.device)]  # (U, BASIS, d)
        cells = names * (1 + basis @ self.stretch) + torch.einsum("buk,ukd->bud", basis, self.basis + own)
        return torch.where(there, cells, names + self.missing[1])

    def _flags(self, featurizer: Featurizer, rows: Rows) -> Tensor:
        names = text_means(self.words, featurizer, rows.bin_names)  # (B, d)
        values = torch.cat([self.flag, self.missing[2:]])
        said = values[_tensor(np.where(np.isnan(rows.bin_values), 2, rows.bin_values).astype(np.int64), names.device)]
        cells: Tensor = names + said + self.bend(names) * said
        return cells


def text_means(words: WordTable, featurizer: Featurizer, texts: Ints) -> Tensor:
    """The mean word vector of each text, (n, d); 0 for a text without words."""
    device = words.table.device
    flat, counts = featurizer.words(texts)
    distinct, place = np.unique(flat, return_inverse=True)
    vectors = words(_tensor(distinct, device))[_tensor(place, device)]
    owner = _tensor(np.repeat(np.arange(len(texts)), counts), device)
    sums = torch.zeros(len(texts), vectors.shape[1], device=device).index_add_(0, owner, vectors)
    return sums / _tensor(np.maximum(counts, 1).astype(np.float32), device)[:, None]


def number_basis(values: Tensor) -> Tensor:
    """(…, 3) unit, quantile and standard score to (…, BASIS): BINS + 1 hats over the quantiles, and the score.

    >>> number_basis(torch.tensor([0.5, 0.1875, -0.7])).tolist()[:3]  # between the second knot and the third
    [0.0, 0.5, 0.5]
    """
    knots = torch.arange(BINS + 1, device=values.device)
    hats = (1 - (values[..., 1:2] * BINS - knots).abs()).clamp(min=0)
    return torch.cat([hats, values[..., 2:3]], -1)


class GatedLayer(nn.Module):
    """Attention, then a feed-forward block whose hidden layer is scaled by one gate a position (eq. 2 and 3).

    As in the released code: norms after the sums, the gate a sigmoid of a linear map without bias.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        d = config.width
        self.heads, self.dropout = config.heads, config.dropout
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)
        self.gate = nn.Linear(d, 1, bias=False)
        self.up, self.down = nn.Linear(d, config.hidden), nn.Linear(config.hidden, d)
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        nn.init.xavier_uniform_(self.qkv.weight)
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, heard: Tensor, *, first_only: bool = False) -> Tensor:
        """(b, S, d) and (b, S) to (b, S, d), or (b, 1, d) where only the first position is asked for."""
        if first_only:  # the head reads nothing else; keys and values are still needed of all
            d = x.shape[2]
            asked = x[:, :1]
            q = F.linear(asked, self.qkv.weight[:d], self.qkv.bias[:d])
            k, v = F.linear(x, self.qkv.weight[d:], self.qkv.bias[d:]).chunk(2, -1)
        else:
            asked = x
            q, k, v = self.qkv(x).chunk(3, -1)
        x = self.norm1(asked + self._drop(self.out(self._attend(q, k, v, heard))))
        h = F.relu(self.up(x) * torch.sigmoid(self.gate(x)))
        return self.norm2(x + self._drop(self.down(self._drop(h))))  # type: ignore[no-any-return]

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, heard: Tensor) -> Tensor:
        q, k, v = (part.reshape(*part.shape[:2], self.heads, -1).transpose(1, 2) for part in (q, k, v))
        made = F.scaled_dot_product_attention(q, k, v, attn_mask=heard[:, None, None, :])
        return made.transpose(1, 2).flatten(2)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class Head(nn.Module):
    """z_cls to outputs: one for two classes and for regression, else one a class."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(width), nn.Linear(width, outputs)

    def forward(self, z: Tensor) -> Tensor:
        """(b, d) to (b, outputs)."""
        return self.linear(self.norm(z))  # type: ignore[no-any-return]


class TransTab(nn.Module):
    """Rows to vectors: cells, [CLS], gated layers.

    >>> from tablelens.transtab import Featurizer, Vocabulary, as_table
    >>> featurizer = Featurizer(Vocabulary.shipped())
    >>> rows = featurizer.rows(as_table({"wine": ["red", None], "year": [1999, 2004]}))
    >>> model = TransTab(Config())
    >>> model.grow(featurizer)
    >>> model(featurizer, rows).shape
    torch.Size([2, 128])
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        torch.manual_seed(config.seed)
        self.config = config
        self.cells = (FusedCells if config.cells == "fused" else WordCells)(config)
        self.cls = nn.Parameter(_uniform(config.width))
        self.layers = nn.ModuleList(GatedLayer(config) for _ in range(config.layers))

    def grow(self, featurizer: Featurizer) -> None:
        """Take up the words and columns that the featurizer has learnt since."""
        self.cells.words.grow(featurizer)
        if isinstance(self.cells, FusedCells):
            self.cells.grow(len(featurizer.scales))

    def forward(self, featurizer: Featurizer, rows: Rows) -> Tensor:
        """B rows to z_cls, (b, d)."""
        positions, heard = self.cells(featurizer, rows)
        x = torch.cat([self.cls.expand(len(rows), 1, -1), positions], 1)
        heard = F.pad(heard, (1, 0))
        for layer in self.layers[:-1]:
            x = layer(x, heard)
        return self.layers[-1](x, heard, first_only=True)[:, 0]  # type: ignore[no-any-return]


@torch.no_grad()
def encode_rows(model: TransTab, featurizer: Featurizer, rows: Rows, budget: int = 2**22) -> Vectors:
    """z_cls of all rows, float32 (n, d), a chunk at a time so that attention holds at most ``budget`` pairs a head."""
    model.eval()
    size = rows_at_once(rows, budget)
    parts = [model(featurizer, rows.take(slice(i, i + size))).cpu().numpy() for i in range(0, len(rows), size)]
    return np.concatenate([np.empty((0, model.config.width), np.float32), *parts])


def rows_at_once(rows: Rows, budget: int = 2**22) -> int:
    """How many rows fit at once, by the number of their columns: 1 to 1,024."""
    positions = 2 + 4 * len(rows.columns)
    return int(max(1, min(1024, budget // positions**2)))


def _tensor(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def _uniform(*shape: int) -> Tensor:
    bound = 1 / math.sqrt(shape[-1])
    return torch.empty(*shape).uniform_(-bound, bound)
