"""Commands that measure: bench."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tablelens.cli import show
from tablelens.cli.main import cli, hint, json_option, path_type, write_json
from tablelens.errors import UsageError

if TYPE_CHECKING:
    from tablelens.bench.run import BenchReport


@cli.command()
@click.argument("pack", metavar="LAKE_PACK", type=path_type())
@click.option("--out", type=path_type(file_okay=False), help="Write join_discovery.json and .md into this folder.")
@click.option("--work", type=path_type(file_okay=False), help="Keep the crawled lake here, and use it again.")
@click.option("--limit-tables", type=click.IntRange(0), default=0, help="Take so many tables; 0 takes them all.")
@click.option("--queries", type=click.IntRange(0), default=0, help="Ask so many queries of each set; 0 asks them all.")
@click.option("--ks", default="10,20,50", show_default=True, help="Lengths of rankings that are scored.")
@click.option("--minilm", type=path_type(), help="Folder of an untuned MiniLM, as a baseline.")
@click.option("--mpnet", type=path_type(), help="Folder of an untuned MPNet, as a baseline.")
@click.option("--no-lshe", is_flag=True, help="Leave the LSH Ensemble baseline out.")
@json_option
@click.pass_context
def bench(
    ctx: click.Context,
    pack: Path,
    out: Path | None,
    work: Path | None,
    limit_tables: int,
    queries: int,
    ks: str,
    minilm: Path | None,
    mpnet: Path | None,
    no_lshe: bool,
    as_json: bool,
) -> None:
    """Measure join discovery on a lake pack with exact truth: quality, speed, build, beside baselines.

    The lake is crawled in a home of its own; yours is not touched.

    \b
    Example:
      tablelens bench packs/dev --limit-tables 2000 --out results/
    """
    from tablelens.bench import report as reports  # here, so that other commands start without it
    from tablelens.bench.run import Options, run

    models = {"MiniLM, untuned": minilm, "MPNet, untuned": mpnet}
    options = Options(
        ks=_numbers(ks),
        limit_tables=limit_tables,
        queries=queries,
        ensemble=not no_lshe,
        models={name: folder for name, folder in models.items() if folder is not None},
        settings=dict(setting.partition("=")[::2] for setting in ctx.obj["sets"]),
    )
    report = run(pack, options, work, None if ctx.obj["quiet"] else show.Bar())
    if out is not None:
        for path in reports.write(report, out):
            hint(ctx, f"written: {path}")
    if as_json:
        write_json(reports.as_document(report))
    else:
        _show(report)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError as error:
        raise UsageError(f"--ks is {text!r}", "whole numbers with commas between, for example 10,20,50") from error


def _show(report: BenchReport) -> None:
    """The report in a terminal."""
    from tablelens.bench import report as reports

    click.secho(f"{report.pack}: {report.build.tables:,} tables, {report.build.columns:,} columns", bold=True)
    for name in report.sizes:
        _table(*reports.short_rows(report, name))
    _table(*reports.fuzzy_rows(report))
    _table(*reports.speed_rows(report), words=2)
    _table(*reports.baseline_rows(report))
    _table(*reports.encoder_rows(report))
    click.echo()
    show.table(("", ""), [(name, show.plain(value, 200)) for name, value in reports.build_rows(report)])


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> None:
    """A table after an empty line, where it has rows; columns after the first ``words`` hold numbers."""
    if rows:
        click.echo()
        show.table(headings, rows, range(words, len(headings)))
