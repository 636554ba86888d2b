"""Commands that tend the lake: crawl, status, doctor, gc, config, completion."""

from __future__ import annotations

import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from tablelens.catalog.store import Catalog
from tablelens.cli import show
from tablelens.cli.main import cli, given_settings, json_option, lake_of, path_type, write_json
from tablelens.errors import CatalogError, NoLake, TablelensError, UsageError
from tablelens.index import generation
from tablelens.lake import Lake
from tablelens.pipeline.build import collect
from tablelens.settings import Settings

PARTIAL = 5
JOIN_DISCOVERY = ("row_order", "join_relationship", "sample_fidelity", "determinism")
"""Properties of an encoder that finding joins leans on, as the probes mark them."""
BAD_VERDICTS = ("fail", "degenerate")


@cli.command()
@click.argument("path", type=path_type())
@click.option("--lake", "name", help="The lake's name [default: the folder's].")
@click.option("--encoder", help="Column encoder: static, or a sentence-transformers model or folder.")
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
        read = f"{report.read:,} files read, {report.skipped:,} unchanged, {report.removed:,} removed"
        click.echo(f"{report.tables:,} tables, {report.columns:,} columns ({read}) in {report.seconds:.1f} s")
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
    click.echo(f"would read {found['read']:,} files, skip {found['skipped']:,}, remove {found['removed']:,}")


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
    number = generation.current(lake.home)
    if number is None:
        raise NoLake(f"nothing has been crawled in {lake.home} yet", "tablelens crawl PATH")
    with Catalog(generation.catalog_of(lake.home, number), read_only=True) as catalog:
        rows = catalog.arrow(_STATUS[what or "lakes"]).to_pylist()
    if as_json:
        write_json({"home": str(lake.home), "generation": number, what or "lakes": rows})
        return
    if not rows:
        click.echo("none")
        return
    show.table(list(rows[0]), ([f"{v:,}" if isinstance(v, int) else v for v in row.values()] for row in rows))


@cli.command()
@click.argument("left", metavar="TABLE.COLUMN")
@click.argument("right", metavar="TABLE.COLUMN")
@click.option("--yes", "said", flag_value="yes", help="They join.")
@click.option("--no", "said", flag_value="no", help="They do not: never show it again.")
@click.option("--clear", "said", flag_value="clear", help="Take the verdict back.")
@click.option("--note", default="", help="Why.")
@json_option
@click.pass_context
def verdict(ctx: click.Context, left: str, right: str, said: str | None, note: str, as_json: bool) -> None:
    """Say whether two columns join. It outlives crawls, ranks at once, and is an example to train on.

    \b
    Example:
      tablelens verdict world/countries.iso2 world/admin1.country_code --yes
    """
    if said is None:
        raise UsageError("no verdict was given", "add --yes, --no or --clear")
    made = lake_of(ctx).verdict(left, right, {"yes": True, "no": False, "clear": None}[said], note)
    if as_json:
        write_json(show.verdict_document(made) | {"cleared": said == "clear"})
        return
    words = {"yes": "join", "no": "do not join", "clear": "have no verdict any more"}
    click.echo(show.safe(f"{left} and {right} {words[said]}"))


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
    "lakes": "SELECT lake, root, tables, columns, failed, crawled::VARCHAR AS crawled FROM lakes ORDER BY id",
    "tables": """SELECT lake, "table", format, rows, columns, array_to_string(warnings, '; ') AS warnings
        FROM tables ORDER BY ALL""",
    "failed": """SELECT l.lake, f.path, f.reason, f.error, f.attempts FROM files f
        JOIN lakes l ON l.id = f.lake_id WHERE reason <> '' ORDER BY l.lake, f.path""",
}


@cli.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check home, catalogue, index, encoder, disk and extras; exit code 6 where something is wrong.

    \b
    Example:
      tablelens doctor
    """
    lake = lake_of(ctx)
    checks = [
        ("settings", _check(lambda: f"{len(Settings.describe())} settings, home {lake.home}")),
        ("catalogue", _check(lambda: _catalogue(lake))),
        ("index", _check(lambda: f"generation {lake.view.generation.number}, {len(lake.view):,} columns")),
        ("encoder", _check(lambda: f"{lake.encoder.name}, {lake.encoder.dimension} dimensions, as the index says")),
        ("disk", _check(lambda: _disk(lake.home))),
        ("probes", _check(lambda: _probes(lake))),
        ("extra models", (True, _extra("sentence_transformers", "models"))),
    ]
    if as_json:
        write_json({"checks": [{"check": name, "ok": ok, "detail": detail} for name, (ok, detail) in checks]})
    else:
        show.table(
            ("", "check", ""), [("ok" if ok else "BAD", name, show.plain(text, 200)) for name, (ok, text) in checks]
        )
    ctx.exit(0 if all(ok for _, (ok, _) in checks) else 6)


def _check(look: Any) -> tuple[bool, str]:
    try:
        return True, look()
    except TablelensError as error:
        return False, str(error)


def _catalogue(lake: Lake) -> str:
    path = lake.home / "catalog.duckdb"
    if not path.exists():
        raise NoLake(f"no catalogue in {lake.home}", "tablelens crawl PATH")
    with Catalog(path, read_only=True) as catalog:
        found = catalog.arrow("SELECT count(*) AS n, count_if(reason <> '') AS bad FROM files").to_pylist()[0]
    return f"{found['n']:,} files, {found['bad']:,} of them not readable"


def _probes(lake: Lake) -> str:
    """What probes found of the encoder in use; a property that join discovery leans on is a warning, no error."""
    made = lake.view.generation.encoder
    with Catalog(lake.home / "catalog.duckdb", read_only=True) as catalog:
        found = catalog.probes(f"{made['revision']}/{made['template']}/{made['unit']}")
    known = {row["property"]: row for row in found if row["level"] == "column" and row["property"] in JOIN_DISCOVERY}
    bad = [f"{name} {row['verdict']}: {row['why']}" for name, row in known.items() if row["verdict"] in BAD_VERDICTS]
    if bad:
        return f"WARNING, the encoder {made['name']!r} may find joins badly: {'; '.join(bad)}"
    if len(known) < len(JOIN_DISCOVERY):
        return f"the encoder {made['name']!r} was not probed (tablelens probe run --models {made['name']})"
    return f"{len(known)} properties that join discovery leans on hold: {', '.join(known)}"


def _disk(home: Path) -> str:
    folder = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < 200 << 20:
        raise CatalogError(
            f"{free >> 20} MB are free where {home} lies", "make room: a crawl may not be able to commit"
        )
    return f"{free / 1e9:.1f} GB free"


def _extra(module: str, extra: str) -> str:
    return "installed" if find_spec(module) else f"not installed (pip install 'tablelens[{extra}]')"


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
    gone = f"{len(old)} generations and {spare} vectors of columns that are gone"
    click.echo(f"{'would remove' if dry_run else 'removed'} {gone}, generation {now} answers")


@cli.command()
@json_option
@click.pass_context
def config(ctx: click.Context, as_json: bool) -> None:
    """Each setting, its value, and where that came from.

    \b
    Example:
      TABLELENS_WORKERS=1 tablelens config
    """
    lake = lake_of(ctx)
    settings, origin = Settings.resolve(lake.home, None, given_settings(ctx))
    rows = [(name, getattr(settings, name), origin[name], text) for name, _, text in Settings.describe()]
    if as_json:
        found = {name: {"value": value, "origin": source} for name, value, source, _ in rows}
        write_json({"home": str(lake.home), "settings": found})
        return
    show.table(("setting", "value", "from", "what it does"), [(n, v, o, show.plain(t, 120)) for n, v, o, t in rows])


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """A script that completes commands and options in your shell.

    \b
    Example:
      tablelens completion bash >> ~/.bashrc
    """
    made = get_completion_class(shell)
    if made is None:
        raise UsageError(f"no completion for {shell!r}")
    click.echo(made(cli, {}, "tablelens", "_TABLELENS_COMPLETE").source())
