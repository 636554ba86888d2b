"""The crawl: compare the folder with the catalogue, read what is new, commit as it comes, index what changed.

Each step commits what it did, so that a crawl that was cut off, by Ctrl-C or by kill -9, goes on where it stopped.
Readers see the generation before until the new one is whole.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import xxhash

from tablelens.catalog.store import Catalog, KnownFile
from tablelens.crawl.walk import root_of, walk
from tablelens.encoders import load_encoder, models_of
from tablelens.engines.base import Engine, WorkFailure
from tablelens.engines.unit import digest_of
from tablelens.errors import UnreadableFile, UsageError
from tablelens.index import generation
from tablelens.pipeline.build import answers, build_generation
from tablelens.progress import Progress, Stopwatch
from tablelens.settings import Settings
from tablelens.types import CrawlReport, FileOutcome, FoundFile

Refresh = Literal["changed", "always"]
WORK = "tablelens.engines.unit:profile_file"
COMMIT_FILES = 400
COMMIT_SECONDS = 5.0
TRANSIENT = frozenset({"crashed", "timeout", "memory", "changed", "io"})
BY_RULE = frozenset({"symlink", "special", "format"})
"""Entries that a crawl leaves out by rule; anything else that it cannot take is a failure."""
ATTEMPTS = 3
"""Crawls that try a file again whose reader crashed or ran out of time; others wait until the file changes."""
PROFILE_VERSION = 7
"""Rises when the same file would give another profile."""


@dataclass
class Plan:
    """What a crawl has to do."""

    read: list[tuple[FoundFile, int]] = field(default_factory=list)
    """Files to read, and how often that was tried before."""
    touched: list[tuple[int, int]] = field(default_factory=list)
    kept: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    passed: dict[str, int] = field(default_factory=dict)
    """Entries passed over by rule, {reason: how many}."""
    vanished: list[str] = field(default_factory=list)


def crawl(
    home: Path,
    root: Path,
    name: str,
    settings: Settings,
    engine: Engine,
    progress: Progress,
    refresh: Refresh = "changed",
) -> CrawlReport:
    """Bring the catalogue and the index up to date with a folder.

    Raises:
        CatalogLocked: another process is crawling in this home.
        NotFound: the folder does not exist.
        UsageError: ``refresh`` is neither.
    """
    if refresh not in (known := get_args(Refresh)):
        raise UsageError(f"unknown refresh {refresh!r}", f"known: {', '.join(known)}")
    watch = Stopwatch()
    root_of(root)  # a path that is mistyped is no lake
    encoder = load_encoder(settings.encoder, models_of(home))
    with Catalog(home / "catalog.duckdb") as catalog:
        settings.remember(home)
        lake_id = catalog.lake(name, str(root))
        run = catalog.begin_crawl(lake_id)
        config = profile_config(settings)
        with watch.stage("walk"):
            plan = make_plan(root, catalog.known_files(lake_id), config, refresh)
            catalog.touch(plan.touched)
            catalog.remove(lake_id, plan.vanished)
        with watch.stage("read"):
            read = read_files(catalog, lake_id, config, plan, settings, engine, progress)
        number = generation.current(home)
        if number is None or catalog.indexed() != number or not answers(home, number, encoder, settings):
            number = build_generation(home, catalog, encoder, settings, progress, watch)
        counts = catalog.arrow(f"SELECT (SELECT count(*) FROM tables WHERE lake_id = {lake_id}) AS t, "
                               f"(SELECT count(*) FROM columns WHERE lake_id = {lake_id}) AS c")  # fmt: skip
        report = CrawlReport(
            lake=name, root=str(root), tables=counts["t"][0].as_py(), columns=counts["c"][0].as_py(), read=read,
            skipped=plan.kept, removed=len(plan.vanished), failed=tuple(sorted(plan.failed)),
            passed=plan.passed, seconds=watch.total(), generation=number, stages=watch.stages,
        )  # fmt: skip
        catalog.end_crawl(run, report.as_dict())
    return report


def forget(home: Path, name: str, settings: Settings, progress: Progress) -> int:
    """Forget a lake and all that is known of it, and let a new generation answer; its number. Its files stay.

    Raises:
        UnknownLake: no lake of that name.
        CatalogLocked: another process is crawling in this home.
    """
    encoder = load_encoder(settings.encoder, models_of(home))
    with Catalog(home / "catalog.duckdb") as catalog:
        catalog.drop_lake(name)
        return build_generation(home, catalog, encoder, settings, progress, Stopwatch())


def profile_config(settings: Settings) -> str:
    """A short hash of all settings that change a profile; files read under another one are read again."""
    names = ("header", "max_file_mb", "max_unpacked_ratio", "max_columns", "max_rows", "max_cell_mb")
    values = [getattr(settings, name) for name in (*names, "exact_values", "sketch_values", "cells")]
    return xxhash.xxh3_64_hexdigest(repr((PROFILE_VERSION, values)).encode())


def make_plan(root: Path, known: dict[str, KnownFile], config: str, refresh: Refresh) -> Plan:
    """Compare the files that are there with those that are known."""
    plan = Plan()
    seen = set()
    closed: list[str] = []

    def ignored(path: str, reason: str) -> None:
        if reason in BY_RULE:
            plan.passed[reason] = plan.passed.get(reason, 0) + 1
        else:
            plan.failed.append((path, reason))
            closed.append(path)

    for file in walk(root, ignored):
        seen.add(file.path)
        before = known.get(file.path)
        if before is None or refresh == "always" or before.config != config or _differs(file, before, plan):
            plan.read.append((file, 0))
        elif before.reason in TRANSIENT and before.attempts < ATTEMPTS:
            plan.read.append((file, before.attempts))
        else:
            plan.kept += 1
            if before.reason:
                plan.failed.append((file.path, before.reason))
    # what cannot be seen for now, a folder or file without permission, has not vanished
    hidden = tuple(f"{path.rstrip('/')}/" for path in closed)
    plan.vanished = [path for path in known if path not in seen and path not in closed and not path.startswith(hidden)]
    return plan


def _differs(file: FoundFile, before: KnownFile, plan: Plan) -> bool:
    """Whether a file's content is another: by size, by time, and where only the time differs by its digest."""
    if file.size != before.size:
        return True
    if file.mtime_ns == before.mtime_ns:
        return False
    try:
        same = bool(before.digest) and digest_of(file) == before.digest
    except UnreadableFile:
        return True  # the reader will say why
    if same:
        plan.touched.append((before.id, file.mtime_ns))
    return not same


def read_files(
    catalog: Catalog, lake_id: int, config: str, plan: Plan, settings: Settings, engine: Engine, progress: Progress
) -> int:
    """Read and profile the planned files and commit them as they come; the number that was read."""
    attempts = {file.path: tried for file, tried in plan.read}
    progress.start("read", len(plan.read), sum(file.size for file, _ in plan.read))
    waiting: list[tuple[FileOutcome, int]] = []
    last = time.monotonic()

    def commit() -> None:
        nonlocal last
        catalog.store(lake_id, config, waiting)
        waiting.clear()
        last = time.monotonic()

    try:
        for file, result in engine.map(WORK, (file for file, _ in plan.read), settings=settings):
            outcome = (
                FileOutcome(file, reason=result.reason, error=result.message)
                if isinstance(result, WorkFailure)
                else result
            )
            if not outcome.ok:
                plan.failed.append((file.path, outcome.reason))
            waiting.append((outcome, attempts[file.path] + 1))
            progress.advance(1, file.size)
            if len(waiting) >= COMMIT_FILES or time.monotonic() - last > COMMIT_SECONDS:
                commit()
    finally:  # Ctrl-C too: what was read is kept
        if waiting:
            commit()
        progress.end()
    return len(plan.read)
