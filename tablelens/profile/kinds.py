"""What a column holds, told from its distinct values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import pyarrow as pa

from tablelens.types import Kind

_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.ASCII)
_DATE = re.compile(
    r"\d{4}[-/.](0?[1-9]|1[0-2])[-/.](0?[1-9]|[12]\d|3[01])([t ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(z|[+-]\d{2}:?\d{2})?)?"
    r"|(0?[1-9]|[12]\d|3[01])[-/.](0?[1-9]|[12]\d|3[01])[-/.]\d{4}",
    re.ASCII,
)
_QUANTITY = re.compile(r"[\W_]*\d[\W\d_]*(?:[^\W\d_]{1,2})?[\W_]*")
_LETTER = re.compile(r"[^\W\d_]")
_CODE = re.compile(r"(?=.*\d)[\w./:#-]{1,40}")
_TRUTH = tuple(frozenset(pair.split()) for pair in ("true false", "yes no", "y n", "t f", "0 1", "on off"))

SHARE = 0.95
"""Share of the distinct values that must look like a kind; the rest may be notes and typing errors."""


def kind_of(type_: pa.DataType, values: Sequence[str], filled: int) -> Kind:
    """The semantic kind of a column.

    Args:
        type_: its physical type; a typed column is believed.
        values: distinct normalised values (a sample will do).
        filled: rows that hold a value.

    >>> kind_of(pa.string(), ["2024-01-01", "2024-02-03"], 2)
    'date'
    """
    if not values:
        return "empty"
    if pa.types.is_boolean(type_) or any(truth.issuperset(values) for truth in _TRUTH):
        return "boolean"
    if pa.types.is_temporal(type_):
        return "date"
    if pa.types.is_integer(type_):
        return "integer"
    for kind, pattern in (("integer", _INTEGER), ("decimal", _DECIMAL), ("date", _DATE)):
        if _share(pattern, values) >= SHARE:
            return kind  # type: ignore[return-value]
    return _text_kind(values, filled)


def count_texts(values: Sequence[str], distinct: int) -> int:
    """Distinct values that are text, of ``distinct`` in all, by a sample of them.

    >>> count_texts(["de", "6th", "€1.2m", "2011–2017", "a1"], 5)
    2
    """
    return round(sum(map(is_text, values)) * distinct / len(values)) if values else 0


def is_text(value: str) -> bool:
    """Whether a normalised value is text: it has a letter, and is neither a quantity nor a date.

    A quantity is digits and punctuation, with at most two letters of an ordinal or a unit behind them.
    """
    return bool(_LETTER.search(value)) and not _QUANTITY.fullmatch(value) and not _DATE.fullmatch(value)


def as_number(value: str) -> float | None:
    """The number that a normalised value is, or None."""
    return float(value) if _DECIMAL.fullmatch(value) else None


def as_day(value: str) -> int | None:
    """The day number (proleptic Gregorian ordinal) of a value that starts with an ISO date, or None."""
    try:
        return date.fromisoformat(value[:10].replace("/", "-").replace(".", "-")).toordinal()
    except ValueError:
        return None


def _share(pattern: re.Pattern[str], values: Sequence[str]) -> float:
    return sum(pattern.fullmatch(value) is not None for value in values) / len(values)


def _text_kind(values: Sequence[str], filled: int) -> Kind:
    if len(values) >= 0.99 * filled and _share(_CODE, values) >= SHARE:
        return "identifier"
    if len(values) <= 50 and filled >= 10 * len(values):
        return "categorical"
    return "text"
