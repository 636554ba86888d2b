"""Each route gives what it says."""

import io

import pyarrow as pa
import pytest
from tablelens.api.parameters import _query_names
from tablelens.api.rows import as_lists

from .conftest import PATIENCE


def test_alive_and_ready(client):
    assert client.found("/livez") == client.found("/readyz") == {"status": "ok"}


def test_status(client):
    found = client.found("/v1/status")
    assert (found["lakes"], found["tables"], found["columns"]) == (1, 5, 16)
    assert found["limits"]["max_k"] == 1000


def test_lakes_and_their_failures(client):
    (lake,) = client.found("/v1/lakes")
    assert (lake["name"], lake["tables"], lake["failed"]) == ("tiny", 5, 0)
    assert lake["crawled"].endswith("Z")
    assert client.found("/v1/lakes/tiny/failures")["items"] == []


def test_tables_come_in_pages(client):
    whole = client.found("/v1/tables")
    assert whole["total"] == 5
    assert whole["next"] is None
    pieces, cursor = [], {}
    while True:
        page = client.found("/v1/tables", limit=2, **cursor)
        pieces += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert pieces == whole["items"]
    assert [each["name"] for each in pieces] == sorted(each["name"] for each in pieces)


def test_tables_by_glob_and_lake(client):
    assert {each["name"] for each in client.found("/v1/tables", tables="shop/*")["items"]} == {
        "shop/orders.csv",
        "shop/customers.csv",
    }
    assert client.found("/v1/tables", lake="elsewhere")["items"] == []


def test_a_table_with_its_columns(client):
    id_ = client.table("shop/orders.csv")
    table = client.found(f"/v1/tables/{id_}")
    assert (table["rows"], table["columns"], table["format"]) == (60, 4, "csv")
    assert [field["name"] for field in table["fields"]] == ["order_id", "customer_id", "amount", "paid"]
    assert table["fields"] == client.found(f"/v1/tables/{id_}/columns")


def test_a_profile(client):
    found = client.found(f"/v1/columns/{client.column('shop/orders.amount')}")
    assert (found["kind"], found["rows"], found["distinct"]) == ("decimal", 60, 60)
    assert sum(found["histogram"]["counts"]) == 60
    assert len(found["histogram"]["edges"]) == len(found["histogram"]["counts"]) + 1
    assert found["minimum"] == "0.25"


def test_joins_are_those_of_the_library(client, crawled):
    expected = crawled.joins("shop/orders.customer_id", k=3)
    found = client.found(f"/v1/columns/{client.column('shop/orders.customer_id')}/joins", k=3)
    assert [(hit["column"]["table"], hit["column"]["name"]) for hit in found["hits"]] == [
        (hit.column.table, hit.column.column) for hit in expected.hits
    ]
    first, truth = found["hits"][0], expected.hits[0]
    assert first["probability"] == truth.probability
    assert first["sql"] == truth.sql
    assert first["evidence"]["containment"] == truth.evidence.containment == 1.0
    assert first["evidence"]["matched"] == list(truth.evidence.matched)
    assert found["query"]["column_id"] == client.column("shop/orders.customer_id")


def test_evidence_on_a_pair(client):
    left, right = client.column("shop/orders.customer_id"), client.column("shop/customers.customer_id")
    found = client.found(f"/v1/columns/{left}/joins/{right}/evidence")
    assert found["evidence"]["cardinality"] == "n:1"
    assert found["column"]["id"] == right


def test_the_rows_of_a_join(client):
    left, right = client.column("shop/orders.customer_id"), client.column("shop/customers.customer_id")
    found = client.found(f"/v1/columns/{left}/joins/{right}/rows", rows=7)
    names = [column["name"] for column in found["columns"]]
    assert names == ["order_id", "customer_id", "amount", "paid", "customer_id (2)", "name", "country"]
    assert len(found["rows"]) == 7
    assert found["more"] is True
    assert all(row[1] == row[4] for row in found["rows"])
    assert "JOIN" in found["sql"]


def test_all_rows_of_a_join_are_there(client):
    left, right = client.column("world/countries.country"), client.column("world/capitals.country")
    found = client.found(f"/v1/columns/{left}/joins/{right}/rows", rows=1000)
    assert len(found["rows"]) == 20  # FRANCE joins France
    assert found["more"] is False


def test_rows_in_each_form(client):
    path = f"/v1/tables/{client.table('shop/orders.csv')}/preview"
    as_json = client.found(path, rows=5)
    as_csv = client.get(path, params={"rows": 5, "format": "csv"})
    as_arrow = client.get(path, params={"rows": 5, "format": "arrow"})
    assert as_csv.headers["content-type"].startswith("text/csv")
    assert as_csv.text.splitlines()[0] == '"order_id","customer_id","amount","paid"'
    table = pa.ipc.open_stream(io.BytesIO(as_arrow.content)).read_all()
    assert list(as_lists(table)) == as_json["rows"]
    assert len(as_csv.text.splitlines()) == 6
    assert as_arrow.headers["x-more-rows"] == "true"


def test_search(client):
    found = client.found("/v1/search", q="customer orders", k=2)
    assert found["hits"][0]["name"] == "shop/orders.csv"
    assert "order" in found["hits"][0]["matched"]


def test_suggestions(client):
    found = client.found("/v1/suggestions", q="COUN")["items"]
    assert [(each["text"], each["kind"]) for each in found] == [("country", "column"), ("world/countries", "table")]
    assert client.found(f"/v1/columns/{found[0]['id']}")["name"] == "country"


def test_paths(client):
    ends = {"from": client.table("shop/orders.csv"), "to": client.table("world/capitals.csv")}
    best = client.found("/v1/paths", **ends)["paths"][0]
    assert [step["right"]["table"] for step in best["steps"]] == [
        "shop/customers.csv",
        "world/countries.csv",
        "world/capitals.csv",
    ]
    assert best["sql"].count("JOIN") == 3


def test_a_parameter_that_is_off_is_said_in_the_detail(client):
    path = f"/v1/columns/{client.column('shop/orders.customer_id')}/joins"
    problem = client.get(path, params={"k": 0, "mode": "magic"}).json()
    assert sorted(problem["detail"].split("; ")) == ["k: Expected `int` >= 1", "mode: Invalid enum value 'magic'"]
    assert len(problem["errors"]) == 2


def test_the_graph(client, monkeypatch):
    monkeypatch.setattr("tablelens.api.paths.GRAPH_SECONDS", PATIENCE)
    whole = client.found("/v1/graph")
    assert whole["complete"] is True
    assert len(whole["nodes"]) == 5
    pairs = {frozenset((edge["left"]["table"], edge["right"]["table"])) for edge in whole["edges"]}
    assert frozenset(("shop/orders.csv", "shop/customers.csv")) in pairs
    around = client.found("/v1/graph", table=client.table("shop/orders.csv"))
    assert {node["name"] for node in around["nodes"]} == {"shop/orders.csv", "shop/customers.csv"}
    further = client.found("/v1/graph", table=client.table("shop/orders.csv"), depth=2)
    assert "world/countries.csv" in {node["name"] for node in further["nodes"]}


def test_the_map(client):
    found = client.found("/v1/map")
    assert found["total"] == len(found["ids"]) == len(found["x"]) == len(found["kinds"])
    assert max(map(abs, found["x"])) == 1.0
    assert client.found("/v1/map", limit=3)["ids"] == client.found("/v1/map", limit=3)["ids"]
    near = dict(zip(found["ids"], zip(found["x"], found["y"], strict=True), strict=True))
    same = [near[client.column(name)] for name in ("world/countries.country", "world/capitals.country")]
    assert same[0] == pytest.approx(same[1], abs=0.05)  # the same values


def test_unions(client, own_home):
    found = client.found(f"/v1/tables/{client.table('world/countries.csv')}/unions", threshold=0.0)
    assert found["hits"][0]["name"] == "world/capitals.csv"
    assert [(left["name"], right["name"]) for left, right, _ in found["hits"][0]["pairs"]] == [("country", "country")]


def test_joins_of_posted_values(client):
    body = {"values": ["Vienna", "Paris", "Rome", "Lima", "Oslo", None], "k": 3, "name": "capital"}
    found = client.post("/v1/joins", json=body).json()
    assert [hit["column"]["name"] for hit in found["hits"]] == ["capital", "city"]
    assert found["query"] == {"table": "", "column": "capital", "table_id": "", "column_id": ""}


def test_joins_of_an_uploaded_file(client):
    file = {"file": ("mine.csv", b"n,town\n1,Vienna\n2,Paris\n3,Rome\n4,Lima\n5,Oslo\n")}
    columns = client.post("/v1/joins/file/columns", files=file).json()
    assert [column["name"] for column in columns] == ["n", "town"]
    found = client.post("/v1/joins/file", files=file, data={"column": "town", "k": "1"}).json()
    assert found["hits"][0]["column"]["table"] == "world/capitals.csv"
    assert found["query"]["table"] == "mine"


def test_encoders_and_generations(client):
    assert [each["name"] for each in client.found("/v1/encoders") if each["current"]] == ["hash"]
    assert [each["number"] for each in client.found("/v1/generations")] == [1]


def test_etags(client):
    answer = client.get("/v1/tables")
    again = client.get("/v1/tables", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/v1/tables", headers={"If-None-Match": '"another"'})
    assert other.status_code == 200


def test_the_page(client):
    answer = client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_metrics(client):
    client.found("/v1/status")
    text = client.get("/metrics").text
    assert 'tablelens_requests_total{method="GET",route="/v1/status",status="200"}' in text
    assert "tablelens_columns 16.0" in text


def test_columns_by_name_come_in_pages_the_best_first(client):
    found = client.found("/v1/search/columns", q="customer_id")
    assert [(each["table"], each["name"]) for each in found["items"]] == [
        ("shop/customers.csv", "customer_id"),
        ("shop/orders.csv", "customer_id"),
    ]
    names = [each["name"] for each in client.found("/v1/search/columns", q="o")["items"]]
    assert names[0] == "order_id"  # begins with it
    assert "country" in names
    first = client.found("/v1/search/columns", q="country", limit=1)
    second = client.found("/v1/search/columns", q="country", limit=1, cursor=first["next"])
    assert (first["total"], first["items"][0]["table"], second["items"][0]["table"]) == (
        *(3, "shop/customers.csv"),
        "world/capitals.csv",
    )
    assert client.found("/v1/search/columns", q="nothing like it") == {"items": [], "next": None, "total": 0}
    counts = {each["text"]: each["count"] for each in client.found("/v1/suggestions", q="c")["items"]}
    assert counts["customer_id"] == 2
    assert counts["capital"] == 1


def test_a_join_over_a_bridge_says_which_and_runs_over_it(client):
    asked = client.column("world/capitals.country")
    hits = client.found(f"/v1/columns/{asked}/joins", mode="semantic", threshold=0)["hits"]
    hit = next(each for each in hits if each["column"]["table"] == "shop/customers.csv")
    bridge = hit["evidence"]["bridge"]
    assert [(a["table"], a["name"], b["name"]) for a, b in bridge["steps"]] == [
        ("world/countries.csv", "country", "iso2")
    ]
    assert bridge["coverage"] == 0.75
    assert {"DENMARK": "DK", "HUNGARY": "HU", "CHILE": "CL"}.items() >= dict(bridge["examples"]).items() != set()
    rows = client.found(f"/v1/columns/{asked}/joins/{hit['column']['id']}/rows", rows=100)
    assert len(rows["rows"]) == 60  # every customer has a country
    assert {len(row) for row in rows["rows"]} == {2 + 2 + 3}


def test_a_parameter_that_is_mistyped_is_not_passed_over(client):
    column = client.column("shop/orders.customer_id")
    answer = client.get(f"/v1/columns/{column}/joins", params={"treshold": 0.9})
    assert (answer.status_code, answer.json()["code"]) == (400, "usage")
    assert answer.json()["detail"] == "unknown query parameter 'treshold'"
    assert "threshold" in answer.json()["hint"]


def test_the_parameters_that_are_known_are_those_described(client):
    described = client.found("/schema/openapi.json")["paths"]
    routes = [route for route in client.app.routes if getattr(route, "route_handlers", None)]
    told = 0
    for route in routes:
        for handler in route.route_handlers:
            methods = described.get(route.path_format, {})
            for method in {name.lower() for name in handler.http_methods} & set(methods):
                wanted = {each["name"] for each in methods[method].get("parameters", ()) if each["in"] == "query"}
                assert set(_query_names(handler)) == wanted, route.path
                told += len(wanted)
    assert told > 40
