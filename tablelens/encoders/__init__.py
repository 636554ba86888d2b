"""Text and values to one vector a column.

``load_encoder(name)`` finds an encoder: ``deepjoin-static`` (shipped, needs no torch), one that a plug-in registered
under the entry-point group ``tablelens.encoders``, a folder of weights, or a sentence-transformers model by its name. A
plug-in's entry point is a callable that takes no argument and returns a ``ColumnEncoder``.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from tablelens.encoders.base import ColumnEncoder
from tablelens.encoders.sentence import SentenceEncoder
from tablelens.encoders.static import CONFIG, DEEPJOIN, StaticEncoder
from tablelens.errors import EncoderError, MissingExtra, UnknownEncoder

__all__ = [
    "ColumnEncoder",
    "SentenceEncoder",
    "StaticEncoder",
    "encoder_names",
    "lasting_name",
    "load_encoder",
    "models_of",
    "trained_names",
]

GROUP = "tablelens.encoders"


def load_encoder(name: str, models: Path | None = None) -> ColumnEncoder:
    """The encoder of that name; ``encoder.name`` is ``name`` again.

    Args:
        name: ``deepjoin-static``, a name that a plug-in registered, a trained model of the home, a folder, or a
            sentence-transformers model. A model name is looked up in the local cache alone, unless
            ``TABLELENS_ALLOW_HUB=1`` allows a download.
        models: folder of the models that were trained in a home (``models_of``).

    Raises:
        UnknownEncoder: no such name and no such folder.
        EncoderError: it is there but cannot be loaded.
        MissingExtra: a folder or name of a sentence-transformers model, without the packages that run it.

    >>> load_encoder("deepjoin-static").dimension
    512
    """
    if name == DEEPJOIN:
        return StaticEncoder()
    plugins = _plugins()
    if name in plugins:
        return _from_plugin(plugins[name])
    trained = [models / name] if models is not None and name and Path(name).name == name else []
    for folder in (*trained, Path(name).expanduser()):
        if folder.is_dir():
            return _from_folder(name, folder)
    if _looks_like_model(name) and importlib.util.find_spec("sentence_transformers") is not None:
        return SentenceEncoder(name)
    raise UnknownEncoder.among("encoder", name, [DEEPJOIN, *plugins, *trained_names(models)], _cure(name))


def models_of(home: Path) -> Path:
    """Where the models that were trained in a home lie."""
    return home / "models"


def trained_names(models: Path | None) -> tuple[str, ...]:
    """Names of the trained models in a folder."""
    if models is None or not models.is_dir():
        return ()
    return tuple(sorted(p.name for p in models.iterdir() if any((p / f).is_file() for f in (CONFIG, "modules.json"))))


def lasting_name(name: str, models: Path | None = None) -> str:
    """The name by which an encoder is found from any working folder: a folder's whole path."""
    folder = Path(name).expanduser()
    named = name in (*encoder_names(), *trained_names(models))
    return name if named or not folder.is_dir() else str(folder.resolve())


def encoder_names() -> tuple[str, ...]:
    """The registered names: the shipped one, and those of plug-ins."""
    return (DEEPJOIN, *_plugins())


def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP) if point.name != DEEPJOIN}


def _from_plugin(point: EntryPoint) -> ColumnEncoder:
    try:
        made = point.load()()
    except MissingExtra:
        raise
    except Exception as error:  # a plug-in may raise anything
        raise EncoderError(f"the plug-in encoder {point.name!r} ({point.value}) failed to load: {error!r}") from error
    if not isinstance(made, ColumnEncoder):
        raise EncoderError(f"the plug-in encoder {point.name!r} ({point.value}) is no ColumnEncoder: {type(made)}")
    return made


def _from_folder(name: str, folder: Path) -> ColumnEncoder:
    if (folder / "modules.json").is_file():
        return SentenceEncoder(name, folder=folder)
    if (folder / CONFIG).is_file():
        return StaticEncoder(folder, name)
    raise EncoderError(
        f"folder {name!r} holds no encoder",
        f"a static encoder has a {CONFIG}, a sentence-transformers model a modules.json",
    )


def _looks_like_model(name: str) -> bool:
    """Whether the name can be one of the hub: ``owner/model``, or a model of the owner sentence-transformers."""
    return bool(name) and name.count("/") <= 1 and not name.startswith((".", "/", "~")) and ("/" in name or "-" in name)


def _cure(name: str) -> str:
    if _looks_like_model(name):
        return "for a sentence-transformers model: pip install 'tablelens[models]'"
    return "give a registered name, a folder, or a sentence-transformers model as owner/model"
