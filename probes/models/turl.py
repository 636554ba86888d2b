"""TURL (Deng et al., PVLDB 14(3), 2020): tokens of title and headers beside cells as entities, and who sees whom.

A cell is its mention alone: the entity vocabulary is of Wikipedia pages, and tables here have no links into it. Title
and headers see each other; a header sees the cells of its column, and a cell the title, its own header, its row and its
column (the visibility matrix of section 4.2, both ways as in pre-training).

A column's vector is the mean of its header's token states beside the mean of its cells' states (2d); a cell's is its
own state (d). The folder holds the published ``config.json``, ``vocab.txt`` and one file of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tablelens.errors import EncoderError
from tablelens.types import Vectors

from ..base import Level, Skip
from ..tables import Table, content, digest
from .base import Piece, Seen, items
from .layouts import Ids
from .transformer import fingerprint, load_state, read_bert, tokenized

ENTITIES = "table.embeddings.ent_embeddings.weight"
TITLE_TOKENS, HEADER_TOKENS, CELL_TOKENS, MOST_CELLS = 50, 10, 10, 500
TITLE, HEADER, SUBJECT, OTHER = 0, 1, 3, 4
"""Token types."""


def TurlNetwork(config: Any, entities: int) -> Any:  # noqa: N802 - a class that is made when torch is there
    """The network, ready for the published tensors below ``table.``; input and output as in ``TurlModel._states``."""
    import torch
    from torch import nn
    from transformers.activations import ACT2FN
    from transformers.models.bert import modeling_bert

    bert: Any = modeling_bert

    class Embeddings(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            d = config.hidden_size
            self.word_embeddings = nn.Embedding(config.vocab_size, d, padding_idx=0)
            self.ent_embeddings = nn.Embedding(entities, d, padding_idx=0)
            self.position_embeddings = nn.Embedding(config.max_position_embeddings, d)
            self.type_embeddings = nn.Embedding(config.type_vocab_size, d)
            self.ent_mask_embedding = nn.Embedding(4, d, padding_idx=0)
            self.fusion = nn.Linear(2 * d, d)
            self.LayerNorm = nn.LayerNorm(d, eps=config.layer_norm_eps)
            self.dropout = nn.Dropout(config.hidden_dropout_prob)
            self.act = ACT2FN[config.hidden_act]

        def tokens(self, ids: Any, places: Any, types: Any) -> Any:  # (n,) each → (n, d)
            made = self.word_embeddings(ids) + self.position_embeddings(places) + self.type_embeddings(types)
            return self.dropout(self.LayerNorm(made))

        def cells(self, mentions: Any, lengths: Any, types: Any) -> Any:  # (m, t), (m,), (m,) → (m, d)
            said = self.word_embeddings(mentions).sum(dim=1) / lengths[:, None]
            fused = self.act(self.fusion(torch.cat([torch.zeros_like(said), said], dim=-1)))
            fused = self.dropout(self.LayerNorm(fused)) + self.type_embeddings(types)
            return self.dropout(self.LayerNorm(fused))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = config
            self.embeddings = Embeddings()
            self.encoder = bert.BertEncoder(config)

        def forward(self, tokens: Any, cells: Any, sees: Any) -> Any:  # → (n + m, d)
            made = torch.cat([self.embeddings.tokens(*tokens), self.embeddings.cells(*cells)])[None]
            mask = torch.where(sees, 0.0, torch.finfo(made.dtype).min)[None, None]  # (1, 1, n + m, n + m)
            return self.encoder(made, attention_mask=mask).last_hidden_state[0]

    return Network()


class TurlModel:
    """TURL under the probes, at column and cell level."""

    levels: tuple[Level, ...] = ("column", "cell")

    def __init__(self, name: str, network: Any, tokenizer: Any, weights: str) -> None:
        self.name, self.weights = name, weights
        self.max_tokens: int | None = MOST_CELLS
        self._network = network.eval()  # all of it: the embeddings have a dropout of their own
        self._tokenizer = tokenizer
        self._known: dict[str, Ids] = {}
        self.revision = f"{fingerprint(network, tokenizer)}/turl-1"

    def fit(self, table: Table, level: Level) -> int:
        """Rows of 500 cells."""
        del level
        return min(table.rows, MOST_CELLS // max(table.width, 1))

    def pieces(self, table: Table, level: Level) -> list[Piece]:
        """The whole table."""
        if level not in self.levels:
            raise Skip("level")
        shown = table.head(self.fit(table, level))
        if not shown.rows or (level == "cell" and shown.rows < table.rows):
            raise Skip("does-not-fit")
        return [Piece((shown, level), digest(level, content(shown)), items(table, level))]

    def encode(self, pieces: Sequence[Piece]) -> list[Vectors]:
        """Table by table."""
        return [self._embedded(*piece.payload) for piece in pieces]

    def seen(self, table: Table) -> Seen:
        """Rows within the limit; tokens of their cells."""
        rows = self.fit(table, "column")
        lengths = [[len(self._ids(cell)) for cell in column] for column in table.columns]
        sizes = np.array(lengths).reshape(table.width, -1)
        return Seen(rows, table.rows, int(np.minimum(sizes[:, :rows], CELL_TOKENS).sum()), int(sizes.sum()))

    def _embedded(self, table: Table, level: Level) -> Vectors:
        states, headers, count = self._states(table)
        cells = states[count:].reshape(table.rows, table.width, -1)
        if level == "cell":
            return np.asarray(cells.reshape(-1, cells.shape[2]), np.float32)
        zero = np.zeros(cells.shape[2], np.float32)
        names = [states[span[0] : span[1]].mean(axis=0) if span[1] > span[0] else zero for span in headers]
        return np.concatenate([np.stack(names), cells.mean(axis=0)], axis=1).astype(np.float32)

    def _states(self, table: Table) -> tuple[np.ndarray[Any, Any], list[tuple[int, int]], int]:
        """(states of tokens then cells row by row, each header's span among the tokens, number of tokens)."""
        import torch

        title = list(self._ids(table.title)[:TITLE_TOKENS])
        ids, places, types, spans = title, list(range(len(title))), [TITLE] * len(title), []
        for name in table.header:
            words = self._ids(name)[:HEADER_TOKENS]
            spans.append((len(ids), len(ids) + len(words)))
            ids, places, types = ids + list(words), places + list(range(len(words))), types + [HEADER] * len(words)
        mentions = [self._ids(cell)[:CELL_TOKENS] for r in range(table.rows) for cell in table.row(r)]
        padded = torch.zeros((len(mentions), CELL_TOKENS), dtype=torch.long)
        for i, words in enumerate(mentions):
            padded[i, : len(words)] = torch.tensor(words, dtype=torch.long)
        lengths = torch.tensor([max(len(words), 1) for words in mentions])
        kinds = torch.tensor([SUBJECT if i % table.width == 0 else OTHER for i in range(len(mentions))])
        sees = torch.tensor(visibility(len(title), spans, table.rows, table.width))
        with torch.no_grad():
            tokens = (torch.tensor(ids, dtype=torch.long), torch.tensor(places, dtype=torch.long))
            found = self._network((*tokens, torch.tensor(types, dtype=torch.long)), (padded, lengths, kinds), sees)
        return found.float().numpy(), spans, len(ids)

    def _ids(self, text: str) -> Ids:
        if text not in self._known:
            self._known[text] = tokenized(self._tokenizer, text)
        return self._known[text]


def visibility(title: int, spans: Sequence[tuple[int, int]], rows: int, width: int) -> np.ndarray[Any, Any]:
    """Who sees whom, bool (n, n): n tokens of title and headers, then cells row by row."""
    tokens = max([title, *(end for _, end in spans)])
    sees = np.zeros((tokens + rows * width,) * 2, bool)
    sees[:tokens, :tokens] = True
    sees[:title, tokens:] = sees[tokens:, :title] = True
    row, column = np.divmod(np.arange(rows * width), width)
    sees[tokens:, tokens:] = (row[:, None] == row) | (column[:, None] == column)
    for c, (begin, end) in enumerate(spans):
        mine = tokens + np.flatnonzero(column == c)
        sees[begin:end, mine] = True
        sees[mine, begin:end] = True
    return sees


def load_turl(path: str, name: str) -> TurlModel:
    """TURL from a folder with ``config.json``, ``vocab.txt`` and its weights.

    Raises:
        EncoderError: a file is missing or does not fit.
    """
    state, _, config, tokenizer = read_bert(path, "TURL", attn_implementation="eager")
    if ENTITIES not in state:
        raise EncoderError(f"{path!r} is no folder of TURL: no {ENTITIES!r}", "config.json, vocab.txt and weights")
    network = TurlNetwork(config, len(state[ENTITIES]))
    load_state(network, state, "table.", path)
    return TurlModel(name, network, tokenizer, f"of {Path(path).name}")
