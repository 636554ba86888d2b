"""crawl, status, doctor, gc, config, completion, help; homes and settings."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import tablelens.encoders
from tablelens.catalog.store import Catalog
from tablelens.index import generation
from tablelens.settings import Settings
from tablelens.testing import make_lake

WORDS = [f"word {i}" for i in range(9)]
TABLES = {"a.csv": {"x": WORDS, "n": range(9)}, "b.csv": {"x": WORDS}}


@pytest.fixture
def folder(tmp_path):
    return make_lake(tmp_path / "lake", TABLES)


@pytest.fixture
def tend(run, home):
    return lambda *arguments: run("--home", home, *arguments)


def test_crawl_for_programs(tend, folder):
    done = tend("crawl", folder, "--json")
    report = done.document
    assert done.code == 0
    assert {"tables", "columns", "skipped", "failed", "seconds"} <= report.keys()
    assert (report["tables"], report["columns"], report["read"], report["skipped"], report["failed"]) == (
        2,
        3,
        2,
        0,
        [],
    )
    assert (report["lake"], report["root"], report["generation"]) == ("lake", str(folder), 1)


def test_crawl_for_people(tend, folder):
    done = tend("crawl", folder)
    assert (done.code, done.out.startswith("2 tables, 3 columns (2 files read, 0 unchanged, 0 removed)")) == (0, True)
    assert "read: 2" in done.err
    assert tend("-q", "crawl", folder).err == ""


def test_some_files_failed(tend, folder):
    (folder / "bad.parquet").write_bytes(b"nothing")
    done = tend("crawl", folder)
    assert done.code == 5
    assert "not read: bad.parquet" in done.err
    done = tend("crawl", folder, "--json")
    assert (done.code, [each["path"] for each in done.document["failed"]]) == (5, ["bad.parquet"])
    assert "bad.parquet" in tend("status", "--failed").out
    assert tend("status", "--failed", "--json").document["failed"][0]["path"] == "bad.parquet"


def test_dry_run_changes_nothing(tend, folder, home):
    done = tend("crawl", folder, "--dry-run", "--json")
    assert done.document == {"read": 2, "skipped": 0, "removed": 0, "files": ["a.csv", "b.csv"]}
    assert tend("crawl", folder, "--dry-run").out == "would read 2 files, skip 0, remove 0\n"
    assert not home.exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["/no/such/folder"], 3), ([], 2), ([".", "--refresh", "never"], 2), ([".", "--encoder", "no such"], 3)],
)
def test_crawl_errors(tend, home, arguments, code):
    done = tend("crawl", *arguments, "--json")
    assert (done.code, done.document.keys()) == (code, {"error"})


def test_a_path_that_is_mistyped_is_no_lake(tend, folder, home):
    assert tend("crawl", folder / "nothing").code == 3
    assert not home.exists()
    tend("crawl", folder)
    assert tend("crawl", folder / "nothing").code == 3
    assert [lake["lake"] for lake in tend("status", "--json").document["lakes"]] == ["lake"]


def test_a_folder_without_tables_is_said_so(tend, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "read.txt").write_text("no table")
    done = tend("crawl", tmp_path / "notes")
    assert (done.code, done.out.startswith("0 tables")) == (0, True)
    assert ".csv" in done.err
    assert tend("-q", "crawl", tmp_path / "notes").err == ""


def test_status(tend, folder):
    assert tend("crawl", folder, "--lake", "shop").code == 0
    assert "shop" in tend("status").out
    (lake,) = tend("status", "--json").document["lakes"]
    assert (lake["lake"], lake["tables"], lake["columns"], lake["failed"]) == ("shop", 2, 3, 0)
    crawled = datetime.fromisoformat(lake["crawled"])
    assert timedelta(0) <= datetime.now(UTC) - crawled < timedelta(minutes=5)
    assert [table["table"] for table in tend("status", "--tables", "--json").document["tables"]] == ["a.csv", "b.csv"]
    assert tend("status", "--failed").out == "none\n"


def test_status_while_a_crawl_is_writing(tend, folder, home):
    tend("crawl", folder)
    with Catalog(home / "catalog.duckdb"):
        done = program("--home", home, "status", "--json")
    assert (done.returncode, json.loads(done.stdout)["lakes"][0]["tables"]) == (0, 2)
    assert b"is being written by process" in done.stderr


def test_status_after_a_crawl_that_was_cut_off(tend, folder, home):
    with Catalog(home / "catalog.duckdb") as catalog:
        catalog.begin_crawl(catalog.lake("lake", str(folder)))
    (lake,) = tend("status", "--json").document["lakes"]
    assert (lake["tables"], lake["crawled"]) == (0, "not finished")


def test_what_a_crawl_was_given_is_remembered(tend, folder, home, monkeypatch):
    """The next crawl, and preview, go by it; a file or an argument overrules it; so does the default, if given."""
    (folder / "c.csv").write_text("2024-01-05,17\n2024-01-06,19\n2024-01-07,23\n")
    assert tend("--set", "header=auto", "crawl", folder).code == 0
    assert tend("preview", "c", "--json").document["columns"] == ["column_1", "column_2"]
    assert setting(tend, "header") == ("auto", str(home / "remembered.toml"))
    assert tend("crawl", folder, "--json").document["read"] == 0
    assert tend("--set", "header=first", "crawl", folder, "--json").document["read"] == 3
    assert tend("crawl", folder, "--json").document["read"] == 0
    assert setting(tend, "header") == ("first", "default")
    tend("--set", "header=auto", "crawl", folder)
    (home.parent / "tablelens.toml").write_text("header = 'first'\n")
    assert setting(tend, "header") == ("first", str(home.parent / "tablelens.toml"))


def test_an_encoder_in_a_folder_is_found_from_elsewhere(tend, folder, home, tmp_path, monkeypatch):
    monkeypatch.delenv("TABLELENS_ENCODER")
    weights = Path(tablelens.encoders.__file__).parent / "deepjoin"
    (tmp_path / "mine").symlink_to(weights)
    monkeypatch.chdir(tmp_path)
    assert tend("crawl", folder, "--encoder", "mine").code == 0
    monkeypatch.chdir(home)
    assert tend("joins", "a.x", "--json").document["hits"]
    assert tend("crawl", folder, "--json").document["generation"] == 1
    assert tend("doctor").code == 0


def test_forget(tend, folder, tmp_path):
    other = make_lake(tmp_path / "other", {"c.csv": {"x": WORDS}})
    tend("crawl", folder)
    tend("crawl", other)
    assert {hit["lake"] for hit in tend("joins", "a.x", "--json").document["hits"]} == {"lake", "other"}
    assert tend("forget", "other").out == "forgot lake other; its files are as they were\n"
    assert {hit["lake"] for hit in tend("joins", "a.x", "--json").document["hits"]} == {"lake"}
    assert (other / "c.csv").exists()
    error = tend("forget", "other", "--json").document["error"]
    assert (error["code"], "tablelens status" in error["hint"]) == ("unknown_lake", True)
    assert tend("forget", "lake", "--json").document == {"forgotten": "lake", "generation": 4}
    assert tend("status").out == "none\n"
    assert tend("joins", "a.x").code == 3
    assert tend("crawl", folder).code == 0


def test_doctor_finds_bad_settings_and_lost_folders(tend, folder, home, monkeypatch):
    tend("crawl", folder)
    (home.parent / "tablelens.toml").write_text("template = 'nonsense'\n")
    checks = {check["check"]: check for check in tend("doctor", "--json").document["checks"]}
    assert "it may be col," in checks["settings"]["detail"]
    assert [name for name, check in checks.items() if not check["ok"]] == ["settings"]
    (home.parent / "tablelens.toml").write_text("encoder = 'nonsense'\n")
    monkeypatch.delenv("TABLELENS_ENCODER")
    assert tend("doctor").code == 6
    (home.parent / "tablelens.toml").unlink()
    shutil.move(folder, home.parent / "elsewhere")
    done = tend("doctor", "--json")
    assert [check["check"] for check in done.document["checks"] if not check["ok"]] == ["index"]
    assert "tablelens forget" in done.out


def test_errors_in_tables_take_one_line(tend, folder):
    assert "no catalogue in" in (said := tend("doctor").out)
    assert ". Hint: " in said
    assert "\ufffd" not in said


def test_doctor(tend, folder, home):
    assert tend("doctor").code == 6
    tend("crawl", folder)
    done = tend("doctor", "--json")
    assert done.code == 0
    assert all(check.keys() == {"check", "ok", "detail"} and check["ok"] for check in done.document["checks"])
    (generation.folder_of(home, 1) / "values.npy").unlink()
    done = tend("doctor", "--json")
    assert (done.code, [check["check"] for check in done.document["checks"] if not check["ok"]]) == (
        6,
        ["index", "encoder"],
    )
    assert "BAD" in tend("doctor").out
    assert tend("joins", "a.x").code == 8


def test_gc(tend, folder, home):
    for _ in range(2):
        tend("crawl", folder, "--refresh", "always")
    done = tend("--set", "keep_generations=1", "gc", "--dry-run", "--json")
    assert done.document == {"removed": [1], "vectors": 0, "current": 2, "dry_run": True}
    assert list(generation.generations(home)) == [1, 2]
    assert tend("--set", "keep_generations=1", "gc", "--json").document["removed"] == [1]
    assert list(generation.generations(home)) == [2]
    assert tend("joins", "a.x", "--json").document["hits"]


def test_gc_lets_go_of_vectors_of_columns_that_are_gone(tend, folder):
    for word in ("one", "another"):
        (folder / "a.csv").write_text("other\n" + "\n".join(f"{word} {i}" for i in range(9)))
        tend("crawl", folder)
    assert tend("gc", "--dry-run", "--json").document["vectors"] == 1
    assert "1 vector of" in tend("gc").out
    assert tend("gc", "--json").document["vectors"] == 0


def test_verdicts(tend, folder):
    tend("crawl", folder)
    assert tend("verdicts").out == "none\n"
    assert tend("verdict", "a.x", "b.x").code == 2
    assert tend("verdict", "a.x", "b.x", "--yes", "--no").code == 2
    assert tend("verdict", "a.x", "b.x", "--no", "--note", "two lists").out == "a.x and b.x do not join\n"
    (said,) = tend("verdicts", "--json").document["verdicts"]
    assert (said["left"]["table"], said["right"]["column"], said["joins"]) == ("a.csv", "x", False)
    assert "two lists" in tend("verdicts").out
    assert tend("joins", "a.x", "--json").document["hits"] == []
    assert tend("verdict", "b.x", "a.x", "--clear", "--json").document["cleared"] is True
    assert tend("verdict", "b.x", "a.x", "--clear").code == 2
    assert len(tend("joins", "a.x", "--json").document["hits"]) == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(tend, shell):
    done = tend("completion", shell)
    assert (done.code, "tablelens" in done.out) == (0, True)


def test_help(run):
    assert "crawl" in run("--help").out
    for group in ((), ("keys",), ("rows",), ("probe",)):
        done = run(*group)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("Usage: tablelens")
    assert run("--version").out == "tablelens, version 0.1.0\n"


def commands():
    from tablelens.cli.main import cli, register

    register()
    return sorted(cli.commands)


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_with_an_example(run, command):
    done = run(command, "--help")
    assert done.code == 0
    assert "Example:\n" in done.out
    assert f"tablelens {command}" in done.out.partition("Example:")[2] or "TABLELENS" in done.out


# settings ---------------------------------------------------------------------------------------------------------


def setting(tend, name, *arguments):
    found = tend(*arguments, "config", "--json").document["settings"][name]
    return found["value"], found["origin"]


def test_precedence_and_origin(tend, home, monkeypatch):
    assert setting(tend, "candidates") == (200, "default")
    project, own = home.parent / "pyproject.toml", home.parent / "tablelens.toml"
    project.write_text("[tool.tablelens]\ncandidates = 11\ncells = 16\n[tool.other]\nx = 1\n")
    assert setting(tend, "candidates") == (11, str(project))
    own.write_text("candidates = 12\n")
    assert setting(tend, "candidates") == (12, str(own))
    assert setting(tend, "cells") == (16, str(project))
    monkeypatch.setenv("TABLELENS_CANDIDATES", "13")
    assert setting(tend, "candidates") == (13, "$TABLELENS_CANDIDATES")
    assert setting(tend, "candidates", "--set", "candidates=14") == (14, "argument")


def test_config_lists_every_setting(tend):
    assert tend("config", "--json").document["settings"].keys() == {name for name, _, _ in Settings.describe()}
    assert all(name in tend("config").out for name, _, _ in Settings.describe())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("candidates = 'many'", "'many', not int"), ("candidates = 0", "the least it may be is 1"),
        ("x = 1", "unknown setting 'x'"),
        ("candidates = true", "True, not int"), ("candidates = 1.5", "1.5, not int"), ("threshold = nan", "nan"),
        ("no toml", "cannot read settings"), ("candidates = [1]", "not int"), ("candidates = inf", "not int"),
    ],
)  # fmt: skip
def test_bad_settings_say_where_they_are(tend, home, text, words):
    path = home.parent / "tablelens.toml"
    path.write_text(text)
    done = tend("config", "--json")
    assert (done.code, done.document["error"]["code"]) == (2, "setting")
    assert words in done.document["error"]["message"]
    assert str(path) in done.document["error"]["message"]


def test_other_variables_are_not_ours(tend, monkeypatch):
    monkeypatch.setenv("TABLELENS_NOTHING", "x")
    monkeypatch.setenv("TABLELENS_HOME", "/elsewhere")
    assert tend("config").code == 0


# homes ------------------------------------------------------------------------------------------------------------


def where(run, *arguments):
    return Path(run(*arguments, "config", "--json").document["home"])


def test_the_home_is_the_one_given_then_the_variable_then_the_nearest_upward(run, tmp_path, monkeypatch):
    monkeypatch.delenv("TABLELENS_HOME", raising=False)
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert where(run) == deep / ".tablelens"
    (tmp_path / ".tablelens").mkdir()
    assert where(run) == tmp_path / ".tablelens"
    (tmp_path / "a" / ".tablelens").mkdir()
    assert where(run) == tmp_path / "a" / ".tablelens"
    monkeypatch.setenv("TABLELENS_HOME", str(tmp_path / "set"))
    assert where(run) == tmp_path / "set"
    assert where(run, "--home", "here") == deep / "here"


# the real program -------------------------------------------------------------------------------------------------


def program(*arguments, **options):
    command = [Path(sys.executable).with_name("tablelens"), *arguments]
    pipes = {"capture_output": True} | options
    return subprocess.run(list(map(str, command)), timeout=250, **pipes)


def test_the_console_script(folder, home):
    done = program("--home", home, "crawl", folder, "--json")
    assert (done.returncode, json.loads(done.stdout)["tables"]) == (0, 2)
    done = program("--home", home, "joins", "a.x", "--json")
    assert json.loads(done.stdout)["hits"][0]["table"] == "b.csv"
    assert done.stderr == b""
    done = program("--home", home, "joins", b"\xff\xfe.x".decode("utf-8", "surrogateescape"), "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (3, "unknown_table")


def test_ctrl_c_while_the_program_is_loaded_shows_no_traceback():
    code = """
import sys

class Interrupted:
    def find_spec(name, *_):
        if name == "tablelens.lake":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted)
import tablelens.cli
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=250)
    assert (done.returncode, done.stderr) == (130, b"")


def test_ctrl_c_while_the_commands_are_loaded_shows_no_traceback(run, monkeypatch):
    def stopped():
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["tablelens.cli.main"], "register", stopped)
    done = run("status")
    assert (done.code, done.err.startswith("interrupted")) == (130, True)


def test_ctrl_c_that_duckdb_tells_of_shows_no_traceback(tend, monkeypatch):
    def stopped(*_):
        raise RuntimeError("Query interrupted") from KeyboardInterrupt()

    monkeypatch.setattr("tablelens.lake.Lake.verdicts", stopped)
    done = tend("verdicts")
    assert (done.code, done.err.startswith("interrupted")) == (130, True)


def test_a_reader_that_went_away_is_no_error(tend, folder, home):
    tend("crawl", folder)
    for command in (["status", "--json"], ["preview", "a"], ["config"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = program("--home", home, *command, capture_output=False, stdout=writing, stderr=subprocess.PIPE)
        os.close(writing)
        assert (done.returncode, done.stderr) == (0, b""), command


@pytest.mark.slow
def test_previews_end_well_many_at_once(tend, folder, home):
    """Arrow's thread that reads ahead may be the last to hold a file's bytes, when the interpreter already ends."""
    tend("crawl", folder)
    with ThreadPoolExecutor(6) as pool:
        codes = set(pool.map(lambda _: program("--home", home, "preview", "a").returncode, range(200)))
    assert codes == {0}
