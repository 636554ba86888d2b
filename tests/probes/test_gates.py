"""Gates break where something got worse beyond doubt, and nowhere else."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from tablelens.probes import gates, results
from tablelens.probes.data import generate
from tablelens.probes.registry import get_property, load_model
from tablelens.probes.runner import Budget, run

from tablelens.errors import IncomparableRuns, SettingError

SMALL = Budget(tables=8, rows=10, variants=3, most=3)
SOME = [get_property(name) for name in ("row_order", "sample_fidelity", "determinism", "join_relationship")]


def probed(name, seed=7, budget=SMALL, count=8):
    return run([load_model(name)], SOME, generate(count, 10), budget, seed=seed)


@pytest.fixture(scope="module")
def good():
    return probed("bag-of-words")


@pytest.fixture(scope="module")
def bad():
    return probed("first-row")


def broken(checks):
    return {(found.property, found.level) for found in checks if found.broken}


def test_a_run_against_itself_holds(good):
    checks = gates.compare(good, good, {})
    assert len(checks) == sum("level" not in r.skipped for r in good.results)
    assert broken(checks) == set()


def test_a_model_that_got_worse_breaks(good, bad):
    checks = gates.compare(good, bad, {})
    assert ("row_order", "column") in broken(checks)
    assert "fell by" in next(c.broken for c in checks if (c.property, c.level) == ("row_order", "column"))
    assert ("row_order", "row") not in broken(checks)
    assert ("row_order", "column") not in broken(gates.compare(bad, good, {}))


def test_a_wide_margin_lets_it_pass_and_a_level_may_differ(good, bad):
    loose = {"margin": 2.0}
    assert broken(gates.compare(good, bad, loose)) == set()
    some = {"margin": 2.0, "row_order": {"table": {"margin": 0.1}}}
    assert broken(gates.compare(good, bad, some)) == {("row_order", "table")}


def test_minimum_and_verdict(good, bad):
    assert broken(gates.compare(bad, bad, {"row_order": {"minimum": 0.9}})) == {
        ("row_order", "column"),
        ("row_order", "table"),
    }
    assert ("row_order", "column") in broken(gates.compare(bad, bad, {"row_order": {"verdict": "warn"}}))


def altered(run, name, **changes):
    made = tuple(replace(r, **changes) if r.property == name and "level" not in r.skipped else r for r in run.results)
    return replace(run, results=made)


def test_lost_tables_faults_degeneracy_and_exact_figures_break(good):
    fewer = altered(good, "row_order", tables=5)
    assert {level for _, level in broken(gates.compare(good, fewer, {}))} == {"column", "row", "table"}
    assert broken(gates.compare(good, fewer, {"lost_tables": 3})) == set()
    assert broken(gates.compare(good, altered(good, "row_order", faults=1), {}))
    assert broken(gates.compare(good, altered(good, "row_order", verdict="degenerate"), {}))
    drift = {"agreement": results.Estimate(0.9999, 0.9999, 0.9999)}
    assert ("determinism", "column") in broken(gates.compare(good, altered(good, "determinism", estimates=drift), {}))


def test_runs_of_other_tables_seed_or_budget_are_refused(good):
    with pytest.raises(IncomparableRuns, match="tables"):
        gates.compare(good, probed("bag-of-words", count=7), {})
    with pytest.raises(IncomparableRuns, match="seed"):
        gates.compare(good, replace(good, seed=8), {})
    with pytest.raises(IncomparableRuns, match="budget"):
        gates.compare(good, replace(good, parameters=good.parameters | {"rows": 9}), {})
    with pytest.raises(IncomparableRuns, match="version"):
        gates.compare(good, altered(good, "row_order", version=99), {})
    with pytest.raises(IncomparableRuns, match="share no"):
        gates.compare(good, replace(good, results=()), {})


def test_junit_and_markdown(good, bad):
    checks = gates.compare(good, bad, {})
    suite = ET.fromstring(gates.junit(checks))
    assert int(suite.get("tests")) == len(checks)
    assert int(suite.get("failures")) == len(broken(checks)) == len(suite.findall("testcase/failure"))
    text = gates.markdown(checks)
    assert text.index("❌") < text.index("✅")
    assert "all" in gates.markdown(gates.compare(good, good, {}))


@pytest.mark.parametrize(
    "text",
    [
        "margin = 'x'",
        "margin = true",
        "row_ordr = {margin = 1}",
        "[row_order.colum]\nmargin = 1",
        "verdict = 'good'",
        "= 1",
    ],
)
def test_a_gate_file_that_is_off_is_told(text, tmp_path):
    path = tmp_path / "gates.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError):
        gates.read_gates(path)


def test_the_gate_file_of_the_docs_is_one(tmp_path):
    path = tmp_path / "gates.toml"
    path.write_text(gates.__doc__.partition("\n\n")[2], encoding="utf-8")
    found = gates.read_gates(path)
    assert found["row_order"]["table"] == {"margin": 0.05}
