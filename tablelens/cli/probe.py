"""Commands of ``tablelens probe``: run, list, report, compare."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tablelens.cli import show
from tablelens.cli.main import cli, hint, json_option, lake_of, path_type, write_json
from tablelens.errors import CatalogLocked, MissingExtra, UsageError

if TYPE_CHECKING:
    from tablelens.lake import Lake
    from tablelens.probes.results import Run

BROKEN = 6
CONTROLS = "bag-of-words,random,constant"
VERDICT_STYLE = {"pass": "green", "warn": "yellow", "fail": "red", "degenerate": "magenta"}


@cli.group()
def probe() -> None:
    """Whether a table embedding model deserves trust: the eight properties of Observatory, and more.

    \b
    Example:
      tablelens probe run --preset smoke
    """
    try:
        import scipy  # noqa: F401 - all probes need it
    except ImportError as error:
        raise MissingExtra.of("scipy", "probes", "tablelens probe") from error


@probe.command("run")
@click.option("--models", help=f"Models, commas between [default: the encoder in use,{CONTROLS}].")
@click.option("--properties", help="Properties, commas between [default: all].")
@click.option("--preset", type=click.Choice(["smoke", "standard", "full"]), default="standard", show_default=True)
@click.option("--lake", "name", help="Tables of this crawled lake, or `all` [default: those that come with tablelens].")
@click.option("--tables", type=click.IntRange(1), help="Take so many tables at most.")
@click.option("--rows", type=click.IntRange(1), help="Take so many rows of each at most.")
@click.option("--variants", type=click.IntRange(1), help="Try so many variants of each table at most.")
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True, help="Of all chance.")
@click.option("--fresh", is_flag=True, help="Measure anew what an earlier run measured.")
@click.option("--out", type=path_type(file_okay=False), help="Also write run.json, report.html and report.md here.")
@json_option
@click.pass_context
def probe_run(
    ctx: click.Context, models: str | None, properties: str | None, preset: str, name: str | None,
    tables: int | None, rows: int | None, variants: int | None, seed: int, fresh: bool, out: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Probe models and keep what is found; the same call goes on where it was cut off.

    Results are kept in the home and in its catalogue, vectors are kept by content.

    \b
    Example:
      tablelens probe run --models deepjoin-static,models/minilm --preset smoke --out report/
    """
    from tablelens.probes import registry
    from tablelens.probes import runner as runs

    lake = lake_of(ctx)
    names = _names(models or f"{lake.settings.encoder},{CONTROLS}")
    chosen = [registry.get_property(p) for p in _names(properties)] if properties else list(registry.PROPERTIES)
    budget = runs.PRESETS[preset]
    budget = replace(
        budget,
        tables=tables or budget.tables,
        rows=rows or budget.rows,
        variants=min(budget.variants, variants or budget.variants),
        most=variants or budget.most,
    )
    run = runs.run(
        registry.load_models(names, lake.settings),
        chosen,
        runs.choose(preset, budget, seed, lake.home, name),
        budget,
        preset=preset,
        seed=seed,
        folder=lake.home / "probes",
        fresh=fresh,
        progress=None if ctx.obj["quiet"] else show.Bar(),
    )
    _keep(ctx, lake, run, out)
    if as_json:
        write_json(run.document())
    else:
        _show(run)


@probe.command("list")
@json_option
@click.pass_context
def probe_list(ctx: click.Context, as_json: bool) -> None:
    """Properties, models and earlier runs.

    \b
    Example:
      tablelens probe list
    """
    from tablelens.probes import registry, store

    found = store.runs(lake_of(ctx).home)
    metas = [each.meta for each in registry.PROPERTIES]
    if as_json:
        rows = [
            {"id": m.id, "paper": m.paper, "title": m.title, "question": m.question, "levels": m.levels,
             "headline": m.headline, "measures": m.measures, "version": m.version, "reference": m.reference}
            for m in metas
        ]  # fmt: skip
        write_json({"properties": rows, "models": registry.model_names(), "runs": [path.stem for path in found]})
        return
    show.table(
        ("property", "", "levels", "question"),
        [(m.id, m.paper, ", ".join(m.levels), m.question) for m in metas],
        cut=(3,),
    )
    click.echo(f"\nmodels: {', '.join(registry.model_names())}, a folder, or a name of sentence-transformers")
    click.echo(f"runs: {', '.join(path.stem for path in found[-5:]) or 'none yet'}")


@probe.command("report")
@click.argument("run", required=False)
@click.option("--out", type=path_type(file_okay=False), default=Path("probe-report"), show_default=True)
@json_option
@click.pass_context
def probe_report(ctx: click.Context, run: str | None, out: Path, as_json: bool) -> None:
    """Write the report of a run (its id, its JSON file; default: the newest): HTML, Markdown and JSON.

    \b
    Example:
      tablelens probe report --out report/
    """
    from tablelens.probes import store

    written = store.publish(store.find(lake_of(ctx).home, run), out)
    if as_json:
        write_json({"written": [str(path) for path in written]})
        return
    for path in written:
        click.echo(path)


@probe.command("compare")
@click.argument("base")
@click.argument("head")
@click.option("--gate", "gate", type=path_type(dir_okay=False), help="Gates as TOML [default: no fall beyond 0.02].")
@click.option("--junit", type=path_type(dir_okay=False), help="Write the checks as JUnit XML into this file.")
@click.option("--markdown", type=path_type(dir_okay=False), help="Add them as Markdown to this file.")
@json_option
@click.pass_context
def probe_compare(
    ctx: click.Context,
    base: str,
    head: str,
    gate: Path | None,
    junit: Path | None,
    markdown: Path | None,
    as_json: bool,
) -> None:
    """Hold a run (id or JSON file) against an earlier one; exit code 6 where a gate is broken.

    A fall breaks a gate only where its whole interval, over the tables of both runs, lies beyond the margin.

    \b
    Example:
      tablelens probe compare base.json head.json --gate gates.toml --junit probes.xml
    """
    from tablelens.probes import gates, store

    home = lake_of(ctx).home
    checks = gates.compare(store.find(home, base), store.find(home, head), gates.read_gates(gate))
    if junit is not None:
        junit.write_text(gates.junit(checks), encoding="utf-8")
    if markdown is not None:
        with markdown.open("a", encoding="utf-8") as file:
            file.write(gates.markdown(checks))
    broken = [found for found in checks if found.broken]
    if as_json:
        write_json({"broken": len(broken), "checks": [asdict(found) for found in checks]})
    else:
        for found in broken:
            click.echo(show.safe(f"BROKEN {found.model} {found.property} {found.level}: {found.broken}"))
        click.echo(f"{len(checks) - len(broken)} of {len(checks)} gates hold")
    ctx.exit(BROKEN if broken else 0)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or len(set(names)) < len(names):
        raise UsageError(f"{text!r} names nothing, or something twice", "names with commas between, as static,constant")
    return names


def _keep(ctx: click.Context, lake: Lake, run: Run, out: Path | None) -> None:
    """Into the home, the catalogue and the folder asked for."""
    from tablelens.probes import catalog, store

    store.save(lake.home, run)
    try:
        if not catalog.keep(lake.home, run):
            hint(ctx, "queries see these results after the next crawl")
    except CatalogLocked as error:
        hint(ctx, f"not in the catalogue, only in {store.path_of(lake.home, run.id)}: {error.message}")
    for path in store.publish(run, out) if out is not None else ():
        hint(ctx, f"written: {path}")


def _show(run: Run) -> None:
    """The scorecard in a terminal."""
    from tablelens.probes.registry import get_property
    from tablelens.probes.report.markdown import applicable, find

    d = run.dataset
    click.secho(f"{d['tables']:,} tables, {d['columns']:,} columns of {d['name']}, run {run.id}", bold=True)
    rows: list[list[Any]] = []
    for question in applicable(run):
        meta = get_property(question[0]).meta
        results = [find(run, card, question) for card in run.models]
        rows.append([meta.paper, meta.id, question[1], *(_cell(found) for found in results)])
    show.table(("", "property", "level", *(card.name for card in run.models)), rows)
    click.echo()
    costs = [
        (
            c.name,
            "–" if c.ms_a_column is None else f"{c.ms_a_column:.2f}",
            f"{c.peak_mb:,.0f}",
            c.max_tokens or "no limit",
        )
        for c in run.models
    ]
    show.table(("model", "ms a column", "peak MB", "max tokens"), costs, (1, 2, 3))


def _cell(result: Any) -> Any:
    from rich.text import Text

    if result is None:
        return ""
    figure = result.figure()
    value = "" if figure is None or result.verdict == "not applicable" else f" {figure.value:.2f}"
    return Text(f"{result.verdict}{value}", style=VERDICT_STYLE.get(result.verdict, "dim"))
