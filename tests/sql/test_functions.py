"""The functions on a Python connection: the same answers as the lake's own, wherever they are asked."""

import json
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest
from litestar.testing import TestClient
from tablelens.api import create_app

from tablelens.cli import main
from tablelens.discover.candidates import DIRECT
from tablelens.discover.joins import MODES
from tablelens.engines.base import InlineEngine
from tablelens.errors import IndexFault, NoLake, UsageError
from tablelens.lake import Lake
from tablelens.settings import Settings
from tablelens.sql import register
from tablelens.testing import make_lake

COLUMNS = ("shop/orders.customer_id", "shop/customers.country", "world/countries.country", "world/climate.rain_mm")
FIELDS = (
    *("probability", "score", "containment", "reverse_containment", "jaccard", "cosine", "overlap", "error"),
    *("cardinality", "join_rows", "explosion", "hub"),
)
ANSWER = f"""SELECT lake, "table", "column", kind, {", ".join(FIELDS)}
    FROM tablelens.joins(?, k := 5, mode := ?) ORDER BY rank"""


@pytest.fixture
def connection(crawled):
    with duckdb.connect() as made:
        register(made, crawled)
        yield made


def by_lake(lake, column, mode, bridges=True, **options):
    found = lake.joins(column, k=5, mode=mode, **options).hits
    hits = [hit for hit in found if bridges or hit.evidence.bridge is None]
    return [
        (
            *(h.column.lake, h.column.table, h.column.column, h.column.kind),
            *(getattr(h.evidence, name, getattr(h, name, None)) for name in FIELDS),
        )
        for h in hits
    ]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("column", COLUMNS)
def test_sql_answers_as_the_lake_does(connection, crawled, column, mode):
    assert connection.execute(ANSWER, [column, mode]).fetchall() == by_lake(crawled, column, mode)


def test_hits_of_other_values_come_before_a_second_copy(tmp_path):
    cells = [f"v{i}" for i in range(40)]
    copies = {f"copy{i}.csv": {"v": cells[:30]} for i in range(3)}
    lake = Lake.open(tmp_path / "home", encoder="hash")
    lake.crawl(
        make_lake(tmp_path / "lake", {"ask.csv": {"v": cells}, "other.csv": {"v": cells[20:]}} | copies),
        engine=InlineEngine(),
    )
    asked = ANSWER.replace("mode := ?", "mode := ?, diversity := 0.5")
    with duckdb.connect() as connection:
        register(connection, lake)
        for mode in MODES:
            found = connection.execute(asked, ["ask.v", mode]).fetchall()
            assert found == by_lake(lake, "ask.v", mode, diversity=0.5)
            assert found[1][1] == "other.csv"
        (given,) = connection.execute(
            """SELECT list("table") FROM (FROM tablelens.joins_of(?, k := 3, mode := 'equi', diversity := 0.5))""",
            [cells],
        ).fetchone()
        assert "other.csv" in given


@pytest.mark.parametrize("mode", MODES)
def test_command_line_rest_and_sql_give_the_same(connection, crawled, mode, capsys):
    with TestClient(create_app(crawled.home, Settings(rate_per_minute=0), hosts=["testserver.local"])) as client:
        for column in COLUMNS:
            with pytest.raises(SystemExit):
                main(["--home", str(crawled.home), "joins", column, "-k", "5", "--mode", mode, "--json"])
            told = json.loads(capsys.readouterr().out)["hits"]
            by_command = [tuple(hit[name] for name in ("lake", "table", "column", "kind", *FIELDS)) for hit in told]
            id_ = client.get("/v1/columns", params={"name": column}).json()["id"]
            served = client.get(f"/v1/columns/{id_}/joins", params={"k": 5, "mode": mode}).json()
            by_rest = [
                (
                    *(hit["column"][name] for name in ("lake", "table", "name", "kind")),
                    *(hit["evidence"].get(name, hit.get(name)) for name in FIELDS),
                )
                for hit in served["hits"]
            ]
            by_sql = connection.execute(ANSWER, [column, mode]).fetchall()
            assert by_sql == by_command
            assert by_sql == by_rest


@pytest.mark.parametrize("mode", ["auto", "equi", "deepjoin"])
@pytest.mark.parametrize("column", COLUMNS)
def test_the_scan_of_the_snapshot_answers_as_the_lake_does(crawled, column, mode):
    number = crawled.view.generation.number
    with duckdb.connect() as attached:
        attached.execute(f"ATTACH '{crawled.home}/catalog-{number}.duckdb' AS tablelens (READ_ONLY)")
        for mine, theirs in zip(
            attached.execute(ANSWER, [column, mode]).fetchall(),
            by_lake(crawled, column, mode, bridges=False),
            strict=True,
        ):
            assert mine == pytest.approx(theirs, abs=2e-4, nan_ok=True)


def test_the_scan_ranks_joins_that_are_not_direct_as_the_lake_does(crawl, lake_folder):
    lake, report = crawl(lake_folder)
    asked, indirect = ANSWER.replace("k := 5", "k := 5, threshold := 0.0"), 0
    with duckdb.connect() as attached:
        attached.execute(f"ATTACH '{lake.home}/catalog-{report.generation}.duckdb' AS tablelens (READ_ONLY)")
        for column in (f"t{number}.code" for number in range(16)):
            theirs = by_lake(lake, column, "auto", threshold=0.0)
            for mine, hit in zip(attached.execute(asked, [column, "auto"]).fetchall(), theirs, strict=True):
                assert mine[4:] == pytest.approx(hit[4:], abs=2e-4, nan_ok=True)
                indirect += hit[4 + FIELDS.index("containment")] < DIRECT
    assert indirect > 20


def test_sketches_are_compared_as_the_lake_does(tmp_path, crawl):
    long = [f"v{i}" for i in range(3000)]
    folder = make_lake(
        tmp_path / "lake", {"a.csv": {"x": long}, "b.csv": {"y": long[1000:] + [f"w{i}" for i in range(900)]}}
    )
    lake, report = crawl(folder, exact_values=500, sketch_values=200)
    assert lake.joins("a.x").hits[0].evidence.error > 0
    with duckdb.connect() as attached:
        attached.execute(f"ATTACH '{lake.home}/catalog-{report.generation}.duckdb' AS tablelens (READ_ONLY)")
        for column in ("a.x", "b.y"):
            (mine,), (theirs,) = attached.execute(ANSWER, [column, "equi"]).fetchall(), by_lake(lake, column, "equi")
            assert mine == pytest.approx(theirs, abs=2e-4, nan_ok=True)


def test_every_cursor_sees_them_and_none_is_disturbed(connection, crawled):
    wanted = {column: by_lake(crawled, column, "auto") for column in COLUMNS}
    wrong = []

    def ask(cursor, times=10):
        for i in range(times):
            column = COLUMNS[i % len(COLUMNS)]
            if cursor.execute(ANSWER, [column, "auto"]).fetchall() != wanted[column]:
                wrong.append(column)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, [connection.cursor() for _ in range(4)]))
    assert wrong == []


def test_a_half_read_result_is_left_alone(crawled):
    with duckdb.connect() as connection:
        numbers = connection.execute("FROM range(100000)")
        assert numbers.fetchone() == (0,)
        register(connection, crawled)
        assert numbers.fetchone() == (1,)


def test_registering_again_takes_the_newest_generation(tmp_path, crawl, home):
    folder = make_lake(tmp_path / "lake", {"a.csv": {"x": list("abcdef")}, "b.csv": {"y": list("abcdef")}})
    lake, _ = crawl(folder)
    with duckdb.connect() as connection:
        register(connection, home)
        register(connection.cursor(), home)
        make_lake(folder, {"c.csv": {"z": list("abcde")}})
        lake.crawl(folder, engine=InlineEngine())
        asked = "SELECT count(*) FROM tablelens.joins('a.x', mode := 'equi')"
        assert connection.execute(asked).fetchall() == [(1,)]
        register(connection.cursor(), home)
        assert connection.execute(asked).fetchall() == [(2,)]


def test_a_database_that_may_only_be_read(tmp_path, crawled):
    path = str(tmp_path / "mine.duckdb")
    duckdb.connect(path).close()
    with duckdb.connect(path, read_only=True) as connection:
        register(connection, crawled)
        assert connection.execute(ANSWER, [COLUMNS[0], "equi"]).fetchall()


def test_what_cannot_be_registered_is_said(tmp_path, crawled):
    with duckdb.connect() as connection:
        with pytest.raises(NoLake):
            register(connection, tmp_path / "nowhere")
        connection.execute("ATTACH ':memory:' AS tablelens")
        with pytest.raises(UsageError, match="has a database 'tablelens' already"):
            register(connection, crawled)
    locked = duckdb.connect(config={"enable_external_access": False})
    with locked as connection, pytest.raises(UsageError, match="cannot attach"):
        register(connection, crawled)


def test_a_snapshot_of_an_older_tablelens(tmp_path, crawl, home):
    lake, report = crawl(make_lake(tmp_path / "lake", {"a.csv": {"x": list("abcdef")}}))
    snapshot = home / f"catalog-{report.generation}.duckdb"
    snapshot.unlink()
    duckdb.connect(str(snapshot)).close()
    with duckdb.connect() as connection, pytest.raises(IndexFault, match="older tablelens"):
        register(connection, lake)
    lake, again = crawl(tmp_path / "lake")
    assert (again.read, again.generation) == (0, report.generation + 1)
    with duckdb.connect() as connection:
        register(connection, lake)
    _, third = crawl(tmp_path / "lake")
    assert third.generation == again.generation


def test_embedding_is_the_query_vector(connection, crawled):
    values = ["Austria", "Chile", "Togo"]
    ((vector, none, number),) = connection.execute(
        "SELECT tablelens_embed(?), tablelens_embed(NULL), tablelens_embed(['1', '2'])", [values]
    ).fetchall()
    assert vector == pytest.approx(crawled.outside_query(values).vector.tolist())
    assert none is None
    assert number is None


def test_verdicts_of_people_count(tmp_path, crawl):
    folder = make_lake(tmp_path / "lake", {"a.csv": {"x": list("abcdef")}, "b.csv": {"y": list("abcdef")}})
    lake, _ = crawl(folder)
    with duckdb.connect() as connection:
        register(connection, lake)
        asked = "SELECT count(*) FROM tablelens.joins('a.x')"
        assert connection.execute(asked).fetchall() == [(1,)]
        lake.verdict("a.x", "b.y", joins=False)
        assert connection.execute(asked).fetchall() == [(0,)]


def test_a_home_given_by_its_path(crawled):
    with duckdb.connect() as connection:
        register(connection, str(crawled.home))
        assert isinstance(Lake.open(crawled.home), Lake)
        assert connection.execute("SELECT count(*) FROM tablelens.tables").fetchall() == [(5,)]
