"""TransTab where columns come and go: feature-incremental, transfer and zero-shot learning, by the paper's protocols.

    python benchmarks/row_columns.py TABLES --splits 10 --most 800

TABLES: see row_data.py. Columns and rows are drawn by the split's seed; the paper's own draws are not published, so its
figures (Tables 9 to 11) stand beside ours for orientation. Each figure is kept in row_columns.json as soon as it is
there; a second call goes on, and several may run at once.

    incremental   columns in three parts v1, v2, v3; rows in three sets that have v1, v1 + v2, all. TransTab learns from
                  all three; others from the better of (all rows, v1) and (the last set, all columns)
    transfer      rows in two halves, columns in two halves that share 50 %. TransTab learns from the first and goes on
                  with the second; others see the second alone. Both directions
    zero_shot     columns in three parts, rows in three sets. TransTab learns from the first two and is asked about the
                  third part, untouched; after learning on from the third set; and learnt from the third set alone
    zero_shot_cut the same with columns cut as the authors' package cuts them (``load_data(data_cut=3)``), the only code
                  for it that is public: a part takes over half as many of the other parts' columns
"""

from __future__ import annotations

import argparse
import math
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import row_paper
import torch
from row_data import NAMES, Data, Store, auc, interval, simple

from tablelens.transtab import TransTabClassifier

PAPER = {"incremental": row_paper.INCREMENTAL, "transfer": row_paper.TRANSFER}
ZERO_SHOT = ("zero_shot", "zero_shot_cut")
PAPER |= dict.fromkeys(ZERO_SHOT, row_paper.ZERO_SHOT)
BASELINES = ("linear", "trees", "lightgbm")


class Parts:
    """Rows that are learnt from, and the test's, of one split; what learners are given."""

    def __init__(self, data, seed):
        train, valid, self.test = data.split(seed)
        self.data, self.seed, self.rng = data, seed, np.random.default_rng(seed)
        self.rows = self.rng.permutation(np.concatenate([train, valid]))
        self.columns = self.rng.permutation(list(data.x.columns))

    def learn(self, *sets):
        """A model of (columns, rows) each, all at once."""
        columns = {name for names, _ in sets for name in names}
        model = TransTabClassifier(random_state=self.seed, kinds=self.data.kinds_of(columns))
        return model.fit_tables([self.table(*each) for each in sets])

    def learn_on(self, model, columns, rows):
        """The model after some columns of some rows more."""
        return model.set_params(kinds=self.data.kinds_of(columns)).partial_fit(*self.table(columns, rows))

    def table(self, columns, rows):
        return self.data.x[list(columns)].iloc[rows], self.data.y[rows]

    def tested(self, model, columns):
        data, columns = self.data, list(columns)
        model.set_params(kinds=data.kinds_of(columns))
        return auc(data.y[self.test], model.predict_proba(data.x[columns].iloc[self.test])[:, 1])

    def simple(self, kind, columns, rows):
        return simple(kind, self.data, rows, self.test, self.seed, columns)


def incremental(data, seed):
    parts = Parts(data, seed)
    cuts = np.array_split(parts.columns, 3)
    seen = [np.concatenate(cuts[: n + 1]) for n in range(3)]
    sets = np.array_split(parts.rows, 3)
    found = {"ours": parts.tested(parts.learn(*zip(seen, sets, strict=True)), seen[2])}
    found["last_set_alone"] = parts.tested(parts.learn((seen[2], sets[2])), seen[2])
    for kind in BASELINES:
        found[kind] = max(parts.simple(kind, seen[0], parts.rows), parts.simple(kind, seen[2], sets[2]))
    return found


def transfer(data, seed):
    parts = Parts(data, seed)
    count = len(parts.columns)
    own = math.ceil(2 * count / 3)  # two sets of 2/3 of the columns share half of each
    halves = [parts.columns[:own], parts.columns[count - own :]]
    rows = np.array_split(parts.rows, 2)
    found = {name: [] for name in ("ours", "own_half_alone", *BASELINES)}
    for first, second in ((0, 1), (1, 0)):
        model = parts.learn_on(parts.learn((halves[first], rows[first])), halves[second], rows[second])
        found["ours"].append(parts.tested(model, halves[second]))
        alone = parts.learn((halves[second], rows[second]))
        found["own_half_alone"].append(parts.tested(alone, halves[second]))
        for kind in BASELINES:
            found[kind].append(parts.simple(kind, halves[second], rows[second]))
    return {name: round(float(np.mean(values)), 4) for name, values in found.items()}


def zero_shot(data, seed, taken_over=0.0):
    parts = Parts(data, seed)
    columns, rows = np.array_split(parts.columns, 3), np.array_split(parts.rows, 3)
    if taken_over:
        columns = [
            np.append(own, parts.rng.choice(np.setdiff1d(parts.columns, own), int(len(own) * taken_over), False))
            for own in columns
        ]
    model = parts.learn((columns[0], rows[0]), (columns[1], rows[1]))
    found = {"ours": parts.tested(model, columns[2])}
    found["after_learning_on"] = parts.tested(parts.learn_on(model, columns[2], rows[2]), columns[2])
    found["third_set_alone"] = parts.tested(parts.learn((columns[2], rows[2])), columns[2])
    for kind in BASELINES[:2]:
        found[f"{kind}_third_set"] = parts.simple(kind, columns[2], rows[2])
    return found


TASKS = {
    "incremental": incremental,
    "transfer": transfer,
    "zero_shot": zero_shot,
    "zero_shot_cut": partial(zero_shot, taken_over=0.5),
}
HEAD = """# TransTab where columns come and go

Written by `benchmarks/row_columns.py`. {machine} AUROC, mean ± 95 % over splits; at most
{most:,} rows of a table are learnt from, at most 3,000 test. The estimator as it is by default. The paper's figures are
of its own draws and of all rows. `all` is the mean of the data sets, its interval over them.
"""
ABOUT = {
    "incremental": "Feature-incremental: columns are added twice. Others: the better of fewer columns or fewer rows",
    "transfer": "Transfer: from a table that shares half of its columns. Others see the second table alone",
    "zero_shot": "Zero-shot: columns that were never learnt from, read by their names alone",
    "zero_shot_cut": "Zero-shot as the package cuts: half as many columns of the other parts are in each part",
}


AGAINST = dict.fromkeys(("incremental", "transfer"), "ours less the best simple one")
AGAINST |= dict.fromkeys(ZERO_SHOT, "ours less .5")


def against(task, runs):
    """Ours less the simple model with the highest mean, split by split, and its name; of zero-shot less .5, chance."""
    ours = np.array([run["ours"] for run in runs])
    if task in ZERO_SHOT:
        return ours - 0.5, ""
    best = max(BASELINES, key=lambda name: np.mean([run[name] for run in runs]))
    return ours - [run[best] for run in runs], f" ({best})"


def shown(values, sign=""):
    mean, reach = interval(values)
    return f"{mean:{sign}.3f} ± {reach:.3f}"


def written(store):
    """The figures as Markdown."""
    found = store.read()
    text = HEAD.format(machine=found["machine"], most=found["most"])
    for task, about in ABOUT.items():
        if task not in found:
            continue
        names = list(next(iter(next(iter(found[task].values())).values())))
        headings = [*(name.replace("_", " ") for name in names), AGAINST[task], "paper"]
        text += f"\n## {about}\n\n| data | splits | {' | '.join(headings)} |\n|---|---|{'---|' * len(headings)}\n"
        means = []
        for data, runs in found[task].items():
            columns = [[run[name] for run in runs.values()] for name in names]
            gaps, best = against(task, list(runs.values()))
            cells = [*map(shown, columns), shown(gaps, "+") + best, f"{PAPER[task][data]['TransTab']:.3f}"]
            text += f"| {data} | {len(runs)} | {' | '.join(cells)} |\n"
            means.append([np.mean(column) for column in (*columns, gaps)])
        *cells, gap = zip(*means, strict=True)
        text += f"| all | | {' | '.join(map(shown, cells))} | {shown(gap, '+')} | |\n"
    store.path.with_suffix(".md").write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--data", default=NAMES)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--most", type=int, default=800)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    store = Store(options.out / "row_columns.json")
    store.put(["most"], options.most)
    loaded = [Data(options.tables, name, options.most) for name in options.data.split(",")]
    for seed in range(options.splits):
        for data in loaded:
            for task in options.tasks.split(","):
                if not store.has(task, data.name, str(seed)):
                    store.put([task, data.name, str(seed)], TASKS[task](data, seed))
                    written(store)
    written(store)


if __name__ == "__main__":
    main()
