"""`tablelens probe`, as it is typed."""

import json

import pytest

from tablelens.cli import check


@pytest.fixture
def small(run, home):
    """Run a probe on two small tables."""

    def probe(*arguments):
        return run("--home", home, "-q", "probe", "run", "--preset", "smoke", "--tables", 6, "--rows", 10, *arguments)

    return probe


def test_a_run_prints_a_scorecard_and_is_listed_and_reported(small, run, home, tmp_path):
    out = tmp_path / "out"
    done = small("--models", "bag-of-words,constant", "--properties", "row_order,determinism", "--out", out)
    assert done.code == 0
    assert "degenerate" in done.out
    assert "row_order" in done.out
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"run.json", "report.md"}
    listed = run("--home", home, "probe", "list", "--json").document
    assert len(listed["runs"]) == 1
    assert len(listed["properties"]) == 16
    written = run("--home", home, "probe", "report", "--out", tmp_path / "again", "--json").document["written"]
    assert json.loads((tmp_path / "again" / "run.json").read_text()) == json.loads(
        (tmp_path / "out" / "run.json").read_text()
    )
    assert all(str(tmp_path / "again") in path for path in written)
    assert "row_order" in run("--home", home, "probe", "list").out


def test_a_run_as_json_is_one_document(small):
    found = small("--models", "first-row", "--properties", "row_order", "--json").document
    assert found["schema"] == 1
    assert {result["property"] for result in found["results"]} == {"row_order"}
    assert found["models"][0]["name"] == "first-row"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--models", "bag-of-word"), 3, "bag-of-words"),
        (("--models", "constant", "--properties", "row_ordr"), 3, "row_order"),
        (("--models", ","), 2, "names nothing"),
        (("--models", "constant,constant"), 2, "twice"),
        (("--models", "constant", "--lake", "nowhere"), 3, "nothing has been crawled"),
    ],
)
def test_a_call_that_is_off_says_how_to_mend_it(small, arguments, code, said):
    done = small(*arguments)
    assert done.code == code
    assert said in done.err


def test_tables_of_a_crawled_lake_and_what_doctor_says_of_the_encoder(run, crawl, tiny_lake):
    lake, _ = crawl(tiny_lake)
    before = {row["check"]: row for row in run("--home", lake.home, "doctor", "--json").document["checks"]}
    assert "was not probed" in before["probes"]["detail"]
    revision = lake.view.generation.encoder["revision"]
    _pretend(lake, revision)
    done = run("--home", lake.home, "doctor", "--json")
    after = {row["check"]: row for row in done.document["checks"]}
    assert "WARNING" in after["probes"]["detail"]
    assert "join_relationship" in after["probes"]["detail"]
    assert done.code == 0  # a warning


def _pretend(lake, revision):
    """Results of the encoder in use, of which one failed."""
    from dataclasses import replace

    from tablelens.probes import catalog
    from tablelens.probes.data import generate
    from tablelens.probes.registry import get_property, load_model
    from tablelens.probes.runner import Budget, run

    made = lake.view.generation.encoder
    found = run([load_model("first-row")], [get_property("join_relationship")], generate(6, 8), Budget(6, 8, 2, 2))
    mine = f"{revision}/{made['template']}/{made['unit']}"
    results = tuple(replace(result, revision=mine, verdict="fail") for result in found.results)
    catalog.keep(lake.home, replace(found, results=results))
    assert check.JOIN_DISCOVERY


def test_compare_leaves_with_6_where_a_gate_is_broken(small, run, home, tmp_path):
    ids = []
    for model in ("bag-of-words", "first-row"):
        found = small("--models", model, "--properties", "row_order", "--json").document
        ids.append(found["id"])
    junit, notes = tmp_path / "probes.xml", tmp_path / "notes.md"
    done = run("--home", home, "probe", "compare", *ids, "--junit", junit, "--markdown", notes)
    assert done.code == 6
    assert "BROKEN first-row row_order column" in done.out
    assert "<failure" in junit.read_text()
    assert "gates broken" in notes.read_text()
    assert run("--home", home, "probe", "compare", ids[0], ids[0]).code == 0
    assert run("--home", home, "probe", "compare", *ids, "--json").document["broken"] >= 1
    assert run("--home", home, "probe", "compare", ids[0], "no-such-run").code == 3
