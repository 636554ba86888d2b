"""The .test files, for every client that they hold for, under DuckDB 1.5 and 2.0."""

import importlib.util
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SPEC = importlib.util.spec_from_file_location("sqllogic", HERE / "sqllogic.py")
sqllogic = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(sqllogic)

CASES = [(path, client) for path in sorted(HERE.glob("*.test")) for client in sqllogic.clients_of(path)]
NAMES = [f"{path.stem}-{client}" for path, client in CASES]


@pytest.mark.parametrize(("path", "client"), CASES, ids=NAMES)
def test_under_this_duckdb(path, client, crawled, request):
    extension = request.getfixturevalue("extension") if client == "extension" else None
    connection = sqllogic.connect(crawled if client == "python" else crawled.home, client, extension)
    assert sqllogic.run(path, connection) == []
    connection.close()


@pytest.mark.parametrize(("path", "client"), CASES, ids=NAMES)
def test_under_duckdb_2(path, client, crawled, under_duckdb_2, request):
    extension = (request.getfixturevalue("extension"),) if client == "extension" else ()
    code, said = under_duckdb_2("sqllogic.py", path, crawled.home, client, *extension)
    assert code == 0, said
