"""Spans reach a collector where the environment names one."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from tablelens.api.tracing import ASKED, traced

from .conftest import PATIENCE, at_a_port


@pytest.fixture
def collector(monkeypatch):
    """What was posted to a collector of ours."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield got
    server.shutdown()
    server.server_close()
    thread.join()


def test_each_request_is_a_span(collector, crawled):
    with at_a_port(crawled.home) as address:
        assert httpx.get(f"{address}/v1/tables", timeout=PATIENCE).status_code == 200
        assert httpx.get(f"{address}/readyz", timeout=PATIENCE).status_code == 200
    paths, bodies = zip(*collector, strict=True)
    assert set(paths) == {"/v1/traces"}
    assert b"tablelens" in b"".join(bodies)
    assert b"/v1/tables" in b"".join(bodies)
    assert b"readyz" not in b"".join(bodies)


def test_without_a_collector_nothing_is_wrapped(monkeypatch):
    for name in ASKED:
        monkeypatch.delenv(name, raising=False)
    app = object()
    assert traced(app)[0] is app
