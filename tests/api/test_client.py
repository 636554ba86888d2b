"""``tablelens.Client``: the same answers and the same errors as ``Lake``, over HTTP."""

from dataclasses import replace

import pytest

from tablelens import Client
from tablelens.errors import AccessDenied, LimitReached, NotFound, UnknownColumn, Unreachable, UsageError
from tablelens.testing import make_lake
from tests.conftest import CODES, COUNTRIES

from .conftest import PATIENCE, at_a_port


@pytest.fixture(scope="module")
def remote(crawled):
    with at_a_port(crawled.home) as address, Client(address) as made:
        yield made


def told(hit):
    """What a hit says, but for the catalogue's own ids, which stay at home."""
    bridge = hit.evidence.bridge and [[str(side) for side in step] for step in hit.evidence.bridge.steps]
    return str(hit.column), hit.probability, replace(hit.evidence, bridge=None), bridge, hit.sql


def same(mine, theirs):
    assert [told(hit) for hit in mine.hits] == [told(hit) for hit in theirs.hits]
    assert (mine.table, mine.column, mine.mode, mine.notes) == (theirs.table, theirs.column, theirs.mode, theirs.notes)
    assert mine.generation == theirs.generation


def test_joins(remote, crawled):
    for mode in ("auto", "equi", "semantic"):
        asked = {"k": 5, "mode": mode, "threshold": 0.0}
        same(remote.joins("shop/orders.customer_id", **asked), crawled.joins("shop/orders.customer_id", **asked))
    values = ["Vienna", "Paris", "Rome", "Oslo", "Lima", "Nairobi"]
    same(remote.joins(values, name="town"), crawled.joins(values, name="town"))


def test_joins_of_a_file(remote, crawled, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("town\nVienna\nParis\nRome\nOslo\nLima\n")
    mine, theirs = (each.joins_of_file(path, "town", k=2) for each in (remote, crawled))
    assert [str(hit.column) for hit in mine.hits] == [str(hit.column) for hit in theirs.hits]


def test_explain_paths_search_preview(remote, crawled):
    pair = ("shop/orders.customer_id", "shop/customers.customer_id")
    assert remote.explain(*pair).evidence == crawled.explain(*pair).evidence
    mine, theirs = (each.paths("shop/orders", "world/capitals") for each in (remote, crawled))
    assert [(path.probability, path.sql, [str(s.right) for s in path.steps]) for path in mine] == [
        (path.probability, path.sql, [str(s.right) for s in path.steps]) for path in theirs
    ]
    assert remote.search("customer orders", k=3) == crawled.search("customer orders", k=3)
    assert (
        remote.preview("shop/orders", 4).to_pylist() == crawled.preview("shop/orders", 4).data.slice(0, 4).to_pylist()
    )


def test_what_the_service_has_beside(remote):
    assert remote.rows("shop/orders.customer_id", "shop/customers.customer_id", 7).num_rows == 7
    assert len(list(remote.tables())) == remote.status()["tables"] == 5


def test_the_same_errors(remote, tmp_path):
    with pytest.raises(UnknownColumn, match="unknown column 'nope'"):
        remote.joins("shop/orders.nope")
    with pytest.raises(LimitReached) as limit:
        remote.joins("shop/orders.customer_id", k=5000)
    assert limit.value.limit == "max_k"
    with pytest.raises(UsageError, match="k: Expected `int` >= 1"):
        remote.joins("shop/orders.customer_id", k=0)
    with pytest.raises(UsageError, match="unknown option 'treshold'"):
        remote.joins("shop/orders.customer_id", treshold=0.1)
    with pytest.raises(NotFound, match="no such file"):
        remote.joins_of_file(tmp_path / "none.csv", "x")
    (tmp_path / "notes.docx").write_text("no table")
    with pytest.raises(UsageError, match="no known kind"):
        remote.joins_of_file(tmp_path / "notes.docx", "x")
    with pytest.raises(UsageError, match="same table"):
        remote.paths("shop/orders", "shop/orders")


def test_verdicts(own_home):
    pair = ("shop/orders.customer_id", "shop/customers.customer_id")
    with at_a_port(own_home) as address, Client(address) as remote:
        assert remote.verdict(*pair, joins=False, note="no").joins is False
        assert pair[1] not in [str(hit.column).replace(".csv", "") for hit in remote.joins(pair[0]).hits]
        assert [said.note for said in remote.verdicts()] == ["no"]
        remote.verdict(*pair, joins=None)
        assert remote.verdicts() == ()


def test_a_key(own_home, ring, monkeypatch):
    text, _ = ring.make("reader", ["read:tiny"])
    with at_a_port(own_home) as address:
        with Client(address) as nobody, pytest.raises(AccessDenied):
            nobody.status()
        with Client(address, key=text) as reader:
            assert reader.status()["scopes"] == ["read:tiny"]
            with pytest.raises(AccessDenied):
                reader.crawl(name="tiny")
        monkeypatch.setenv("TABLELENS_KEY", text)
        with Client(address) as reader:
            assert reader.status()["lakes"] == 1


def test_nobody_there():
    with Client("http://127.0.0.1:9", timeout=2) as client, pytest.raises(Unreachable, match="no answer"):
        client.status()


@pytest.mark.slow
def test_a_crawl_over_http(home, tmp_path):
    folder = make_lake(tmp_path / "shop", {"a.csv": {"id": [f"N-{i}" for i in range(30)]}})
    seen = []
    with at_a_port(home) as address, Client(address, timeout=PATIENCE) as remote:
        report = remote.crawl(folder, progress=seen.append)
        assert (report.lake, report.tables, report.failed) == ("shop", 1, ())
        assert seen
        assert remote.crawl(name="shop").skipped == 1


def test_bridges_come_over(tmp_path, crawl):
    folder = make_lake(
        tmp_path / "lake",
        {
            "sales.csv": {"country": [COUNTRIES[i % 18] for i in range(90)], "amount": [i * 1.5 for i in range(90)]},
            "offices.csv": {"cc": CODES * 3, "desk": [f"desk {i}" for i in range(60)]},
            "both.csv": {"name": COUNTRIES, "iso": CODES},
        },
    )
    lake, _ = crawl(folder)
    with at_a_port(lake.home) as address, Client(address) as remote:
        mine, theirs = (each.explain("sales.country", "offices.cc").evidence for each in (remote, lake))
    assert theirs.bridge is not None
    assert mine.bridge.examples == theirs.bridge.examples
    assert [[str(side) for side in step] for step in mine.bridge.steps] == [
        [str(side) for side in step] for step in theirs.bridge.steps
    ]


def test_cells_and_composite_keys(tmp_path, crawl):
    countries = [f"{name} (state)" if i % 2 else name for i, name in enumerate(COUNTRIES)]
    grid = {"land": [name for name in COUNTRIES for _ in range(5)], "year": list(range(2000, 2005)) * 20}
    tables = {
        "facts.csv": grid | {"n": range(100)},
        "panel.csv": grid | {"m": range(100)},
        "odd.csv": {"land": countries},
    }
    lake, _ = crawl(make_lake(tmp_path / "lake", tables))
    with at_a_port(lake.home) as address, Client(address) as remote:
        pairs = remote.map_cells("odd.land", "facts.land")
        assert pairs.num_rows == 20
        assert pairs["how"].to_pylist().count("equal") == 10
        mine, theirs = (each.explain("odd.land", "facts.land") for each in (remote, lake))
        assert mine.evidence == theirs.evidence
        assert mine.sql == theirs.sql
        rows = remote.rows("odd.land", "facts.land", 1000)
        assert rows.num_rows == 100
        mine, theirs = (each.composite_joins("facts", ["land", "year"]) for each in (remote, lake))
        assert [str(column) for column in mine.hits[0].columns] == ["panel.csv.land", "panel.csv.year"]
        assert mine.hits[0].evidence == theirs.hits[0].evidence
        mine, theirs = (each.explain("facts.land", "panel.land").key for each in (remote, lake))
        assert mine.evidence == theirs.evidence
