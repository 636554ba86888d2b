"""A service in this process, over the tiny lake."""

import shutil

import pytest
from litestar.testing import TestClient
from tablelens.api import create_app
from tablelens.api.keys import KeyRing

from tablelens.settings import Settings

HOST = "testserver.local"


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


def serve(home, **settings):
    return Client(create_app(home, Settings(**({"rate_per_minute": 0} | settings)), hosts=[HOST]))


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
