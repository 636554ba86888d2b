"""Text of the lake on its way to an agent: cleaned, cut, and between marks that it cannot forge."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

OPEN, CLOSE = "<lake-data>", "</lake-data>"
CELL, WHOLE = 200, 20_000
"""Characters of one text of the lake, and of a whole answer."""


def clean(text: str) -> str:
    r"""Text without control, bidirectional and zero-width characters, cut.

    >>> clean("a\x1b[31m\u202eb\u200b")
    'a[31mb'
    """
    kept = "".join(" " if c in "\t\n\r" else c for c in text if c in "\t\n\r" or unicodedata.category(c)[0] != "C")
    return kept if len(kept) <= CELL else kept[: CELL - 1] + "…"


def fenced(found: Any) -> str:
    """An answer as JSON between marks, at most so long; a ``<`` in it is escaped, so that it cannot end the marks."""
    body = _cleaned(found)
    text = _dumped(body)
    while len(text) > WHOLE and (longest := _longest(body)):
        del longest[max(len(longest) // 2, 1) - 1 :]
        text = _dumped({"cut": "lists were cut, ask for less", "found": body})
    return f"{OPEN}\n{text[:WHOLE]}\n{CLOSE}"


def _dumped(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _cleaned(found: Any) -> Any:
    if isinstance(found, str):
        return clean(found)
    if isinstance(found, dict):
        return {clean(str(name)): _cleaned(value) for name, value in found.items()}
    if isinstance(found, list | tuple):
        return [_cleaned(value) for value in found]
    return found


def _longest(found: Any) -> list[Any] | None:
    """The list with most items, however deep."""
    lists: list[list[Any]] = []
    waiting = [found]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            lists.append(each)
            waiting += each
        elif isinstance(each, dict):
            waiting += each.values()
    return max(lists, key=len, default=None) if any(lists) else None
