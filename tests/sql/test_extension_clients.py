"""The extension in other clients: DuckDB 1.4 and 2.0, Node, a signed repository."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tablelens.sql.extension.build import footer
from tablelens.sql.extension.sign import publish

HERE = Path(__file__).parent
NODE = Path(sys.prefix) / "node"
"""Where `make` puts DuckDB's Node package."""


def test_footer():
    made = footer("linux_amd64")
    assert (len(made), made[:22], made[22 + 7 * 32 : 22 + 7 * 32 + 1]) == (
        534,
        b"\x00\x93\x04\x10duckdb_signature\x80\x04",
        b"4",
    )


@pytest.mark.parametrize("version", ["1.4", "2"])
def test_load_under_another_duckdb(extension, crawled, version):
    folder = Path(sys.prefix) / f"duckdb-{version}"
    if not folder.is_dir():
        pytest.skip(f"no DuckDB {version} in {folder}: make test installs it")
    command = [
        sys.executable,
        str(HERE / "sqllogic.py"),
        str(HERE / "joins.test"),
        str(crawled.home),
        "extension",
        str(extension),
    ]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=250
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_load_in_node(extension, crawled, tmp_path):
    if not (NODE / "node_modules").is_dir() or not shutil.which("node"):
        pytest.skip(f"no DuckDB for Node in {NODE}: make test installs it where npm is")
    program = """
        const { DuckDBInstance } = require('@duckdb/node-api');
        (async () => {
            const database = await DuckDBInstance.create(':memory:', { allow_unsigned_extensions: 'true' });
            const connection = await database.connect();
            await connection.run(`LOAD '${process.argv[2]}'`);
            await connection.run(`ATTACH '${process.argv[3]}' AS tablelens (READ_ONLY)`);
            const found = await connection.runAndReadAll(process.argv[4]);
            console.log(JSON.stringify(found.getRowsJson()));
        })();
    """
    (tmp_path / "ask.js").write_text(program)
    snapshot = f"{crawled.home}/catalog-{crawled.view.generation.number}.duckdb"
    asked = "SELECT \"table\", containment FROM tablelens.joins('shop/orders.customer_id', mode := 'equi')"
    environment = os.environ | {"NODE_PATH": str(NODE / "node_modules"), "TABLELENS_HOME": str(crawled.home)}
    command = ["node", str(tmp_path / "ask.js"), str(extension), snapshot, asked]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250)
    assert json.loads(done.stdout) == [["shop/customers.csv", 1]], done.stderr


def test_a_signed_repository_under_duckdb_2(extension, crawled, tmp_path):
    """As docs/how-to/ask-in-sql.md tells it, with a key of our own and default settings of DuckDB."""
    folder = Path(sys.prefix) / "duckdb-2"
    if not folder.is_dir() or not shutil.which("openssl"):
        pytest.skip("no DuckDB 2.0 or no openssl")
    repository = tmp_path / "repository"
    subprocess.run(["openssl", "genrsa", "-out", str(tmp_path / "key.pem"), "2048"], check=True, capture_output=True)
    publish(extension, tmp_path / "key.pem", repository, "v2.0.0")
    program = f"""
import duckdb, os, sys
connection = duckdb.connect(config={{"extension_directory": {str(tmp_path / "installed")!r}}})
for statement in (
    "SET allow_extension_repositories = 'allowed'",
    "CREATE EXTENSION REPOSITORY IF NOT EXISTS tablelens WITH PREFIX '{repository}'",
    "INSTALL tablelens FROM tablelens",
    "LOAD tablelens FROM tablelens",
):
    connection.execute(statement).fetchall()
print(connection.execute("SELECT tablelens_normalize('Straße')").fetchall())
sys.stdout.flush()
os._exit(0)
"""
    # DuckDB remembers a repository in the home folder of the user, which a test has to leave alone
    environment = os.environ | {"PYTHONPATH": str(folder), "TABLELENS_HOME": str(crawled.home), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=250)
    assert "[('strasse',)]" in done.stdout, done.stdout + done.stderr
