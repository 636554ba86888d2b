"""Commands that make encoders: train, models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from tablelens.cli import show
from tablelens.cli.main import cli, json_option, lake_of, write_json
from tablelens.encoders import encoder_names, models_of, trained_names
from tablelens.training.config import TrainConfig


def _train_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """One option for each setting of a training."""
    for knob in reversed(fields(TrainConfig)):
        choices = knob.metadata.get("choices")
        kind = click.Choice(choices) if choices else type(knob.default)
        option = click.option(
            f"--{knob.name}", type=kind, default=knob.default, show_default=True, help=knob.metadata["help"]
        )
        command = option(command)
    return command


@cli.command()
@click.argument("name")
@click.option(
    "--base",
    default="deepjoin-static",
    show_default=True,
    help="A shipped encoder, one of this home, a folder.",
)
@click.option("--fresh", is_flag=True, help="Forget the checkpoint of a run that was cut off.")
@_train_options
@json_option
@click.pass_context
def train(ctx: click.Context, /, name: str, base: str, fresh: bool, as_json: bool, **settings: Any) -> None:
    """Train a column encoder on the crawled lake and keep it as NAME.

    Pairs of columns that join are counted through the value arm; whole tables are kept aside to see what was learnt.
    The model is kept only if it ranks them better than its base does. Ctrl-C keeps the last checkpoint, and the same
    command goes on from there. Needs tablelens[models]; a static model that comes of it runs without.

    \b
    Example:
      tablelens train mine
      tablelens crawl data/ --encoder mine
    """
    lake = lake_of(ctx)
    quiet = ctx.obj["quiet"]

    def told(entry: dict[str, float]) -> None:
        if not quiet:
            click.echo("  ".join(f"{word} {value}" for word, value in entry.items()), err=True)

    config, bar = TrainConfig(**settings), None if quiet else show.Bar()
    report = lake.train(name, config, base=base, fresh=fresh, progress=bar, told=told)
    if as_json:
        write_json(report.as_dict())
        return
    before, after = report.state.base, report.state.best
    rows = [
        (word, f"{score.ndcg:.3f}", f"{score.precision:.3f}", f"{score.reranked:.3f}")
        for word, score in (("before", before), (f"step {report.state.best_step}", after))
    ]
    click.echo(f"{report.pairs:,} pairs of {report.columns:,} columns, {report.seconds:.0f} s: {report.folder}")
    show.table(("tables kept aside", "NDCG@10", "P@10", "P@10 of 200 re-ranked"), rows, range(1, 4))


@cli.command()
@json_option
@click.pass_context
def models(ctx: click.Context, as_json: bool) -> None:
    """Column encoders that are there by name: the shipped one, those of plug-ins, those trained in this home.

    \b
    Example:
      tablelens models
    """
    home = lake_of(ctx).home
    rows = [(name, "registered") for name in encoder_names()]
    rows += [(name, str(models_of(home) / name)) for name in trained_names(models_of(home))]
    if as_json:
        write_json({"models": [{"name": name, "where": where} for name, where in rows]})
        return
    show.table(("name", "where"), rows)
