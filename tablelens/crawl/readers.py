"""One file to its tables: open it safely, see what it is, and let that format's reader have it."""

from __future__ import annotations

import os
import zlib
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from tablelens.crawl.delimited import read_delimited
from tablelens.crawl.jsonlines import read_json, read_json_lines
from tablelens.crawl.opening import opened
from tablelens.crawl.parquet import read_parquet
from tablelens.crawl.unpack import SUFFIX, Content, packing, read_packed, read_plain
from tablelens.crawl.walk import BOOKS, PARQUETS, walk
from tablelens.crawl.workbook import read_workbook
from tablelens.errors import UnreadableFile, UsageError
from tablelens.settings import Settings
from tablelens.types import FoundFile, RawTable

PARQUET, ZIP, OLE = b"PAR1", b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_JSON, _LINES = (".json",), (".ndjson", ".jsonl")


def read_file(file: FoundFile, settings: Settings) -> list[RawTable]:
    """Read all tables of a file. What the file is, its first bytes say before its name does.

    Raises:
        UnreadableFile: with a reason of one stable word: empty, binary, encoding, dialect, truncated, damaged,
            too-large, bomb, memory, depth, no-table, unsupported, permission, symlink, special, vanished, changed,
            unreadable.
    """
    try:
        with opened(file) as handle:
            if file.size == 0:
                raise UnreadableFile("the file is empty", reason="empty")
            return _read(handle, file, settings)
    except UnreadableFile:
        raise
    except MemoryError as error:
        raise UnreadableFile("reading needs more memory than allowed", "raise worker_memory_mb", "memory") from error
    except (OSError, pa.ArrowException, ValueError, OverflowError, RecursionError, zlib.error) as error:
        raise UnreadableFile(f"cannot read {file.path!r}: {error}", reason="damaged") from error


def read_part(path: Path, part: str, settings: Settings) -> RawTable:
    """One table of a file given by name; the caller's own symbolic links are followed. ``part`` chooses a sheet.

    Raises:
        UnreadableFile: it is not a file of a known kind, or cannot be read.
        UsageError: it has no such part.
    """
    files = list(walk(path.expanduser().resolve()))
    if len(files) != 1:
        raise UnreadableFile(f"{path} is not one table file", "name a CSV, Parquet, JSON or Excel file", "unsupported")
    tables = {table.part: table for table in read_file(files[0], settings)}
    if part and part not in tables:
        raise UsageError(f"{path} has no part {part!r}", f"parts: {', '.join(tables)}")
    return tables[part] if part else next(iter(tables.values()))


def _read(handle: BinaryIO, file: FoundFile, settings: Settings) -> list[RawTable]:
    head = handle.read(8)
    name = file.path.lower()
    codec = packing(head)
    if not codec:
        return _read_plain(handle, head, name, file, settings)
    if name.endswith((*BOOKS, *PARQUETS)):
        raise UnreadableFile(f"a {codec} archive under another format's name", reason="unsupported")
    limit = settings.max_file_mb << 20
    content = read_packed(handle, codec, limit, file.size, settings.max_unpacked_ratio)
    inner = name.removesuffix(next((s for s in SUFFIX if name.endswith(s)), ""))
    tables = _read_text(content, inner, settings)
    return [replace(table, reading=replace(table.reading, packing=codec)) for table in tables]


def _read_plain(handle: BinaryIO, head: bytes, name: str, file: FoundFile, settings: Settings) -> list[RawTable]:
    if head.startswith(PARQUET) or name.endswith(PARQUETS):
        return [read_parquet(handle, file.size, settings)]
    if head.startswith(ZIP) or (head.startswith(OLE) and name.endswith(BOOKS)):
        return read_workbook(handle, file.size, settings)
    if name.endswith(BOOKS):
        raise UnreadableFile("not a workbook", reason="damaged")
    if packing(b"", name):
        raise UnreadableFile(f"not a {packing(b'', name)} archive", reason="damaged")
    return _read_text(read_plain(handle, settings.max_file_mb << 20), name, settings)


def _read_text(content: Content, name: str, settings: Settings) -> list[RawTable]:
    data = content.data
    if not data:
        raise UnreadableFile("the file is empty", reason="empty")
    if packing(data[:8]) or data.startswith((PARQUET, ZIP, OLE)):
        raise UnreadableFile("an archive within an archive", reason="unsupported")
    if name.endswith(_LINES):
        return read_json_lines(content, settings)
    if name.endswith(_JSON):
        return read_json(content, settings)
    return [read_delimited(content, os.path.basename(name), settings)]
