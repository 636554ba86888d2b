"""Tables of any kind as Arrow, and what each column is: numerical, binary or categorical."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tablelens.errors import UnusableTable
from tablelens.profile.columns import profile_column
from tablelens.profile.normalize import normalize
from tablelens.settings import Settings

Kind = Literal["categorical", "numerical", "binary"]
KINDS: tuple[Kind, ...] = ("categorical", "numerical", "binary")
YES, NO = frozenset({"yes", "true", "t", "y", "1"}), frozenset({"no", "false", "f", "n", "0"})


def as_table(data: Any) -> pa.Table:
    """A pandas, polars or Arrow table, anything with ``__arrow_c_stream__``, a dict of columns, or a 2-d array.

    Columns without names are called x0, x1, …

    Raises:
        UnusableTable: it is no table, has no column, or two columns have one name.

    >>> as_table({"wine": ["red", None], "year": [1999, 2004]}).num_rows
    2
    """
    if hasattr(data, "toarray"):
        raise UnusableTable("Sparse data is not supported: a sparse matrix is no table", "give .toarray()")
    if isinstance(data, pa.Table):
        table = data
    elif isinstance(data, Mapping):
        table = pa.table({str(name): _array(values) for name, values in data.items()})
    elif hasattr(data, "columns") and hasattr(data, "iloc"):  # pandas: its object columns hold anything
        names = [f"x{name}" if isinstance(name, int | np.integer) else str(name) for name in data.columns]
        table = pa.table([_array(data.iloc[:, place].to_numpy()) for place in range(len(names))], names=names)
    elif hasattr(data, "__arrow_c_stream__"):
        table = pa.table(data)
    else:
        table = _from_array(data)
    twice = [name for name, count in Counter(table.column_names).items() if count > 1]
    if twice:
        raise UnusableTable(
            f"columns come twice: {', '.join(map(repr, twice[:5]))}", "give each column a name of its own"
        )
    if not table.num_columns:
        raise UnusableTable(
            f"0 feature(s) (shape=({table.num_rows}, 0)) while a minimum of 1 is required.",
            "give a table with at least one column",
        )
    return table


def _from_array(data: Any) -> pa.Table:
    cells = np.asarray(data)
    if cells.ndim != 2:
        raise UnusableTable(
            f"an array of {cells.ndim} dimensions is no table. Reshape your data",
            "give a DataFrame, an Arrow table or a 2-d array: rows by columns",
        )
    return pa.table({f"x{place}": _array(cells[:, place]) for place in range(cells.shape[1])})


def _array(values: Any) -> pa.Array:
    """Values as Arrow; of mixed types as their texts. NaN is null.

    Raises:
        UnusableTable: they are complex numbers or nested.
    """
    if np.iscomplexobj(values):
        raise UnusableTable("Complex data not supported: a column holds complex numbers", "split them into two columns")
    try:
        made = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        made = pa.array([None if _missing(value) else str(value) for value in values], pa.string())
    if isinstance(made, pa.ChunkedArray):
        made = made.combine_chunks()
    return made


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def kind_of(column: pa.ChunkedArray) -> Kind:
    """What a column is: two-valued yes/no columns are binary, numbers and times numerical, all else categorical.

    >>> kind_of(pa.chunked_array([["yes", "no", None]])), kind_of(pa.chunked_array([[1.5, 2.0]]))
    ('binary', 'numerical')
    """
    kind = column.type
    if pa.types.is_boolean(kind):
        return "binary"
    if pa.types.is_null(kind):
        return "categorical"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or _is_time(kind):
        found = numbers(column)
        known = found[np.isfinite(found)]
        return "binary" if len(known) and np.isin(known, (0, 1)).all() and not _is_time(kind) else "numerical"
    seen_texts = {text.strip().lower() for text in texts(pc.unique(column.slice(0, 1000))) if text is not None}
    if len(seen_texts) == 2 and seen_texts & YES and seen_texts & NO:
        return "binary"
    return "categorical"


def readable(column: pa.ChunkedArray, kind: Kind) -> bool:
    """Whether at least half of what a column of texts begins with can be read as of a kind; all but texts can.

    >>> readable(pa.chunked_array([["7", "8", "n.a."]]), "numerical"), readable(pa.chunked_array([["red"]]), "binary")
    (True, False)
    """
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return True
    begun = column.drop_null().slice(0, 1000)
    found = numbers(begun) if kind == "numerical" else bits(begun)
    return bool(np.isnan(found).sum() * 2 <= len(found))


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_temporal(kind))


def numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Values as float64, NaN where there is none; times as seconds since 1970, texts that are no number as NaN.

    >>> numbers(pa.chunked_array([["2", "x", None]])).tolist()
    [2.0, nan, nan]
    """
    kind = column.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        moments = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return np.asarray(pc.divide(moments.cast(pa.float64()), 1e6).to_numpy(), np.float64)
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        return np.asarray(column.cast(pa.int64(), safe=False).cast(pa.float64()).to_numpy(), np.float64)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        made = np.array(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)
        made[~np.isfinite(made)] = np.nan
        return made
    return np.array([_number(text) for text in texts(column)], np.float64)


def _number(text: str | None) -> float:
    try:
        value = float(text) if text is not None else np.nan
    except ValueError:
        return float("nan")
    return value if np.isfinite(value) else float("nan")


def bits(column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    """1 for yes, true and numbers but 0, 0 for no, false and 0, NaN where there is neither.

    >>> bits(pa.chunked_array([["yes", "No", "maybe"]])).tolist()
    [1.0, 0.0, nan]
    """
    if pa.types.is_boolean(column.type):
        return np.asarray(column.cast(pa.float32()).to_numpy(), np.float32)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        found = numbers(column)
        return np.where(np.isnan(found), np.nan, found != 0).astype(np.float32)
    words = [None if text is None else text.strip().lower() for text in texts(column)]
    return np.array([1 if word in YES else 0 if word in NO else np.nan for word in words], np.float32)


def texts(column: pa.ChunkedArray | pa.Array) -> list[str | None]:
    """Values as texts, None where there is none.

    >>> texts(pa.array([1.0, None, 2.5]))
    ['1', None, '2.5']
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column.to_pylist()  # type: ignore[no-any-return]
    return [None if _missing(value) else _text(value) for value in column.to_pylist()]


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def typed(table: pa.Table, settings: Settings) -> pa.Table:
    """Columns of numbers as float64, all else as texts without null words; a text format's numbers are numbers too.

    >>> typed(pa.table({"a": ["1", "2.5", "n/a"], "b": ["x", None, "-"]}), Settings()).to_pydict()
    {'a': [1.0, 2.5, None], 'b': ['x', None, None]}
    """
    return pa.table({name: _typed(name, table[name], settings) for name in table.column_names})


def _typed(name: str, column: pa.ChunkedArray, settings: Settings) -> pa.Array:
    kind = profile_column(column, settings, name=name).kind
    if kind in ("integer", "decimal") and not _leading_zero(column):
        found = numbers(column)
        return pa.array(found, mask=np.isnan(found))
    return pa.array([None if cell is None or normalize(cell) is None else cell for cell in texts(column)], pa.string())


def _leading_zero(column: pa.ChunkedArray) -> bool:
    """Whether whole numbers are written with a zero before them: then they are codes."""
    return any(cell and len(cell) > 1 and cell[0] == "0" and cell.isdigit() for cell in texts(column))
