"""Rows by a TransTab that was fitted and saved: the same weights before and after every change."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa

from tablelens.errors import EncoderError, TablelensError
from tablelens.types import Vectors

from .columns import RowModel


class SavedTransTab:
    """A ``RowEncoder`` over a saved estimator."""

    refit = False

    def __init__(self, folder: Path, name: str) -> None:
        from tablelens import transtab  # here, so that the probes start without torch
        from tablelens.transtab import checkpoint

        kind: Any = getattr(transtab, checkpoint.load(folder).about["estimator"])
        self.name = name
        self.revision = hashlib.sha256((folder / checkpoint.CONFIG).read_bytes()).hexdigest()  # it names the weights
        self._estimator = kind.load(folder)

    def encode(self, table: pa.Table) -> Vectors:
        """float32 (rows, d)."""
        made: Vectors = self._estimator.transform(table)
        return made


def load_transtab(path: str, name: str) -> RowModel:
    """The estimator in a folder.

    Raises:
        EncoderError: none is there.
    """
    try:
        return RowModel(SavedTransTab(Path(path).expanduser(), name), name, f"of {Path(path).name}")
    except TablelensError as error:
        raise EncoderError(f"no TransTab in {path!r}: {error.message}", error.hint) from error
