"""Fit the weights of the join probability on labelled joins of a lake pack, and say how far it can be believed.

    python benchmarks/calibrate.py PACK HOME MAP [--out tablelens/discover/calibration.json] [--report REPORT.md]

PACK has queries*.parquet and qrels*.parquet, HOME is a home in which its tables were crawled, MAP the JSON file that
says which table of the pack lies in which file. Candidates are those that mode auto proposes. A candidate counts as a
partner as the pack defines it: it holds at least .3 of the query's values (jn), or of a semantic query at least half of
the entities that they name in whatever form (sj). What the truth does not label is left out: columns outside its pool,
and, of queries that are labelled by equality alone, candidates that meaning or a bridge proposes. Semantic queries come
twice, each with half the weight: as mode auto sees them, and with the cells of the nearest candidates compared, as mode
semantic does. The fuzzy pairs, a lake of their own, are compared too. The planted joins and tempting non-joins of the
sample lake are added.

Each weight is held at or above zero; those of CAPS below their share of containment's, that of a bridge's coverage
below COVERED. Cross-validation holds out whole repositories. The loss is the log loss of the noisy-or, every query with
the same weight.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy.optimize import minimize

from tablelens.bench.fuzzy import lake_of, sides
from tablelens.discover.candidates import Candidates, propose, weigh_pair
from tablelens.discover.evidence import Query
from tablelens.discover.joins import Request, allowed_columns
from tablelens.discover.matching import with_cells
from tablelens.discover.query import query_of_place
from tablelens.discover.rank import BRIDGE, EQUALITY, WAYS, signs_of
from tablelens.discover.view import FAMILIES
from tablelens.errors import NotFound
from tablelens.lake import Lake

JN, SJ = 0.3, 0.5
MEANT = 0.5
"""Cosine from which on a candidate that shares few values may be right all the same."""
CAPS = {"cosine": 0.5, "name": 0.3, "key": 0.15}
"""Most that a sign of equality may weigh beside containment, whose unit is one logit."""
COVERED = 0.1
"""Most that the coverage of a bridge may weigh: of values that did not arrive a bridge tells little."""
PLANTED = 3.0
"""Weight of a planted pair of the sample lake; a query of the pack, all its candidates together, has 1."""
COMPARED = "semantic, cells"
"""Semantic queries with the cells of the nearest candidates compared."""
FOLDS = 5
SAMPLE_TRUTH = Path(__file__).parent.parent / "sample_lake" / "truth.json"
SETS = (("equi", "", "qrels_full", "pool_text"), ("keys", "_keys", "qrels_keys_full", "pool_key"),
        ("semantic", "_semantic", "qrels_semantic", ""))  # fmt: skip


@dataclass
class Examples:
    """Labelled candidates: signs of each way (n, s), whether a way applies, labels, weights, where they come from."""

    signs: dict[str, np.ndarray]
    applies: dict[str, np.ndarray]
    y: np.ndarray
    weight: np.ndarray
    group: np.ndarray
    kind: np.ndarray

    @classmethod
    def of(cls, query: Query, found: Candidates, kept: np.ndarray, y: np.ndarray, weight: float, group: str, kind: str):
        """The candidates of one query."""
        signs, n = signs_of(query, found), len(kept)
        applies = {
            "equality": np.ones(n, bool), "meaning": np.full(n, query.vector is not None),
            "bridge": found.form >= 0, "cells": ~np.isnan(found.matched),
        }  # fmt: skip
        for way in ("bridge", "cells"):
            some, signs[way] = signs[way], np.zeros((n, len(WAYS[way])))
            signs[way][applies[way]] = some
        size = int(kept.sum())
        return cls(
            {way: signs[way][kept] for way in WAYS},
            {way: applies[way][kept] for way in WAYS},
            y[kept].astype(float),
            np.full(size, weight / max(size, 1)),
            np.full(size, group),
            np.full(size, kind),
        )

    @classmethod
    def joined(cls, parts: list[Examples]) -> Examples:
        """All of several."""
        return cls(
            {way: np.vstack([part.signs[way] for part in parts]) for way in WAYS},
            {way: np.concatenate([part.applies[way] for part in parts]) for way in WAYS},
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("y", "weight", "group", "kind")),
        )

    def take(self, mask: np.ndarray) -> Examples:
        """Some of them."""
        fields = (getattr(self, name)[mask] for name in ("y", "weight", "group", "kind"))
        ways = ({way: values[mask] for way, values in part.items()} for part in (self.signs, self.applies))
        return Examples(*ways, *fields)


def collect(pack: Path, lake: Lake, paths: dict[str, str]) -> list[Examples]:
    """The candidates of all labelled queries."""
    view, pools, known = lake.view, {}, {}
    names = ["cid", "table_id", "column", "pool_text", "pool_key"]
    for row in pq.read_table(pack / "columns.parquet", columns=names).to_pylist():
        with contextlib.suppress(NotFound):  # a column that the crawl names otherwise
            known[row["cid"]] = view.column(paths[row["table_id"]], row["column"])
            pools[known[row["cid"]]] = row
    tables = pq.read_table(pack / "tables.parquet", columns=["table_id", "repo"]).to_pylist()
    repository = {row["table_id"]: row["repo"] for row in tables}
    examples = []
    for kind, suffix, qrels, pool in SETS:
        truth = defaultdict(dict)
        for row in pq.read_table(pack / f"{qrels}.parquet").to_pylist():
            if row["cid"] in known:
                truth[row["query_id"]][known[row["cid"]]] = (row["jn"], row.get("sj") or 0.0)
        for row in pq.read_table(pack / f"queries{suffix}.parquet").to_pylist():
            if row["cid"] in known:
                query, request = query_of_place(view, known[row["cid"]]), Request(k=10)
                found = propose(query, request, allowed_columns(query, request), 200)
                places = found.places.tolist()
                jn, sj = np.array([truth[row["query_id"]].get(place, (0.0, 0.0)) for place in places]).reshape(-1, 2).T
                kept = np.ones(len(places), bool)
                if query.family == "text":
                    kept &= view.family[found.places] == FAMILIES.index("text")
                if pool:
                    kept &= np.array([pools.get(place, {}).get(pool, False) for place in places], bool)
                    kept &= (jn >= JN) | ~((found.form >= 0) | (np.nan_to_num(found.cosine) > MEANT))
                y, group = (jn >= JN) | (sj >= SJ), repository[row["table_id"]]
                forms = {kind: found} | ({COMPARED: with_cells(query, found)} if kind == "semantic" else {})
                for name, form in forms.items():
                    examples.append(Examples.of(query, form, kept, y, 1 / len(forms), group, name))
    return examples


def fuzzy(folder: Path) -> list[Examples]:
    """Columns spelled differently, each beside the columns of all other pairs; a pair is a group of its own."""
    asked, held = sides(folder)
    examples = []
    with lake_of(held, {}) as lake:
        for right, row in enumerate(asked):
            query = lake.outside_query(row["values"], row["column"])
            request = Request(k=10, mode="semantic")
            found = with_cells(query, propose(query, request, allowed_columns(query, request), 200))
            y = np.array([int(Path(lake.view.value("table", p)).stem) == right for p in found.places.tolist()])
            examples.append(Examples.of(query, found, np.ones(len(y), bool), y, 1.0, f"fuzzy {right}", "fuzzy"))
    return examples


def planted(truth: Path, home: Path) -> list[Examples]:
    """The joins and tempting non-joins of the sample lake, crawled in ``home``; each is a group of its own."""
    lake, known = Lake.open(home), json.loads(truth.read_text())
    lake.crawl(truth.parent, "sample_lake")
    examples = []
    for name in ("joins", "non_joins"):
        for number, pair in enumerate(known[name]):
            columns = [pair[side].get("column") for side in ("left", "right")]
            if all(isinstance(column, str) for column in columns):  # composite keys are not this model's to find
                places = [lake.view.column(pair[side]["table"], pair[side]["column"]) for side in ("left", "right")]
                if lake.view.usable[places].all():
                    query = query_of_place(lake.view, places[0])
                    y = np.array([name == "joins"])
                    found, all_ = weigh_pair(query, places[1]), np.ones(1, bool)
                    examples.append(Examples.of(query, found, all_, y, PLANTED, f"{name} {number}", "planted"))
    return examples


SIZES = {way: len(signs) for way, signs in WAYS.items()}
CAPPED = {1 + EQUALITY.index(sign): cap for sign, cap in CAPS.items()}
"""Places of the capped weights among all parameters: they are fitted as shares of containment's, which is at 1."""
COVERAGE = sum(SIZES[way] + 1 for way in ("equality", "meaning")) + 1 + BRIDGE.index("coverage")
"""Place of that weight among all parameters."""


def probabilities(theta: np.ndarray, examples: Examples) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The noisy-or (n,), and the probability of each way (n,)."""
    none, each, start = np.ones(len(examples.y)), {}, 0
    for way, size in SIZES.items():
        z = examples.signs[way] @ theta[start + 1 : start + 1 + size] + theta[start]
        each[way] = examples.applies[way] / (1 + np.exp(-np.clip(z, -30, 30)))
        none *= 1 - each[way]
        start += size + 1
    return np.clip(1 - none, 1e-7, 1 - 1e-7), each


def fit(examples: Examples, ridge: float = 1e-4) -> np.ndarray:
    """Bias and weights of each way, end to end."""
    share, y = examples.weight / examples.weight.sum(), examples.y

    def loss(shares: np.ndarray) -> tuple[float, np.ndarray]:
        theta = whole(shares)
        p, each = probabilities(theta, examples)
        value = -(share * (y * np.log(p) + (1 - y) * np.log(1 - p))).sum() + ridge * (theta**2).sum()
        outer = -share * (y / p - (1 - y) / (1 - p)) * (1 - p)
        parts = [np.append((outer * each[way]).sum(), (outer * each[way]) @ examples.signs[way]) for way in WAYS]
        slope = np.concatenate(parts) + 2 * ridge * theta
        inner = slope.copy()
        for place in CAPPED:
            inner[place] = slope[place] * shares[1]
            inner[1] += slope[place] * shares[place]
        return value, inner

    start = np.concatenate([np.append(-3.0, np.full(size, 0.1)) for size in SIZES.values()])
    bounds = [bound for size in SIZES.values() for bound in [(-12, 4), *[(0, 8)] * size]]
    for place, cap in CAPPED.items():
        bounds[place] = 0, cap
    bounds[COVERAGE] = 0, COVERED
    return whole(minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 500}).x)


def whole(shares: np.ndarray) -> np.ndarray:
    """Weights of the capped signs, which are fitted as shares of containment's."""
    theta = shares.copy()
    theta[list(CAPPED)] *= shares[1]
    return theta


def folds_of(examples: Examples) -> np.ndarray:
    """A fold for each example; a group is never divided, the heaviest go first to the lightest fold."""
    groups, places = np.unique(examples.group, return_inverse=True)
    weights = np.bincount(places, examples.weight)
    load, fold = np.zeros(FOLDS), np.zeros(len(groups), int)
    for group in np.argsort(-weights, kind="stable"):
        fold[group] = int(np.argmin(load))
        load[fold[group]] += weights[group]
    return fold[places]


def expected_calibration_error(p: np.ndarray, y: np.ndarray, weight: np.ndarray, bins: int = 10) -> float:
    """Mean gap between predicted and observed share over equal-width bins, weighted (Naeini et al., AAAI 2015)."""
    places = np.minimum((p * bins).astype(int), bins - 1)
    inside = [places == i for i in range(bins) if (places == i).any()]
    gaps = [weight[i].sum() * abs(np.average(p[i] - y[i], weights=weight[i])) for i in inside]
    return float(sum(gaps) / weight.sum())


def report(examples: Examples, p: np.ndarray, threshold: float, encoder: str, queries: int) -> str:
    """The reliability diagram, the errors and what thresholds do, as Markdown."""
    y, weight, kind = examples.y, examples.weight, examples.kind
    sets = [name for name in ("equi", "keys", "semantic", COMPARED, "fuzzy", "planted") if (kind == name).any()]
    errors = {name: expected_calibration_error(p[kind == name], y[kind == name], weight[kind == name]) for name in sets}
    lines = [
        "# Calibration\n",
        f"{queries} queries and planted pairs (semantic queries twice), {len(y):,} labelled candidates, "
        f"{np.average(y, weights=weight):.1%} partners; encoder {encoder}. Predictions are those of folds that hold "
        f"out whole repositories ({FOLDS} folds). "
        "Written by `python benchmarks/calibrate.py PACK HOME MAP --report REPORT`.\n",
        f"Expected calibration error: **{expected_calibration_error(p, y, weight):.3f}** "
        f"({', '.join(f'{name} {error:.3f}' for name, error in errors.items())}).\n",
        "## Reliability\n\n| predicted | observed | | candidates |\n| --- | --- | --- | --- |",
    ]
    for low in range(10):
        inside = np.minimum((p * 10).astype(int), 9) == low
        if inside.any():
            seen = np.average(y[inside], weights=weight[inside])
            bar = "█" * round(20 * seen)
            lines.append(f"| .{low}–{'1.0' if low == 9 else f'.{low + 1}'} | {seen:.3f} | {bar} | {inside.sum():,} |")
    lines.append(
        "\n## Thresholds\n\nPrecision of what is shown, share of the partners that is shown, share of the candidates "
        "on which the answer abstains.\n\n| threshold | precision | recall | abstained | "
        + " | ".join(f"precision, {name}" for name in sets) + " |\n|" + " --- |" * (4 + len(sets))
    )  # fmt: skip
    for cut in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        shown = p >= cut
        precision = [np.average(y[shown & m], weights=weight[shown & m]) for m in (kind == name for name in sets)]
        cells = [np.average(y[shown], weights=weight[shown]), (weight * y * shown).sum() / (weight * y).sum()]
        cells += [1 - (weight * shown).sum() / weight.sum(), *precision]
        mark = "**" if cut == threshold else ""
        lines.append(f"| {mark}{cut}{mark} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Fit, cross-validate, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("home", type=Path)
    parser.add_argument("map", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--report", type=Path)
    args = parser.parse_args()
    lake = Lake.open(args.home)
    parts = collect(args.pack, lake, json.loads(args.map.read_text()))
    if (args.pack / "fuzzy").is_dir():
        parts += fuzzy(args.pack / "fuzzy")
    with tempfile.TemporaryDirectory() as scratch:
        parts += planted(SAMPLE_TRUTH, Path(scratch))
    examples = Examples.joined(parts)
    fold, p = folds_of(examples), np.zeros(len(examples.y))
    for number in range(FOLDS):
        p[fold == number] = probabilities(fit(examples.take(fold != number)), examples.take(fold == number))[0]
    encoder = str(lake.view.generation.encoder["name"])
    text = report(examples, p, lake.settings.threshold, encoder, len(parts))
    print(text)
    theta, weights, start = fit(examples), {}, 0
    for way, signs in WAYS.items():
        weights[way] = {name: round(float(theta[start + i]), 4) for i, name in enumerate(("bias", *signs))}
        start += len(signs) + 1
    print(json.dumps(weights))
    if args.report:
        args.report.write_text(text)
    if args.out:
        known = json.loads(args.out.read_text()) if args.out.exists() else {}
        args.out.write_text(json.dumps({**known, encoder: weights}, indent=1) + "\n")


if __name__ == "__main__":
    main()
