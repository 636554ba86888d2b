r"""Writes unicode_tables.h: what text.c needs of Unicode, from the Python that also normalises the lake's cells.

- ``FOLDS``: the characters that compatibility case folding (NFKC_Casefold) changes, and what they become, decomposed;
- ``CLASSES``: canonical combining classes; ``PAIRS``: canonical compositions;
- ``WORDS``, ``DECIMALS``, ``SPACES``: ranges of what regular expressions know as ``\w``, ``\d`` and white space.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

LAST = sys.maxunicode + 1
SURROGATES = range(0xD800, 0xE000)
HANGUL = range(0xAC00, 0xAC00 + 11172)


def characters() -> Iterator[tuple[int, str]]:
    """All code points that text may hold; Hangul syllables are composed by rule."""
    return ((code, chr(code)) for code in range(LAST) if code not in SURROGATES and code not in HANGUL)


def folded(letter: str) -> str:
    """A character folded and decomposed, until nothing changes."""
    before, after = "", letter
    while before != after:
        before, after = after, unicodedata.normalize("NFKD", after.casefold())
    return after


def ranges(holds: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    """(first, last) of each run of characters of a kind."""
    start = None
    for code in range(LAST + 1):
        inside = code < LAST and code not in SURROGATES and holds(chr(code))
        if inside and start is None:
            start = code
        elif not inside and start is not None:
            yield start, code - 1
            start = None


def pairs() -> Iterator[tuple[int, int, int]]:
    """(first, second, composed) of each canonical composition, in order."""
    found = []
    for code, letter in characters():
        parts = unicodedata.decomposition(letter)
        if parts and "<" not in parts and unicodedata.normalize("NFC", letter) == letter and " " in parts:
            first, second = (int(part, 16) for part in parts.split())
            found.append((first, second, code))
    yield from sorted(found)


def table(name: str, kind: str, rows: Iterable[Iterable[int]]) -> str:
    """A C array of structs."""
    body = ",".join("{" + ",".join(map(str, row)) + "}" for row in rows)
    return f"static const {kind} {name}[] = {{{body}}};\n"


def write(path: Path) -> None:
    """Write the header."""
    pool: list[int] = []
    folds = []
    for code, letter in characters():
        made = folded(letter)
        if made != letter:
            folds.append((code, len(pool), len(made)))
            pool += map(ord, made)
    classes = [(code, unicodedata.combining(letter)) for code, letter in characters() if unicodedata.combining(letter)]
    text = f"/* Written by unicode.py from Unicode {unicodedata.unidata_version}. */\n#include <stdint.h>\n"
    text += "typedef struct { uint32_t code, at, length; } Fold;\ntypedef struct { uint32_t code, value; } Class;\n"
    text += (
        "typedef struct { uint32_t first, second, composed; } Pair;\ntypedef struct { uint32_t first, last; } Range;\n"
    )
    text += f"static const uint32_t POOL[] = {{{','.join(map(str, pool))}}};\n"
    text += table("FOLDS", "Fold", folds) + table("CLASSES", "Class", classes) + table("PAIRS", "Pair", pairs())
    text += table("WORDS", "Range", ranges(lambda letter: letter.isalnum() or letter == "_"))
    text += table("DECIMALS", "Range", ranges(str.isdecimal)) + table("SPACES", "Range", ranges(str.isspace))
    path.write_text(text, encoding="ascii")
