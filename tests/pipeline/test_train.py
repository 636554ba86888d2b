import importlib.util
import json

import numpy as np
import pytest

from tablelens.encoders import StaticEncoder, models_of, trained_names
from tablelens.encoders.static_files import StaticWeights, write_static
from tablelens.errors import MissingExtra, TrainingError, UsageError
from tablelens.lake import Lake
from tablelens.testing import make_lake
from tablelens.training.config import TrainConfig
from tablelens.training.distil import SETTINGS, UNKNOWN, tokenizer_bytes

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs tablelens[models]")
STEMS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty")
CONFIG = TrainConfig(steps=60, every=20, batch=8, hard=4, validation=0.3, rate=0.01)


def crawled(home, folder, tables):
    make_lake(folder, tables)
    lake = Lake.open(home, workers=1)
    lake.crawl(folder)
    return lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Eighty tables on eight topics; those of a topic share most of their values."""
    rng = np.random.default_rng(4)
    where = tmp_path_factory.mktemp("train")
    tables = {}
    for table in range(80):
        own = rng.choice(30, rng.integers(10, 25), replace=False)
        tables[f"t{table % 4}/{table}.csv"] = {"place": [f"{STEMS[table % 8]} {STEMS[n % 10]} number {n}" for n in own]}
    return crawled(where / ".tablelens", where / "lake", tables)


@pytest.fixture(scope="module")
def poor(tmp_path_factory):
    """A base that leaves much to learn: random token vectors, hardly any identity."""
    folder = tmp_path_factory.mktemp("poor")
    words = [UNKNOWN, *STEMS, "number", *"0123456789", *(f"##{n}" for n in range(10))]
    tokens = np.random.default_rng(3).normal(size=(len(words), 6)).astype(np.float32)
    config = {"name": "poor", "semantic": 6, "identity": 16, "base_model": "nobody's"} | SETTINGS
    config |= {"semantic_share": 0.97}
    write_static(folder, StaticWeights(tokens, np.ones(len(words), np.float32)), tokenizer_bytes(words), config)
    return str(folder)


@needs_torch
def test_a_trained_model_is_used_by_the_next_crawl(lake, poor):
    told = []
    report = lake.train("mine", CONFIG, base=poor, told=told.append)
    assert [entry["step"] for entry in told] == [entry["step"] for entry in report.state.history]
    assert trained_names(models_of(lake.home)) == ("mine",)
    assert not (models_of(lake.home) / "mine.training").exists()
    card = (report.folder / "README.md").read_text()
    assert "base_model: nobody's" in card
    assert f"{report.pairs:,}" in card
    assert json.loads(json.dumps(report.as_dict()))["after"]["queries"] > 0
    again = Lake.open(lake.home, encoder="mine", workers=1)
    again.crawl(again.home.parent / "lake")
    assert again.encoder.revision == report.revision == StaticEncoder(report.folder).revision
    assert again.joins("t0/0.csv.place", k=3).hits


@needs_torch
def test_a_failed_training_leaves_the_model_before(lake, monkeypatch):
    target = models_of(lake.home) / "kept"
    target.mkdir(parents=True)
    (target / "config.json").write_text("the model before")
    monkeypatch.setattr("tablelens.training.static._step", lambda *_: float("nan"))
    with pytest.raises(TrainingError, match="nan"):
        lake.train("kept", CONFIG)
    assert (target / "config.json").read_text() == "the model before"
    monkeypatch.setattr("tablelens.training.static._step", lambda *_: 1.0)  # learns nothing
    with pytest.raises(TrainingError, match="no step was better than the base"):
        lake.train("kept", CONFIG, fresh=True)
    assert (target / "config.json").read_text() == "the model before"


@needs_torch
@pytest.mark.parametrize(
    ("tables", "words"),
    [
        (
            {f"{i}.csv": {"n": list(range(i, i + 20)), "x": [i / 7 for i in range(20)]} for i in range(5)},
            "0 text columns",
        ),
        ({"one.csv": {"a": [f"w{c}" for c in "abcdefgh"], "b": [f"v{c}" for c in "abcdefgh"]}}, "lie in one table"),
        ({f"{t}.csv": {"a": [f"{t} {c} word" for c in "abcdefgh"]} for t in "pqrst"}, "too few joins"),
    ],
    ids=["all numbers", "one table", "no joins"],
)
def test_lakes_that_teach_nothing(tmp_path, tables, words):
    small = crawled(tmp_path / ".tablelens", tmp_path / "lake", tables)
    with pytest.raises(TrainingError, match=words):
        small.train("mine", CONFIG)
    assert trained_names(models_of(small.home)) == ()


@pytest.mark.parametrize("name", ["", ".", "..", "deepjoin-static", "a/b", "../up", "a b"])
def test_names_that_cannot_be(lake, name):
    with pytest.raises(UsageError, match="cannot be called"):
        lake.train(name, CONFIG)


def test_without_torch_the_extra_is_named(lake, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    with pytest.raises(MissingExtra, match=r"tablelens\[models\]"):
        lake.train("mine", CONFIG)
