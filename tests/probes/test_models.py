"""Adapters on tiny models of the true architectures: markers, limits, alignment, weights from a folder."""

import json

import numpy as np
import pytest
from tablelens.probes.base import Skip
from tablelens.probes.data import generate
from tablelens.probes.embedding import Embedder
from tablelens.probes.measures import cosine
from tablelens.probes.models import layouts
from tablelens.probes.models.layouts import Special
from tablelens.probes.registry import TINY, get_property, load_model
from tablelens.probes.runner import Budget, Probe, measure
from tablelens.probes.testing import make_table

from tablelens.errors import EncoderError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from tablelens.probes.models import tabert, tiny, turl  # noqa: E402
from tablelens.probes.models.transformer import FAMILIES, load_transformer, special_of  # noqa: E402

SPECIAL = Special(start=101, end=102, pad=0, empty=103)
SMALL = Budget(tables=4, rows=6, variants=2, most=2)


def letters(text):
    return tuple(ord(sign) for sign in text if sign != " ")


@pytest.fixture(scope="module")
def loaded():
    """Each tiny model, loaded once."""
    found = {}

    def load(name):
        return found.setdefault(name, found.get(name) or load_model(name))

    return load


@pytest.fixture(scope="module")
def table():
    return generate(1, 5).tables[0]


@pytest.mark.parametrize("name", TINY)
def test_vectors_have_their_shape_and_are_the_same_again_in_any_batch(name, loaded, table):
    model = loaded(name)
    assert model.weights.startswith("random")
    embedder = Embedder(model)
    for level in model.levels:
        shown = table.head(model.fit(table, level))
        count = {"table": 1, "column": shown.width, "row": shown.rows, "cell": shown.rows * shown.width}[level]
        found = embedder.embed(shown, level)
        assert len(found) == count
        assert cosine(found, embedder.fresh(shown, level, one_by_one=True)).min() > 1 - 1e-5


@pytest.mark.parametrize("name", TINY)
def test_order_of_columns_moves_a_sequence_model(name, loaded, table):
    """Vectors are put back by position; what still moves them is the model's position code."""
    model = loaded(name)
    probe = Probe(generate(4, 5), Embedder(model), 7)
    found = measure(probe, get_property("column_order"), "column", SMALL)
    assert found.faults == 0
    assert found.estimates["cosine"].value < 1 - 1e-6


@pytest.mark.parametrize("name", TINY)
def test_a_level_that_it_has_not_is_skipped(name, loaded, table):
    missing = {"table", "column", "row", "cell"} - set(loaded(name).levels)
    for level in missing:
        with pytest.raises(Skip):
            loaded(name).pieces(table, level)


def test_markers_are_the_tokenizers_own_tokens_by_id():
    """Released code wrote "[CLS]" for RoBERTa and "<s>" for T5: both became unknown words."""
    plain = tiny.wordpieces(transformers)
    assert special_of(plain).start == plain.cls_token_id != plain.unk_token_id
    other = transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain.backend_tokenizer, cls_token="a", sep_token="b", pad_token="c", unk_token="[UNK]"
    )
    special = special_of(other)
    names = [other.convert_ids_to_tokens(i) for i in (special.start, special.end, special.pad)]
    assert names == ["a", "b", "c"]
    assert special_of(tiny.wordpieces(transformers, ends_only=True)).start is None


@pytest.mark.parametrize("family", FAMILIES)
def test_no_tiny_model_reads_an_unknown_word_as_marker(family, loaded, table):
    model = loaded(f"tiny-{family}")
    unknown = model._tokenizer.unk_token_id
    (piece,) = model.pieces(table.head(2), "column")
    tokens = piece.payload[0]
    assert unknown not in [tokens.ids[i] for i in tokens.markers]
    assert unknown not in tokens.ids


def test_layout_by_column():
    made = layouts.by_column(make_table("ab", "cd", header=("x", "y")), letters, SPECIAL)
    x, y, a, b, c, d = map(ord, "xyabcd")
    assert made.ids == [101, x, a, b, 101, y, c, d, 102]
    assert made.columns == [0, 0, 0, 0, 1, 1, 1, 1, -1]
    assert made.rows == [-1, -1, 0, 1, -1, -1, 0, 1, -1]
    assert made.markers == [0, 4]


def test_layout_of_t5_has_no_marker():
    made = layouts.by_column(make_table("ab", header=("x",)), letters, Special(None, 1, 0))
    assert made.markers == []
    assert made.ids[-1] == 1


def test_layout_of_tapas_has_seven_types_and_ranks():
    made = layouts.tapas(make_table(["3", "1", "3"], ["p", "", "q"], header=("n", "w")), letters, SPECIAL)
    assert len(made.types) == len(made.ids)
    cells = {(c, r): kind for c, r, kind in zip(made.columns, made.rows, made.types, strict=True) if r >= 0}
    assert cells[0, 0] == (1, 1, 1, 0, 2, 1, 0)  # segment, column, row, label, rank, inverse rank, relation
    assert cells[0, 1] == (1, 1, 2, 0, 1, 2, 0)
    assert cells[1, 1] == (1, 2, 2, 0, 0, 0, 0)
    assert made.ids[made.columns.index(1, 6)] is not None
    assert 103 in made.ids  # the empty cell


def test_layout_of_tapex():
    made = layouts.tapex(make_table("A", "B", header=("X", "Y")), letters, SPECIAL)
    text = "".join(chr(i) for i in made.ids[1:-1])
    assert text == "col:x|yrow1:a|b"


def test_doduo_sees_32_tokens_of_values_and_no_header():
    made = layouts.doduo(make_table([f"cell{i}" for i in range(40)], header=("head",)), letters, SPECIAL)
    assert len(made.ids) == 1 + 32 + 1
    assert ord("h") not in made.ids


def test_what_does_not_fit_is_cut_by_rows_and_said(loaded):
    model = loaded("tiny-bert")
    long = make_table([f"some words in row {i}" for i in range(200)], name="long")
    rows = model.fit(long, "column")
    assert 0 < rows < 200
    assert len(model._laid(long.head(rows))) <= model.max_tokens < len(model._laid(long.head(rows + 1)))
    seen = model.seen(long)
    assert (seen.rows, seen.all_rows) == (rows, 200)
    assert seen.tokens <= model.max_tokens < seen.all_tokens
    assert model.fit(long, "row") == 200
    wide = make_table(*["abc"] * 3, header=["a header of many words " * 20] * 3)
    with pytest.raises(Skip, match="does-not-fit"):
        model.pieces(wide, "column")


def test_an_empty_cell_is_the_zero_vector(loaded):
    found = Embedder(loaded("tiny-bert")).embed(make_table(["a", ""], ["b", "c"]), "cell")
    assert np.flatnonzero(~found.any(axis=1)).tolist() == [2]


def test_turl_sees_title_header_row_and_column():
    sees = turl.visibility(title=2, spans=[(2, 3), (3, 5)], rows=2, width=2)
    assert sees.shape == (9, 9)
    cell = 5  # row 0, column 0
    assert sees[cell].tolist() == [True, True, True, False, False, True, True, True, False]
    assert (sees == sees.T).all()


# weights from a folder ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A folder with a configuration and a tokenizer of the tiny BERT; gives a function that adds weights."""
    config = tiny.bert_config(transformers)
    config.save_pretrained(tmp_path)
    tiny.wordpieces(transformers).save_pretrained(tmp_path)

    def write(state, name="model.bin"):
        torch.save(state, tmp_path / name)
        return str(tmp_path)

    return write, config, tmp_path


def test_doduo_from_its_published_kind_of_file(folder, table):
    write, config, _ = folder
    module = transformers.BertModel(config, add_pooling_layer=False)
    state = {f"bert.{name}": tensor for name, tensor in module.state_dict().items()} | {
        "classifier.bias": torch.ones(3)
    }
    model = load_model(f"doduo:{write(state)}")
    assert Embedder(model).embed(table, "column").shape == (table.width, tiny.WIDTH)
    assert model.name.endswith("(doduo)")


def test_turl_from_its_published_kind_of_file(folder, table):
    write, config, _ = folder
    network = turl.TurlNetwork(config, entities=9)
    state = {f"table.{name}": tensor for name, tensor in network.state_dict().items()} | {"cls.bias": torch.ones(2)}
    model = load_model(f"turl:{write(state, 'pytorch_model.bin')}")
    mine = Embedder(model).embed(table, "cell")
    theirs = Embedder(turl.TurlModel("t", network, tiny.wordpieces(transformers), "")).embed(table, "cell")
    assert np.allclose(mine, theirs, atol=1e-5)


def test_tabert_from_its_published_kind_of_file(folder, table):
    write, config, path = folder
    about = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(about | {"num_vertical_attention_heads": 4}))
    network = tabert.TabertNetwork(config, layers=3, heads=4)
    state = {f"_bert_model.{name}": tensor for name, tensor in network.state_dict().items() if name.startswith("bert.")}
    state |= {n: tensor for n, tensor in network.state_dict().items() if n.startswith("vertical")}
    model = load_model(f"tabert:{write(state)}")
    mine = Embedder(model).embed(table, "column")
    theirs = Embedder(tabert.TabertModel("t", network, tiny.wordpieces(transformers), "")).embed(table, "column")
    assert np.allclose(mine, theirs, atol=1e-5)


def test_bert_from_a_folder_by_its_type(tmp_path, table):
    transformers.BertModel(tiny.bert_config(transformers)).save_pretrained(tmp_path)
    tiny.wordpieces(transformers).save_pretrained(tmp_path)
    model = load_model(str(tmp_path))
    assert model.family.name == "bert"
    assert Embedder(model).embed(table, "table").shape == (1, tiny.WIDTH)


@pytest.mark.parametrize("kind", ["bert", "doduo", "turl", "tabert", "transtab"])
def test_a_folder_that_is_none_is_said(kind, tmp_path):
    with pytest.raises(EncoderError):
        load_model(f"{kind}:{tmp_path / 'nothing'}")


def test_weights_that_lack_a_tensor_are_refused(folder):
    write, config, _ = folder
    state = {f"bert.{n}": t for n, t in transformers.BertModel(config, add_pooling_layer=False).state_dict().items()}
    state.pop("bert.encoder.layer.0.attention.self.query.weight")
    with pytest.raises(EncoderError, match="lack 1 tensors"):
        load_model(f"doduo:{write(state)}")


def test_a_pickle_that_holds_code_is_not_run(folder):
    write, _, path = folder

    class Evil:
        def __reduce__(self):
            return (open, (str(path / "owned"), "w"))

    with pytest.raises(EncoderError, match="cannot read weights"):
        load_model(f"doduo:{write({'x': Evil()})}")
    assert not (path / "owned").exists()


def test_an_unknown_type_names_the_known_ones(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "mystery"}')
    with pytest.raises(EncoderError, match="mystery"):
        load_transformer(str(tmp_path), "x")


def test_dropout_is_off_in_every_part_of_turl(loaded):
    """The released scripts left the dropout of the embeddings on."""
    assert not any(module.training for module in loaded("tiny-turl")._network.modules())
    found = measure(
        Probe(generate(3, 5), Embedder(loaded("tiny-turl")), 7), get_property("determinism"), "column", SMALL
    )
    assert found.verdict == "pass"
