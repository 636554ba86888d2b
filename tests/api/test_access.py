"""Keys, scopes, hosts, origins, rates: who gets in, and what is noted of it."""

import json
import threading
import time

import httpx
import pytest
from tablelens.api.keys import KeyRing, Visitor
from tablelens.api.run import serve as run

from tablelens.errors import UsageError
from tablelens.settings import Settings

from .conftest import HOST, PATIENCE, SECRET, at_a_port, serve


def problem(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_without_keys_everybody_on_this_machine_may_do_everything(client):
    assert client.found("/v1/status")["scopes"] == ["admin"]


def test_with_a_key_everybody_needs_one(own_home, ring):
    with serve(own_home) as client:
        assert client.get("/v1/lakes").status_code == 200
        ring.make("first", ["admin"])
        assert problem(client.get("/v1/lakes")) == (401, "unauthenticated")
        assert client.get("/v1/lakes").headers["www-authenticate"].startswith("Bearer")
        assert client.get("/livez").status_code == 200
        assert client.get("/").status_code == 200
        assert client.get("/schema/openapi.json").status_code == 200
        assert problem(client.get("/metrics"))[0] == 401


@pytest.mark.parametrize("text", ["", "tl_", "nonsense", "tl_00000000_" + "a" * 43, "ü" * 50, "x" * 5000])
def test_a_wrong_key_opens_nothing(own_home, ring, text):
    ring.make("first", ["admin"])
    with serve(own_home) as client:
        headers = {"Authorization": f"Bearer {text}".encode()}
        assert problem(client.get("/v1/lakes", headers=headers)) == (401, "unauthenticated")


def test_a_key_with_one_letter_changed_opens_nothing(own_home, ring):
    text, _ = ring.make("first", ["admin"])
    assert ring.visitor(text) is not None
    for place in range(len(text)):
        changed = text[:place] + ("a" if text[place] != "a" else "b") + text[place + 1 :]
        assert ring.visitor(changed) is None, place


def test_a_key_expires(own_home, ring, monkeypatch):
    text, _ = ring.make("short", ["admin"], days=1)
    with serve(own_home, text) as client:
        assert client.get("/v1/lakes").status_code == 200
        later = time.time() + 86401
        monkeypatch.setattr("tablelens.api.keys.time.time", lambda: later)
        assert problem(client.get("/v1/lakes")) == (401, "unauthenticated")


def test_a_revoked_key_opens_nothing_from_then_on(own_home, ring):
    text, key = ring.make("gone", ["admin"])
    with serve(own_home, text) as client:
        assert client.get("/v1/lakes").status_code == 200
        KeyRing(own_home).revoke(key.id)  # by another process
        assert problem(client.get("/v1/lakes")) == (401, "unauthenticated")


def test_keys_are_kept_as_hashes(own_home, ring):
    text, _ = ring.make("first", ["admin"])
    kept = (own_home / "keys.json").read_text()
    assert text not in kept
    assert text.rpartition("_")[2] not in kept
    assert (own_home / "keys.json").stat().st_mode & 0o077 == 0


def test_keys_made_at_the_same_time_are_all_kept(own_home):
    def make(number):
        KeyRing(own_home).make(f"key {number}", ["admin"])

    threads = [threading.Thread(target=make, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(KeyRing(own_home).all()) == 8


@pytest.mark.parametrize("scope", ["", "root", "read", "read:", "write", "ADMIN"])
def test_a_scope_that_is_none_is_refused(ring, scope):
    with pytest.raises(UsageError, match="unknown scope"):
        ring.make("odd", [scope])


def test_a_damaged_file_of_keys_lets_nobody_in(own_home, ring):
    text, _ = ring.make("first", ["admin"])
    with serve(own_home, text) as client:
        (own_home / "keys.json").write_text("[{")
        assert problem(client.get("/v1/lakes")) == (503, "catalog")
        assert "keys.json" not in client.get("/v1/lakes").text


@pytest.mark.parametrize("name", ["key", "API_KEY", "token", "access_token"])
def test_a_key_in_a_url_is_refused(own_home, ring, name):
    text, _ = ring.make("first", ["admin"])
    with serve(own_home) as client:
        answer = client.get("/v1/lakes", params={name: text})
        assert problem(answer) == (400, "usage")
        assert text not in answer.text


def test_scopes():
    writer = Visitor("k", ("write:shop",))
    assert writer.may("read", "shop")
    assert writer.may("write", "shop")
    assert not writer.may("read", "shop2")
    assert Visitor("k", ("read:*",)).may("read", "anything")
    assert not Visitor("k", ("read:*",)).may("write", "anything")
    assert not Visitor("k", ()).may("read", "")


def test_what_each_scope_may_do(two_lakes, keys):
    with serve(two_lakes, keys["tiny"]) as client:
        assert problem(client.get("/metrics")) == (403, "access")
        assert problem(client.get("/v1/generations")) == (403, "access")
        assert problem(client.post("/v1/crawls", json={"lake": "tiny"})) == (403, "access")
        assert problem(client.post("/v1/crawls", json={"path": "/etc"})) == (403, "access")
        pair = client.column("shop/orders.customer_id"), client.column("shop/customers.customer_id")
        verdict = client.put("/v1/columns/{}/joins/{}/verdict".format(*pair), json={"joins": True})
        assert problem(verdict) == (403, "access")
        assert client.found("/v1/lakes")[0]["root"] == ""
        client.headers["Authorization"] = f"Bearer {keys['writer']}"
        assert client.found("/v1/lakes")[0]["root"] != ""
        assert problem(client.post("/v1/crawls", json={"path": "/etc"})) == (403, "access")
        assert problem(client.post("/v1/crawls", json={"lake": SECRET})) == (404, "unknown_lake")


@pytest.mark.parametrize(
    "path", ["/v1/lakes;v1/livez", "/livez/../v1/lakes", "//v1/lakes", "/v1/%2e%2e/v1/lakes", "/LIVEZ"]
)
def test_a_path_that_only_looks_public_is_not(own_home, ring, path):
    """As with CVE-2024-28255: what may be asked without a key is decided on the route."""
    ring.make("first", ["admin"])
    with at_a_port(own_home) as address, httpx.Client(timeout=PATIENCE) as client:
        request = client.build_request("GET", address)
        request.url = request.url.copy_with(raw_path=path.encode())
        answer = client.send(request)
        assert answer.status_code in (401, 404), answer.text
        assert "tiny" not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", "", "[::1", "a b"])
def test_a_foreign_host_is_refused(client, host):
    """DNS rebinding: a page of evil.example whose name now means 127.0.0.1."""
    assert problem(client.get("/v1/lakes", headers={"Host": host})) == (403, "access")


@pytest.mark.parametrize("host", ["localhost", "localhost:8765", "127.0.0.1:1", "[::1]:80", "10.1.2.3", HOST])
def test_an_own_host_is_not(client, host):
    assert client.get("/v1/lakes", headers={"Host": host}).status_code == 200


def test_a_foreign_page_changes_nothing(client):
    headers = {"Origin": "https://evil.example"}
    assert problem(client.post("/v1/joins", json={"values": ["a"]}, headers=headers)) == (403, "access")
    own = {"Origin": f"http://{HOST}"}
    assert client.post("/v1/joins", json={"values": ["a"]}, headers=own).status_code == 200
    assert "access-control-allow-origin" not in client.get("/v1/lakes", headers=headers).headers


def test_rates_are_counted_by_key_and_not_by_what_a_proxy_is_said_to_have_seen(own_home, ring, monkeypatch):
    monkeypatch.setattr("tablelens.api.edge.time.time", lambda: 6e8)  # one minute, however long it takes
    first, second = (ring.make(name, ["admin"])[0] for name in ("first", "second"))
    with serve(own_home, first, rate_per_minute=5) as client:
        codes = [client.get("/livez", headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code for n in range(7)]
        assert codes == [200] * 5 + [429] * 2
        answer = client.get("/livez")
        assert problem(answer) == (429, "rate")
        assert answer.json()["limit"] == "rate_per_minute"
        assert answer.headers["retry-after"]
        assert client.get("/livez", headers={"Authorization": f"Bearer {second}"}).status_code == 200


def test_the_audit_log_says_who_did_what(own_home, ring):
    text, key = ring.make("first", ["write:tiny"])
    with serve(own_home, text) as client:
        pair = client.column("shop/orders.customer_id"), client.column("shop/customers.customer_id")
        client.put("/v1/columns/{}/joins/{}/verdict".format(*pair), json={"joins": True})
        client.get("/metrics", headers={"X-Request-ID": "abc"})
    notes = [json.loads(line) for line in (own_home / "audit.log").read_text().splitlines()]
    assert [note["event"] for note in notes] == ["verdict", "denied"]
    assert all(note["key"] == key.id for note in notes)
    assert notes[1]["request_id"] == "abc"
    assert text not in (own_home / "audit.log").read_text()


def test_another_address_needs_a_key(own_home):
    with pytest.raises(UsageError, match="anybody in the network"):
        run(own_home, Settings(), "0.0.0.0", 0)
