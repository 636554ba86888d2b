"""Requests and names that mean no good, each with the answer that it must get."""

import json
import logging
import socket
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import httpx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tablelens.api import edge, patience
from tablelens.api.errors import Busy
from tablelens.api.logs import JsonLines, Plain

from tablelens.engines import rows
from tablelens.engines.rows import JOINED, JoinTask, Source, joined_rows, received
from tablelens.errors import UsageError
from tablelens.settings import Settings
from tablelens.testing import make_lake

from .conftest import PATIENCE, at_a_port, serve

NUMBERS = [str(i) for i in range(100, 130)]


def problem(answer):
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


@pytest.fixture(scope="module")
def address(crawled):
    with at_a_port(crawled.home, max_upload_mb=1, max_body_mb=1) as made:
        yield made


# names ---------------------------------------------------------------------------------------------------------------

NAMES = ["x*.csv", "xsecret.csv", "q?.csv", "b[a].csv", "it's.csv", 'say "x".csv', "a;b.csv", "100%.csv", "no#1.csv"]
NAMES += ["line\nbreak.csv", "\u00e9.csv", "e\u0301.csv", "UPPER.csv", "upper.csv", "d/x.csv"]


def test_a_name_stands_for_itself(tmp_path, crawl):
    """A bare x*.csv given to DuckDB would show the rows of xsecret.csv too."""
    folder = tmp_path / "lake"
    for number, name in enumerate(NAMES):
        make_lake(folder, {name: {"own": [f"row of {number}-{i}" for i in range(6)]}})
    lake, _ = crawl(folder, "odd")
    with serve(lake.home) as client:
        tables = {each["name"]: each["id"] for each in client.found("/v1/tables")["items"]}
        assert len(tables) == len(set(NAMES))
        for number, name in enumerate(NAMES):
            rows = client.found(f"/v1/tables/{tables[name]}/preview")["rows"]
            assert rows == [[f"row of {number}-{i}"] for i in range(6)], name
            assert client.found(f"/v1/tables/{tables[name]}")["name"] == name


def test_a_column_name_is_no_sql(tmp_path, crawl):
    name = 'x"; drop table t0; --'
    make_lake(tmp_path / "lake", {"a.csv": {name: NUMBERS, "n": NUMBERS}, "b.csv": {name: NUMBERS}})
    lake, _ = crawl(tmp_path / "lake")
    with serve(lake.home) as client:
        left, right = (client.column(f"{table}.{name}") for table in ("a", "b"))
        found = client.found(f"/v1/columns/{left}/joins/{right}/rows", rows=100)
        assert [column["name"] for column in found["columns"]] == [name, "n", f"{name} (2)"]
        assert len(found["rows"]) == 30


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=2))
def test_any_names_can_be_joined(names):
    tables = [pa.table({name: ["1"] for name in set(names)})] * 2
    sql = rows._select([table.column_names for table in tables], ["", "true"], 5)
    with duckdb.connect() as con:
        for place, table in enumerate(tables):
            con.register(f"t{place}", table)
        found = con.execute(sql).to_arrow_table()
    assert found.num_columns == 2 * len(set(names))
    assert len({name.casefold() for name in found.column_names}) == found.num_columns


@pytest.mark.parametrize("cell", ["<script>alert(1)</script>", "javascript:alert(1)", "<svg onload=alert(1)>"])
def test_cells_are_data_and_never_a_page(tmp_path, crawl, cell):
    make_lake(tmp_path / "lake", {"a.csv": {cell: [cell] * 3}})
    lake, _ = crawl(tmp_path / "lake")
    with serve(lake.home) as client:
        (table,) = client.found("/v1/tables")["items"]
        for form in ("json", "csv"):
            answer = client.get(f"/v1/tables/{table['id']}/preview", params={"format": form})
            assert "html" not in answer.headers["content-type"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "script" not in answer.headers["content-security-policy"]


def test_a_spreadsheet_gets_no_formulas(tmp_path, crawl):
    cells = ["=1+1", "+1", "-1", "@x", "\tx", "plain", "1=1"]
    make_lake(tmp_path / "lake", {"a.csv": {"=name": cells, "b": list(range(7))}})
    lake, _ = crawl(tmp_path / "lake")
    with serve(lake.home) as client:
        path = f"/v1/tables/{client.table('a.csv')}/preview"
        guarded = client.get(path, params={"format": "spreadsheet"}).text.splitlines()
        assert guarded[0].startswith('"\'=name"')
        assert [line.partition('",')[0][1:] for line in guarded[1:]] == [
            *(f"'{cell}" for cell in cells[:5]),
            "plain",
            "1=1",
        ]
        raw = client.get(path, params={"format": "csv"}).text.splitlines()
        assert raw[1].startswith('"=1+1"')


# numbers, ids, bodies ------------------------------------------------------------------------------------------------

ODD = ["0", "-1", "1000000000", "NaN", "", "1.5", "٣", "99999999999999999999999"]


@pytest.mark.parametrize("value", ODD)
def test_an_odd_number_is_refused(client, value):
    column, table = client.column("shop/orders.customer_id"), client.table("shop/orders.csv")
    for path, name in (
        (f"/v1/columns/{column}/joins", "k"),
        (f"/v1/tables/{table}/preview", "rows"),
        (f"/v1/tables/{table}/unions", "k"),
        ("/v1/tables", "limit"),
        ("/v1/search?q=x", "k"),
        ("/v1/suggestions?q=x", "k"),
        ("/v1/graph", "limit"),
        ("/v1/map", "limit"),
    ):
        answer = client.get(f"{path}{'&' if '?' in path else '?'}{name}={value}")
        assert problem(answer) in [(400, "usage"), (400, "limit")], (path, value)
        if answer.json()["code"] == "limit":
            assert answer.json()["limit"] in Settings.__dataclass_fields__


@pytest.mark.parametrize("value", ["-0.1", "1.1", "NaN", "inf", "x"])
def test_an_odd_threshold_is_refused(client, value):
    path = f"/v1/columns/{client.column('shop/orders.customer_id')}/joins"
    assert problem(client.get(path, params={"threshold": value})) == (400, "usage")


IDS = [
    "...",
    "%2e%2e",
    "a;x",
    "%00",
    "C:%5Cwindows",
    "%2Fetc%2Fpasswd",
    "a" * 5000,
    "' OR 1=1",
    "%C3%A9",
    "LLHJTMZU6XKSL7VH",
]


@pytest.mark.parametrize("id_", IDS)
def test_an_odd_id_is_that_of_nothing(address, id_):
    with httpx.Client(timeout=PATIENCE) as client:
        for path in ("/v1/tables/{}", "/v1/columns/{}/joins", "/v1/crawls/{}", "/v1/tables/{}/preview"):
            raw = path.format(id_.replace(" ", "%20")).encode()
            request = client.build_request("GET", address)
            request.url = request.url.copy_with(raw_path=raw)
            assert client.send(request).status_code in (404, 400), raw


@pytest.mark.parametrize("cursor", ["x", "é", "a" * 10_000, "====", "%%%", "_-_-"])
def test_an_odd_cursor_is_refused_or_leads_nowhere(client, cursor):
    answer = client.get("/v1/tables", params={"cursor": cursor})
    assert answer.status_code in (200, 400)
    if answer.status_code == 400:
        assert problem(answer) == (400, "usage")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"values": [NaN]}', b'{"values": "x"}', b'{"values": [[1]]}', b'{"values": [{"a": 1}]}',
     b'{"values": ["a"], "k": 0}', b'{"values": ["a"], "unknown": 1}', b"\xff\xfe", b"[" * 100_000,
     b'{"values": ["a"], "mode": "magic"}', b'{"values": ["a"], "threshold": 2}', b'{"values": ["a"], "k": 1e999}'],
)  # fmt: skip
def test_an_odd_body_is_refused(client, body):
    answer = client.post("/v1/joins", content=body, headers={"Content-Type": "application/json"})
    assert problem(answer) == (400, "usage")


@pytest.mark.parametrize(
    "values", [[], [None] * 9, ["a"], [True, False] * 5, [1, "a", None, 2.5], ["\0", "\u202e"], [10**30]]
)
def test_odd_values_join_with_nothing_and_break_nothing(client, values):
    answer = client.post("/v1/joins", json={"values": values})
    assert answer.status_code == 200, answer.text
    assert answer.json()["hits"] == []


def test_a_large_body_is_refused(address):
    for path, limit in (("/v1/joins", "max_body_mb"), ("/v1/joins/file", "max_upload_mb")):
        kind = "application/json" if limit == "max_body_mb" else "multipart/form-data; boundary=x"
        answer = httpx.post(address + path, content=b"x" * 1_100_000, headers={"Content-Type": kind}, timeout=PATIENCE)
        assert problem(answer) == (413, "too_large")
        assert answer.json()["limit"] == limit


def test_a_body_without_a_length_is_measured_as_it_comes(address):
    def endless():
        for _ in range(40):
            yield b" " * 100_000

    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{address}/v1/joins", content=endless(), headers=headers, timeout=PATIENCE)
    assert problem(answer) == (413, "too_large")


def test_an_upload_leaves_nothing_behind(address, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def sent(name, content):
        file = {"file": (name, content)}
        return httpx.post(f"{address}/v1/joins/file", files=file, data={"column": "a"}, timeout=PATIENCE)

    assert sent("big.csv", b"a,b\n" + b"1,2\n" * 300_000).status_code == 413
    before = tmp_path.stat().st_mtime_ns
    assert sent("small.csv", b"a,b\n1,2\n").status_code == 200
    assert tmp_path.stat().st_mtime_ns > before  # it was kept there for a while
    assert problem(sent("broken.parquet", b"PAR1" + b"\0" * 100)) == (422, "unreadable")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.exe", "x.pkl", "x.csv.pt", "../../etc/passwd", "", "x.csv\0.exe"])
def test_a_file_of_no_known_kind_is_refused(address, name):
    answer = httpx.post(f"{address}/v1/joins/file/columns", files={"file": (name, b"a\n1\n")}, timeout=PATIENCE)
    assert answer.status_code in (400, 415), answer.text


def test_an_upload_is_kept_under_a_name_of_our_own(client):
    file = {"file": ("../../../../tmp/stolen.csv", b"town\nVienna\nParis\nRome\nLima\nOslo\n")}
    answer = client.post("/v1/joins/file", files=file, data={"column": "town"})
    assert answer.status_code == 200
    assert not Path("/tmp/stolen.csv").exists()


def test_a_form_of_very_many_parts_is_refused(client):
    parts = b"".join(b'--x\r\nContent-Disposition: form-data; name="n%d"\r\n\r\n1\r\n' % n for n in range(10_000))
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert problem(client.post("/v1/joins/file", content=parts + b"--x--\r\n", headers=headers)) == (400, "usage")


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\n\r\n", b"nothing of the kind", b"--x--\r\n"])
def test_a_broken_form_is_refused(client, body):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert problem(client.post("/v1/joins/file", content=body, headers=headers)) == (400, "usage")
    without = client.post("/v1/joins/file", content=body, headers={"Content-Type": "multipart/form-data"})
    assert without.status_code == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/csv", ""])
def test_another_media_type_is_refused(client, kind):
    answer = client.post("/v1/joins", content=b'{"values": ["a"]}', headers={"Content-Type": kind})
    assert problem(answer) == (415, "media_type")


def test_a_client_that_sends_slowly_is_let_go(address, monkeypatch):
    monkeypatch.setattr(edge, "BODY_SECONDS", 0.3)
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port), timeout=PATIENCE) as line:
        head = b"POST /v1/joins HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        line.sendall(head + b"Content-Length: 100\r\n\r\n{")
        answer = line.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"problem+json" in answer


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost: loc", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /"]
)
def test_a_head_that_does_not_come_is_not_waited_for(address, monkeypatch, sent):
    monkeypatch.setattr(patience, "HEAD_SECONDS", 2)
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port), timeout=PATIENCE) as line:
        line.sendall(sent)
        answer = b""
        while part := line.recv(65_536):  # ends, as the service hangs up
            answer += part
    assert answer.count(b"HTTP/1.1") == sent.count(b"\r\n\r\n")


URLS = ["http://127.0.0.1/", "http://169.254.169.254/latest/meta-data", "http://[fd00::1]/", "http://0x7f000001/"]
URLS += [
    "http://2130706433/",
    "http://[::ffff:127.0.0.1]/",
    "file:///etc",
    "gopher://x/",
    "s3://bucket",
    "//host/share",
]
URLS += ["relative/path", "~", "", "\0", "/etc\0/x", "http://user:secret@host/"]


@pytest.mark.parametrize("path", URLS)
def test_a_url_is_no_lake(client, path, monkeypatch):
    """No lake is read over a network, so nothing is asked there: only folders of this machine are crawled."""

    def connect(*_):
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", connect)
    answer = client.post("/v1/crawls", json={"path": path})
    assert problem(answer)[0] in (400, 404)


# rows and SQL --------------------------------------------------------------------------------------------------------


def test_a_join_reads_only_what_it_was_given(tmp_path):
    """Whatever a condition were to say, its connection has no access to files, extensions or settings."""
    make_lake(tmp_path, {"a.csv": {"x": ["1"]}, "b.csv": {"x": ["1"]}})
    (tmp_path / "secret.csv").write_text("x\nsecret\n")
    bad = [
        f"(SELECT count(*) FROM read_csv('{tmp_path}/secret.csv')) > 0",
        f"(SELECT count(*) FROM '{tmp_path}/secret.csv') > 0",
        f"(SELECT count(*) FROM glob('{tmp_path}/*')) > 0",
        "getenv('HOME') IS NOT NULL",
    ]
    for condition in bad:
        chain = tuple((Source(f"{tmp_path}/{name}.csv"), on) for name, on in (("a", ""), ("b", condition)))
        with pytest.raises(UsageError, match=r"(?i)permission|disabled|not exist|Catalog"):
            received(joined_rows(JoinTask(chain, 5), settings=Settings()))


def test_a_damaged_file_is_an_answer_and_the_service_lives(tmp_path, crawl):
    make_lake(tmp_path / "lake", {"a.csv": {"x": NUMBERS}})
    lake, _ = crawl(tmp_path / "lake")
    with serve(lake.home) as client:
        path = f"/v1/tables/{client.table('a.csv')}/preview"
        (tmp_path / "lake" / "a.csv").write_bytes(b"PAR1" + b"\xff" * 1000)
        assert problem(client.get(path)) == (422, "unreadable")
        (tmp_path / "lake" / "a.csv").unlink()
        assert problem(client.get(path))[0] in (404, 422)
        assert client.found("/livez")


def test_what_takes_too_long_is_cut_off(crawled, tmp_path):
    make_lake(tmp_path, {"a.csv": {"x": ["1"]}})
    endless = "(SELECT count(*) FROM range(100000000000) a, range(100000) b WHERE hash(a.range + b.range) = 1) > 0"
    chain = tuple((Source(f"{tmp_path}/a.csv"), on) for on in ("", endless))
    with serve(crawled.home, query_seconds=0.5, query_threads=1) as client:
        service, start = client.app.state.service, time.monotonic()
        with pytest.raises(Busy, match=r"longer than 0\.5 s") as raised:
            service.rows(JOINED, JoinTask(chain, 5))
        assert raised.value.limit == "query_seconds"
        assert time.monotonic() - start < PATIENCE


def test_the_log_cannot_be_broken(caplog):
    record = logging.LogRecord("x", logging.INFO, "", 1, "GET %s", ('/a\n{"level": "fake"}\x1b[31m\u202e',), None)
    line = JsonLines().format(record)
    assert "\n" not in line
    assert line.isascii()
    assert json.loads(line)["message"].endswith("\u202e")
    assert "\x1b" not in Plain().format(record)
    assert "\n" not in Plain().format(record)


def test_threads_see_answers_of_their_own(client):
    """One connection shared by threads gave wrong answers: each has a cursor."""
    ids = [client.column(f"shop/orders.{name}") for name in ("order_id", "customer_id", "amount")]
    expected = {id_: client.found(f"/v1/columns/{id_}") for id_ in ids}
    wrong = []

    def ask(id_):
        answers = (client.get(f"/v1/columns/{id_}").json() for _ in range(20))
        wrong.extend(answer for answer in answers if answer != expected[id_])

    threads = [threading.Thread(target=ask, args=(ids[n % 3],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
