"""TransTab beside the authors' package and simple models: quality on paired splits, speed in the same run.

    python benchmarks/row_encoders.py TABLES --data credit-g,credit-approval --splits 10
    python benchmarks/row_encoders.py TABLES --tasks speed --peer --vocab vocab.txt

TABLES is a folder of NAME.csv with NAME.json beside it, {"cat": [], "num": [], "bin": [], "target": ""}, as the public
data sets of the TransTab paper. ``--peer`` runs the unedited package `transtab` 0.0.5 (`pip install openml loguru
tqdm`, then `pip install --no-deps transtab==0.0.5`) and needs the vocabulary of an uncased BERT model. Each figure is
kept in row_encoders.json as soon as it is there; a second call goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder

from tablelens.transtab import Featurizer, TransTabClassifier, Vocabulary, as_table
from tablelens.transtab.model import Config, TransTab, encode_rows
from tablelens.transtab.peer import from_peer
from tablelens.transtab.tokenize import word_bags
from tablelens.transtab.training import Options, Supervised, fit

PAPER = {"credit-g": 0.768, "credit-approval": 0.881, "adult": 0.907, "blastchar": 0.845, "insurance-co": 0.822,
         "1995-income": 0.919}  # fmt: skip
"""AUROC of TransTab, Table 8 of the paper."""


class Data:
    """One table with its kinds."""

    def __init__(self, folder: Path, name: str, rows: int = 0):
        meta = json.loads((folder / f"{name}.json").read_text())
        self.name, self.cat, self.num, self.bin = name, meta["cat"], meta["num"], meta["bin"]
        frame = pd.read_csv(folder / f"{name}.csv")
        if rows:
            frame = frame.sample(n=min(rows, len(frame)), random_state=0).reset_index(drop=True)
        self.y = frame[meta["target"]].astype(int).to_numpy()
        self.x = frame[self.bin + self.num + self.cat]
        self.kinds = dict.fromkeys(self.cat, "categorical") | dict.fromkeys(self.num, "numerical")
        self.kinds |= dict.fromkeys(self.bin, "binary")

    def plain(self):
        """Without gaps, as the package and scikit-learn want it."""
        made = self.x.copy()
        for c in made.columns:
            made[c] = made[c].fillna(made[c].mode()[0])
        for c in self.cat:
            made[c] = made[c].astype(str)
        for c in self.bin:
            made[c] = made[c].astype(int)
        for c in self.num:
            made[c] = made[c].astype(float)
        return made


def split(data, seed):
    """(train, valid, test) places: 70, 10 and 20 per cent, as the package splits."""
    train, test = train_test_split(np.arange(len(data.y)), test_size=0.2, random_state=seed, stratify=data.y)
    held = int(len(data.y) * 0.1)
    return train[:-held], train[-held:], test


def auc(y, scores):
    return round(float(roc_auc_score(y, scores)), 4)


def ours(data, seed, **options):
    train, valid, test = split(data, seed)
    both = np.concatenate([train, valid])
    kinds = {"kinds": data.kinds, "random_state": seed}
    model = TransTabClassifier(**kinds, **options).fit(data.x.iloc[both], data.y[both])
    return auc(data.y[test], model.predict_proba(data.x.iloc[test])[:, 1])


def linear(data, seed):
    train, valid, test = split(data, seed)
    both, x = np.concatenate([train, valid]), data.plain()
    coded = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), data.cat), remainder=MinMaxScaler())
    model = make_pipeline(coded, LogisticRegression(max_iter=1000)).fit(x.iloc[both], data.y[both])
    return auc(data.y[test], model.predict_proba(x.iloc[test])[:, 1])


def trees(data, seed):
    train, valid, test = split(data, seed)
    both, x = np.concatenate([train, valid]), data.plain()
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    coded = make_column_transformer((OrdinalEncoder(**unknown), data.cat), remainder="passthrough")
    model = make_pipeline(coded, HistGradientBoostingClassifier(random_state=seed)).fit(x.iloc[both], data.y[both])
    return auc(data.y[test], model.predict_proba(x.iloc[test])[:, 1])


def scaled(data, train):
    x = data.plain()
    x[data.num] = MinMaxScaler().fit(x[data.num].iloc[train]).transform(x[data.num])
    return x


def package(vocab):
    """The authors' package, unedited, with the vocabulary that it would else silently do without."""
    work = Path(os.environ.get("TMPDIR", "/tmp")) / "transtab_package"
    (work / "transtab" / "tokenizer").mkdir(parents=True, exist_ok=True)
    (work / "transtab" / "tokenizer" / "vocab.txt").write_text(Path(vocab).read_text())
    about = {"do_lower_case": True, "tokenizer_class": "BertTokenizer"}
    (work / "transtab" / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(about))
    os.chdir(work)
    os.environ["HF_HUB_OFFLINE"] = "1"
    vars(np)["Inf"] = np.inf  # the package was written for NumPy 1
    import transtab

    assert len(Path("transtab/tokenizer/vocab.txt").read_text().splitlines()) == 30522
    return transtab


def peer(data, seed, transtab, epochs=100):
    train, valid, test = split(data, seed)
    x = scaled(data, train)
    parts = [(x.iloc[p], pd.Series(data.y[p], index=x.index[p])) for p in (train, valid)]
    transtab.random_seed(seed)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        model = transtab.build_classifier(data.cat, data.num, data.bin, device="cpu")
        transtab.train(model, *parts, num_epoch=epochs, batch_size=64, lr=1e-4, patience=10, eval_metric="val_loss",
                       eval_less_is_better=True, output_dir=f"./{data.name}_{seed}")  # fmt: skip
        scores = transtab.predict(model, x.iloc[test], pd.Series(data.y[test], index=x.index[test]))
    return auc(data.y[test], scores)


def speed(data, transtab):
    """CPU seconds an epoch and rows a CPU second, ours and the package's in turn, one thread."""
    train, valid, _ = split(data, 0)
    x = scaled(data, train)
    found = {"rows": len(data.y), "train_rows": len(train)}
    targets = torch.from_numpy(data.y[train])
    for name, config in {"words": Config("words", "random"), "fused": Config()}.items():
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
        cats = data.x[data.cat].drop_duplicates() if data.cat else data.x.iloc[:0]
        vectors = encode_rows(
            model, featurizer, featurizer.rows(as_table(cats), dict.fromkeys(data.cat, "categorical"))
        )
        found[f"{name}_distinct"] = f"{len(np.unique(vectors.round(5), axis=0)):,} of {len(cats):,}"
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


def difference(data, model, x):
    """The largest difference of logits between the package's model and ours with its weights."""
    pieces = Path("transtab/tokenizer/vocab.txt").read_text().splitlines()
    same, featurizer, head = from_peer(model.state_dict(), pieces)
    with torch.no_grad():
        theirs, _ = model.eval()(x.iloc[:256])
        return float((head(same(featurizer, featurizer.rows(as_table(x.iloc[:256]), data.kinds))) - theirs).abs().max())


def zero_shot(data, seed):
    """Columns in three parts, rows too: learn on the first two, test on the third, untouched (section 3.5)."""
    rng = np.random.default_rng(seed)
    columns = np.array_split(rng.permutation(list(data.x.columns)), 3)
    train, valid, test = split(data, seed)
    first, second, third = np.array_split(rng.permutation(np.concatenate([train, valid])), 3)
    options = {"random_state": seed, "members": 1}
    model = TransTabClassifier(**options).fit(data.x[columns[0]].iloc[first], data.y[first])
    model.partial_fit(data.x[columns[1]].iloc[second], data.y[second])
    unseen = data.x[columns[2]]
    zero = auc(data.y[test], model.predict_proba(unseen.iloc[test])[:, 1])
    model.partial_fit(unseen.iloc[third], data.y[third])
    transfer = auc(data.y[test], model.predict_proba(unseen.iloc[test])[:, 1])
    alone = TransTabClassifier(**options).fit(unseen.iloc[third], data.y[third])
    single = auc(data.y[test], alone.predict_proba(unseen.iloc[test])[:, 1])
    return {"zero_shot": zero, "transfer": transfer, "supervised": single}


def interval(values):
    """Mean and half-width of the 95 % interval over splits."""
    v = np.array(values)
    return float(v.mean()), float(1.96 * v.std(ddof=1) / np.sqrt(len(v))) if len(v) > 1 else float("nan")


HEAD = """# TransTab

Written by `benchmarks/row_encoders.py`. {machine}
"""
SUPERVISED = """
## Supervised, AUROC: mean ± 95 % over splits

70 % of the rows train, 10 % stop early (ours and the package's; the other two learn from them too), 20 % test. In
brackets the number of splits: compare within a row only where it is the same.

| data | TransTab (default) | words, as the paper | logistic regression | trees | package 0.0.5 | paper |
|---|---|---|---|---|---|---|
"""
SPEED = """
## Speed, CPU seconds, one thread, in one run

| | {names} |
|---|{rule}
"""
UNSEEN = """
## Columns never seen, AUROC on the third part of the columns

| data | splits | zero-shot | after learning on (transfer) | that part alone |
|---|---|---|---|---|
"""


def written(store, path):
    """The figures as Markdown and JSON."""
    text = HEAD.format(machine=store["machine"])
    text += SUPERVISED if store.get("supervised") else ""
    for name, runs in store.get("supervised", {}).items():
        cells = []
        for model in ("fused", "words", "linear", "trees", "peer"):
            found = list(runs.get(model, {}).values())
            cells.append("{:.4f} ± {:.4f} ({})".format(*interval(found), len(found)) if found else "–")
        text += f"| {name} | {' | '.join(cells)} | {PAPER.get(name, '–')} |\n"
    if speeds := store.get("speed"):
        text += SPEED.format(names=" | ".join(speeds), rule="---|" * len(speeds))
        for key in dict.fromkeys(key for found in speeds.values() for key in found):
            text += f"| {key} | {' | '.join(str(found.get(key, '–')) for found in speeds.values())} |\n"
    if unseen := store.get("zero_shot"):
        text += UNSEEN
        for name, runs in unseen.items():
            columns = [[run[key] for run in runs.values()] for key in ("zero_shot", "transfer", "supervised")]
            cells = ["{:.4f} ± {:.4f}".format(*interval(column)) for column in columns]
            text += f"| {name} | {len(runs)} | {' | '.join(cells)} |\n"
    path.with_suffix(".md").write_text(text)
    path.write_text(json.dumps(store, indent=1) + "\n")


def paper_form(data, seed):
    """The paper's form and training: a bag of words, from chance, one model."""
    return ours(data, seed, cells="words", words="random", dropout=0.0, decay=0.0, members=1)


MODELS = {"fused": ours, "words": paper_form, "linear": linear, "trees": trees}


def measure(options, tables, path):
    """Fill the store, split by split, what is there already left as it is."""
    transtab = package(options.vocab.resolve()) if options.peer else None
    store = json.loads(path.read_text()) if path.exists() else {}
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    store["machine"] = f"{os.cpu_count()} cores, one thread used, {versions}."
    chosen = {name: MODELS[name] for name in options.models.split(",")}
    if transtab is not None:
        chosen["peer"] = lambda data, seed: peer(data, seed, transtab)
    tasks, loaded = options.tasks.split(","), [Data(tables, name, options.rows) for name in options.data.split(",")]
    for data in loaded if "speed" in tasks else ():
        store.setdefault("speed", {})[data.name] = speed(data, transtab)
        written(store, path)
    jobs = [("supervised", name, model) for name, model in chosen.items()] if "supervised" in tasks else []
    jobs += [("zero_shot", "", zero_shot)] if "zero_shot" in tasks else []
    for seed in range(options.splits):
        for data in loaded:
            for task, name, model in jobs:
                runs = store.setdefault(task, {}).setdefault(data.name, {})
                runs = runs.setdefault(name, {}) if name else runs
                if str(seed) not in runs:
                    runs[str(seed)] = model(data, seed)
                    written(store, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--data", default="credit-g,credit-approval")
    parser.add_argument("--tasks", default="supervised,speed,zero_shot")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--models", default="fused,words,linear,trees")
    parser.add_argument("--rows", type=int, default=0, help="rows of each table, drawn at random; 0 takes all")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--vocab", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    measure(options, options.tables.resolve(), (options.out / "row_encoders.json").resolve())


if __name__ == "__main__":
    main()
