"""What do template, order of cells, tokens and training change for an encoder that reads text?

    python benchmarks/templates.py HOME MODEL [--tuned FOLDER] [--more NAME=FOLDER …] [--columns 2500]

HOME is a crawled home, MODEL a folder of all-MiniLM-L6-v2, FOLDER the same trained on a lake by ``tablelens train``.
Tables are drawn by a hash of their names until they hold so many text columns; columns with a partner of joinability .3
or more among them ask, all of other tables answer, by exact search; truth is containment, counted. Each variant
changes one thing of the default. *Half and half* is the mean of the weights of the model and of the tuned one; other
models are measured on the default template. If a tuned model learnt on HOME, its figures are of columns that it saw.
Variants are kept in results/templates.json as they end and not measured again while they are there; templates.md is
made of it.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash

from tablelens.bench.machine import load, machine
from tablelens.contextualize.templates import TEMPLATES
from tablelens.encoders import StaticEncoder
from tablelens.encoders.sentence import SentenceEncoder
from tablelens.index import generation
from tablelens.index.generation import Generation
from tablelens.pipeline.texts import column_texts, encodable
from tablelens.settings import Settings
from tablelens.training.corpus import Corpus
from tablelens.training.mine import mine_equal
from tablelens.training.score import Scores, evaluate
from tablelens.training.sentence import shuffled
from tablelens.types import ColumnText, Ids

RESULTS = Path(__file__).parent / "results"
DEFAULT = "title-colname-stat-col"
TOKENS = (32, 64, 128)
QUERIES = 500
MOST_TOKENS = 256


def drawn(lake: Generation, most: int) -> Ids:
    """Places of the text columns of some tables."""
    columns = lake.columns
    usable = encodable(columns) & (columns["distinct"].to_numpy() >= Settings().min_distinct)
    names, table = np.unique(columns["table"].to_numpy(zero_copy_only=False), return_inverse=True)
    order = np.array([xxhash.xxh3_64_intdigest(name.encode()) for name in names.tolist()], np.uint64)
    places = np.flatnonzero(usable)
    return np.sort(places[np.argsort(order[table[places]], kind="stable")][:most])


def texts_of(lake: Generation, places: Ids, template: str, tokens: int) -> list[ColumnText]:
    """The columns' texts by a template."""
    return column_texts(lake.columns, places, lake.postings, tokens, Settings(template=template))


def reordered(columns: list[ColumnText], seed: int = 0) -> list[ColumnText]:
    """The same cells in any order."""
    rng = np.random.default_rng(seed)
    return [replace(column, text=shuffled(column, rng)) for column in columns]


def half(model: SentenceEncoder, tuned: SentenceEncoder) -> SentenceEncoder:
    """The model with the mean of both weights."""
    other = tuned._model.state_dict()
    with torch.no_grad():
        for name, tensor in model._model.state_dict().items():
            if tensor.is_floating_point():
                tensor.add_(other[name]).mul_(0.5)
    return model


class Study:
    """The columns, which of them join, and what was found."""

    def __init__(self, lake: Generation, places: Ids, path: Path) -> None:
        self.path, self.places = path, places
        columns = texts_of(lake, places, DEFAULT, 256)
        tables = lake.columns["table_id"].to_numpy()[places]
        pairs = mine_equal([column.values for column in columns], tables)
        self.corpus = Corpus(columns, tables, [""] * len(columns), pairs)
        self.queries = np.unique(pairs.queries[pairs.joinability >= 0.3])
        self.found: dict[str, Any] = json.loads(path.read_text())["variants"] if path.is_file() else {}

    def score(self, asked: np.ndarray, held: np.ndarray) -> Scores:
        every = np.arange(len(self.corpus))
        return evaluate(self.corpus, self.queries, every, asked[self.queries], held, QUERIES)

    def measure(self, name: str, encoder: SentenceEncoder, columns: list[ColumnText]) -> None:
        """One variant, if it is not known yet."""
        if name in self.found:
            return
        start = time.process_time()
        vectors = encoder.encode(columns)
        spent = (time.process_time() - start) / len(columns)
        self.keep(name, self.score(vectors, vectors), spent)

    def keep(self, name: str, scores: Scores, seconds: float) -> None:
        """Write what is known so far."""
        self.found[name] = scores.as_dict() | {"ms a column": round(1000 * seconds, 3)}
        facts = {"columns": len(self.corpus), "machine": machine(), "load": load(), "variants": self.found}
        self.path.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
        lines = [
            "# Template, order of cells, tokens, training: encoders that read text", "",
            "`python benchmarks/templates.py`: see its text for what is measured. Milliseconds are processor time.", "",
            f"{len(self.corpus):,} text columns; "
            + "; ".join(f"{name} {value}" for name, value in machine().items()) + f"; load {load()}.", "",
        ]  # fmt: skip
        names = ["ndcg@10", "precision@10", "precision@10 of 200", "queries", "ms a column"]
        lines += [f"| variant | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        lines += [f"| {name} | {' | '.join(str(row[n]) for n in names)} |" for name, row in self.found.items()]
        self.path.with_suffix(".md").write_text("\n".join([*lines, ""]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("model")
    parser.add_argument("--tuned")
    parser.add_argument("--more", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--columns", type=int, default=2500)
    given = parser.parse_args()
    lake = generation.load(given.home)
    study = Study(lake, drawn(lake, given.columns), RESULTS / "templates.json")
    default = study.corpus.columns
    shipped = StaticEncoder()
    own = column_texts(lake.columns, study.places, lake.postings, shipped.max_tokens, Settings(), shipped.reads)
    start = time.process_time()
    asked, held = shipped.encode_queries(own), shipped.encode(own)
    study.keep("deepjoin-static", study.score(asked, held), (time.process_time() - start) / 2 / len(own))
    model = SentenceEncoder(given.model, "float32")
    study.measure(f"MiniLM, {DEFAULT}", model, default)
    for template in TEMPLATES:
        if template != DEFAULT:
            study.measure(f"MiniLM, {template}", model, texts_of(lake, study.places, template, model.max_tokens))
    study.measure("MiniLM, the same cells in any order", model, reordered(default))
    for tokens in TOKENS:
        model._model.max_seq_length = tokens
        study.measure(f"MiniLM, {tokens} tokens", model, default)
    if given.tuned:
        tuned = SentenceEncoder(given.tuned, "float32")
        tuned._model.max_seq_length = MOST_TOKENS
        study.measure("MiniLM, tuned", tuned, default)
        study.measure("MiniLM, tuned, the same cells in any order", tuned, reordered(default))
        merged = half(SentenceEncoder(given.model, "float32"), tuned)
        study.measure("MiniLM and tuned, half and half", merged, default)
    for name, _, folder in (more.partition("=") for more in given.more):
        other = SentenceEncoder(folder, "float32")
        other._model.max_seq_length = MOST_TOKENS
        study.measure(name, other, default)


if __name__ == "__main__":
    main()
