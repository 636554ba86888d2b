"""From a pack to a crawled lake in a work folder, timed; what is there already and unchanged is used again.

work/pack.json    which pack was unpacked, and whether it was finished
work/map.json     where each table lies in work/lake
work/crawl.json   what the first crawl took
work/home         the home that it was crawled into
work/vectors      vectors of the baselines' language models, see ``kept``
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tablelens.bench.ground import Ground
from tablelens.bench.machine import peak_megabytes, size_of
from tablelens.bench.pack import Pack, write_lake
from tablelens.errors import UsageError
from tablelens.index import generation
from tablelens.lake import Lake
from tablelens.progress import Progress
from tablelens.types import CrawlReport

NAME = "bench"


@dataclass(frozen=True, slots=True)
class Build:
    """What it took to make the lake answer."""

    tables: int
    columns: int
    failed: int
    vectors: int
    lake_bytes: int
    seconds: float
    """Of the crawl that read every file; NaN where none was timed with this encoder."""
    stages: dict[str, float]
    again_seconds: float
    """A second crawl of the unchanged lake."""
    index_bytes: int
    catalog_bytes: int
    snapshot_bytes: int
    peak_mb: float
    """Of the crawling process, with the truth that the bench holds; workers have memory of their own."""
    reused: bool
    """Whether the crawl was timed in an earlier run on the same work folder."""

    @property
    def columns_a_second(self) -> float:
        """Columns of the whole crawl over its seconds."""
        return self.columns / self.seconds


def prepare(pack: Pack, work: Path, settings: dict[str, Any], progress: Progress) -> tuple[Ground, Build]:
    """Unpack, crawl, crawl again.

    Raises:
        UsageError: the work folder holds something else.
    """
    paths = unpack(pack, work)
    lake = Lake.open(work / "home", **settings)
    report = lake.crawl(work / "lake", NAME, progress=progress)
    record = _recorded(work, report, lake)
    start = time.perf_counter()
    lake.crawl(work / "lake", NAME, progress=progress)
    again = time.perf_counter() - start
    number = lake.view.generation.number
    build = Build(
        tables=report.tables,
        columns=report.columns,
        failed=len(report.failed),
        vectors=len(lake.view.generation.vectors),
        lake_bytes=size_of(work / "lake"),
        seconds=record.get("seconds", float("nan")),
        stages=record.get("stages", {}),
        again_seconds=again,
        index_bytes=size_of(generation.folder_of(lake.home, number)),
        catalog_bytes=size_of(lake.home / "catalog.duckdb"),
        snapshot_bytes=size_of(generation.catalog_of(lake.home, number)),
        peak_mb=record.get("peak_mb", float("nan")),
        reused=not report.read,
    )
    return Ground(pack, lake, paths), build


def unpack(pack: Pack, work: Path) -> dict[str, str]:
    """Write the lake's files, unless they lie there already; path by table id.

    Raises:
        UsageError: the folder holds something else.
    """
    mark, wanted = work / "pack.json", pack.fingerprint()
    if mark.is_file():
        found = _json(mark)
        if found.get("fingerprint") != wanted:
            raise UsageError(f"{str(work)!r} holds the lake of another pack or size", "give another --work folder")
        if found.get("done"):
            return {str(table): str(path) for table, path in _json(work / "map.json").items()}
    elif work.is_dir() and any(work.iterdir()):
        raise UsageError(f"{str(work)!r} is not empty and holds no unpacked lake", "give an empty --work folder")
    work.mkdir(parents=True, exist_ok=True)
    mark.write_text(json.dumps({"fingerprint": wanted, "done": False}), encoding="utf-8")
    paths = write_lake(pack, work / "lake")
    (work / "map.json").write_text(json.dumps(paths, ensure_ascii=False), encoding="utf-8")
    mark.write_text(json.dumps({"fingerprint": wanted, "done": True}), encoding="utf-8")
    return paths


def _recorded(work: Path, report: CrawlReport, lake: Lake) -> dict[str, Any]:
    """Seconds by stage of the crawl that made the lake: of this one, or of an earlier one if this read nothing.

    A crawl that only rebuilt the index, from vectors that were there, says nothing of what the lake takes.
    """
    path, encoder = work / "crawl.json", lake.view.generation.encoder
    if report.read and not report.skipped:
        record = {"encoder": encoder, "seconds": report.seconds, "stages": report.stages, "peak_mb": peak_megabytes()}
        path.write_text(json.dumps(record), encoding="utf-8")
        return record
    known = _json(path) if path.is_file() else {}
    return known if known.get("encoder") == encoder and not report.read else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {str(path)!r}: {error}", "give another --work folder") from error
    return found if isinstance(found, dict) else {}
