import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from tablelens.contextualize.cells import commonness
from tablelens.encoders import ColumnEncoder, StaticEncoder, encoder_names, load_encoder
from tablelens.encoders.bags import split_words
from tablelens.encoders.static import CONFIG, SHIPPED, TOKENIZER, WEIGHTS
from tablelens.errors import EncoderError, MissingExtra, UnknownEncoder
from tablelens.profile.normalize import hash_values, normalize
from tablelens.types import ColumnText


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("deepjoin-static")


@pytest.fixture
def copied(tmp_path):
    return shutil.copytree(SHIPPED, tmp_path / "weights")


def column(cells, distinct=None, name="c"):
    values = hash_values(value for cell in cells if (value := normalize(cell)) is not None)
    return ColumnText("", name, tuple(cells), values, len(values) if distinct is None else distinct)


COUNTRIES = column(["France", "Germany", "Spain", "Italy", "Poland"])
CITIES = column(["Paris", "Berlin", "Madrid", "Rome", "Warsaw"])
CODES = column(["x81-3", "q77-0", "z12-9", "k55-1", "v03-4"])


def test_shapes_and_protocol(encoder):
    vectors = encoder.encode([COUNTRIES, CITIES])
    assert isinstance(encoder, ColumnEncoder)
    assert vectors.shape == (2, encoder.dimension)
    assert vectors.dtype == np.float32
    assert encoder.encode([]).shape == (0, encoder.dimension)
    assert encoder.dimension <= 640
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) <= 8 << 20


def test_candidates_have_a_length_of_their_own_and_queries_have_not(encoder):
    columns = [column([f"value {i}" for i in range(n)]) for n in (2, 30, 250)]
    candidates, queries = encoder.encode(columns), encoder.encode_queries(columns)
    lengths = np.linalg.norm(candidates, axis=1)
    assert lengths[0] < lengths[1] < lengths[2]
    assert np.linalg.norm(queries, axis=1) == pytest.approx([1, 1, 1], rel=1e-5)
    assert candidates / lengths[:, None] == pytest.approx(queries, abs=1e-6)


def test_values_that_many_columns_hold_count_more(encoder):
    shared, alone = column([f"s{i}" for i in range(40)]), column([f"a{i}" for i in range(40)])
    values = np.concatenate([shared.values, alone.values])
    order = np.argsort(values)

    def mixed(often):
        counts = commonness(np.r_[np.full(40, often), np.ones(40, np.int64)])[order]
        return ColumnText("", "", (), values[order], 80, counts)

    even, known = encoder.identity([mixed(1), mixed(50)])
    query = encoder.identity([shared])[0]
    if encoder.config.by_frequency:
        assert known @ query > even @ query + 0.1
    else:
        assert (known == even).all()
    assert ("commonness" in encoder.reads) == encoder.config.by_frequency
    assert encoder.identity([mixed(1)])[0] == pytest.approx(
        encoder.identity([ColumnText("", "", (), values[order], 80)])[0]
    )


def test_shared_values_and_shared_meaning_count(encoder):
    more = column([*COUNTRIES.cells, "Austria", "Norway"])
    query = encoder.encode_queries([COUNTRIES])[0]
    same, near, far = encoder.encode_queries([more, CITIES, CODES]) @ query
    assert same > near > far
    countries, cities, codes = (encoder.encode_queries([c])[0, encoder.semantic] for c in (COUNTRIES, CITIES, CODES))
    assert countries @ cities > countries @ codes


@pytest.mark.parametrize("cells", [(), ("",), ("\n", " \t"), ("\U0001f984",), ("\x00",), ("\ud800",), ("x" * 5000,)])
def test_odd_columns_give_finite_vectors(encoder, cells):
    made = encoder.encode([ColumnText("", "", cells, np.empty(0, np.uint64), 0), COUNTRIES])
    assert np.isfinite(made).all()
    asked = encoder.encode_queries([ColumnText("", "", cells, np.empty(0, np.uint64), 0)])
    assert np.linalg.norm(asked) == pytest.approx(0) or np.linalg.norm(asked) == pytest.approx(1, rel=1e-5)
    assert (made[1] == encoder.encode([COUNTRIES])[0]).all()


def test_a_column_of_one_part_has_full_length(encoder):
    only_values = ColumnText("", "", (), COUNTRIES.values, 5)
    only_cells = ColumnText("", "", COUNTRIES.cells, np.empty(0, np.uint64), 5)
    assert np.linalg.norm(encoder.encode_queries([only_values, only_cells]), axis=1) == pytest.approx([1, 1], rel=1e-5)


cells_strategy = st.lists(st.text(max_size=12), max_size=20, unique=True)


@settings(max_examples=60, deadline=None)
@given(cells_strategy, st.randoms(use_true_random=False))
def test_order_of_cells_does_not_matter_to_the_last_bit(encoder, cells, random):
    shuffled = list(cells)
    random.shuffle(shuffled)
    assert (encoder.encode([column(cells)]) == encoder.encode([column(shuffled)])).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(cells_strategy, max_size=8), cells_strategy)
def test_neighbours_in_a_batch_do_not_matter(encoder, others, cells):
    batch = [column(other) for other in others] + [column(cells)]
    assert (encoder.encode(batch)[-1] == encoder.encode([column(cells)])[0]).all()


def test_more_columns_than_a_chunk(encoder, monkeypatch):
    columns = [column([f"row {i}", f"line {i}"]) for i in range(50)]
    whole = encoder.encode(columns)
    monkeypatch.setattr("tablelens.encoders.static.CHUNK", 7)
    assert (encoder.encode(columns) == whole).all()
    assert encoder.encode_text([f"text {i}" for i in range(50)]).shape == (50, encoder.config.semantic)


def test_text_is_encoded_as_cells_are(encoder):
    words = encoder.encode_text(["capital cities", "of which nothing is", ""])
    assert words.shape == (3, encoder.config.semantic)
    assert np.linalg.norm(words, axis=1) == pytest.approx([1, 1, 0], abs=1e-5)
    queries = encoder.encode_text_queries(["capital cities"])
    assert (queries[:, encoder.semantic] == words[:1]).all()
    assert not queries[:, encoder.config.semantic :].any()


def test_words_are_split_as_bert_does():
    assert split_words(["Zürich-West_2", "a\nb", "東京 12"]) == (
        ["zurich", "-", "west", "_", "2", "\n", "a", "b", "\n", "東", "京", "12", "\n"]
    )
    assert split_words(["", ""]) == ["\n", "\n"]


def test_sketched_values_keep_both_signs(encoder):
    low = np.sort(np.random.default_rng(1).integers(0, 1 << 40, 4096, np.uint64))  # all high bits zero
    part = encoder.encode_queries([ColumnText("", "", (), low, 4096)])[0, encoder.config.semantic :]
    assert abs(np.sign(part).mean()) < 0.3


def test_revision_is_that_of_the_files(copied):
    shipped = StaticEncoder()
    assert StaticEncoder(copied).revision == shipped.revision
    config = json.loads((copied / CONFIG).read_text())
    (copied / CONFIG).write_text(json.dumps(config | {"size_exponent": 0.2}))
    assert StaticEncoder(copied).revision != shipped.revision


def rewrite(folder, **changed):
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | changed))


def resign(folder):
    import hashlib

    rewrite(folder, files={f: hashlib.sha256((folder / f).read_bytes()).hexdigest() for f in (WEIGHTS, TOKENIZER)})


@pytest.mark.parametrize("file", [CONFIG, WEIGHTS, TOKENIZER])
@pytest.mark.parametrize("harm", ["missing", "cut", "flipped"])
def test_damaged_files_are_refused(copied, file, harm):
    path = copied / file
    raw = path.read_bytes()
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(raw[: len(raw) // 2] if harm == "cut" else b"\x00" + raw[1:])
    with pytest.raises(EncoderError, match=file):
        load_encoder(str(copied))


def test_files_that_do_not_fit_each_other_are_refused(copied):
    tensors = load_file(copied / WEIGHTS)
    short = {name: tensors[name][:-1].copy() for name in ("tokens", "scales", "weights")}
    save_file(tensors | short, copied / WEIGHTS)
    resign(copied)
    with pytest.raises(EncoderError, match="tokens, the weights have"):
        StaticEncoder(copied)
    save_file(tensors | {"scales": tensors["scales"] * np.float32("nan")}, copied / WEIGHTS)
    resign(copied)
    with pytest.raises(EncoderError, match="not finite"):
        StaticEncoder(copied)


@pytest.mark.parametrize("changed", [{"format": 99}, {"semantic": 64}, {"semantic": "128"}, {"size_exponent": 7}])
def test_configs_that_cannot_be_are_refused(copied, changed):
    rewrite(copied, **changed)
    with pytest.raises(EncoderError):
        StaticEncoder(copied)


def test_load_encoder_by_folder_keeps_its_name(copied):
    assert load_encoder(str(copied)).name == str(copied)
    assert encoder_names()[0] == "deepjoin-static"


def test_unknown_encoder_says_what_is_near():
    with pytest.raises(UnknownEncoder, match="did you mean 'deepjoin-static'"):
        load_encoder("deepjoin_static")


def test_a_folder_without_encoder_says_so(tmp_path):
    with pytest.raises(EncoderError, match="holds no encoder"):
        load_encoder(str(tmp_path))


@pytest.mark.parametrize("made", [lambda: object(), lambda: 1 / 0])
def test_bad_plugins_are_named(monkeypatch, made):
    class Point:
        name, value = "mine", "mine:make"

        def load(self):
            return made

    monkeypatch.setattr("tablelens.encoders.entry_points", lambda group: [Point()])
    with pytest.raises(EncoderError, match="mine:make"):
        load_encoder("mine")


def test_importing_encoders_imports_no_torch():
    code = (
        "import sys, tablelens.encoders as e; e.load_encoder('deepjoin-static'); import tablelens.training.distil; "
        "print([m for m in ('torch', 'transformers', 'sentence_transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_distilling_without_torch_names_the_extra(tmp_path, monkeypatch):
    from tablelens.training.distil import distil, token_states

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"tablelens\[models\]"):
        token_states(tmp_path, [0])
    with pytest.raises(EncoderError, match="no WordPiece tokenizer"):
        distil(tmp_path, tmp_path / "out")
