"""Train the static encoder: a map of the token vectors, a weight by kind of token, the tokens themselves, the length.

The tokens of the base go through E' = (E W) · e^g: W turns and stretches all of them alike, g is a small network over
facts of a token (its rank, its letters, whether it is a number …), and E itself moves slowly. Few numbers are free,
so that what is learnt on one lake holds on others. The candidate's length is a small network over facts of a column
(``encoders.static.facts``). At the end all of it is folded into one table: the trained encoder is as fast as its base.

Scores are those of search: semantic and identity part together, the candidate at its length. So the tokens learn what
the hashed values do not tell already.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from tablelens.encoders.bags import Bags
from tablelens.encoders.static import CHUNK, StaticEncoder
from tablelens.encoders.static_files import FEATURES, StaticWeights
from tablelens.training import losses
from tablelens.training.batches import Batch, Sampler
from tablelens.training.config import TrainConfig
from tablelens.training.corpus import Corpus, Split
from tablelens.training.runs import Run, State, learning_rate
from tablelens.training.score import Scores, evaluate
from tablelens.types import Vectors

RATE = 1e-3
TOKEN_RATE, SMALL_RATE = 0.5, 5.0
"""Rates of the token table and of the small networks, as multiples of the map's."""
HIDDEN = 16
DEEP = 3.0
"""Weight of ``losses.reach`` beside the listwise loss: with 1 fewer of the best are among the first 200 elsewhere."""

Tensors = dict[str, Any]
Longs = npt.NDArray[np.int64]


class StaticModel:
    """The encoder as torch sees it: all columns of a corpus as bags, and the free numbers."""

    def __init__(self, corpus: Corpus, base: StaticEncoder, seed: int) -> None:
        self.base = base
        bags = _all_bags(corpus, base)
        self._starts = bags.starts
        self._tokens, self._counts = torch.from_numpy(bags.tokens), torch.from_numpy(bags.counts)
        self.identity = torch.from_numpy(base.identity(corpus.columns))
        facts = base.facts(corpus.columns, bags)
        self._mean, self._spread = facts.mean(0), np.maximum(facts.std(0), 1e-6)
        self._facts = torch.from_numpy(((facts - self._mean) / self._spread).astype(np.float32))
        self._sizes = torch.from_numpy(np.log(corpus.sizes))
        self._table = torch.from_numpy(base.weights.tokens)
        self._kinds = torch.from_numpy(token_facts(base))
        self.parameters = self._start(seed)

    def _start(self, seed: int) -> Tensors:
        """Numbers that give the base's vectors again, but for a length network, which starts anew."""
        made = torch.Generator().manual_seed(seed)

        def random(*shape: int) -> Any:
            return (torch.rand(*shape, generator=made) * 2 - 1) / shape[0] ** 0.5

        kinds, share = self._kinds.shape[1], self.base.config.semantic_share
        found = {
            "map": torch.eye(self.base.config.semantic),
            "tokens": torch.zeros_like(self._table),
            "kind.in": random(kinds, HIDDEN), "kind.in_bias": torch.zeros(HIDDEN), "kind.out": torch.zeros(HIDDEN),
            "length.in": random(FEATURES, HIDDEN), "length.in_bias": torch.zeros(HIDDEN),
            "length.out": torch.zeros(HIDDEN), "length.out_bias": torch.zeros(()),
            "size": torch.tensor(self.base.config.size_exponent),
            "share": torch.logit(torch.tensor(float(np.clip(share, 0.01, 0.99)))),
        }  # fmt: skip
        return {name: tensor.requires_grad_() for name, tensor in found.items()}

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Parameters with the rates that they learn at."""
        of = {"map": rate, "tokens": rate * TOKEN_RATE}
        return [{"params": [tensor], "lr": of.get(name, rate * SMALL_RATE)} for name, tensor in self.parameters.items()]

    def table(self) -> Any:
        """Token vectors (V, semantic) as they are now."""
        p = self.parameters
        gain = torch.tanh(self._kinds @ p["kind.in"] + p["kind.in_bias"]) @ p["kind.out"]
        return ((self._table + p["tokens"]) @ p["map"]) * torch.exp(gain)[:, None]

    def queries(self, table: Any, columns: Longs) -> Any:
        """Query vectors of columns, (n, d)."""
        starts = self._starts[columns]
        counts = self._starts[columns + 1] - starts
        ends = np.cumsum(counts)
        places = torch.from_numpy(np.repeat(starts - ends + counts, counts) + np.arange(int(counts.sum())))
        meaning = F.embedding_bag(
            self._tokens[places], table, torch.from_numpy(ends - counts),
            mode="sum", per_sample_weights=self._counts[places],
        )  # fmt: skip
        share = torch.sigmoid(self.parameters["share"])
        parts = [share.sqrt() * F.normalize(meaning, dim=1), (1 - share).sqrt() * self.identity[columns]]
        return F.normalize(torch.cat(parts, 1), dim=1)

    def lengths(self, columns: Longs) -> Any:
        """Lengths of candidates, (n,)."""
        p = self.parameters
        hidden = torch.tanh(self._facts[columns] @ p["length.in"] + p["length.in_bias"])
        return torch.exp(p["size"] * self._sizes[columns] + hidden @ p["length.out"] + p["length.out_bias"])

    def vectors(self) -> tuple[Vectors, Vectors]:
        """Query and candidate vectors of all columns, (n, d) each."""
        with torch.no_grad():
            table, every = self.table().contiguous(), np.arange(len(self._starts) - 1)
            asked = torch.cat([self.queries(table, every[i : i + CHUNK]) for i in range(0, len(every), CHUNK)])
            return asked.numpy(), (asked * self.lengths(every)[:, None]).numpy()

    def folded(self, share_of_trained: float) -> tuple[StaticWeights, dict[str, Any]]:
        """Weights and settings of an encoder that gives these vectors; below 1, merged with the base's."""
        with torch.no_grad():
            p = {name: tensor.detach().numpy().astype(np.float64) for name, tensor in self.parameters.items()}
            table = self.table().numpy()
        mixed = share_of_trained * table + (1 - share_of_trained) * self.base.weights.tokens
        first = p["length.in"] / self._spread[:, None]
        bias = p["length.in_bias"] - self._mean @ first
        length = tuple(np.asarray(a, np.float32) for a in (first, bias, p["length.out"], p["length.out_bias"]))
        config = asdict(self.base.config) | {
            "semantic_share": round(float(1 / (1 + np.exp(-p["share"]))), 6),
            "size_exponent": round(float(p["size"]), 6),
        }
        del config["files"]
        return StaticWeights(mixed.astype(np.float32), self.base.weights.weights, length), config  # type: ignore[arg-type]


def train_static(corpus: Corpus, split: Split, config: TrainConfig, base: StaticEncoder, run: Run) -> StaticModel:
    """Train to the end, or until validation gets no better; the model of the best validation.

    Raises:
        TrainingError: the loss is no number, or the checkpoint is damaged.
    """
    torch.set_num_threads(max(1, torch.get_num_threads()))
    model = StaticModel(corpus, base, config.seed)
    optimizer = torch.optim.AdamW(model.groups(config.rate or RATE), betas=(0.9, 0.99), weight_decay=0.0)
    rates = [group["lr"] for group in optimizer.param_groups]
    sampler = Sampler(corpus, split, config)
    state = run.resume(model.parameters, optimizer)
    while True:
        asked, held = model.vectors()
        if state.step == 0:
            state.base = validate(corpus, split, asked, held)
        state = run.validated(state, validate(corpus, split, asked, held), model.parameters, optimizer)
        if state.step >= config.steps or state.stale >= config.patience:
            break
        sampler.refresh(state.step, asked, held)
        for step in range(state.step, min(state.step + config.every, config.steps)):
            factor = learning_rate(step, config)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            state.step = step + 1
            run.stepped(state, _step(model, optimizer, sampler.draw(step), config))
    run.best(model.parameters)
    return model


def validate(corpus: Corpus, split: Split, asked: Vectors, held: Vectors) -> Scores:
    """Queries of the tables kept aside against the columns kept aside."""
    candidates = np.flatnonzero(split.validating)
    return evaluate(corpus, split.validation, candidates, asked[split.validation], held[candidates])


def _step(model: StaticModel, optimizer: Any, batch: Batch, config: TrainConfig) -> float:
    table = model.table()
    asked = model.queries(table, batch.queries)
    held = model.queries(table, batch.candidates) * model.lengths(batch.candidates)[:, None]
    scores, gains, same = asked @ held.T, torch.from_numpy(batch.gains), torch.from_numpy(batch.same)
    if config.loss == "listwise":
        target = torch.where(gains >= 0.3, gains, torch.zeros(()))
        loss = losses.listwise(scores, target, same, config.scale)
        loss = loss + DEEP * losses.reach(scores, gains, same, config.scale, max(config.hard, 1))
    else:
        known, positive = same | (gains >= config.known), torch.from_numpy(batch.positives)
        if config.guide:
            known = known | losses.guided(_guide(model, batch), positive, config.guide)
        loss = losses.ranking(scores, positive, known, config.scale)
    if config.decay:
        loss = loss + config.decay * (model.parameters["tokens"] ** 2).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def _guide(model: StaticModel, batch: Batch) -> Any:
    """Cosines of the base model, (b, c)."""
    with torch.no_grad():
        return model.queries(model._table, batch.queries) @ model.queries(model._table, batch.candidates).T


def _all_bags(corpus: Corpus, base: StaticEncoder) -> Bags:
    parts = [
        base.bagger.bags([column.cells for column in corpus.columns[start : start + CHUNK]])
        for start in range(0, len(corpus), CHUNK)
    ]
    sizes = np.concatenate([np.diff(part.starts) for part in parts])
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    return Bags(starts, np.concatenate([b.tokens for b in parts]), np.concatenate([b.counts for b in parts]))


def token_facts(base: StaticEncoder) -> npt.NDArray[np.float32]:
    """Facts of a token that its weight depends on, (V, 7): rank, letters, and of what kind of signs it is made."""
    vocabulary = base.bagger.tokenizer.get_vocab()
    ordered = sorted(vocabulary, key=vocabulary.__getitem__)[: len(base.weights.tokens)]
    bare = [token.removeprefix("##") for token in ordered]
    table = [
        np.log1p(np.arange(len(ordered))) / 10,
        [token.startswith("##") for token in ordered],
        [min(len(word), 12) / 6 for word in bare],
        [len(word) == 1 for word in bare],
        [word.isdigit() for word in bare],
        [not word.isalnum() for word in bare],
        [not word.isascii() for word in bare],
    ]
    return np.stack([np.asarray(column, np.float32) for column in table], 1)


__all__ = ["State", "StaticModel", "token_facts", "train_static", "validate"]
