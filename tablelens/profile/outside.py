"""Values from outside the lake as a column: a list, a Series, an Arrow array, a table of one column."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from tablelens.errors import UsageError

HINT = "give a list, a Series, an Arrow array, or one column of a table"
SCALARS = (str, int, float, Decimal, dt.date, dt.time)
"""Values of several of these types in one column are taken as text."""


def outside_column(values: Any, name: str = "") -> tuple[pa.ChunkedArray, str]:
    """Values of any kind as an Arrow array, and the name of their column: the one given, or their own.

    Args:
        values: anything of the Arrow PyCapsule interface (pandas, polars, pyarrow, DuckDB …), a NumPy array, or any
            iterable of scalars.
        name: overrules the name that a Series or a table brings.

    Raises:
        UsageError: they are not one column of values.

    >>> outside_column([1, "a", None])[0].to_pylist()
    ['1', 'a', None]
    """
    try:
        made = _as_chunked(values)
        if pa.types.is_struct(made.type):
            return _only_column(made, name)
        if pa.types.is_nested(made.type):
            raise TypeError(f"its values are of type {made.type}")
    except (TypeError, ValueError, OverflowError, pa.ArrowException) as error:
        raise UsageError(f"cannot take {type(values).__name__} as a column: {error}", HINT) from error
    own = getattr(values, "name", None)
    return made, name or ("values" if own is None or own == "" else str(own))


def _as_chunked(values: Any) -> pa.ChunkedArray:
    if isinstance(values, pa.ChunkedArray):
        return values
    if hasattr(values, "__arrow_c_stream__") and not isinstance(values, pa.Array):
        try:
            return pa.chunked_array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # a pandas Series of objects
            return _listed(values)
    if hasattr(values, "__arrow_c_array__"):
        return pa.chunked_array([pa.array(values)])
    if isinstance(values, str | bytes | Mapping) or not (isinstance(values, Iterable) or hasattr(values, "__array__")):
        raise TypeError("these are no values of a column")
    return _listed(values)


def _listed(values: Any) -> pa.ChunkedArray:
    """Values one by one; where they are of several types, as text."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        return pa.chunked_array([pa.array(values)])
    items = values.tolist() if hasattr(values, "tolist") else list(values)
    try:
        return pa.chunked_array([pa.array(items, from_pandas=True)])
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        if not all(item is None or isinstance(item, SCALARS) for item in items):
            raise
        return pa.chunked_array([pa.array([None if _missing(item) else str(item) for item in items], pa.string())])


def _missing(item: Any) -> bool:
    return item is None or item != item


def _only_column(table: pa.ChunkedArray, name: str) -> tuple[pa.ChunkedArray, str]:
    """The column of a table that has one."""
    names = [field.name for field in table.type]
    if len(names) != 1:
        raise TypeError(f"it is a table of {len(names)} columns ({', '.join(names[:10])})")
    return pa.chunked_array([chunk.field(0) for chunk in table.chunks], table.type[0].type), name or names[0]
