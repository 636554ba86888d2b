"""Tables of real files: of the sample lake that comes with tablelens, or of any crawled lake."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from importlib.resources import as_file, files
from pathlib import Path

from tablelens.catalog.rows import table_name
from tablelens.crawl.readers import read_file
from tablelens.crawl.walk import walk
from tablelens.errors import TablelensError, UnknownLake, UnreadableFile
from tablelens.index import generation
from tablelens.profile.columns import as_strings, title_of
from tablelens.settings import Settings
from tablelens.types import RawTable

from ..tables import Table
from .dataset import Dataset, Place, count_reasons, fitted, named_alike


def from_sample_lake(rows: int, limit: int = 0) -> Dataset:
    """The tables of the sample lake, spread over their rows; column types are the domains of its ``truth.json``."""
    with as_file(files("tablelens.sample_lake")) as root:
        truth = json.loads((root / "truth.json").read_text(encoding="utf-8"))
        places = [(file.path, file.absolute) for file in walk(root)]
        step = max(len(places) // limit, 1) if limit else 1  # some of each topic
        tables, skipped = _read(places[::step], rows, limit)
    kept = {(table.name, name): place for table in tables for place, name in enumerate(table.header)}
    types: dict[Place, str] = {}
    for domain in truth["domains"]:
        for column in [domain["reference"], *domain["columns"]]:
            if (place := kept.get((column["table"], column["column"]))) is not None:
                types[column["table"], place] = domain["domain"]
    licence = "each table its own, see LICENSES.md of the sample lake"
    return Dataset("sample lake", tuple(tables), licence, types, "domains of truth.json", skipped)


def from_lake(home: Path, name: str | None, rows: int, limit: int, seed: int) -> Dataset:
    """At most ``limit`` tables of a crawled lake, drawn by seed; column types are by equal names.

    Raises:
        NoLake: nothing was crawled here.
        UnknownLake: no lake of that name.
    """
    made = generation.load(home)
    if name and name not in made.roots:
        raise UnknownLake.among("lake", name, made.roots)
    found = made.columns.select(["lake", "table", "part"]).group_by(["lake", "table", "part"]).aggregate([]).to_pylist()
    paths = {
        (row["lake"], row["table"].removesuffix(f"#{row['part']}") if row["part"] else row["table"])
        for row in found
        if name in (None, row["lake"])
    }
    roots = {lake: Path(root) for lake, root in made.roots.items()}
    places = sorted((path, str(roots[lake] if roots[lake].is_file() else roots[lake] / path)) for lake, path in paths)
    random.Random(seed).shuffle(places)  # noqa: S311 - a sample, no secret
    tables, skipped = _read(places, rows, limit)
    label = "text columns of the same name"
    return Dataset(f"lake {name or 'all'}", tuple(tables), "that of the lake", named_alike(tables), label, skipped)


def _read(places: Iterable[tuple[str, str]], rows: int, limit: int) -> tuple[list[Table], dict[str, int]]:
    """(tables, skips by reason); a file that cannot be read is counted."""
    tables: list[Table] = []
    reasons: list[str] = []
    for path, absolute in places:
        if limit and len(tables) >= limit:
            break
        try:
            raw = list(_tables(path, absolute))
        except UnreadableFile as error:
            reasons.append(f"unreadable: {error.reason}")
            continue
        except TablelensError as error:
            reasons.append(f"unreadable: {error.code}")
            continue
        for name, table in raw:
            made = fitted(_table(name, path, table, rows), rows)
            if made is None:
                reasons.append("empty-table")
            else:
                tables.append(made)
    return tables, count_reasons(reasons)


def _tables(path: str, absolute: str) -> Iterator[tuple[str, RawTable]]:
    if not Path(absolute).is_file():
        raise UnreadableFile(f"{path} is gone", reason="vanished")
    (file,) = walk(Path(absolute))
    for table in read_file(file, Settings()):
        yield table_name(path, table.part), table


def _table(name: str, path: str, raw: RawTable, rows: int) -> Table:
    """Rows spread evenly over the file, for the first ones of a sorted file are all alike."""
    step = max(raw.data.num_rows // max(rows, 1), 1)
    spread = raw.data.take(list(range(0, raw.data.num_rows, step))[:rows])
    columns = tuple(tuple(cell or "" for cell in as_strings(column).to_pylist()) for column in spread.columns)
    return Table(name, tuple(raw.names), columns, title_of(path, raw.part))
