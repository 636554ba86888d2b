"""The files of a static encoder: ``config.json``, ``model.safetensors``, ``tokenizer.json``, read, checked, written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors
from tokenizers import Tokenizer

from tablelens.encoders.bags import BREAK
from tablelens.errors import EncoderError

FORMAT = 2
"""Counts up whenever the same weights would give other vectors."""
CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
FEATURES = 7
"""Facts of a column that its candidate's length depends on: ``encoders.static.facts``."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class StaticConfig:
    """The part of ``config.json`` that changes vectors; the rest of the file is for people."""

    semantic: int
    identity: int
    semantic_share: float
    """Share of the semantic part in the squared length, 0 to 1."""
    size_exponent: float
    cell_exponent: float
    identity_power: float
    """Exponent of a bucket's count, its sign kept."""
    by_frequency: bool
    """Whether a value counts as log(1 + document frequency), or 1."""
    files: dict[str, str]
    """File name to sha256."""

    @classmethod
    def parse(cls, raw: bytes, path: Path) -> Self:
        """Read and check.

        Raises:
            EncoderError: not JSON, of another format, a field missing or out of its range.
        """
        try:
            found: dict[str, Any] = json.loads(raw)
            if found["format"] != FORMAT:
                raise EncoderError(
                    f"{path} has format {found['format']!r}, this tablelens reads {FORMAT}",
                    "train or distil the model again",
                )
            config = cls(**{name: found[name] for name in cls.__slots__})
            files_named = set(config.files) == {WEIGHTS, TOKENIZER}
            sane = config.semantic > 0 and config.identity > 0 and 0 <= config.semantic_share <= 1 and files_named
            sane = sane and abs(config.size_exponent) <= 1 and abs(config.cell_exponent) <= 4
            sane = sane and 0 < config.identity_power <= 2 and isinstance(config.by_frequency, bool)
        except (ValueError, KeyError, TypeError) as error:
            raise EncoderError(f"{path} is not the config of a static encoder: {error!r}") from error
        if not sane:
            raise EncoderError(f"{path} holds values out of their range", "distil the weights again")
        return config


@dataclass(frozen=True, slots=True)
class StaticWeights:
    """The numbers of a static encoder.

    ``tokens`` float32 (V, semantic), weights in them already; ``weights`` float32 (V,), what a token counts in its
    cell. ``length`` are the four arrays of a small network from a column's facts (7,) to the logarithm that its
    candidate's length has beyond distinct^size_exponent: (7, h), (h,), (h,), (); or none of them.
    """

    tokens: Floats
    weights: Floats
    length: tuple[Floats, Floats, Floats, Floats] | None = None


LENGTH = ("length.in", "length.in_bias", "length.out", "length.out_bias")


def read_static(folder: Path) -> tuple[StaticConfig, StaticWeights, Tokenizer, str]:
    """Config, weights, tokenizer and revision of a folder.

    Raises:
        EncoderError: a file is missing, damaged, or does not fit the others.
    """
    raw = {file: _read(folder / file) for file in (CONFIG, WEIGHTS, TOKENIZER)}
    config = StaticConfig.parse(raw[CONFIG], folder / CONFIG)
    for file, digest in config.files.items():
        if hashlib.sha256(raw[file]).hexdigest() != digest:
            raise EncoderError(
                f"{folder / file} is damaged or of another version: its sha256 is not that in {CONFIG}",
                "install tablelens again, or distil the weights again",
            )
    weights = _weights(raw[WEIGHTS], config, folder / WEIGHTS)
    tokenizer = _tokenizer(raw[TOKENIZER], len(weights.tokens), folder / TOKENIZER)
    return config, weights, tokenizer, _revision(raw)


def write_static(folder: Path, weights: StaticWeights, tokenizer: bytes, config: Mapping[str, Any]) -> None:
    """Write the folder of a static encoder; token vectors become int8 with one scale a row.

    ``config`` holds the fields of ``StaticConfig`` but ``files``, and whatever people should know.
    """
    scales = np.maximum(np.abs(weights.tokens).max(1), 1e-12) / 127
    tensors = {
        "tokens": np.rint(weights.tokens / scales[:, None]).astype(np.int8),  # (V, semantic)
        "scales": scales.astype(np.float32),  # (V,)
        "weights": weights.weights.astype(np.float32),  # (V,)
    }
    if weights.length is not None:
        tensors |= {name: np.asarray(array, np.float32) for name, array in zip(LENGTH, weights.length, strict=True)}
    folder.mkdir(parents=True, exist_ok=True)
    raw = {WEIGHTS: save_tensors(tensors), TOKENIZER: tokenizer}
    for name, content in raw.items():
        (folder / name).write_bytes(content)
    files = {name: hashlib.sha256(content).hexdigest() for name, content in raw.items()}
    document = {"format": FORMAT, **config, "files": files}
    (folder / CONFIG).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EncoderError(f"cannot read the encoder's file {path}: {error.strerror or error}") from error


def _revision(raw: dict[str, bytes]) -> str:
    """sha256 over names, lengths and bytes of all files."""
    digest = hashlib.sha256()
    for name in sorted(raw):
        digest.update(f"{name}\0{len(raw[name])}\0".encode() + raw[name])
    return digest.hexdigest()


def _weights(raw: bytes, config: StaticConfig, path: Path) -> StaticWeights:
    try:
        tensors = load_tensors(raw)
        tokens, scales, weights = tensors["tokens"], tensors["scales"], tensors["weights"]
        length = tuple(tensors[name] for name in LENGTH) if LENGTH[0] in tensors else None
    except (SafetensorError, KeyError, ValueError) as error:
        raise EncoderError(f"{path} does not hold the weights of a static encoder: {error!r}") from error
    count = len(weights)
    fits = tokens.dtype == np.int8 and tokens.shape == (count, config.semantic)
    if not fits or scales.shape != (count,) or weights.shape != (count,):
        raise EncoderError(f"{path} holds a table of {tokens.dtype} {tokens.shape}, the config says {config.semantic}")
    if length is not None:
        hidden = length[1].shape[-1] if length[1].ndim else 0
        shapes = tuple(array.shape for array in length)
        if shapes != ((FEATURES, hidden), (hidden,), (hidden,), ()):
            raise EncoderError(
                f"{path} holds a length of shapes {shapes}", f"expected are {FEATURES} facts of a column"
            )
    if not all(np.isfinite(array).all() for array in (scales, weights, *(length or ()))):
        raise EncoderError(f"{path} holds weights that are not finite")
    table = tokens.astype(np.float32) * scales[:, None].astype(np.float32)
    return StaticWeights(table, weights.astype(np.float32), length)  # type: ignore[arg-type]


def _tokenizer(raw: bytes, count: int, path: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_str(raw.decode("utf-8"))
    except Exception as error:  # tokenizers raises bare Exception
        raise EncoderError(f"{path} is not a tokenizer: {error}") from error
    if tokenizer.get_vocab_size() != count:
        raise EncoderError(f"{path} has {tokenizer.get_vocab_size()} tokens, the weights have {count}")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.add_special_tokens([BREAK])  # its id is the number of tokens
    return tokenizer
