"""What the model must keep: laws of the architecture, and the outputs of the authors' package."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

torch = pytest.importorskip("torch")
model = pytest.importorskip("tablelens.transtab.model")
peer = pytest.importorskip("tablelens.transtab.peer")

from tablelens.errors import ModelError, UsageError  # noqa: E402
from tablelens.transtab import Featurizer, Vocabulary, as_table  # noqa: E402
from tablelens.transtab.tokenize import Rows, word_bags  # noqa: E402

PIECES = ["[PAD]", "[UNK]", "wine", "colour", "red", "white", "##s", "year", "sweet", "no", "yes", "a", "b", "c"]
FORMS = [model.Config(), model.Config("words", "random"), model.Config("fused", "random", width=32, heads=4, layers=3)]


def encoded(config, table, columns=None):
    made = model.TransTab(config)
    featurizer = Featurizer(Vocabulary(PIECES), spoken=config.cells == "fused")
    rows = featurizer.rows(table)
    made.grow(featurizer)
    if columns is not None:
        rows = featurizer.rows(table.select(columns))
    return model.encode_rows(made, featurizer, rows)


@pytest.fixture
def table(wines):
    return wines[0].slice(0, 12)


@pytest.mark.parametrize("config", FORMS)
def test_rows_are_finite_and_of_the_width(config, table):
    vectors = encoded(config, table)
    assert vectors.shape == (12, config.width)
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize("config", FORMS)
def test_the_order_of_columns_and_the_batch_have_no_part(config, table):
    vectors = encoded(config, table)
    np.testing.assert_allclose(encoded(config, table, table.column_names[::-1]), vectors, atol=2e-6)
    np.testing.assert_allclose(encoded(config, table.slice(3, 1)) * 0 + vectors[3], vectors[3:4], atol=2e-6)


@pytest.mark.parametrize("config", FORMS)
def test_the_same_seed_gives_the_same_rows(config, table):
    assert np.array_equal(encoded(config, table), encoded(config, table))
    assert not np.allclose(encoded(config, table), encoded(replace(config, seed=1), table))


def test_fused_cells_keep_values_with_their_columns():
    swapped = as_table({"a": ["red", "white"], "b": ["white", "red"]})
    fused, words = encoded(FORMS[0], swapped), encoded(FORMS[1], swapped)
    assert np.abs(words[0] - words[1]).max() < 1e-5  # the paper's bag of words cannot tell them apart
    assert np.abs(fused[0] - fused[1]).max() > 1e-3


def test_rows_of_columns_that_share_their_values_stay_apart():
    """A table as of a telephone company: ten columns, most of which say yes, no, or that there is no service."""
    rng = np.random.default_rng(0)
    service = ["yes", "no", "no internet service"]
    drawn = {f"{name} service": rng.choice(service, 2500) for name in ("red", "white", "wine", "year", "a", "b", "c")}
    drawn |= {name: rng.choice(["no", "a", "b", "c"], 2500) for name in ("colour", "sweet", "red wine")}
    distinct = pa.table(drawn).group_by(list(drawn)).aggregate([]).slice(0, 1820)
    assert distinct.num_rows == 1820
    fused, words = (encoded(config, distinct).round(4) for config in FORMS[:2])
    assert len(np.unique(fused, axis=0)) == 1820
    assert len(np.unique(words, axis=0)) < 1400  # the paper's bag of words lets many fall together


def test_missing_is_not_the_minimum_where_cells_are_fused():
    table = as_table({"year": [0.0, None, 10.0], "wine": ["red", "red", "red"]})
    fused, words = encoded(FORMS[0], table), encoded(FORMS[1], table)
    assert np.abs(words[0] - words[1]).max() < 1e-5
    assert np.abs(fused[0] - fused[1]).max() > 1e-3


def test_counting_a_word_once_changes_nothing(wines):
    featurizer = Featurizer(Vocabulary(PIECES), spoken=False)
    rows = featurizer.rows(wines[0].slice(0, 8).append_column("c", pa.array(["red red white"] * 8)))
    made = model.TransTab(model.Config("words", "random")).eval()
    made.grow(featurizer)
    words, counts = word_bags(featurizer, rows)
    assert counts.max() > 1
    with torch.no_grad():
        once = made(featurizer, rows)
        expanded = [np.repeat(*row) for row in zip(words, counts.astype(int), strict=True)]
        texts = made.cells.words.align(made.cells.words(torch.arange(len(made.cells.words.table))))
        x = torch.nan_to_num(torch.from_numpy(rows.num_values[:, :, 0]))
        names = model.text_means(made.cells.words, featurizer, rows.num_names)
        numbers = made.cells.words.align(names * x[:, :, None] + made.cells.number_bias)
        for place, bag in enumerate(expanded):
            positions = torch.cat([made.cls[None], numbers[place], texts[torch.from_numpy(bag)]])[None]
            for layer in made.layers:
                positions = layer(positions, torch.zeros(positions.shape[:2]))
            torch.testing.assert_close(positions[0, 0], once[place], atol=1e-5, rtol=0)


def test_columns_and_words_never_seen_are_read():
    featurizer = Featurizer(Vocabulary(PIECES))
    made = model.TransTab(model.Config())
    featurizer.rows(as_table({"wine": ["red"]}))
    made.grow(featurizer)
    rows = featurizer.rows(as_table({"sweet": ["yes", "no"], "year": [3.0, 9.0]}))
    made.grow(featurizer)
    vectors = model.encode_rows(made, featurizer, rows)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3


def test_two_thousand_columns_go_through():
    rows = as_table({f"a{n}": [float(n), 1.0] for n in range(2000)})
    vectors = encoded(model.Config("fused", "random", 16, 1, 2, 16), rows)
    assert vectors.shape == (2, 16)


def test_a_config_that_cannot_be_is_refused():
    with pytest.raises(UsageError, match="heads divide the width"):
        model.Config(width=10, heads=4)
    with pytest.raises(UsageError, match="fused, words"):
        model.Config(cells="bags")


def peer_state(layers=2, width=16, hidden=24, outputs=1):
    """Weights as the authors' package names them, drawn at random."""
    generator = torch.Generator().manual_seed(5)

    def draw(*shape):
        return torch.randn(*shape, generator=generator) * 0.3

    own = "input_encoder.feature_processor."
    state = {
        f"{own}word_embedding.word_embeddings.weight": draw(len(PIECES), width),
        f"{own}word_embedding.norm.weight": 1 + draw(width), f"{own}word_embedding.norm.bias": draw(width),
        f"{own}num_embedding.num_bias": draw(1, 1, width), f"{own}align_layer.weight": draw(width, width),
        "cls_token.weight": draw(width), "clf.norm.weight": 1 + draw(width), "clf.norm.bias": draw(width),
        "clf.fc.weight": draw(outputs, width), "clf.fc.bias": draw(outputs),
    }  # fmt: skip
    for n in range(layers):
        at = "encoder.transformer_encoder.0." if n == 0 else f"encoder.transformer_encoder.1.layers.{n - 1}."
        shapes = {
            "self_attn.in_proj_weight": (3 * width, width), "self_attn.in_proj_bias": (3 * width,),
            "self_attn.out_proj.weight": (width, width), "self_attn.out_proj.bias": (width,),
            "linear1.weight": (hidden, width), "linear1.bias": (hidden,), "linear2.weight": (width, hidden),
            "linear2.bias": (width,), "gate_linear.weight": (1, width), "norm1.weight": (width,),
            "norm1.bias": (width,), "norm2.weight": (width,), "norm2.bias": (width,),
        }  # fmt: skip
        state |= {at + name: draw(*shape) for name, shape in shapes.items()}
    return state


def plain_forward(state, words, numbers, heads):
    """The released architecture, one row at a time, from torch's own parts and the names of the package."""
    own = "input_encoder.feature_processor."
    norm = {"weight": state[f"{own}word_embedding.norm.weight"], "bias": state[f"{own}word_embedding.norm.bias"]}
    width = len(norm["weight"])

    def embed(ids):
        return torch.nn.functional.layer_norm(
            state[f"{own}word_embedding.word_embeddings.weight"][ids], (width,), **norm
        )

    parts = [state["cls_token.weight"][None]]
    for ids, x in numbers:
        cell = embed(ids).mean(0) * x + state[f"{own}num_embedding.num_bias"][0, 0]
        parts.append((cell @ state[f"{own}align_layer.weight"].T)[None])
    parts.append(embed(words) @ state[f"{own}align_layer.weight"].T)
    x = torch.cat(parts)[None]
    for at in ("encoder.transformer_encoder.0.", "encoder.transformer_encoder.1.layers.0."):
        layer = {name.removeprefix(at): value for name, value in state.items() if name.startswith(at)}
        attention = torch.nn.MultiheadAttention(width, heads, batch_first=True)
        attention.load_state_dict({n.removeprefix("self_attn."): v for n, v in layer.items() if "self_attn" in n})
        functional = torch.nn.functional
        x = functional.layer_norm(x + attention(x, x, x)[0], (width,), layer["norm1.weight"], layer["norm1.bias"])
        gate = torch.sigmoid(x @ layer["gate_linear.weight"].T)
        inner = functional.relu((x @ layer["linear1.weight"].T + layer["linear1.bias"]) * gate)
        x = functional.layer_norm(
            x + inner @ layer["linear2.weight"].T + layer["linear2.bias"], (width,),
            layer["norm2.weight"], layer["norm2.bias"],
        )  # fmt: skip
    z = torch.nn.functional.layer_norm(x[:, 0], (width,), state["clf.norm.weight"], state["clf.norm.bias"])
    return z @ state["clf.fc.weight"].T + state["clf.fc.bias"]


def test_weights_of_the_authors_package_give_its_outputs():
    state = peer_state()
    made, featurizer, head = peer.from_peer(state, PIECES, heads=4)
    table = as_table({"wine colour": ["red reds", "white"], "year": [0.25, 0.75], "sweet": [1, 0]})
    rows = featurizer.rows(table, {"sweet": "binary"})
    with torch.no_grad():
        outputs = head(made(featurizer, rows))
    ids = {piece: place for place, piece in enumerate(PIECES)}
    said = [["wine", "colour", "red", "red", "##s", "sweet"], ["wine", "colour", "white"]]
    for place, x in enumerate((0.25, 0.75)):
        words = torch.tensor([ids[word] for word in said[place]])
        expected = plain_forward(state, words, [(torch.tensor([ids["year"]]), x)], 4)
        torch.testing.assert_close(outputs[place : place + 1], expected, atol=1e-5, rtol=0)


def test_weights_of_something_else_are_refused():
    with pytest.raises(ModelError, match="missing"):
        peer.from_peer({"a": torch.zeros(1)}, PIECES)
    with pytest.raises(ModelError, match="14 words, the vocabulary has 13"):
        peer.from_peer(peer_state(), PIECES[:-1])


def test_chunks_are_small_where_tables_are_wide():
    wide = Rows(tuple((f"a{n}", "numerical") for n in range(2000)), *[np.empty((0, 0))] * 7)
    assert model.rows_at_once(wide) == 1
