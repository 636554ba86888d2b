"""The seam between work and where it runs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from tablelens.errors import UnreadableFile, UsageError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WorkFailure:
    """Why an item has no result.

    ``reason`` is a stable word: that of an UnreadableFile, or error, memory, timeout, crashed. ``detail`` is for a
    person: the end of what the worker wrote to its standard error.
    """

    reason: str
    message: str
    detail: str = ""
    attempts: int = 1

    @classmethod
    def of(cls, error: BaseException, detail: str = "") -> WorkFailure:
        """The failure that an exception stands for."""
        if isinstance(error, UnreadableFile):
            return cls(error.reason, str(error), detail)
        reason = "memory" if isinstance(error, MemoryError) else "error"
        return cls(reason, f"{type(error).__name__}: {error}", detail)


class Engine(Protocol):
    """Runs one function over many items, somewhere."""

    def map(self, function: str, items: Iterable[T], **shared: Any) -> Iterator[tuple[T, Any]]:
        """Yield (item, what ``function(item, **shared)`` returned, or a WorkFailure), in the order they get ready.

        ``function`` is "package.module:name". Items are taken as workers get free, so they may be endless.
        """
        ...

    def close(self) -> None:
        """Let go of the workers."""
        ...


def load(function: str) -> Callable[..., Any]:
    """Import "package.module:name".

    Raises:
        UsageError: there is no such function.
    """
    module, _, name = function.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"no function {function!r}: {error}", "write it as 'package.module:name'") from error
    if not callable(found):
        raise UsageError(f"{function!r} is not a function")
    return found  # type: ignore[no-any-return]


class InlineEngine:
    """Runs the work in this process, one item after the other, without limits: for tests and debuggers.

    >>> list(InlineEngine().map("builtins:len", ["abc", 5]))[0]
    ('abc', 3)
    """

    def map(self, function: str, items: Iterable[T], **shared: Any) -> Iterator[tuple[T, Any]]:
        """Yield (item, result or WorkFailure) in the order of the items."""
        work = load(function)
        for item in items:
            try:
                result = work(item, **shared)
            except Exception as error:  # whatever the work raises is the item's outcome
                result = WorkFailure.of(error)
            yield item, result

    def close(self) -> None:
        """Nothing to let go of."""
