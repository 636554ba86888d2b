"""Weights of the authors' package (PyPI ``transtab``), loaded into our model, with the same outputs.

The package reads columns' names as they are, takes numbers as somebody else scaled them, and keeps its weights as a
state_dict of the whole BERT vocabulary. What it does differently by error is not repeated here: it drops the last
columns of a row of more than 512 words (as we do in this mode), but it also never sees a table's last row in training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from tablelens.errors import ModelError
from tablelens.transtab.model import Config, Head, TransTab
from tablelens.transtab.tokenize import Featurizer, RawScale
from tablelens.transtab.vocabulary import Vocabulary

_INPUT = "input_encoder.feature_processor."
_NAMES = {
    "cells.words.table": f"{_INPUT}word_embedding.word_embeddings.weight",
    "cells.words.norm.weight": f"{_INPUT}word_embedding.norm.weight",
    "cells.words.norm.bias": f"{_INPUT}word_embedding.norm.bias",
    "cells.words.align.weight": f"{_INPUT}align_layer.weight",
    "cells.number_bias": f"{_INPUT}num_embedding.num_bias",
    "cls": "cls_token.weight",
}
_LAYER = {
    "qkv.weight": "self_attn.in_proj_weight",
    "qkv.bias": "self_attn.in_proj_bias",
    "out.weight": "self_attn.out_proj.weight",
    "out.bias": "self_attn.out_proj.bias",
    "gate.weight": "gate_linear.weight",
    "up.weight": "linear1.weight",
    "up.bias": "linear1.bias",
    "down.weight": "linear2.weight",
    "down.bias": "linear2.bias",
    "norm1.weight": "norm1.weight",
    "norm1.bias": "norm1.bias",
    "norm2.weight": "norm2.weight",
    "norm2.bias": "norm2.bias",
}
_HEAD = {"norm.weight": "clf.norm.weight", "norm.bias": "clf.norm.bias",
         "linear.weight": "clf.fc.weight", "linear.bias": "clf.fc.bias"}  # fmt: skip


def from_peer(
    state: Mapping[str, Tensor], pieces: Sequence[str], heads: int = 8
) -> tuple[TransTab, Featurizer, Head | None]:
    """The model, its featurizer, and its head where it has one.

    Args:
        state: ``model.state_dict()`` of the package, or its ``pytorch_model.bin`` read with ``weights_only=True``.
        pieces: the lines of the BERT vocabulary that it was trained with.
        heads: attention heads, which the package does not save.

    Raises:
        ModelError: the weights are not of that package, or of another vocabulary.
    """
    layers = {0: "encoder.transformer_encoder.0."}
    while f"encoder.transformer_encoder.1.layers.{len(layers) - 1}.linear1.weight" in state:
        layers[len(layers)] = f"encoder.transformer_encoder.1.layers.{len(layers) - 1}."
    names = _NAMES | {f"layers.{n}.{ours}": at + theirs for n, at in layers.items() for ours, theirs in _LAYER.items()}
    missing = [theirs for theirs in names.values() if theirs not in state]
    if missing:
        raise ModelError(
            f"no weights of the transtab package: {missing[0]!r} and {len(missing) - 1} others are missing"
        )
    taken = {ours: state[theirs].float() for ours, theirs in names.items()}
    if len(taken["cells.words.table"]) != len(pieces):
        raise ModelError(
            f"the weights have {len(taken['cells.words.table'])} words, the vocabulary has {len(pieces)}",
            "give the vocab.txt that the model was trained with",
        )
    width = taken["cls"].shape[0]
    hidden = taken["layers.0.up.weight"].shape[0]
    model = TransTab(Config("words", "random", width, len(layers), heads, hidden))
    taken["cells.number_bias"] = taken["cells.number_bias"].reshape(width)
    featurizer = Featurizer(Vocabulary(pieces, range(len(pieces))), spoken=False, scales=RawScale())
    model.grow(featurizer)
    model.load_state_dict(taken)
    return model.eval(), featurizer, _head(state, width)


def _head(state: Mapping[str, Tensor], width: int) -> Head | None:
    if "clf.fc.weight" not in state:
        return None
    head = Head(width, state["clf.fc.weight"].shape[0])
    head.load_state_dict({ours: state[theirs] for ours, theirs in _HEAD.items()})
    return head.eval()
