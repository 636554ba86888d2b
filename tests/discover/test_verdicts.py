"""What people say of joins: it ranks at once, outlives crawls, and can be taken back."""

import threading

import pytest

from tablelens.catalog.store import Catalog
from tablelens.discover.verdicts import judged, labelled_pairs
from tablelens.errors import CatalogError, CatalogLocked, UnknownColumn, UsageError
from tablelens.lake import Lake
from tablelens.testing import make_lake
from tests.conftest import TINY_LAKE

ORDERS, CUSTOMERS = "shop/orders.customer_id", "shop/customers.customer_id"


@pytest.fixture
def lake(tiny_lake, crawl):
    return crawl(tiny_lake)[0]


def names(answer):
    return [str(hit.column) for hit in answer.hits]


def test_a_denied_join_is_not_shown_from_either_side(lake):
    assert "shop/customers.csv.customer_id" in names(lake.joins(ORDERS))
    lake.verdict(CUSTOMERS, ORDERS, False, "another shop")
    for mode in ("auto", "equi", "semantic"):
        assert "shop/customers.csv.customer_id" not in names(lake.joins(ORDERS, mode=mode))
        assert "shop/orders.csv.customer_id" not in names(lake.joins(CUSTOMERS, mode=mode))
    assert "shop/customers.csv.customer_id" in names(lake.joins(ORDERS, mode="deepjoin"))
    hit = lake.explain(ORDERS, CUSTOMERS)
    assert hit.verdict is False
    assert any("do not join" in note for note in hit.notes)


def test_a_confirmed_join_comes_first_though_nothing_else_says_so(lake):
    lake.verdict("world/countries.iso2", "world/capitals.capital", True)
    for mode in ("auto", "semantic"):
        hit = lake.joins("world/countries.iso2", mode=mode).hits[0]
        assert (str(hit.column), hit.verdict) == ("world/capitals.csv.capital", True)
    assert names(lake.joins("world/countries.iso2", tables="shop/*", threshold=0.0))[0].startswith("shop/")


def test_a_verdict_outlives_crawls_and_a_lost_copy(tiny_lake, crawl, home):
    lake, _ = crawl(tiny_lake)
    lake.verdict(ORDERS, CUSTOMERS, False, "why")
    (home / "verdicts.json").unlink()
    lake, _ = crawl(tiny_lake, refresh="always")
    (said,) = lake.verdicts()
    assert (said.joins, said.note) == (False, "why")
    assert said.decided
    assert "shop/customers.csv.customer_id" not in names(lake.joins(ORDERS))


def test_a_new_verdict_takes_the_place_of_the_old_one_and_can_be_taken_back(lake):
    lake.verdict(ORDERS, CUSTOMERS, False)
    lake.verdict(CUSTOMERS, ORDERS, True)
    assert [said.joins for said in lake.verdicts()] == [True]
    lake.verdict(ORDERS, CUSTOMERS, None)
    assert lake.verdicts() == ()
    with pytest.raises(UsageError, match="no verdict"):
        lake.verdict(ORDERS, CUSTOMERS, None)


def test_a_verdict_on_a_column_that_vanished_waits_for_it(tmp_path, crawl):
    root = make_lake(tmp_path / "lake", TINY_LAKE)
    lake, _ = crawl(root, "tiny")
    lake.verdict(ORDERS, CUSTOMERS, True)
    text = (root / "shop/customers.csv").read_text()
    (root / "shop/customers.csv").unlink()
    lake, _ = crawl(root, "tiny")
    assert labelled_pairs(lake.view, lake.verdicts()) == []
    assert judged(lake.view, lake.view.parse(ORDERS), lake.verdicts()) == {}
    assert len(lake.joins(ORDERS).hits) >= 0
    (root / "shop/customers.csv").write_text(text)
    lake, _ = crawl(root, "tiny")
    ((_, _, joins),) = labelled_pairs(lake.view, lake.verdicts())
    assert joins
    assert lake.joins(ORDERS).hits[0].verdict


def test_what_cannot_be_said(lake):
    with pytest.raises(UsageError, match="one column"):
        lake.verdict(ORDERS, "shop/orders.csv.customer_id", True)
    with pytest.raises(UnknownColumn):
        lake.verdict(ORDERS, "shop/customers.nobody", True)
    assert lake.verdicts() == ()


def test_a_damaged_copy_is_an_error_with_a_cure(lake):
    (lake.home / "verdicts.json").write_text("[[1]]")
    with pytest.raises(CatalogError, match="crawl again"):
        lake.joins(ORDERS)


def test_verdicts_of_many_threads_are_all_kept(lake):
    targets = ["shop/customers.customer_id", "shop/customers.name", "world/capitals.capital", "world/climate.city"]
    errors = []

    def say(right):
        for _ in range(20):
            try:
                Lake(lake.home, lake.settings).verdict(ORDERS, right, True)
                return
            except CatalogLocked:
                continue
        errors.append(right)

    threads = [threading.Thread(target=say, args=(right,)) for right in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    with Catalog(lake.home / "catalog.duckdb") as catalog:
        assert len(catalog.verdicts()) == len(targets)
    assert len(lake.verdicts()) == len(targets)
