"""A training that was cut off goes on, and ends as if nothing had happened."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
sklearn = pytest.importorskip("sklearn")

from tablelens.errors import UsageError  # noqa: E402
from tablelens.transtab import TransTabClassifier, TransTabEncoder  # noqa: E402
from tablelens.transtab.training import Options  # noqa: E402

SMALL = {"width": 16, "heads": 2, "layers": 1, "hidden": 16, "epochs": 4}


class Cut(Exception):
    """What ends a training in a test."""


def cut_after(member, epoch):
    def told(n, at, loss):
        if (n, at) == (member, epoch):
            raise Cut

    return told


@pytest.mark.parametrize("options", [{}, {"patience": 2}, {"pretrain": "self"}, {"cells": "words", "hide": 0.3}])
@pytest.mark.parametrize("at", [(0, 0), (0, 3), (1, 2)])
def test_it_ends_as_it_would_have(wines, tmp_path, options, at):
    table, label = wines
    whole = TransTabClassifier(**SMALL, members=2, **options).fit(table, label)
    model = TransTabClassifier(**SMALL, members=2, **options, resume=str(tmp_path / "r"), told=cut_after(*at))
    with pytest.raises(Cut):
        model.fit(table, label)
    assert (tmp_path / "r").is_dir()
    model.set_params(told=None).fit(table, label)
    assert np.array_equal(model.predict_proba(table), whole.predict_proba(table))
    assert [history.train for history in model.history_] == [history.train for history in whole.history_]
    assert not (tmp_path / "r").exists()


def test_epochs_that_were_done_are_not_done_again(wines, tmp_path):
    table, _ = wines
    told = []
    model = TransTabEncoder(**SMALL, resume=str(tmp_path / "r"), told=cut_after(0, 2))
    with pytest.raises(Cut):
        model.fit(table)
    model.set_params(told=lambda n, epoch, loss: told.append(epoch)).fit(table)
    assert told == [3]


def test_another_training_begins_anew(wines, tmp_path):
    table, label = wines
    model = TransTabClassifier(**SMALL, members=1, resume=str(tmp_path / "r"), told=cut_after(0, 1))
    with pytest.raises(Cut):
        model.fit(table, label)
    other = label[::-1].copy()
    found = model.set_params(told=None).fit(table, other).predict_proba(table)
    assert np.array_equal(found, TransTabClassifier(**SMALL, members=1).fit(table, other).predict_proba(table))


@pytest.mark.parametrize("damage", [b"", b"no tensors", b"\xff" * 4096])
def test_a_damaged_file_is_as_none(wines, tmp_path, damage):
    table, label = wines
    model = TransTabClassifier(**SMALL, members=1, resume=str(tmp_path / "r"), told=cut_after(0, 1))
    with pytest.raises(Cut):
        model.fit(table, label)
    (tmp_path / "r" / "training0.safetensors").write_bytes(damage)
    found = model.set_params(told=None).fit(table, label).predict_proba(table)
    assert np.array_equal(found, TransTabClassifier(**SMALL, members=1).fit(table, label).predict_proba(table))


def test_learning_on_can_be_cut_off_too(wines, tmp_path):
    table, label = wines
    first = TransTabClassifier(**SMALL, members=1).fit(table, label)
    first.save(tmp_path / "m")
    whole = TransTabClassifier.load(tmp_path / "m").partial_fit(table.select(["year"]), label)
    model = TransTabClassifier.load(tmp_path / "m").set_params(resume=str(tmp_path / "r"), told=cut_after(0, 1))
    with pytest.raises(Cut):
        model.partial_fit(table.select(["year"]), label)
    again = TransTabClassifier.load(tmp_path / "m").set_params(resume=str(tmp_path / "r"))
    again.partial_fit(table.select(["year"]), label)
    assert np.array_equal(again.predict_proba(table), whole.predict_proba(table))


@pytest.mark.slow
def test_a_killed_process_goes_on(tmp_path):
    program = """
import sys, os, numpy as np, torch
from tablelens.transtab import TransTabClassifier
rng = np.random.default_rng(0)
x = {"a": rng.normal(size=120), "b": rng.choice(["x", "y"], 120).tolist()}
y = np.where(x["a"] > 0, "p", "q")
def told(n, epoch, loss):
    if sys.argv[2] == "die" and (n, epoch) == (1, 1):
        os.kill(os.getpid(), 9)
model = TransTabClassifier(members=2, epochs=3, width=16, heads=2, resume=sys.argv[1] or None, told=told).fit(x, y)
print(repr(model.predict_proba(x).tolist()))
"""

    def run(folder, how):
        return subprocess.run([sys.executable, "-c", program, folder, how], capture_output=True, text=True, check=False)

    assert run(str(tmp_path / "r"), "die").returncode == -9
    assert run(str(tmp_path / "r"), "").stdout == run("", "").stdout != ""


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch": 1}, {"rate": 1.5}, {"hide": 1.0}, {"patience": 0}])
def test_options_that_cannot_be_are_refused(wrong):
    with pytest.raises(UsageError, match="hide"):
        Options(**wrong)
