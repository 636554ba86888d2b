"""Jobs, crawls or augmentations: one of a kind runs at a time, in a process of its own, and tells of its progress."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from tablelens.errors import NotFound
from tablelens.settings import Settings

from .errors import Busy

State = Literal["waiting", "running", "done", "failed", "cancelled"]
FINAL = ("done", "failed", "cancelled")
KEPT = 200
"""Finished jobs that are remembered."""
EVENTS = 2000
"""Events of a job that are kept for those who come late."""
GRACE_SECONDS = 30.0
"""How long a job may take to stop."""
LINE = 1 << 24
_PROGRAM = """import signal, sys
signal.signal(signal.SIGTERM, signal.default_int_handler)
sys.path[:] = {path!r}
from tablelens.api.{program} import main
main({task!r})"""


@dataclass(eq=False)
class Job:
    """One job; ``key`` is the visitor who asked, ``token`` that one's Idempotency-Key."""

    id: str
    lake: str
    task: dict[str, Any]
    """What its program is told, beside home and settings."""
    key: str = ""
    token: str = ""
    state: State = "waiting"
    created: str = field(default_factory=lambda: now())
    finished: str | None = None
    stage: str = ""
    done: int = 0
    total: int = 0
    report: dict[str, Any] | None = None
    error: str = ""
    events: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    cancelled: bool = False
    count: int = 0
    _waiting: set[asyncio.Event] = field(default_factory=set)

    def tell(self, event: str, data: dict[str, Any]) -> None:
        """Add an event, and wake those who wait for one."""
        self.count += 1
        self.events.append((self.count, event, data))
        del self.events[:-EVENTS]
        self.wake()

    def wake(self) -> None:
        """Let those who wait look again."""
        for waiting in self._waiting:
            waiting.set()

    async def follow(self, after: int, patience: float) -> AsyncIterator[tuple[int, str, dict[str, Any]] | None]:
        """Events after a number, to the last one; None each time that nothing came for so many seconds."""
        while True:
            fresh = [event for event in self.events if event[0] > after]
            for event in fresh:
                after = event[0]
                yield event
            if not fresh and self.state in FINAL:
                return
            if not fresh and not await self._news(patience):
                yield None

    async def _news(self, patience: float) -> bool:
        """Whether something came within so many seconds."""
        waiting = asyncio.Event()
        self._waiting.add(waiting)
        try:
            await asyncio.wait_for(waiting.wait(), patience)
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(waiting)
        return True


class Jobs:
    """The jobs of one kind of a home, in the order in which they were asked for.

    Args:
        home: where they work.
        settings: which they are given, and how many there may be.
        word: what one of them is called; its routes are ``/v1/{word}s``.
        program: the module whose ``main`` does one, told what to do as JSON.
        after: is awaited when one is done.
    """

    def __init__(
        self, home: Path, settings: Settings, word: str, program: str, after: Callable[[], Awaitable[None]]
    ) -> None:
        self.home = home
        self.settings = settings
        self.word, self.program = word, program
        self._after = after
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._wake = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    def add(self, lake: str, task: dict[str, Any], key: str = "", token: str = "") -> Job:
        """A new job; the one there is, where the same visitor gave the same Idempotency-Key before.

        Raises:
            Busy: as many jobs as may be are running or waiting.
        """
        for job in self._jobs.values():
            if token and (job.key, job.token) == (key, token):
                return job
        busy = self.unfinished()
        if len(busy) >= self.settings.max_jobs or self._stopping:
            raise Busy(f"{len(busy)} {self.word}s are running or waiting", "wait until one is done", "max_jobs")
        job = Job(secrets.token_hex(8), lake, task, key, token)
        self._jobs[job.id] = job
        for old in [each.id for each in self._jobs.values() if each.state in FINAL][:-KEPT]:
            del self._jobs[old]
        self._wake.set()
        return job

    def get(self, id_: str) -> Job:
        """A job by its id.

        Raises:
            NotFound: there is none.
        """
        if id_ not in self._jobs:
            raise self.unknown(id_)
        return self._jobs[id_]

    def unknown(self, id_: str) -> NotFound:
        """What one hears who asks for a job that is not there, or not for him."""
        return NotFound(f"no {self.word} has the id {id_!r}", f"GET /v1/{self.word}s lists them")

    def all(self) -> list[Job]:
        """The jobs that are remembered, newest first."""
        return list(reversed(self._jobs.values()))

    def unfinished(self) -> list[Job]:
        """Those that run or wait."""
        return [job for job in self._jobs.values() if job.state not in FINAL]

    def cancel(self, job: Job) -> None:
        """Stop a job; what it did is kept. A second time changes nothing."""
        if job.state == "waiting":
            self._finish(job, "cancelled")
        elif job.state == "running":
            job.cancelled = True
            if self._process is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.terminate()  # SIGINT is ignored by what a script started with &

    def wake_all(self) -> None:
        """Let all those who follow a job look again."""
        for job in self._jobs.values():
            job.wake()

    async def work(self) -> None:
        """Run what waits, one after the other, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while waiting := [job for job in self._jobs.values() if job.state == "waiting"]:
                await self._run(waiting[0])

    async def stop(self) -> None:
        """Stop all that runs or waits, and wait for it."""
        self._stopping = True
        for job in self.unfinished():
            self.cancel(job)
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), GRACE_SECONDS)
            except TimeoutError:
                self._process.kill()

    async def _run(self, job: Job) -> None:
        job.state = "running"
        job.tell("state", {"state": "running"})
        task = job.task | {"home": str(self.home), "settings": asdict(self.settings)}
        program = _PROGRAM.format(path=sys.path, program=self.program, task=json.dumps(task))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, limit=LINE
        )
        if job.cancelled:  # while the process was made
            self.cancel(job)
        try:
            assert self._process.stdout is not None
            async for line in self._process.stdout:
                self._heard(job, json.loads(line))
            status = await self._process.wait()
        finally:
            if self._process.returncode is None:
                self._process.kill()
            self._process = None
        if job.report is not None:
            await self._after()
            self._finish(job, "done")
        elif job.cancelled:
            self._finish(job, "cancelled")
        else:
            job.error = job.error or f"the {self.word}'s process ended with status {status}"
            self._finish(job, "failed")

    def _heard(self, job: Job, said: dict[str, Any]) -> None:
        kind = said.pop("event")
        if kind == "progress":
            job.stage, job.done, job.total = said["stage"], said["done"], said["total"]
            job.tell("progress", said)
        elif kind == "report":
            job.report = said
        else:
            job.error = said["message"]

    def _finish(self, job: Job, state: State) -> None:
        job.state, job.finished = state, now()
        job.tell("state", {"state": state, "report": job.report, "error": job.error})


def now() -> str:
    """The time, UTC, ISO 8601 in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
