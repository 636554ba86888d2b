"""Every error that tablelens raises on purpose.

    TablelensError
    ├── UsageError            the call itself is off: an unknown option value, a bad name     exit 2
    │   ├── SettingError      a setting has a value that it cannot have
    │   ├── IncomparableRuns  two probe runs differ in more than their model
    │   ├── LimitReached      the server's limit, named, is reached
    │   └── UnusableTable     a row model cannot take this table or these targets
    ├── Unreachable           a service does not answer, or is none                           exit 1
    ├── AccessDenied          no key, or one that does not reach as far                       exit 7
    ├── NotFound              something named does not exist                                  exit 3
    │   ├── UnknownTable
    │   ├── UnknownColumn
    │   ├── UnknownLake
    │   ├── UnknownEncoder
    │   ├── UnknownProperty
    │   └── NoLake            nothing has been crawled in this home yet
    ├── UnreadableFile        one file of a lake could not be read; the crawl goes on         exit 4
    ├── EncoderError          an encoder cannot be loaded, or gave what it must not give      exit 4
    │   └── MissingExtra      a package that only an extra installs is needed
    ├── ModelError            a row model cannot be loaded or trained on what it was given    exit 4
    ├── TrainingError         an encoder cannot be trained, or is no better than before       exit 4
    ├── IndexFault            an index file is damaged, or does not fit the question          exit 8
    │   ├── DamagedIndex
    │   └── IndexMismatch
    └── CatalogError          the catalogue cannot be opened or written                       exit 8
        ├── CatalogLocked     another process is writing
        └── CatalogVersion    the catalogue was written by a newer tablelens

A message says what was given and what is known; ``hint`` says the cure. ``code`` is stable and goes into JSON.
Catch ``TablelensError`` to catch them all.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class TablelensError(Exception):
    """Base of all errors. ``str(error)`` is the message, followed by the hint on a line of its own."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nHint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[type[TablelensError], tuple[str, str]]:
        return type(self), (self.message, self.hint)


class UsageError(TablelensError):
    """The call is off: an option value or a name that cannot be."""

    code = "usage"
    exit_code = 2


class SettingError(UsageError):
    """A setting has a value that it cannot have."""

    code = "setting"


class LimitReached(UsageError):
    """More was asked than a limit of the server allows; ``limit`` is the setting that says how much."""

    code = "limit"

    def __init__(self, message: str, hint: str = "", limit: str = "") -> None:
        super().__init__(message, hint)
        self.limit = limit

    def __reduce__(self) -> tuple[type[TablelensError], tuple[str, ...]]:  # type: ignore[override]
        return type(self), (self.message, self.hint, self.limit)


class Unreachable(TablelensError):
    """A service does not answer, or what answers is none."""

    code = "unreachable"


class AccessDenied(TablelensError):
    """No key was given, or it does not reach as far."""

    code = "access"
    exit_code = 7


class UnusableTable(UsageError, ValueError):
    """A row model cannot take this table or these targets; a ValueError too, as scikit-learn has it."""

    code = "unusable_table"


class IncomparableRuns(UsageError):
    """Two probe runs differ in more than their model."""

    code = "incomparable"


class NotFound(TablelensError):
    """Something that was named does not exist."""

    code = "not_found"
    exit_code = 3

    @classmethod
    def among(cls, what: str, given: str, known: Iterable[str], hint: str = "", count: int | None = None) -> NotFound:
        """Compose "unknown <what> '<given>'; did you mean …? (n known)"; ``count`` where names are more than things."""
        names = list(known)
        close = difflib.get_close_matches(given, names, n=3, cutoff=0.5)
        guess = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        return cls(f"unknown {what} {given!r}{guess} ({len(names) if count is None else count:,} known)", hint)


class UnknownTable(NotFound):
    """No table of that name."""

    code = "unknown_table"


class UnknownColumn(NotFound):
    """No column of that name in the table."""

    code = "unknown_column"


class UnknownLake(NotFound):
    """No lake of that name."""

    code = "unknown_lake"


class UnknownEncoder(NotFound):
    """No encoder of that name, and no model folder at that path."""

    code = "unknown_encoder"


class UnknownProperty(NotFound):
    """No property of that name among the probes."""

    code = "unknown_property"


class NoLake(NotFound):
    """Nothing has been crawled in this home yet."""

    code = "no_lake"


class UnreadableFile(TablelensError):
    """A file of a lake could not be read. ``reason`` is a stable word for counting."""

    code = "unreadable"
    exit_code = 4

    def __init__(self, message: str, hint: str = "", reason: str = "unreadable") -> None:
        super().__init__(message, hint)
        self.reason = reason

    def __reduce__(self) -> tuple[type[TablelensError], tuple[str, ...]]:  # type: ignore[override]
        return type(self), (self.message, self.hint, self.reason)


class EncoderError(TablelensError):
    """An encoder cannot be loaded, or its vectors are not what they must be."""

    code = "encoder"
    exit_code = 4


class MissingExtra(EncoderError):
    """A package is needed that only an extra installs."""

    code = "missing_extra"

    @classmethod
    def of(cls, package: str, extra: str, purpose: str) -> MissingExtra:
        """Compose the message with the command that cures it."""
        return cls(f"{purpose} needs the package {package!r}", f"pip install 'tablelens[{extra}]'")


class ModelError(TablelensError):
    """A row model cannot be loaded, or cannot be trained on what it was given."""

    code = "model"
    exit_code = 4


class TrainingError(TablelensError):
    """An encoder cannot be trained on this lake, or the training went wrong. The model before is as it was."""

    code = "training"
    exit_code = 4


class IndexFault(TablelensError):
    """An index cannot answer."""

    code = "index"
    exit_code = 8


class DamagedIndex(IndexFault):
    """An index file is missing, cut short, or not the one that its manifest names."""

    code = "damaged_index"


class IndexMismatch(IndexFault):
    """Vectors of one encoder were given to the index of another."""

    code = "index_mismatch"


class CatalogError(TablelensError):
    """The catalogue cannot be opened or written."""

    code = "catalog"
    exit_code = 8


class CatalogLocked(CatalogError):
    """Another process is writing."""

    code = "catalog_locked"


class CatalogVersion(CatalogError):
    """The catalogue was written by a newer tablelens."""

    code = "catalog_version"
