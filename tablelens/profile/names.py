"""Names of columns, taken apart and compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

_PART = re.compile(r"A+(?!a)|A?a+|0+")
_ASCII_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_IDENTIFIERS = frozenset("code codes fips gss id ids iso key nr no num number pk uid uuid zip".split())  # noqa: SIM905


def parts_of(text: str) -> list[str]:
    """The words and numbers of a name in camelCase, snake_case or plain text, case folded.

    >>> parts_of("customerId_2"), parts_of("Zürich ÉTAT")
    (['customer', 'id', '2'], ['zürich', 'état'])
    """
    if text.isascii():
        return [part.lower() for part in _ASCII_PART.findall(text)]
    text = unicodedata.normalize("NFC", text)
    shape = "".join(map(_letter, text))
    return [text[found.start() : found.end()].casefold() for found in _PART.finditer(shape)]


def _letter(character: str) -> str:
    """A capital letter as A, another letter or a mark on one as a, a digit as 0."""
    if character.isupper():
        return "A"
    if character.isalpha() or unicodedata.category(character)[0] == "M":
        return "a"
    return "0" if character.isnumeric() else " "


@lru_cache(maxsize=100_000)
def name_similarity(left: str, right: str) -> float:
    """Jaccard of the words of two column names, 1 where they are the same.

    >>> name_similarity("customer_id", "customerId")
    1.0
    """
    a, b = words(left), words(right)
    return len(a & b) / len(a | b) if a | b else 0.0


def name_similarities(name: str, others: Iterable[str]) -> npt.NDArray[np.float64]:
    """``name_similarity`` with each of other names, (n,)."""
    return np.array([name_similarity(name, other) for other in others], np.float64)


@lru_cache(maxsize=100_000)
def words(name: str) -> frozenset[str]:
    """The words of a name in camelCase, snake_case or plain text, case folded."""
    return frozenset(parts_of(name))


def says_identifier(name: str) -> bool:
    """Whether a name says that a column of numbers tells things apart instead of measuring them.

    >>> says_identifier("atomic_number"), says_identifier("populationTotal")
    (True, False)
    """
    return not _IDENTIFIERS.isdisjoint(parts_of(name))
