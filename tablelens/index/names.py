"""The names of tables and columns, as plain arrays: for readers of a generation that speak no Arrow.

The DuckDB extension maps them, so that SQL looks a reference up and gets the names of hits without a scan. .npy 1.0,
little-endian, C order; c columns, n distinct names, m names that tables answer to:

    texts.npy        uint8[…]      distinct names of lakes, then those of tables, then those of columns, as UTF-8
    text_starts.npy  int64[n + 1]  where each begins
    named.npy        uint32[c, 3]  lake, table and name of each column, as places among the texts
    table_keys.npy   uint64[m]     XXH3 of every name that some table answers to, ascending
    table_at.npy     uint32[m]     the first column of that table; its columns lie together
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from tablelens.crawl.walk import PACKED, TEXT, WHOLE
from tablelens.profile.normalize import hash_value

NEEDED = frozenset(("lake", "table", "part", "column", "table_id"))
SUFFIXES = frozenset((*TEXT, *WHOLE, *PACKED))


def save_names(folder: Path, columns: pa.Table) -> None:
    """Write the names of a generation's columns; nothing where they do not tell all of them."""
    if not set(columns.column_names) >= NEEDED:
        return
    texts: list[str] = []
    places = []
    for name in ("lake", "table", "column"):
        coded = columns[name].combine_chunks().dictionary_encode()
        places.append(coded.indices.to_numpy().astype(np.int64) + len(texts))
        texts += coded.dictionary.to_pylist()
    written = [text.encode("utf-8", "surrogatepass") for text in texts]
    starts = np.cumsum([0, *map(len, written)], dtype=np.int64)
    firsts = np.flatnonzero(np.diff(columns["table_id"].to_numpy(), prepend=-1))
    tables = columns.select(["lake", "table", "part"]).take(pa.array(firsts)).to_pylist()
    answered = [
        (hash_value(name), first)
        for row, first in zip(tables, firsts.tolist(), strict=True)
        for name, _ in names_of_table(row["lake"], row["table"], row["part"])
    ]
    answered.sort()
    made = {
        "texts": np.frombuffer(b"".join(written), np.uint8),
        "text_starts": starts,
        "named": np.column_stack(places).astype(np.uint32),
        "table_keys": np.array([key for key, _ in answered], np.uint64),
        "table_at": np.array([first for _, first in answered], np.uint32),
    }
    for name, array in made.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)


def bare_name(table: str, part: str = "") -> str:
    """A table's name without the suffixes of its file; ``part`` is what follows the # of its name.

    >>> bare_name("world/cities.csv.gz"), bare_name("book.xlsx#Sheet 1", "Sheet 1"), bare_name("no#1.csv")
    ('world/cities', 'book#Sheet 1', 'no#1')
    """
    tail = f"#{part}" if part else ""
    path = table.removesuffix(tail)
    while (dot := path.rfind(".")) > path.rfind("/") + 1 and path[dot:].lower() in SUFFIXES:
        path = path[:dot]
    return path + tail


def names_of_table(lake: str, table: str, part: str = "") -> set[tuple[str, bool]]:
    """The names that a table answers to, and whether each is a whole one.

    >>> sorted(names_of_table("shop", "orders.csv"))
    [('orders', False), ('orders.csv', True), ('shop:orders', False), ('shop:orders.csv', True)]
    """
    return {(prefix + name, name == table) for name in (table, bare_name(table, part)) for prefix in ("", f"{lake}:")}
