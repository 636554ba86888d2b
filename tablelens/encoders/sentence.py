"""Any sentence-transformers model as a column encoder: DeepJoin's way (Dong et al., PVLDB 16(10) 2023).

The column's text, made by one of DeepJoin's templates, goes through a transformer; vectors have length 1, so that the
inner product is the cosine. torch and sentence-transformers are imported when an encoder is made, not before.

Model files are code if they are let: weights are read from safetensors alone, ``trust_remote_code`` is off, and the
hub is not asked unless ``TABLELENS_ALLOW_HUB=1``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tablelens.errors import EncoderError, MissingExtra
from tablelens.types import ColumnText, Vectors

ALLOW_HUB = "TABLELENS_ALLOW_HUB"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


class SentenceEncoder:
    """A sentence-transformers model behind the ``ColumnEncoder`` protocol.

    ::

        encoder = SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2")
        vectors = encoder.encode(columns)  # float32 (n, 384)

    Args:
        model: a folder, or a name that is looked up in the local cache.
        dtype: ``float32`` or ``bfloat16``; None takes bfloat16 where the CPU has it in hardware. bfloat16 changes
            vectors in the third digit, so it is part of the revision.
        batch: texts a forward pass.
        folder: where the model lies, if its name does not say so.

    Raises:
        MissingExtra: sentence-transformers or torch is not installed.
        EncoderError: no such model, or one without safetensors weights.
    """

    reads: tuple[str, ...] = ("text",)

    def __init__(self, model: str, dtype: str | None = None, batch: int = 32, folder: Path | None = None) -> None:
        torch, library = _packages()
        self.name = model
        self.dtype = dtype or ("bfloat16" if fast_bfloat16() else "float32")
        if self.dtype not in ("float32", "bfloat16"):
            raise EncoderError(f"a sentence encoder has no dtype {self.dtype!r}", "float32 or bfloat16")
        folder = folder or find_folder(model)
        check_folder(folder)
        self.folder = folder
        try:
            self._model = library.SentenceTransformer(
                str(folder),
                device="cpu",
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True, "dtype": getattr(torch, self.dtype)},
            )
        except Exception as error:  # the library raises whatever a broken file makes it raise
            raise EncoderError(
                f"cannot load the sentence-transformers model {model!r}: {_first_line(error)}"
            ) from error
        self._batch = batch
        self.max_tokens = int(self._model.max_seq_length or 512)
        self.dimension = _dimension(self._model)
        self.revision = self._revision()

    def encode(self, columns: Sequence[ColumnText]) -> Vectors:
        """Unit vectors of the columns' texts, float32 (n, d).

        Raises:
            EncoderError: the model gave vectors of another shape, or some that are not finite.
        """
        return self.encode_text([column.text for column in columns])

    encode_queries = encode

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of texts, float32 (n, d)."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        order = sorted(range(len(texts)), key=lambda place: (-len(texts[place]), texts[place]))  # little padding
        found = self._model.encode(
            [texts[place] for place in order],
            batch_size=self._batch,
            show_progress_bar=False,
            convert_to_numpy=False,
            convert_to_tensor=True,
        )
        made = found.float().numpy()
        if made.shape != (len(texts), self.dimension) or not np.isfinite(made).all():
            raise EncoderError(
                f"encoder {self.name!r} gave vectors of shape {made.shape}, or some that are not finite",
                f"expected are finite vectors of shape ({len(texts)}, {self.dimension})",
            )
        vectors = np.empty((len(texts), self.dimension), np.float32)
        vectors[order] = made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-12)
        return vectors

    encode_text_queries = encode_text

    def _revision(self) -> str:
        """sha256 of all that changes vectors: weights as loaded, dtype, length limit, modules and vocabulary."""
        import torch

        digest = hashlib.sha256()
        for name, tensor in sorted(self._model.state_dict().items()):
            digest.update(f"{name}\0{tuple(tensor.shape)}\0{tensor.dtype}\0".encode())
            digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy())
        modules = [[type(module).__name__, module.get_config_dict()] for module in self._model]
        words = sorted(self._model.tokenizer.get_vocab().items())
        rest = [self.dtype, self.max_tokens, modules, words]
        digest.update(json.dumps(rest, sort_keys=True, default=str).encode())
        return digest.hexdigest()


def find_folder(model: str) -> Path:
    """The folder of a model: the one given, or that of a name in the local cache (downloaded, if that is allowed).

    Raises:
        EncoderError: neither is there.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download

    allowed = os.environ.get(ALLOW_HUB) == "1"
    try:
        return Path(
            snapshot_download(
                model if "/" in model else f"sentence-transformers/{model}",
                local_files_only=not allowed,
                allow_patterns=["*.json", "*.txt", "*.model", "*.safetensors"],
            )
        )
    except Exception as error:  # no such name, no network, no cache: each of another class
        raise EncoderError(
            f"no model {model!r} in the local cache: {_first_line(error)}",
            f"give a folder that holds it{'' if allowed else f', or set {ALLOW_HUB}=1 to allow a download'}",
        ) from error


def check_folder(folder: Path) -> None:
    """See that loading the model runs no code of its own.

    Raises:
        EncoderError: no sentence-transformers model, weights only as pickle, or modules of another package.
    """
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        kinds = [str(module["type"]) for module in modules]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(f"{str(folder)!r} is no sentence-transformers model: no readable modules.json") from error
    foreign = [kind for kind in kinds if not kind.startswith("sentence_transformers.")]
    if foreign:
        raise EncoderError(f"the model in {str(folder)!r} runs code of its own: {', '.join(foreign)}")
    for weights in sorted(path for ending in PICKLES for path in folder.rglob(ending)):
        if not any(weights.parent.glob("*.safetensors")):
            raise EncoderError(f"{weights} is a pickle, and there are no safetensors beside it", "convert it first")


def fast_bfloat16() -> bool:
    """Whether this CPU computes in bfloat16 itself; elsewhere it is emulated, and slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16"))


def _packages() -> tuple[Any, Any]:
    """The modules torch and sentence_transformers."""
    try:
        import sentence_transformers
        import torch
    except ImportError as error:
        package = (error.name or "sentence_transformers").replace("_", "-")
        raise MissingExtra.of(package, "models", "a sentence encoder") from error
    return torch, sentence_transformers


def _dimension(model: Any) -> int:
    ask = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
    return int(ask())


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
