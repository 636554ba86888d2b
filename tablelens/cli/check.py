"""Commands that look after tablelens itself: doctor, config, completion."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from tablelens.catalog.store import Catalog
from tablelens.cli import show
from tablelens.cli.main import cli, counted, given_settings, home_of, json_option, lake_of, write_json
from tablelens.encoders import load_encoder, models_of
from tablelens.errors import CatalogError, CatalogLocked, IndexFault, NoLake, NotFound, TablelensError, UsageError
from tablelens.lake import Lake
from tablelens.pipeline.drift import BEFORE, MAPPED
from tablelens.settings import Settings

JOIN_DISCOVERY = ("row_order", "join_relationship", "sample_fidelity", "determinism")
"""Properties of an encoder that finding joins leans on, as the probes mark them."""
BAD_VERDICTS = ("fail", "degenerate")


@cli.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check home, catalogue, index, encoder, disk and extras; exit code 6 where something is wrong.

    \b
    Example:
      tablelens doctor
    """
    home = home_of(ctx)
    lake = Lake(home, Settings())  # the index can be looked at whatever the settings are
    checks = [
        ("settings", _check(lambda: _settings(ctx))),
        ("catalogue", _check(lambda: _catalogue(home))),
        ("index", _check(lambda: _index(lake))),
        ("encoder", _check(lambda: _encoder(lake))),
        ("disk", _check(lambda: _disk(home))),
        ("probes", _check(lambda: _probes(lake))),
        ("extra models", (True, _extra("sentence_transformers", "models"))),
    ]
    if as_json:
        write_json({"checks": [{"check": name, "ok": ok, "detail": detail} for name, (ok, detail) in checks]})
    else:
        show.table(
            ("", "check", ""),
            [("ok" if ok else "BAD", name, show.plain(show.one_line(text), 200)) for name, (ok, text) in checks],
        )
    ctx.exit(0 if all(ok for _, (ok, _) in checks) else 6)


def _settings(ctx: click.Context) -> str:
    """The settings can be had, and the next crawl finds its encoder."""
    lake = lake_of(ctx)
    encoder = load_encoder(lake.settings.encoder, models_of(lake.home))
    _, origin = Settings.resolve(lake.home, None, given_settings(ctx))
    changed = [name for name, where in origin.items() if where != "default"]
    others = f"not as by default: {', '.join(changed)}" if changed else "all as by default"
    return f"home {lake.home}, encoder of crawls {encoder.name}, {others}"


def _index(lake: Lake) -> str:
    view = lake.view
    gone = [root for root in view.generation.roots.values() if not Path(root).exists()]
    if gone:
        raise NotFound(f"the lake's folder is gone: {gone[0]}", "bring it back, or `tablelens forget LAKE`")
    return f"generation {view.generation.number}, {counted(view.tables, 'table')}, {counted(len(view), 'column')}"


def _check(look: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, look()
    except TablelensError as error:
        return False, str(error)


def _catalogue(home: Path) -> str:
    path = home / "catalog.duckdb"
    if not path.exists():
        raise NoLake(f"no catalogue in {home}", "tablelens crawl PATH")
    try:
        with Catalog(path, read_only=True) as catalog:
            found = catalog.arrow("SELECT count(*) AS n, count_if(reason <> '') AS bad FROM files").to_pylist()[0]
    except CatalogLocked as error:
        return error.message  # a crawl is at work, and nothing is wrong
    return f"{counted(found['n'], 'file')}, {found['bad']:,} not readable"


def _encoder(lake: Lake) -> str:
    """The encoder of the index; with vectors that wait for it, how many."""
    encoder, made = lake.encoder, lake.view.generation.encoder
    said = f"{encoder.name}, {encoder.dimension} dimensions, as the index says"
    if waiting := made.get(MAPPED, 0):
        said += f"; {counted(waiting, 'vector')} mapped from {made[BEFORE]}: the next crawls encode them"
    return said


def _probes(lake: Lake) -> str:
    """What probes found of the encoder in use; a property that join discovery leans on is a warning, no error."""
    try:
        made = lake.view.generation.encoder
    except (IndexFault, NoLake):
        return "no index whose encoder could be looked up"
    try:
        with Catalog(lake.home / "catalog.duckdb", read_only=True) as catalog:
            found = catalog.probes(f"{made['revision']}/{made['template']}/{made['unit']}")
    except CatalogLocked as error:
        return error.message
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
