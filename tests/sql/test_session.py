"""The shell: it reads the lake, and nothing else can be done with it."""

import subprocess
import sys

import pytest

from tablelens.errors import UsageError
from tablelens.sql.session import Session


@pytest.fixture(scope="module")
def session(crawled):
    with Session(crawled, seconds=20) as made:
        yield made


def rows(session, text):
    return list(session.run(text))[-1][1]


def test_tables_of_the_lake_are_there_under_their_names(session):
    assert rows(session, 'SELECT count(*), sum(amount) > 0 FROM "shop/orders"') == [(60, True)]
    assert rows(session, 'SELECT o.order_id FROM "shop/orders.csv" o JOIN "shop/customers" USING (customer_id) LIMIT 1')


def test_a_join_found_is_run(session):
    ((sql,),) = rows(session, "SELECT tablelens_join_sql('shop/orders.customer_id', 'shop/customers.customer_id')")
    assert len(rows(session, sql)) == 60


def test_tables_of_the_lake_can_be_asked_for(session):
    asked = """SELECT "table" FROM tablelens.joins_with('shop/orders', 'customer_id', mode := 'equi') LIMIT 1"""
    assert rows(session, asked)[0][0] in ("shop/orders.csv", "shop/customers.csv")


def test_own_tables(session):
    list(session.run('CREATE TABLE mine AS SELECT country FROM "world/countries"'))
    assert rows(session, "FROM tablelens.joins_with('mine', 'country', k := 1)")[0][2:4] == (
        "world/capitals.csv",
        "country",
    )


@pytest.mark.parametrize(
    "text",
    [
        "COPY (SELECT 1) TO '{}/out.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{}/out.csv'",
        "EXPLAIN COPY (SELECT 1) TO '{}/out.csv'",
        "PREPARE p AS COPY (SELECT 1) TO '{}/out.csv'",
        "EXPORT DATABASE '{}'",
        "ATTACH '{}/out.duckdb'",
        "SELECT 1; ATTACH '{}/out.duckdb'",
        "DETACH tablelens",
        "LOAD '{}/out.duckdb_extension'",
        "INSTALL vss",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA enable_profiling",
        "CREATE TABLE tablelens.mine (x INTEGER)",
        "FROM read_text('/etc/hostname')",
        "FROM glob('/etc/*')",
        "FROM tablelens.nothing",
        "SELEC 1",
    ],
)
def test_what_is_refused(session, text, tmp_path, tiny_lake):
    for folder in (tmp_path, tiny_lake):
        with pytest.raises(UsageError):
            rows(session, text.replace("{}", str(folder)))
    assert list(tmp_path.iterdir()) == []
    assert not list(tiny_lake.glob("out*"))


def test_no_python_value_is_read(session):
    secret = [1]
    with pytest.raises(UsageError, match="secret"):
        rows(session, "FROM secret")
    assert secret


def test_time_ends(crawled):
    with Session(crawled, seconds=1) as session, pytest.raises(UsageError, match=r"stopped after 1 s"):
        rows(session, "SELECT count(*) FROM range(10000000) a, range(100000) b WHERE a.range * b.range = 7")


CTRL_C = """
import os, signal, sys, threading
from tablelens.lake import Lake
from tablelens.sql.session import Session

signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in what a script starts with &
with Session(Lake.open(sys.argv[1]), seconds=200) as asked:
    try:
        threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
        list(asked.run("SELECT count(*) FROM range(10000000) a, range(100000) b WHERE a.range * b.range = 7"))
    except KeyboardInterrupt:
        print(list(asked.run("SELECT 7 AS n")))
"""


def test_ctrl_c_stops_a_statement_and_not_the_session(crawled):
    done = subprocess.run(
        [sys.executable, "-c", CTRL_C, str(crawled.home)], capture_output=True, text=True, timeout=250
    )
    assert (done.stdout, done.stderr) == ("[(['n'], [(7,)])]\n", "")


def test_memory_ends(crawled):
    with Session(crawled, memory_mb=64) as session, pytest.raises(UsageError, match="memory"):
        rows(session, "SELECT list(range) FROM range(100000000)")
