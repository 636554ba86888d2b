"""The docs say what the code is: reference pages are fresh, nothing is left out, what a page shows happens.

Blocks that run, page by page from the top, in a folder that holds ``sample_lake`` and, unless the page's first command
crawls it, a home in which it was crawled:

- ``console``: each line after ``$`` is run. ``$ echo $?`` shows the exit code of the command before, which is 0 where
  the page does not say. Each line of output that the page shows must come, in the page's order; ``…`` stands for what
  it leaves out. Times and rates are masked, and so are the folders before ``sample_lake`` and the home.
- ``pycon``: a doctest; one namespace a page.
- ``python run``: a script.
- ``json FILE``, ``toml FILE`` and so on: the file is written.
"""

import contextlib
import doctest
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tablelens import errors
from tablelens.catalog.models import Base
from tablelens.cli import main
from tablelens.cli.main import cli, register
from tablelens.contextualize.templates import TEMPLATES
from tablelens.discover.joins import MODES
from tablelens.settings import Settings

register()
ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)(?: ([^\n`]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARYING = re.compile(r'\d[\d.,]*(?=(?: s|/s| MB/s| GB free)\b)|(?<="seconds": )[\d.]+')
FOR_A_SHELL = re.compile(r"[|<>;&*]|^(?!tablelens )")
REASON = re.compile(r'(?:(?:reason=|WorkFailure\(|else )"|, "(?=[a-z-]+"\)))([a-z0-9-]+)"')


def name_of(path):
    return str(path.relative_to(ROOT))


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


# what a page shows happens -------------------------------------------------------------------------------------------


def runnable(path):
    return re.search(r"^```(console|pycon|python run)$", path.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def crawled_home(tmp_path_factory):
    """A home in which the sample lake was crawled; to be copied."""
    home = tmp_path_factory.mktemp("docs") / "home"
    assert run_here(["--home", str(home), "-q", "crawl", str(ROOT / "sample_lake")])[0] == 0
    return home


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working folder with the sample lake in it."""
    for name in [name for name in os.environ if name.startswith("TABLELENS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample_lake").symlink_to(ROOT / "sample_lake")
    return tmp_path


@pytest.mark.parametrize("path", [path for path in PAGES if runnable(path)], ids=name_of)
def test_what_a_page_shows_happens(path, place, request):
    text = path.read_text(encoding="utf-8")
    first = re.search(r"^\$ .*", text, re.MULTILINE)
    if first is None or first[0] != "$ tablelens crawl sample_lake":
        shutil.copytree(request.getfixturevalue("crawled_home"), place / ".tablelens")
    names = {}
    for kind, argument, body in FENCE.findall(text):
        if kind == "console":
            run_console(body, place)
        elif kind == "pycon":
            run_session(body, names, path.name)
        elif (kind, argument) == ("python", "run"):
            exec(compile(body, path.name, "exec"), names)
        elif "." in argument:
            (place / argument).write_text(body, encoding="utf-8")


def run_console(block, place):
    code = 0
    for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = step.splitlines()
        if command == "echo $?":
            assert shown == [str(code)]
            code = 0
            continue
        assert code == 0, f"before {command!r}: exit code {code}, which the page does not show"
        code, output = run_in_shell(command) if FOR_A_SHELL.search(command) else run_here(shlex.split(command)[1:])
        assert_shown(shown, output, command, place)
    assert code == 0, f"exit code {code}, which the page does not show"


def assert_shown(shown, output, command, place):
    got = iter([stable(line, place) for line in output.splitlines()])
    for line in shown:
        if line.strip() not in ("", "…"):
            assert stable(line, place) in got, f"$ {command}\nshould show:\n{line}\nand says:\n{output}"


def stable(line, place):
    """A line less what differs from run to run and from machine to machine."""
    for folder in (place, ROOT):
        line = line.replace(f"{folder}/", "")
    return VARYING.sub("#", line.rstrip())


def run_here(arguments):
    """(exit code, output) of tablelens, in this process."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), pytest.raises(SystemExit) as left:
        main(arguments)
    return left.value.code, out.getvalue()


def run_in_shell(command):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command], env=os.environ | {"PATH": path}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.returncode, done.stdout.decode()


def run_session(body, names, name):
    said = []
    test = doctest.DocTestParser().get_doctest(body, names, name, None, 0)
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append, clear_globs=False)
    names.update(test.globs)
    assert not said, "".join(said)


# nothing is left out -------------------------------------------------------------------------------------------------


def test_the_reference_is_fresh():
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "build_reference.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", list(cli.commands))
def test_every_command_has_a_heading_and_an_example(command):
    text = page("reference/cli.md").partition(f"\n## {command}\n")[2].partition("\n## ")[0]
    assert "Example:" in text


def test_every_setting_error_template_and_mode_is_named():
    assert all(f"| `{name}` |" in page("reference/settings.md") for name, _, _ in Settings.describe())
    codes = {cls.code for cls in vars(errors).values() if isinstance(cls, type) and hasattr(cls, "exit_code")}
    assert all(f"| `{code}` |" in page("reference/errors.md") for code in codes)
    assert all(f"| `{name}` |" in page("reference/templates.md") for name in TEMPLATES)
    assert all(f"| `{mode}` |" in page("explanation/how-it-works.md") for mode in MODES)


def test_every_property_of_the_probes_has_a_heading():
    from tablelens.probes.registry import PROPERTIES

    assert [p.meta.id for p in PROPERTIES if f"\n## {p.meta.id}\n" not in page("reference/properties.md")] == []


def test_every_public_name_is_in_the_reference():
    import tablelens
    from tablelens.lake import Lake

    text = page("reference/python.md")
    assert all(f"`{name}`" in text for name in tablelens.__all__)
    methods = [name for name in vars(Lake) if not name.startswith("_")]
    assert [name for name in methods if f"| `{name}" not in text] == []


def test_every_table_and_column_of_the_catalogue_is_named():
    text = page("explanation/catalogue.md")
    for table in Base.metadata.sorted_tables:
        section = text.partition(f"\n### {table.name}\n")[2].partition("\n#")[0]
        assert [column.name for column in table.columns if f"`{column.name}`" not in section] == [], table.name


def test_every_reason_why_a_file_was_not_read_is_named():
    sources = [*(ROOT / "tablelens" / "crawl").glob("*.py"), *(ROOT / "tablelens" / "engines").glob("*.py")]
    found = {
        reason
        for path in sources
        for line in path.read_text(encoding="utf-8").splitlines()
        if "reason" in line or "WorkFailure(" in line or "UnreadableFile(" in line
        for reason in REASON.findall(line)
    }
    assert {"bomb", "timeout", "memory", "vanished", "no-table"} <= found
    assert [reason for reason in sorted(found) if f"`{reason}`" not in page("how-to/crawl-safely.md")] == []


# the pages hold together ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_page_is_in_the_index():
    index = page("README.md")
    pages = [name_of(path).removeprefix("docs/") for path in PAGES[1:]]
    assert [name for name in pages if f"({name})" not in index and name != "README.md"] == []


def test_commands_in_the_docs_exist():
    known = set(cli.list_commands(click.Context(cli)))
    for path in PAGES:
        for command in re.findall(r"^(?:    |\$ )tablelens ([a-z]+)", path.read_text(encoding="utf-8"), re.M):
            assert command in known, f"{path.name}: tablelens {command}"


def test_messages_that_troubleshooting_explains_are_said():
    """The longest part of each message, between what it is about, stands in the code."""
    folders = (ROOT / "tablelens", ROOT / "api")
    said = "".join(path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py"))
    said += " ".join(f"unknown {what}" for what in re.findall(r'\.among\("(\w+)"', said))
    for message in re.findall(r"^\| `([^`]+)` \|", page("troubleshooting.md"), re.MULTILINE):
        longest = max(re.split(r"'?…'?|\bN\b", message), key=len).strip()
        assert longest in said, message


def test_every_column_of_the_sql_views_is_named(crawled_home):
    import duckdb

    text = page("reference/sql.md")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{crawled_home}/catalog-1.duckdb' AS tablelens (READ_ONLY)")
        for view in ("lakes", "tables", "columns", "profiles", "joins_found", "probe_results"):
            row = re.findall(rf"^\| `{view}` \| (`.*) \|$", text, re.MULTILINE)[-1]
            said = re.findall(r'`"?(\w+)"?`', row)
            names = [name for name, *_ in connection.execute(f"DESCRIBE FROM tablelens.{view}").fetchall()]
            assert said == names
