"""The loadable extension: built here, asked by DuckDB, held against the lake's own answers, and given damaged files."""

import ctypes
import fnmatch
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tablelens.discover.joins
import tablelens.discover.query
from tablelens.discover.joins import MODES
from tablelens.discover.sql import literal
from tablelens.engines.base import InlineEngine
from tablelens.errors import TablelensError, UsageError
from tablelens.index.ivf import IvfIndex
from tablelens.lake import Lake
from tablelens.profile.normalize import NULL_WORDS, normalize
from tablelens.sql import register
from tablelens.sql.extension.build import SOURCES, footer
from tablelens.sql.extension.sign import publish
from tablelens.testing import make_lake

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NODE = Path(sys.prefix) / "node"
"""Where `make` puts DuckDB's Node package."""
KINDS = {
    "exact": {},
    "hnsw": {"exact_search_below": 0},
    "ivf": {"exact_search_below": 0, "graph_search_below": 0},
}
FIELDS = (
    *("probability", "score", "containment", "reverse_containment", "jaccard", "cosine", "overlap", "error"),
    *("cardinality", "join_rows", "explosion", "hub"),
)
ANSWER = f"""SELECT lake, "table", "column", kind, {", ".join(FIELDS)}, bridge
    FROM tablelens.joins(?, k := 5, mode := ?) ORDER BY rank"""


@pytest.fixture(scope="module")
def lake_folder(tmp_path_factory):
    """Tables of shared, perturbed and unrelated columns: names, codes, numbers, dates, a column beyond the sketch."""
    chance, tables = random.Random(5), {}
    names = [
        f"{a}{b}" for a in ("Nor", "Sud", "Ost", "West", "Mittel") for b in ("burg", "heim", "tal", "au", "see", "dorf")
    ]
    for number in range(16):
        some = chance.sample(names, chance.randint(8, 25))
        rows = [chance.choice(some) for _ in range(60)]
        tables[f"t{number}.csv"] = {
            chance.choice(["town", "townName", "place_name", "x"]): rows,
            "code": [f"K-{chance.randint(0, 400):03}" for _ in rows],
            "amount": [chance.randint(0, 500) for _ in rows],
            "day": [f"2024-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}" for _ in rows],
        }
    # names and codes of towns, side by side in two tables: bridges
    codes = {name: f"{name[:2].upper()}{i:02}" for i, name in enumerate(names)}
    for bridge, some in (("towns.csv", names), ("places.tsv", names[:20])):
        tables[bridge] = {"town": some, "short": [codes[name] for name in some], "rank": list(range(len(some)))}
    for number in range(5):
        some = chance.sample(names, 12)
        tables[f"trips{number}.csv"] = {
            "to": [codes[name] for name in some * 3],
            "km": [chance.random() for _ in some * 3],
        }
    tables["long.csv"] = {"id": [f"L{i}" for i in range(3000)]}
    tables["longer.csv"] = {"id": [f"L{i}" for i in range(1000, 5000)]}
    return make_lake(tmp_path_factory.mktemp("lakes") / "many", tables)


CALL = """SELECT tablelens_hits(? || ':200 5 0.6' || repeat(' 0', 24), 'a.b', NULL, NULL, NULL, NULL, 10, 'auto',
    NULL, NULL, NULL, 0, 0.1, 0).error"""


def attached(extension, lake, generation=None, **config):
    os.environ["TABLELENS_HOME"] = str(lake.home)
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"} | config)
    connection.execute(f"LOAD '{extension}'")
    number = generation or lake.view.generation.number
    connection.execute(f"ATTACH '{lake.home}/catalog-{number}.duckdb' AS tablelens (READ_ONLY)")
    return connection


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


# answers -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def by_sets_alone(monkeypatch):
    """The lake compares neither cells nor distributions in mode semantic: the extension does without."""
    monkeypatch.setattr(tablelens.discover.joins, "with_cells", lambda _, found: found)
    monkeypatch.setattr(tablelens.discover.query, "_spread_at", lambda *_: None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("by_sets_alone")
def test_it_answers_as_the_lake_does(extension, crawl, lake_folder, kind):
    lake, _ = crawl(lake_folder, exact_values=1500, sketch_values=300, **KINDS[kind])
    assert lake.view.generation.vectors.kind == kind
    connection = attached(extension, lake)
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
def test_it_looks_into_the_lists_that_python_looks_into(extension, crawl, lake_folder, monkeypatch, probes):
    """As few lists as tell whether they are the same, for columns together and one by one."""
    monkeypatch.setitem(IvfIndex.__init__.__kwdefaults__, "probes", probes)
    lake, _ = crawl(lake_folder, exact_values=1500, sketch_values=300, **KINDS["ivf"])
    connection, columns = attached(extension, lake), columns_of(lake)
    for mode in ("deepjoin", "auto"):
        for column in columns:
            mine = connection.execute(ANSWER, [column, mode]).fetchall()
            assert alike(mine, by_lake(lake, column, mode), mode), (column, mode)
        assert asked_together(connection, columns, mode) == asked_alone(connection, columns, mode)


def alike(mine, theirs, mode):
    """Vectors are summed in another order: the last digit may differ, and with it the order of equals."""
    score = 4 + FIELDS.index("score")
    told = {row[:3]: row[4:] for row in theirs}
    same = [row[score] for row in mine] == pytest.approx([row[score] for row in theirs], abs=2e-4)
    same &= all(row[4:] == pytest.approx(told[row[:3]], abs=2e-4) for row in mine if row[:3] in told)
    return same and (mode != "equi" or [row[:3] for row in mine] == [row[:3] for row in theirs])


@pytest.mark.usefixtures("by_sets_alone")
@pytest.mark.parametrize("diversity", [0.1, 0.6, 1.0])
def test_hits_that_tell_something_new_are_those_of_the_lake(extension, crawl, lake_folder, diversity):
    lake, _ = crawl(lake_folder, exact_values=1500, sketch_values=300)
    connection, turned = attached(extension, lake), 0
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
def test_it_answers_as_the_lake_does_on_real_tables(extension, tmp_path):
    lake = Lake.open(tmp_path / "home")
    lake.crawl(ROOT / "sample_lake", engine=InlineEngine())
    connection, view = attached(extension, lake), lake.view
    for place in range(len(view)):
        ref = view.ref(place)
        for mode in MODES:
            column = f"{ref.lake}:{ref.table}.{ref.column}"
            mine, theirs = connection.execute(ANSWER, [column, mode]).fetchall(), by_lake(lake, column, mode)
            assert alike(mine, theirs, mode), (column, mode)


def test_verdicts_of_people_count(extension, crawl, tmp_path):
    cells = list("abcdef")
    tables = {
        "a.csv": {"x": cells},
        "b.csv": {"y": cells},
        "Zoë.csv": {'z\u2028"': cells[:5]},
        "d.csv": {"w": ["q", "r", "s"]},
    }
    lake, _ = crawl(make_lake(tmp_path / "lake", tables))
    connection = attached(extension, lake)
    assert len(connection.execute(ANSWER, ["a.x", "equi"]).fetchall()) == 2
    for right, joins in (("b.y", False), ("d.w", True), ('Zoë.z\u2028"', True), ("b.y", True), ("b.y", None)):
        lake.verdict("a.x", right, joins)
        for mode in MODES:
            assert alike(connection.execute(ANSWER, ["a.x", mode]).fetchall(), by_lake(lake, "a.x", mode), mode), right
    (lake.home / "verdicts.json").write_text('[[["lake", "a.csv"')
    with pytest.raises(duckdb.InvalidInputException, match=r"verdicts\.json is damaged"):
        connection.execute(ANSWER, ["a.x", "auto"])


def test_values_from_outside(extension, crawl, lake_folder):
    lake, _ = crawl(lake_folder)
    connection, scan = attached(extension, lake), duckdb.connect()
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


def test_all_of_unicode_is_normalised_as_python_does(extension, crawled):
    connection = attached(extension, crawled)
    letters = [chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    letters += sorted(NULL_WORDS)
    cells = [f"a{letter}\u0301b" for letter in letters] + [f"{letter}1" for letter in letters] + letters
    found = connection.execute(
        "SELECT list_transform(?::VARCHAR[], lambda x: tablelens_normalize(x))", [cells]
    ).fetchall()[0][0]
    wrong = [(cell, mine, normalize(cell)) for cell, mine in zip(cells, found, strict=True) if mine != normalize(cell)]
    assert [case for case in wrong if "\u037a" not in case[0]] == []  # an accent on Greek's iota subscript alone


def test_hashes_of_every_length(extension, crawl, tmp_path):
    values = ["".join(chr(97 + (i * 7 + j) % 26) for j in range(i)) for i in range(3, 700)]
    lake, _ = crawl(make_lake(tmp_path / "lake", {"a.csv": {"x": values}}))
    connection = attached(extension, lake)
    ((overlap,),) = connection.execute("SELECT overlap FROM tablelens.joins_of(?, mode := 'equi')", [values]).fetchall()
    assert overlap == len(values)


def test_threads_and_many_columns_in_one_statement(extension, crawl, lake_folder):
    lake, _ = crawl(lake_folder, **KINDS["hnsw"])
    connection = attached(extension, lake, threads=4)
    asked = """SELECT c.id, j."table", j."column", j.rank FROM tablelens.columns c,
        LATERAL (FROM tablelens.joins(c."table" || '.' || c."column", k := 3)) AS j ORDER BY ALL"""
    wanted = connection.execute(asked).fetchall()
    assert len(wanted) > 50
    wrong = []

    def ask(cursor):
        answers = [cursor.execute(asked).fetchall() for _ in range(3)]
        wrong.extend(answer for answer in answers if answer != wanted)

    threads = [threading.Thread(target=ask, args=(connection.cursor(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


TOGETHER = """SELECT q.name, j.* FROM (SELECT unnest(?::VARCHAR[]) AS name) AS q,
    LATERAL (FROM tablelens.joins(q.name, k := 5, mode := ?)) AS j ORDER BY q.name, j.rank"""


def asked_together(connection, columns, mode):
    return connection.execute(TOGETHER, [columns, mode]).fetchall()


def asked_alone(connection, columns, mode):
    asked = "FROM tablelens.joins(?, k := 5, mode := ?) ORDER BY rank"
    return [(name, *row) for name in sorted(columns) for row in connection.execute(asked, [name, mode]).fetchall()]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_asked_together_are_answered_as_one_by_one(extension, crawl, lake_folder, kind):
    lake, _ = crawl(lake_folder, **KINDS[kind])
    connection, columns = attached(extension, lake), columns_of(lake)
    for mode in MODES:
        assert asked_together(connection, columns, mode) == asked_alone(connection, columns, mode)
    with pytest.raises(duckdb.InvalidInputException, match=r"unknown column 'no\.such'"):
        asked_together(connection, [*columns, "no.such"], "auto")


def test_columns_asked_together_have_filters_of_their_own(extension, crawl, lake_folder):
    lake, _ = crawl(lake_folder)
    connection = attached(extension, lake)
    patterns = ["t1*", "t*", None, "*s.csv", "long*", "t1*"]
    asked = [(column, patterns[i % len(patterns)]) for i, column in enumerate(columns_of(lake))]
    one = "FROM tablelens.joins(?, tables := ?, k := 4)"
    alone = [(name, *row) for name, tables in asked for row in connection.execute(one, [name, tables]).fetchall()]
    together = connection.execute(
        """SELECT q.name, j.* FROM (SELECT unnest(?::VARCHAR[]) AS name, unnest(?::VARCHAR[]) AS pattern) AS q,
           LATERAL (FROM tablelens.joins(q.name, tables := q.pattern, k := 4)) AS j""",
        list(map(list, zip(*asked, strict=True))),
    ).fetchall()
    assert len(alone) > 50
    assert sorted(together, key=lambda row: row[:2]) == sorted(alone, key=lambda row: row[:2])


def test_a_prepared_search_is_planned_once_and_takes_any_column(extension, crawl, lake_folder):
    lake, _ = crawl(lake_folder)
    connection = attached(extension, lake)
    connection.execute("PREPARE partners AS FROM tablelens.joins($1, k := 3, mode := 'equi')")
    for column in columns_of(lake)[:20]:
        wanted = connection.execute("FROM tablelens.joins(?, k := 3, mode := 'equi')", [column]).fetchall()
        assert connection.execute(f"EXECUTE partners({literal(column)})").fetchall() == wanted


# names ---------------------------------------------------------------------------------------------------------------

REFERENCES = (
    *("shop/orders.id", "shop/orders.csv.ID", "one:shop/orders.id", "two:shop/orders.other", "shop/orders.other"),
    *("one:shop/orders.csv.Customer.ID", "shop.v2.id", "shop.v2.csv.x.y", "shop.csv.v2.id", "shop.csv.id", "shop.id"),
    *("both.id", "both.csv.id", "one:both.tsv.id", "one:both.id", "dir.csv/inner.id", "a:b.id", "one:a:b.csv.id"),
    *("one:shop/orders.name", "one:shop/orders.Name", "one:shop/orders.NAME", "straße/köln.STRASSE", "straße/köln.id"),
    *("", ".", "id", "shop", "one:", "shop.csv", "one:shop/orders.", ".id", "two:both.id", "SHOP/orders.id", "x" * 500),
)


def test_references_mean_what_they_mean_to_the_lake(extension, crawl, tmp_path):
    cells = ["a", "b", "c"]
    one = {
        "shop/orders.csv": {"id": cells, "Customer.ID": cells, "name": cells, "Name": cells},
        "shop.v2.csv": {"id": cells, "x.y": cells},
        "shop.csv": {"v2.id": cells, "id": cells},
        **{name: {"id": cells} for name in ("both.csv", "both.tsv", "dir.csv/inner.csv", "a:b.csv")},
        "straße/köln.csv": {"Straße": cells},
    }
    crawl(make_lake(tmp_path / "one", one))
    lake, _ = crawl(make_lake(tmp_path / "two", {"shop/orders.csv": {"other": cells}}))
    connection = attached(extension, lake)
    seal = connection.execute("SELECT array_to_string(string_split(tablelens.answering(), ':')[:2], ':')").fetchone()[0]
    for reference in REFERENCES:
        try:
            ref = lake.view.ref(lake.view.parse(reference))
            wanted = (ref.lake, ref.table, ref.column)
        except TablelensError:
            wanted = None
        asked = CALL.replace(".error", "").replace("NULL, 10", "?, 10").replace("'a.b'", "?")
        ((answer,),) = connection.execute(asked, [seal, reference, reference]).fetchall()
        found = answer["hits"] and tuple(answer["hits"][0][name] for name in ("lake", "table", "column"))
        assert found == wanted, (reference, answer["error"])
        assert (answer["error"] is None) == (wanted is not None)


class Name(ctypes.Structure):
    _fields_ = (("at", ctypes.c_char_p), ("length", ctypes.c_size_t))

    @classmethod
    def of(cls, text):
        raw = text.encode()
        return cls(raw, len(raw))


@pytest.fixture(scope="session")
def reader(extension, tmp_path_factory):
    """The reader of names as a library that Python calls."""
    target = tmp_path_factory.mktemp("reader") / "reader.so"
    sources = [str(path) for path in SOURCES.glob("*.c") if not path.name.startswith(("tablelens", "sql_"))]
    folders = [f"-I{SOURCES}", f"-I{extension.parent}"]
    command = ["cc", "-std=gnu11", "-O1", "-shared", "-fPIC", *folders, "-o", str(target), *sources, "-lm", "-lpthread"]
    subprocess.run(command, check=True, capture_output=True)
    made = ctypes.CDLL(str(target))
    made.matches.argtypes, made.matches.restype = (Name, Name), ctypes.c_bool
    return made


@settings(max_examples=400, deadline=None)
@given(pattern=st.text("ab*?[]!-é/", max_size=8), text=st.text("ab[]!-é/", max_size=8))
def test_patterns_match_as_in_python(reader, pattern, text):
    assert reader.matches(Name.of(pattern), Name.of(text)) == fnmatch.fnmatchcase(text, pattern)


# what is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "x",
        "200 5",
        "nan nan 0.6" + " nan" * 24,
        "1e300 -1e300 0.6" + " 1e300" * 24,
        "1 1 nan" + " 0" * 24,
        "0 " * 26,
    ],
)
def test_settings_that_no_catalogue_holds_do_no_harm(extension, crawled, settings):
    connection = attached(extension, crawled)
    asked = CALL.replace("':200 5 0.6' || repeat(' 0', 24)", "':' || ?").replace("'a.b'", "'shop/orders.customer_id'")
    ((seal,),) = connection.execute(
        "SELECT array_to_string(string_split(tablelens.answering(), ':')[:2], ':')"
    ).fetchall()
    for told in (seal, "", ":", "1:2", "9" * 3000):
        assert len(connection.execute(asked, [told, settings]).fetchall()) == 1


@pytest.mark.parametrize("name", ["../1:x", "/etc:x", "1", "", "1/../1:x", ":", "99999999999999999999:x", "1:x"])
def test_no_path_comes_from_sql(extension, crawled, name):
    ((error,),) = attached(extension, crawled).execute(CALL, [name]).fetchall()
    assert "is no index" in error or "is not of this catalogue" in error


def test_explain_does_not_search(extension, crawled, tmp_path, monkeypatch):
    connection = attached(extension, crawled)
    assert connection.execute("EXPLAIN " + CALL, ["no such index"]).fetchall()


@pytest.mark.parametrize("name", ["values.npy", "facts.npy", "manifest.json", "vectors.npy"])
def test_a_damaged_file_is_said(extension, crawl, tiny_lake, tmp_path, name):
    folder = shutil.copytree(tiny_lake, tmp_path / "own")  # an index of the same content that is open would answer
    lake, report = crawl(folder)
    path = lake.home / "index" / str(report.generation) / name
    path.write_bytes(path.read_bytes()[:-9])
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    os.environ["TABLELENS_HOME"] = str(lake.home)
    connection.execute(f"LOAD '{extension}'")
    connection.execute(f"ATTACH '{lake.home}/catalog-{report.generation}.duckdb' AS tablelens (READ_ONLY)")
    with pytest.raises(duckdb.InvalidInputException, match="Hint: crawl again"):
        connection.execute("FROM tablelens.joins('shop/orders.customer_id')").fetchall()


def test_python_and_extension_keep_apart(extension, crawled):
    connection = attached(extension, crawled)
    with pytest.raises(UsageError, match="use the extension or Python"):
        register(connection, crawled)


# other clients -------------------------------------------------------------------------------------------------------


def test_footer():
    made = footer("linux_amd64")
    assert (len(made), made[:22], made[22 + 7 * 32 : 22 + 7 * 32 + 1]) == (
        534,
        b"\x00\x93\x04\x10duckdb_signature\x80\x04",
        b"4",
    )


@pytest.mark.parametrize("version", ["1.4", "2"])
def test_load_under_another_duckdb(extension, crawled, version):
    folder = Path(sys.prefix) / f"duckdb-{version}"
    if not folder.is_dir():
        pytest.skip(f"no DuckDB {version} in {folder}: make test installs it")
    command = [
        sys.executable,
        str(HERE / "sqllogic.py"),
        str(HERE / "joins.test"),
        str(crawled.home),
        "extension",
        str(extension),
    ]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_load_in_node(extension, crawled, tmp_path):
    if not (NODE / "node_modules").is_dir() or not shutil.which("node"):
        pytest.skip(f"no DuckDB for Node in {NODE}: make test installs it where npm is")
    program = """
        const { DuckDBInstance } = require('@duckdb/node-api');
        (async () => {
            const database = await DuckDBInstance.create(':memory:', { allow_unsigned_extensions: 'true' });
            const connection = await database.connect();
            await connection.run(`LOAD '${process.argv[2]}'`);
            await connection.run(`ATTACH '${process.argv[3]}' AS tablelens (READ_ONLY)`);
            const found = await connection.runAndReadAll(process.argv[4]);
            console.log(JSON.stringify(found.getRowsJson()));
        })();
    """
    (tmp_path / "ask.js").write_text(program)
    snapshot = f"{crawled.home}/catalog-{crawled.view.generation.number}.duckdb"
    asked = "SELECT \"table\", containment FROM tablelens.joins('shop/orders.customer_id', mode := 'equi')"
    environment = os.environ | {"NODE_PATH": str(NODE / "node_modules"), "TABLELENS_HOME": str(crawled.home)}
    command = ["node", str(tmp_path / "ask.js"), str(extension), snapshot, asked]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout) == [["shop/customers.csv", 1]], done.stderr


def test_a_signed_repository_under_duckdb_2(extension, crawled, tmp_path):
    """As docs/how-to/ask-in-sql.md tells it, with a key of our own and default settings of DuckDB."""
    folder = Path(sys.prefix) / "duckdb-2"
    if not folder.is_dir() or not shutil.which("openssl"):
        pytest.skip("no DuckDB 2.0 or no openssl")
    repository = tmp_path / "repository"
    subprocess.run(["openssl", "genrsa", "-out", str(tmp_path / "key.pem"), "2048"], check=True, capture_output=True)
    publish(extension, tmp_path / "key.pem", repository, "v2.0.0")
    program = f"""
import duckdb, os, sys
connection = duckdb.connect(config={{"extension_directory": {str(tmp_path / "installed")!r}}})
for statement in (
    "SET allow_extension_repositories = 'allowed'",
    "CREATE EXTENSION REPOSITORY IF NOT EXISTS tablelens WITH PREFIX '{repository}'",
    "INSTALL tablelens FROM tablelens",
    "LOAD tablelens FROM tablelens",
):
    connection.execute(statement).fetchall()
print(connection.execute("SELECT tablelens_normalize('Straße')").fetchall())
sys.stdout.flush()
os._exit(0)
"""
    # DuckDB remembers a repository in the home folder of the user, which a test has to leave alone
    environment = os.environ | {"PYTHONPATH": str(folder), "TABLELENS_HOME": str(crawled.home), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120)
    assert "[('strasse',)]" in done.stdout, done.stdout + done.stderr


# damaged files -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def fuzzer(extension, tmp_path_factory):
    """The reader with a program that damages files, under the sanitizers."""
    target = tmp_path_factory.mktemp("fuzz") / "fuzz"
    sources = [str(path) for path in SOURCES.glob("*.c") if not path.name.startswith(("tablelens", "sql_"))]
    flags = ["-std=gnu11", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wall", "-Wextra"]
    compiler = shutil.which("gcc") or shutil.which("cc")
    command = [
        compiler,
        *flags,
        f"-I{SOURCES}",
        f"-I{extension.parent}",
        "-o",
        str(target),
        str(HERE / "fuzz.c"),
        *sources,
    ]
    subprocess.run([*command, "-lm", "-lpthread"], check=True, capture_output=True)
    return target


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [100, pytest.param(3334, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_damaged_files_do_no_harm(fuzzer, crawl, tiny_lake, kind, count):
    """3,334 of each kind of index: 10,000 in all."""
    lake, report = crawl(tiny_lake, **KINDS[kind])
    folder = lake.home / "index" / str(report.generation)
    lake.verdict("shop/orders.customer_id", "shop/customers.customer_id", True)
    lake.verdict("world/countries.iso2", "shop/customers.country", False)
    shutil.copy(lake.home / "verdicts.json", folder)
    done = subprocess.run([str(fuzzer), str(folder), str(count), "7"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "answered" in done.stdout
