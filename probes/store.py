"""Runs in a home: ``probes/runs/<id>.json``, and what is published of them."""

from __future__ import annotations

from pathlib import Path

from tablelens.errors import NotFound

from . import results
from .report import markdown
from .report.page import page
from .results import Run


def path_of(home: Path, run: str) -> Path:
    """Where a run lies."""
    return home / "probes" / "runs" / f"{run}.json"


def save(home: Path, run: Run) -> Path:
    """Keep a run."""
    path = path_of(home, run.id)
    results.write(path, run.document())
    return path


def runs(home: Path) -> list[Path]:
    """The files of all runs, oldest first: an id begins with its time."""
    return sorted((home / "probes" / "runs").glob("*.json"))


def find(home: Path, name: str | None = None) -> Run:
    """The run of that id or file; None takes the newest.

    Raises:
        NotFound: there is none.
        UsageError: the file is no run.
    """
    known = {path.stem: path for path in runs(home)}
    if name is None:
        if not known:
            raise NotFound(f"no probe run in {home} yet", "tablelens probe run")
        return results.read(known[max(known)])
    if name in known:
        return results.read(known[name])
    if Path(name).is_file():
        return results.read(Path(name))
    raise NotFound.among("probe run", name, known, "tablelens probe list; or give a JSON file")


def publish(run: Run, folder: Path) -> list[Path]:
    """Write run.json, report.md and report.html into a folder; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    results.write(folder / "run.json", run.document())
    (folder / "report.md").write_text(markdown.report(run), encoding="utf-8")
    (folder / "report.html").write_text(page(run), encoding="utf-8")
    return [folder / "run.json", folder / "report.md", folder / "report.html"]
