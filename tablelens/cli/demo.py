"""``tablelens demo``: crawl the sample lake that comes with the package, and ask it what a newcomer would."""

from __future__ import annotations

import tempfile
from importlib.resources import as_file, files
from pathlib import Path

import click
import duckdb

from tablelens.cli import show
from tablelens.cli.main import cli, counted, hint
from tablelens.lake import Lake

ASK = "aviation/routes_2026.Destination"
NAMES = "media/film_countries.country"
PATH = ("aviation/airports", "finance/currencies")


@cli.command()
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the demo's home in this folder.")
@click.pass_context
def demo(ctx: click.Context, keep: Path | None) -> None:
    """Crawl the built-in sample lake and show what joins in it. Works offline, in seconds.

    \b
    Example:
      tablelens demo
    """
    with as_file(files("tablelens.sample_lake")) as root, tempfile.TemporaryDirectory() as scratch:
        lake = Lake.open(keep or Path(scratch) / "home")
        _say("crawl sample_lake")
        report = lake.crawl(root, "sample_lake", progress=None if ctx.obj["quiet"] else show.Bar())
        size = f"{counted(report.tables, 'table')}, {counted(report.columns, 'column')}"
        click.echo(f"{size} in {report.seconds:.1f} s")
        _joins(lake, ASK)
        _joins(lake, NAMES)
        _explain(lake)
        _path(lake)
    hint(ctx, "\nNow yours:  tablelens crawl FOLDER   and   tablelens joins TABLE.COLUMN")


def _say(command: str) -> None:
    click.secho(f"\n$ tablelens {command}", bold=True)


def _joins(lake: Lake, column: str) -> None:
    _say(f"joins {column} -k 6")
    show.answer(lake.joins(column, k=6))


def _explain(lake: Lake) -> None:
    best = lake.joins(ASK, k=1).hits[0]
    _say(f"explain {ASK} {best.column}")
    show.evidence(best, ASK)
    counted = duckdb.sql(f"SELECT count(*) FROM ({best.sql})").fetchone()
    if counted is not None:
        click.echo(f"\nrun in DuckDB: {counted[0]:,} rows")


def _path(lake: Lake) -> None:
    _say(f"path {' '.join(PATH)}")
    for found in lake.paths(*PATH, k=3):
        click.echo(f"{found.probability:.2f}  " + "  →  ".join(f"{s.left} = {s.right}" for s in found.steps))
