"""The OpenAPI document holds: schemathesis asks each operation what the document allows, and what it does not."""

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks
from tablelens.api import create_app
from tablelens.api.document import operations

from .conftest import PATIENCE, SECRET, at_a_port

CHECKS = (
    checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_schema_conformance, checks.response_headers_conformance,
)  # fmt: skip
STREAMS = ("followCrawl", "followAugmentation")
CRAWLS = "startCrawl"
"""Not asked by an admin: it would crawl whatever folder comes up."""


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    return create_app(tmp_path_factory.mktemp("none")).openapi_schema


@pytest.fixture(scope="module")
def address(two_lakes, keys):
    with at_a_port(two_lakes, max_jobs=1, max_rows_shown=50) as made:
        yield made


def test_each_operation_says_what_it_is(document):
    for operation in operations(document):
        assert operation.operation_id
        assert operation.summary
        assert operation.description
        assert {"400", "401", "403", "404", "429", "500", "503"} <= set(operation.responses)


def test_operation_ids_are_unique(document):
    ids = [operation.operation_id for operation in operations(document)]
    assert len(set(ids)) == len(ids)


def test_each_answer_in_json_has_an_example(document):
    for operation in operations(document):
        for answer in operation.responses.values():
            for media, content in (answer.content or {}).items():
                if media.endswith("json"):
                    assert content.example is not None, operation.operation_id


def test_each_structure_is_described(document):
    bare = [name for name, schema in document.components.schemas.items() if not schema.description]
    assert bare == []


def test_each_failure_has_the_one_shape(document, address):
    """Whatever is asked without a key, of every operation, is refused as a problem document."""
    for path, item in document.paths.items():
        for method in ("get", "put", "post", "delete"):
            if getattr(item, method, None) is None or path in ("/livez", "/readyz"):
                continue
            answer = requests.request(
                method, address + path.replace("{row}", "0").replace("{", "").replace("}", ""), timeout=PATIENCE
            )
            problem = answer.json()
            assert answer.status_code == problem["status"] == 401, path
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["x-request-id"] == problem["request_id"]


def asked_often(operation, examples, headers, texts):
    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def ask(case):
        answer = case.call(headers=headers, timeout=PATIENCE)
        texts.append(answer.text)
        case.validate_response(answer, checks=CHECKS)

    return ask


def fuzz(address, examples, key=None, leave_out=()):
    """Ask every operation; yields its name and the texts of its answers."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    schema = schemathesis.openapi.from_url(f"{address}/schema/openapi.json")
    for result in schema.get_all_operations():
        operation = result.ok()
        name, texts = operation.definition.raw["operationId"], []
        if name in (*STREAMS, *leave_out):
            continue

        ask = asked_often(operation, examples, headers, texts)
        ask()
        yield name, texts


@pytest.mark.parametrize("who", ["anonymous", "tiny", "admin"])
def test_what_it_answers_is_documented(address, keys, who):
    left_out = (CRAWLS,) if who == "admin" else ()
    for name, texts in fuzz(address, 6, keys.get(who), left_out):
        if who != "admin":
            assert not [text for text in texts if SECRET in text], name


@pytest.mark.slow
@pytest.mark.parametrize("who", ["anonymous", "tiny", "admin"])
def test_what_it_answers_is_documented_at_length(address, keys, who):
    left_out = (CRAWLS,) if who == "admin" else ()
    for name, texts in fuzz(address, 150, keys.get(who), left_out):
        if who != "admin":
            assert not [text for text in texts if SECRET in text], name
