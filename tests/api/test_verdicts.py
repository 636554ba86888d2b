"""Verdicts over REST: they rank at once, and make what was cached stale."""

import pytest

from .conftest import serve


@pytest.fixture
def client(own_home):
    with serve(own_home) as made:
        yield made


@pytest.fixture
def pair(client):
    return client.column("shop/orders.customer_id"), client.column("shop/customers.customer_id")


def test_a_verdict_ranks_at_once(client, pair):
    left, right = pair
    path = f"/v1/columns/{left}/joins"
    before = client.get(path)
    assert before.json()["hits"][0]["column"]["id"] == right
    said = client.put(f"{path}/{right}/verdict", json={"joins": False, "note": "by accident"})
    assert (said.status_code, said.json()["joins"], said.json()["note"]) == (200, False, "by accident")
    assert said.json()["decided"]
    after = client.get(path, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200  # no 304: the answer is another one
    assert right not in [hit["column"]["id"] for hit in after.json()["hits"]]
    (kept,) = client.found("/v1/verdicts")["items"]
    assert {kept["left"]["id"], kept["right"]["id"]} == {left, right}


def test_a_verdict_is_taken_back(client, pair):
    left, right = pair
    path = f"/v1/columns/{left}/joins/{right}/verdict"
    client.put(path, json={"joins": True})
    assert client.delete(path).status_code == 204
    assert client.found("/v1/verdicts")["items"] == []
    again = client.delete(path)
    assert (again.status_code, again.json()["code"]) == (400, "usage")


def test_a_denied_join_is_on_no_path(client, pair):
    ends = {"from": client.table("shop/orders.csv"), "to": client.table("world/countries.csv")}
    assert client.found("/v1/paths", **ends)["paths"]
    client.put(f"/v1/columns/{pair[0]}/joins/{pair[1]}/verdict", json={"joins": False})
    assert client.found("/v1/paths", **ends)["paths"] == []


def test_a_form_of_a_foreign_page_gives_no_verdict(client, pair):
    path = f"/v1/columns/{pair[0]}/joins/{pair[1]}/verdict"
    answer = client.put(path, content='{"joins": false}', headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "media_type")
