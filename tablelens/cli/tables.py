"""Commands on one table: preview, export."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pyarrow.csv
import pyarrow.parquet

from tablelens.cli import show
from tablelens.cli.main import cli, counted, json_option, lake_of, path_type, write_json
from tablelens.errors import UsageError


@cli.command()
@click.argument("table", metavar="TABLE")
@click.option("-n", "--rows", default=10, show_default=True, help="How many rows.")
@json_option
@click.pass_context
def preview(ctx: click.Context, table: str, rows: int, as_json: bool) -> None:
    """The first rows of a table, as the crawl reads them.

    \b
    Example:
      tablelens preview world/countries -n 5
    """
    found = lake_of(ctx).preview(table, rows)
    data = found.data.slice(0, rows)
    if as_json:
        rows_ = [[_as_json(cell) for cell in row] for row in _rows(data)]
        write_json({"table": table, "columns": data.column_names, "rows": rows_})
        return
    show.table(data.column_names, ([("" if cell is None else cell) for cell in row] for row in _rows(data)))
    if not data.num_rows:
        click.echo("no rows")


@cli.command()
@click.argument("table", metavar="TABLE")
@click.argument("target", metavar="FILE.parquet|FILE.csv", type=path_type(dir_okay=False))
@click.option("--file", "outside", is_flag=True, help="TABLE is the path of a file outside the lake.")
@json_option
@click.pass_context
def export(ctx: click.Context, table: str, target: Path, outside: bool, as_json: bool) -> None:
    """Write a table, as the crawl reads it, into a Parquet or CSV file that any program reads.

    For files that DuckDB cannot read itself: packed with bz2, in a rare encoding, with quotes that never close.

    \b
    Example:
      tablelens export world/countries countries.parquet
    """
    write = {".parquet": pyarrow.parquet.write_table, ".csv": pyarrow.csv.write_csv}.get(target.suffix.lower())
    if write is None:
        raise UsageError(f"cannot write {target.name!r}", "the file's name ends in .parquet or .csv")
    found = lake_of(ctx).read(table) if outside else lake_of(ctx).table(table)
    try:
        write(found.data, target)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror or error}", "choose another file") from error
    if as_json:
        write_json({"table": table, "file": str(target), "rows": found.data.num_rows})
        return
    click.echo(f"{target}: {counted(found.data.num_rows, 'row')}, {counted(found.data.num_columns, 'column')}")


def _as_json(cell: Any) -> Any:
    """A cell as JSON has it; a number that is none, or endless, is null there."""
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def _rows(data: Any) -> Iterator[list[Any]]:
    columns: list[list[Any]] = [column.to_pylist() for column in data.columns]
    yield from (list(row) for row in zip(*columns, strict=True))
