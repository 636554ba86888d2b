"""What all requests share: the snapshots, the threads that search, the processes that read files, the jobs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from litestar.di import NamedDependency

from tablelens.engines.base import WorkFailure
from tablelens.engines.local import LocalEngine
from tablelens.engines.rows import FIRST, Source, received
from tablelens.errors import LimitReached, NoLake, TablelensError, UnreadableFile
from tablelens.index import generation
from tablelens.lake import Lake
from tablelens.settings import Settings

from .audit import AuditLog
from .errors import Busy
from .jobs import Jobs
from .keys import KeyRing, Visitor
from .snapshot import Snapshot

P = ParamSpec("P")
T = TypeVar("T")
PARTS = 16
"""Parts of the lakes, one a set of lakes that some key may read, that are kept ready."""
WATCH_SECONDS = 1.0
CLOSE_SECONDS = 5.0
log = logging.getLogger("tablelens.api")


class Service:
    """One home, served. ``start`` and ``stop`` are called in the event loop."""

    def __init__(self, home: Path, settings: Settings) -> None:
        self.home = home
        self.settings = settings
        self.keys = KeyRing(home)
        self.audit = AuditLog(home)
        self.crawls = Jobs(home, settings, "crawl", "crawler", self.reload)
        self.augmentations = Jobs(home, settings, "augmentation", "augmenter", _nothing)
        self.started = time.monotonic()
        self.draining = False
        self.fault: TablelensError | None = None
        """Why there is no snapshot, or not the newest."""
        self._snapshot: Snapshot | None = None
        self._parts: OrderedDict[frozenset[str], Snapshot] = OrderedDict()
        self._loading = threading.Lock()
        self._waiting = 0
        threads = settings.query_threads or 2 * (os.cpu_count() or 1)
        self._threads = anyio.CapacityLimiter(threads)
        self._readers: queue.LifoQueue[LocalEngine] = queue.LifoQueue()  # the one used last is warm
        self._reader_count = threads
        for _ in range(threads):  # their processes start when they are needed
            self._readers.put(LocalEngine(1, settings.worker_memory_mb, settings.query_seconds, retries=0))
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def lanes(self) -> tuple[Jobs, ...]:
        """The kinds of jobs; of each one runs at a time."""
        return self.crawls, self.augmentations

    # life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Load what there is, and look out for newer generations."""
        self.audit.open()
        await self.reload()
        works = (self._watch(), *(jobs.work() for jobs in self.lanes))
        self._tasks = [asyncio.create_task(work) for work in works]

    def warm_reader(self) -> None:
        """Start one of the processes that read files, so that the first who looks at rows need not wait for it."""
        with contextlib.suppress(TablelensError):
            self.rows(FIRST, Source(os.devnull), rows=1)

    def drain(self) -> None:
        """Take nothing new, and let those go who wait for news of a job."""
        self.draining = True
        for jobs in self.lanes:
            jobs.wake_all()

    async def stop(self) -> None:
        """Let go of everything; a crawl that runs keeps what it did."""
        self.drain()
        await asyncio.gather(*(jobs.stop() for jobs in self.lanes))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await anyio.to_thread.run_sync(self._close_readers)
        self.audit.close()

    def _close_readers(self) -> None:
        """Close those that are idle or get so soon; the processes of others end with this one."""
        with contextlib.suppress(queue.Empty):
            for _ in range(self._reader_count):
                self._readers.get(timeout=CLOSE_SECONDS).close()

    async def reload(self) -> None:
        """Take the newest generation, once it is loaded whole; until then the one before answers."""
        await anyio.to_thread.run_sync(self._reload)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                number = generation.current(self.home)
                if number is not None and (self._snapshot is None or str(number) != self._snapshot.tag):
                    await self.reload()
            except Exception:  # whatever it is, the next look may go well
                log.exception("cannot look for a newer generation")

    def _reload(self) -> None:
        with self._loading:
            number = generation.current(self.home)
            if number is None or (self._snapshot is not None and self._snapshot.tag == str(number)):
                return
            try:
                fresh = Snapshot.load(Lake(self.home, self.settings))
                parts = OrderedDict((lakes, fresh.only(lakes)) for lakes in list(self._parts))
            except TablelensError as error:
                if generation.current(self.home) == number:  # not just removed by a crawl meanwhile
                    self.fault = error
                    log.error("cannot load generation %s: %s", number, error.message)
                return
            self._snapshot, self._parts, self.fault = fresh, parts, None
            log.info("generation %s answers", number)

    # what a request reads from ---------------------------------------------------------------------------------

    @property
    def current(self) -> Snapshot | None:
        """The newest whole snapshot, or None where there is none."""
        return self._snapshot

    async def snapshot(self, visitor: Visitor) -> Snapshot:
        """The lakes as a visitor may see them.

        Raises:
            NoLake: nothing was crawled yet, or nothing that this one may read.
            DamagedIndex: the index is damaged.
        """
        whole = self._snapshot
        if whole is None:
            raise self.fault or NoLake("nothing has been crawled yet", "POST /v1/crawls, or `tablelens crawl PATH`")
        lakes = visitor.readable(list(whole.lakes))
        if visitor.admin or lakes == whole.lakes.keys():
            return whole
        if not lakes:
            raise NoLake("nothing has been crawled yet", "POST /v1/crawls, or `tablelens crawl PATH`")
        part = self._parts.get(lakes)
        return part if part is not None else await anyio.to_thread.run_sync(self._part, lakes)

    def _part(self, lakes: frozenset[str]) -> Snapshot:
        with self._loading:
            if lakes not in self._parts:
                assert self._snapshot is not None
                self._parts[lakes] = self._snapshot.only(lakes)
                while len(self._parts) > PARTS:
                    self._parts.popitem(last=False)
            self._parts.move_to_end(lakes)
            return self._parts[lakes]

    # work ------------------------------------------------------------------------------------------------------

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do some work in a thread, within the limits.

        Raises:
            Busy: too many requests wait already.
            LimitReached: it takes too long.
        """
        if self._waiting >= self.settings.max_waiting:
            raise Busy(f"{self._waiting} requests are waiting", "try again in a second", "max_waiting")
        self._waiting += 1
        try:
            with anyio.move_on_after(self.settings.query_seconds):
                return await anyio.to_thread.run_sync(
                    partial(work, *args, **kwargs), limiter=self._threads, abandon_on_cancel=True
                )
        finally:
            self._waiting -= 1
        raise _too_long(self.settings)

    def rows(self, function: str, item: Any, **shared: Any) -> Any:
        """Rows out of lake files, or names in a query: one of the functions of ``engines.rows``.

        Raises:
            UsageError, UnreadableFile, LimitReached: as they say.
        """
        return received(self.read(function, item, **shared))

    def read(self, function: str, item: Any, **shared: Any) -> Any:
        """Do work on lake files in a process that may come to harm; called from a thread of ``run``.

        Raises:
            UnreadableFile: it came to harm, or the file cannot be read.
            LimitReached: it takes too long, or too much memory.
        """
        engine = self._readers.get()
        try:
            for _, result in engine.map(function, [item], settings=self.settings, **shared):
                return _unpacked(result, self.settings)
        finally:
            self._readers.put(engine)
        raise AssertionError("an engine yields a result for each item")


async def _nothing() -> None:
    """What comes after an augmentation: it changes nothing of the home."""


def _unpacked(result: Any, settings: Settings) -> Any:
    if not isinstance(result, WorkFailure):
        return result
    if result.reason == "timeout":
        raise _too_long(settings)
    if result.reason == "memory":
        raise LimitReached(
            f"reading needs more than {settings.worker_memory_mb} MB", "ask for less", "worker_memory_mb"
        )
    raise UnreadableFile(
        f"the file cannot be read: {result.message}", "crawl again to see what it is now", result.reason
    )


def _too_long(settings: Settings) -> LimitReached:
    return Busy(f"it takes longer than {settings.query_seconds:g} s", "ask for less", "query_seconds")


Served = NamedDependency[Service]
"""The service, as a handler asks for it."""
