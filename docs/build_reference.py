"""Write docs/reference from the code; with --check, exit with 1 where a page is stale.

python docs/build_reference.py [--check]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import click

from tablelens import errors
from tablelens.cli import ask, demo, measure, tend
from tablelens.cli.main import cli
from tablelens.contextualize.templates import TEMPLATES, ColumnFacts, contextualize
from tablelens.settings import Settings

HERE = Path(__file__).parent / "reference"
COMMANDS = (ask, demo, measure, tend)  # importing them registers the commands
NOTE = "<!-- written by docs/build_reference.py -->\n\n"


def commands() -> str:
    """Each command with its help."""
    pages = [_help(cli, None, "tablelens")]
    parent = click.Context(cli, info_name="tablelens")
    for name in cli.list_commands(parent):
        command = cli.get_command(parent, name)
        assert command is not None
        pages.append(f"## {name}\n\n" + _help(command, parent, name))
    return "# Commands\n\n" + "\n".join(pages)


def _help(command: click.Command, parent: click.Context | None, name: str) -> str:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100, max_content_width=100)
    return f"```text\n{command.get_help(context)}\n```\n"


def settings() -> str:
    """Each setting with its default."""
    rows = [f"| `{name}` | `{default}` | {text} |" for name, default, text in Settings.describe()]
    return "# Settings\n\n| setting | default | what it does |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def error_codes() -> str:
    """Each error with code, exit code and meaning."""
    classes = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.TablelensError)]
    rows = [
        f"| `{cls.__name__}` | `{cls.code}` | {cls.exit_code} | {(cls.__doc__ or '').splitlines()[0]} |"
        for cls in classes
    ]
    head = '# Errors\n\nIn `--json` mode an error is `{"error": {"code", "message", "hint"}}`.\n\n'
    return head + "| class | code | exit code | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def templates() -> str:
    """Each template, filled."""
    cells = ["Apple", "GE", "Microsoft", "Yahoo!", "Amazon"]
    facts = ColumnFacts("Company", "Company information", cells, 5, (9, 2, 5.6), (1, 1, 1.0), "Firms of the USA.")
    rows = [f"| `{name}` | {contextualize(facts, name)} |" for name in TEMPLATES]
    return "# Templates\n\nDeepJoin's seven, for one column.\n\n| name | text |\n|---|---|\n" + "\n".join(rows) + "\n"


PAGES = {"cli.md": commands, "settings.md": settings, "errors.md": error_codes, "templates.md": templates}


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, page in PAGES.items():
        path, text = HERE / name, NOTE + page()
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not check:
            HERE.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"stale: {', '.join(stale)}; run python docs/build_reference.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
