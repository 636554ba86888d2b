"""Bridges: two columns of one table that name the same things lead from codes to names."""

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tablelens.discover.bridges import VALUES, bridged, find_forms
from tablelens.discover.joins import EVERY, SURE, TENTH, _with_detours
from tablelens.discover.query import query_of_place
from tablelens.engines.base import InlineEngine
from tablelens.index.alignments import Alignments
from tablelens.lake import Lake
from tablelens.testing import make_lake
from tests.conftest import CODES, COUNTRIES, crowd, numbered

SPANISH = [f"{name}a" for name in COUNTRIES]
TABLES = {
    "sales.csv": {"country": [COUNTRIES[i % 18] for i in range(90)], "amount": [i * 1.5 for i in range(90)]},
    "offices.csv": {"cc": CODES * 3, "desk": [f"desk {i}" for i in range(60)]},
    # one bridge lacks the last five, the other the first five
    "first.csv": {"name": COUNTRIES[:15], "iso": CODES[:15]},
    "second.csv": {"label": COUNTRIES[5:], "code": CODES[5:], "es": SPANISH[5:]},
    "noise.csv": {"who": [f"person {i}" for i in range(40)], "sum": list(range(40))},
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    made = Lake.open(tmp_path_factory.mktemp("bridges") / "home", encoder="hash")
    made.crawl(make_lake(tmp_path_factory.mktemp("bridges") / "lake", TABLES), engine=InlineEngine())
    return made


def hit_of(answer, column):
    return next(hit for hit in answer.hits if str(hit.column) == column)


@pytest.mark.parametrize("mode", ["auto", "semantic"])
def test_names_reach_codes_and_codes_reach_names(lake, mode):
    there = hit_of(lake.joins("sales.country", mode=mode, threshold=0.0), "offices.csv.cc")
    back = hit_of(lake.joins("offices.cc", mode=mode, threshold=0.0), "sales.csv.country")
    assert there.evidence.containment == back.evidence.containment == 0
    assert there.evidence.bridge.coverage == 1
    assert back.evidence.bridge.coverage == pytest.approx(0.9)  # two codes have no sale
    assert ("Austria", "AT") in there.evidence.bridge.examples or there.evidence.bridge.examples
    assert all(COUNTRIES.index(name) == CODES.index(code) for name, code in there.evidence.bridge.examples)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """More columns of the same names than a list holds, and a bridge from them to codes."""
    lake = Lake.open(tmp_path_factory.mktemp("crowded") / "home", encoder="deepjoin-static")
    lake.crawl(make_lake(tmp_path_factory.mktemp("crowded") / "lake", crowd()), engine=InlineEngine())
    return lake


def test_among_many_direct_joins_places_are_kept_for_sure_joins_by_meaning(crowded):
    hits = crowded.joins("sales00.country", k=30).hits
    codes = [place for place, hit in enumerate(hits, 1) if hit.column.column == "code"]
    assert codes == [10, 15, 20, 21]  # what is left of them stands at the end
    assert min(hits[place - 1].probability for place in codes) > SURE
    for k in (5, 10, 16):
        assert crowded.joins("sales00.country", k=k).hits == hits[:k]
    assert not any(hit.evidence.bridge for hit in crowded.joins("sales00.country", k=18, mode="equi").hits)


def test_a_threshold_counts_before_places_are_kept(crowded):
    hits = crowded.joins("sales00.country", k=30, threshold=0.95).hits
    assert len(hits) == 17
    assert {hit.column.column for hit in hits} == {"country"}


def test_no_places_are_kept_among_numbers(tmp_path):
    lake = Lake.open(tmp_path / "home", encoder="deepjoin-static")
    lake.crawl(make_lake(tmp_path / "lake", numbered()), engine=InlineEngine())
    hits = lake.joins("sales00.country_id", k=30).hits
    assert [hit.column.column for hit in hits] == ["country_id"] * 17 + ["country"] * 2
    assert min(hit.probability for hit in hits) > SURE


@given(st.integers(0, 60), st.data())
def test_no_hit_is_lost_or_overtaken_by_its_like_where_places_are_kept(size, data):
    order = data.draw(st.permutations(range(size)))
    sure = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), bool)
    made = _with_detours(np.array(order, np.int64), sure).tolist()
    for mark in (True, False):
        assert [i for i in made if sure[i] == mark] == [i for i in order if sure[i] == mark]
    for place in range(TENTH - 1, size, EVERY):
        assert sure[made[place]] or not sure[made[place:]].any()
    first = next((place for place in range(TENTH - 1, size, EVERY) if not sure[order[place]]), size)
    assert made[:first] == list(order[:first])


def test_bridges_make_up_for_each_other(lake):
    (steps, coverage) = (lambda b: (b.steps, b.coverage))(lake.explain("sales.country", "offices.cc").evidence.bridge)
    assert {near.table for near, _ in steps} == {"first.csv", "second.csv"}
    assert coverage == 1


def test_the_sql_runs_and_gives_each_row_its_partners(lake):
    hit = lake.explain("sales.country", "offices.cc")
    rows = duckdb.sql(hit.sql).fetchall()
    assert len(rows) == 90 * 3  # three desks a country, and no row twice though two bridges know most countries
    assert all(COUNTRIES.index(row[0]) == CODES.index(row[2]) for row in rows)


def test_a_bridge_that_is_one_of_the_two_tables_saves_a_join(lake):
    theirs = lake.explain("sales.country", "second.es")
    assert theirs.sql.count("JOIN") == 1
    rows = duckdb.sql(theirs.sql).fetchall()
    assert len(rows) == len([i for i in range(90) if i % 18 >= 5])
    mine = lake.explain("second.es", "sales.country")
    assert mine.sql.count("JOIN") == 1
    assert duckdb.sql(mine.sql).fetchall()
    assert "own column" in " ".join(mine.notes)


def test_modes_without_bridges_and_columns_without_one(lake):
    for mode in ("equi", "deepjoin"):
        assert all(hit.evidence.bridge is None for hit in lake.joins("sales.country", mode=mode).hits)
    assert lake.explain("noise.who", "offices.cc").evidence.bridge is None
    assert find_forms(lake.query("noise.sum"))[0] == ()


def test_a_verdict_goes_before_a_bridge(lake, tmp_path):
    lake.verdict("sales.country", "offices.cc", False)
    assert all(str(hit.column) != "offices.csv.cc" for hit in lake.joins("sales.country", threshold=0.0).hits)
    lake.verdict("sales.country", "offices.cc", None)


def test_things_and_what_they_belong_to_are_no_two_names(tmp_path):
    towns = [f"town {i}" for i in range(60)]
    tables = {
        "towns.csv": {"town": towns, "region": [f"region {i % 20}" for i in range(60)]},
        "visits.csv": {"place": towns[:40], "n": list(range(40))},
        "votes.csv": {"area": [f"region {i}" for i in range(20)], "yes": list(range(20))},
    }
    lake = Lake.open(tmp_path / "home", encoder="hash")
    lake.crawl(make_lake(tmp_path / "lake", tables), engine=InlineEngine())
    assert lake.explain("visits.place", "votes.area").evidence.bridge is None


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 60), st.integers(0, 60), st.integers(0, 60), st.randoms(use_true_random=False))
def test_coverage_is_the_share_of_values_that_arrive(tmp_path_factory, size, gap, missing, random):
    """Against the plain definition: a value arrives if its partner in the bridge is one of the candidate's."""
    things = [f"thing {i}" for i in range(size)]
    codes = [f"X{i:03}" for i in range(size)]
    known = random.sample(range(size), max(size - gap, 0))
    held = random.sample(range(size), max(size - missing, 0))
    tables = {
        "asked.csv": {"q": things},
        "bridge.csv": {"a": [things[i] for i in known] or ["-"], "b": [codes[i] for i in known] or ["-"]},
        "found.csv": {"x": [codes[i] for i in held] or ["-"]},
    }
    folder = tmp_path_factory.mktemp("covered")
    lake = Lake.open(folder / "home", encoder="hash")
    lake.crawl(make_lake(folder / "lake", tables), engine=InlineEngine())
    over = bridged(lake.query("asked.q"), 50)
    arrived = dict(zip(over.places.tolist(), over.coverage.tolist(), strict=True))
    share = len(set(known) & set(held)) / size
    place = lake.view.column("found", "x")
    if share >= 0.3 and len(known) >= 3 and len(held) >= 3:
        assert arrived[place] == pytest.approx(share)
    elif share < 0.3:
        assert place not in arrived


def test_long_columns_are_followed_by_a_sample(tmp_path):
    n = 5 * VALUES
    things, codes = [f"thing {i}" for i in range(n)], [f"X{i:05}" for i in range(n)]
    tables = {"q.csv": {"q": things}, "b.csv": {"a": things, "b": codes}, "x.csv": {"x": codes[: n // 2]}}
    lake = Lake.open(tmp_path / "home", encoder="hash")
    lake.crawl(make_lake(tmp_path / "lake", tables), engine=InlineEngine())
    assert lake.explain("q.q", "x.x").evidence.bridge.coverage == pytest.approx(0.5, abs=0.1)


def test_alignments_are_found_and_saved(tmp_path):
    made = Alignments.build(
        [
            (np.array([1, 3]), np.array([[0, 1, 2], [2, 1, 0]], np.uint16)),
            (np.array([7, 8]), np.array([[0], [0]], np.uint16)),
        ]
    )
    made.save(tmp_path)
    again = Alignments.load(tmp_path)
    assert again.find(np.array([0, 1, 3, 8, 9])).tolist() == [-1, 0, 1, 3, -1]
    assert (again.table_of(1), again.table_of(3)) == (range(2), range(2, 4))
    assert again.cells_of(1).tolist() == [2, 1, 0]
    part = again.only(np.array([3, 7, 8]))
    assert (part.columns.tolist(), part.table_of(0), part.table_of(2)) == ([0, 1, 2], range(1), range(1, 3))
    assert [part.cells_of(i).tolist() for i in range(3)] == [[2, 1, 0], [0], [0]]
    assert Alignments.build([]).find(np.array([1])).tolist() == [-1]
    assert len(Alignments.load(tmp_path / "older")) == 0


def test_a_query_from_outside_goes_over_bridges_too(lake):
    answer = lake.joins(COUNTRIES[:12], name="country", threshold=0.0)
    hit = hit_of(answer, "offices.csv.cc")
    assert hit.evidence.bridge.coverage == 1
    assert "your_table" in hit.sql


def test_bridged_is_bounded_by_what_is_wanted(lake):
    query = query_of_place(lake.view, lake.view.column("sales", "country"))
    assert len(bridged(query, 1).places) <= len(bridged(query, 100).places)


def test_airports_are_not_named_by_their_regions(tmp_path, crawl):
    ports = [f"PORT{i:04}" for i in range(1000)]
    regions = [f"region {i % 300}" for i in range(1000)]  # of 256 values that are followed, nearly each has its own
    tables = {
        "flights.csv": {"port": ports[::-1], "seats": [i * 3 % 517 for i in range(1000)]},
        "ports.csv": {"ident": ports, "region": regions, "name": [f"{i} field" for i in range(1000)]},
        "areas.csv": {"area": regions[:300], "km2": [i * 7 for i in range(300)]},
        "fields.csv": {"field": [f"{i} field" for i in range(0, 1000, 2)], "elevation": [i * 5 for i in range(500)]},
    }
    lake, _ = crawl(make_lake(tmp_path / "lake", tables))
    found = {str(hit.column) for hit in lake.joins("flights.port", mode="semantic", k=20).hits if hit.evidence.bridge}
    assert "fields.csv.field" in found
    assert "areas.csv.area" not in found
