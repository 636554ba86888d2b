"""Names of properties and of models, and what is meant by a name that is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from tablelens.encoders import encoder_names, load_encoder
from tablelens.encoders.base import ColumnEncoder
from tablelens.errors import EncoderError, MissingExtra, UnknownEncoder, UnknownProperty
from tablelens.settings import Settings

from .base import Property
from .models.base import Model
from .models.columns import ColumnModel, RowEncoder, RowModel
from .models.reference import REFERENCES
from .models.tabert import load_tabert
from .models.tiny import load_tiny
from .models.transformer import FAMILIES, is_transformer, load_transformer
from .models.transtab import load_transtab
from .models.turl import load_turl
from .properties.column_order import ColumnOrder
from .properties.determinism import Determinism
from .properties.entity_stability import EntityStability
from .properties.functional_dependencies import FunctionalDependencies
from .properties.heterogeneous_context import HeterogeneousContext
from .properties.join_relationship import JoinRelationship
from .properties.non_degeneracy import NonDegeneracy
from .properties.numeric_fidelity import NumericFidelity
from .properties.perturbation_robustness import PerturbationRobustness
from .properties.retrieval_stability import RetrievalStability
from .properties.row_alignment import RowAlignment
from .properties.row_order import RowOrder
from .properties.sample_fidelity import SampleFidelity
from .properties.semantic_discrimination import SemanticDiscrimination
from .properties.serialization_stability import SerializationStability
from .properties.truncation_coverage import TruncationCoverage

PROPERTIES: tuple[Property, ...] = (
    RowOrder(),
    ColumnOrder(),
    JoinRelationship(),
    FunctionalDependencies(),
    SampleFidelity(),
    EntityStability(),
    PerturbationRobustness(),
    HeterogeneousContext(),
    RowAlignment(),
    SerializationStability(),
    NumericFidelity(),
    SemanticDiscrimination(),
    NonDegeneracy(),
    Determinism(),
    TruncationCoverage(),
    RetrievalStability(),
)
KINDS = (*FAMILIES, "turl", "tabert", "transtab")
"""Kinds of models that are given as ``kind:FOLDER``."""
TINY = tuple(f"tiny-{kind}" for kind in KINDS if kind != "transtab")
GROUP = "tablelens.probes"
"""Entry points of plug-ins: a callable without arguments that gives a Model, a ColumnEncoder or a RowEncoder."""


def get_property(name: str) -> Property:
    """The property of that name.

    Raises:
        UnknownProperty: there is none.

    >>> get_property("row_order").meta.paper
    'P1'
    """
    known = {found.meta.id: found for found in PROPERTIES}
    if name not in known:
        raise UnknownProperty.among("property", name, known, "tablelens probe list")
    return known[name]


def model_names() -> tuple[str, ...]:
    """Names of the models that need no path: encoders of tablelens, reference models, plug-ins."""
    return tuple(dict.fromkeys((*encoder_names(), *REFERENCES, *TINY, *_plugins())))


def load_models(names: Sequence[str], settings: Settings | None = None) -> list[Model]:
    """Models by name, each under a name of its own.

    Raises:
        UnknownEncoder, EncoderError, MissingExtra: as ``load_model``.
    """
    made = [load_model(name, settings) for name in names]
    short = Counter(model.name for model in made)
    for name, model in zip(names, made, strict=True):
        if short[model.name] > 1:
            model.name = name
    return made


def load_model(name: str, settings: Settings | None = None) -> Model:
    """The model of that name.

    Args:
        name: an encoder of tablelens (``deepjoin-static``, a sentence-transformers folder or name), a folder of
            transformers, ``kind:FOLDER`` as ``bert:models/minilm`` (see ``KINDS``), ``tiny-KIND``, a reference model,
            or a plug-in.
        settings: the template with which a column encoder is given its columns; None takes the defaults.

    Raises:
        UnknownEncoder: no such name and no such folder.
        EncoderError: it is there but cannot be loaded.
        MissingExtra: a package is needed that an extra installs.
    """
    if name in REFERENCES:
        return REFERENCES[name](name)
    if (kind := name.removeprefix("tiny-")) != name and kind in KINDS:
        return load_tiny(kind)
    kind, _, path = name.partition(":")
    if path and kind in KINDS:
        return _of_kind(kind, path)
    plugins = _plugins()
    if name in plugins:
        return _adapted(_loaded(plugins[name]), name, settings)
    if not Path(name).exists() and name not in encoder_names() and get_close_matches(name, model_names(), cutoff=0.85):
        raise UnknownEncoder.among("model", name, model_names(), "tablelens probe list")  # a slip of one of ours
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file() and not (folder / "modules.json").is_file() and is_transformer(folder):
        return load_transformer(name, short_name(name))
    try:
        return _adapted(load_encoder(name), name, settings)
    except UnknownEncoder as error:
        raise UnknownEncoder.among("model", name, model_names(), error.hint) from error


def _of_kind(kind: str, path: str) -> Model:
    """A model whose kind is named, as ``bert:FOLDER``."""
    name = f"{short_name(path)} ({kind})"
    if kind == "transtab":
        return load_transtab(path, name)
    if kind == "turl":
        return load_turl(path, name)
    if kind == "tabert":
        return load_tabert(path, name)
    return load_transformer(path, name, kind)


def short_name(name: str) -> str:
    """A model's name in a report: of a folder the last part.

    >>> short_name("/models/minilm/"), short_name("bag-of-words")
    ('minilm', 'bag-of-words')
    """
    return Path(name).name if "/" in name else name


def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _loaded(point: EntryPoint) -> Any:
    make: Callable[[], Any]
    try:
        make = point.load()
        return make()
    except MissingExtra:
        raise
    except Exception as error:  # a plug-in may raise anything
        raise EncoderError(f"the plug-in model {point.name!r} ({point.value}) failed to load: {error!r}") from error


def _adapted(found: Any, name: str, settings: Settings | None) -> Model:
    """Whatever a name stands for as a model under test."""
    if isinstance(found, Model):
        return found
    if isinstance(found, ColumnEncoder):
        return ColumnModel(found, short_name(name), settings)
    if isinstance(found, RowEncoder):
        return RowModel(found, short_name(name))
    kinds: Iterable[str] = ("Model", "ColumnEncoder", "RowEncoder")
    raise EncoderError(f"{name!r} is neither of {', '.join(kinds)}: {type(found).__name__}")
