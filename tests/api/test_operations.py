"""The service as a process: started, watched, reloaded, stopped; one a home."""

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest
from tablelens.api import create_app

from tablelens.catalog.store import Catalog
from tablelens.engines.base import InlineEngine
from tablelens.errors import CatalogLocked
from tablelens.lake import Lake
from tablelens.testing import make_lake

from .conftest import PATIENCE, at_a_port, serve

NUMBERS = [f"N-{i}" for i in range(40)]


@pytest.fixture
def crawled_static(home, tmp_path):
    """A home crawled with the encoder that other processes have too."""
    folder = make_lake(tmp_path / "shop", {"a.csv": {"id": NUMBERS}, "b.csv": {"ref": NUMBERS[:30]}})
    Lake.open(home).crawl(folder, engine=InlineEngine())
    return home


def start(home, *options):
    command = [sys.executable, "-Im", "tablelens", "--home", str(home), "serve", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def address_of(process):
    for line in process.stderr:
        if found := re.search(r"serves .* at (http://\S+)/", line):
            return found[1]
    raise AssertionError("the server ended before it was ready")


@pytest.fixture
def port():
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return str(some.getsockname()[1])


def test_one_server_a_home_and_a_graceful_end(crawled_static, port):
    first = start(crawled_static, "--port", port)
    try:
        address = address_of(first)
        assert httpx.get(f"{address}/readyz", timeout=PATIENCE).status_code == 200
        second = start(crawled_static, "--port", "1")
        _, said = second.communicate(timeout=PATIENCE)
        assert second.returncode == 8
        assert f"served already by process {first.pid} at {address}/" in said

        with httpx.stream("GET", f"{address}/v1/tables", timeout=PATIENCE) as open_answer:
            first.send_signal(signal.SIGTERM)
            assert open_answer.read()  # what was begun is finished
        out, logs = first.communicate(timeout=PATIENCE)
        assert (first.returncode, out) in [(0, ""), (-signal.SIGTERM, "")]
        assert "Traceback" not in logs
    finally:
        first.kill()
        first.wait()
    third = start(crawled_static, "--port", port)  # the lock went with the process
    address_of(third)
    third.kill()
    third.communicate()


def test_a_port_that_is_taken_is_said_so(crawled_static):
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        some.listen()
        process = start(crawled_static, "--port", str(some.getsockname()[1]))
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "is the port taken?" in said


def test_no_request_fails_while_generations_change(tmp_path, crawl):
    """Readers keep the generation that they began with; the new one answers from the next request on."""
    folder = make_lake(tmp_path / "shop", {"a.csv": {"id": NUMBERS}, "b.csv": {"ref": NUMBERS[:30]}})
    lake, _ = crawl(folder)
    with at_a_port(lake.home) as address:
        column = httpx.get(f"{address}/v1/columns", params={"name": "b.ref"}, timeout=PATIENCE).json()["id"]
        statuses, generations, stop = [], set(), threading.Event()

        def ask():
            with httpx.Client(timeout=PATIENCE) as client:
                while not stop.is_set():
                    answer = client.get(f"{address}/v1/columns/{column}/joins")
                    statuses.append(answer.status_code)
                    generations.add(answer.json().get("generation"))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(4):
            make_lake(folder, {f"more{number}.csv": {"id": NUMBERS[number:]}})
            crawl(folder)
            newest, end = (lake.home / "CURRENT").read_text().strip(), time.monotonic() + 60
            while newest not in generations and time.monotonic() < end:
                time.sleep(0.05)
            assert newest in generations
        stop.set()
        for thread in threads:
            thread.join()
        assert set(statuses) == {200}


def test_a_damaged_new_generation_leaves_the_old_one(tmp_path, crawl):
    folder = make_lake(tmp_path / "shop", {"a.csv": {"id": NUMBERS}})
    lake, _ = crawl(folder)
    with serve(lake.home) as client:
        assert client.found("/v1/status")["tables"] == 1
        make_lake(folder, {"b.csv": {"id": NUMBERS}})
        crawl(folder)
        number = (lake.home / "CURRENT").read_text()
        damaged = lake.home / "index" / number / "own.npy"
        damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
        time.sleep(1.5)
        assert client.get("/readyz").status_code == 200


def test_a_damaged_index_at_the_start_is_not_ready(own_home):
    next((own_home / "index").rglob("own.npy")).write_bytes(b"")
    with serve(own_home) as client:
        assert (client.get("/readyz").status_code, client.get("/livez").status_code) == (503, 200)
        answer = client.get("/v1/tables")
        assert (answer.status_code, answer.json()["code"]) == (503, "damaged_index")
        assert str(own_home) not in answer.text


def test_too_many_at_once_are_told_to_come_again(crawled):
    with serve(crawled.home, max_waiting=1) as client:
        client.app.state.service._waiting = 1
        answer = client.get("/v1/search", params={"q": "x"})
        assert (answer.status_code, answer.json()["limit"]) == (503, "max_waiting")
        assert answer.headers["retry-after"] == "1"


def test_a_crawl_by_hand_says_who_writes(own_home):
    """While the service crawls, its process holds the catalogue: the command names it."""
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import duckdb, time; c = duckdb.connect({str(own_home / 'catalog.duckdb')!r}); "
         "print('held', flush=True); time.sleep(60)"], stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(CatalogLocked, match=f"process {holder.pid}"):
            Catalog(own_home / "catalog.duckdb")
        with serve(own_home) as client:
            pair = client.column("shop/orders.customer_id"), client.column("shop/customers.customer_id")
            answer = client.put("/v1/columns/{}/joins/{}/verdict".format(*pair), json={"joins": True})
            assert (answer.status_code, answer.json()["code"]) == (409, "catalog_locked")
            assert str(holder.pid) in answer.json()["detail"]
    finally:
        holder.kill()
        holder.communicate()


def test_logs_are_json_lines_with_the_requests_id(crawled_static, port):
    process = start(crawled_static, "--port", port)
    address = address_of(process)
    httpx.get(f"{address}/v1/tables", headers={"X-Request-ID": "my-id"}, timeout=PATIENCE)
    os.kill(process.pid, signal.SIGTERM)
    _, logs = process.communicate(timeout=PATIENCE)
    lines = [json.loads(line) for line in logs.splitlines()]
    mine = next(line for line in lines if line.get("request_id") == "my-id")
    assert (mine["route"], mine["status"], mine["level"]) == ("/v1/tables", 200, "info")


def test_the_app_leaves_the_logging_of_its_process_alone(tmp_path):
    before = list(logging.getLogger().handlers)
    create_app(tmp_path)
    assert logging.getLogger().handlers == before
