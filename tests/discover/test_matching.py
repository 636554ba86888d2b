"""Columns whose values are spelled differently: explained cell by cell, and joined by SQL that runs."""

import duckdb
import pytest

from tablelens.engines.base import InlineEngine
from tablelens.lake import Lake
from tablelens.testing import make_lake
from tests.conftest import COUNTRIES

LONG = [f"Station number {i} of line {i % 7}" for i in range(300)]
TABLES = {
    "sales.csv": {
        "code": [str(i) for i in range(7, 207)],
        "land": [f"{COUNTRIES[i % 20]} (state)" for i in range(200)],
    },
    "codes.csv": {"code": [f"{i:05}" for i in range(200)], "x": list(range(200))},
    "lands.csv": {"land": [*COUNTRIES[:15], "Rômania", "The Republic of Togo"], "y": list(range(17))},
    "spelled.csv": {"land": [*COUNTRIES[:15], "Romania", "Republic of Togo", "Atlantis"], "z": list(range(18))},
    "lines.csv": {"stop": LONG, "n": list(range(300))},
    "stops.csv": {"stop": [cell.replace("number", "no.") for cell in LONG], "m": list(range(300))},
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    made = Lake.open(tmp_path_factory.mktemp("matching") / "home", encoder="hash")
    made.crawl(make_lake(tmp_path_factory.mktemp("matching") / "lake", TABLES), engine=InlineEngine())
    return made


def test_a_transformation_is_told_and_joined_by(lake):
    hit = lake.explain("sales.code", "codes.code")
    found = hit.evidence.matching
    assert (found.joined_by, found.turned, found.containment) == ("transformation", "left", 0.965)
    assert hit.evidence.containment < 0.6
    assert duckdb.sql(hit.sql).fetchall() == duckdb.sql(hit.sql).filter("lpad(code, 5, '0') = code_1").fetchall()
    assert len(duckdb.sql(hit.sql).fetchall()) == 193
    back = lake.explain("codes.code", "sales.code")
    assert (back.evidence.matching.joined_by, len(duckdb.sql(back.sql).fetchall())) == ("transformation", 193)


def test_cells_that_differ_are_joined_over_a_mapping(lake):
    hit = lake.explain("spelled.land", "lands.land")
    found = hit.evidence.matching
    assert (found.equal, found.similar, found.joined_by) == (15, 2, "mapping")
    assert {(p.left, p.right) for p in found.examples} == {
        ("Romania", "Rômania"),
        ("Republic of Togo", "The Republic of Togo"),
    }
    assert found.unmatched == ("Atlantis",)
    rows = duckdb.sql(hit.sql).fetchall()
    assert len(rows) == 17
    assert ("Romania", "15", "Rômania", "15") in rows


def test_a_long_mapping_goes_into_a_file(lake, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from tablelens.cli.main import cli, register

    register()
    hit = lake.explain("lines.stop", "stops.stop")
    if hit.evidence.matching.joined_by == "mapping":
        assert "mapping.parquet" in hit.sql
        assert any("--map" in note for note in hit.notes)
    target = tmp_path / "m's.parquet"
    call = ["--home", str(lake.home), "explain", "lines.stop", "stops.stop", "--map", str(target)]
    said = CliRunner().invoke(cli, call)
    assert said.exit_code == 0
    rows = duckdb.sql(said.output[said.output.index("SELECT a.*") :]).fetchall()
    assert (
        len(rows)
        == duckdb.sql(f"SELECT count(*) FROM read_parquet('{str(target).replace(chr(39), chr(39) * 2)}')").fetchone()[0]
    )
    assert sum(row[0] == row[2].replace("no.", "number") for row in rows) >= 0.95 * len(rows) > 200


def test_what_is_equal_is_not_compared(lake):
    assert lake.explain("codes.x", "lines.n").evidence.matching is None
    assert lake.map_cells("lands.land", "spelled.land")["how"].to_pylist().count("equal") == 15


def test_a_file_that_vanished_takes_nothing_from_the_value_sets(tmp_path):
    root = make_lake(tmp_path / "lake", {name: TABLES[name] for name in ("spelled.csv", "lands.csv")})
    made = Lake.open(tmp_path / "home", encoder="hash")
    made.crawl(root, engine=InlineEngine())
    (root / "lands.csv").unlink()
    hit = made.explain("spelled.land", "lands.land")
    assert hit.evidence.overlap == 15
    assert hit.evidence.matching is None
    assert any("not compared one by one" in note for note in hit.notes)


def test_joins_by_meaning_show_what_stands_for_what(tmp_path):
    dishes = [
        "pancake with jam",
        "smoked salmon",
        "roast chicken",
        "apple pie",
        "green salad",
        "tomato soup",
        "rye bread",
    ]
    other = [
        "pancakes with jam",
        "salmon, smoked",
        "chicken, roasted",
        "apple pies",
        "salad, green",
        "soup of tomatoes",
    ]
    tables = {"menu.csv": {"dish": dishes, "n": range(7)}, "card.csv": {"dish": other, "m": range(6)}}
    made = Lake.open(tmp_path / "home")
    made.crawl(make_lake(tmp_path / "lake", tables), engine=InlineEngine())
    (hit,) = [hit for hit in made.joins("menu.dish", mode="semantic").hits if hit.column.table == "card.csv"]
    assert hit.evidence.containment == 0
    assert hit.evidence.matching.whole
    assert hit.evidence.matching.similar >= 3
    assert made.joins("menu.dish", mode="deepjoin").hits[0].evidence.matching is None
