"""Does vertical-partition contrastive learning help? Losses as the paper's equations and as shipped, over seeds.

    python benchmarks/row_pretraining.py TABLES --data credit-g,credit-approval --seeds 5

TABLES: see row_data.py. Each loss trains the same untrained model on the rows that are learnt from (three partitions,
overlap a half); then a logistic regression reads its frozen row vectors, and the model is fine-tuned as the classifier
trains. ``none`` is the same without pretraining. Each figure is kept in row_pretraining.json as soon as it is there.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import torch
from row_data import Data, Store, auc, interval
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tablelens.transtab import Featurizer, Vocabulary, as_table
from tablelens.transtab.model import Config, TransTab, encode_rows
from tablelens.transtab.objectives import Contrast, Supervised
from tablelens.transtab.training import Options, fit

LOSSES = {
    "none": None,
    "eq. 4, self": {"loss": "self"},
    "eq. 4, self, T = .1": {"loss": "self", "temperature": 0.1},
    "eq. 5, supervised": {"loss": "supervised"},
    "eq. 5, supervised, T = .1": {"loss": "supervised", "temperature": 0.1},
    "shipped, supervised": {"loss": "shipped", "shuffle": False},
}
EPOCHS = 20


def measured(data, seed, how):
    """AUROC on frozen rows and after fine-tuning; the contrastive loss of the first and the last epoch."""
    train, valid, test = data.split(seed)
    learnt = np.concatenate([train, valid])
    featurizer = Featurizer(Vocabulary.shipped())
    rows = featurizer.rows(as_table(data.x.iloc[learnt]), data.kinds)
    asked = featurizer.rows(as_table(data.x.iloc[test]), data.kinds)
    targets = torch.from_numpy(data.y[learnt])
    model = TransTab(Config(words="both", width=64, heads=4, hidden=128, dropout=0.1, seed=seed))
    model.grow(featurizer)
    found = {}
    if how is not None:
        options = Options(EPOCHS, None, 64, 1e-3, 0.01, seed=seed)
        history = fit(model, Contrast(64, **how), featurizer, [(rows, targets)], [], options)
        found |= {"loss_first": round(history.train[0], 3), "loss_last": round(history.train[-1], 3)}
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    probe.fit(encode_rows(model, featurizer, rows), data.y[learnt])
    found["frozen"] = auc(data.y[test], probe.predict_proba(encode_rows(model, featurizer, asked))[:, 1])
    head = Supervised(64, "classes", 1)
    fit(model, head, featurizer, [(rows, targets)], [], Options(30, None, 64, 2e-3, 0.1, 0.5, seed))
    with torch.no_grad():
        scores = head.head(torch.from_numpy(encode_rows(model, featurizer, asked)))[:, 0].numpy()
    return found | {"finetuned": auc(data.y[test], scores)}


HEAD = """# Does vertical-partition contrastive learning help?

Written by `benchmarks/row_pretraining.py`. {machine} One model of width 64, {epochs} epochs of contrast on at most
{most:,} rows, mean ± 95 % over seeds (each its own split). The differences are paired with `none` of the same seed.
Frozen rows are read by a logistic regression.

| data | loss | seeds | loss, first to last epoch | frozen rows | difference | fine-tuned | difference |
|---|---|---|---|---|---|---|---|
"""


def written(store):
    """The figures as Markdown."""
    found = store.read()
    text = HEAD.format(machine=found["machine"], epochs=EPOCHS, most=found["most"])
    for data, losses in found["runs"].items():
        for loss, runs in losses.items():
            cells = [data, loss, str(len(runs))]
            path = [
                np.mean([run[end] for run in runs.values()]) for end in ("loss_first", "loss_last") if loss != "none"
            ]
            cells.append(" → ".join(f"{value:.3f}" for value in path) or "–")
            for kind in ("frozen", "finetuned"):
                cells.append("{:.4f} ± {:.4f}".format(*interval([run[kind] for run in runs.values()])))
                base = losses.get("none", {})
                gaps = [run[kind] - base[seed][kind] for seed, run in runs.items() if seed in base]
                cells.append("–" if loss == "none" else "{:+.4f} ± {:.4f}".format(*interval(gaps)))
            text += f"| {' | '.join(cells)} |\n"
    store.path.with_suffix(".md").write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--data", default="credit-g,credit-approval")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--most", type=int, default=800)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    store = Store(options.out / "row_pretraining.json")
    store.put(["most"], options.most)
    for seed in range(options.seeds):
        for name in options.data.split(","):
            data = Data(options.tables, name, options.most)
            for loss, how in LOSSES.items():
                if not store.has("runs", name, loss, str(seed)):
                    store.put(["runs", name, loss, str(seed)], measured(data, seed, how))
                    written(store)
    written(store)


if __name__ == "__main__":
    main()
