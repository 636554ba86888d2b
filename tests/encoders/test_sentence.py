import json

import numpy as np
import pytest

from tablelens.encoders import ColumnEncoder, SentenceEncoder, load_encoder
from tablelens.encoders.sentence import ALLOW_HUB, check_folder, find_folder
from tablelens.errors import EncoderError, MissingExtra, UnknownEncoder
from tablelens.types import ColumnText


def text_column(text):
    return ColumnText(text, "c", (), np.empty(0, np.uint64), 0)


def modules(folder, kind="sentence_transformers.models.Transformer"):
    folder.mkdir(exist_ok=True)
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": kind}]))
    return folder


def test_pickled_weights_are_refused(tmp_path):
    folder = modules(tmp_path / "model")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(EncoderError, match="pickle"):
        check_folder(folder)
    (folder / "model.safetensors").write_bytes(b"")
    check_folder(folder)


def test_modules_of_other_packages_are_refused(tmp_path):
    with pytest.raises(EncoderError, match=r"code of its own: evil\.Module"):
        check_folder(modules(tmp_path / "model", "evil.Module"))


@pytest.mark.parametrize("content", ["", "{", "[1]", '[{"path": ""}]'])
def test_broken_module_lists_are_refused(tmp_path, content):
    (tmp_path / "modules.json").write_text(content)
    with pytest.raises(EncoderError, match=r"modules\.json"):
        check_folder(tmp_path)


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(MissingExtra, match=r"tablelens\[models\]"):
        load_encoder(str(modules(tmp_path / "model")))


def test_a_model_name_without_the_package_is_unknown(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnknownEncoder, match=r"tablelens\[models\]"):
        load_encoder("owner/model")


@pytest.fixture(scope="module")
def encoder(tiny):
    return SentenceEncoder(str(tiny), dtype="float32", batch=2)


def test_shapes_lengths_and_protocol(encoder):
    texts = ["france", "a much longer text of many words a b c d e f", "spain", "", "paris"]
    vectors = encoder.encode([text_column(text) for text in texts])
    assert isinstance(encoder, ColumnEncoder)
    assert vectors.shape == (5, 16)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5), rel=1e-5)
    for text, vector in zip(texts, vectors, strict=True):  # sorting by length is undone
        assert encoder.encode_queries([text_column(text)])[0] == pytest.approx(vector, abs=1e-5)
    assert encoder.encode([]).shape == (0, 16)
    assert encoder.max_tokens == 64


def test_revision_changes_with_weights_dtype_and_length(encoder, tiny, tmp_path):
    import shutil

    from safetensors.numpy import load_file, save_file

    assert SentenceEncoder(str(tiny), dtype="float32").revision == encoder.revision
    assert SentenceEncoder(str(tiny), dtype="bfloat16").revision != encoder.revision
    for name in ("weights", "length", "pooling"):
        shutil.copytree(tiny, tmp_path / name)
    tensors = load_file(tiny / "model.safetensors")
    first = sorted(name for name in tensors if "encoder" in name)[0]
    save_file(tensors | {first: tensors[first] + 1}, tmp_path / "weights" / "model.safetensors", {"format": "pt"})
    (tmp_path / "length" / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 32}))
    pooling = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    (tmp_path / "pooling" / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    made = {SentenceEncoder(str(folder), dtype="float32").revision for folder in tmp_path.iterdir()}
    assert len(made | {encoder.revision}) == 4


def test_bfloat16_is_close(encoder, tiny):
    half = SentenceEncoder(str(tiny), dtype="bfloat16")
    columns = [text_column("france"), text_column("spain a b")]
    assert (half.encode(columns) * encoder.encode(columns)).sum(1) == pytest.approx([1, 1], abs=0.02)
    assert half.dtype == "bfloat16"


def test_load_encoder_takes_the_folder(tiny):
    assert isinstance(load_encoder(str(tiny)), SentenceEncoder)
    assert load_encoder(str(tiny)).name == str(tiny)


def test_vectors_that_are_not_finite_are_refused(encoder, monkeypatch):
    import torch

    monkeypatch.setattr(encoder._model, "encode", lambda texts, **_: torch.full((len(texts), 16), float("nan")))
    with pytest.raises(EncoderError, match="not finite"):
        encoder.encode([text_column("a")])
    monkeypatch.setattr(encoder._model, "encode", lambda texts, **_: torch.ones(len(texts), 3))
    with pytest.raises(EncoderError, match=r"shape \(1, 3\)"):
        encoder.encode([text_column("a")])


def test_damaged_weights_are_refused(tiny, tmp_path):
    import shutil

    broken = shutil.copytree(tiny, tmp_path / "broken")
    raw = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(EncoderError, match="cannot load"):
        SentenceEncoder(str(broken))
    with pytest.raises(EncoderError, match="dtype"):
        SentenceEncoder(str(tiny), dtype="float16")


def test_the_hub_is_not_asked(tiny, monkeypatch):
    monkeypatch.delenv(ALLOW_HUB, raising=False)
    with pytest.raises(EncoderError, match=ALLOW_HUB):
        find_folder("nobody/no-such-model")
