from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("peft", reason="peft is not installed: pip install 'tablelens[models]'")
pytest.importorskip("datasets", reason="datasets is not installed: pip install 'tablelens[models]'")

from tablelens.encoders import SentenceEncoder
from tablelens.errors import TrainingError
from tablelens.progress import Silent
from tablelens.training import sentence
from tablelens.training.corpus import split
from tablelens.training.runs import Run
from tablelens.training.sentence import drawn_pairs, shuffled, train_sentence

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def base(tiny):
    return SentenceEncoder(str(tiny), dtype="float32")


@pytest.fixture
def settings(config):
    return replace(config, steps=6, every=3, batch=8, hard=0, tokens=32, least=0.4, rate=1e-2)


def run(folder, config, corpus, base):
    return Run(folder, config, corpus.fingerprint(), base.revision, Silent())


@pytest.mark.parametrize(
    "changed", [{"tuning": "lora"}, {"tuning": "full", "loss": "ranking", "guide": 0.05, "hard": 4}]
)
def test_a_model_is_trained_and_can_be_loaded(corpus, base, settings, tmp_path, changed):
    config = replace(settings, **changed)
    here = run(tmp_path / "run", config, corpus, base)
    train_sentence(corpus, split(corpus, config), config, base, here, tmp_path / "made")
    assert [entry["step"] for entry in here.state.history] == [0, 3, 6]
    made = SentenceEncoder(str(tmp_path / "made"), dtype="float32")
    assert made.max_tokens == base.max_tokens > config.tokens
    texts = [column.text[:20] for column in corpus.columns[:4]]  # so short that neither cuts them
    before, after = (encoder.encode_text(texts) for encoder in (base, made))
    assert after.shape == before.shape
    assert np.abs(after - before).max() > 1e-3
    assert (tmp_path / "made" / "adapter").is_dir() == (config.tuning == "lora")
    assert not any((tmp_path / "made").rglob("*.bin"))


def test_a_run_that_was_cut_goes_on(corpus, base, settings, tmp_path, monkeypatch):
    stepped = Run.stepped

    def cut(self, state, loss):
        stepped(self, state, loss)
        if state.step == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(Run, "stepped", cut)
    parts = split(corpus, settings)
    with pytest.raises(KeyboardInterrupt):
        train_sentence(corpus, parts, settings, base, run(tmp_path / "run", settings, corpus, base), tmp_path / "made")
    monkeypatch.setattr(Run, "stepped", stepped)
    here = run(tmp_path / "run", settings, corpus, base)
    train_sentence(corpus, parts, settings, base, here, tmp_path / "made")
    assert [entry["step"] for entry in here.state.history] == [0, 3, 6]
    for file in (tmp_path / "run").glob("checkpoint-*/*.safetensors"):
        file.write_bytes(b"broken")
    with pytest.raises(TrainingError, match="cannot be gone on with"):
        train_sentence(corpus, parts, settings, base, run(tmp_path / "run", settings, corpus, base), tmp_path / "again")
    (tmp_path / "run" / sentence.STATE).write_text("{")
    with pytest.raises(TrainingError, match="damaged"):
        train_sentence(corpus, parts, settings, base, run(tmp_path / "run", settings, corpus, base), tmp_path / "again")


def test_a_loss_that_is_no_number_leaves_no_model(corpus, base, settings, tmp_path, monkeypatch):
    import torch

    from tablelens.training import losses

    monkeypatch.setattr(losses, "listwise", lambda scores, *_: scores.sum() * torch.nan)
    with pytest.raises(TrainingError, match="the loss is nan"):
        train_sentence(
            corpus, split(corpus, settings), settings, base, run(tmp_path / "run", settings, corpus, base),
            tmp_path / "made",
        )  # fmt: skip
    assert not (tmp_path / "made").exists()


def test_pairs_are_positives_of_training_tables(corpus, settings):
    config = replace(settings, steps=50, shuffle=0.5)
    parts = split(corpus, config)
    pairs = drawn_pairs(corpus, parts, config)
    assert pairs.shape == (400, 3)
    assert not parts.validating[pairs[:, :2]].any()
    assert pairs[:, 2].mean() == pytest.approx(1 / 3, abs=0.07)
    assert all(corpus.joinability(q, np.array([x]))[0] > 0 for q, x, _ in pairs.tolist())
    assert (pairs == drawn_pairs(corpus, parts, config)).all()


def test_shuffled_cells_are_the_same_cells(corpus):
    column = corpus.columns[0]
    text = shuffled(column, np.random.default_rng(1))
    assert text != column.text
    assert sorted(text.removeprefix("c: ").removesuffix(".").split(", ")) == sorted(column.cells)
