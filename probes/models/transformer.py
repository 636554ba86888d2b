"""BERT, RoBERTa, T5, TAPAS, TAPEX and their kin, through transformers: any level from one pass over the table.

What each family's vectors are:

==========  =======================================  ====================================
family      column                                   table, row, cell
==========  =======================================  ====================================
bert        state of its own marker, ``cls_token``   first marker, first marker, mean
t5          mean of its tokens, encoder states       mean, mean, mean
tapas       mean of its tokens, as in Observatory    first marker, mean, mean
tapex       mean of its tokens, encoder states       mean, mean, mean
doduo       state of its own marker                  column level alone
==========  =======================================  ====================================

Observatory reads T5 and TAPEX at the decoder, whose causal attention does not see the column that follows a marker;
here it is the encoder. Weights are read from safetensors, or from a pickle by torch's own restricted reader; no code of
a model's folder is run, and the hub is not asked. A model is set to ``eval`` as a whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tablelens.errors import EncoderError, MissingExtra
from tablelens.types import Vectors

from ..base import Level, Skip
from ..tables import Table, digest
from . import layouts
from .base import Piece, Seen
from .layouts import Ids, Layout, Special, Tokens

BATCH_TOKENS = 4096
LAYOUT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of model: how tables are laid out, whether its markers are read, which levels it has."""

    name: str
    layout: Layout
    markers: bool
    kinds: tuple[str, ...]
    """``model_type`` of the configurations that belong to it."""
    levels: tuple[Level, ...] = ("table", "column", "row", "cell")
    most_rows: int = 1 << 30


FAMILIES = {
    family.name: family
    for family in (
        Family("bert", layouts.by_column, True, ("bert", "distilbert", "mpnet", "electra", "deberta-v2")),
        Family("roberta", layouts.by_column, True, ("roberta", "xlm-roberta", "camembert")),
        Family("t5", layouts.by_column, False, ("t5", "mt5")),
        Family("tapas", layouts.tapas, False, ("tapas",), most_rows=254),
        Family("tapex", layouts.tapex, False, ("bart",)),
        Family("doduo", layouts.doduo, True, (), levels=("column",)),
    )
}


class TransformerModel:
    """A module of transformers under the probes.

    Args:
        name: of the report.
        family: how tables are laid out.
        module: gives ``last_hidden_state`` for ids; of an encoder-decoder its encoder.
        tokenizer: of transformers or of tokenizers; see ``tokenizer_of``.
        max_tokens: tokens of one sequence.
        weights: where they come from.
    """

    def __init__(self, name: str, family: Family, module: Any, tokenizer: Any, max_tokens: int, weights: str) -> None:
        self.name, self.family, self.weights = name, family, weights
        self.levels: tuple[Level, ...] = family.levels
        self.max_tokens: int | None = max_tokens
        self._limit = max_tokens
        self._module = module.eval()
        self._tokenizer = tokenizer
        self._special = special_of(tokenizer)
        self._known: dict[str, Ids] = {}
        if family.markers and self._special.start is None:
            raise EncoderError(f"{name!r} has no token that starts a sequence, which {family.name} needs as marker")
        self.revision = f"{fingerprint(module, tokenizer)}/{family.name}-{LAYOUT_VERSION}"

    def fit(self, table: Table, level: Level) -> int:
        """Leading rows whose whole sequence is within the limit; a row alone is cut, not left out."""
        if level == "row" or self.family.name == "doduo":
            return min(table.rows, self.family.most_rows)
        low, high = 0, min(table.rows, self.family.most_rows)
        while low < high:  # the length grows with every row
            middle = (low + high + 1) // 2
            low, high = (middle, high) if len(self._laid(table.head(middle))) <= self._limit else (low, middle - 1)
        return low

    def pieces(self, table: Table, level: Level) -> list[Piece]:
        """One sequence for the table, or one for each row.

        Raises:
            Skip: not even the first row fits, or the level is not one of the model.
        """
        if level not in self.levels:
            raise Skip("level")
        if level == "row":
            rows = [layouts.of_row(table, r, self.tokenize, self._special) for r in range(table.rows)]
            return [_piece(self._cut(tokens), "row", 1, 1) for tokens in rows]
        shown = table.head(self.fit(table, level))
        if not shown.rows or len(tokens := self._laid(shown)) > self._limit:
            raise Skip("does-not-fit")
        if level == "cell" and shown.rows < table.rows:
            raise Skip("does-not-fit")  # the caller takes the rows that fit
        return [_piece(tokens, level, table.rows, table.width)]

    def encode(self, pieces: Sequence[Piece]) -> list[Vectors]:
        """Vectors of each sequence; those of like length go through the model together."""
        made: list[Vectors | None] = [None] * len(pieces)
        for batch in _batches(pieces):
            states = self._states([pieces[i].payload[0] for i in batch])
            for i, state in zip(batch, states, strict=True):
                made[i] = self._pooled(state, *pieces[i].payload)
        return [vectors for vectors in made if vectors is not None]

    def seen(self, table: Table) -> Seen:
        """Rows and tokens within the limit."""
        whole = self._laid(table)
        rows = self.fit(table, "column")
        shown = whole
        if self.family.name == "doduo":
            full = sum(len(self.tokenize(cell)) for column in table.columns for cell in column)
            share = (len(whole) - table.width - 1) / max(full, 1)
            return Seen(round(share * table.rows), table.rows, len(whole), full + table.width + 1)
        if rows < table.rows:
            shown = self._laid(table.head(rows))
        return Seen(rows, table.rows, len(shown), len(whole))

    def tokenize(self, text: str) -> Ids:
        """Ids of a text without special tokens, as of a word within a sentence."""
        if text not in self._known:
            self._known[text] = tokenized(self._tokenizer, text)
        return self._known[text]

    def _laid(self, table: Table) -> Tokens:
        return self.family.layout(table, self.tokenize, self._special)

    def _cut(self, tokens: Tokens) -> Tokens:
        n = self._limit
        return Tokens(tokens.ids[:n], tokens.columns[:n], tokens.rows[:n], tokens.markers, tokens.types[:n])

    def _states(self, batch: Sequence[Tokens]) -> list[np.ndarray[Any, Any]]:
        """Hidden states (tokens, d) of each sequence."""
        import torch

        longest = max(len(tokens) for tokens in batch)
        ids = torch.full((len(batch), longest), self._special.pad)
        mask = torch.zeros((len(batch), longest), dtype=torch.long)
        types = torch.zeros((len(batch), longest, 7), dtype=torch.long)
        for i, tokens in enumerate(batch):
            ids[i, : len(tokens)] = torch.tensor(tokens.ids)
            mask[i, : len(tokens)] = 1
            if tokens.types:
                types[i, : len(tokens)] = torch.tensor(tokens.types)
        more = {"token_type_ids": types} if self.family.name == "tapas" else {}
        with torch.no_grad():
            states = self._module(input_ids=ids, attention_mask=mask, **more).last_hidden_state.float()
        return [states[i, : len(tokens)].numpy() for i, tokens in enumerate(batch)]

    def _pooled(self, state: np.ndarray[Any, Any], tokens: Tokens, level: Level, rows: int, width: int) -> Vectors:
        columns, places = np.array(tokens.columns), np.array(tokens.rows)
        if level in ("table", "row"):
            first = self.family.markers or (self.family.name == "tapas" and level == "table")
            return np.asarray(state[tokens.markers[:1]] if first else state.mean(axis=0, keepdims=True), np.float32)
        if level == "column":
            if self.family.markers:
                return np.asarray(state[tokens.markers], np.float32)
            return _means(state, [columns == c for c in range(width)])
        return _means(state, [(columns == c) & (places == r) for r in range(rows) for c in range(width)])


def load_transformer(path: str, name: str, kind: str = "") -> TransformerModel:
    """A model from a folder with ``config.json``, weights and tokenizer.

    Args:
        path: the folder.
        name: of the report.
        kind: name of a family; nothing reads it from the configuration.

    Raises:
        MissingExtra: transformers or torch is not installed.
        EncoderError: no such folder, an unknown kind of model, or files that cannot be read.
    """
    transformers = need_transformers()
    folder = Path(path).expanduser()
    try:
        about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EncoderError(f"{path!r} holds no readable config.json: {error}") from error
    family = FAMILIES[kind] if kind else family_of(about.get("model_type", ""), path)
    try:
        if family.name == "doduo":
            config = transformers.BertConfig.from_dict(about)
            module = transformers.BertModel(config, add_pooling_layer=False)
            load_state(module, read_weights(folder), prefix="bert.", path=path)
        else:
            options = {"local_files_only": True, "trust_remote_code": False, "use_safetensors": True}
            module = transformers.AutoModel.from_pretrained(folder, **options)
        tokenizer = tokenizer_of(folder, about.get("model_type", ""))
    except EncoderError:
        raise
    except Exception as error:  # the library raises whatever a broken file makes it raise
        raise EncoderError(f"cannot load {family.name} from {path!r}: {str(error).splitlines()[0]}") from error
    return TransformerModel(name, family, encoder_of(module), tokenizer, limit_of(module.config), f"of {folder.name}")


def family_of(kind: str, path: str) -> Family:
    """The family of a ``model_type``.

    Raises:
        EncoderError: none has it.
    """
    for family in FAMILIES.values():
        if kind in family.kinds:
            return family
    known = sorted(kind for family in FAMILIES.values() for kind in family.kinds)
    raise EncoderError(f"{path!r} is a model of type {kind!r}", f"known types: {', '.join(known)}")


def is_transformer(folder: Path) -> bool:
    """Whether a folder's configuration is one of transformers."""
    try:
        return "model_type" in json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def encoder_of(module: Any) -> Any:
    """The encoder of an encoder-decoder, or the module itself."""
    return module.get_encoder() if getattr(module.config, "is_encoder_decoder", False) else module


def limit_of(config: Any) -> int:
    """Tokens of one sequence: the positions that there are (RoBERTa keeps two for itself), at most 1,024; T5's 512."""
    positions = getattr(config, "max_position_embeddings", None) or 512
    kept = 2 if config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet") else 0
    return min(int(positions) - kept, 1024)


def tokenizer_of(folder: Path, kind: str) -> Any:
    """The tokenizer of a folder. TAPAS's own wants pandas for what is done here, so its vocabulary is read alone."""
    if kind == "tapas" and (folder / "vocab.txt").is_file():
        from tokenizers import BertWordPieceTokenizer

        return BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True)
    return need_transformers().AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def special_of(tokenizer: Any) -> Special:
    """Ids of the tokenizer's own special tokens, never of their usual names."""
    if hasattr(tokenizer, "token_to_id"):  # of the package tokenizers
        find = tokenizer.token_to_id
        return Special(find("[CLS]"), find("[SEP]"), find("[PAD]") or 0, find("[EMPTY]"))
    end = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
    return Special(tokenizer.cls_token_id, end, tokenizer.pad_token_id or 0)


def tokenized(tokenizer: Any, text: str) -> Ids:
    """Ids of a text without special tokens, as of a word within a sentence; none where there is nothing."""
    if not text.strip():
        return ()
    if hasattr(tokenizer, "token_to_id"):
        return tuple(tokenizer.encode(text, add_special_tokens=False).ids)
    found = tokenizer(f" {text.strip()}", add_special_tokens=False, return_attention_mask=False, verbose=False)
    return tuple(found["input_ids"])


def fingerprint(module: Any, tokenizer: Any) -> str:
    """sha256 of all weights and the vocabulary."""
    import torch

    hasher = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        hasher.update(f"{name}\0{tuple(tensor.shape)}\0{tensor.dtype}\0".encode())
        hasher.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy())
    hasher.update(json.dumps(sorted(tokenizer.get_vocab().items())).encode())
    return hasher.hexdigest()


def read_weights(folder: Path) -> dict[str, Any]:
    """Tensors of the one weights file of a folder; a pickle is read by torch's reader that runs no code.

    Raises:
        EncoderError: none, several, or one that holds other things than tensors.
    """
    import torch
    from safetensors.torch import load_file

    found = sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".bin", ".pt", ".pth", ".ckpt"))
    if len(found) != 1:
        raise EncoderError(
            f"{folder} holds {len(found)} files of weights", "keep just one .safetensors, .bin or .pt there"
        )
    try:
        loaded: dict[str, Any] = (
            load_file(found[0]) if found[0].suffix == ".safetensors" else torch.load(found[0], weights_only=True)
        )
    except Exception as error:  # torch and safetensors raise what they like
        raise EncoderError(f"cannot read weights from {found[0]}: {str(error).splitlines()[0]}") from error
    state: dict[str, Any] = loaded.get("state_dict", loaded)
    return state


def read_bert(path: str, what: str, **options: Any) -> tuple[dict[str, Any], dict[str, Any], Any, Any]:
    """(weights, config.json, BERT's config, tokenizer) of a folder of a model that is built on BERT.

    Raises:
        EncoderError: a file is missing or does not fit; it says that this is no folder of ``what``.
    """
    transformers = need_transformers()
    folder = Path(path).expanduser()
    state = read_weights(folder) if folder.is_dir() else {}
    try:
        about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = transformers.BertConfig.from_dict(about, **options)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # files of another kind, or none
        raise EncoderError(
            f"{path!r} is no folder of {what}: {error!r}", "config.json, vocab.txt and weights"
        ) from error
    return state, about, config, tokenizer


def load_state(module: Any, state: dict[str, Any], prefix: str, path: str, skip: Sequence[str] = ()) -> None:
    """Put the tensors below a prefix into a module; nothing may be missing, heads that are left over may.

    Raises:
        EncoderError: a tensor is missing or of another shape.
    """
    mine = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    try:
        missing = module.load_state_dict(mine, strict=False).missing_keys
    except RuntimeError as error:
        raise EncoderError(
            f"the weights of {path!r} have other shapes: {str(error).splitlines()[-1].strip()}"
        ) from error
    lacking = [name for name in missing if not name.endswith("position_ids") and name not in skip]
    if lacking:
        raise EncoderError(
            f"the weights of {path!r} lack {len(lacking)} tensors, as {prefix}{lacking[0]}",
            "give the published weights",
        )


def need_transformers() -> Any:
    """The package transformers.

    Raises:
        MissingExtra: it or torch is not installed.
    """
    try:
        import torch  # noqa: F401
        import transformers
    except ImportError as error:
        raise MissingExtra.of(error.name or "transformers", "models", "this model") from error
    return transformers


def _piece(tokens: Tokens, level: Level, rows: int, width: int) -> Piece:
    count = {"table": 1, "row": 1, "column": width, "cell": rows * width}[level]
    parts = [",".join(map(str, found)) for found in (tokens.ids, tokens.columns, tokens.rows)]
    return Piece((tokens, level, rows, width), digest(level, f"{rows} {width}", parts), count)


def _batches(pieces: Sequence[Piece]) -> Iterator[list[int]]:
    """Places of pieces, long ones together, each batch within a number of tokens."""
    order = sorted(range(len(pieces)), key=lambda i: -len(pieces[i].payload[0]))
    batch: list[int] = []
    for i in order:
        if batch and len(pieces[batch[0]].payload[0]) * (len(batch) + 1) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _means(state: np.ndarray[Any, Any], masks: Sequence[np.ndarray[Any, Any]]) -> Vectors:
    """Mean state of each mask; what has no token, as an empty cell, is the zero vector."""
    zero = np.zeros(state.shape[1], np.float32)
    return np.stack([state[mask].mean(axis=0) if mask.any() else zero for mask in masks]).astype(np.float32)
