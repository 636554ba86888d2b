"""Commands of rows: index, similar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tablelens.cli import show
from tablelens.cli.main import cli, hint, json_option, lake_of, path_type, write_json


@cli.group()
def rows() -> None:
    """Rows of the lake as vectors: which rows, of whatever table, are like this one.

    \b
    Example:
      tablelens rows index --rows 200
      tablelens rows similar world/countries --row 17
    """


@rows.command("index")
@click.option("--tables", metavar="GLOB", default="*", show_default=True, help="Only tables that match.")
@click.option("--rows", "most", default=200, show_default=True, type=click.IntRange(min=1), help="First rows of each.")
@click.option("--epochs", default=5, show_default=True, type=click.IntRange(min=1), help="Rounds of the training.")
@json_option
@click.pass_context
def index(ctx: click.Context, tables: str, most: int, epochs: int, as_json: bool) -> None:
    """Train a row encoder on the lake's tables and encode their rows.

    \b
    Example:
      tablelens rows index --tables 'world/*' --rows 500
    """
    made = lake_of(ctx).index_rows(tables, rows=most, epochs=epochs, told=lambda step: hint(ctx, step))
    report = {"tables": len(made.places["table"].unique()), "rows": len(made.vectors), "width": made.vectors.shape[1]}
    if as_json:
        write_json(report)
    else:
        click.echo(f"indexed {report['rows']:,} rows of {report['tables']:,} tables")


@rows.command("similar")
@click.argument("table", metavar="TABLE", required=False)
@click.option("--file", "file", type=path_type(exists=True), help="A file outside the lake, instead of TABLE.")
@click.option("--row", required=True, type=click.IntRange(min=0), help="The row's number, from 0.")
@click.option("-k", default=10, show_default=True, type=click.IntRange(min=1), help="How many at most.")
@click.option("--others", is_flag=True, help="Rows of other tables alone.")
@json_option
@click.pass_context
def similar(
    ctx: click.Context, table: str | None, file: Path | None, row: int, k: int, others: bool, as_json: bool
) -> None:
    """Rows that are like row ROW of TABLE, the likest first. The row itself need not be indexed.

    \b
    Example:
      tablelens rows similar world/countries --row 17 --others
      tablelens rows similar --file customers.csv --row 0
    """
    if (table is None) == (file is None):
        raise click.UsageError("name one table: TABLE of the lake, or --file")
    lake = lake_of(ctx)
    hits_found = lake.similar_rows(file or table, row, k=k, others=others)
    found = [(hit, lake.row(f"{hit.lake}:{hit.table}", hit.row)) for hit in hits_found]
    if as_json:
        hits: list[dict[str, Any]] = [
            {"table": hit.table, "row": hit.row, "similarity": hit.similarity, "values": values}
            for hit, values in found
        ]
        write_json({"query": {"table": table or str(file), "row": row}, "hits": hits})
        return
    show.table(
        ("table", "row", "similarity", "values"),
        [(hit.table, hit.row, f"{hit.similarity:.3f}", _said(values)) for hit, values in found],
        {1, 2}, {3},
    )  # fmt: skip


def _said(values: dict[str, Any]) -> str:
    return ", ".join(str(value) for value in values.values() if value not in (None, ""))
