"""Probe runs over REST: those in the home, to admins."""

import json
import shutil
from pathlib import Path

import pytest

from .conftest import serve

RUN = Path(__file__).parent / "web" / "probe_run.json"


@pytest.fixture
def runs(own_home):
    folder = own_home / "probes" / "runs"
    folder.mkdir(parents=True)
    return folder


def test_none_yet(client):
    assert client.found("/v1/probes")["items"] == []


def test_runs_are_listed_newest_first_and_shown_without_single_tables(own_home, runs):
    shutil.copy(RUN, runs / "20260101-120000-abcdef.json")
    newer = json.loads(RUN.read_text("utf-8")) | {"id": "20260102-120000-abcdef"}
    newer["results"][0]["units"] = {"orders": {"stability": 1.0}}
    (runs / "20260102-120000-abcdef.json").write_text(json.dumps(newer), "utf-8")
    with serve(own_home) as client:
        found = client.found("/v1/probes")
        assert [run["id"] for run in found["items"]] == ["20260102-120000-abcdef", "20260101-120000-abcdef"]
        assert found["items"][0]["models"] == ["deepjoin-static", "constant"]
        assert sum(found["items"][0]["verdicts"].values()) == len(newer["results"])
        whole = client.found("/v1/probes/20260102-120000-abcdef")
        assert whole["results"][0]["headline"] == "stability"
        assert all(result["units"] == {} for result in whole["results"])


@pytest.mark.parametrize("name", ["nothing", "..%2F..%2Fkeys", "20260101"])
def test_an_unknown_run_is_not_found(own_home, runs, name):
    (own_home / "keys.json").write_text("[]", "utf-8")
    with serve(own_home) as client:
        assert client.get(f"/v1/probes/{name}").status_code == 404


def test_runs_name_tables_so_they_are_for_admins(own_home, runs, ring):
    text, _ = ring.make("reader", ["read:*"])
    with serve(own_home) as client:
        assert client.get("/v1/probes", headers={"Authorization": f"Bearer {text}"}).status_code == 403
