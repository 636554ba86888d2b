"""A table as augmentation takes it: numbers as float64, all else as texts, the target apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tablelens.augment.judges import METRICS, metric_for
from tablelens.augment.search import Base
from tablelens.errors import UnknownColumn, UsageError
from tablelens.settings import Settings
from tablelens.transtab.tables import numbers, texts, typed


def base_of(table: pa.Table, target: str, metric: str | None, settings: Settings) -> Base:
    """The table without its target; rows whose target is missing are left out.

    Raises:
        UnknownColumn: no such column.
        UsageError: no row has a target, or the metric does not fit it.
    """
    if target not in table.column_names:
        raise UnknownColumn.among(
            "column", target, table.column_names, f"columns: {', '.join(table.column_names[:20])}"
        )
    data = typed(table, settings)
    values = _target(data[target])
    kept = np.array([value is not None and value == value for value in values.tolist()], bool)
    if not kept.any():
        raise UsageError(f"no row has a value of {target!r}", "choose another target")
    known = values[kept]
    known = known.astype(np.float64) if data[target].type == pa.float64() else known.astype(str)
    chosen = metric_for(known, metric)
    if METRICS[chosen] == "classes":
        known = known.astype(str) if known.dtype.kind != "f" else np.array([f"{value:g}" for value in known])
    return Base(data.filter(pa.array(kept)).drop_columns([target]), known, chosen)


def _target(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    return numbers(column) if pa.types.is_floating(column.type) else np.array(texts(column), object)
