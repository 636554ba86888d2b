"""Names of tables and columns, as people write them."""

import pytest

from tablelens.engines.base import InlineEngine
from tablelens.errors import UnknownColumn, UnknownTable, UsageError
from tablelens.index.names import bare_name
from tablelens.lake import Lake
from tablelens.testing import make_lake

CELLS = ["a", "b", "c"]
TABLES = {
    "shop/orders.csv": {"id": CELLS, "Customer.ID": CELLS, "name": CELLS, "Name": CELLS},
    "shop.v2.csv": {"id": CELLS, "x.y": CELLS},
    "shop.csv": {"v2.id": CELLS, "id": CELLS},
    "both.csv": {"id": CELLS},
    "both.tsv": {"id": CELLS},
    "plain": {"id": CELLS},
    "dir.csv/inner.csv": {"id": CELLS},
    "a:b.csv": {"id": CELLS},
}


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    folder = tmp_path_factory.mktemp("view")
    lake = Lake.open(folder / "home", encoder="hash")
    tables = {name: columns for name, columns in TABLES.items() if name != "plain"}
    lake.crawl(make_lake(folder / "one", tables), engine=InlineEngine())
    lake.crawl(make_lake(folder / "two", {"shop/orders.csv": {"other": CELLS}}), "two", engine=InlineEngine())
    lake.crawl(make_lake(folder / "three", {"lone.csv": {"id": CELLS}}), engine=InlineEngine())
    return lake.view


@pytest.mark.parametrize(
    ("reference", "names"),
    [
        ("one:shop/orders.csv.id", ("one", "shop/orders.csv", "id")),
        ("one:shop/orders.id", ("one", "shop/orders.csv", "id")),
        ("two:shop/orders.other", ("two", "shop/orders.csv", "other")),
        ("one:shop/orders.Customer.ID", ("one", "shop/orders.csv", "Customer.ID")),
        ("one:shop/orders.customer.id", ("one", "shop/orders.csv", "Customer.ID")),
        ("one:shop/orders.name", ("one", "shop/orders.csv", "name")),
        ("one:shop/orders.Name", ("one", "shop/orders.csv", "Name")),
        ("shop.v2.csv.id", ("one", "shop.v2.csv", "id")),
        ("shop.v2.id", ("one", "shop.v2.csv", "id")),
        ("shop.v2.x.y", ("one", "shop.v2.csv", "x.y")),
        ("shop.csv.v2.id", ("one", "shop.csv", "v2.id")),
        ("shop.id", ("one", "shop.csv", "id")),
        ("both.csv.id", ("one", "both.csv", "id")),
        ("both.tsv.id", ("one", "both.tsv", "id")),
        ("dir.csv/inner.id", ("one", "dir.csv/inner.csv", "id")),
        ("a:b.csv.id", ("one", "a:b.csv", "id")),
        ("one:a:b.id", ("one", "a:b.csv", "id")),
        ("lone.id", ("three", "lone.csv", "id")),
    ],
)
def test_references(view, reference, names):
    ref = view.ref(view.parse(reference))
    assert (ref.lake, ref.table, ref.column) == names
    assert view.ref(view.parse(f"{ref.lake}:{ref}")) == ref


@pytest.mark.parametrize(
    ("reference", "error", "words"),
    [
        ("shop/orders.id", UsageError, ["2 tables", "one:shop/orders.csv", "two:shop/orders.csv"]),
        ("both.id", UsageError, ["2 tables", "one:both.csv", "one:both.tsv"]),
        ("shop.v2", UsageError, ["is a table; a column is wanted", "shop.v2.id"]),
        ("nonsense", UsageError, ["names no column", "TABLE.COLUMN"]),
        ("", UsageError, ["names no column"]),
        (".", UsageError, ["names no column"]),
        ("shopp.id", UnknownTable, ["'shopp'", "did you mean", "'shop'"]),
        ("lone.idd", UnknownColumn, ["'idd'", "did you mean 'id'", "columns of lone: id"]),
        ("four:lone.id", UnknownTable, ["'four:lone'", "did you mean"]),
    ],
)
def test_misses_say_what_is_known(view, reference, error, words):
    with pytest.raises(error) as caught:
        view.parse(reference)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_places_of_a_table(view):
    assert [view.names[place] for place in view.table_places("shop.v2")] == ["id", "x.y"]
    assert {view.value("table", place) for place in view.table_places("one:shop/orders").tolist()} == {
        "shop/orders.csv"
    }


@pytest.mark.parametrize(
    ("table", "part", "bare"),
    [
        ("a.csv", "", "a"), ("a/b.csv.gz", "", "a/b"), ("a.b.parquet", "", "a.b"), (".csv", "", ".csv"),
        ("x/.csv", "", "x/.csv"), ("A.CSV", "", "A"), ("a.txt", "", "a.txt"), ("v1.csv/x", "", "v1.csv/x"),
        ("b.xlsx#S.csv", "S.csv", "b#S.csv"), ("no#1.json#a#b", "a#b", "no#1#a#b"), ("no#1.csv", "", "no#1"),
    ],
)  # fmt: skip
def test_bare_names(table, part, bare):
    assert bare_name(table, part) == bare
