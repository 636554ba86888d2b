"""What is a lake worth to a table: lifts on real tables that join, and what is claimed of a lake of noise.

    python benchmarks/augment.py sample_lake --home /tmp/home
    python benchmarks/augment.py sample_lake --home /tmp/home --judge both --tasks media/film_reviews:score
    python benchmarks/augment.py REPOSITORIES --home HOME --tasks repositories --judge both
    python benchmarks/augment.py LAKE --home HOME --tasks 'TABLE:TARGET,TABLE:TARGET@spearman'

LAKE is crawled into HOME where it was not yet. Without ``--tasks`` those of the sample lake are taken, of which it is
known what should help; ``repositories`` are tasks on a lake of public repositories, a folder each. The noise: a base
table whose target its own columns tell in part, and tables with the same keys and random columns, more of them and more
seeds than anybody would look at. Nothing of it may be recommended.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from row_data import machine

from tablelens.augment.report import document
from tablelens.lake import Lake
from tablelens.testing import make_lake

TASKS = {
    "us/county_unemployment:rate": "land cover by county",
    "media/film_reviews:score": "runtime and year of the film",
    "media/film_reviews:box_office_usd": "runtime and year of the film",
    "science/phase_transitions:melting_point": "density and period of the element",
    "aviation/flights_2008:count": "the type of the airport, large or medium",
    "society/health_income:health": "fertility by country, of a third of the countries",
    "world/countries:population": "population by country and year; a few giants make r2 worthless, so nothing is sure",
    "world/countries:population@spearman": "population by country and year",
}
"""Table and target, and what should help."""
REPOSITORIES = {
    "uk_local_authority_names_and_codes/04_la_area_pop:pop-2020": "its kind and region; two tables tell the target",
    "uk_local_authority_names_and_codes/04_la_area_pop:pop-2020@spearman": "its kind and region",
    "baseballdatabank/Managers:plyrMgr": "years of birth and of the last game by person: who manages while he plays",
    "ourairports-data/runways:lighted": "radio frequencies by airport",
    "baseballdatabank/Salaries:salary": "year of the first game and awards by person",
}
"""The same, of baseballdatabank, chinook-database, congress-legislators, country-codes, data of fivethirtyeight,
ourairports-data, uk_local_authority_names_and_codes and un-locode: 344 tables."""
NOISE_TABLES, NOISE_KEYS, NOISE_ROWS = 12, 80, 500


def parts_of(task):
    """Table, target, and the metric or None."""
    name, _, metric = task.partition("@")
    return *name.rsplit(":", 1), metric or None


def lifted(lake, task, judge, budget):
    table, target, metric = parts_of(task)
    found = lake.augment(table, target, metric=metric, rows=judge == "both", budget=budget)
    return document(found) | {"sql": bool(found.sql)}


def noise(seed, judge):
    """How many tables of noise are recommended, of how many that were tried."""
    rng = np.random.default_rng(seed)
    names = [f"place {chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(NOISE_KEYS)]
    key, x = rng.integers(0, NOISE_KEYS, NOISE_ROWS), rng.normal(size=NOISE_ROWS)
    effect = rng.normal(size=NOISE_KEYS)  # places differ, and no table tells in what
    y = x + effect[key] + rng.normal(size=NOISE_ROWS)
    tables = {"base.csv": {"place": [names[n] for n in key], "x": x.round(3).tolist(), "y": y.round(3).tolist()}}
    for n in range(NOISE_TABLES):
        numbers = {f"n{i}": rng.normal(size=NOISE_KEYS).round(3).tolist() for i in range(3)}
        words = {"kind": rng.choice(["red", "green", "blue", "grey"], NOISE_KEYS).tolist()}
        tables[f"noise{n}.csv"] = {"place": names} | numbers | words
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(Path(folder) / "home", workers=1)
        lake.crawl(make_lake(Path(folder) / "lake", tables))
        found = lake.augment("base", "y", rows=judge == "both", k=NOISE_TABLES)
    lifts = [trial.lifts for trial in found.trials]
    return {
        "tried": sum(bool(one) for one in lifts),
        "by_rows": sum("transtab" in one for one in lifts),
        "recommended": len(found.chosen),
    }


HEAD = """# What a lake is worth to a table

Written by `benchmarks/augment.py`. {machine}
Lift of cross-validated scores, folds by key, with intervals that hold for all candidates and judges of a task at once.
`none` is the table alone; `random` as many tables as are recommended. Where no TransTab stands, figures are of trees
alone.
"""


def written(found, path):
    """The figures as Markdown and JSON."""
    text = HEAD.format(machine=machine())
    for task, made in found["tasks"].items():
        table, target, _ = parts_of(task)
        text += f"\n## {target} of {table} ({made['metric']})\n\n"
        known = (TASKS | REPOSITORIES).get(task)
        text += f"What should help: {known}.\n\n" if known else ""
        text += "| joined | score | lift | tables |\n|---|---|---|---|\n"
        for outcome in made["outcomes"]:
            for judge, score in outcome["scores"].items():
                lift = outcome["lifts"][judge]
                shown = f"{lift['mean']:+.3f} [{lift['low']:+.3f}, {lift['high']:+.3f}]"
                tables = (
                    f"{len(outcome['tables'])} tables" if len(outcome["tables"]) > 3 else ", ".join(outcome["tables"])
                )
                text += f"| {outcome['name']} ({judge}) | {score:.3f} | {shown} | {tables} |\n"
        tried = [trial for trial in made["trials"] if trial["lifts"]]
        text += f"\n{len(tried)} of {len(made['trials'])} joinable tables were tried, recommended: "
        text += (", ".join(made["recommended"]) or "none") + f"; {made['seconds']:.0f} s.\n"
        for trial in tried:
            if "transtab" in trial["lifts"]:
                said = ", ".join(
                    f"{judge} {one['mean']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"
                    for judge, one in trial["lifts"].items()
                )
                text += f"\n{trial['table']} alone: {said}.\n"
        for trial in made["trials"]:
            text += "".join(f"\nLeft out: {why}.\n" for why in trial["left_out"].values() if "target" in why)
    if found["noise"]:
        runs = found["noise"].values()
        text += f"\n## A lake of noise\n\n{len(runs)} lakes of {NOISE_TABLES} tables that join and tell nothing: "
        tried, rows, claimed = (sum(run.get(name, 0) for run in runs) for name in ("tried", "by_rows", "recommended"))
        text += f"{tried} tables tried by trees, the best {rows} by TransTab too, {claimed} recommended.\n"
    path.with_suffix(".md").write_text(text)
    path.write_text(json.dumps(found, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--judge", choices=("trees", "both"), default="trees")
    parser.add_argument("--budget", type=float, default=300.0, help="seconds a task")
    parser.add_argument("--noise", type=int, default=10, help="lakes of noise")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    path = options.out / "augment.json"
    found = json.loads(path.read_text()) if path.exists() else {"tasks": {}, "noise": {}}
    lake = Lake.open(options.home)
    if not (options.home / "catalog.duckdb").exists():
        lake.crawl(options.lake)
    for task in REPOSITORIES if options.tasks == "repositories" else options.tasks.split(","):
        if task and task not in found["tasks"]:
            found["tasks"][task] = lifted(lake, task, options.judge, options.budget)
            written(found, path)
    for seed in range(options.noise):
        if str(seed) not in found["noise"]:
            found["noise"][str(seed)] = noise(seed, options.judge)
            written(found, path)


if __name__ == "__main__":
    main()
