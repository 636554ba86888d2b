"""Find the files of a lake: in a fixed order, without following links, whatever the names are."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from tablelens.errors import NotFound, UsageError
from tablelens.types import FoundFile

PACKED = (".gz", ".zst", ".bz2")
TEXT = (".csv", ".tsv", ".tab", ".psv", ".json", ".ndjson", ".jsonl")
PARQUETS = (".parquet", ".pq")
BOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
WHOLE = (*PARQUETS, *BOOKS)
SUFFIXES = (*TEXT, *WHOLE, *(text + packed for text in TEXT for packed in PACKED))
"""Endings of the files that hold tables; other files are none of ours."""
OTHER_TABLES = (
    *(".feather", ".arrow", ".ipc", ".orc", ".avro", ".sas7bdat", ".sav", ".dta", ".rds", ".rdata", ".h5", ".mdb"),
    *(".sqlite", ".sqlite3", ".db", ".duckdb", ".zip", ".7z", ".tar", ".tgz", ".rar"),
)
"""Endings of files that may well hold tables and are not read."""

IGNORE_FILE = ".tablelensignore"
"""A file in a lake's root with one pattern a line (* ? []), against paths below the root; # starts a remark."""

Ignored = Callable[[str, str], None]


def walk(root: Path, ignored: Ignored | None = None) -> Iterator[FoundFile]:
    """Yield the table files below ``root``, or ``root`` itself where it is a file.

    Folders are read one at a time and in sorted order. Hidden entries (so ``.tablelens`` too), files with other
    endings and paths that match a line of ``.tablelensignore`` are passed over silently. ``ignored(path, reason)``
    hears of what was left out for a reason that a person may want to know: symlink, special (FIFO, socket, device),
    format (one of ``OTHER_TABLES``), permission, name-not-utf8, vanished, unreadable.

    Raises:
        NotFound: ``root`` does not exist.
        UsageError: the path of ``root`` is not UTF-8.
    """
    tell = ignored or _nobody
    top, info = root_of(root)
    if stat.S_ISDIR(info.st_mode):
        patterns = _ignore_patterns(top)
        yield from (file for file in _below(top, tell) if not any(fnmatchcase(file.path, p) for p in patterns))
    else:
        yield FoundFile(os.path.basename(top), top, info.st_size, info.st_mtime_ns)


def root_of(root: Path) -> tuple[str, os.stat_result]:
    """The real path of a lake's root, and what it is: a folder or one file.

    Raises:
        NotFound: it does not exist, or is neither.
        UsageError: its path is not UTF-8.
    """
    top = os.path.realpath(root)
    try:
        info = os.stat(top)
    except (OSError, ValueError) as error:
        raise NotFound(f"no such lake: {str(root)!r}", "give an existing folder, or one file") from error
    if _why_not(top, info) == "name-not-utf8":
        raise UsageError(f"the path of the lake is not UTF-8: {printable(top)}", "rename the folder")
    if not (stat.S_ISDIR(info.st_mode) or stat.S_ISREG(info.st_mode)):
        raise NotFound(f"not a folder and not a regular file: {str(root)!r}", "give an existing folder, or one file")
    return top, info


def _ignore_patterns(top: str) -> list[str]:
    try:
        lines = Path(top, IGNORE_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def is_table(name: str) -> bool:
    """Whether a file of this name is taken for a table.

    >>> is_table("Orders.CSV.gz"), is_table("notes.txt")
    (True, False)
    """
    return name.lower().endswith(SUFFIXES)


def printable(path: str) -> str:
    """The path as text that can be stored and shown, also where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _below(top: str, tell: Ignored) -> Iterator[FoundFile]:
    # A stack of iterators instead of recursion: folders can be nested deeper than Python's stack.
    open_folders = [_entries(top, "", tell)]
    while open_folders:
        entry = next(open_folders[-1], None)
        if entry is None:
            open_folders.pop()
            continue
        path, found, info = entry
        if stat.S_ISDIR(info.st_mode):
            open_folders.append(_entries(found, path + "/", tell))
        elif is_table(path):
            yield FoundFile(path, found, info.st_size, info.st_mtime_ns)
        elif path.lower().endswith(OTHER_TABLES):
            tell(path, "format")


def _entries(folder: str, prefix: str, tell: Ignored) -> Iterator[tuple[str, str, os.stat_result]]:
    """(relative path, absolute path, stat) of a folder's files and folders, sorted; the rest is told.

    Only the names are held: a folder may have a million of them.
    """
    try:
        with os.scandir(folder) as found:
            names = sorted(entry.name for entry in found if not entry.name.startswith("."))
    except OSError as error:
        tell(prefix.rstrip("/") or ".", _reason(error))
        return
    for name in names:
        absolute = os.path.join(folder, name)
        try:
            info = os.lstat(absolute)
        except OSError as error:
            tell(printable(prefix + name), _reason(error))
            continue
        reason = _why_not(name, info)
        if reason:
            tell(printable(prefix + name), reason)
        else:
            yield prefix + name, absolute, info


def _why_not(name: str, info: os.stat_result) -> str:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "name-not-utf8"
    if stat.S_ISLNK(info.st_mode):
        return "symlink"
    return "" if stat.S_ISDIR(info.st_mode) or stat.S_ISREG(info.st_mode) else "special"


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "permission"
    return "vanished" if isinstance(error, FileNotFoundError) else "unreadable"


def _nobody(path: str, reason: str) -> None:
    pass
