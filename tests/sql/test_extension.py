"""What the loadable extension answers, held against the lake's own answers."""

import sys
from pathlib import Path

import duckdb
import pytest

import tablelens.discover.joins
import tablelens.discover.query
from tablelens.discover.joins import MODES
from tablelens.engines.base import InlineEngine
from tablelens.index.ivf import IvfIndex
from tablelens.lake import Lake
from tablelens.profile.normalize import NULL_WORDS, normalize
from tablelens.testing import make_lake
from tests.conftest import crowd, numbered

ROOT = Path(__file__).parent.parent.parent
FIELDS = (
    *("probability", "score", "containment", "reverse_containment", "jaccard", "cosine", "overlap", "error"),
    *("cardinality", "join_rows", "explosion", "hub"),
)
ANSWER = f"""SELECT lake, "table", "column", kind, {", ".join(FIELDS)}, bridge
    FROM tablelens.joins(?, k := 5, mode := ?) ORDER BY rank"""


def by_lake(lake, column, mode, **options):
    return [
        (
            *(h.column.lake, h.column.table, h.column.column, h.column.kind),
            *(getattr(h.evidence, name, getattr(h, name, None)) for name in FIELDS),
            told_bridge(h.evidence.bridge),
        )
        for h in lake.joins(column, k=5, mode=mode, **options).hits
    ]


def told_bridge(bridge):
    if bridge is None:
        return None
    near, far = bridge.steps[0]
    return f"{near.table}: {near.column} → {far.column}"


def columns_of(lake):
    view = lake.view
    return [f"{view.value('table', p)}.{view.value('column', p)}" for p in range(len(view))]


@pytest.fixture
def by_sets_alone(monkeypatch):
    """The lake compares neither cells nor distributions in mode semantic: the extension does without."""
    monkeypatch.setattr(tablelens.discover.joins, "with_cells", lambda _, found: found)
    monkeypatch.setattr(tablelens.discover.query, "_spread_at", lambda *_: None)


@pytest.mark.usefixtures("by_sets_alone")
def test_it_answers_as_the_lake_does(attached, crawl, lake_folder, kind, kinds):
    lake, _ = crawl(lake_folder, exact_values=1500, sketch_values=300, **kinds[kind])
    assert lake.view.generation.vectors.kind == kind
    connection = attached(lake)
    wrong, hits, bridges = [], 0, 0
    for column in columns_of(lake):
        for mode in MODES:
            mine, theirs = connection.execute(ANSWER, [column, mode]).fetchall(), by_lake(lake, column, mode)
            hits += len(theirs)
            bridges += sum(row[-1] is not None for row in theirs)
            wrong += [] if alike(mine, theirs, mode) else [(column, mode, mine, theirs)]
    assert wrong == []
    assert hits > 200
    assert bridges > 20


@pytest.mark.usefixtures("by_sets_alone")
@pytest.mark.parametrize("probes", [1, 3])
def test_it_looks_into_the_lists_that_python_looks_into(attached, crawl, lake_folder, kinds, monkeypatch, probes):
    """As few lists as tell whether they are the same."""
    monkeypatch.setitem(IvfIndex.__init__.__kwdefaults__, "probes", probes)
    lake, _ = crawl(lake_folder, exact_values=1500, sketch_values=300, **kinds["ivf"])
    connection, columns = attached(lake), columns_of(lake)
    for mode in ("deepjoin", "auto"):
        for column in columns:
            mine = connection.execute(ANSWER, [column, mode]).fetchall()
            assert alike(mine, by_lake(lake, column, mode), mode), (column, mode)


def alike(mine, theirs, mode):
    """Vectors are summed in another order: the last digit may differ, and with it the order of equals."""
    score = 4 + FIELDS.index("score")
    told = {row[:3]: row[4:] for row in theirs}
    same = [row[score] for row in mine] == pytest.approx([row[score] for row in theirs], abs=2e-4)
    same &= all(row[4:] == pytest.approx(told[row[:3]], abs=2e-4) for row in mine if row[:3] in told)
    return same and (mode != "equi" or [row[:3] for row in mine] == [row[:3] for row in theirs])


@pytest.mark.usefixtures("by_sets_alone")
@pytest.mark.parametrize("diversity", [0.1, 0.6, 1.0])
def test_hits_that_tell_something_new_are_those_of_the_lake(attached, crawl, lake_folder, diversity):
    lake, _ = crawl(lake_folder, exact_values=1500, sketch_values=300)
    connection, turned = attached(lake), 0
    asked = ANSWER.replace("mode := ?", f"mode := ?, diversity := {diversity}, per_table := 2")
    for column in columns_of(lake):
        for mode in MODES:
            mine = connection.execute(asked, [column, mode]).fetchall()
            theirs = by_lake(lake, column, mode, diversity=diversity, per_table=2)
            assert alike(mine, theirs, mode), (column, mode)
            turned += theirs != by_lake(lake, column, mode, per_table=2)
    assert turned > 20


@pytest.mark.usefixtures("by_sets_alone")
@pytest.mark.slow
def test_it_answers_as_the_lake_does_on_real_tables(attached, tmp_path):
    lake = Lake.open(tmp_path / "home")
    lake.crawl(ROOT / "sample_lake", engine=InlineEngine())
    connection, view = attached(lake), lake.view
    for place in range(len(view)):
        ref = view.ref(place)
        for mode in MODES:
            column = f"{ref.lake}:{ref.table}.{ref.column}"
            mine, theirs = connection.execute(ANSWER, [column, mode]).fetchall(), by_lake(lake, column, mode)
            assert alike(mine, theirs, mode), (column, mode)


@pytest.mark.parametrize("tables", [crowd, numbered])
def test_places_are_kept_for_sure_joins_by_meaning(attached, tmp_path, tables):
    lake = Lake.open(tmp_path / "home", encoder="deepjoin-static")
    lake.crawl(make_lake(tmp_path / "lake", tables()), engine=InlineEngine())
    connection = attached(lake)
    asked = 'SELECT "table", "column" FROM tablelens.joins(?, k := 30, threshold := ?) ORDER BY rank'
    for threshold in (0.0, 0.6, 0.95):
        for column in columns_of(lake):
            hits = lake.joins(column, k=30, threshold=threshold).hits
            theirs = [(hit.column.table, hit.column.column) for hit in hits]
            assert connection.execute(asked, [column, threshold]).fetchall() == theirs


def test_verdicts_of_people_count(attached, crawl, tmp_path):
    cells = list("abcdef")
    tables = {
        "a.csv": {"x": cells},
        "b.csv": {"y": cells},
        "Zoë.csv": {'z\u2028"': cells[:5]},
        "d.csv": {"w": ["q", "r", "s"]},
    }
    lake, _ = crawl(make_lake(tmp_path / "lake", tables))
    connection = attached(lake)
    assert len(connection.execute(ANSWER, ["a.x", "equi"]).fetchall()) == 2
    for right, joins in (("b.y", False), ("d.w", True), ('Zoë.z\u2028"', True), ("b.y", True), ("b.y", None)):
        lake.verdict("a.x", right, joins)
        for mode in MODES:
            assert alike(connection.execute(ANSWER, ["a.x", mode]).fetchall(), by_lake(lake, "a.x", mode), mode), right
    (lake.home / "verdicts.json").write_text('[[["lake", "a.csv"')
    with pytest.raises(duckdb.InvalidInputException, match=r"verdicts\.json is damaged"):
        connection.execute(ANSWER, ["a.x", "auto"])


def test_values_from_outside(attached, crawl, lake_folder):
    lake, _ = crawl(lake_folder)
    connection, scan = attached(lake), duckdb.connect()
    scan.execute(f"ATTACH '{lake.home}/catalog-{lake.view.generation.number}.duckdb' AS tablelens (READ_ONLY)")
    for values in (
        ["Norburg", "SUDHEIM", " Osttal", None, "Westau", "n/a", "x" * 300],
        ["1", "2", "3.0", "+4"],
        ["K-001"] * 9,
    ):
        asked = (
            'SELECT "table", "column", containment, overlap, hub FROM tablelens.joins_of(?, k := 5, mode := \'equi\')'
        )
        theirs = lake.joins(values, k=5, mode="equi").hits
        wanted = [(h.column.table, h.column.column, h.evidence.containment, h.evidence.overlap, h.hub) for h in theirs]
        assert connection.execute(asked, [values]).fetchall() == wanted
        assert scan.execute(asked, [values]).fetchall() == wanted
        asked = "FROM tablelens.joins_of(?, k := 5, name := 'townName')"  # neither has an encoder
        told = {row[1:4]: row[4:] for row in scan.execute(asked, [values]).fetchall()}
        hits = [row for row in connection.execute(asked, [values]).fetchall() if row[1:4] in told]
        assert all(row[4:] == pytest.approx(told[row[1:4]], abs=2e-4) for row in hits)
        assert hits or not told


def test_all_of_unicode_is_normalised_as_python_does(attached, crawled):
    connection = attached(crawled)
    letters = [chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    letters += sorted(NULL_WORDS)
    cells = [f"a{letter}\u0301b" for letter in letters] + [f"{letter}1" for letter in letters] + letters
    found = connection.execute(
        "SELECT list_transform(?::VARCHAR[], lambda x: tablelens_normalize(x))", [cells]
    ).fetchall()[0][0]
    wrong = [(cell, mine, normalize(cell)) for cell, mine in zip(cells, found, strict=True) if mine != normalize(cell)]
    assert [case for case in wrong if "\u037a" not in case[0]] == []  # an accent on Greek's iota subscript alone


def test_hashes_of_every_length(attached, crawl, tmp_path):
    values = ["".join(chr(97 + (i * 7 + j) % 26) for j in range(i)) for i in range(3, 700)]
    lake, _ = crawl(make_lake(tmp_path / "lake", {"a.csv": {"x": values}}))
    connection = attached(lake)
    ((overlap,),) = connection.execute("SELECT overlap FROM tablelens.joins_of(?, mode := 'equi')", [values]).fetchall()
    assert overlap == len(values)
