"""Damaged files, given to the extension's reader under the address and undefined-behaviour sanitizers."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tablelens.sql.extension.build import SOURCES

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def fuzzer(extension, tmp_path_factory):
    """The reader with a program that damages files, under the sanitizers."""
    target = tmp_path_factory.mktemp("fuzz") / "fuzz"
    sources = [str(path) for path in SOURCES.glob("*.c") if not path.name.startswith(("tablelens", "sql_"))]
    flags = ["-std=gnu11", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wall", "-Wextra"]
    compiler = shutil.which("gcc") or shutil.which("cc")
    command = [
        compiler,
        *flags,
        f"-I{SOURCES}",
        f"-I{extension.parent}",
        "-o",
        str(target),
        str(HERE / "fuzz.c"),
        *sources,
    ]
    subprocess.run([*command, "-lm", "-lpthread"], check=True, capture_output=True)
    return target


@pytest.mark.parametrize("count", [100, pytest.param(3334, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_damaged_files_do_no_harm(fuzzer, crawl, tiny_lake, kind, kinds, count):
    """3,334 of each kind of index: 10,000 in all."""
    lake, report = crawl(tiny_lake, **kinds[kind])
    folder = lake.home / "index" / str(report.generation)
    lake.verdict("shop/orders.customer_id", "shop/customers.customer_id", True)
    lake.verdict("world/countries.iso2", "shop/customers.country", False)
    shutil.copy(lake.home / "verdicts.json", folder)
    done = subprocess.run([str(fuzzer), str(folder), str(count), "7"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "answered" in done.stdout
