"""Composite keys: columns that match together, counted tuple by tuple."""

import json
from itertools import product
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from tablelens.cli.main import cli, register
from tablelens.engines.base import InlineEngine
from tablelens.errors import UnknownColumn, UsageError
from tablelens.lake import Lake
from tablelens.testing import make_lake
from tests.conftest import CODES

register()
YEARS = [str(year) for year in range(1990, 2002)]
GRID = list(product(CODES, YEARS))
TABLES = {
    "facts.csv": {"land": [c for c, _ in GRID], "year": [y for _, y in GRID], "gdp": [i * 7.5 for i in range(240)]},
    # every second tuple, the columns the other way round and under other names
    "panel.csv": {"when": [y for _, y in GRID[::2]], "iso": [c.lower() for c, _ in GRID[::2]], "pop": list(range(120))},
    # the same single values, but never together
    "crossed.csv": {"land": CODES, "year": [f"{1990 + i % 12}" for i in range(20)], "n": [i * 3 for i in range(20)]},
    "other.csv": {"name": [f"thing {i}" for i in range(30)], "size": [i * 11 for i in range(30)]},
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    made = Lake.open(tmp_path_factory.mktemp("composite") / "home", encoder="hash")
    made.crawl(make_lake(tmp_path_factory.mktemp("composite") / "lake", TABLES), engine=InlineEngine())
    return made


def test_tuples_are_counted_exactly(lake):
    found = lake.composite_joins("facts", ["land", "year"])
    (best,) = found.hits
    assert [str(column) for column in best.columns] == ["panel.csv.iso", "panel.csv.when"]
    e = best.evidence
    assert (e.overlap, e.containment, e.reverse_containment, e.cardinality, e.join_rows) == (120, 0.5, 1.0, "1:1", 120)
    assert len(duckdb.sql(best.sql).fetchall()) == 120
    back = lake.composite_joins("panel", ["when", "iso"])
    assert [str(column) for column in back.hits[0].columns] == ["facts.csv.year", "facts.csv.land"]
    assert back.hits[0].evidence.containment == 1
    # single values are all there, tuples hardly
    assert lake.explain("facts.land", "crossed.land").evidence.containment == 1
    assert "crossed.csv" not in {hit.columns[0].table for hit in found.hits}


def test_explain_proposes_a_second_pair_of_columns(lake):
    hit = lake.explain("panel.iso", "facts.land")
    assert hit.evidence.cardinality == "n:m"
    assert hit.key.evidence.cardinality == "1:1"
    assert [column.column for column in hit.key.columns] == ["land", "year"]
    assert len(duckdb.sql(hit.key.sql).fetchall()) == 120
    assert any("with when = year too it is 1:1" in note for note in hit.notes)
    assert lake.explain("facts.land", "crossed.land").key is None


def test_keys_that_are_none(lake):
    for columns in (["land"], ["land", "land"], ["land", "year", "gdp", "land"], []):
        with pytest.raises(UsageError):
            lake.composite_joins("facts", columns)
    with pytest.raises(UnknownColumn):
        lake.composite_joins("facts", ["land", "jahr"])
    assert lake.composite_joins("other", ["name", "size"]).hits == ()


def test_a_file_that_vanished_is_told(tmp_path):
    root = make_lake(tmp_path / "lake", TABLES)
    made = Lake.open(tmp_path / "home", encoder="hash")
    made.crawl(root, engine=InlineEngine())
    (root / "panel.csv").unlink()
    found = made.composite_joins("facts", ["land", "year"])
    assert found.hits == ()
    assert any("panel.csv was not read" in note for note in found.notes)


def test_the_command(lake):
    call = ["--home", str(lake.home), "joins", "facts", "--key", "land, year"]
    said = CliRunner().invoke(cli, call)
    assert said.exit_code == 0
    assert "panel.csv: iso, when" in said.output
    document = json.loads(CliRunner().invoke(cli, [*call, "--json"]).output)
    assert document["hits"][0]["columns"] == ["iso", "when"]
    assert isinstance(CliRunner().invoke(cli, [*call, "--mode", "equi"]).exception, UsageError)


def test_planted_joins_of_the_sample_lake(tmp_path):
    root = Path(__file__).parents[2] / "sample_lake"
    joins = json.loads((root / "truth.json").read_text("utf-8"))["joins"]
    planted = [join for join in joins if join["kind"] == "composite"]
    made = Lake.open(tmp_path / "home")
    made.crawl(root)
    assert planted
    for join in planted:
        left, right = join["left"], join["right"]
        hits = made.composite_joins(left["table"], left["columns"]).hits
        (hit,) = [hit for hit in hits if hit.columns[0].table == right["table"]]
        assert [column.column for column in hit.columns] == right["columns"]
        assert hit.evidence.containment >= join["floor"]
        assert hit.evidence.cardinality == join["cardinality"]
        assert duckdb.sql(f"SELECT count(*) FROM ({hit.sql})").fetchone() == (hit.evidence.join_rows,)
