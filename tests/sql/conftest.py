import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tablelens.sql.extension.build import build

HERE = Path(__file__).parent
OTHER_DUCKDB = Path(sys.prefix) / "duckdb-2"
"""Where `make` puts the DuckDB that comes after ours."""


@pytest.fixture(scope="session")
def under_duckdb_2():
    """Run a script of this folder in a process of its own, under DuckDB 2.0; gives (exit code, output)."""
    if not OTHER_DUCKDB.is_dir():
        pytest.skip(f"no DuckDB 2.0 in {OTHER_DUCKDB}: make test installs it")

    def run(script, *arguments):
        command = [sys.executable, str(HERE / script), *map(str, arguments)]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": str(OTHER_DUCKDB)}, capture_output=True, text=True, timeout=120
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture(scope="session")
def extension(tmp_path_factory):
    """The extension, built here."""
    if not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("no C compiler is there")
    return build(tmp_path_factory.mktemp("extension"))


@pytest.fixture(autouse=True)
def home_of_the_process(monkeypatch):
    """What a test says of the home is forgotten after it."""
    monkeypatch.setenv("TABLELENS_HOME", "")
    monkeypatch.delenv("TABLELENS_HOME")
