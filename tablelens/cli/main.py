"""The command group, what all commands share, and how errors leave the program."""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from tablelens import __version__
from tablelens.cli import show
from tablelens.errors import TablelensError, UsageError
from tablelens.lake import Lake
from tablelens.settings import Settings, find_home

Command = TypeVar("Command", bound=Callable[..., Any])
PLUGINS = "tablelens.commands"
COMMANDS = ("tend", "ask", "tables", "check", "augment", "demo", "learn", "measure", "serve", "sql", "probe", "rows")
"""Modules of this folder that hold commands."""
PARTIAL = 5
"""Exit code: done, but for some files or lines."""
ORDER = (
    "demo",
    "crawl",
    "status",
    "search",
    "preview",
    "joins",
    "explain",
    "path",
    "verdict",
    "verdicts",
    "train",
    "models",
    "export",
    "serve",
    "keys",
    "forget",
)
"""Commands in the order of a user's day; the others follow."""


class Group(click.Group):
    """The group of all commands; those of plug-ins and of api/ and probes/ come by entry point."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, those of a user's day first."""
        own = sorted(self.commands, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
        return [*own, *sorted(entry.name for entry in entry_points(group=PLUGINS))]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """A command by its name."""
        if name in self.commands:
            return self.commands[name]
        found = [entry for entry in entry_points(group=PLUGINS) if entry.name == name]
        return found[0].load() if found else None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A reader that closes our pipe, as ``head`` does, has seen enough: that is no error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, or say which ones are near."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            guess = f"did you mean {near[0]!r}?" if near else "tablelens --help lists them"
            raise click.UsageError(f"no command {args[0]!r}: {guess}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--home", metavar="FOLDER", help="Where tablelens keeps its state [default: .tablelens, upward].")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="A setting for this call; see `config`.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no hints on stderr.")
@click.option("--traceback", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="tablelens")
@click.pass_context
def cli(ctx: click.Context, home: str | None, sets: tuple[str, ...], quiet: bool, traceback: bool) -> None:
    """Find which columns of a data lake join, by value and by meaning; prove it, explain it, and do the join.

    \b
    Example:
      tablelens crawl data/
      tablelens joins orders.customer_id
    """
    ctx.obj = {"home": home, "sets": sets, "quiet": quiet, "traceback": traceback}


def register() -> None:
    """Import the modules whose commands belong to the group."""
    for module in COMMANDS:
        import_module(f"tablelens.cli.{module}")


def main(args: Sequence[str] | None = None) -> None:
    """The console script."""
    arguments = list(sys.argv[1:] if args is None else args)
    try:
        register()
        sys.exit(cli.main(arguments, prog_name="tablelens", standalone_mode=False) or 0)
    except TablelensError as error:
        _leave(error, arguments)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _leave(UsageError(error.format_message(), _help_hint(error)), arguments)
    except (click.Abort, KeyboardInterrupt):
        _interrupted()
    except RuntimeError as error:
        if not isinstance(error.__cause__, KeyboardInterrupt):  # DuckDB's way to tell of Ctrl-C
            raise
        _interrupted()


def _interrupted() -> NoReturn:
    click.echo("interrupted: what was done is kept, the same command goes on from there", err=True)
    sys.exit(130)


def lake_of(ctx: click.Context) -> Lake:
    """The lake that the options before the command name."""
    home = home_of(ctx)
    return Lake(home, Settings.resolve(home, None, given_settings(ctx))[0])


def home_of(ctx: click.Context) -> Path:
    """The home that the options before the command name."""
    return find_home(ctx.obj["home"])


def given_settings(ctx: click.Context) -> dict[str, Any]:
    """What ``--set`` said."""
    return dict(setting.partition("=")[::2] for setting in ctx.obj["sets"])


def json_option(command: Command) -> Command:
    """``--json``: exactly one JSON document on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(command)


def write_json(document: Any) -> None:
    """One JSON document, a line, on stdout."""
    text = json.dumps(document, ensure_ascii=False, default=str)
    click.echo(text.encode("utf-8", "backslashreplace").decode())  # \udcff, of a broken name, is JSON too


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "table"), counted(1200, "row")
    ('1 table', '1,200 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def hint(ctx: click.Context, text: str) -> None:
    """A remark on stderr, unless it is to be quiet."""
    if not ctx.obj["quiet"]:
        click.echo(show.safe(text, "\n"), err=True)


def path_type(**options: Any) -> click.Path:
    """A path argument."""
    return click.Path(path_type=Path, **options)


def error_document(error: TablelensError) -> dict[str, Any]:
    """An error as JSON has it."""
    return {"error": {"code": error.code, "message": error.message, "hint": error.hint}}


def _help_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path} --help" if context is not None else "tablelens --help"


def _leave(error: TablelensError, arguments: Sequence[str]) -> None:
    if "--traceback" in arguments:
        raise error
    if "--json" in arguments:
        write_json(error_document(error))
    click.echo(show.safe(f"Error: {error}", "\n"), err=True)
    sys.exit(error.exit_code)
