"""The SQL of a pair of columns: the same text from Python, command line, REST and SQL, with and without an index."""

import itertools
import json
import os
from pathlib import Path

import duckdb
import pytest
from litestar.testing import TestClient
from tablelens.api import create_app

from tablelens.cli import main
from tablelens.engines.base import InlineEngine
from tablelens.lake import Lake
from tablelens.settings import Settings
from tablelens.sql import register
from tablelens.testing import make_lake

ROOT = Path(__file__).parent.parent.parent
LEFT, RIGHT = "us/states.name", "us/zip_codes.parquet.state"
EVIDENCE = "SELECT sql, matched, unmatched FROM tablelens.evidence(?, ?)"


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    lake = Lake.open(tmp_path_factory.mktemp("sample") / "home")
    lake.crawl(ROOT / "sample_lake", engine=InlineEngine())
    return lake


@pytest.fixture
def clients(extension):
    """Connections by what answers on them."""
    made = []

    def connect(lake):
        os.environ["TABLELENS_HOME"] = str(lake.home)
        answering, bare, python = (duckdb.connect(config={"allow_unsigned_extensions": "true"}) for _ in range(3))
        made.extend((answering, bare, python))
        answering.execute(f"LOAD '{extension}'")
        for connection in (answering, bare):
            number = lake.view.generation.number
            connection.execute(f"ATTACH '{lake.home}/catalog-{number}.duckdb' AS tablelens (READ_ONLY)")
        register(python, lake)
        return {"extension": answering, "python": python, "bare": bare}

    yield connect
    for connection in made:
        connection.close()


def test_a_join_over_a_bridge_is_the_same_everywhere(sample, clients, capsys):
    (hit,) = [h for h in sample.joins(LEFT, mode="semantic").hits if str(h.column).endswith(RIGHT)]
    assert hit.evidence.bridge is not None
    asked = clients(sample)
    with pytest.raises(SystemExit):
        main(["--home", str(sample.home), "joins", LEFT, "--mode", "semantic", "--json"])
    by_command = json.loads(capsys.readouterr().out)["hits"]
    told = {f"{h['table']}.{h['column']}": h["sql"] for h in by_command}
    assert told[RIGHT] == hit.sql
    with TestClient(create_app(sample.home, Settings(rate_per_minute=0), hosts=["testserver.local"])) as client:
        ids = [client.get("/v1/columns", params={"name": name}).json()["id"] for name in (LEFT, RIGHT)]
        found = client.get(f"/v1/columns/{ids[0]}/joins", params={"mode": "semantic"}).json()["hits"]
        assert [h["sql"] for h in found if h["column"]["id"] == ids[1]] == [hit.sql]
    for name in ("extension", "python"):
        ((sql, *_),) = asked[name].execute(EVIDENCE, [LEFT, RIGHT]).fetchall()
        assert sql == hit.sql, name
        assert asked[name].execute("SELECT tablelens.join_sql(?, ?)", [LEFT, RIGHT]).fetchall() == [(sql,)]
        assert len(duckdb.sql(sql).limit(100).fetchall()) == 100


NASTY = {
    "streets.csv": {
        "street": ["Hauptstraße", "Am  Bach", "ＦＵＬＬ Weg", "O'Hara Way", "Naïve Allee", "n/a", "Ring", "Ost"],
        "code": ["007", "011", "023", "034", "045", "056", "067", "078"],
        "day": [f"2024-01-0{i}" for i in range(1, 9)],
        "n": [str(i * 1000) for i in range(8)],
    },
    "roads.csv": {
        'name "old"': ["hauptstrasse", "Am Bach", "Full Weg", "O'HARA WAY", "Nai\u0308ve Allee", "n/a", "ring", "Süd"],
        "number": ["7", "11", "23", "34", "45", "56", "67", "78"],
        "when": [f"2024-01-0{i} 00:00:00" for i in range(1, 9)],
        "Id": [f"{i}000.0" for i in range(8)],
        "id": [str(i) for i in range(10, 18)],
    },
    "more/ways.tsv": {
        "street": ["Hauptstraße", "Am  Bach", "Full Weg", "O'Hara Way", "Naïve Allee", "Ring", "Ost", "West"],
        "code": ["007", "011", "023", "034", "045", "056", "067", "078"],
        "short": [f"W{i}" for i in range(8)],
    },
    "visits.csv": {"way": [f"W{i % 8}" for i in range(30)], "guests": [str(i * 7) for i in range(30)]},
}

TELLING = {
    ("street", 'name "old"'),
    ("code", "number"),
    ("day", "when"),
    ("street", "street"),
    ("n", "Id"),
    ("way", "street"),
}


def test_nasty_columns_are_compared_in_the_same_words(crawl, tmp_path, clients):
    lake, _ = crawl(make_lake(tmp_path / "lake", NASTY))
    asked, view = clients(lake), lake.view
    wrong, over, how = [], 0, set()
    pairs = [p for p in itertools.permutations(range(len(view)), 2) if view.table_ids[p[0]] != view.table_ids[p[1]]]
    for left, right in pairs:
        ref, other = view.ref(left), view.ref(right)
        if (left + right) % 5 and (ref.column, other.column) not in TELLING:
            continue
        hit = lake.evidence_at(left, right)
        wanted = [(hit.sql, list(hit.evidence.matched), list(hit.evidence.unmatched))]
        names = [f"{ref.table}.{ref.column}", f"{other.table}.{other.column}"]
        over += hit.evidence.bridge is not None
        how |= {
            word
            for word in ("translate", "replace(", "nfc_normalize", "NOT IN", "'\\.0*$'", "DECIMAL")
            if word in hit.sql
        }
        for name, connection in asked.items():
            if name == "bare" and (hit.evidence.bridge is not None or "ß" in hit.sql or "Ｆ" in hit.sql):
                continue  # it walks no bridges, and knows no compatibility letters
            found = connection.execute(EVIDENCE, names).fetchall()
            wrong += [] if found == wanted else [(name, names, found, wanted)]
    assert wrong == []
    assert over > 3
    assert len(how) >= 5, how


def test_texts_of_python_outlive_coalesce(sample):
    """DuckDB 1.4 and 1.5 free what came by Arrow too early."""
    with duckdb.connect() as connection:
        register(connection, sample)
        connection.execute("CREATE TABLE cells AS SELECT 'Washington County number ' || i AS cell FROM range(300) r(i)")
        for _ in range(5):
            found = connection.execute("SELECT coalesce(tablelens_normalize(cell), '') FROM cells").fetchall()
            assert found == [(f"washington county number {i}",) for i in range(300)]
