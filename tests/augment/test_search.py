"""What helps is found, what does not is not claimed, what gives the target away is left out."""

import itertools

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("torch")

from tablelens.augment.base import base_of
from tablelens.augment.folds import folds_of
from tablelens.augment.lift import lift
from tablelens.augment.report import document, picture
from tablelens.augment.search import augment
from tablelens.errors import UnknownColumn, UsageError
from tablelens.settings import Settings
from tablelens.types import ColumnRef, Evidence, Hit

ROWS, SHOPS = 300, 60


def hit(table, key="shop"):
    evidence = Evidence(SHOPS, 1.0, 1.0, 1.0, "n:1", ROWS, 1.0)
    return Hit(ColumnRef(1, "lake", table, key, "text"), 1.0, 0.9, evidence, "")


@pytest.fixture(scope="module")
def world():
    """Sales by shop; what is sold depends on the shop's size, which another table knows."""
    rng = np.random.default_rng(4)
    shop = rng.integers(0, SHOPS, ROWS)
    size = rng.normal(size=SHOPS)
    day = rng.normal(size=ROWS)
    sold = np.where(size[shop] + 0.3 * day + 0.5 * rng.normal(size=ROWS) > 0, "many", "few")
    names = [f"shop {n}" for n in range(SHOPS)]
    base = pa.table({"shop": [names[n] for n in shop], "day": day, "sold": sold})
    tables = {
        "sizes": pa.table({"shop": names, "size": size, "colour": rng.choice(["red", "blue"], SHOPS)}),
        "copy": pa.table({"shop": base["shop"], "outcome": base["sold"], "noise": rng.normal(size=ROWS)}),
        "far": pa.table({"shop": [f"store {n}" for n in range(SHOPS)], "x": rng.normal(size=SHOPS)}),
    }
    tables |= {f"noise{n}": pa.table({"shop": names, "x": rng.normal(size=SHOPS)}) for n in range(6)}
    return base, tables


def tried(world, names, **options):
    base, tables = world
    made = base_of(base, "sold", None, Settings())
    candidates = [("shop", hit(name)) for name in names]
    return augment(made, candidates, lambda found: tables[found.column.table], **{"rows": False} | options)


def test_the_table_that_helps_is_recommended(world):
    found = tried(world, ["noise0", "sizes", "noise1"])
    assert [trial.hit.column.table for trial in found.chosen] == ["sizes"]
    assert found.data.num_rows == ROWS
    assert {"sizes.size", "sizes.colour"} <= set(found.data.column_names)
    by_name = {outcome.name: outcome for outcome in found.outcomes}
    assert by_name["recommended"].scores["trees"] > by_name["none"].scores["trees"]
    assert by_name["none"].lifts["trees"].mean == 0
    made = document(found)
    assert made["recommended"] == ["sizes"]
    assert picture(found).count("<circle") == 3


def test_nothing_is_claimed_of_noise(world):
    found = tried(world, [f"noise{n}" for n in range(6)])
    assert found.chosen == ()
    assert found.data.column_names == ["shop", "day"]


def test_a_table_without_partners_is_not_tried(world):
    (trial,) = tried(world, ["far"]).trials
    assert "only 0.0%" in trial.reason
    assert trial.lifts == {}


def test_a_copy_of_the_target_is_left_out():
    names = [f"p{n}" for n in range(100)]
    sick = ["yes" if n % 3 else "no" for n in range(100)]
    base = base_of(pa.table({"person": names, "sick": sick}), "sick", None, Settings())
    other = pa.table(
        {"person": names, "diagnosis": [s.upper() for s in sick], "code": [float(s == "yes") for s in sick]}
    )
    found = augment(base, [("person", hit("clinic", "person"))], lambda _: other, rows=False)
    assert found.trials[0].columns == ()
    assert "is the target" in found.trials[0].left_out["clinic.diagnosis"]
    assert "alone tells the target" in found.trials[0].left_out["clinic.code"]


def test_keys_are_never_learnt_and_tested_on():
    keys = np.repeat(np.arange(20), 5)
    target = np.tile(["a", "b", "a", "b", "b"], 20)
    for task in ("classes", "numbers"):
        folds = folds_of(target, keys, task, 0)
        assert len(folds) == 10
        for train, test in folds:
            assert not set(keys[train]) & set(keys[test])


def test_few_keys_are_too_few_to_tell():
    base = pa.table({"shop": ["a", "b", "c", "d"] * 25, "sold": ["many", "few"] * 50})
    other = pa.table({"shop": ["a", "b", "c", "d"], "x": [1.0, 2.0, 3.0, 4.0]})
    found = augment(base_of(base, "sold", None, Settings()), [("shop", hit("t"))], lambda _: other, rows=False)
    assert "only 4 distinct values" in found.trials[0].reason


def test_the_budget_is_kept_and_said(world):
    found = tried(world, ["sizes", "noise0"], budget=1e-9)
    assert {trial.reason for trial in found.trials} == {"not tried: the budget was spent"}


def test_what_there_was_no_time_for_is_said(world, monkeypatch):
    """A clock that moves on by a second whenever it is looked at: four are joined, two judged, none by TransTab."""
    clock = itertools.count()
    monkeypatch.setattr("tablelens.augment.search.time.perf_counter", lambda: float(next(clock)))
    found = tried(world, ["sizes", "noise0", "noise1", "noise2"], rows=True, budget=8)
    assert [set(trial.lifts) for trial in found.trials] == [{"trees"}, {"trees"}, set(), set()]
    assert [trial.reason for trial in found.trials] == ["", "", *["not tried: the budget was spent"] * 2]
    assert [trial.hit.column.table for trial in found.chosen] == ["sizes"]
    assert [set(outcome.scores) for outcome in found.outcomes] == [{"trees"}] * 4
    assert found.outcomes[2].tables == ("sizes", "noise0")


def test_a_column_without_a_value_in_some_fold_does_no_harm():
    rng = np.random.default_rng(0)
    names = [f"shop {n}" for n in range(60)]
    base = pa.table({"shop": names * 4, "x": rng.normal(size=240)})
    sold = np.where(np.array(base["x"].to_pylist()) > 0, "many", "few")
    rare = pa.table({"shop": names, "rare": [1.0, 2.0] + [None] * 58, "word": ["a", "b"] + [None] * 58})
    made = base_of(base.append_column("sold", pa.array(sold)), "sold", None, Settings())
    (trial,) = augment(made, [("shop", hit("rare"))], lambda _: rare, rows=False).trials
    assert trial.lifts["trees"].mean == pytest.approx(0, abs=0.1)


@pytest.mark.slow
def test_rows_judge_too(world):
    found = tried(world, ["sizes", "noise0"], rows=True, budget=600)
    sizes, noise = (trial.lifts for trial in found.trials)
    assert set(sizes) == {"trees", "transtab"}
    assert sizes["transtab"].sure, "columns that come later are learnt as well as those that were there"
    assert not noise["transtab"].sure


def test_numbers_are_predicted_too(world):
    base, tables = world
    sized = dict(zip(tables["sizes"]["shop"].to_pylist(), tables["sizes"]["size"].to_pylist(), strict=True))
    rng = np.random.default_rng(1)
    target = [10 * sized[name] + rng.normal() for name in base["shop"].to_pylist()]
    made = base_of(base.append_column("turnover", pa.array(target)), "turnover", None, Settings())
    assert made.metric == "r2"
    found = augment(made, [("shop", hit("sizes"))], lambda found: tables[found.column.table], rows=False)
    assert "alone tells the target" not in str(found.trials[0].left_out) or found.trials[0].columns
    assert found.trials[0].lifts["trees"].mean > 0


def test_giants_do_not_outweigh_all_else_where_ranks_are_scored(world):
    base, tables = world
    sized = dict(zip(tables["sizes"]["shop"].to_pylist(), tables["sizes"]["size"].to_pylist(), strict=True))
    noise = np.random.default_rng(1).normal(size=ROWS)
    target = np.exp([4 * sized[name] + more for name, more in zip(base["shop"].to_pylist(), noise, strict=True)])
    lifts = {}
    for metric in ("r2", "spearman"):
        made = base_of(base.append_column("people", pa.array(target)), "people", metric, Settings())
        found = augment(made, [("shop", hit("sizes"))], lambda found: tables[found.column.table], rows=False)
        lifts[metric] = found.trials[0].lifts["trees"]
    assert not lifts["r2"].sure
    assert lifts["spearman"].sure


def test_bad_targets_are_named(world):
    base, _ = world
    with pytest.raises(UnknownColumn, match="sodl"):
        base_of(base, "sodl", None, Settings())
    with pytest.raises(UsageError, match="no row has a value"):
        base_of(base.append_column("void", pa.nulls(ROWS, pa.string())), "void", None, Settings())
    with pytest.raises(UsageError, match="target holds texts"):
        base_of(base, "sold", "r2", Settings())
    with pytest.raises(UsageError, match="unknown metric"):
        base_of(base, "sold", "f1", Settings())
    with pytest.raises(UsageError, match="too few"):
        augment(base_of(base.slice(0, 12), "sold", None, Settings()), [], lambda _: base, rows=False)
    constant = base.append_column("same", pa.array(["x"] * ROWS))
    with pytest.raises(UsageError, match="one value only"):
        augment(base_of(constant, "same", None, Settings()), [], lambda _: base, rows=False)


def test_the_interval_holds_as_often_as_it_says():
    """Scores of noise, correlated as those of folds are: zero lies inside at the level, or more often."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        shared = rng.normal(size=1) * np.sqrt(0.25)
        differences = shared + rng.normal(size=10)
        found = lift(np.zeros(10), differences, 0.25)
        inside += found.low <= 0 <= found.high
    assert inside / 400 > 0.9
