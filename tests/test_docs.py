"""The docs say what the code is: reference pages are fresh, nothing is left out, links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tablelens import errors
from tablelens.cli import ask, demo, measure, tend
from tablelens.cli.main import cli
from tablelens.contextualize.templates import TEMPLATES
from tablelens.discover.joins import MODES
from tablelens.settings import Settings

COMMANDS = (ask, demo, measure, tend)  # importing them registers the commands
ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_the_reference_is_fresh():
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "build_reference.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["crawl", "status", "joins", "search", "explain", "path", "preview", "doctor", "gc",
                                     "config", "demo", "bench", "completion"])  # fmt: skip
def test_every_command_has_a_heading_and_an_example(command):
    text = page("reference/cli.md").partition(f"\n## {command}\n")[2].partition("\n## ")[0]
    assert "Example:" in text


def test_every_setting_error_template_and_mode_is_named():
    assert all(f"`{name}`" in page("reference/settings.md") for name, _, _ in Settings.describe())
    codes = {cls.code for cls in vars(errors).values() if isinstance(cls, type) and hasattr(cls, "exit_code")}
    assert all(f"`{code}`" in page("reference/errors.md") for code in codes)
    assert all(f"`{name}`" in page("reference/templates.md") for name in TEMPLATES)
    assert all(f"`{mode}`" in page("explanation/how-it-works.md") for mode in MODES)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_commands_in_the_docs_exist():
    known = set(cli.list_commands(click.Context(cli)))
    for path in PAGES:
        for command in re.findall(r"^(?:    |\$ )tablelens ([a-z]+)", path.read_text(encoding="utf-8"), re.M):
            assert command in known, f"{path.name}: tablelens {command}"
