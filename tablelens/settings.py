"""One table of knobs. Each has a default, a line of help and a variable ``TABLELENS_<NAME>``.

Precedence: an argument, then the environment, then a ``tablelens.toml`` or ``[tool.tablelens]`` of a ``pyproject.toml``
beside the home, then what the last crawl was given (``remember``), then the default. Nothing is read at import.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tablelens.errors import SettingError

HOME_NAME = ".tablelens"
MEMORY = "remembered.toml"
"""In a home: what its last crawl was given and no file says."""
REMEMBERED = (
    *("encoder", "template", "stat_unit", "header", "max_file_mb", "max_unpacked_ratio", "max_columns", "max_rows"),
    *("max_cell_mb", "exact_values", "sketch_values", "cells", "encode_most"),
)
"""Settings of which a home has one value: what its columns and vectors were made with."""
CHOICES = {
    "mcp_sql": ("off", "read"),
    "header": ("first", "auto"),
    "stat_unit": ("characters", "words"),
    "template": (
        *("col", "colname-col", "colname-col-context", "colname-stat-col"),
        *("title-colname-col", "title-colname-col-context", "title-colname-stat-col"),
    ),
}


def knob(
    default: Any,
    help: str,  # noqa: A002 - the field's own word
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """A setting: its default, what it does, and the least and the greatest value it may have."""
    return field(default=default, metadata={"help": help, "minimum": minimum, "maximum": maximum})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. ``Settings.load(home)`` reads files and environment; ``origin`` says where each came from.

    >>> Settings(workers=1).workers
    1
    """

    workers: int = knob(0, "worker processes that read files; 0 takes one a core", 0)
    read_seconds: float = knob(120.0, "time limit for reading and profiling one file", 0.1)
    worker_memory_mb: int = knob(4096, "memory limit of one worker process", 256)
    header: str = knob("first", "CSV: the first row is the header (first), or only where it looks like one (auto)")
    max_file_mb: int = knob(2048, "a larger text file is read up to here and marked as truncated", 1)
    max_unpacked_ratio: int = knob(
        200, "a compressed file that unpacks to more than this many times its size is refused", 2
    )
    max_columns: int = knob(4096, "columns of one table beyond this number are left out", 1)
    max_rows: int = knob(20_000_000, "rows of one table beyond this number are left out", 1)
    max_cell_mb: int = knob(16, "a file with a larger cell is refused", 1)
    exact_values: int = knob(1_000_000, "value sets are exact up to this many distinct values, a sketch beyond", 1)
    sketch_values: int = knob(65_536, "hashes that a sketch keeps", 64)
    cells: int = knob(256, "distinct cells of a column that the catalogue keeps as written", 8)
    encoder: str = knob(
        "deepjoin-static", "column encoder: a registered name, or a sentence-transformers model name or folder"
    )
    encode_most: int = knob(
        0, "columns that one crawl encodes anew; the others keep their vectors, mapped to a new encoder; 0 for all", 0
    )
    template: str = knob("title-colname-stat-col", "DeepJoin template that turns a column into text")
    stat_unit: str = knob("characters", "what the statistics of a template count: characters or words")
    exact_search_below: int = knob(20_000, "with fewer vectors than this the search is exact, without a graph", 0)
    graph_search_below: int = knob(
        200_000, "with fewer vectors than this an HNSW graph holds all of them, else an inverted file of bytes", 0
    )
    hnsw_m: int = knob(16, "links a node of the HNSW graph", 2)
    hnsw_ef_construction: int = knob(100, "candidates that HNSW weighs while building", 8)
    hnsw_ef: int = knob(800, "candidates that HNSW weighs in a search", 8)
    ivf_probes: int = knob(192, "lists of the inverted file that are weighed in a search", 1)
    candidates: int = knob(200, "columns that the vector arm proposes to verification", 1)
    min_distinct: int = knob(
        5, "a column with fewer distinct values is no candidate, as in DeepJoin (unless it is a key)", 1
    )
    threshold: float = knob(0.6, "hits of mode auto with a lower probability are not shown", 0.0, 1.0)
    keep_generations: int = knob(2, "index generations that gc keeps", 1)
    max_k: int = knob(1000, "serve: hits, tables or paths that one request may ask for", 1)
    max_rows_shown: int = knob(1000, "serve: rows that an answer in JSON may hold", 1)
    max_rows_sent: int = knob(100_000, "serve: rows that an answer in CSV or Arrow may hold", 1)
    max_cell_chars: int = knob(2000, "serve: a longer cell is cut in answers", 16)
    max_body_mb: int = knob(10, "serve: a larger request is refused", 1)
    max_upload_mb: int = knob(100, "serve: a larger uploaded file is refused", 1)
    max_jobs: int = knob(8, "serve: crawls that may run or wait; one runs at a time", 1)
    max_waiting: int = knob(256, "serve: requests that may wait for a thread; more are told to come again", 1)
    query_threads: int = knob(0, "serve: searches at the same time; 0 takes two a core", 0)
    query_seconds: float = knob(20.0, "serve: time limit of one request", 0.1)
    query_memory_mb: int = knob(1024, "serve: memory limit of DuckDB in one join that is run", 64)
    rate_per_minute: int = knob(6000, "serve: requests a minute of one key, or address without one; 0 for no limit", 0)
    mcp_sql: str = knob("off", "serve: whether agents may run a SELECT of their own (read), or not (off)")
    drain_seconds: float = knob(10.0, "serve: how long requests may still run after SIGTERM", 0.0)

    @classmethod
    def load(cls, home: Path | None = None, environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
        """Read files, environment and arguments, in rising precedence.

        Raises:
            SettingError: an unknown name, or a value of the wrong kind or below the least.
        """
        return cls.resolve(home, environ, given)[0]

    @classmethod
    def resolve(
        cls, home: Path | None, environ: Mapping[str, str] | None, given: Mapping[str, Any]
    ) -> tuple[Settings, dict[str, str]]:
        """The settings, and for each one where its value came from."""
        values: dict[str, Any] = {}
        origin = {f.name: "default" for f in fields(cls)}
        for source, layer in _layers(home, os.environ if environ is None else environ, given):
            for name, value in layer.items():
                values[name] = _checked(name, value, source)
                origin[name] = source
        return replace(cls(), **values), origin

    def remember(self, home: Path) -> None:
        """Let later calls in this home go by the same ``REMEMBERED`` settings, where no file says otherwise."""
        (home / MEMORY).unlink(missing_ok=True)
        told = Settings.load(home, {})
        kept = {name: getattr(self, name) for name in REMEMBERED if getattr(self, name) != getattr(told, name)}
        if kept:
            lines = [f"{name} = {json.dumps(value)}" for name, value in kept.items()]
            (home / MEMORY).write_text("\n".join(["# written by tablelens crawl", *lines, ""]), encoding="utf-8")

    @classmethod
    def describe(cls) -> list[tuple[str, Any, str]]:
        """(name, default, help) of each setting, for help texts and the reference page."""
        return [(f.name, f.default, f.metadata["help"]) for f in fields(cls)]


def find_home(given: str | None = None, start: Path | None = None) -> Path:
    """The project folder: the one given, else $TABLELENS_HOME, else the nearest ``.tablelens`` upward.

    Where none exists yet the answer is ``.tablelens`` in ``start`` (default: the working folder).
    """
    named = given or os.environ.get("TABLELENS_HOME")
    if named:
        return Path(named).expanduser().absolute()
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / HOME_NAME).is_dir():
            return folder / HOME_NAME
    return here / HOME_NAME


def _layers(
    home: Path | None, environ: Mapping[str, str], given: Mapping[str, Any]
) -> list[tuple[str, Mapping[str, Any]]]:
    """(source, values) in rising precedence; an argument of None counts as not given."""
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if home is not None:
        for path, keys in (
            (home / MEMORY, ()),
            (home.parent / "pyproject.toml", ("tool", "tablelens")),
            (home.parent / "tablelens.toml", ()),
        ):
            layers.append((str(path), _read_toml(path, keys)))
    prefix = "TABLELENS_"
    known = {f.name for f in fields(Settings)}
    env = {name[len(prefix) :].lower(): value for name, value in environ.items() if name.startswith(prefix)}
    layers += [(f"${prefix}{name.upper()}", {name: value}) for name, value in env.items() if name in known]
    layers.append(("argument", {name: value for name, value in given.items() if value is not None}))
    return layers


def _read_toml(path: Path, keys: tuple[str, ...]) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        found: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingError(f"cannot read settings from {path}: {error}", "mend or remove the file") from error
    for key in keys:
        found = found.get(key, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}


def _checked(name: str, value: Any, source: str) -> Any:
    known = {f.name: f for f in fields(Settings)}
    if name not in known:
        raise SettingError(f"unknown setting {name!r} in {source}", f"known settings: {', '.join(known)}")
    kind: Any = type(known[name].default)
    try:
        if isinstance(value, bool) or (kind is int and isinstance(value, float) and value != int(value)):
            raise ValueError(value)
        made = kind(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise SettingError(f"setting {name!r} from {source} is {value!r}, not {kind.__name__}") from error
    choices = CHOICES.get(name)
    if choices and made not in choices:
        raise SettingError(
            f"setting {name!r} from {source} is {made!r}", f"it may be {', '.join(choices[:-1])} or {choices[-1]}"
        )
    minimum, maximum = known[name].metadata["minimum"], known[name].metadata["maximum"]
    if minimum is not None and not made >= minimum:
        raise SettingError(f"setting {name!r} from {source} is {made!r}; the least it may be is {minimum}")
    if maximum is not None and not made <= maximum:
        raise SettingError(f"setting {name!r} from {source} is {made!r}; the most it may be is {maximum}")
    return made
