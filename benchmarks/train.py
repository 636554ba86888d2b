"""What does training change, on repositories that it did not see? The table of ablations.

    python -m tablelens.training.distil MINILM BASE
    python benchmarks/train.py HOME --base BASE [--only NAME,…] [--parts 0,1,2] [--steps 240] [--seed 0]

HOME is a crawled home. Its folders, one a repository, are dealt to three parts, the largest first, each to the part
that has the fewest columns. Of each part that is asked for, a variant trains on the other two, with a tenth of their
tables for early stopping as the command does, and ranks the columns of the part against each other, by exact search;
truth is containment, counted. Variants are merged into benchmarks/results/training.json as they end; training.md is
made of it.
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
from tablelens.encoders.static_files import CONFIG, TOKENIZER, write_static
from tablelens.index import generation
from tablelens.pipeline.train import corpus_of
from tablelens.progress import Silent
from tablelens.settings import Settings
from tablelens.training.config import TrainConfig
from tablelens.training.corpus import Corpus, split
from tablelens.training.mine import Pairs
from tablelens.training.runs import Run
from tablelens.training.score import evaluate

RESULTS = Path(__file__).parent / "results"
VARIANTS: dict[str, dict] = {
    "as shipped": {},
    "a third of the weight on the first 200": {"deep": 1.0},
    "loss: multiple-negatives ranking, jn ≥ .7": {"loss": "ranking"},
    "the same, guided negatives": {"loss": "ranking", "guide": 0.05},
    "no hard negatives": {"hard": 0},
    "no decay": {"decay": 0.0},
    "ten times the rate": {"rate": 1e-2},
    "384 dimensions (128 + 256)": {"identity": 256},
    "640 dimensions (128 + 512)": {"identity": 512},
}
PARTS, QUERIES = 3, 500


def dealt(corpus: Corpus) -> np.ndarray:
    """The part of each column; a folder is never divided."""
    names, folder = np.unique(["/".join(group.split("/")[:2]) for group in corpus.groups], return_inverse=True)
    sizes, filled, part = np.bincount(folder), np.zeros(PARTS, int), np.zeros(len(names), int)
    for place in np.argsort(-sizes, kind="stable"):
        part[place] = filled.argmin()
        filled[part[place]] += sizes[place]
    return part[folder]


def without(corpus: Corpus, gone: np.ndarray) -> Corpus:
    """The other columns, with the pairs among them."""
    kept = np.flatnonzero(~gone)
    new, pairs = np.cumsum(~gone) - 1, corpus.pairs
    both = ~gone[pairs.queries] & ~gone[pairs.partners]
    starts = np.append(0, np.cumsum(np.bincount(new[pairs.queries[both]], minlength=len(kept))))
    inner = Pairs(starts, new[pairs.partners[both]].astype(np.int32), pairs.joinability[both])
    columns, groups = ([of[place] for place in kept.tolist()] for of in (corpus.columns, corpus.groups))
    return Corpus(columns, corpus.tables[kept], groups, inner)


def score(corpus: Corpus, gone: np.ndarray, encoder: StaticEncoder) -> dict[str, float]:
    """Of the columns that were kept aside, ranked against each other."""
    aside = np.flatnonzero(gone)
    columns = [corpus.columns[place] for place in aside.tolist()]
    return rank(corpus, aside, encoder.encode_queries(columns), encoder.encode(columns))


def rank(corpus: Corpus, aside: np.ndarray, asked: np.ndarray, held: np.ndarray) -> dict[str, float]:
    """Columns with a partner of joinability .3 or more ask."""
    pairs, inside = corpus.pairs, np.isin(np.arange(len(corpus)), aside)
    strong = (pairs.joinability >= 0.3) & inside[pairs.queries] & inside[pairs.partners]
    queries = np.unique(pairs.queries[strong])
    return evaluate(corpus, queries, aside, asked[np.searchsorted(aside, queries)], held, QUERIES).as_dict()


def name_only(corpus: Corpus, gone: np.ndarray) -> dict[str, float]:
    """The same column name, as a random vector a name."""
    aside = np.flatnonzero(gone)
    names = np.unique([corpus.columns[place].name.casefold() for place in aside.tolist()], return_inverse=True)[1]
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(names.max() + 1, 256))[names].astype(np.float32) / 16
    return rank(corpus, aside, rows, rows)


def trained(corpus: Corpus, gone: np.ndarray, given: argparse.Namespace, variant: dict, folder: Path) -> tuple:
    """(encoder, the same merged with its base, what it took) of one variant that did not see the part."""
    from tablelens.training import static

    changed = dict(variant)
    static.DEEP = changed.pop("deep", given.deep)
    base = StaticEncoder(resized(given.base, changed.pop("identity", 0), folder / "base"))
    seen, config = without(corpus, gone), replace(TrainConfig(steps=given.steps, seed=given.seed), **changed)
    start, used = time.perf_counter(), time.process_time()
    run = Run(folder / "run", config, seen.fingerprint(), base.revision, Silent(), print)
    model = static.train_static(seen, split(seen, config), config, base, run)
    took = {"best step": run.state.best_step, "cpu minutes": round((time.process_time() - used) / 60, 1)}
    took["minutes"] = round((time.perf_counter() - start) / 60, 1)
    encoders = []
    for share in (1.0, 0.5):
        weights, facts = model.folded(share)
        target = folder / f"model{share}"
        write_static(target, weights, (base.folder / TOKENIZER).read_bytes(), facts | {"name": "variant"})
        encoders.append(StaticEncoder(target))
    return (*encoders, took)


def resized(base: Path, identity: int, target: Path) -> Path:
    """The base with another number of buckets."""
    if not identity:
        return base
    shutil.copytree(base, target)
    config = json.loads((base / CONFIG).read_text()) | {"identity": identity}
    (target / CONFIG).write_text(json.dumps(config))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--base", type=Path, required=True, help="folder of a static encoder that was only distilled")
    parser.add_argument("--only", default="")
    parser.add_argument("--parts", default="0,1,2")
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    from tablelens.training import static

    given.deep, base = static.DEEP, StaticEncoder(given.base)
    start = time.process_time()
    corpus = corpus_of(generation.load(given.home), base, Settings(), TrainConfig(), (), Silent())
    mined, part = time.process_time() - start, dealt(corpus)
    path = RESULTS / "training.json"
    report = json.loads(path.read_text()) if path.is_file() else {}
    report |= {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}",
        "text columns": len(corpus), "pairs": len(corpus.pairs), "CPU seconds to read and mine": round(mined, 1),
        "columns of the parts": np.bincount(part).tolist(), "steps": given.steps, "seed": given.seed,
    }  # fmt: skip
    found = report.setdefault("variants", {})
    chosen = [name for name in VARIANTS if not given.only or any(name.startswith(o) for o in given.only.split(","))]
    for number in map(int, given.parts.split(",")):
        gone = part == number
        found[f"the same column name / {number}"] = name_only(corpus, gone)
        found[f"distilled, not trained / {number}"] = score(corpus, gone, base)
        for name in chosen:
            with tempfile.TemporaryDirectory() as folder:
                whole, merged, took = trained(corpus, gone, given, VARIANTS[name], Path(folder))
                found[f"{name} / {number}"] = score(corpus, gone, whole) | took
                if name == "as shipped":
                    found[f"{name}, merged with its base half and half / {number}"] = score(corpus, gone, merged)
            write(report)
    write(report)


def write(report: dict) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "training.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    names = ["ndcg@10", "precision@10", "precision@10 of 200", "queries", "best step", "cpu minutes"]
    lines = ["# Training the static encoder: repositories that it did not see", ""]
    lines += [f"- {name}: {value}" for name, value in report.items() if name != "variants"]
    lines += ["", "`python benchmarks/train.py HOME`: see its text for what is measured.", ""]
    lines += [f"| variant | part | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for label, row in sorted(report["variants"].items(), key=lambda item: item[0].rpartition(" / ")[2]):
        variant, _, part = label.rpartition(" / ")
        lines.append(f"| {variant} | {part} | {' | '.join(str(row.get(column, '')) for column in names)} |")
    (RESULTS / "training.md").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
