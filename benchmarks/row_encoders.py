"""TransTab beside the authors' package and simple models: AUROC on paired splits, ablations, speed in the same run.

    python benchmarks/row_encoders.py TABLES --splits 10 --most 1000 --peer --vocab vocab.txt
    python benchmarks/row_encoders.py TABLES --tasks speed --data credit-g --peer --vocab vocab.txt
    python benchmarks/row_encoders.py TABLES --tasks full --data blastchar --models fused,linear,trees,lightgbm
    python benchmarks/row_encoders.py TABLES --tasks ablations --data credit-g,credit-approval
    python benchmarks/row_encoders.py TABLES --tasks apart

TABLES: see row_data.py. ``supervised`` learns from at most ``--most`` rows of each table, the package with it, which
takes seconds an epoch; ``full`` from all rows. Each figure is kept in row_encoders.json as soon as it is there; a
second call goes on, and several may run at once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from row_data import NAMES, Data, Store, auc, package, peer, scaled, shown, simple
from row_paper import SUPERVISED as REPORTED
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import radius_neighbors_graph

from tablelens.transtab import PAPER as FORM
from tablelens.transtab import Featurizer, TransTabClassifier, TransTabEncoder, Vocabulary, as_table
from tablelens.transtab.model import Config, TransTab, encode_rows
from tablelens.transtab.objectives import Supervised
from tablelens.transtab.peer import from_peer
from tablelens.transtab.tokenize import word_bags
from tablelens.transtab.training import Options, fit

CHOSEN_ON = 1000
"""First of the splits on which the default was chosen."""
MOST_APART = 5_000
"""Distinct rows of a table that are compared with one another."""


def ours(data, seed, **options):
    train, valid, test = data.split(seed)
    both = np.concatenate([train, valid])
    model = TransTabClassifier(kinds=data.kinds, random_state=seed, **options).fit(data.x.iloc[both], data.y[both])
    return auc(data.y[test], model.predict_proba(data.x.iloc[test])[:, 1])


MODELS = {
    "fused": ours,
    "words": lambda data, seed: ours(data, seed, **FORM),
    "linear": lambda data, seed: baseline("linear", data, seed),
    "trees": lambda data, seed: baseline("trees", data, seed),
    "lightgbm": lambda data, seed: baseline("lightgbm", data, seed),
}


ABLATIONS = {
    "as it is": {},
    "no columns hidden": {"hide": 0.0},
    "a fifth hidden": {"hide": 0.2},
    "stops early": {"patience": 10, "epochs": 100},
    "words from chance alone": {"words": "random"},
    "known words alone": {"words": "known"},
    "width 128": {"width": 128, "heads": 8, "hidden": 256},
    "five members": {"members": 5},
}
"""One member each, but for the last."""


def baseline(kind, data, seed):
    train, valid, test = data.split(seed)
    return simple(kind, data, np.concatenate([train, valid]), test, seed)


def speed(data, transtab):
    """CPU seconds an epoch and rows a CPU second, ours and the package's in turn, one thread."""
    train, valid, _ = data.split(0)
    x = scaled(data, train)
    found = {"rows": len(data.y), "train_rows": len(train)}
    targets = torch.from_numpy(data.y[train])
    for name, config in {
        "words": Config("words", "random"),
        "fused": Config(words="both", width=64, heads=4, hidden=128),
    }.items():
        featurizer = Featurizer(Vocabulary.shipped(), spoken=name == "fused")
        table = as_table(data.x)
        many = pa.concat_tables([table] * max(1, 50_000 // len(data.y)))
        start = time.process_time()
        bags = featurizer.rows(many, data.kinds)
        if name == "words":
            word_bags(featurizer, bags)
        found[f"{name}_featurise_rows_s"] = round(many.num_rows / (time.process_time() - start))
        rows = featurizer.rows(table, data.kinds)
        model = TransTab(config)
        model.grow(featurizer)
        head = Supervised(config.width, "classes", 1)
        start = time.process_time()
        fit(model, head, featurizer, [(rows.take(train), targets)], [], Options(epochs=3))
        found[f"{name}_epoch_s"] = round((time.process_time() - start) / 3, 3)
        start = time.process_time()
        encode_rows(model, featurizer, rows)
        found[f"{name}_encode_rows_s"] = round(len(rows) / (time.process_time() - start))
    if transtab is not None:
        one = pd.Series(data.y[train], index=x.index[train])
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            model = transtab.build_classifier(data.cat, data.num, data.bin, device="cpu")
            start = time.process_time()
            valid_part = (x.iloc[valid], pd.Series(data.y[valid], index=x.index[valid]))
            transtab.train(model, (x.iloc[train], one), valid_part, num_epoch=2, batch_size=64, lr=1e-4, patience=10,
                           eval_metric="val_loss", eval_less_is_better=True, output_dir="./speed")  # fmt: skip
            found["peer_epoch_s"] = round((time.process_time() - start) / 2, 3)
            start = time.process_time()
            with torch.no_grad():
                for first in range(0, len(x), 256):
                    model.encoder(**model.cls_token(**model.input_encoder(x.iloc[first : first + 256])))
            found["peer_encode_rows_s"] = round(len(x) / (time.process_time() - start))
            found["peer_difference"] = f"{difference(data, model, x):.1e}"
        for name in ("words", "fused"):
            found[f"{name}_epoch_of_peer"] = round(found[f"{name}_epoch_s"] / found["peer_epoch_s"], 3)
            found[f"{name}_encode_of_peer"] = round(found[f"{name}_encode_rows_s"] / found["peer_encode_rows_s"], 2)
    return found


def apart(data):
    """How many of a table's distinct categorical rows each form tells apart, untrained and after some contrast."""
    rows = data.x[data.cat].drop_duplicates()
    rows = rows.sample(min(len(rows), MOST_APART), random_state=0)
    found, kinds = {"rows": len(rows)}, dict.fromkeys(data.cat, "categorical")
    for name, form in {"fused": {}, "words": FORM | {"rate": 1e-3, "epochs": 1, "patience": None}}.items():
        model = TransTabEncoder(kinds=kinds, **form).fit(rows)
        untrained = TransTab(model.models_[0].config)
        untrained.grow(model.featurizer_)
        vectors = encode_rows(untrained, model.featurizer_, model.featurizer_.rows(as_table(rows), kinds))
        found[f"{name}_untrained"], found[f"{name}_trained"] = groups(vectors), groups(model.transform(rows))
    return found


def groups(vectors, near=1e-4):
    """How many groups of vectors there are that lie further apart than ``near`` in some dimension."""
    linked = radius_neighbors_graph(vectors, near, metric="chebyshev", n_jobs=1)
    return int(connected_components(linked, directed=False)[0])


def difference(data, model, x):
    """The largest difference of logits between the package's model and ours with its weights."""
    pieces = Path("transtab/tokenizer/vocab.txt").read_text().splitlines()
    same, featurizer, head = from_peer(model.state_dict(), pieces)
    with torch.no_grad():
        theirs, _ = model.eval()(x.iloc[:256])
        return float((head(same(featurizer, featurizer.rows(as_table(x.iloc[:256]), data.kinds))) - theirs).abs().max())


HEAD = """# TransTab

Written by `benchmarks/row_encoders.py`. {machine}
"""
SUPERVISED = """
## Supervised, AUROC: mean ± 95 % over splits

{rows} 10 % of
what is learnt from stops the package and the paper's form early, the others learn from it too; 20 % of the table, at
most 3,000 rows, test. In brackets the number of splits.

| data | TransTab (default) | words, as the paper | logistic regression | trees | LightGBM | package 0.0.5 | paper |
|---|---|---|---|---|---|---|---|
"""
PAIRED = """
TransTab (default) less the other, on the same splits:

| data | words, as the paper | logistic regression | trees | LightGBM | package 0.0.5 |
|---|---|---|---|---|---|
"""
CAPPED = "At most {most:,} rows are learnt from, for the package takes seconds an epoch."
FULL = "All rows but the test's are learnt from."
SPEED = """
## Speed, CPU seconds, one thread, in one run

| | {names} |
|---|{rule}
"""
ABLATED = """
## What the default is made of: {name}

AUROC of one member, on splits that are not reported above and on which the default was chosen.

| | AUROC | difference |
|---|---|---|
"""
APART = """
## Rows that differ stay apart

Distinct categorical rows, at most {most:,} a table, and how many of their vectors are told apart (by more than 1e-4 in
some dimension): as the model begins, and after training by contrast. The paper's bag of words does not know which
column a word came from, whatever is trained.

| data | distinct rows | default, untrained | default, trained | words, untrained | words, trained |
|---|---|---|---|---|---|
"""
COLUMNS = ("fused", "words", "linear", "trees", "lightgbm", "peer")


def written(store):
    """The figures as Markdown."""
    found = store.read()
    text = HEAD.format(machine=found["machine"])
    for task, about in (("supervised", CAPPED.format(most=found.get("most", 0))), ("full", FULL)):
        text += SUPERVISED.format(rows=about) if task in found else ""
        for name, runs in found.get(task, {}).items():
            cells = [shown(runs.get(model, {}).values()) for model in COLUMNS]
            text += f"| {name} | {' | '.join(cells)} | {REPORTED[name]['TransTab']} |\n"
        text += PAIRED if task in found else ""
        for name, runs in found.get(task, {}).items():
            mine = runs.get("fused", {})
            pairs = [[mine[seed] - score for seed, score in runs.get(model, {}).items() if seed in mine]
                     for model in COLUMNS[1:]]  # fmt: skip
            text += f"| {name} | {' | '.join(map(shown, pairs))} |\n"
    for name, runs in found.get("ablations", {}).items():
        text += ABLATED.format(name=name)
        whole = runs["as it is"]
        for way, made in runs.items():
            gaps = [made[seed] - whole[seed] for seed in made if seed in whole]
            text += f"| {way} | {shown(made.values())} | {np.mean(gaps):+.4f} |\n"
    text += APART.format(most=MOST_APART) if "apart" in found else ""
    for name, one in found.get("apart", {}).items():
        text += f"| {name} | {' | '.join(f'{value:,}' for value in one.values())} |\n"
    if speeds := found.get("speed"):
        text += SPEED.format(names=" | ".join(speeds), rule="---|" * len(speeds))
        for key in dict.fromkeys(key for one in speeds.values() for key in one):
            text += f"| {key} | {' | '.join(str(one.get(key, '–')) for one in speeds.values())} |\n"
    store.path.with_suffix(".md").write_text(text)


def measure(options, store):
    """Fill the store, split by split, what is there already left as it is."""
    names, tasks = options.data.split(","), options.tasks.split(",")
    transtab = package(options.vocab.resolve()) if options.peer else None
    chosen = {name: MODELS[name] for name in options.models.split(",") if name}
    if transtab is not None:
        chosen["peer"] = lambda data, seed: peer(data, seed, transtab)
    for name in names if "speed" in tasks else ():
        store.put(["speed", name], speed(Data(options.tables, name), transtab))
    for name in names if "apart" in tasks else ():
        store.put(["apart", name], apart(Data(options.tables, name)))
    if "ablations" in tasks:
        ablated(options, store)
    if "supervised" in tasks:
        store.put(["most"], options.most)
        compared("supervised", chosen, [Data(options.tables, name, options.most) for name in names], options, store)
    if "full" in tasks:
        compared("full", chosen, [Data(options.tables, name) for name in names], options, store)


def compared(task, models, tables, options, store):
    """Each model on each split of each table."""
    for seed in range(options.splits):
        for data in tables:
            for name, model in models.items():
                if not store.has(task, data.name, name, str(seed)):
                    store.put([task, data.name, name, str(seed)], model(data, seed))
                    written(store)


def ablated(options, store):
    """Each part of the default taken away, on splits of their own."""
    for seed in range(CHOSEN_ON, CHOSEN_ON + options.splits):
        for name in options.data.split(","):
            data = Data(options.tables, name, options.most)
            for way, changed in ABLATIONS.items():
                if not store.has("ablations", name, way, str(seed)):
                    score = ours(data, seed, **({"members": 1} | changed))
                    store.put(["ablations", name, way, str(seed)], score)
                    written(store)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--data", default=NAMES)
    parser.add_argument("--tasks", default="supervised,speed")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--models", default="fused,words,linear,trees,lightgbm")
    parser.add_argument("--most", type=int, default=1000, help="rows that are learnt from; 0 takes all")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--vocab", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    options.tables = options.tables.resolve()  # the package wants a folder of its own
    store = Store(options.out / "row_encoders.json")
    measure(options, store)
    written(store)


if __name__ == "__main__":
    main()
