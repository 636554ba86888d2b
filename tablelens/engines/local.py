"""Worker processes on this machine: limited in memory and time, replaced when they die.

The processes are started as programs of their own. multiprocessing.Process would import the caller's main script
again, which fails in notebooks and in scripts without a guard.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from tablelens.engines import frames
from tablelens.engines.base import WorkFailure
from tablelens.errors import TablelensError, UsageError

T = TypeVar("T")
TAIL = 4000
"""Bytes of a worker's standard error that are kept."""
STARTUP_SECONDS = 120.0
SMALL = 16_384
"""Bytes of an item that may be sent ahead. A larger one could fill the socket while the worker fills it from its
side with a result, and both would wait for ever."""
_PROGRAM = "import sys; sys.path[:] = {path!r}; from tablelens.engines.worker import main; main({fd}, {memory})"
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # the others reserve a gigabyte at once, which counts against the limit
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MALLOC_ARENA_MAX": "2",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(slots=True)
class _Task:
    number: int
    item: Any
    attempts: int = 0


@dataclass(slots=True, eq=False)
class _Worker:
    """A process, our end of its socket, and the tasks that it was sent, the one it works at first."""

    process: subprocess.Popen[bytes]
    connection: Connection
    errors: int
    tasks: deque[_Task] = field(default_factory=deque)
    using: int = -1
    ready: bool = False
    deadline: float = 0.0
    tail: bytes = b""

    @classmethod
    def start(cls, memory_mb: int) -> _Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            program = _PROGRAM.format(path=sys.path, fd=theirs.fileno(), memory=memory_mb)
            process = subprocess.Popen(
                [sys.executable, "-c", program],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**os.environ, **_ENVIRONMENT},
            )
        assert process.stderr is not None
        os.set_blocking(process.stderr.fileno(), False)
        return cls(process, Connection(ours.detach()), process.stderr.fileno())

    def drain(self) -> None:
        """Take what the worker wrote to its standard error, and keep the end of it."""
        with contextlib.suppress(BlockingIOError):
            while self.errors >= 0 and (part := os.read(self.errors, 1 << 16)):
                self.tail = (self.tail + part)[-TAIL:]
            self.errors = -1  # its end; always readable from now on, so no longer waited for

    def stop(self) -> int:
        """Kill the process, wait for it, close all that belongs to it; its exit status."""
        if self.process.poll() is None:
            self.process.kill()
        status = self.process.wait()
        self.drain()
        self.connection.close()
        if self.process.stderr is not None:
            self.process.stderr.close()
        return status

    def words(self) -> str:
        return self.tail.decode("utf-8", "replace").strip()


class LocalEngine:
    """A pool of worker processes. They start with the first item and live until ``close``.

    Args:
        workers: how many; 0 takes one a core.
        memory_mb: what a worker may hold.
        seconds: how long an item may take.
        retries: how often an item is tried again whose worker died.
    """

    def __init__(self, workers: int = 0, memory_mb: int = 4096, seconds: float = 120.0, retries: int = 1) -> None:
        self.workers = workers or os.cpu_count() or 1
        self.memory_mb = memory_mb
        self.seconds = seconds
        self.retries = retries
        self._pool: list[_Worker] = []
        self._maps = count()
        self._mapping = False

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Kill the workers. The engine can be used again, and starts new ones then."""
        while self._pool:
            self._pool.pop().stop()

    def map(self, function: str, items: Iterable[T], **shared: Any) -> Iterator[tuple[T, Any]]:
        """Yield (item, result or WorkFailure) as they get ready; see Engine.

        Raises:
            UsageError: the workers cannot import ``function``, or another map of this engine is still going on.
        """
        if self._mapping:
            raise UsageError(
                "this engine is busy with another map", "finish or close that one, or make a second engine"
            )
        self._mapping = True
        run = _Run(self, function, shared, iter(items))
        try:
            yield from run.results()
        finally:
            self._mapping = False
            for worker in [worker for worker in self._pool if worker.tasks or not worker.ready]:
                self.discard(worker)

    def discard(self, worker: _Worker) -> int:
        """Stop one worker for good; its exit status."""
        if worker in self._pool:
            self._pool.remove(worker)
        return worker.stop()


class _Run:
    """One map: which tasks wait, which are with which worker, what came back."""

    def __init__(self, engine: LocalEngine, function: str, shared: dict[str, Any], items: Iterator[Any]) -> None:
        self.engine = engine
        self.function = function
        self.setup = pickle.dumps(("use", function, shared), pickle.HIGHEST_PROTOCOL)
        self.id = next(engine._maps)
        self.items = items
        self.again: deque[_Task] = deque()
        self.numbers = count()
        self.exhausted = False
        self.failed_starts = 0

    def results(self) -> Iterator[tuple[Any, Any]]:
        while True:
            self._hand_out()
            busy = [worker for worker in self.engine._pool if worker.tasks]
            if not busy:
                return
            # Answers before deadlines: the caller may have been away for longer than any of them.
            yield from self._collect(busy)
            yield from self._overdue(busy)

    def _next(self) -> _Task | None:
        if self.again:
            return self.again.popleft()
        if not self.exhausted:
            for item in self.items:
                return _Task(next(self.numbers), item)
            self.exhausted = True
        return None

    def _hand_out(self) -> None:
        """Give every worker an item, and a second one to go on with."""
        pool = self.engine._pool
        for depth in (1, 2):
            for place in range(self.engine.workers):
                if place < len(pool) and len(pool[place].tasks) >= depth:
                    continue
                task = self._next()
                if task is None:
                    return
                if place >= len(pool):
                    pool.append(_Worker.start(self.engine.memory_mb))
                self._send(pool[min(place, len(pool) - 1)], task)

    def _send(self, worker: _Worker, task: _Task) -> None:
        frame = pickle.dumps(("do", task.number, task.item), pickle.HIGHEST_PROTOCOL)
        if worker.tasks and (len(frame) > SMALL or not worker.ready or task.attempts):
            self.again.append(task)
            return
        try:
            if worker.using != self.id:
                worker.using, worker.ready = self.id, False
                worker.connection.send_bytes(self.setup)
            worker.connection.send_bytes(frame)
        except OSError:
            pass  # the worker is dead, which the next collecting finds out
        worker.tasks.append(task)
        if len(worker.tasks) == 1:
            worker.deadline = time.monotonic() + (self.engine.seconds if worker.ready else STARTUP_SECONDS)

    def _collect(self, busy: list[_Worker]) -> Iterator[tuple[Any, Any]]:
        """What has come back, waiting for something or the first deadline."""
        by_handle: dict[Any, _Worker] = {worker.connection: worker for worker in busy}
        by_handle |= {worker.errors: worker for worker in busy if worker.errors >= 0}
        left = min(worker.deadline for worker in busy) - time.monotonic()
        for handle in wait(list(by_handle), max(left, 0.0)):
            worker = by_handle[handle]
            if isinstance(handle, int):
                worker.drain()
                continue
            try:
                data = worker.connection.recv_bytes(self.engine.memory_mb << 20)
            except (EOFError, OSError):
                yield from self._crashed(worker)
            else:
                yield from self._received(worker, data)

    def _received(self, worker: _Worker, data: bytes) -> Iterator[tuple[Any, Any]]:
        worker.deadline = time.monotonic() + self.engine.seconds
        try:
            frame = frames.decode(data)
            result = frames.outcome(frame) if frame.body else None
        except frames.BadFrame:  # whatever wrote this is not our worker any more
            yield from self._crashed(worker)
            return
        if frame.kind == "broken":
            raise UsageError(f"the workers cannot use {self.function!r}: {frame.text}")
        if frame.kind == "ready":
            worker.ready, self.failed_starts = True, 0
            return
        if not worker.tasks or frame.number != worker.tasks[0].number:
            yield from self._crashed(worker)
            return
        task = worker.tasks.popleft()
        if isinstance(result, WorkFailure) and result.reason == "memory":
            self._replace(worker)  # what a failed allocation left behind is nobody's to know
        yield task.item, result

    def _overdue(self, busy: list[_Worker]) -> Iterator[tuple[Any, Any]]:
        now = time.monotonic()
        for worker in busy:
            if worker in self.engine._pool and worker.tasks and now > worker.deadline and not worker.connection.poll():
                if not worker.ready:
                    yield from self._crashed(worker)
                    continue
                task = worker.tasks.popleft()
                self._replace(worker)
                message = f"took longer than {self.engine.seconds:g} s"
                yield task.item, WorkFailure("timeout", message, worker.words(), task.attempts + 1)

    def _crashed(self, worker: _Worker) -> Iterator[tuple[Any, Any]]:
        started = worker.ready
        task = worker.tasks.popleft() if started and worker.tasks else None
        status = self._replace(worker)
        if not started:
            self.failed_starts += 1
            if self.failed_starts > 3:
                raise TablelensError(f"worker processes die at their start ({_exit(status)})\n{worker.words()}")
        if task is None:
            return
        task.attempts += 1
        if task.attempts <= self.engine.retries:
            self.again.append(task)
        else:
            yield task.item, WorkFailure("crashed", f"the worker died ({_exit(status)})", worker.words(), task.attempts)

    def _replace(self, worker: _Worker) -> int:
        """Stop a worker; what it had not begun goes to others, and a new one starts with the next item."""
        self.again.extendleft(reversed(worker.tasks))
        worker.tasks.clear()
        return self.engine.discard(worker)


def _exit(status: int) -> str:
    if status >= 0:
        return f"exit {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
