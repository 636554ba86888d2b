"""Crawls as jobs, in processes of their own."""

import asyncio
import json
import signal

import httpx
import pytest
from tablelens.api.keys import KeyRing

from tablelens.testing import make_lake

from .conftest import PATIENCE, at_a_port, ended, serve

NUMBERS = [f"N-{i}" for i in range(40)]


@pytest.fixture
def folder(tmp_path):
    return make_lake(tmp_path / "shop", {"a.csv": {"id": NUMBERS}, "b.csv": {"ref": NUMBERS[:30]}})


def test_a_lake_is_crawled_and_answers_at_once(home, folder):
    with serve(home) as client:
        assert client.found("/v1/lakes") == []
        assert client.get("/v1/tables").json()["code"] == "no_lake"
        assert client.get("/readyz").status_code == 200
        asked = client.post("/v1/crawls", json={"path": str(folder)})
        assert asked.status_code == 202
        where = asked.headers["location"]
        assert where == f"/v1/crawls/{asked.json()['id']}"
        job = ended(client, where)
        assert (job["state"], job["report"]["tables"], job["report"]["failed"]) == ("done", 2, [])
        assert client.found("/v1/lakes")[0]["name"] == "shop"
        found = client.found(f"/v1/columns/{client.column('b.ref')}/joins")
        assert found["hits"][0]["column"]["table"] == "a.csv"

        events = client.get(f"{where}/events").text  # all of them, as it is over
        lines = [line for line in events.splitlines() if line.startswith(("id:", "event:", "data:"))]
        numbers = [int(line[3:]) for line in lines if line.startswith("id:")]
        assert numbers == list(range(1, len(numbers) + 1))
        assert json.loads(lines[-1].removeprefix("data:"))["state"] == "done"
        rest = client.get(f"{where}/events", headers={"Last-Event-ID": str(numbers[-2])}).text
        assert rest.count("id:") == 1

        unchanged = client.post("/v1/crawls", json={"lake": "shop"}).headers["location"]
        assert ended(client, unchanged)["report"]["skipped"] == 2


def test_the_same_key_is_the_same_crawl(home, folder):
    with serve(home) as client:
        headers = {"Idempotency-Key": "once"}
        ids = [client.post("/v1/crawls", json={"path": str(folder)}, headers=headers).json()["id"] for _ in range(3)]
        assert len(set(ids)) == 1
        assert len(client.found("/v1/crawls")["items"]) == 1
        ended(client, f"/v1/crawls/{ids[0]}")


def test_crawls_wait_in_line_and_can_be_cancelled(home, folder):
    with serve(home, max_jobs=2) as client:
        wake = client.app.state.service.crawls._wake
        wake.set = lambda: None  # the first is not done before the third is asked for
        first, second = (client.post("/v1/crawls", json={"path": str(folder)}).json()["id"] for _ in range(2))
        third = client.post("/v1/crawls", json={"path": str(folder)})
        assert (third.status_code, third.json()["limit"]) == (503, "max_jobs")
        for _ in range(2):  # a second time changes nothing
            assert client.delete(f"/v1/crawls/{second}").json()["state"] == "cancelled"
        del wake.set
        with client.portal() as portal:
            portal.call(wake.set)
        client.delete(f"/v1/crawls/{first}")
        assert ended(client, f"/v1/crawls/{first}")["state"] in ("cancelled", "done")
        again = client.post("/v1/crawls", json={"path": str(folder)}).headers["location"]
        assert ended(client, again)["state"] == "done"  # what was cut off goes on


def test_a_crawl_that_fails_says_why(home, folder, tmp_path):
    other = make_lake(tmp_path / "elsewhere" / "shop", {"a.csv": {"id": NUMBERS}})
    with serve(home) as client:
        ended(client, client.post("/v1/crawls", json={"path": str(folder)}).headers["location"])
        job = ended(client, client.post("/v1/crawls", json={"path": str(other)}).headers["location"])
        assert job["state"] == "failed"
        assert "is already" in job["error"]


def test_news_of_a_crawl_end_with_the_key(own_home):
    ring = KeyRing(own_home)
    text, key = ring.make("gone", ["admin"])
    with at_a_port(own_home) as address, httpx.Client(timeout=PATIENCE) as client:
        client.base_url, client.headers["Authorization"] = address, f"Bearer {text}"
        id_ = client.post("/v1/crawls", json={"lake": "tiny"}).json()["id"]
        with client.stream("GET", f"/v1/crawls/{id_}/events") as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("id:")
            ring.revoke(key.id)
            list(lines)  # ends, or this would wait for ever
        assert client.get(f"/v1/crawls/{id_}").status_code == 401


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["heeded", "ignored"])
def interrupts(request):
    """SIGINT as it is in a shell, and as in what a script started with &."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_a_crawl_cancelled_while_its_process_is_made_does_not_run(home, folder, monkeypatch):
    make = asyncio.create_subprocess_exec

    async def cancelled_meanwhile(*command, **pipes):
        process = await make(*command, **pipes)
        crawls = client.app.state.service.crawls
        crawls.cancel(crawls.all()[0])
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", cancelled_meanwhile)
    with serve(home) as client:
        where = client.post("/v1/crawls", json={"path": str(folder)}).headers["location"]
        assert ended(client, where)["state"] == "cancelled"
