import duckdb
import pytest

from tablelens.engines.base import InlineEngine
from tablelens.errors import UnknownTable, UsageError
from tablelens.lake import Lake
from tablelens.testing import make_lake

TABLES = ["shop/orders", "shop/customers", "world/countries", "world/capitals", "world/climate"]


def tables(path):
    return [path.steps[0].left.table, *(step.right.table for step in path.steps)]


@pytest.mark.parametrize(("goal", "hops"), [(1, 1), (2, 2), (3, 3)])
def test_paths_of_some_joins(crawled, goal, hops):
    (path, *_) = crawled.paths(TABLES[0], TABLES[goal])
    assert tables(path) == [f"{name}.csv" for name in TABLES[: goal + 1]]
    assert len(path.steps) == hops
    chance = 1.0
    for step in path.steps:
        chance *= step.probability
    assert path.probability == pytest.approx(chance, abs=1e-3)
    assert duckdb.sql(path.sql).fetchall()


def test_too_far_is_no_path(crawled):
    assert crawled.paths(TABLES[0], TABLES[4]) == []
    assert crawled.paths(TABLES[0], TABLES[2], hops=1) == []


@pytest.mark.parametrize("goal", [1, 2, 3])
def test_a_path_can_be_walked_back(crawled, goal):
    there, back = crawled.paths(TABLES[0], TABLES[goal])[0], crawled.paths(TABLES[goal], TABLES[0])[0]
    assert tables(there) == tables(back)[::-1]
    assert len(duckdb.sql(there.sql).fetchall()) == len(duckdb.sql(back.sql).fetchall())


def test_the_sql_of_a_path_joins_all_rows_that_meet(crawled):
    """Each order has one customer, each of the used countries one name and one capital."""
    rows = duckdb.sql(crawled.paths(TABLES[0], TABLES[3])[0].sql).fetchall()
    assert len(rows) == 60


def test_steps_carry_the_evidence_of_their_direction(crawled):
    for start, goal in ((TABLES[0], TABLES[2]), (TABLES[2], TABLES[0])):
        for step in crawled.paths(start, goal)[0].steps:
            e = crawled.explain(str(step.left), str(step.right)).evidence
            told = step.evidence
            assert (told.containment, told.reverse_containment) == (e.containment, e.reverse_containment)
            assert (told.cardinality, told.join_rows, told.explosion) == (e.cardinality, e.join_rows, e.explosion)


@pytest.mark.parametrize("hops", [0, 4, -1])
def test_hops_have_bounds(crawled, hops):
    with pytest.raises(UsageError, match="hops is"):
        crawled.paths(TABLES[0], TABLES[1], hops=hops)


def test_a_path_needs_two_tables_that_are_there(crawled):
    with pytest.raises(UsageError, match="same table"):
        crawled.paths(TABLES[0], "shop/orders.csv")
    with pytest.raises(UnknownTable, match="did you mean"):
        crawled.paths(TABLES[0], "world/contries")


def test_tables_of_one_name_in_two_lakes_are_two(home, tmp_path):
    lake = Lake.open(home, encoder="hash")
    cells = [f"value {i}" for i in range(20)]
    for name in ("one", "two"):
        folder = make_lake(tmp_path / name, {"t.csv": {"v": cells, name: range(20)}})
        lake.crawl(folder, name, engine=InlineEngine())
    path = lake.paths("one:t", "two:t")[0]
    relation = duckdb.sql(path.sql)
    assert {"one", "two"} <= set(relation.columns)
    assert len(relation.fetchall()) == 20
