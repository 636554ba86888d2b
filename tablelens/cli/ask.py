"""Commands that ask: joins, search, explain, path."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import click
import pyarrow as pa
import pyarrow.parquet

from tablelens.cli import show
from tablelens.cli.main import PARTIAL, cli, error_document, hint, json_option, lake_of, path_type, write_json
from tablelens.discover.joins import MODES
from tablelens.discover.matching import MAPPING
from tablelens.discover.paths import JoinPath
from tablelens.discover.sql import file_literal
from tablelens.errors import TablelensError, UsageError
from tablelens.lake import Lake


@cli.command()
@click.argument("column", metavar="TABLE.COLUMN", required=False)
@click.option("--file", "file", type=path_type(exists=True), help="A file outside the lake that holds the column.")
@click.option("--column", "outside", metavar="NAME", help="The column of --file.")
@click.option("--key", metavar="A,B[,C]", help="Columns of TABLE, given in place of TABLE.COLUMN: a composite key.")
@click.option("--batch", type=click.File("r", encoding="utf-8"), help='NDJSON, {"table", "column"} a line; - is stdin.')
@click.option("-k", default=10, show_default=True, help="How many hits at most.")
@click.option("--mode", type=click.Choice(MODES), default="auto", show_default=True, help="How to find and rank.")
@click.option("--lake", help="Only columns of this lake.")
@click.option("--tables", metavar="GLOB", help="Only columns of tables that match.")
@click.option("--kind", help="Only columns of this kind (text, integer, identifier, …).")
@click.option("--per-table", type=int, help="At most this many hits a table.")
@click.option("--threshold", type=float, help="Least probability of a hit in mode auto.")
@click.option("--diversity", type=float, help="What it costs a hit to repeat values of one before it, 0 to 1.")
@json_option
@click.pass_context
def joins(
    ctx: click.Context,
    /,
    column: str | None,
    file: Path | None,
    outside: str | None,
    batch: TextIO | None,
    key: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Columns that join with TABLE.COLUMN, best first.

    TABLE is the path below the lake; its suffix may be left out. "none found" is an answer too.

    \b
    Example:
      tablelens joins world/countries.iso2
      tablelens joins --file my.csv --column country -k 5
      tablelens joins world/cities --key country_code,admin1_code
    """
    lake = lake_of(ctx)
    if key is not None:
        _by_key(lake, column, key, options, as_json=as_json, others=bool(file or outside or batch))
        return
    if batch is not None:
        if not as_json:
            raise UsageError("--batch answers in NDJSON", "add --json")
        if column or file or outside:
            raise UsageError("--batch has its columns in its file", "leave out TABLE.COLUMN, --file and --column")
        ctx.exit(PARTIAL if _batch(lake, batch, options) else 0)
    if (column is None) == (file is None) or (file is None) != (outside is None):
        raise UsageError("name one column: TABLE.COLUMN, or --file with --column", "tablelens joins --help")
    if file is not None and outside is not None:
        found = lake.joins_of_file(file, outside, **options)
    else:
        found = lake.joins(column, **options)
    if as_json:
        write_json(show.answer_document(found))
        return
    show.answer(found)
    if found.hits and column:
        hint(ctx, f"\nwhy, and the SQL: tablelens explain '{column}' '{found.hits[0].column}'")


def _by_key(lake: Lake, table: str | None, key: str, options: dict[str, Any], *, as_json: bool, others: bool) -> None:
    """Tables that match a composite key."""
    unfit = [name for name in ("kind", "per_table", "threshold", "diversity") if options.pop(name) is not None]
    if table is None or others or unfit or options.pop("mode") != "auto":
        raise UsageError(
            "--key takes TABLE, -k, --lake and --tables", "for example: tablelens joins world/cities --key country,year"
        )
    (columns,) = csv.reader([key], skipinitialspace=True)
    found = lake.composite_joins(table, columns, **options)
    if as_json:
        write_json(show.composite_document(found))
    else:
        show.composite(found)


def _batch(lake: Lake, lines: TextIO, options: dict[str, Any]) -> int:
    """Answer line by line; how many lines failed."""
    lake.view  # noqa: B018 - a missing or damaged index is one error, not one a line
    failed = 0
    for line in lines:
        if line.strip():
            answer = _answered(lake, line, options)
            failed += "error" in answer
            write_json(answer)
    return failed


def _answered(lake: Lake, line: str, options: dict[str, Any]) -> dict[str, Any]:
    """The answer to one line, or its error."""
    query: Any = line.rstrip("\n")
    try:
        query = json.loads(line)
        table, column = query["table"], query["column"]
    except (ValueError, KeyError, TypeError):
        error = UsageError(f"not a query: {line.strip()[:200]!r}", 'write {"table": "…", "column": "…"}, one a line')
        return {"query": query, **error_document(error)}
    try:
        place = lake.view.column(str(table), str(column))
        return show.answer_document(lake.joins_at(place, **options))
    except TablelensError as error:
        return {"query": {"table": table, "column": column}, **error_document(error)}


@cli.command()
@click.argument("words", nargs=-1, required=True)
@click.option("-k", default=10, show_default=True, help="How many tables at most.")
@json_option
@click.pass_context
def search(ctx: click.Context, words: tuple[str, ...], k: int, as_json: bool) -> None:
    """Tables by words, over titles, column names and values.

    \b
    Example:
      tablelens search airport codes
    """
    found = lake_of(ctx).search(" ".join(words), k=k)
    if as_json:
        hits = [{name: getattr(hit, name) for name in hit.__slots__} for hit in found]
        write_json({"query": " ".join(words), "hits": hits})
        return
    if not found:
        click.echo("none found")
        return
    rows = [(hit.table, f"{hit.rows:,}", ", ".join(hit.columns)) for hit in found]
    show.table(("table", "rows", "columns"), rows, numbers=(1,), cut=(2,))


@cli.command()
@click.argument("left", metavar="TABLE.COLUMN")
@click.argument("right", metavar="TABLE.COLUMN")
@click.option(
    "--map", "target", metavar="FILE.parquet", type=path_type(dir_okay=False), help="Write which cell stands for which."
)
@json_option
@click.pass_context
def explain(ctx: click.Context, left: str, right: str, target: Path | None, as_json: bool) -> None:
    """The evidence on one pair of columns, and the SQL of the join.

    Where values differ, cells are compared one by one: equal, transformed (zeros, prefixes, parts, accents …) or
    written alike. The SQL then applies the transformation, or joins over a mapping of cells.

    \b
    Example:
      tablelens explain world/countries.iso2 aviation/airports.iso_country
      tablelens explain finance/iso4217.ENTITY world/countries.country --map entities.parquet
    """
    lake = lake_of(ctx)
    found = lake.explain_at(lake.view.parse(left), lake.view.parse(right))
    hit = found.hit
    if target is not None:
        pairs = found.pairs.table if found.pairs is not None else lake.map_cells(left, right)
        hit = replace(hit, sql=_mapped(pairs, target, hit.sql))
    if as_json:
        query = lake.query(left)
        write_json({"query": {"table": query.table, "column": query.name}, **show.hit_document(hit)})
        return
    show.evidence(hit, left)


def _mapped(pairs: pa.Table, target: Path, sql: str) -> str:
    """Write pairs of cells into a file; the SQL then reads that file where it reads one."""
    if target.suffix.lower() != ".parquet":
        raise UsageError(f"cannot write {target.name!r}", "the file's name ends in .parquet")
    try:
        pyarrow.parquet.write_table(pairs, target)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror or error}", "choose another file") from error
    return sql.replace(f"read_parquet('{MAPPING}')", f"read_parquet({file_literal(str(target.absolute()))})")


@cli.command()
@click.argument("left", metavar="TABLE")
@click.argument("right", metavar="TABLE")
@click.option("--hops", default=3, show_default=True, help="At most this many joins.")
@click.option("-k", default=5, show_default=True, help="How many paths at most.")
@json_option
@click.pass_context
def path(ctx: click.Context, left: str, right: str, hops: int, k: int, as_json: bool) -> None:
    """Chains of joins from one table to another, the surest first.

    \b
    Example:
      tablelens path aviation/airports finance/currencies
    """
    found = lake_of(ctx).paths(left, right, hops=hops, k=k)
    if as_json:
        write_json({"query": {"left": left, "right": right}, "paths": [_path_document(each) for each in found]})
        return
    if not found:
        click.echo("none found")
    for each in found:
        click.echo(show.safe(f"{each.probability:.2f}  " + "  →  ".join(f"{s.left} = {s.right}" for s in each.steps)))
    if found:
        click.echo("\n" + show.safe(found[0].sql, "\n"))


def _path_document(found: JoinPath) -> dict[str, Any]:
    steps = [
        {
            "left": {"table": step.left.table, "column": step.left.column},
            "right": {"table": step.right.table, "column": step.right.column},
            "probability": step.probability,
            "containment": step.evidence.containment,
            "reverse_containment": step.evidence.reverse_containment,
            "cardinality": step.evidence.cardinality,
        }
        for step in found.steps
    ]
    return {"probability": found.probability, "steps": steps, "sql": found.sql, "notes": list(found.notes)}
