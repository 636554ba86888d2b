"""Column names: as the file has them, and made unique for the table."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 255
"""Characters of a name in the table; the original keeps them all."""


def unique_names(originals: Iterable[str]) -> list[str]:
    """Names that differ from each other, of readable length, none empty, without NUL, which no SQL can hold.

    >>> unique_names(["id", "", "id", "id_2"])
    ['id', 'column_2', 'id_3', 'id_2']
    """
    given = [name.replace("\0", "")[:LONGEST] if name.strip("\0 \t\r\n") else "" for name in originals]
    reserved = set(given)
    taken: set[str] = set()
    last: dict[str, int] = {}
    names = []
    for position, name in enumerate(given, 1):
        base = name or f"column_{position}"
        choice = base
        # A number that another column has as its own name is left to that column.
        while choice in taken or (choice != name and choice in reserved):
            last[base] = last.get(base, 1) + 1
            choice = f"{base}_{last[base]}"
        taken.add(choice)
        names.append(choice)
    return names
