"""``tablelens sql``."""

import io
import json


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
