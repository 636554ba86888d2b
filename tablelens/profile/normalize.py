"""When two cells count as the same value.

A cell's normalised value is made in this order:

1. Unicode NFKC with case folding (``Ａ`` → ``a``, ``Straße`` → ``strasse``);
2. white space at the ends dropped, inside folded to one space;
3. null words (``""``, ``n/a``, ``null``, ``-`` …, see ``NULL_WORDS``) dropped: they are no value. ``NA`` is one among
   codes of two letters, where it is Namibia or North America (``normalizer``);
4. plain decimal numbers in one form (``+1.50`` → ``1.5``, ``5.0`` → ``5``, ``-0`` → ``0``). Leading zeros stay, for
   ``01001`` is a code and not a number; thousands separators and exponents stay as written.

A value is then the 64-bit XXH3 hash of its UTF-8 bytes. Two of n values share a hash with probability n² / 2⁶⁵:
3e-6 for ten million values.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable

import numpy as np
import xxhash

from tablelens.types import Hashes

NULL_WORDS = frozenset(
    ["", "na", "n/a", "n.a.", "nan", "null", "none", "nil", "-", "--", "–", "—", ".", "#n/a", "?", r"\n"]
)
CODES = 20
"""Distinct codes of two letters from which on a column is one of codes …"""
CODES_SHARE = 0.9
"""… if they are at least this share of its distinct cells."""
_NUMBER = re.compile(r"([+-]?)(\d+)(?:\.(\d*))?|([+-]?)\.(\d+)", re.ASCII)
NUMBER_START = frozenset("0123456789+-.")
"""What a number can begin with, or end with."""


def normalize(cell: str) -> str | None:
    r"""The normalised value of one cell, or None where it holds none. Idempotent.

    >>> normalize("  New\tYork "), normalize("+1.50"), normalize("01001"), normalize("N/A")
    ('new york', '1.5', '01001', None)
    """
    value = spelled(cell)
    return None if value in NULL_WORDS else value


def spelled(cell: str) -> str:
    """A cell's normalised value, of a null word too: where NA is Namibia it is a value."""
    folded = cell.lower() if cell.isascii() else fold(cell)
    value = " ".join(folded.split())
    return _number(value) if value[:1] in NUMBER_START else value


def normalizer(cells: Collection[str]) -> Callable[[str], str | None]:
    """How the cells of one column are normalised, told from its distinct cells: among codes, NA is one of them.

    >>> codes = [first + second for first in "ABCDE" for second in "ABCDE"]
    >>> normalizer(codes)("NA"), normalizer(["DE", "FR"])("NA")
    ('na', None)
    """
    codes = sum(len(cell) == 2 and cell.isascii() and cell.isalpha() for cell in map(str.strip, cells))
    if codes < max(CODES, CODES_SHARE * len(cells)):
        return normalize
    return lambda cell: normalize(cell) or ("na" if spelled(cell) == "na" else None)


def hash_value(value: str) -> int:
    """The 64-bit hash of a normalised value; surrogates from broken names are kept apart, not refused."""
    return xxhash.xxh3_64_intdigest(value.encode("utf-8", "surrogatepass"))


def hash_cells(cells: Iterable[str]) -> Hashes:
    """The hash of each cell's value, in the order of the cells, shape (n,); of null words too, which no set holds."""
    return np.fromiter((hash_value(spelled(cell)) for cell in cells), np.uint64)


def hash_values(values: Iterable[str]) -> Hashes:
    """Sorted, distinct hashes of normalised values, shape (n,).

    >>> len(hash_values(["a", "b", "a"]))
    2
    """
    return np.unique(np.fromiter(map(hash_value, values), np.uint64))


def fold(cell: str) -> str:
    """Unicode's NFKC_Casefold, less its default-ignorable characters."""
    for _ in range(2):  # folding can undo composition, and composing can make a foldable character
        cell = unicodedata.normalize("NFKC", cell.casefold())
    return unicodedata.normalize("NFKC", cell.casefold())


def _number(value: str) -> str:
    match = _NUMBER.fullmatch(value)
    if match is None:
        return value
    sign = match[1] or match[4] or ""
    whole, fraction = match[2] or "0", (match[3] or match[5] or "").rstrip("0")
    plain = f"{whole}.{fraction}" if fraction else whole
    return f"-{plain}" if sign == "-" and plain.strip("0.") else plain
