"""Fit the weights of the join probability on labelled joins of a lake pack.

    python benchmarks/calibrate.py PACK HOME MAP [--out tablelens/discover/calibration.json]

PACK has queries*.parquet and qrels*.parquet, HOME is a home in which its tables were crawled, MAP the JSON file that
says which table of the pack lies in which file. A candidate counts as wanted where it holds at least half of the
query's values, by equality (jn) or by the entities that they name (sj). Candidates are those that mode auto proposes.
The planted joins and tempting non-joins of the sample lake are added, for the pack labels no join of numbers. Each
sign's weight is held at or above zero, and below its share of containment's (CAPS). Cross-validation is grouped by
query.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tablelens.discover.joins import Request, allowed_columns, count_pair, propose
from tablelens.discover.query import query_of_place
from tablelens.discover.rank import SIGNS, signs
from tablelens.errors import NotFound
from tablelens.lake import Lake

WANTED = 0.5
CAPS = {"cosine": 0.5, "name": 0.3, "key": 0.15}
"""Most that a sign may weigh beside containment, whose unit is one logit."""
PLANTED = 2.0
"""Weight of a planted pair of the sample lake; a query of the pack, all its candidates together, has 1."""
SAMPLE_TRUTH = Path(__file__).parent.parent / "sample_lake" / "truth.json"


def collect(pack: Path, lake: Lake, paths: dict[str, str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(signs (n, s), labels (n,), group (n,)) of all candidates of all labelled queries."""
    view = lake.view
    columns = pq.read_table(pack / "columns.parquet", columns=["cid", "table_id", "column"]).to_pylist()
    known = {}
    for row in columns:
        with contextlib.suppress(NotFound):  # a column that the crawl names otherwise
            known[row["cid"]] = view.column(paths[row["table_id"]], row["column"])
    features, labels, groups = [], [], []
    for suffix in ("", "_semantic"):
        qrels = "qrels_semantic" if suffix else "qrels_full"
        truth = defaultdict(dict)
        for row in pq.read_table(pack / f"{qrels}.parquet").to_pylist():
            if row["cid"] in known:
                gain = max(row["jn"], row.get("sj") or 0.0)
                truth[row["query_id"]][known[row["cid"]]] = gain
        for query_row in pq.read_table(pack / f"queries{suffix}.parquet").to_pylist():
            place = known.get(query_row["cid"])
            if place is None:
                continue
            query = query_of_place(view, place)
            request = Request(k=10)
            counted, cosine = propose(query, request, allowed_columns(query, request), 200)
            places = counted.places
            features.append(signs(query, counted, cosine))
            labels.append([truth[query_row["query_id"]].get(p, 0.0) >= WANTED for p in places.tolist()])
            groups.append(np.full(len(places), len(groups)))
    return np.vstack(features), np.concatenate(labels).astype(float), np.concatenate(groups)


def planted(truth: Path, home: Path) -> tuple[np.ndarray, np.ndarray]:
    """(signs (n, s), labels (n,)) of the joins and tempting non-joins of the sample lake, crawled in ``home``."""
    lake, known = Lake.open(home), json.loads(truth.read_text())
    lake.crawl(truth.parent, "sample_lake")
    features, labels = [], []
    for name, wanted in (("joins", 1.0), ("non_joins", 0.0)):
        for pair in known[name]:
            columns = [pair["left"].get("column"), pair["right"].get("column")]
            if not all(isinstance(column, str) for column in columns) or pair.get("kind") == "code-name":
                continue  # composite keys and joins over a bridge are not this model's to find
            places = [lake.view.column(pair[side]["table"], pair[side]["column"]) for side in ("left", "right")]
            query = query_of_place(lake.view, places[0])
            if lake.view.usable[places].all():
                counted, cosine = count_pair(query, places[1])
                features.append(signs(query, counted, cosine)[0])
                labels.append(wanted)
    return np.vstack(features), np.array(labels)


def fit(x: np.ndarray, y: np.ndarray, weight: np.ndarray, steps: int = 1500) -> tuple[float, np.ndarray]:
    """Bias and non-negative weights of a logistic model by accelerated projected gradient, ridge 1e-3."""
    caps = np.array([CAPS.get(sign, np.inf) for sign in SIGNS])
    middle, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    z = np.column_stack([np.ones(len(x)), (x - middle) / scale])
    share = weight / weight.sum()
    pace = 1 / (np.linalg.eigvalsh(z.T @ (z * share[:, None])).max() / 4 + 1e-3)
    floor = np.array([-np.inf] + [0.0] * x.shape[1])
    w = ahead = np.zeros(z.shape[1])
    for step in range(steps):
        error = share * (1 / (1 + np.exp(-z @ ahead)) - y)
        new = np.maximum(ahead - pace * (z.T @ error + 1e-3 * ahead), floor)
        new[1:] = np.minimum(new[1:], caps * new[1] / scale[0] * scale)
        ahead = new + step / (step + 3) * (new - w)
        w = new
    return float(w[0] - (w[1:] * middle / scale).sum()), w[1:] / scale


def expected_calibration_error(p: np.ndarray, y: np.ndarray, weight: np.ndarray, bins: int = 10) -> float:
    """Mean gap between predicted and observed share over equal-width bins, weighted."""
    places = np.minimum((p * bins).astype(int), bins - 1)
    gaps = 0.0
    for i in range(bins):
        inside = places == i
        if inside.any():
            gaps += weight[inside].sum() * abs(np.average(p[inside] - y[inside], weights=weight[inside]))
    return gaps / weight.sum()


def main() -> None:
    """Fit, cross-validate, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("home", type=Path)
    parser.add_argument("map", type=Path)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    lake = Lake.open(args.home)
    x, y, group = collect(args.pack, lake, json.loads(args.map.read_text()))
    sizes = np.bincount(group)
    weight = 1 / sizes[group]  # every query counts the same
    with tempfile.TemporaryDirectory() as scratch:
        more_x, more_y = planted(SAMPLE_TRUTH, Path(scratch))
    x, y = np.vstack([x, more_x]), np.concatenate([y, more_y])
    group = np.concatenate([group, group.max() + 1 + np.arange(len(more_y))])
    weight = np.concatenate([weight, np.full(len(more_y), PLANTED)])
    folds = group % 5
    predicted = np.zeros(len(y))
    for fold in range(5):
        b, w = fit(x[folds != fold], y[folds != fold], weight[folds != fold])
        inside = folds == fold
        predicted[inside] = 1 / (1 + np.exp(-(x[inside] @ w + b)))
    b, w = fit(x, y, weight)
    error = expected_calibration_error(predicted, y, weight)
    name = str(lake.view.generation.encoder["name"])
    weights = {"bias": round(b, 4), **{sign: round(float(v), 4) for sign, v in zip(SIGNS, w, strict=True)}}
    print(f"{len(sizes)} queries, {len(y):,} candidates, {y.mean():.1%} wanted")
    print(f"expected calibration error, 5 folds by query: {error:.4f}")
    for low in np.arange(0, 1, 0.1):
        inside = (predicted >= low) & (predicted < low + 0.1 + 1e-9 * (low > 0.85))
        if inside.any():
            observed = np.average(y[inside], weights=weight[inside])
            print(f"  predicted {low:.1f}-{low + 0.1:.1f}: observed {observed:.3f}  ({inside.sum():,})")
    print(json.dumps(weights))
    if args.out:
        known = json.loads(args.out.read_text()) if args.out.exists() else {}
        args.out.write_text(json.dumps({**known, name: weights}, indent=1) + "\n")


if __name__ == "__main__":
    main()
