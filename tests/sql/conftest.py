import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tablelens.sql.extension.build import build
from tablelens.testing import make_lake

HERE = Path(__file__).parent
OTHER_DUCKDB = Path(sys.prefix) / "duckdb-2"
"""Where `make` puts the DuckDB that comes after ours."""
KINDS = {
    "exact": {},
    "hnsw": {"exact_search_below": 0},
    "ivf": {"exact_search_below": 0, "graph_search_below": 0},
}
"""Settings that give each kind of index."""


@pytest.fixture(scope="session")
def under_duckdb_2():
    """Run a script of this folder in a process of its own, under DuckDB 2.0; gives (exit code, output)."""
    if not OTHER_DUCKDB.is_dir():
        pytest.skip(f"no DuckDB 2.0 in {OTHER_DUCKDB}: make test installs it")

    def run(script, *arguments):
        command = [sys.executable, str(HERE / script), *map(str, arguments)]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": str(OTHER_DUCKDB)}, capture_output=True, text=True, timeout=250
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture(scope="session")
def extension(tmp_path_factory):
    """The extension, built here."""
    if not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("no C compiler is there")
    return build(tmp_path_factory.mktemp("extension"))


@pytest.fixture
def attached(extension):
    """Opens a DuckDB with the extension, and the snapshot of a lake."""

    def attach(lake, **config):
        os.environ["TABLELENS_HOME"] = str(lake.home)
        connection = duckdb.connect(config={"allow_unsigned_extensions": "true"} | config)
        connection.execute(f"LOAD '{extension}'")
        number = lake.view.generation.number
        connection.execute(f"ATTACH '{lake.home}/catalog-{number}.duckdb' AS tablelens (READ_ONLY)")
        return connection

    return attach


@pytest.fixture(scope="session")
def kinds():
    return KINDS


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="session")
def lake_folder(tmp_path_factory):
    """Tables of shared, perturbed and unrelated columns: names, codes, numbers, dates, a column beyond the sketch."""
    chance, tables = random.Random(5), {}
    names = [
        f"{a}{b}" for a in ("Nor", "Sud", "Ost", "West", "Mittel") for b in ("burg", "heim", "tal", "au", "see", "dorf")
    ]
    for number in range(16):
        some = chance.sample(names, chance.randint(8, 25))
        rows = [chance.choice(some) for _ in range(60)]
        tables[f"t{number}.csv"] = {
            chance.choice(["town", "townName", "place_name", "x"]): rows,
            "code": [f"K-{chance.randint(0, 400):03}" for _ in rows],
            "amount": [chance.randint(0, 500) for _ in rows],
            "day": [f"2024-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}" for _ in rows],
        }
    # names and codes of towns, side by side in two tables: bridges
    codes = {name: f"{name[:2].upper()}{i:02}" for i, name in enumerate(names)}
    for bridge, some in (("towns.csv", names), ("places.tsv", names[:20])):
        tables[bridge] = {"town": some, "short": [codes[name] for name in some], "rank": list(range(len(some)))}
    for number in range(5):
        some = chance.sample(names, 12)
        tables[f"trips{number}.csv"] = {
            "to": [codes[name] for name in some * 3],
            "km": [chance.random() for _ in some * 3],
        }
    tables["long.csv"] = {"id": [f"L{i}" for i in range(3000)]}
    tables["longer.csv"] = {"id": [f"L{i}" for i in range(1000, 5000)]}
    return make_lake(tmp_path_factory.mktemp("lakes") / "many", tables)


@pytest.fixture(autouse=True)
def home_of_the_process(monkeypatch):
    """What a test says of the home is forgotten after it."""
    monkeypatch.setenv("TABLELENS_HOME", "")
    monkeypatch.delenv("TABLELENS_HOME")
