"""Train an encoder on a crawled lake: generation → columns → pairs → model."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tablelens.encoders import SentenceEncoder, StaticEncoder, encoder_names, load_encoder, models_of
from tablelens.encoders.base import ColumnEncoder
from tablelens.encoders.static_files import CONFIG, TOKENIZER, write_static
from tablelens.errors import MissingExtra, TrainingError, UsageError
from tablelens.index.generation import Generation
from tablelens.pipeline.texts import column_texts, encodable
from tablelens.progress import Progress, Silent, Stopwatch
from tablelens.settings import Settings
from tablelens.training.card import Card
from tablelens.training.config import TrainConfig
from tablelens.training.corpus import Corpus, split
from tablelens.training.mine import Pairs, mine_equal, mine_semantic
from tablelens.training.runs import Run, State, publish
from tablelens.types import ColumnText

CELLS = 48
"""Cells of a column that are compared by meaning."""

Longs = npt.NDArray[np.int64]
Verdicts = Iterable[tuple[int, int, bool]]


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a training did."""

    name: str
    folder: Path
    columns: int
    pairs: int
    state: State
    revision: str
    seconds: float
    stages: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """The report as the command line's JSON has it."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "columns": self.columns,
            "pairs": self.pairs,
            "steps": self.state.step,
            "best_step": self.state.best_step,
            "before": self.state.base.as_dict(),
            "after": self.state.best.as_dict(),
            "history": self.state.history,
            "revision": self.revision,
            "seconds": round(self.seconds, 3),
            "stages": {name: round(seconds, 3) for name, seconds in self.stages.items()},
        }


def train(
    home: Path,
    generation: Generation,
    settings: Settings,
    name: str,
    config: TrainConfig,
    *,
    base: str = "deepjoin-static",
    fresh: bool = False,
    verdicts: Verdicts = (),
    progress: Progress | None = None,
    told: Callable[[dict[str, float]], None] | None = None,
) -> TrainReport:
    """Train a model on what was crawled and keep it as ``home/models/NAME`` if it is better than its base.

    An interrupted run goes on where its last checkpoint was. The model of that name before is replaced only by a
    finished one.

    Args:
        home: of the lake.
        generation: what was crawled.
        settings: template and the like of the texts.
        name: of the model: letters, digits, dots and dashes; ``crawl --encoder NAME`` uses it.
        config: how to train.
        base: encoder to start from: ``deepjoin-static``, a model of this home, or a folder.
        fresh: forget the checkpoint of an earlier run.
        verdicts: (place, place, whether they join) of columns, as people said.
        progress: told of each stage.
        told: given the scores of each validation.

    Raises:
        TrainingError: too little to learn from, a loss that is no number, a damaged checkpoint, nothing better found.
        MissingExtra: torch is not installed.
        UsageError: a name that cannot be.
    """
    if not name or name in (".", "..", *encoder_names()) or any(not (sign.isalnum() or sign in "._-") for sign in name):
        raise UsageError(
            f"a model cannot be called {name!r}",
            "letters, digits, dots and dashes, not the name of an encoder",
        )
    if importlib.util.find_spec("torch") is None:
        raise MissingExtra.of("torch", "models", "training")
    told_progress, watch = progress or Silent(), Stopwatch()
    encoder = load_encoder(base, models_of(home))
    target = models_of(home) / name
    work = target.with_name(f"{name}.training")
    if fresh:
        shutil.rmtree(work, ignore_errors=True)
    with watch.stage("mine"):
        corpus = corpus_of(generation, encoder, settings, config, verdicts, told_progress)
        parts = split(corpus, config)
    run = Run(work, config, corpus.fingerprint(), encoder.revision, told_progress, told)
    made = work / "model"
    shutil.rmtree(made, ignore_errors=True)
    with watch.stage("train"):
        if isinstance(encoder, StaticEncoder):
            from tablelens.training.static import train_static

            model = train_static(corpus, parts, config, encoder, run)
            weights, facts = model.folded(config.merge)
            tokenizer = (encoder.folder / TOKENIZER).read_bytes()
            about = {"name": name, **_origin(encoder), "base_revision": encoder.revision}
            write_static(made, weights, tokenizer, facts | about | {"made_by": "tablelens train"})
        elif isinstance(encoder, SentenceEncoder):
            from tablelens.training.sentence import train_sentence

            train_sentence(corpus, parts, config, encoder, run, made)
        else:
            raise UsageError(f"the encoder {base!r} cannot be trained", "static and sentence-transformers models can")
    _better(run.state)
    revision = load_encoder(str(made)).revision  # a model that cannot be loaded is none
    _card(name, base, generation, corpus, config, run.state, encoder).write(made)
    publish(made, target)
    run.close()
    return TrainReport(name, target, len(corpus), len(corpus.pairs), run.state, revision, watch.total(), watch.stages)


def corpus_of(
    generation: Generation,
    encoder: ColumnEncoder,
    settings: Settings,
    config: TrainConfig,
    verdicts: Verdicts,
    progress: Progress,
) -> Corpus:
    """The text columns of a lake as their texts, and all pairs that join.

    Raises:
        TrainingError: the lake has no two text columns.
    """
    columns = generation.columns
    places = np.flatnonzero(encodable(columns) & (columns["distinct"].to_numpy() >= settings.min_distinct))
    if len(places) < 2:
        raise TrainingError(
            f"the lake has {len(places)} text columns with {settings.min_distinct} or more values",
            "vectors are made of text columns: numbers, dates and truth values are matched by value alone",
        )
    texts = column_texts(columns, places, generation.postings, encoder.max_tokens, settings, encoder.reads)
    tables = columns["table_id"].to_numpy()[places]
    pairs = _mined(texts, tables, encoder, config, progress)
    place_of = dict(zip(places.tolist(), range(len(places)), strict=True))
    said = [(place_of[a], place_of[b], yes) for a, b, yes in verdicts if a in place_of and b in place_of]
    names = zip(*(columns.column(name).take(places).to_pylist() for name in ("lake", "table")), strict=True)
    whole = [f"{lake}/{table}" for lake, table in names]
    groups = whole if config.split == "table" else ["/".join(name.split("/")[:2]) for name in whole]
    return Corpus(texts, tables, groups, pairs.judged(said))


def _mined(
    texts: list[ColumnText], tables: Longs, encoder: ColumnEncoder, config: TrainConfig, progress: Progress
) -> Pairs:
    pairs = [mine_equal([text.values for text in texts], tables, config.known, progress)] if (
        config.truth != "semantic"
    ) else []  # fmt: skip
    if config.truth != "equal":
        words = encoder if isinstance(encoder, StaticEncoder) else StaticEncoder()
        cells = [text.cells[:CELLS] for text in texts]
        flat = words.encode_text([cell for group in cells for cell in group])
        vectors = np.split(flat, np.cumsum([len(group) for group in cells])[:-1])
        whole = words.encode_queries(texts)[:, words.semantic]
        whole = whole / np.maximum(np.linalg.norm(whole, axis=1, keepdims=True), 1e-9)
        pairs.append(mine_semantic(vectors, whole, tables, tau=config.tau, least=config.least, progress=progress))
    return pairs[0] if len(pairs) == 1 else pairs[0].merged(pairs[1])


def _better(state: State) -> None:
    if state.best_step == 0:
        raise TrainingError(
            f"no step was better than the base model (NDCG@10 {state.base.ndcg:.3f}, P@10 after the re-rank "
            f"{state.base.reranked:.3f} on {state.base.queries} queries kept aside)",
            "nothing was replaced; a larger lake, more steps or another rate may help",
        )


def _origin(encoder: ColumnEncoder) -> dict[str, str]:
    """Name and licence of the model that the first weights came from, as far as the base says so."""
    known = {}
    if isinstance(encoder, StaticEncoder):
        known = json.loads((encoder.folder / CONFIG).read_text(encoding="utf-8"))
    return {
        "base_model": str(known.get("base_model", Path(encoder.name).name)),
        "licence": str(known.get("licence", "see the base model")),
    }


def _card(
    name: str, base: str, generation: Generation, corpus: Corpus, config: TrainConfig, state: State,
    encoder: ColumnEncoder,
) -> Card:  # fmt: skip
    data = {
        "lakes": ", ".join(generation.roots),
        "text columns": f"{len(corpus):,}",
        "tables": f"{len(np.unique(corpus.tables)):,}",
        f"pairs at joinability {config.known:g} or more": f"{len(corpus.pairs):,}",
        f"pairs at joinability {config.least:g} or more": f"{int((corpus.pairs.joinability >= config.least).sum()):,}",
    }
    kind = "static" if isinstance(encoder, StaticEncoder) else "sentence-transformers"
    origin = _origin(encoder)
    command = f"tablelens train {name} --base {Path(base).name}"
    command += "".join(f" --{key} {value}" for key, value in config.changed().items())
    return Card(name, kind, origin["base_model"], origin["licence"], data, config.as_dict(), state, command)
