"""From a crawled lake to an augmented table, and the SQL that makes it."""

import json

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("torch")

from tablelens import Lake
from tablelens.cli import main
from tablelens.errors import UsageError


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Sales by town, and towns whose people tell how much is sold: two rows a town, one spelled in capitals."""
    folder = tmp_path_factory.mktemp("augment")
    rng = np.random.default_rng(3)
    towns = [f"town of {chr(97 + n // 9)}{chr(97 + n % 9)}" for n in range(80)]
    people = rng.normal(size=80).round(3)
    chosen = rng.integers(0, 80, 400)
    sold = np.where(people[chosen] + 0.2 * rng.normal(size=400) > 0, "many", "few")
    (folder / "lake").mkdir()
    sales = pa.table({"town": [towns[n] for n in chosen], "weight": rng.normal(size=400).round(3), "sold": sold})
    pc.write_csv(sales, folder / "lake" / "sales.csv")
    twice = [*towns, *(town.upper() for town in towns[:40])]
    kind = rng.choice(["port", "market"], 120)
    pc.write_csv(pa.table({"place": twice, "people": np.r_[people, people[:40] + 1].round(3), "kind": kind}),
                 folder / "lake" / "towns.csv")  # fmt: skip
    made = Lake.open(folder / "home", workers=1)
    made.crawl(folder / "lake")
    return made


@pytest.fixture(scope="module")
def found(lake):
    return lake.augment("sales", "sold", rows=False)


def test_the_table_that_tells_is_found_and_joined(found):
    assert [trial.hit.column.table for trial in found.chosen] == ["towns.csv"]
    assert found.data.column_names == ["town", "weight", "towns.csv.people", "towns.csv.kind", "towns.csv.rows"]
    assert found.data.num_rows == 400


def test_the_sql_makes_the_table(found):
    made = duckdb.sql(found.sql).to_arrow_table()
    assert made.num_rows == 400

    def plain(table):
        columns = [table[name].to_pylist() for name in found.data.column_names]
        return sorted((a, str(float(b)), round(c, 6), d, e) for a, b, c, d, e in zip(*columns, strict=True))

    assert plain(made) == plain(found.data)


def test_a_file_outside_the_lake_and_a_frame_are_augmented_too(lake, found, tmp_path):
    sales = lake.table("sales").data
    pc.write_csv(sales, tmp_path / "outside.csv")
    outside = lake.augment(tmp_path / "outside.csv", "sold", rows=False)
    assert "towns.csv" in [trial.hit.column.table for trial in outside.chosen]
    assert "outside.csv" in outside.sql
    frame = lake.augment(sales, "sold", rows=False, budget=1e-9)
    assert {trial.reason for trial in frame.trials} == {"not tried: the budget was spent"}
    with pytest.raises(UsageError, match="budget is 0"):
        lake.augment(sales, "sold", rows=False, budget=0)


def test_the_command_writes_what_it_found(lake, tmp_path, capsys):
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as left:
        main(["--home", str(lake.home), "augment", "sales", "--target", "sold", "--judge", "trees", "--out", str(out)])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert "recommended" in shown
    assert "LEFT JOIN LATERAL" in shown
    assert {path.name for path in out.iterdir()} == {"augmented.parquet", "augmented.sql", "lifts.svg", "report.json"}
    assert json.loads((out / "report.json").read_text())["recommended"] == ["towns.csv"]
    with pytest.raises(SystemExit):
        main(["--home", str(lake.home), "augment", "sales", "--target", "sold", "--budget", "1e-9"])
    assert "towns.csv: not tried: the budget was spent" in capsys.readouterr().out
    with pytest.raises(SystemExit) as wrong:
        main(["--home", str(lake.home), "augment", "--target", "sold"])
    assert wrong.value.code == 2
