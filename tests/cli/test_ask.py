"""joins, explain, search, path, preview."""

import json

import duckdb
import pytest

from tablelens.testing import make_lake

HIT = {
    *("lake", "table", "column", "kind", "probability", "score", "containment", "reverse_containment", "jaccard"),
    *(
        "cosine",
        "overlap",
        "error",
        "cardinality",
        "join_rows",
        "explosion",
        "hub",
        "matched",
        "unmatched",
        "verdict",
        "bridge",
        "matching",
        "spread",
        "key",
    ),
    *("notes", "sql"),
}


def test_joins_for_people(ask):
    done = ask("joins", "shop/orders.customer_id")
    assert (done.code, "shop/customers.csv" in done.out) == (0, True)
    assert "tablelens explain" in done.err
    assert ask("-q", "joins", "shop/orders.customer_id").err == ""


def test_joins_for_programs(ask):
    done = ask("joins", "shop/orders.customer_id", "--json", "-k", "3")
    found = done.document
    assert (done.code, done.err) == (0, "")
    assert found.keys() == {"query", "mode", "hits", "notes", "generation", "seconds"}
    assert (found["query"], found["mode"]) == ({"table": "shop/orders.csv", "column": "customer_id"}, "auto")
    hit, *over_bridges = found["hits"]
    assert hit.keys() == HIT
    assert hit["bridge"] is None
    assert all(each["bridge"]["coverage"] > each["containment"] for each in over_bridges)
    assert (hit["table"], hit["column"], hit["cardinality"]) == ("shop/customers.csv", "customer_id", "n:1")
    assert (hit["overlap"], hit["containment"]) == (40, 1)
    assert len(hit["matched"]) == 5
    assert len(duckdb.sql(hit["sql"]).fetchall()) == hit["join_rows"] == 60


def test_none_found_is_no_error(ask):
    done = ask("joins", "shop/orders.amount")
    assert (done.code, done.out.strip().endswith("none found")) == (0, True)
    assert ask("joins", "shop/orders.amount", "--json").document["hits"] == []


def test_every_mode_and_filter(ask):
    for mode in ("auto", "equi", "semantic", "deepjoin"):
        found = ask(
            "joins", "shop/customers.country", "--mode", mode, "--tables", "world/*", "--per-table", "1", "--json"
        )
        assert (found.document["mode"], found.document["hits"][0]["column"]) == (mode, "iso2")
    for option in (("--kind", "date"), ("--threshold", "1")):
        assert ask("joins", "shop/customers.country", *option, "--json").document["hits"] == []


def test_joins_of_a_file(ask, tmp_path):
    make_lake(tmp_path, {"mine.csv": {"code": ["AT", "BE", "CL", "xx", "yy"], "n": range(5)}})
    done = ask("joins", "--file", tmp_path / "mine.csv", "--column", "code", "--json")
    assert done.document["query"] == {"table": "mine", "column": "code"}
    assert {hit["column"] for hit in done.document["hits"]} >= {"iso2"}


def test_batch_answers_line_by_line(ask, tmp_path):
    lines = [
        '{"table": "shop/orders.csv", "column": "customer_id"}',
        '{"table": "shop/orders", "column": "nothing"}',
        "no json",
        "",
        '{"table": "nowhere", "column": "x"}',
        '["a list"]',
        '{"table": "shop/customers", "column": "country"}',
    ]
    (tmp_path / "batch").write_text("\n".join(lines), encoding="utf-8")
    done = ask("joins", "--batch", tmp_path / "batch", "--json")
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, len(answers)) == (5, 6)
    assert [answer.get("error", {}).get("code") for answer in answers] == [
        None, "unknown_column", "usage", "unknown_table", "usage", None,
    ]  # fmt: skip
    assert [answer["hits"][0]["column"] for answer in (answers[0], answers[-1])] == ["customer_id", "iso2"]
    assert answers[1]["query"] == {"table": "shop/orders", "column": "nothing"}


def test_batch_stands_alone(ask, tmp_path):
    (tmp_path / "batch").touch()
    done = ask("joins", "shop/orders.customer_id", "--batch", tmp_path / "batch", "--json")
    assert (done.code, done.document["error"]["code"]) == (2, "usage")


def test_odd_names_in_two_lakes(run, home, tmp_path):
    """Dots, quotes, # and letters beyond ASCII in names; tables of one name in folders and lakes."""
    words = [f"word {i}" for i in range(12)]
    files = {
        "a/orders.csv": {"x.y": words}, "b/orders.csv": {'q"q': words}, "ü/größe #1.csv": {"ключ": words},
        "a.b/v1.2.csv": {"it's": words},
    }  # fmt: skip
    for lake in ("one", "two"):
        assert run("--home", home, "crawl", make_lake(tmp_path / lake, files)).code == 0
    for table, columns in files.items():
        (column,) = columns
        done = run("--home", home, "joins", f"two:{table.removesuffix('.csv')}.{column}", "-k", "20", "--json")
        assert done.document["query"] == {"table": table, "column": column}
        assert len(done.document["hits"]) == 7
        for hit in done.document["hits"]:
            assert len(duckdb.sql(hit["sql"]).fetchall()) == 12
        ambiguous = run("--home", home, "joins", f"{table}.{column}", "--json")
        assert (ambiguous.code, f"one:{table}" in ambiguous.document["error"]["hint"]) == (2, True)


def test_batch_needs_json(ask, tmp_path):
    (tmp_path / "batch").touch()
    done = ask("joins", "--batch", tmp_path / "batch")
    assert (done.code, done.out) == (2, "")


def test_explain(ask):
    done = ask("explain", "shop/customers.country", "world/countries.iso2")
    assert done.code == 0
    assert "read_csv(" in done.out
    found = ask("explain", "shop/customers.country", "world/countries.iso2", "--json").document
    assert found.keys() == HIT | {"query"}
    assert (found["overlap"], found["cardinality"], found["cosine"] is not None) == (15, "n:1", True)


def test_search(ask):
    assert "world/capitals.csv" in ask("search", "capital", "cities").out
    found = ask("search", "rain", "--json").document
    assert found["query"] == "rain"
    assert found["hits"][0].keys() == {"lake", "table", "title", "rows", "columns", "score", "matched"}
    assert ask("search", "zzzyx").out == "none found\n"


def test_path(ask):
    done = ask("path", "shop/orders", "world/countries")
    assert done.code == 0
    assert "JOIN" in done.out
    found = ask("path", "shop/orders", "world/countries", "--json").document
    assert found["query"] == {"left": "shop/orders", "right": "world/countries"}
    assert [step["left"]["table"] for step in found["paths"][0]["steps"]] == ["shop/orders.csv", "shop/customers.csv"]
    assert ask("path", "shop/orders", "world/climate").out == "none found\n"


def test_preview(ask):
    done = ask("preview", "shop/customers", "-n", "2")
    assert (done.code, "Customer number 1" in done.out, "Customer number 2" in done.out) == (0, True, False)
    found = ask("preview", "shop/customers", "-n", "2", "--json").document
    assert found["columns"] == ["customer_id", "name", "country"]
    assert found["rows"] == [["C000", "Customer number 0", "AT"], ["C001", "Customer number 1", "BE"]]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["joins"], 2, "name one column"),
        (["joins", "a.b", "--column", "c"], 2, "name one column"),
        (["joins", "shop/orders.customer_idd"], 3, "did you mean 'customer_id'"),
        (["joins", "shop/order.customer_id"], 3, "did you mean"),
        (["joins", "shop/orders"], 2, "is a table"),
        (["joins", "shop/orders.customer_id", "-k", "0"], 2, "k is 0"),
        (["joins", "shop/orders.customer_id", "-k", "x"], 2, "x"),
        (["joins", "shop/orders.customer_id", "--mode", "fuzzy"], 2, "fuzzy"),
        (["joins", "shop/orders.customer_id", "--threshold", "nan"], 2, "threshold"),
        (["joins", "shop/orders.customer_id", "--threshold", "1.5"], 2, "threshold is 1.5"),
        (["--set", "threshold=2", "joins", "shop/orders.customer_id"], 2, "the most it may be is 1.0"),
        (["--set", "template=col-name", "status"], 2, "it may be col, colname-col"),
        (["joins", "shop/orders.customer_id", "--per-table", "-1"], 2, "per_table is -1"),
        (["joins", "shop/orders.customer_id", "--lake", "nowhere"], 3, "unknown lake 'nowhere'"),
        (["joins", "shop/orders.customer_id", "--tables", "nothing/*"], 2, "no table matches 'nothing/*'"),
        (["joins", "shop/orders.customer_id", "--kind", "txt"], 2, "known kinds: text, integer"),
        (["preview", "shop/nowhere"], 3, "(5 known)"),
        (["export", "shop/orders", "orders.xlsx"], 2, "ends in .parquet or .csv"),
        (["export", "shop/orders", "/no/such/folder/x.csv"], 2, "No such file"),
        (["forget", "tinny"], 3, "did you mean 'tiny'"),
        (["joins", "--file", "/no/such", "--column", "x"], 2, "/no/such"),
        (["explain", "shop/orders.customer_id", "nowhere.x"], 3, "nowhere"),
        (["search", "the"], 2, "no word"),
        (["search", "rain", "-k", "-1"], 2, "k is -1"),
        (["path", "shop/orders", "shop/orders"], 2, "same table"),
        (["path", "shop/orders", "shop/customers", "--hops", "9"], 2, "hops is 9"),
        (["path", "shop/orders", "shop/customers", "-k", "0"], 2, "k is 0"),
        (["preview", "shop/order"], 3, "did you mean"),
        (["preview", "shop/orders", "-n", "0"], 2, "rows is 0"),
        (["jions"], 2, "did you mean 'joins'"),
        (["zzz"], 2, "--help"),
        (["joins", "--nonsense"], 2, "--nonsense"),
        (["--set", "workerz=1", "joins", "a.b"], 2, "workerz"),
        (["--set", "home=1", "joins", "a.b"], 2, "unknown setting 'home'"),
        (["--set", "environ=1", "joins", "a.b"], 2, "unknown setting 'environ'"),
        (["--set", "workers", "joins", "a.b"], 2, "workers"),
        (["joins", "\udcff.x"], 3, "unknown table"),
    ],
)
def test_errors(ask, arguments, code, words):
    done = ask(*arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("Error: ")
    assert words in done.err
    assert "Traceback" not in done.err
    done = ask(*arguments, "--json")
    assert done.code == code
    assert done.document.keys() == {"error"}
    assert done.document["error"].keys() == {"code", "message", "hint"}
    assert words in done.document["error"]["message"] + done.document["error"]["hint"]


def test_nothing_crawled_yet(run, home):
    for command in (["joins", "a.b"], ["search", "x"], ["path", "a", "b"], ["preview", "a"], ["status"], ["gc"]):
        done = run("--home", home, *command)
        assert (done.code, done.out) == (3, ""), command
        assert "tablelens crawl" in done.err
        assert not home.exists()


def test_a_traceback_where_one_is_asked_for(crawled):
    from tablelens.cli import main
    from tablelens.errors import UnknownTable

    with pytest.raises(UnknownTable):
        main(["--home", str(crawled.home), "--traceback", "preview", "nowhere"])


def test_a_lake_of_one_file_and_names_with_a_hash_sign(run, home, tmp_path):
    """A # is part of a file's name unless it follows a workbook's."""
    words = [f"word {i}" for i in range(9)]
    folder = make_lake(tmp_path / "lake", {"no#1.csv": {"x": words, "n": range(9)}, "one.csv": {"x": words}})
    for path in (folder / "one.csv", folder):
        assert run("--home", home, "crawl", path, "--lake", path.name).code == 0
    for table in ("no#1", "one.csv:one", "lake:one"):
        assert len(run("--home", home, "preview", table, "--json").document["rows"]) == 9
    hits = run("--home", home, "joins", "no#1.x", "--json").document["hits"]
    assert len(hits) == 2
    for hit in hits:
        assert len(duckdb.sql(hit["sql"]).fetchall()) == 9
