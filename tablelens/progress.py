"""How a long stage tells where it is. The library never prints: the command line passes a bar, others nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Told of each stage: its start with a total, each advance, its end."""

    def start(self, stage: str, items: int, size: int) -> None:
        """A stage begins with so many items and bytes."""
        ...

    def advance(self, items: int, size: int) -> None:
        """So many items and bytes are done."""
        ...

    def end(self) -> None:
        """The stage is over."""
        ...


class Silent:
    """No progress is told."""

    def start(self, stage: str, items: int, size: int) -> None:
        """Pass over."""

    def advance(self, items: int, size: int) -> None:
        """Pass over."""

    def end(self) -> None:
        """Pass over."""


class Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self._start = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        start = time.perf_counter()
        yield
        self.stages[name] = self.stages.get(name, 0.0) + time.perf_counter() - start

    def total(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._start
