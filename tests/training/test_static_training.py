import json
import math
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'tablelens[models]'")

from tablelens.encoders import StaticEncoder  # noqa: E402
from tablelens.encoders.static_files import CONFIG, TOKENIZER, write_static  # noqa: E402
from tablelens.errors import TrainingError  # noqa: E402
from tablelens.progress import Silent  # noqa: E402
from tablelens.training import losses  # noqa: E402
from tablelens.training.corpus import split  # noqa: E402
from tablelens.training.runs import BEST, LAST, Run  # noqa: E402
from tablelens.training.static import StaticModel, train_static  # noqa: E402


def run(folder, config, corpus, base):
    return Run(folder, config, corpus.fingerprint(), base.revision, Silent())


def trained(folder, config, corpus, base):
    here = run(folder, config, corpus, base)
    return train_static(corpus, split(corpus, config), config, base, here), here


def test_untrained_vectors_point_where_the_base_points(corpus, base):
    asked, _ = StaticModel(corpus, base, seed=0).vectors()
    assert asked == pytest.approx(base.encode_queries(corpus.columns), abs=2e-3)


@pytest.mark.parametrize("loss", ["listwise", "ranking"])
def test_the_folded_model_gives_the_vectors_that_were_trained(corpus, base, config, tmp_path, loss):
    from dataclasses import replace

    config = replace(config, loss=loss, guide=0.05 if loss == "ranking" else 0.0)
    model, here = trained(tmp_path / "run", config, corpus, base)
    assert [entry["step"] for entry in here.state.history] == [0, 4, 8, 12]
    weights, facts = model.folded(1.0)
    write_static(tmp_path / "model", weights, (base.folder / TOKENIZER).read_bytes(), facts | {"name": "t"})
    asked, held = model.vectors()
    made = StaticEncoder(tmp_path / "model")
    assert made.encode_queries(corpus.columns) == pytest.approx(asked, abs=0.02)
    assert made.encode(corpus.columns) == pytest.approx(held, abs=0.05)
    assert made.revision != base.revision


def test_a_merged_model_lies_between(corpus, base, config, tmp_path):
    model, _ = trained(tmp_path, config, corpus, base)
    whole, half = (model.folded(share)[0].tokens for share in (1.0, 0.5))
    assert half == pytest.approx((whole + base.weights.tokens) / 2, abs=1e-6)


def test_a_resumed_run_ends_as_an_uncut_one(corpus, base, config, tmp_path):
    uncut, _ = trained(tmp_path / "uncut", config, corpus, base)
    here = run(tmp_path / "cut", config, corpus, base)
    stepped = here.stepped

    def cut(state, loss):
        stepped(state, loss)
        if state.step == 7:
            raise KeyboardInterrupt

    here.stepped = cut
    parts = split(corpus, config)
    with pytest.raises(KeyboardInterrupt):
        train_static(corpus, parts, config, base, here)
    resumed, here = trained(tmp_path / "cut", config, corpus, base)
    assert [entry["step"] for entry in here.state.history] == [0, 4, 8, 12]
    for name, tensor in uncut.parameters.items():
        assert torch.equal(tensor, resumed.parameters[name]), name


@pytest.mark.parametrize("file", [LAST, BEST])
def test_a_damaged_checkpoint_is_said(corpus, base, config, tmp_path, file):
    trained(tmp_path, config, corpus, base)
    raw = bytearray((tmp_path / file).read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / file).write_bytes(raw)
    with pytest.raises(TrainingError, match="damaged"):
        trained(tmp_path, config, corpus, base)


def test_a_checkpoint_of_other_settings_is_not_gone_on_with(corpus, base, config, tmp_path):
    from dataclasses import replace

    trained(tmp_path, config, corpus, base)
    with pytest.raises(TrainingError, match="other settings"):
        trained(tmp_path, replace(config, seed=9), corpus, base)


def test_a_checkpoint_of_a_base_of_another_dimension_is_not_gone_on_with(corpus, base, config, tmp_path):
    trained(tmp_path / "run", config, corpus, base)
    raw = json.loads((base.folder / CONFIG).read_text()) | {"identity": 16}
    shutil.copytree(base.folder, tmp_path / "narrow")
    (tmp_path / "narrow" / CONFIG).write_text(json.dumps(raw))
    narrow = StaticEncoder(tmp_path / "narrow")
    assert narrow.dimension == base.dimension - 16
    with pytest.raises(TrainingError, match="another base model"):
        trained(tmp_path / "run", config, corpus, narrow)


def test_a_loss_that_is_no_number_ends_the_run(corpus, base, config, tmp_path, monkeypatch):
    monkeypatch.setattr(losses, "listwise", lambda *_: torch.tensor(math.nan, requires_grad=True))
    with pytest.raises(TrainingError, match="loss of step 1 is nan"):
        trained(tmp_path, config, corpus, base)


def test_known_joins_are_no_negatives():
    scores = torch.tensor([[0.9, 0.95, 0.1]])
    positive, none = torch.tensor([0]), torch.zeros(1, 3, dtype=torch.bool)
    known = torch.tensor([[True, True, False]])  # the positive itself is marked too
    loss = losses.ranking(scores, positive, known, 20)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-16)), abs=1e-6)
    assert losses.ranking(scores, positive, none, 20).item() > 1
    guided = losses.guided(torch.tensor([[0.5, 0.6, 0.4]]), positive, 0.05)
    assert guided.tolist() == [[False, True, False]] or guided[0, 1].item()


def test_listwise_is_least_where_scores_rank_as_gains_do():
    gains = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
    masked = torch.zeros(2, 3, dtype=torch.bool)
    good = losses.listwise(torch.tensor([[0.9, 0.87, 0.0], [0.0, 0.0, 0.0]]), gains, masked, 20)
    bad = losses.listwise(torch.tensor([[0.0, 0.87, 0.9], [0.0, 0.0, 0.0]]), gains, masked, 20)
    assert good < bad
    alone = losses.listwise(torch.tensor([[0.9, 0.87, 0.0]]), gains[:1], masked[:1], 20)
    assert good.item() == pytest.approx(alone.item())  # a query without partners takes no part
    assert np.isfinite(losses.reach(torch.rand(2, 3), gains, masked, 20, 2).item())
