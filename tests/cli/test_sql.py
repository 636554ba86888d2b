"""``tablelens sql``."""

import io
import json

import pytest


def test_the_command(ask):
    done = ask(
        "sql",
        "-c",
        "SELECT \"table\", \"column\" FROM tablelens.joins('shop/orders.customer_id', mode := 'equi')",
        "--json",
    )
    assert done.document == {"columns": ["table", "column"], "rows": [["shop/customers.csv", "customer_id"]]}
    assert ask("sql", "--csv", "-c", "SELECT 1 AS a, 'x,y' AS b").out == 'a,b\n1,"x,y"\n'
    assert "shop/orders.csv" in ask("sql", "-c", "FROM tablelens.tables").out


def test_the_command_reads_a_pipe(ask, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 1 AS a; SELECT 2 AS b;"))
    documents = [json.loads(line) for line in ask("sql", "--json").out.splitlines()]
    assert [document["rows"] for document in documents] == [[[1]], [[2]]]


def test_the_command_says_what_was_wrong(ask):
    done = ask("sql", "-c", "FROM tablelens.joins('shop/orders.no')")
    assert (done.code, done.out) == (2, "")
    assert "unknown column 'shop/orders.no'\nHint: columns of shop/orders: order_id, customer_id" in done.err


@pytest.mark.parametrize("limit", [("--seconds", 0), ("--seconds", -1), ("--memory-mb", 0)])
def test_limits_that_let_nothing_through_are_refused(ask, limit):
    assert ask("sql", *limit, "-c", "SELECT 1").code == 2


def test_what_a_line_has_no_room_for_is_not_lost(ask):
    wide = ask("sql", "-c", "FROM tablelens.profiles")
    (line,) = [line for line in wide.err.splitlines() if "more columns" in line]
    assert "histogram_counts" in line
    assert "histogram_counts" not in wide.out
    one = ask("sql", "-c", "FROM tablelens.evidence('shop/orders.customer_id', 'shop/customers.customer_id')").out
    told = dict(line.split(None, 1) for line in one.splitlines() if not line.startswith(" ") and " " in line)
    assert told["containment"] == "1.0"
    assert told["sql"] == "SELECT *"
    assert one.rstrip().endswith('ON a."customer_id" = b."customer_id"')
    long = "x" * 200
    assert long in ask("sql", "-c", f"SELECT '{long}' AS t").out
