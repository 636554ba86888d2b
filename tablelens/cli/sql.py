"""``tablelens sql``: a shell with the SQL functions registered and the lake's tables under their names."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

from tablelens.cli import show
from tablelens.cli.main import cli, hint, json_option, lake_of, write_json
from tablelens.errors import TablelensError
from tablelens.sql.session import Session

SHOWN = 200
"""Rows that a person is shown."""
Rows = list[tuple[Any, ...]]


@cli.command()
@click.option("-c", "--command", "commands", multiple=True, metavar="SQL", help="Run this and leave; - reads stdin.")
@click.option("--csv", "as_csv", is_flag=True, help="Rows as CSV on stdout.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="Time limit of one statement.",
)
@click.option("--memory-mb", type=click.IntRange(1), default=4096, show_default=True, help="Memory limit.")
@json_option
@click.pass_context
def sql(
    ctx: click.Context, commands: tuple[str, ...], as_csv: bool, seconds: float, memory_mb: int, as_json: bool
) -> None:
    """Ask in SQL: DuckDB with tablelens.joins, tablelens.search … and the lake's tables as views.

    The shell reads the lake and writes nothing into it; tables that you create live in its memory. End a statement with
    a semicolon, leave with Ctrl-D.

    \b
    Example:
      tablelens sql -c "FROM tablelens.joins('world/countries.iso2', k := 3)"
      tablelens sql -c 'SELECT count(*) FROM "world/countries"'
    """
    with Session(lake_of(ctx), seconds, memory_mb) as session:
        if commands or not sys.stdin.isatty():
            texts = [sys.stdin.read() if text == "-" else text for text in commands or ("-",)]
            for text in texts:
                _show(session.run(text), as_csv, as_json)
            return
        hint(ctx, "FROM tablelens.tables lists the tables; Ctrl-D leaves")
        for text in _typed():
            try:
                _show(session.run(text), as_csv, as_json)
            except TablelensError as error:
                click.echo(show.safe(f"Error: {error}", "\n"), err=True)
            except KeyboardInterrupt:
                click.echo("stopped", err=True)


def _show(answers: Iterable[tuple[list[str], Rows]], as_csv: bool, as_json: bool) -> None:
    for names, rows in answers:
        if as_json:
            write_json({"columns": names, "rows": [list(row) for row in rows]})
        elif as_csv:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerows([names, *rows])
        elif names:
            _table(names, [[_cell(cell) for cell in row] for row in rows[:SHOWN]])
            if len(rows) > SHOWN:
                click.echo(f"… {len(rows) - SHOWN:,} more rows", err=True)


def _table(names: list[str], rows: list[list[object]]) -> None:
    """Rows as a table of the columns that fit; a single row that does not is written a line a column."""
    fit = show.fitting(names, rows)
    if len(rows) == 1 and (fit < len(names) or any(show.plain(cell).plain != str(cell) for cell in rows[0])):
        show.record(names, rows[0])
        return
    numbers = [i for i in range(fit) if rows and isinstance(rows[0][i], int | float)]
    show.table(names[:fit], (row[:fit] for row in rows), numbers)
    if fit < len(names):
        click.echo(f"… {len(names) - fit} more columns: {', '.join(names[fit:])}; --csv has all", err=True)


def _cell(cell: object) -> object:
    if isinstance(cell, list):
        return ", ".join(map(str, cell))
    return "" if cell is None else cell


def _typed() -> Iterator[str]:
    """Statements as they are typed, each up to its semicolon."""
    import readline  # noqa: F401 - gives input() its history and keys

    lines: list[str] = []
    while True:
        try:
            lines.append(input("  … " if lines else "sql> "))
        except EOFError:
            click.echo()
            return
        except KeyboardInterrupt:  # what was begun is dropped
            click.echo()
            lines = []
            continue
        if lines[-1].rstrip().endswith(";"):
            yield "\n".join(lines)
            lines = []
