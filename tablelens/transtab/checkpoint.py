"""A trained model as a folder: config.json, model.safetensors, vocab.txt. Nothing in it can run as code.

The word table holds only words that were met, so a model takes 1 to 2 MB. The whole WordPiece
vocabulary lies beside it: without it new words could not be told apart, so without it nothing is loaded.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from tablelens.errors import ModelError
from tablelens.transtab.model import Config, TransTab
from tablelens.transtab.objectives import Supervised
from tablelens.transtab.tokenize import Featurizer, Scale
from tablelens.transtab.vocabulary import Vocabulary, known_digest

FORMAT = 1
CONFIG, WEIGHTS, WORDS = "config.json", "model.safetensors", "vocab.txt"


@dataclass
class Bundle:
    """A featurizer, one or several models that were trained on its rows, and what they predict."""

    featurizer: Featurizer
    models: list[TransTab]
    heads: list[Supervised]
    """One a model, or none for row encoders."""
    about: dict[str, Any]
    """What the estimator needs to go on: its parameters, the classes."""


def save(bundle: Bundle, folder: Path) -> None:
    """Write the three files; what was in the folder is replaced only when all is written."""
    folder.mkdir(parents=True, exist_ok=True)
    words = "\n".join(bundle.featurizer.vocabulary.pieces) + "\n"
    weights = save_tensors(_state(bundle.models, bundle.heads))
    described = {
        "format": FORMAT,
        "model": asdict(bundle.models[0].config),
        "members": len(bundle.models),
        "head": _head_of(bundle.heads),
        "spoken": bundle.featurizer.spoken,
        "kinds": bundle.featurizer.kinds,
        "scales": {name: asdict(scale) for name, scale in bundle.featurizer.scales.items()},
        "used": bundle.featurizer.vocabulary.used,
        "known": known_digest(),
        "about": bundle.about,
        "files": {WEIGHTS: _sha(weights), WORDS: _sha(words.encode())},
    }
    made = {WEIGHTS: weights, WORDS: words.encode(), CONFIG: json.dumps(described, indent=1).encode()}
    for name, content in made.items():
        (folder / f"{name}.tmp").write_bytes(content)
    for name in made:
        (folder / f"{name}.tmp").replace(folder / name)


def load(folder: Path, device: str | torch.device = "cpu") -> Bundle:
    """Read what ``save`` wrote.

    Raises:
        ModelError: a file is missing or damaged, or of another format.
    """
    raw = {name: _read(folder / name) for name in (CONFIG, WEIGHTS, WORDS)}
    try:
        found = json.loads(raw[CONFIG])
        if found["format"] != FORMAT:
            raise ModelError(f"{folder} has format {found['format']!r}, this tablelens reads {FORMAT}", "train anew")
        for name, digest in found["files"].items():
            if _sha(raw[name]) != digest:
                raise ModelError(f"{folder / name} is damaged: its sha256 is not that in {CONFIG}", "train anew")
        vocabulary = Vocabulary(raw[WORDS].decode().splitlines(), found["used"])
        scales = {name: Scale(**{**scale, "knots": tuple(scale["knots"])}) for name, scale in found["scales"].items()}
        featurizer = Featurizer(vocabulary, found["spoken"], scales, found["kinds"])
        bundle = _models(found, featurizer)
        _load_state(bundle, load_tensors(raw[WEIGHTS]))
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"{folder} does not hold a row model that this tablelens reads: {error}", "train anew"
        ) from error
    if found["known"] != known_digest() and found["model"]["words"] != "random":
        warnings.warn(
            f"{folder} was trained with other word vectors than this tablelens ships: words it has not met count as "
            "unknown until it is trained on them",
            stacklevel=2,
        )
        for model in bundle.models:
            model.cells.words.stale = True
    for module in (*bundle.models, *bundle.heads):
        module.to(device).eval()
    return bundle


def _models(found: dict[str, Any], featurizer: Featurizer) -> Bundle:
    config, head = Config(**found["model"]), found["head"]
    models = [TransTab(config) for _ in range(found["members"])]
    for model in models:
        model.grow(featurizer)
    heads = [Supervised(config.width, head["task"], head["outputs"]) for _ in models] if head else []
    return Bundle(featurizer, models, heads, found["about"])


def _head_of(heads: list[Supervised]) -> dict[str, Any] | None:
    return {"task": heads[0].task, "outputs": heads[0].head.linear.out_features} if heads else None


def _state(models: list[TransTab], heads: list[Supervised]) -> dict[str, torch.Tensor]:
    """The weights of all members; what words started from is the same for all and kept once, in half precision."""
    state = {f"{n}.{name}": value.detach().cpu() for n, name, value in _named(models, heads)}
    return {name: value.half() if name.endswith("words.known") else value.contiguous() for name, value in state.items()}


def _load_state(bundle: Bundle, state: dict[str, torch.Tensor]) -> None:
    parts = _parts(bundle.models, bundle.heads)
    for n, part in parts.items():
        mine = {name.split(".", 1)[1]: value.float() for name, value in state.items() if name.split(".", 1)[0] == n}
        if "cells.words.known" in part.state_dict() and n != "m0":
            mine["cells.words.known"] = state["m0.cells.words.known"].float()
        part.load_state_dict(mine, strict=True)


def _named(models: list[TransTab], heads: list[Supervised]) -> list[tuple[str, str, torch.Tensor]]:
    return [
        (n, name, value)
        for n, part in _parts(models, heads).items()
        for name, value in part.state_dict().items()
        if not (name == "cells.words.known" and n != "m0")
    ]


def _parts(models: list[TransTab], heads: list[Supervised]) -> dict[str, nn.Module]:
    return {f"m{n}": model for n, model in enumerate(models)} | {f"h{n}": head for n, head in enumerate(heads)}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot read {path}: {error.strerror or error}", f"a row model is {CONFIG}, {WEIGHTS} and {WORDS}"
        ) from error


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
