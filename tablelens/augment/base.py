"""A table as augmentation takes it: numbers as float64, all else as texts, the target apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tablelens.augment.judges import metric_for
from tablelens.augment.search import Base
from tablelens.errors import UnknownColumn, UsageError
from tablelens.profile.columns import profile_column
from tablelens.profile.normalize import normalize
from tablelens.settings import Settings
from tablelens.transtab.tables import numbers, texts


def typed(table: pa.Table, settings: Settings) -> pa.Table:
    """Columns of numbers as float64, all else as texts without null words; a text format's numbers are numbers too.

    >>> typed(pa.table({"a": ["1", "2.5", "n/a"], "b": ["x", None, "-"]}), Settings()).to_pydict()
    {'a': [1.0, 2.5, None], 'b': ['x', None, None]}
    """
    return pa.table({name: _typed(name, table[name], settings) for name in table.column_names})


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
    if chosen != "r2":
        known = known.astype(str) if known.dtype.kind != "f" else np.array([f"{value:g}" for value in known])
    return Base(data.filter(pa.array(kept)).drop_columns([target]), known, chosen)


def _target(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    return numbers(column) if pa.types.is_floating(column.type) else np.array(texts(column), object)


def _typed(name: str, column: pa.ChunkedArray, settings: Settings) -> pa.Array:
    kind = profile_column(column, settings, name=name).kind
    if kind in ("integer", "decimal") and not _leading_zero(column):
        found = numbers(column)
        return pa.array(found, mask=np.isnan(found))
    return pa.array([None if cell is None or normalize(cell) is None else cell for cell in texts(column)], pa.string())


def _leading_zero(column: pa.ChunkedArray) -> bool:
    """Whether whole numbers are written with a zero before them: then they are codes."""
    return any(cell and len(cell) > 1 and cell[0] == "0" and cell.isdigit() for cell in texts(column))
