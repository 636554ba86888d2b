"""A service over the tiny lake, in this process or at a port; a home with two lakes, one of them secret."""

import shutil
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn
from litestar.testing import TestClient
from tablelens.api import create_app
from tablelens.api.keys import KeyRing
from tablelens.api.patience import Patient

from tablelens.engines.base import InlineEngine
from tablelens.lake import Lake
from tablelens.settings import Settings
from tablelens.testing import make_lake

HOST = "testserver.local"
SECRET = "zebrafish"
"""A word that is in every name and many cells of the lake that not everybody may read."""
PATIENCE = 200
"""Seconds after which a test takes what it waits for as lost, however busy the machine is."""
USUAL = {"rate_per_minute": 0, "query_seconds": PATIENCE}
"""Settings of a service whose limits are not what is tested."""


class Client(TestClient):
    """A test client with short words for what most tests do."""

    def found(self, path, **parameters):
        """The answer's JSON, of a request that succeeds."""
        answer = self.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def table(self, name):
        """The id of a table."""
        return next(each["id"] for each in self.found("/v1/tables")["items"] if each["name"] == name)

    def column(self, name):
        """The id of a column."""
        return self.found("/v1/columns", name=name)["id"]


def serve(home, key=None, **settings):
    """A client of a service over a home; ``key`` is sent with each request."""
    made = Client(create_app(home, Settings(**(USUAL | settings)), hosts=[HOST]))
    if key:
        made.headers["Authorization"] = f"Bearer {key}"
    return made


@contextmanager
def at_a_port(home, **settings):
    """The address of a real server over a home."""
    app = create_app(home, Settings(**(USUAL | settings)))
    config = uvicorn.Config(app, port=0, http=Patient, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)


def ended(client, where):
    """A job when it is over."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        job = client.get(where).json()
        if job["state"] not in ("waiting", "running"):
            return job
        time.sleep(0.05)
    raise AssertionError(f"the job does not end: {job}")


@pytest.fixture(scope="session")
def client(crawled):
    """A client of a service without keys."""
    with serve(crawled.home) as made:
        yield made


@pytest.fixture
def own_home(crawled, tmp_path):
    """A copy of the tiny home that a test may change."""
    return shutil.copytree(crawled.home, tmp_path / "home")


@pytest.fixture
def ring(own_home):
    """The keys of that copy."""
    return KeyRing(own_home)


@pytest.fixture(scope="session")
def secret_lake(tmp_path_factory):
    """A lake that shares columns with the tiny one, and tells of itself wherever it shows."""
    return make_lake(
        tmp_path_factory.mktemp("lakes") / SECRET,
        {
            f"{SECRET}/orders.csv": {
                f"{SECRET}_id": [f"{SECRET}-{i}" for i in range(60)],
                "customer_id": [f"C{i:03}" for i in range(60)],  # as in the tiny lake
                "country": (["France", "Germany", "Italy", "Spain", "Peru", "Chile"] * 10),
            },
            f"{SECRET}_countries.csv": {
                "iso2": ["FR", "DE", "IT", "ES", "PE", "CL"],
                "country": ["France", "Germany", "Italy", "Spain", "Peru", "Chile"],
            },
        },
    )


@pytest.fixture(scope="session")
def two_lakes(crawled, secret_lake, tmp_path_factory):
    """A home with the tiny lake and the secret one; read only."""
    home = shutil.copytree(crawled.home, tmp_path_factory.mktemp("homes") / "two")
    Lake.open(home, encoder="hash").crawl(secret_lake, SECRET, engine=InlineEngine())
    return home


@pytest.fixture(scope="session")
def keys(two_lakes):
    """Keys of that home: of an admin, of a reader of each lake, of one who may crawl the tiny one."""
    ring = KeyRing(two_lakes)
    scopes = {"admin": "admin", "tiny": "read:tiny", "secret": f"read:{SECRET}", "writer": "write:tiny"}
    return {name: ring.make(name, [scope])[0] for name, scope in scopes.items()}
