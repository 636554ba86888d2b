"""TransTab row encoders: learn across tables with different columns (Wang & Sun, NeurIPS 2022).

``TransTabClassifier``, ``TransTabRegressor`` and ``TransTabEncoder`` are scikit-learn estimators; they need the extra
``models``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tablelens.errors import MissingExtra
from tablelens.transtab.tables import as_table
from tablelens.transtab.tokenize import Featurizer, Rows
from tablelens.transtab.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tablelens.transtab.classifier import TransTabClassifier
    from tablelens.transtab.encoder import TransTabEncoder
    from tablelens.transtab.estimator import PAPER
    from tablelens.transtab.regressor import TransTabRegressor

_MODULES = {
    "PAPER": "estimator",
    "TransTabClassifier": "classifier",
    "TransTabEncoder": "encoder",
    "TransTabRegressor": "regressor",
}
__all__ = [
    "PAPER",
    "Featurizer",
    "Rows",
    "TransTabClassifier",
    "TransTabEncoder",
    "TransTabRegressor",
    "Vocabulary",
    "as_table",
]


def __getattr__(name: str) -> Any:
    """The estimators, imported when they are first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"tablelens.transtab.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        raise MissingExtra.of(error.name or "torch", "models", f"tablelens.transtab.{name}") from error
