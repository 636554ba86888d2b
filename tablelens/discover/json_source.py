"""A FROM clause for each way in which JSON holds a table; every column comes as the text that the crawl saw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tablelens.discover.sql import call, identifier, literal, struct
from tablelens.types import Reading

DEFAULT_OBJECT = 16 << 20
"""Bytes of one JSON value above which DuckDB has to be told."""


def json_clause(path: str, kind: str, reading: Reading, names: Sequence[str]) -> str:
    """What reads a table in a JSON file; ``kind`` is json or ndjson.

    >>> json_clause("x.json", "json", Reading(shape="records"), ["a"])
    "read_json('x.json', format = 'array', columns = {'a': 'VARCHAR'})"
    """
    return getattr(_Json(path, kind, reading, names), f"of_{reading.shape}")()  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class _Json:
    path: str
    kind: str
    reading: Reading
    names: Sequence[str]

    def of_records(self) -> str:
        if not self.reading.place:
            return self._typed("array", "VARCHAR")
        members = ", ".join(f"{identifier(name)} VARCHAR" for name in self.names)
        held = struct({self.reading.place: literal(f"STRUCT({members})[]")})
        read = self._call("read_json", "unstructured", columns=held)
        return f"(SELECT unnest(r) FROM (SELECT unnest({identifier(self.reading.place)}) AS r FROM {read}))"

    def of_lines(self) -> str:
        return self._typed("newline_delimited", "VARCHAR")

    def of_object(self) -> str:
        return self._typed("unstructured", "VARCHAR")

    def of_columns(self) -> str:
        cells = ", ".join(f"unnest({identifier(name)}) AS {identifier(name)}" for name in self.names)
        return f"(SELECT {cells} FROM {self._typed('unstructured', 'VARCHAR[]')})"

    def of_lists(self) -> str:
        cells = ", ".join(f"json->>{place} AS {identifier(name)}" for place, name in enumerate(self.names))
        return f"(SELECT {cells} FROM {self._items()}{' OFFSET 1' if self.reading.header else ''})"

    def of_values(self) -> str:
        return f"(SELECT json->>'$' AS {identifier(self.names[0])} FROM {self._items()})"

    def of_entries(self) -> str:
        key, *others = self.names
        members = literal(json.dumps(dict.fromkeys(others, "VARCHAR"), ensure_ascii=False))
        entries = f"{self._call('read_json_objects', 'unstructured')} AS f, json_each(f.json) AS e"
        return f"(SELECT e.key AS {identifier(key)}, unnest(from_json(e.value, {members})) FROM {entries})"

    def _typed(self, shape: str, kind: str) -> str:
        columns = struct({name: literal(kind) for name in self.names})
        return self._call("read_json", shape, columns=columns)

    def _items(self) -> str:
        return self._call("read_json_objects", "newline_delimited" if self.kind == "ndjson" else "array")

    def _call(self, function: str, shape: str, **options: str) -> str:
        large = self.reading.longest
        size = {"maximum_object_size": str(large + 1)} if large > DEFAULT_OBJECT else {}
        return call(function, self.path, {"format": literal(shape), **options, **size})
