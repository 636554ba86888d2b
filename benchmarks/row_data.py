"""What the benchmarks of row encoders share: tables, paired splits, the models beside ours, a store of figures.

A folder of NAME.csv with NAME.json beside it, {"cat": [], "num": [], "bin": [], "target": ""}, as the public data sets
of the TransTab paper. The authors' package `transtab` 0.0.5 runs unedited (`pip install openml loguru tqdm`, then
`pip install --no-deps transtab==0.0.5`) and needs the vocabulary of an uncased BERT model.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import t as student
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder

NAMES = "credit-g,credit-approval,blastchar,insurance-co,1995-income,adult"
MOST_TEST = 3_000
"""Rows of a test part that are scored."""


class Data:
    """One table with its kinds. ``most`` caps the rows that are learnt from, validation rows among them; 0 does not."""

    def __init__(self, folder: Path, name: str, most: int = 0):
        meta = json.loads((folder / f"{name}.json").read_text())
        self.name, self.cat, self.num, self.bin, self.most = name, meta["cat"], meta["num"], meta["bin"], most
        frame = pd.read_csv(folder / f"{name}.csv")
        self.y = frame[meta["target"]].astype(int).to_numpy()
        self.x = frame[self.bin + self.num + self.cat]
        self.kinds = dict.fromkeys(self.cat, "categorical") | dict.fromkeys(self.num, "numerical")
        self.kinds |= dict.fromkeys(self.bin, "binary")

    def split(self, seed):
        """(train, valid, test) places: 70, 10 and 20 per cent, as the package splits."""
        learnt, test = train_test_split(np.arange(len(self.y)), test_size=0.2, random_state=seed, stratify=self.y)
        learnt = learnt[: self.most or None]
        held = len(learnt) // 8
        return learnt[:-held], learnt[-held:], test[:MOST_TEST]

    def kinds_of(self, columns):
        return {name: self.kinds[name] for name in columns}

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


def auc(y, scores):
    return round(float(roc_auc_score(y, scores)), 4)


def linear_model(cat):
    """One-hot categories, numbers from 0 to 1, logistic regression."""
    coded = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), cat), remainder=MinMaxScaler())
    return make_pipeline(coded, LogisticRegression(max_iter=1000))


def trees_model(cat, seed):
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    coded = make_column_transformer((OrdinalEncoder(**unknown), cat), remainder="passthrough")
    return make_pipeline(coded, HistGradientBoostingClassifier(random_state=seed))


def boosted_model(cat, seed):
    """LightGBM with its defaults."""
    from lightgbm import LGBMClassifier

    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    coded = make_column_transformer((OrdinalEncoder(**unknown), cat), remainder="passthrough")
    return make_pipeline(coded, LGBMClassifier(random_state=seed, n_jobs=1, verbose=-1))


def simple(kind, data, rows, test, seed, columns=None):
    """AUROC of a simple model that learns from ``rows``, and from ``columns`` alone."""
    columns = list(columns if columns is not None else data.x.columns)
    cat, x = [name for name in data.cat if name in columns], data.plain()[columns]
    model = {"linear": lambda: linear_model(cat), "trees": lambda: trees_model(cat, seed),
             "lightgbm": lambda: boosted_model(cat, seed)}[kind]()  # fmt: skip
    model.fit(x.iloc[rows], data.y[rows])
    return auc(data.y[test], model.predict_proba(x.iloc[test])[:, 1])


def package(vocab):
    """The authors' package, unedited, with the vocabulary that it would else silently do without."""
    work = Path(os.environ.get("TMPDIR", "/tmp")) / f"transtab_package_{os.getpid()}"
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


def scaled(data, train):
    """As the package wants it: no gaps, numbers from 0 to 1 as the training rows have them."""
    x = data.plain()
    x[data.num] = MinMaxScaler().fit(x[data.num].iloc[train]).transform(x[data.num])
    return x


def peer(data, seed, transtab, epochs=100):
    """AUROC of the package by the paper's settings, and the epochs that it took."""
    train, valid, test = data.split(seed)
    x = scaled(data, train)
    parts = [(x.iloc[p], pd.Series(data.y[p], index=x.index[p])) for p in (train, valid)]
    transtab.random_seed(seed)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        model = transtab.build_classifier(data.cat, data.num, data.bin, device="cpu")
        transtab.train(model, *parts, num_epoch=epochs, batch_size=64, lr=1e-4, patience=10, eval_metric="val_loss",
                       eval_less_is_better=True, output_dir=f"./{data.name}_{seed}")  # fmt: skip
        scores = transtab.predict(model, x.iloc[test], pd.Series(data.y[test], index=x.index[test]))
    return auc(data.y[test], scores)


def interval(values):
    """Mean and half-width of the 95 % interval (Student's) over splits."""
    v, n = np.array(values), len(values)
    return float(v.mean()), float(student.ppf(0.975, n - 1) * v.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")


def shown(values):
    """Mean ± half-width (number), or a dash."""
    found = list(values)
    return "{:.4f} ± {:.4f} ({})".format(*interval(found), len(found)) if found else "–"


class Store:
    """Figures by keys in a JSON file, each kept as soon as it is there; several runs may fill it at once."""

    def __init__(self, path: Path):
        self.path = path.resolve()

    def read(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def has(self, *keys):
        found = self.read()
        for key in keys:
            if not isinstance(found, dict) or key not in found:
                return False
            found = found[key]
        return True

    def put(self, keys: Iterable[str], value):
        """Keep a figure."""
        with open(self.path.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = place = self.read()
            *way, last = keys
            for key in way:
                place = place.setdefault(key, {})
            place[last] = value
            found["machine"] = machine()
            self.path.write_text(json.dumps(found, indent=1) + "\n")


def machine():
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{os.cpu_count()} cores, one thread used, {versions}."
