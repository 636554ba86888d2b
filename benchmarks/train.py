"""What does training change, on repositories that it did not see? The table of ablations.

    python -m tablelens.training.distil MINILM BASE
    python benchmarks/train.py HOME --base BASE [--only NAME,…] [--steps 180] [--seed 0]

HOME is a crawled home. Its folders, one a repository, are split in two by a hash: each variant trains on the one half
and ranks the columns of the other against each other, by exact search; truth is containment, counted. The halves are
drawn by the seed. Variants are merged into benchmarks/results/training.json as they end; training.md is made of it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from tablelens.encoders import StaticEncoder
from tablelens.encoders.static_files import TOKENIZER, write_static
from tablelens.index import generation
from tablelens.pipeline.train import corpus_of
from tablelens.progress import Silent
from tablelens.settings import Settings
from tablelens.training.config import TrainConfig
from tablelens.training.corpus import Corpus, Split, split
from tablelens.training.runs import Run
from tablelens.training.score import evaluate

RESULTS = Path(__file__).parent / "results"
VARIANTS = {
    "as shipped": {},
    "loss: multiple-negatives ranking, jn ≥ .7": {"loss": "ranking"},
    "the same, guided negatives": {"loss": "ranking", "guide": 0.05},
    "no hard negatives": {"hard": 0},
    "no decay": {"decay": 0.0},
    "ten times the rate": {"rate": 1e-2},
}


def score(corpus: Corpus, parts: Split, encoder: StaticEncoder) -> dict[str, float]:
    aside = np.flatnonzero(parts.validating)
    columns = [corpus.columns[place] for place in aside.tolist()]
    asked, held = encoder.encode_queries(columns), encoder.encode(columns)
    queries = np.searchsorted(aside, parts.validation)
    return evaluate(corpus, parts.validation, aside, asked[queries], held).as_dict()


def name_only(corpus: Corpus, parts: Split) -> dict[str, float]:
    """The same column name, as a vector of one dimension a name."""
    aside = np.flatnonzero(parts.validating)
    names = np.unique([corpus.columns[place].name.casefold() for place in aside.tolist()], return_inverse=True)[1]
    rows = np.zeros((len(aside), 256), np.float32)
    rng = np.random.default_rng(0)
    rows[:] = rng.normal(size=(names.max() + 1, 256))[names] / 16
    return evaluate(corpus, parts.validation, aside, rows[np.searchsorted(aside, parts.validation)], rows).as_dict()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--base", type=Path, required=True, help="folder of a static encoder that was only distilled")
    parser.add_argument("--only", default="")
    parser.add_argument("--steps", type=int, default=180)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    base = StaticEncoder(given.base)
    config = TrainConfig(split="folder", validation=0.5, steps=given.steps, seed=given.seed)
    made = generation.load(given.home)
    start = time.perf_counter()
    corpus = corpus_of(made, base, Settings(), config, (), Silent())
    mined = time.perf_counter() - start
    parts = split(corpus, config)
    path = RESULTS / "training.json"
    report = json.loads(path.read_text()) if path.is_file() else {"variants": {}}
    report |= {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}",
        "text columns": len(corpus), "pairs": len(corpus.pairs), "seconds to read and mine": round(mined, 1),
        "trained on": int((~parts.validating).sum()), "ranked": int(parts.validating.sum()),
        "steps": given.steps, "seed": given.seed,
    }  # fmt: skip
    chosen = [name for name in VARIANTS if not given.only or any(name.startswith(o) for o in given.only.split(","))]
    found = report["variants"]
    found["the same column name"] = name_only(corpus, parts)
    found["distilled, not trained"] = score(corpus, parts, base)
    write(report)
    from tablelens.training.static import train_static

    for name in chosen:
        variant = replace(config, **VARIANTS[name])
        with tempfile.TemporaryDirectory() as folder:
            start, used = time.perf_counter(), time.process_time()
            run = Run(Path(folder) / "run", variant, corpus.fingerprint(), base.revision, Silent(), print)
            model = train_static(corpus, split(corpus, variant), variant, base, run)
            seconds, cpu = time.perf_counter() - start, time.process_time() - used
            for share in (1.0, 0.5) if name == "as shipped" else (1.0,):
                weights, facts = model.folded(share)
                target = Path(folder) / "model"
                shutil.rmtree(target, ignore_errors=True)
                write_static(target, weights, (base.folder / TOKENIZER).read_bytes(), facts | {"name": "variant"})
                label = name if share == 1 else f"{name}, merged with its base half and half"
                found[label] = score(corpus, parts, StaticEncoder(target)) | {
                    "best step": run.state.best_step,
                    "minutes": round(seconds / 60, 1),
                    "cpu minutes": round(cpu / 60, 1),
                }
        write(report)


def write(report: dict) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "training.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    names = ["ndcg@10", "precision@10", "precision@10 of 200", "best step", "cpu minutes"]
    lines = ["# Training the static encoder: repositories that it did not see", ""]
    lines += [f"- {name}: {value}" for name, value in report.items() if name != "variants"]
    lines += ["", "`python benchmarks/train.py HOME`: see its text for what is measured.", ""]
    lines += [f"| variant | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [
        f"| {name} | {' | '.join(str(row.get(column, '')) for column in names)} |"
        for name, row in report["variants"].items()
    ]
    (RESULTS / "training.md").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
