"""Cell-level matching against labelled rows: precision, recall and F1 by column, beside 3-gram Jaccard.

python benchmarks/match_cells.py FOLDER [--fit] [--out benchmarks/results]

FOLDER holds one folder a case with left.csv, right.csv and gt.csv, as the benchmark of AutoFuzzyJoin (Li et al., SIGMOD
2021; MIT) has them: it is in the package ``autofj``, folder autofj/benchmark. For each row of the right column one of
the left is its partner. The weights of the probability are fitted with five folds, whole cases kept aside, and the
scores are those of cases that were kept aside. So that they also see columns that have nothing to do with each other,
each right column is matched with the left one of the next case too, where every match is wrong. ``--fit`` writes the
weights of all cases into the package.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from tablelens.bench.machine import machine
from tablelens.match import cells as matching
from tablelens.match import signs
from tablelens.match.grams import Alike, alike
from tablelens.profile.normalize import normalize

FOLDS = 5


@dataclass(frozen=True)
class Case:
    name: str
    left: list[str]
    right: list[str]
    truth: dict[int, set[int]]
    """Place of a cell of ``right`` to those of ``left`` that are its partners."""

    @property
    def equal(self) -> dict[int, int]:
        """Cells of ``right`` that have an equal."""
        known = {normalize(cell): i for i, cell in enumerate(self.left)}
        return {i: known[v] for i, cell in enumerate(self.right) if (v := normalize(cell)) in known}


def read_case(folder: Path) -> Case:
    rows = {side: list(csv.DictReader((folder / f"{side}.csv").open(encoding="utf-8"))) for side in ("left", "right")}
    truth_rows = list(csv.DictReader((folder / "gt.csv").open(encoding="utf-8")))
    column = next(name for name in rows["left"][0] if name != "id")
    places: dict[str, dict[str, int]] = {}
    cells: dict[str, list[str]] = {}
    for side, found in rows.items():
        known: dict[str, int] = {}
        cells[side] = []
        places[side] = {}
        for row in found:
            if (value := normalize(row[column])) is None:
                continue
            if value not in known:
                known[value] = len(known)
                cells[side].append(row[column])
            places[side][row["id"]] = known[value]
    truth: dict[int, set[int]] = {}
    for row in truth_rows:
        if row["id_r"] in places["right"] and row["id_l"] in places["left"]:
            truth.setdefault(places["right"][row["id_r"]], set()).add(places["left"][row["id_l"]])
    return Case(folder.name, cells["left"], cells["right"], truth)


def examples(case: Case, other: Case) -> tuple[np.ndarray, np.ndarray]:
    """Signs and labels of the pairs of a right column with a left one, of its own case or of another."""
    equal = case.equal if case is other else {}
    free = [i for i in range(len(case.right)) if i not in equal]
    mine = [matching.canonical(case.right[i]) for i in free]
    theirs = [matching.canonical(cell) for cell in other.left]
    pairs: Alike = alike(mine, theirs)
    taken = np.isin(np.arange(len(theirs)), list(equal.values()))
    labels = [case is other and x in case.truth.get(free[q], ()) for q, x in zip(pairs.left, pairs.right, strict=True)]
    return signs.signs_of(mine, theirs, pairs, taken), np.array(labels, bool)


def fit(data: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Weights by sign: a column counts as the root of its pairs."""
    x, y = np.vstack([x for x, _ in data]), np.concatenate([y for _, y in data])
    worth = np.concatenate([np.full(len(y), 1 / np.sqrt(len(y) + 10)) for _, y in data])
    spread = x.std(0) + 1e-9
    model = LogisticRegression(max_iter=2000).fit(x / spread, y, worth)
    weights = dict(zip(signs.SIGNS, (model.coef_[0] / spread).round(4).tolist(), strict=True))
    return {"bias": round(float(model.intercept_[0]), 4)} | weights


def score(case: Case, pairs: list[tuple[int, int]]) -> tuple[int, int, int]:
    """(right matches, matches, rows that have a partner)."""
    labelled = [(q, x) for q, x in pairs if q in case.truth]
    unlabelled = len(pairs) - len(labelled)
    return sum(x in case.truth[q] for q, x in labelled), len(labelled) + unlabelled, len(case.truth)


def jaccard(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(right cell, best left cell, Jaccard of their 3-grams), the peer."""
    mine = [matching.canonical(cell) for cell in case.right]
    theirs = [matching.canonical(cell) for cell in case.left]
    pairs = alike(mine, theirs)
    sets = [[{f" {c} "[i : i + 3] for i in range(len(c))} for c in side] for side in (mine, theirs)]
    found = [
        len(sets[0][q] & sets[1][x]) / max(len(sets[0][q] | sets[1][x]), 1)
        for q, x in zip(pairs.left, pairs.right, strict=True)
    ]
    similarity = np.array(found)
    order = np.lexsort((-similarity, pairs.left))
    first = order[np.flatnonzero(np.diff(pairs.left[order], prepend=-1))]
    return pairs.left[first], pairs.right[first], similarity[first]


def measures(counts: list[tuple[int, int, int]]) -> tuple[float, float, float]:
    """Means of precision, recall and F1 over cases."""
    each = []
    for right, claimed, all_ in counts:
        p, r = right / claimed if claimed else 1.0, right / max(all_, 1)
        each.append((p, r, 2 * p * r / (p + r) if p + r else 0.0))
    return tuple(np.mean(each, axis=0).tolist())  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    start = time.process_time()
    cases = [read_case(folder) for folder in sorted(args.folder.iterdir()) if (folder / "gt.csv").exists()]
    own = [examples(case, case) for case in cases]
    foreign = [examples(case, cases[(i + 1) % len(cases)]) for i, case in enumerate(cases)]
    fold_of = np.random.default_rng(0).permutation(len(cases)) % FOLDS
    ours: list[tuple[int, int, int]] = []
    alone: list[tuple[int, int, int]] = []
    wrong = asked = 0
    sure: list[float] = []
    right: list[bool] = []
    fitted: dict[int, dict[str, float]] = {}
    for fold in range(FOLDS):
        kept = [i for i in range(len(cases)) if fold_of[i] != fold]
        fitted[fold] = fit([own[i] for i in kept] + [foreign[i] for i in kept])
    for i, case in enumerate(cases):
        signs.weights = lambda found=fitted[int(fold_of[i])]: found  # type: ignore[assignment,misc]
        made = matching.match_cells(case.right, case.left)
        pairs = list(zip(made.left.tolist(), made.right.tolist(), strict=True))
        ours.append(score(case, pairs))
        equal = case.equal
        unequal = [(q, x) for q, x in pairs if q not in equal]
        got = score(case, unequal)
        alone.append((got[0], got[1], sum(q not in equal for q in case.truth)))
        sure += made.score[made.how == 2].tolist()
        right += [x in case.truth.get(q, ()) for (q, x), how in zip(pairs, made.how, strict=True) if how == 2]
        other = cases[(i + 1) % len(cases)]
        lost = matching.match_cells(case.right, other.left)
        wrong += int((lost.how > 0).sum())
        asked += len(case.right)
    bests = [jaccard(case) for case in cases]
    lines = ["| | precision | recall | F1 |", "|---|---|---|---|"]
    lines.append("| cell matching | {:.3f} | {:.3f} | {:.3f} |".format(*measures(ours)))
    lines.append("| … rows without an equal alone | {:.3f} | {:.3f} | {:.3f} |".format(*measures(alone)))
    table = []
    for threshold in np.arange(0.2, 1.0, 0.05):
        counts = [
            score(case, [(q, x) for q, x, s in zip(*best, strict=True) if s >= threshold])
            for case, best in zip(cases, bests, strict=True)
        ]
        table.append((threshold, *measures(counts)))
    best = max(table, key=lambda row: row[3])
    level = measures(ours)[0]
    as_sure = max([row for row in table if row[1] >= level] or [table[-1]], key=lambda row: row[2])
    form = "| 3-gram Jaccard, best partner at {:.2f} or more ({}) | {:.3f} | {:.3f} | {:.3f} |"
    lines.append(form.format(best[0], "the threshold of the best F1, chosen on the truth", *best[1:]))
    lines.append(form.format(as_sure[0], "as precise as cell matching", *as_sure[1:]))
    told, label = np.array(sure), np.array(right)
    bins = np.minimum((told * 20).astype(int), 19)
    ece = sum(abs(told[bins == b].mean() - label[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins))
    lines += [
        "",
        f"Claims between columns of two cases that have nothing to do with each other: {wrong} for {asked:,} cells.",
    ]
    lines.append(f"Calibration error of the probabilities of claimed matches: {ece:.3f} ({len(told):,} matches).")
    lines.append(f"CPU time of all: {time.process_time() - start:.0f} s.")
    text = "\n".join(lines)
    print(text)
    if args.fit:
        path = Path(signs.__file__).parent / "weights.json"
        path.write_text(json.dumps(fit(own + foreign), indent=1) + "\n", encoding="utf-8")
    if args.out:
        facts = ", ".join(f"{name} {value}" for name, value in machine().items())
        head = f"""# Cell-level matching

`python benchmarks/match_cells.py FOLDER --out benchmarks/results`, the 50 cases of the AutoFuzzyJoin benchmark (package
autofj 0.0.6, MIT). Means over cases; the weights were fitted on other cases (five folds), one run. {facts}

"""
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "match_cells.md").write_text(head + text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
