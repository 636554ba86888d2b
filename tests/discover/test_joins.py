"""What is found, what is counted on it, and what is left out by rule."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tablelens.discover import hits
from tablelens.discover.evidence import cardinality
from tablelens.discover.joins import Request
from tablelens.engines.base import InlineEngine
from tablelens.errors import UnknownLake, UsageError
from tablelens.lake import Lake
from tablelens.testing import make_lake


def names(answer):
    return [str(hit.column) for hit in answer.hits]


def lake_of(folder, tables, **options):
    lake = Lake.open(folder / "home", encoder="hash", **options)
    lake.crawl(make_lake(folder / "lake", tables), engine=InlineEngine())
    return lake


A, B = [f"v{i}" for i in range(10)], [f"v{i}" for i in range(5, 20)]
PAIRS = {
    # file: values; each value as often as the last number says
    "ten.csv": {"v": A},
    "ten_thrice.csv": {"v": A * 3},
    "fifteen.csv": {"v": B},
    "fifteen_twice.csv": {"v": B * 2},
    "none.csv": {"v": [f"w{i}" for i in range(10)]},
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return lake_of(tmp_path_factory.mktemp("pairs"), PAIRS)


# evidence ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "kind", "rows"),
    [
        ("ten", "fifteen", "1:1", 5),
        ("ten_thrice", "fifteen", "n:1", 15),
        ("ten", "fifteen_twice", "1:n", 10),
        ("ten_thrice", "fifteen_twice", "n:m", 30),
    ],
)
def test_evidence_is_counted(pairs, left, right, kind, rows):
    hit = pairs.explain(f"{left}.v", f"{right}.v")
    e = hit.evidence
    assert (e.overlap, e.containment, e.reverse_containment, e.jaccard) == (5, 0.5, round(5 / 15, 6), 0.25)
    assert (e.cardinality, e.error) == (kind, 0)
    assert e.join_rows == rows == len(duckdb.sql(hit.sql).fetchall())
    assert e.explosion == round(rows / len(PAIRS[f"{left}.csv"]["v"]), 3)
    assert set(e.matched) == set(A) & set(B)
    assert set(e.unmatched) == set(A) - set(B)


def test_nothing_in_common(pairs):
    e = pairs.explain("ten.v", "none.v").evidence
    assert (e.overlap, e.containment, e.reverse_containment, e.jaccard, e.join_rows) == (0, 0, 0, 0, 0)
    assert (e.matched, len(e.unmatched)) == ((), 5)


def test_evidence_of_a_pair_seen_from_both_sides(pairs):
    one, two = (pairs.explain(*pair).evidence for pair in (("ten.v", "fifteen.v"), ("fifteen.v", "ten.v")))
    assert (one.containment, one.reverse_containment) == (two.reverse_containment, two.containment)
    assert (one.jaccard, one.overlap, one.join_rows) == (two.jaccard, two.overlap, two.join_rows)


@given(left=st.booleans(), right=st.booleans())
def test_cardinality(left, right):
    assert cardinality(left, right) == {(1, 1): "1:1", (1, 0): "1:n", (0, 1): "n:1", (0, 0): "n:m"}[left, right]


@given(st.lists(st.integers(0, 30).map(lambda i: f"v{i}"), min_size=2, unique=True))
@settings(max_examples=30, deadline=None)
def test_outside_values_are_counted_as_sets(pairs, values):
    for hit in pairs.joins(values, threshold=0.0).hits:
        other = set(PAIRS[hit.column.table]["v"])
        shared = set(values) & other
        assert hit.evidence.overlap == len(shared)
        assert hit.evidence.containment == pytest.approx(len(shared) / len(values), abs=1e-6)
        assert hit.evidence.reverse_containment == pytest.approx(len(shared) / len(other), abs=1e-6)


def test_sketches_tell_their_error_and_keep_to_it(tmp_path):
    """Containment and overlap from sketches lie within two stated errors in at least 90 % of the pairs."""
    rng = np.random.default_rng(8)
    sets = [rng.choice(6000, size, replace=False) for size in rng.integers(500, 4000, 12)]
    tables = {f"t{i:02}.csv": {"v": [f"value {x}" for x in values]} for i, values in enumerate(sets)}
    lake = lake_of(tmp_path, tables, exact_values=1000, sketch_values=400)
    within = []
    for i in range(12):
        for j in range(12):
            if i == j:
                continue
            e = lake.explain(f"t{i:02}.v", f"t{j:02}.v").evidence
            truth = len(np.intersect1d(sets[i], sets[j])) / len(sets[i])
            exact = len(sets[i]) <= 1000 and len(sets[j]) <= 1000
            assert (e.error == 0) == exact
            within.append(abs(e.containment - truth) <= 2 * e.error + 1e-6)
            assert e.overlap == pytest.approx(e.containment * len(sets[i]), abs=1)
    assert np.mean(within) >= 0.9


# what is found ----------------------------------------------------------------------------------------------------


def test_the_joins_of_the_tiny_lake(crawled):
    for column, partner in (
        ("shop/orders.customer_id", "shop/customers.csv.customer_id"),
        ("shop/customers.country", "world/countries.csv.iso2"),
        ("world/countries.country", "world/capitals.csv.country"),
        ("world/capitals.capital", "world/climate.csv.city"),
    ):
        hits = crawled.joins(column).hits
        assert [str(hit.column) for hit in hits if hit.evidence.bridge is None] == [partner]
        assert str(hits[0].column) == partner


@pytest.mark.parametrize("mode", ["auto", "equi", "semantic", "deepjoin"])
def test_every_mode_puts_the_partner_first(crawled, mode):
    found = crawled.joins("shop/orders.customer_id", mode=mode)
    assert (found.mode, names(found)[0]) == (mode, "shop/customers.csv.customer_id")
    assert all(hit.column.table != "shop/orders.csv" for hit in found.hits)


def test_equi_mode_ranks_by_containment(pairs):
    found = pairs.joins("ten.v", mode="equi")
    scores = [hit.score for hit in found.hits]
    assert names(found)[0] == "ten_thrice.csv.v"
    assert scores == sorted(scores, reverse=True) == [hit.evidence.containment for hit in found.hits]
    assert "none.csv.v" not in names(found)


def test_auto_mode_ranks_by_probability_and_stops_at_the_threshold(pairs):
    every = pairs.joins("ten.v", threshold=0.0)
    chances = [hit.probability for hit in every.hits]
    assert chances == sorted(chances, reverse=True)
    assert all(0 <= chance <= 1 for chance in chances)
    middle = chances[1]
    few = pairs.joins("ten.v", threshold=middle - 1e-6)
    assert names(few) == names(every)[: len(few.hits)]
    assert min(hit.probability for hit in few.hits) >= middle - 1e-3
    assert pairs.joins("ten.v", threshold=1.0).hits == ()


def test_none_found_is_an_answer(pairs):
    found = pairs.joins("none.v")
    assert (found.table, found.column, found.hits) == ("none.csv", "v", ())


@pytest.mark.parametrize("mode", ["semantic", "deepjoin"])
def test_numbers_have_no_vectors_and_that_is_said(crawled, mode):
    found = crawled.joins("shop/orders.amount", mode=mode)
    assert found.hits == ()
    assert "no vector" in found.notes[0]


@pytest.mark.parametrize(
    ("column", "reason"),
    [("world/climate.source", "constant"), ("world/climate.remark", "empty"), ("world/climate.coastal", "boolean")],
)
def test_what_cannot_join_says_why(crawled, column, reason):
    found = crawled.joins(column)
    assert found.hits == ()
    assert found.notes[0].startswith(reason)


def test_columns_that_cannot_join_are_never_hits(tmp_path):
    """0/1, yes/no, constant and empty columns, in every mode."""
    bad = {"flag": [0, 1] * 10, "said": ["yes", "no"] * 10, "same": ["x"] * 20, "void": [None] * 20}
    lake = lake_of(tmp_path, {"a.csv": {**bad, "n": range(20)}, "b.csv": {**bad, "n": range(20)}})
    for mode in ("auto", "equi", "semantic", "deepjoin"):
        for column in ("flag", "said", "same", "void", "n"):
            found = lake.joins(f"a.{column}", mode=mode, threshold=0.0)
            assert {hit.column.column for hit in found.hits} <= {"n"}
        assert lake.joins(["yes", "no", "x"], mode=mode, threshold=0.0).hits == ()


def test_a_note_says_why_a_pair_that_cannot_join_has_no_evidence(crawled):
    hit = crawled.explain("world/climate.coastal", "world/climate.coastal")
    assert any("boolean" in note for note in hit.notes)


def test_families_do_not_mix(tmp_path):
    days = [f"2024-01-{day:02}" for day in range(1, 21)]
    mixed = [*map(str, range(20)), *(f"word {i}" for i in range(20))]
    lake = lake_of(
        tmp_path,
        {"n.csv": {"v": range(20)}, "n2.csv": {"v": range(15)}, "m.csv": {"v": mixed}, "d.csv": {"v": days},
         "d2.csv": {"v": days[:15]}},
    )  # fmt: skip
    assert names(lake.joins("n.v", mode="equi")) == ["n2.csv.v"]
    assert names(lake.joins("d.v", mode="equi")) == ["d2.csv.v"]
    assert names(lake.joins("m.v", mode="equi")) == []


def test_few_distinct_values_are_no_candidate_unless_a_key(tmp_path):
    four = ["north", "east", "south", "west"]
    lake = lake_of(
        tmp_path, {"q.csv": {"v": four * 3}, "many.csv": {"v": four * 9}, "key.csv": {"v": four}, "n.csv": {"v": A}}
    )
    assert names(lake.joins("q.v", mode="equi")) == []
    assert names(lake.joins("q.v")) == ["key.csv.v"]
    some = Lake.open(lake.home, encoder="hash", min_distinct=2)
    assert sorted(names(some.joins("q.v", mode="equi"))) == ["key.csv.v", "many.csv.v"]


def test_own_table_is_excluded_also_where_its_columns_are_alike(tmp_path):
    lake = lake_of(tmp_path, {"a.csv": {"x": A, "y": A}, "b.csv": {"x": A}})
    assert names(lake.joins("a.x")) == ["b.csv.x"]
    assert set(names(lake.joins("b.x"))) == {"a.csv.x", "a.csv.y"}


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Five tables of two lakes with three columns each that all join."""
    columns = dict.fromkeys("xyz", A)
    lake = lake_of(tmp_path_factory.mktemp("wide"), {f"s/t{i}.csv": columns for i in range(4)})
    other = make_lake(tmp_path_factory.mktemp("other") / "other", {"s/t9.csv": columns, "u.csv": {"w": [*A, "more"]}})
    lake.crawl(other, engine=InlineEngine())
    return lake


def test_at_most_k_hits(wide):
    assert [len(wide.joins("t0.csv.x".replace("t0", "s/t0"), k=k).hits) for k in (1, 5, 100)] == [1, 5, 13]


def test_at_most_some_hits_a_table(wide):
    found = wide.joins("s/t0.x", k=100, per_table=1)
    tables = [(hit.column.lake, hit.column.table) for hit in found.hits]
    assert len(tables) == len(set(tables)) == 5


def test_filters(wide):
    assert {hit.column.lake for hit in wide.joins("s/t0.x", k=100, lake="other").hits} == {"other"}
    assert {hit.column.table for hit in wide.joins("s/t0.x", k=100, tables="s/t[12].csv").hits} == {
        "s/t1.csv", "s/t2.csv",
    }  # fmt: skip
    for filters in ({"lake": "nowhere"}, {"tables": "T*"}, {"kind": "letters"}):
        with pytest.raises((UnknownLake, UsageError), match=next(iter(filters.values())).strip("*")):
            wide.joins("s/t0.x", **filters)
    kinds = {hit.column.kind for hit in wide.joins("s/t0.x", k=100, kind="text").hits}
    assert kinds == {"text"}
    assert {hit.column.column for hit in wide.joins("s/t0.x", k=100, kind="identifier").hits} <= {"x", "y", "z", "w"}


def test_a_hub_is_said_to_be_one(tmp_path, monkeypatch):
    monkeypatch.setattr(hits, "HUB_COLUMNS", 20)
    years = [str(year) for year in range(1990, 2020)]
    lake = lake_of(
        tmp_path, {f"t{i:02}.csv": {"year": years, f"own{i}": [f"{i}-{y}" for y in years]} for i in range(30)}
    )
    hub, rare = lake.joins("t00.year").hits, lake.joins("t00.own0", threshold=0.0).hits
    assert hub
    assert any("common values" in note for note in hub[0].notes)
    assert hub[0].hub == pytest.approx(0.5)
    assert not any("common values" in note for hit in rare for note in hit.notes)


def test_row_explosion_is_noted(tmp_path):
    lake = lake_of(tmp_path, {"a.csv": {"v": A * 20}, "b.csv": {"v": A * 15}})
    hit = lake.joins("a.v").hits[0]
    assert hit.evidence.join_rows == 200 * 15
    assert any("row explosion" in note for note in hit.notes)


# outside values ---------------------------------------------------------------------------------------------------


def test_values_from_outside(pairs):
    for values in (A, pa.array(A), pa.chunked_array([A[:3], A[3:]]), np.array(A), tuple(A)):
        found = pairs.joins(values, name="v", table="mine")
        assert (found.table, found.column) == ("mine", "v")
        assert set(names(found)) >= {"ten.csv.v", "ten_thrice.csv.v"}


def test_series_of_other_libraries(pairs):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    for values in (pandas.Series(A, name="v"), polars.Series("v", A)):
        found = pairs.joins(values)
        assert found.column == "v"
        assert "ten.csv.v" in names(found)


@pytest.mark.parametrize(
    "values", [7, {"a": 1}, object(), [[1], [2]], [{"a": 1, "b": 2}], pa.table({"a": [1], "b": [2]})]
)
def test_what_is_no_column_is_refused(pairs, values):
    with pytest.raises(UsageError, match="cannot take"):
        pairs.joins(values)


@pytest.mark.parametrize("values", [[], [None], ["n/a", ""], ["same"] * 5, [True, False]])
def test_columns_without_enough_values_find_nothing(pairs, values):
    assert pairs.joins(values).hits == ()


def test_a_column_of_a_file(pairs, tmp_path):
    make_lake(tmp_path, {"mine.csv": {"code": A, "n": range(10)}})
    found = pairs.joins_of_file(tmp_path / "mine.csv", "code")
    assert (found.table, found.column) == ("mine", "code")
    assert len(duckdb.sql(found.hits[0].sql).fetchall()) == found.hits[0].evidence.join_rows


# requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"k": 0}, {"k": -1}, {"k": 10**9}, {"mode": "fuzzy"}, {"per_table": -1}, {"threshold": 1.5}, {"threshold": -0.1},
     {"threshold": float("nan")}],
)  # fmt: skip
def test_impossible_requests_are_refused(options):
    with pytest.raises(UsageError):
        Request(**options)


def test_unknown_options_are_refused_with_those_known(pairs):
    with pytest.raises(UsageError, match="wrong type"):
        pairs.joins("ten.v", k="3")
    with pytest.raises(UsageError, match=r"thresh[\s\S]*known options: .*threshold"):
        pairs.joins("ten.v", thresh=0.5)


def test_the_same_question_has_the_same_answer(wide):
    first, again = (wide.joins("s/t0.x", k=100) for _ in range(2))
    assert [hit.column for hit in first.hits] == [hit.column for hit in again.hits]
    assert [hit.score for hit in first.hits] == [hit.score for hit in again.hits]
