"""Commands that tend the lake: crawl, status, forget, gc."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from tablelens.catalog.store import Catalog
from tablelens.cli import show
from tablelens.cli.main import PARTIAL, cli, counted, hint, json_option, lake_of, path_type, write_json
from tablelens.crawl.walk import TEXT, WHOLE
from tablelens.errors import CatalogLocked, NoLake, UsageError
from tablelens.index import generation
from tablelens.lake import Lake
from tablelens.pipeline.build import collect

PASSED = {
    "symlink": ("symbolic link", ""),
    "special": ("name", " of pipes, sockets or devices"),
    "format": ("file", " of a format that is not read"),
}
"""What a crawl passes over by rule: a noun, and what is said after it."""


@cli.command()
@click.argument("path", type=path_type())
@click.option("--lake", "name", help="The lake's name [default: the folder's].")
@click.option("--encoder", help="Column encoder: deepjoin-static, or a sentence-transformers model or folder.")
@click.option("--refresh", type=click.Choice(["changed", "always"]), default="changed", show_default=True)
@click.option("--dry-run", is_flag=True, help="Say what would be read, and change nothing.")
@json_option
@click.pass_context
def crawl(
    ctx: click.Context, path: Path, name: str | None, encoder: str | None, refresh: Any, dry_run: bool, as_json: bool
) -> None:
    """Read what is new or changed below PATH, and index it.

    Unchanged files are skipped, vanished ones removed. A file that cannot be read is reported with its reason, the
    rest goes on, and the exit code is 5. Ctrl-C keeps what was done.

    \b
    Example:
      tablelens crawl data/ --lake shop
    """
    lake = lake_of(ctx)
    if encoder:
        lake.settings = replace(lake.settings, encoder=encoder)
    if dry_run:
        _dry_run(lake, path, name, as_json)
        return
    report = lake.crawl(path, name, refresh=refresh, progress=None if ctx.obj["quiet"] else show.Bar())
    if as_json:
        write_json(report.as_dict())
    else:
        read = f"{counted(report.read, 'file')} read, {report.skipped:,} unchanged, {report.removed:,} removed"
        size = f"{counted(report.tables, 'table')}, {counted(report.columns, 'column')}"
        click.echo(f"{size} ({read}) in {report.seconds:.1f} s")
        if report.passed:
            told = ", ".join(
                counted(count, PASSED[reason][0]) + PASSED[reason][1] for reason, count in report.passed.items()
            )
            click.echo(f"  passed over: {told}", err=True)
        elif not report.tables and not report.failed:
            hint(ctx, f"no tables below {path}: tablelens reads files that end in {', '.join((*TEXT, *WHOLE))}")
        for failed, reason in report.failed[:20]:
            click.echo(f"  not read: {show.plain(failed, 120).plain}: {reason}", err=True)
        if len(report.failed) > 20:
            click.echo(f"  … and {len(report.failed) - 20:,} more: tablelens status --failed", err=True)
    ctx.exit(PARTIAL if report.failed else 0)


def _dry_run(lake: Lake, path: Path, name: str | None, as_json: bool) -> None:
    plan = lake.plan(path, name)
    found = {"read": len(plan.read), "skipped": plan.kept, "removed": len(plan.vanished)}
    if as_json:
        write_json(found | {"files": [file.path for file, _ in plan.read]})
        return
    read = counted(found["read"], "file")
    click.echo(f"would read {read}, skip {found['skipped']:,}, remove {found['removed']:,}")


@cli.command()
@click.option("--tables", "what", flag_value="tables", help="List the tables.")
@click.option("--failed", "what", flag_value="failed", help="List the files that could not be read.")
@json_option
@click.pass_context
def status(ctx: click.Context, what: str | None, as_json: bool) -> None:
    """What is in the catalogue.

    \b
    Example:
      tablelens status --failed
    """
    lake = lake_of(ctx)
    rows = _latest(ctx, lake.home, what or "lakes")
    if as_json:
        write_json({"home": str(lake.home), "generation": generation.current(lake.home), what or "lakes": rows})
        return
    if not rows:
        click.echo("none")
        return
    numbers = [i for i, value in enumerate(rows[0].values()) if isinstance(value, int)]
    cells = ([f"{v:,}" if isinstance(v, int) else show.one_line(str(v)) for v in row.values()] for row in rows)
    show.table(list(rows[0]), cells, numbers)


def _latest(ctx: click.Context, home: Path, what: str) -> list[dict[str, Any]]:
    """Rows of the catalogue, or while a crawl is writing it of the snapshot that answers meanwhile."""
    if not (home / "catalog.duckdb").exists():
        raise NoLake(f"nothing has been crawled in {home} yet", "tablelens crawl PATH")
    try:
        with Catalog(home / "catalog.duckdb", read_only=True) as catalog:
            return list(catalog.arrow(_STATUS[what]).to_pylist())
    except CatalogLocked as error:
        number = generation.current(home)
        if number is None:
            raise
        hint(ctx, f"{error.message}; shown is what answers meanwhile")
        with Catalog(generation.catalog_of(home, number), read_only=True) as catalog:
            return list(catalog.arrow(_MEANWHILE[what]).to_pylist())


@cli.command()
@click.argument("left", metavar="TABLE.COLUMN")
@click.argument("right", metavar="TABLE.COLUMN")
@click.option("--yes", is_flag=True, help="They join.")
@click.option("--no", is_flag=True, help="They do not: never show it again.")
@click.option("--clear", is_flag=True, help="Take the verdict back.")
@click.option("--note", default="", help="Why.")
@json_option
@click.pass_context
def verdict(
    ctx: click.Context, left: str, right: str, yes: bool, no: bool, clear: bool, note: str, as_json: bool
) -> None:
    """Say whether two columns join. It outlives crawls, ranks at once, and is an example to train on.

    \b
    Example:
      tablelens verdict world/countries.iso2 world/admin1.country_code --yes
    """
    if yes + no + clear != 1:
        few = "more than one" if yes + no + clear else "no"
        raise UsageError(f"{few} verdict was given", "give one of --yes, --no and --clear")
    made = lake_of(ctx).verdict(left, right, None if clear else yes, note)
    if as_json:
        write_json(show.verdict_document(made) | {"cleared": clear})
        return
    words = "have no verdict any more" if clear else "join" if yes else "do not join"
    click.echo(show.safe(f"{left} and {right} {words}"))


@cli.command()
@json_option
@click.pass_context
def verdicts(ctx: click.Context, as_json: bool) -> None:
    """What people said of pairs of columns, the oldest first.

    \b
    Example:
      tablelens verdicts --json
    """
    found = lake_of(ctx).verdicts()
    if as_json:
        write_json({"verdicts": [show.verdict_document(each) for each in found]})
        return
    if not found:
        click.echo("none")
        return
    rows = [(".".join(e.left[1:]), ".".join(e.right[1:]), "yes" if e.joins else "no", e.decided, e.note) for e in found]
    show.table(("left", "right", "join", "decided", "note"), rows)


_STATUS = {
    "lakes": """SELECT l.name AS lake, l.root, (SELECT count(*) FROM tables t WHERE t.lake_id = l.id) AS tables,
        (SELECT count(*) FROM columns c WHERE c.lake_id = l.id) AS columns,
        (SELECT count(*) FROM files f WHERE f.lake_id = l.id AND reason <> '') AS failed,
        coalesce(strftime((SELECT max(finished_at) FROM crawls r WHERE r.lake_id = l.id), '%Y-%m-%dT%H:%M:%SZ'),
            'not finished') AS crawled
        FROM lakes l ORDER BY l.id""",
    "tables": """SELECT l.name AS lake, t.name AS "table", t.format, t.rows,
        (SELECT count(*) FROM columns c WHERE c.table_id = t.id) AS columns,
        array_to_string(t.warnings, '; ') AS warnings
        FROM tables t JOIN lakes l ON l.id = t.lake_id ORDER BY l.name, t.name""",
    "failed": """SELECT l.name AS lake, f.path, f.reason, f.error, f.attempts FROM files f
        JOIN lakes l ON l.id = f.lake_id WHERE reason <> '' ORDER BY l.name, f.path""",
}
_MEANWHILE = {
    "lakes": """SELECT lake, root, tables, columns, failed,
        coalesce(strftime(crawled, '%Y-%m-%dT%H:%M:%SZ'), 'not finished') AS crawled FROM lakes ORDER BY id""",
    "tables": """SELECT lake, "table", format, rows, columns, array_to_string(warnings, '; ') AS warnings
        FROM tables ORDER BY ALL""",
    "failed": """SELECT l.lake, f.path, f.reason, f.error, f.attempts FROM files f
        JOIN lakes l ON l.id = f.lake_id WHERE reason <> '' ORDER BY l.lake, f.path""",
}
"""The same of a snapshot, whose views have names of their own."""


@cli.command()
@click.option("--dry-run", is_flag=True, help="Say what would go, and keep it.")
@json_option
@click.pass_context
def gc(ctx: click.Context, dry_run: bool, as_json: bool) -> None:
    """Remove index generations, snapshots and vectors that nobody needs any more.

    \b
    Example:
      tablelens gc
    """
    lake = lake_of(ctx)
    if not (lake.home / "catalog.duckdb").exists():
        raise NoLake(f"nothing has been crawled in {lake.home} yet", "tablelens crawl PATH")
    keep = lake.settings.keep_generations
    now, old = generation.current(lake.home) or 0, generation.unneeded(lake.home, keep)
    with Catalog(lake.home / "catalog.duckdb") as catalog:  # no crawl may be writing a generation meanwhile
        spare = catalog.spare_vectors() if dry_run else catalog.forget_vectors()
    if not dry_run:
        old = collect(lake.home, keep)
    if as_json:
        write_json({"removed": old, "vectors": spare, "current": now, "dry_run": dry_run})
        return
    gone = f"{counted(len(old), 'generation')} and {counted(spare, 'vector')} of columns that are gone"
    click.echo(f"{'would remove' if dry_run else 'removed'} {gone}, generation {now} answers")


@cli.command()
@click.argument("name", metavar="LAKE")
@json_option
@click.pass_context
def forget(ctx: click.Context, name: str, as_json: bool) -> None:
    """Forget a lake and all that is known of it; its files stay.

    \b
    Example:
      tablelens forget shop
    """
    lake = lake_of(ctx)
    lake.forget(name, progress=None if ctx.obj["quiet"] else show.Bar())
    if as_json:
        write_json({"forgotten": name, "generation": generation.current(lake.home)})
        return
    click.echo(f"forgot lake {show.plain(name).plain}; its files are as they were")
