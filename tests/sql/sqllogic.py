"""Runs a .test file: statements and what they answer, in the manner of sqllogictest.

    # clients: attach python extension      where the file holds; all of them unless it says less
    statement ok
    CREATE TABLE mine AS SELECT 1 AS x

    statement error
    FROM tablelens.joins('no.such')
    ----
    unknown column 'no.such'

    query rowsort
    SELECT lake, "table" FROM tablelens.tables
    ----
    tiny	shop/orders.csv

Records are parted by empty lines; cells by tabs, NULL is NULL, a float is shown with four digits.

    python sqllogic.py FILE HOME CLIENT [EXTENSION]
"""

import os
import re
import sys
from pathlib import Path

CLIENTS = ("attach", "python", "extension")


def clients_of(path):
    named = re.search(r"^# clients: (.*)$", Path(path).read_text("utf-8"), re.MULTILINE)
    return tuple(named[1].split()) if named else CLIENTS


def connect(home, client, extension=None):
    import duckdb

    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"} if extension else {})
    if client == "python":
        from tablelens.sql import register

        register(connection, home)
        return connection
    if client == "extension":
        os.environ["TABLELENS_HOME"] = str(home)
        connection.execute(f"LOAD '{extension}'")
    number = (Path(home) / "CURRENT").read_text()
    connection.execute(f"ATTACH '{home}/catalog-{number}.duckdb' AS tablelens (READ_ONLY)")
    return connection


def run(path, connection):
    """Troubles of a file, as texts; none where all is as it says."""
    text = re.sub(r"^#.*\n", "", Path(path).read_text("utf-8"), flags=re.MULTILINE)
    troubles = []
    for record in filter(None, (part.strip("\n") for part in re.split(r"\n\s*\n", text))):
        head, _, rest = record.partition("\n")
        sql, _, wanted = rest.partition("\n----\n") if "\n----" in rest else (rest, "", "")
        trouble = check(connection, head.split(), sql.removesuffix("\n----"), wanted)
        if trouble:
            troubles.append(f"{Path(path).name}: {sql}\n{trouble}")
    return troubles


def check(connection, head, sql, wanted):
    try:
        rows = connection.execute(sql).fetchall()
    except Exception as error:
        said = str(error)
        return None if head == ["statement", "error"] and wanted and wanted in said else f"failed: {said}"
    if head == ["statement", "error"]:
        return f"should fail with: {wanted}"
    if head[0] != "query":
        return None
    shown = ["\t".join(map(cell, row)) for row in rows]
    if "rowsort" in head:
        shown, wanted = sorted(shown), "\n".join(sorted(wanted.split("\n")))
    return None if "\n".join(shown) == wanted else f"should be:\n{wanted}\nand is:\n" + "\n".join(shown)


def cell(value):
    if value is None:
        return "NULL"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    if sys.argv[3] == "python":  # the encoder of the tests, which needs no weights
        import tablelens.open_home
        from tablelens.testing import HashEncoder

        tablelens.open_home.load_encoder = lambda name, models=None: HashEncoder()
    found = run(sys.argv[1], connect(*sys.argv[2:]))
    sys.stdout.write("\n\n".join(found))
    sys.stdout.flush()
    os._exit(1 if found else 0)  # DuckDB 2.0.0 prints leaks of its own at exit
