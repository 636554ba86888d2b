"""A lake that one may not read changes nothing: no hit, count, word, path, score or tag tells of it."""

import shutil
import time

import pytest

from tablelens.engines.base import InlineEngine
from tablelens.lake import Lake

from .conftest import PATIENCE, SECRET, serve


@pytest.fixture(scope="module")
def alone(crawled):
    """The service over a home in which the secret lake was never crawled."""
    with serve(crawled.home) as made:
        yield made


@pytest.fixture(scope="module")
def reader(two_lakes, keys):
    """One who may read the tiny lake, of a home that also holds the secret one."""
    with serve(two_lakes, keys["tiny"]) as made:
        yield made


@pytest.fixture(scope="module")
def admin(two_lakes, keys):
    with serve(two_lakes, keys["admin"]) as made:
        yield made


def columns_of(client):
    tables = client.found("/v1/tables")["items"]
    return [field for each in tables for field in client.found(f"/v1/tables/{each['id']}/columns")]


def without_times(found):
    return {name: value for name, value in found.items() if name not in ("seconds", "generation")}


def test_there_is_something_to_hide(admin):
    column = admin.column("shop/customers.customer_id")
    assert SECRET in str(admin.found(f"/v1/columns/{column}/joins"))
    assert SECRET in str(admin.found("/v1/suggestions", q="zebra"))


def test_lists_are_those_of_a_home_without_it(alone, reader, monkeypatch):
    monkeypatch.setattr("tablelens.api.paths.GRAPH_SECONDS", PATIENCE)
    for path in ("/v1/tables", "/v1/map", "/v1/graph"):
        assert without_times(reader.found(path)) == without_times(alone.found(path))
    (lake,), (mine,) = reader.found("/v1/lakes"), alone.found("/v1/lakes")
    assert {name: lake[name] for name in ("name", "tables", "columns", "failed")} == {
        name: mine[name] for name in ("name", "tables", "columns", "failed")
    }


def test_every_answer_is_that_of_a_home_without_it(alone, reader):
    columns = columns_of(alone)
    assert columns == columns_of(reader)
    for column in columns:
        for mode in ("auto", "equi", "semantic", "deepjoin"):
            path = f"/v1/columns/{column['id']}/joins?k=50&threshold=0&mode={mode}"
            assert without_times(reader.found(path)) == without_times(alone.found(path)), column["name"]
        profile = f"/v1/columns/{column['id']}"
        assert reader.found(profile) == alone.found(profile)


@pytest.mark.parametrize("words", ["customer orders", SECRET, "country", "rank"])
def test_words(alone, reader, words):
    for path in ("/v1/search", "/v1/suggestions"):
        assert without_times(reader.found(path, q=words)) == without_times(alone.found(path, q=words))


def test_posted_values(alone, reader):
    body = {"values": ["France", "Germany", "Italy", "Spain", "Peru", f"{SECRET}-1"], "k": 50, "threshold": 0.0}
    found = [without_times(client.post("/v1/joins", json=body).json()) for client in (alone, reader)]
    assert found[0] == found[1]


def test_status_counts(alone, reader):
    names = ("lakes", "tables", "columns", "vectors")
    mine, theirs = alone.found("/v1/status"), reader.found("/v1/status")
    assert {name: mine[name] for name in names} == {name: theirs[name] for name in names}


def test_its_ids_are_those_of_nothing(admin, reader):
    table = next(each["id"] for each in admin.found("/v1/tables")["items"] if SECRET in each["name"])
    column = admin.found(f"/v1/tables/{table}/columns")[0]["id"]
    mine = reader.column("shop/customers.customer_id")
    nobody = "a" * 16
    paths = ("/v1/tables/{}", "/v1/tables/{}/preview", "/v1/tables/{}/unions", "/v1/columns/{}", "/v1/columns/{}/joins")
    paths += (f"/v1/columns/{mine}/joins/{{}}/rows", f"/v1/columns/{mine}/joins/{{}}/evidence", "/v1/graph?table={}")
    for path in paths:
        for id_ in (table, column):
            hidden, missing = reader.get(path.format(id_)), reader.get(path.format(nobody))
            assert hidden.status_code == missing.status_code == 404
            assert hidden.json()["detail"].replace(id_, nobody) == missing.json()["detail"]


@pytest.mark.parametrize("lake", [SECRET, "nothing"])
def test_its_name_is_that_of_nothing(reader, lake):
    failures = reader.get(f"/v1/lakes/{lake}/failures")
    crawl = reader.post("/v1/crawls", json={"lake": lake})
    assert (failures.status_code, crawl.status_code) == (404, 404)
    assert failures.json()["code"] == crawl.json()["code"] == "unknown_lake"
    assert reader.found("/v1/tables", lake=lake)["items"] == []


def test_its_crawls_are_not_listed(two_lakes, keys):
    with serve(two_lakes, keys["admin"]) as made:
        made.app.state.service.crawls._wake.set = lambda: None  # it shall only be listed
        id_ = made.post("/v1/crawls", json={"lake": SECRET}).json()["id"]
        assert [job["id"] for job in made.found("/v1/crawls")["items"]] == [id_]
        made.headers["Authorization"] = f"Bearer {keys['tiny']}"
        assert made.found("/v1/crawls")["items"] == []
        assert made.found("/v1/status")["jobs"] == 0
        for call in (made.get, made.delete):
            assert call(f"/v1/crawls/{id_}").status_code == 404
        assert made.get(f"/v1/crawls/{id_}/events").status_code == 404


def test_a_tag_tells_nothing_of_a_crawl_of_it(two_lakes, keys, tmp_path, secret_lake):
    home = shutil.copytree(two_lakes, tmp_path / "home")
    with serve(home, keys["tiny"]) as made:
        before, service = made.get("/v1/tables").headers["etag"], made.app.state.service
        number = service.current.tag
        Lake.open(home, encoder="hash").crawl(secret_lake, "third", engine=InlineEngine())
        while service.current.tag == number:
            time.sleep(0.05)
        assert made.get("/v1/tables").headers["etag"] == before


def test_only_gives_the_answers_of_the_lake_alone(crawled, two_lakes):
    part = Lake.open(two_lakes).only(["tiny"])
    assert len(part.view) == len(crawled.view)
    for name in ("shop/orders.customer_id", "world/countries.country"):
        mine, theirs = part.joins(name, threshold=0.0, k=100), crawled.joins(name, threshold=0.0, k=100)
        assert [(str(h.column), h.probability, h.hub, h.evidence) for h in mine.hits] == [
            (str(h.column), h.probability, h.hub, h.evidence) for h in theirs.hits
        ]
    assert [hit.table for hit in part.search("customer")] == [hit.table for hit in crawled.search("customer")]
