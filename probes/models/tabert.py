"""TaBERT (Yin et al., ACL 2020), with K = 3 rows and vertical attention.

Each of the first three rows is one sequence ``[CLS] [SEP] name | type | value [SEP] …``; a cell is the mean of its
tokens; three layers of attention then run down the rows of each column, and a column is the mean over its rows. There
is no utterance here to choose rows by, so the content snapshot is the first rows: row order decides which.

The folder holds BERT's ``config.json`` and ``vocab.txt`` and the published weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tablelens.types import Vectors

from ..base import Level, Skip
from ..data.dataset import is_text
from ..tables import Table, content, digest
from .base import Piece, Seen
from .layouts import Ids
from .transformer import fingerprint, load_state, read_bert, special_of, tokenized

K, CELL_TOKENS, VERTICAL_LAYERS, VERTICAL_HEADS = 3, 5, 3, 6


def TabertNetwork(  # noqa: C901, N802 - classes of torch, made when torch is there
    config: Any, layers: int = VERTICAL_LAYERS, heads: int = VERTICAL_HEADS
) -> Any:
    """BERT with vertical layers, its tensors named as the published ones."""
    import torch
    from torch import nn
    from transformers import BertModel
    from transformers.models.bert import modeling_bert

    bert: Any = modeling_bert

    class SelfAttention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query_linear = nn.Linear(config.hidden_size, config.hidden_size)
            self.key_linear = nn.Linear(config.hidden_size, config.hidden_size)
            self.value_linear = nn.Linear(config.hidden_size, config.hidden_size)

        def forward(self, x: Any) -> Any:  # (rows, columns, d): each column's rows attend to each other
            def split(y: Any) -> Any:  # → (columns, heads, rows, d / heads)
                return y.view(*y.shape[:2], heads, -1).permute(1, 2, 0, 3)

            q, k, v = split(self.query_linear(x)), split(self.key_linear(x)), split(self.value_linear(x))
            weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), dim=-1)
            return (weights @ v).permute(2, 0, 1, 3).reshape(x.shape)

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.self_attention = SelfAttention()
            self.self_output = bert.BertSelfOutput(config)

        def forward(self, x: Any) -> Any:
            return self.self_output(self.self_attention(x), x)

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = Attention()
            self.intermediate = bert.BertIntermediate(config)
            self.output = bert.BertOutput(config)

        def forward(self, x: Any) -> Any:
            x = self.attention(x)
            return self.output(self.intermediate(x), x)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = config
            self.bert = BertModel(config, add_pooling_layer=False)
            self.vertical_transformer_layers = nn.ModuleList([Layer() for _ in range(layers)])

        def forward(
            self, ids: Any, segments: Any, mask: Any, spans: Any
        ) -> Any:  # spans: (rows, columns, length), 0 or 1
            states = self.bert(input_ids=ids, token_type_ids=segments, attention_mask=mask).last_hidden_state
            cells = spans @ states / spans.sum(dim=-1, keepdim=True)  # (rows, columns, d)
            for layer in self.vertical_transformer_layers:
                cells = layer(cells)
            return cells.mean(dim=0)

    return Network()


class TabertModel:
    """TaBERT under the probes, at column level."""

    levels: tuple[Level, ...] = ("column",)

    def __init__(self, name: str, network: Any, tokenizer: Any, weights: str) -> None:
        self.name, self.weights = name, weights
        self.max_tokens: int | None = network.config.max_position_embeddings
        self._network = network.eval()
        self._tokenizer = tokenizer
        self._special = special_of(tokenizer)
        self.revision = f"{fingerprint(network, tokenizer)}/tabert-1"

    def fit(self, table: Table, level: Level) -> int:
        """All rows may be given; three are looked at."""
        del level
        return table.rows

    def pieces(self, table: Table, level: Level) -> list[Piece]:
        """The first three rows.

        Raises:
            Skip: a row does not fit: the model has no vector for the columns beyond the limit.
        """
        if level != "column":
            raise Skip("level")
        shown = table.head(K)
        if max(len(self._row(shown, r)[0]) for r in range(shown.rows)) > (self.max_tokens or 0):
            raise Skip("does-not-fit")
        return [Piece(shown, digest(*self._kinds(shown), content(shown)), table.width)]

    def encode(self, pieces: Sequence[Piece]) -> list[Vectors]:
        """Table by table."""
        return [self._embedded(piece.payload) for piece in pieces]

    def seen(self, table: Table) -> Seen:
        """Three rows of five tokens a cell."""
        sizes = np.array([[len(tokenized(self._tokenizer, cell)) for cell in column] for column in table.columns])
        seen = np.minimum(sizes[:, :K], CELL_TOKENS).sum()
        return Seen(min(K, table.rows), table.rows, int(seen), int(sizes.sum()))

    def _kinds(self, table: Table) -> list[str]:
        return ["text" if any(map(is_text, column)) else "real" for column in table.columns]

    def _row(self, table: Table, row: int) -> tuple[list[int], list[tuple[int, int]]]:
        """(ids of a row's sequence, span of each column)."""
        start, end = self._special.start or 0, self._special.end or 0
        bar = tokenized(self._tokenizer, "|")
        ids, spans = [start, end], []
        for c, kind in enumerate(self._kinds(table)):
            value: Ids = tokenized(self._tokenizer, table.columns[c][row])[:CELL_TOKENS]
            name = tokenized(self._tokenizer, table.header[c])
            cell = [*name, *bar, *tokenized(self._tokenizer, kind), *bar, *value]
            spans.append((len(ids), len(ids) + len(cell)))
            ids += [*cell, end]
        return ids, spans

    def _embedded(self, table: Table) -> Vectors:
        import torch

        rows = [self._row(table, r) for r in range(table.rows)]
        longest = max(len(ids) for ids, _ in rows)
        ids = torch.full((len(rows), longest), self._special.pad)
        mask, segments = torch.zeros_like(ids), torch.ones_like(ids)
        segments[:, :2] = 0
        spans = torch.zeros((len(rows), table.width, longest))
        for r, (found, places) in enumerate(rows):
            ids[r, : len(found)] = torch.tensor(found)
            mask[r, : len(found)] = 1
            for c, (begin, end) in enumerate(places):
                spans[r, c, begin:end] = 1
        with torch.no_grad():
            made: Vectors = self._network(ids, segments, mask, spans).float().numpy()
        return made


def load_tabert(path: str, name: str) -> TabertModel:
    """TaBERT from a folder with BERT's ``config.json``, ``vocab.txt`` and the published weights.

    Raises:
        EncoderError: a file is missing or does not fit.
    """
    state, about, config, tokenizer = read_bert(path, "TaBERT")
    layers = {name.split(".")[1] for name in state if name.startswith("vertical_transformer_layers.")}
    network = TabertNetwork(config, len(layers), int(about.get("num_vertical_attention_heads", VERTICAL_HEADS)))
    load_state(network.bert, state, "_bert_model.bert.", path)
    load_state(network.vertical_transformer_layers, state, "vertical_transformer_layers.", path)
    return TabertModel(name, network, tokenizer, f"of {Path(path).name}")
