"""The command that tries what the lake can add to a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pyarrow.parquet as pq

from tablelens.cli import show
from tablelens.cli.main import cli, hint, json_option, lake_of, path_type, write_json

if TYPE_CHECKING:
    from tablelens.augment.search import Augmentation


@cli.command()
@click.argument("table", metavar="TABLE", required=False)
@click.option("--file", "file", type=path_type(exists=True), help="A file outside the lake, instead of TABLE.")
@click.option("--target", required=True, metavar="COLUMN", help="The column that is to be predicted.")
@click.option("--metric", type=click.Choice(["auc", "accuracy", "r2", "spearman"]),
              help="spearman where a few giants outweigh all else.  [default: auc or r2, as fits]")  # fmt: skip
@click.option("--budget", default=5.0, show_default=True, type=click.FloatRange(min=0, min_open=True), help="Minutes.")
@click.option("--judge", type=click.Choice(["both", "trees"]), default="both", show_default=True,
              help="trees alone is much quicker; both asks TransTab too.")  # fmt: skip
@click.option("-k", default=10, show_default=True, help="Tables that are looked at for each column.")
@click.option("--out", type=path_type(), help="Folder for augmented.parquet, augmented.sql, lifts.svg and report.json.")
@json_option
@click.pass_context
def augment(
    ctx: click.Context,
    table: str | None,
    file: Path | None,
    target: str,
    metric: str | None,
    budget: float,
    judge: str,
    k: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Columns of the lake that help to predict a column of TABLE, proven by cross-validation.

    Nothing is recommended whose interval includes zero.

    \b
    Example:
      tablelens augment society/health_income --target health --judge trees
      tablelens augment --file customers.csv --target churned --budget 2
    """
    if (table is None) == (file is None):
        raise click.UsageError("name one table: TABLE of the lake, or --file")
    from tablelens.augment.report import document, picture  # scikit-learn and torch are imported by those who augment

    found = lake_of(ctx).augment(
        file or table, target, metric=metric, budget=60 * budget, rows=judge == "both", k=k,
        told=lambda step: hint(ctx, f"trying {step}"),
    )  # fmt: skip
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        pq.write_table(found.data, out / "augmented.parquet")
        (out / "augmented.sql").write_text(found.sql, encoding="utf-8")
        (out / "report.json").write_text(json.dumps(document(found), indent=1), encoding="utf-8")
        (out / "lifts.svg").write_text(picture(found), encoding="utf-8")
    if as_json:
        write_json(document(found))
    else:
        _print(found)


def _print(found: Augmentation) -> None:
    rows = []
    passed: dict[str, list[str]] = {}
    for trial in sorted(found.trials, key=lambda trial: -max([lift.mean for lift in trial.lifts.values()], default=-9)):
        start = (trial.hit.column.table, trial.column, f"{trial.matched:.0%}")
        rows += [
            (*start, judge, f"{lift.mean:+.3f}", f"{lift.low:+.3f} … {lift.high:+.3f}", "yes" if lift.sure else "no")
            for judge, lift in trial.lifts.items()
        ]
        if trial.reason:
            passed.setdefault(trial.reason, []).append(trial.hit.column.table)
    headings = ("table", "joined by", "matched", "judge", f"lift in {found.metric}", "interval", "above 0")
    show.table(headings, rows, {2, 4}, {0})
    click.echo()
    choices = [
        (outcome.name, *(f"{score:.3f}" for score in outcome.scores.values()), ", ".join(outcome.tables))
        for outcome in found.outcomes
    ]
    judges = tuple(found.outcomes[0].scores)
    show.table(("joined", *judges, "tables"), choices, range(1, 1 + len(judges)), {1 + len(judges)})
    for reason, names in passed.items():
        click.echo(f"{', '.join(map(show.safe, names))}: {show.safe(reason)}")
    for trial in found.trials:
        for why in trial.left_out.values():
            if "target" in why:
                click.echo(f"left out: {show.safe(why)}")
    click.echo(f"\n{found.sql}" if found.chosen else "nothing is recommended: no interval lies above zero")
