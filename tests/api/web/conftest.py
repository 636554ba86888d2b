"""A real server over a lake of hostile names, and a real browser that looks at its page.

The browser is Debian's chromium, or what $TABLELENS_CHROMIUM names. Where there is none the tests are skipped with the
reason; with $TABLELENS_NO_SKIP, as in .ci/run, they fail instead.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tablelens.engines.base import InlineEngine
from tablelens.lake import Lake
from tablelens.testing import make_lake

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SECONDS = 15
expect.set_options(timeout=SECONDS * 1000)
HOSTILE_TABLE = '<img src=x onerror="document.title=1">.csv'
HOSTILE_COLUMN = "<script>alert('column')</script>"
HOSTILE_VALUE = '"><svg onload=alert(1)>'
BIDI = "abc\u202egnp.exe"
BREACHES = """addEventListener("securitypolicyviolation", (breach) =>
    console.error(`policy: ${breach.violatedDirective} ${breach.blockedURI}`))"""


def missing(reason):
    if os.environ.get("TABLELENS_NO_SKIP"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def page_lake(tmp_path_factory, tiny_lake):
    """The tiny lake with a table whose names and values are markup."""
    folder = tmp_path_factory.mktemp("lakes") / "shop & <b>sons"
    shutil.copytree(tiny_lake, folder)
    values = [HOSTILE_VALUE, BIDI, *(f"C{i:03}" for i in range(38))]
    make_lake(folder, {HOSTILE_TABLE: {HOSTILE_COLUMN: values, "customer_id": [f"C{i:03}" for i in range(40)]}})
    return folder


@pytest.fixture(scope="session")
def page_home(page_lake, tmp_path_factory):
    """That lake, crawled with the encoder that is shipped."""
    lake = Lake.open(tmp_path_factory.mktemp("homes") / "page", encoder="deepjoin-static")
    lake.crawl(page_lake, engine=InlineEngine())
    runs = lake.home / "probes" / "runs"
    runs.mkdir(parents=True)
    shutil.copy(Path(__file__).parent / "probe_run.json", runs / "20260101-120000-abcdef.json")
    return lake.home


@contextmanager
def serving(home):
    """``tablelens serve`` in a process of its own; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-Im", "tablelens", "--home", str(home), "serve", "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}readyz", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, "the server ended"
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def address(page_home):
    """Where the page is."""
    with serving(page_home) as found:
        yield found


@pytest.fixture(scope="session")
def browser():
    """One browser for all tests of a process."""
    path = os.environ.get("TABLELENS_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing("no chromium: apt-get install chromium, or name one with TABLELENS_CHROMIUM")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser, address):
    """A page whose errors, breaches of its policy and dialogs fail the test."""
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.add_init_script(BREACHES)
    made = context.new_page()
    made.set_default_timeout(SECONDS * 1000)
    wrong = made.wrong = []
    made.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
    made.on(
        "request",
        lambda asked: None if asked.url.startswith((address, "data:", "blob:")) else wrong.append(f"asked {asked.url}"),
    )
    yield made
    context.close()
    assert wrong == []


@pytest.fixture(scope="session")
def ids(address):
    """Ids of tables and columns by their names."""

    def find(table, column=None):
        found = ask(f"{address}v1/tables?limit=100")["items"]
        table_id = next(each["id"] for each in found if each["name"] == table)
        if column is None:
            return table_id
        fields = ask(f"{address}v1/tables/{table_id}/columns")
        return next(each["id"] for each in fields if each["name"] == column)

    return find


def ask(url):
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        return json.load(answer)
