"""What stands in a lake is data: it never becomes markup, an escape sequence or a second line of an answer."""

import json
import unicodedata

import pytest

from tablelens.cli import show
from tablelens.testing import make_lake

EVIL = "[bold red]x[/]\x1b[31m\u202e\u200b\x07"
NAME = "evil [link=a]\x1b]0;title\x07\x1b[31m"


@pytest.fixture
def evil(run, tmp_path, home):
    """A lake whose names and cells all try something; a command that asks it."""
    cells = [f"{EVIL}{i}" for i in range(9)]
    folder = tmp_path / "lake"
    make_lake(folder, {f"{NAME}.csv": {f"{NAME}c": cells}, "b.csv": {f"{NAME}c": cells}, "c.csv": {"[/]": cells}})
    (folder / f"{NAME}.parquet").write_bytes(b"nothing")
    run("--home", home, "crawl", folder)
    return lambda *arguments: run("--home", home, *arguments)


def assert_harmless(text):
    loose = {letter for letter in text if letter != "\n" and unicodedata.category(letter) in ("Cc", "Cf")}
    assert not loose


@pytest.mark.parametrize(
    "command",
    [
        ["joins", f"b.{NAME}c"], ["explain", f"b.{NAME}c", "c.[/]"], ["search", "evil"], ["path", "b", "c"],
        ["preview", "b"], ["preview", NAME], ["status", "--tables"], ["status", "--failed"], [EVIL],
        ["joins", f"{NAME}.nothing"], ["preview", f"{NAME}x"], ["joins", f"b.{EVIL}"], ["--set", f"{NAME}=1", "status"],
    ],
)  # fmt: skip
def test_names_and_cells_are_shown_harmlessly(evil, command):
    done = evil(*command)
    assert "Traceback" not in done.err
    assert_harmless(done.out)
    assert_harmless(done.err)


def test_markup_is_shown_as_it_is(evil):
    assert "[bold red]x[/]" in evil("preview", "b").out
    assert "[link=a]" in evil("status", "--tables").out
    assert "[/]" in evil("preview", "c").out


def test_a_crawl_that_fails_tells_it_harmlessly(run, home, tmp_path, evil):
    done = run("--home", home, "crawl", tmp_path / "lake")
    assert done.code == 5
    assert_harmless(done.err)


def test_json_holds_the_text_as_it_is_in_one_line(evil):
    for command in (["joins", f"b.{NAME}c"], ["explain", f"b.{NAME}c", "c.[/]"], ["preview", "b"], ["path", "b", "c"]):
        done = evil(*command, "--json")
        assert done.out.count("\n") == 1
        assert "\x1b" not in done.out
        assert "\x1b" in json.dumps(done.document).encode().decode("unicode_escape")


def test_a_row_of_a_pipe_is_one_line(capsys):
    """Who pipes a table into grep or cut finds each name whole."""
    name = "a folder/" + "x" * 49
    show.table(("table", "rows", "columns"), [(name, 1, "y" * 60), ("b", 2, "z")], (1,), (2,))
    first, second = capsys.readouterr().out.splitlines()[1:]
    assert first.startswith(f"{name}     1  yyy")
    assert second.split() == ["b", "2", "z"]
