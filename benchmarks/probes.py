"""Which properties do the encoders of tablelens have, and which findings of Observatory hold here?

    python benchmarks/probes.py WORK --minilm FOLDER --mpnet FOLDER [--lake FOLDER] [--part NAME] [--tuned FOLDER]

Four parts, each kept in WORK and gone on with where it was cut off:

- ``sample``: the whole sample lake, preset standard; the static encoder and MiniLM on DeepJoin's template.
- ``models``: 20 tables of the sample lake, 24 rows, 4 to 8 variants a table; these two, MiniLM's weights as a plain
  BERT over whole tables (``bert:``), a TransTab fitted on tables of the sample lake, and the reference models.
- ``mpnet``: 8 tables, 10 rows, 2 variants; the static encoder, MiniLM and MPNet.
- ``lake``: 16 tables drawn from four folders of a lake (a public lake pack); the static encoder, MiniLM and a bag of
  words.

Writes benchmarks/results/probes.md and probes.json. No speed is measured, so a shared machine changes nothing but the
costs, which are upper bounds.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from pathlib import Path

from tablelens.probes import results, store
from tablelens.probes.data import Dataset, from_lake, from_sample_lake
from tablelens.probes.registry import PROPERTIES, get_property, load_models
from tablelens.probes.report.markdown import grid, number, report, span
from tablelens.probes.results import Run
from tablelens.probes.runner import PRESETS, Budget, run

from tablelens.bench.machine import load, machine
from tablelens.lake import Lake

RESULTS = Path(__file__).parent / "results"
REFERENCES = ("bag-of-words", "hash", "random", "first-row", "constant")
PARTS = {
    "sample": PRESETS["standard"],
    "models": Budget(tables=20, rows=24, variants=4, most=8),
    "mpnet": Budget(tables=8, rows=10, variants=2, most=2),
    "lake": Budget(tables=16, rows=16, variants=4, most=4),
}
SHOWN = ("cosine", "mcv", "van valen", "self retrieval", "cosine whole")
RAW = ("row_order", "column_order", "sample_fidelity", "perturbation_robustness", "heterogeneous_context")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--minilm", required=True)
    parser.add_argument("--mpnet", required=True)
    parser.add_argument("--tuned", help="folder of a tuned MiniLM")
    parser.add_argument("--lake", type=Path)
    parser.add_argument("--part", choices=list(PARTS))
    options = parser.parse_args()
    for part in [options.part] if options.part else [name for name in PARTS if name != "lake" or options.lake]:
        made = probe(part, options)
        results.write(options.work / f"{part}.json", made.document())
        store.publish(made, options.work / part)
    write(options.work)


def probe(part: str, options: argparse.Namespace) -> Run:
    names = {
        "sample": ["deepjoin-static", options.minilm],
        "models": [
            "deepjoin-static",
            options.minilm,
            f"bert:{options.minilm}",
            *REFERENCES,
        ],
        "mpnet": ["deepjoin-static", options.minilm, options.mpnet],
        "lake": ["deepjoin-static", options.minilm, "bag-of-words"],
    }[part]
    if part == "models":
        names.insert(3, f"transtab:{transtab(options.work)}")
    if options.tuned:
        names.insert(2, options.tuned)
    budget = PARTS[part]
    if part == "lake":
        tables = crawled(options.work, options.lake, budget)
    else:
        tables = from_sample_lake(budget.rows, budget.tables)
    return run(load_models(names), PROPERTIES, tables, budget, preset=part, folder=options.work / "store")


def crawled(work: Path, folder: Path, budget: Budget) -> Dataset:
    """Tables of a lake of files drawn from a folder."""
    part = work / "lake"
    if not part.is_dir():
        for path in drawn(folder, budget.tables):
            target = part / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    lake = Lake.open(work / "home")
    lake.crawl(part, "pack")
    return from_lake(work / "home", "pack", budget.rows, budget.tables, 7)


def drawn(folder: Path, count: int) -> list[Path]:
    """Files of four of a lake's folders, as many of each: tables of one folder are likely to join."""
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    chance = random.Random(7)
    found = []
    for part in chance.sample(inside, min(4, len(inside))):
        files = sorted(path for path in part.rglob("*") if path.suffix in (".csv", ".parquet"))
        found += chance.sample(files, min(count // 4, len(files)))
    return found


def transtab(work: Path) -> Path:
    """A TransTab encoder that learnt from some tables of the sample lake, one after the other."""
    from tablelens.transtab import TransTabEncoder

    folder = work / "transtab"
    if not folder.is_dir():
        model = TransTabEncoder(epochs=3)
        for table in from_sample_lake(200, 12).tables:
            if table.width > 2 and len(set(table.header)) == table.width:
                model.partial_fit(dict(zip(table.header, map(list, table.columns), strict=True)))
        model.save(folder)
    return folder


def write(work: Path) -> None:
    """Results of all parts that there are."""
    found = [name for name in PARTS if (work / f"{name}.json").is_file()]
    parts = {name: store.find(work, str(work / f"{name}.json")) for name in found}
    lines = ["# Probes of encoders", "", *conditions(parts)]
    for name, made in parts.items():
        lines += ["", f"## Part {name}", "", *report(made).splitlines()[2:]]
        lines += ["", "Raw measures, mean over tables with its interval:", "", *raw(made)]
        lines += ["", "By dose or kind:", "", *curves(made)]
    (RESULTS / "probes.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    document = {"machine": machine(), "load": load(), "parts": {name: short(made) for name, made in parts.items()}}
    (RESULTS / "probes.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def conditions(parts: dict[str, Run]) -> list[str]:
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    return [
        "Written by `python benchmarks/probes.py`; its head says what each part is. Figures in brackets are 95 %",
        "intervals over tables. Times are those of a shared machine: upper bounds.",
        "",
        facts + f"; load {load()}.",
    ]


def raw(made: Run) -> list[str]:
    rows = []
    for r in made.results:
        if r.property in RAW and r.estimates:
            measures = "; ".join(f"{name} {span(r.estimates[name])}" for name in SHOWN if name in r.estimates)
            rows.append([r.model, r.property, r.level, r.tables, measures])
    return grid(["model", "property", "level", "tables", "measures"], rows)


def curves(made: Run) -> list[str]:
    rows = []
    for r in made.results:
        if r.curve and r.model not in REFERENCES:
            line = "; ".join(f"{dose}: {number(e.value)}" for dose, e in r.curve.items())
            rows.append([r.model, get_property(r.property).meta.title, r.level, line])
    return grid(["model", "property", "level", "value"], rows)


def short(made: Run) -> dict[str, object]:
    """A run without its tables."""
    found = made.document()
    found["results"] = [
        {k: v for k, v in result.items() if k not in ("units", "kept", "worst")} for result in found["results"]
    ]
    return found


if __name__ == "__main__":
    main()
