"""Make the weights of the static encoder from a sentence encoder: ``python -m tablelens.training.distil MODEL OUT``.

As Model2Vec does (Tulkens & van Dongen, 2024, https://github.com/MinishLab/model2vec), a transformer is asked once for
each token of its vocabulary, and never again:

1. ``[CLS] token [SEP]`` goes through the model; the token's own last hidden state is kept (V, 384);
2. PCA to ``semantic`` dimensions, each divided by the fourth root of its variance (halfway to whitening), which makes
   tokens less alike; each row is then scaled to length 1;
3. the mean of all tokens by frequency is subtracted, so that unrelated columns score about 0 and not about .5;
4. each row is multiplied by the token's weight: SIF (Arora et al., ICLR 2017) by the frequency that Zipf's law gives
   the token's rank, times min(1, letters / 4), for scraps of words (``##a``, ``x``) say little;
   a Chinese sign counts in full, the unknown token as one letter.

The vocabulary is that of the model in its order, which for BERT's is by falling frequency, without ``[unused]`` and
``[CLS]``-like tokens. The table is stored as int8 with one scale a row.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tablelens.encoders.static_files import StaticWeights, write_static
from tablelens.errors import EncoderError, MissingExtra

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float64]

BASE, LICENCE = "sentence-transformers/all-MiniLM-L6-v2", "Apache-2.0"
UNKNOWN = "[UNK]"
BATCH = 512
ZIPF_SHIFT = 2.7
"""Mandelbrot's constant: frequency falls as 1 / (rank + 2.7)."""
SIF = 4e-3
FULL_LETTERS = 4
CJK = "\u2e80"
"""From here on one sign is a syllable or a word."""
SETTINGS = {
    "semantic_share": 0.48,
    "size_exponent": 0.14,
    "cell_exponent": 1.25,
    "identity_power": 0.7,
    "by_frequency": True,
}
"""Measured on a lake of 17 repositories."""


def distil(
    model: Path, out: Path, *, semantic: int = 128, identity: int = 384, base: str = BASE, licence: str = LICENCE
) -> None:
    """Write the folder of a ``StaticEncoder``.

    Args:
        model: folder of a BERT-like sentence encoder with ``model.safetensors`` and ``tokenizer.json``.
        out: folder to write ``config.json``, ``model.safetensors`` and ``tokenizer.json`` into.
        semantic: dimensions of the token table.
        identity: dimensions of the hashed values.
        base: name of the model, for the record.
        licence: of the model, and so of the weights.

    Raises:
        EncoderError: the folder does not hold such a model.
        MissingExtra: torch or transformers is not installed.
    """
    vocabulary, ids = read_vocabulary(model / "tokenizer.json")
    hidden = token_states(model, ids)
    weights = token_weights(vocabulary)
    rows = token_table(hidden, semantic, frequencies(len(vocabulary))) * weights[:, None]
    config = {
        "name": "distilled",
        "semantic": semantic,
        "identity": identity,
        **SETTINGS,
        "base_model": base,
        "base_sha256": _sha256(model / "model.safetensors"),
        "licence": licence,
        "made_by": "python -m tablelens.training.distil",
    }
    numbers = StaticWeights(rows.astype(np.float32), weights.astype(np.float32))
    write_static(out, numbers, tokenizer_bytes(vocabulary), config)
    log.info("distilled %d tokens to %d dimensions in %s", len(vocabulary), semantic, out)


def read_vocabulary(path: Path) -> tuple[list[str], list[int]]:
    """Tokens worth keeping, the unknown token first, and their ids in the model.

    Raises:
        EncoderError: no WordPiece tokenizer there.
    """
    try:
        vocabulary: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"]
        unknown = vocabulary[UNKNOWN]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(f"no WordPiece tokenizer in {path}: {error!r}") from error
    ordered = sorted(vocabulary.items(), key=lambda entry: entry[1])
    kept = [(token, place) for token, place in ordered if not (token[0] == "[" and token[-1] == "]" and token[1:])]
    return [UNKNOWN, *(token for token, _ in kept)], [unknown, *(place for _, place in kept)]


def token_states(model: Path, ids: Sequence[int]) -> Floats:
    """The last hidden state of each token alone between [CLS] and [SEP], shape (V, hidden)."""
    try:
        import torch
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise MissingExtra.of(error.name or "torch", "models", "distilling") from error
    torch.set_num_threads(1)  # sums in one order
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(model), **options)
        network = AutoModel.from_pretrained(str(model), use_safetensors=True, dtype=torch.float32, **options).eval()
    except (OSError, ValueError) as error:
        raise EncoderError(f"cannot load a model from {model}: {error}") from error
    found = []
    with torch.inference_mode():
        for start in range(0, len(ids), BATCH):
            middle = torch.tensor(ids[start : start + BATCH])
            first, last = (torch.full_like(middle, i) for i in (tokenizer.cls_token_id, tokenizer.sep_token_id))
            batch = torch.stack([first, middle, last], 1)  # (b, 3)
            states = network(input_ids=batch, attention_mask=torch.ones_like(batch)).last_hidden_state
            found.append(states[:, 1].numpy().astype(np.float64))
    return np.concatenate(found)


def frequencies(count: int) -> Floats:
    """The share of text that each token makes up by Zipf's law; the unknown token, at place 0, has none."""
    share: Floats = np.r_[0.0, 1 / (np.arange(1, count) + ZIPF_SHIFT)]
    share /= share.sum()
    return share


def token_weights(vocabulary: Sequence[str]) -> Floats:
    """What each token counts, up to 1 (rare, and at least four letters long or a Chinese sign), shape (V,)."""
    bare = [token.removeprefix("##") for token in vocabulary]
    letters = np.array([1 if token == UNKNOWN else FULL_LETTERS if token >= CJK else len(token) for token in bare])
    weights = SIF / (SIF + frequencies(len(vocabulary))) * np.minimum(1, letters / FULL_LETTERS)
    return np.asarray(weights, np.float64)


def token_table(states: Floats, dimensions: int, frequency: Floats) -> Floats:
    """Hidden states (V, h) to token vectors (V, dimensions): steps 2 and 3 of the module's text."""
    centred = states - states.mean(0)
    variances, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    variances, axes = variances[::-1][:dimensions], axes[:, ::-1][:, :dimensions]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(dimensions)])  # an axis has no sign of its own
    rows = centred @ axes / variances**0.25
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return np.asarray(rows - frequency @ rows, np.float64)


def tokenizer_bytes(vocabulary: Sequence[str]) -> bytes:
    """A WordPiece tokenizer over a vocabulary as a tokenizer.json; ``split_words`` splits and normalises before it."""
    from tokenizers import Tokenizer, models

    places = {token: place for place, token in enumerate(vocabulary)}
    model = models.WordPiece(places, unk_token=UNKNOWN, max_input_chars_per_word=100)
    return Tokenizer(model).to_str(pretty=False).encode("utf-8")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tablelens.training.distil", description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder of the sentence encoder")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--semantic", type=int, default=128, help="dimensions of the token table")
    parser.add_argument("--identity", type=int, default=384, help="dimensions of the hashed values")
    parser.add_argument("--base", default=BASE, help="name of the model, for the record")
    parser.add_argument("--licence", default=LICENCE, help="licence of the model, and so of the weights")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    distil(**vars(given))


if __name__ == "__main__":
    main()
