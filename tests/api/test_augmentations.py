"""Augmentations as jobs, and rows that are like a row: what is found, who sees it."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from tablelens.api.keys import KeyRing

from tablelens import Client as Remote
from tablelens.engines.base import InlineEngine
from tablelens.errors import NotFound, UnknownColumn, UsageError
from tablelens.lake import Lake
from tablelens.testing import make_lake

from .conftest import SECRET, at_a_port, ended, serve

TREES = {"judge": "trees", "budget": 600}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Sales by town; towns whose people tell how much is sold, once open and once in a lake that is not for all."""
    folder = tmp_path_factory.mktemp("augmentations")
    rng = np.random.default_rng(3)
    towns = [f"town of {chr(97 + n // 9)}{chr(97 + n % 9)}" for n in range(80)]
    people, chosen = rng.normal(size=80).round(3), rng.integers(0, 80, 300)
    sold = np.where(people[chosen] > 0, "many", "few")
    sales = {
        "town": [towns[n] for n in chosen],
        "weight": rng.normal(size=300).round(3).tolist(),
        "sold": sold.tolist(),
    }
    known = {"place": towns, "people": people.tolist()}
    hidden = {"place": towns, f"{SECRET}_income": (people * 3).round(3).tolist()}
    made = Lake.open(folder / "home")
    made.crawl(make_lake(folder / "open", {"sales.csv": sales, "towns.csv": known}), "open", engine=InlineEngine())
    made.crawl(make_lake(folder / SECRET, {"towns.csv": hidden}), SECRET, engine=InlineEngine())
    made.reload()
    made.index_rows(rows=40, epochs=1)
    return folder / "home"


@pytest.fixture(scope="module")
def keys(home):
    ring = KeyRing(home)
    scopes = {"admin": ["admin"], "open": ["read:open"], "other": ["read:open"]}
    return {name: ring.make(name, given)[0] for name, given in scopes.items()}


def test_it_is_found_and_told_of_and_nobody_else_hears(home, keys):
    with serve(home, keys["open"]) as client, serve(home, keys["other"]) as other:
        sales = client.table("sales.csv")
        headers = {"Idempotency-Key": "once"}
        body = {"table": sales, "target": "sold"} | TREES
        asked = [client.post("/v1/augmentations", json=body, headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in asked] == [202, 202]
        assert asked[0].json()["id"] == asked[1].json()["id"]
        where = asked[0].headers["location"]
        job = ended(client, where)
        assert (job["state"], job["error"]) == ("done", "")
        assert job["report"]["recommended"] == ["towns.csv"]
        assert job["report"]["trials"][0]["lifts"]["trees"]["low"] > 0
        assert "LEFT JOIN LATERAL" in job["report"]["sql"]
        assert SECRET not in json.dumps(job)

        events = client.get(f"{where}/events").text
        assert "towns.csv" in events
        assert json.loads(events.strip().splitlines()[-1].removeprefix("data: "))["state"] == "done"
        assert [each["id"] for each in client.found("/v1/augmentations")["items"]] == [job["id"]]

        other.app = client.app
        other.headers["Authorization"] = f"Bearer {keys['other']}"
        for answer in (other.get(where), other.delete(where), other.get(f"{where}/events")):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_an_admin_sees_the_other_lake_too(home, keys):
    with serve(home, keys["admin"]) as client:
        body = {"table": client.table("sales.csv"), "target": "sold"} | TREES
        job = ended(client, client.post("/v1/augmentations", json=body).headers["location"])
        assert SECRET in json.dumps(job)


def test_it_can_be_stopped(home, keys):
    with serve(home, keys["admin"], max_jobs=2) as client:
        body = {"table": client.table("sales.csv"), "target": "sold"}
        first, second = (client.post("/v1/augmentations", json=body).json()["id"] for _ in range(2))
        third = client.post("/v1/augmentations", json=body)
        assert (third.status_code, third.json()["limit"]) == (503, "max_jobs")
        assert client.delete(f"/v1/augmentations/{second}").json()["state"] == "cancelled"
        client.delete(f"/v1/augmentations/{first}")
        assert ended(client, f"/v1/augmentations/{first}")["state"] == "cancelled"


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"target": "sould"}, 404, "unknown_column"),
        ({"table": "aaaaaaaaaaaaaaaa"}, 404, "unknown_table"),
        ({"budget": 0}, 400, "usage"),
        ({"metric": "f1"}, 400, "usage"),
        ({"k": 100_000}, 400, "limit"),
        ({"more": 1}, 400, "usage"),
    ],
)
def test_what_cannot_be_is_refused(home, keys, wrong, status, code):
    with serve(home, keys["open"]) as client:
        body = {"table": client.table("sales.csv"), "target": "sold"} | TREES | wrong
        answer = client.post("/v1/augmentations", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_what_fails_says_why(home, keys):
    with serve(home, keys["open"]) as client:
        body = {"table": client.table("towns.csv"), "target": "place"} | TREES
        job = ended(client, client.post("/v1/augmentations", json=body).headers["location"])
        assert job["state"] == "failed"
        assert "distinct values" in job["error"]


def test_similar_rows_are_those_of_the_library_and_of_ones_own_lakes(home, keys):
    with serve(home, keys["admin"]) as admin, serve(home, keys["open"]) as reader:
        path = f"/v1/tables/{admin.table('sales.csv')}/rows/3/similar"
        found = admin.found(path, k=20, others=True)
        expected = Lake.open(home).similar_rows("sales.csv", 3, k=20, others=True)
        assert [(hit["table"]["lake"], hit["table"]["name"], hit["row"]) for hit in found["hits"]] == [
            (hit.lake, hit.table, hit.row) for hit in expected
        ]
        assert {hit["table"]["lake"] for hit in found["hits"]} == {"open", SECRET}
        assert found["hits"][0]["values"].keys() <= {"place", "people", f"{SECRET}_income"}
        mine = reader.found(path, k=20, others=True)
        assert {hit["table"]["lake"] for hit in mine["hits"]} == {"open"}
        assert SECRET not in json.dumps(mine)
        assert len(mine["hits"]) == 20
        assert mine["hits"][0]["values"]["place"].startswith("town of")
        assert reader.get(path.replace("/3/", "/4711/")).json()["code"] == "usage"


def test_no_rows_were_indexed(client):
    answer = client.get(f"/v1/tables/{client.table('shop/orders.csv')}/rows/0/similar")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_lake")
    assert "rows index" in answer.json()["hint"]


def test_the_client_has_both(home, keys):
    with at_a_port(home) as address, Remote(address, keys["open"]) as remote:
        steps = []
        report = remote.augment("sales", "sold", rows=False, budget=600, told=steps.append)
        assert report["recommended"] == ["towns.csv"]
        mine = remote.similar_rows("sales", 3, k=4)
        assert mine == Lake.open(home).only(["open"]).similar_rows("sales", 3, k=4)
        with pytest.raises(UnknownColumn):
            remote.augment("sales", "sould")
        with pytest.raises(UsageError):
            remote.similar_rows("sales", 4711)
        with pytest.raises(NotFound):
            remote.similar_rows("nowhere", 1)
