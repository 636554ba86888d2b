"""What the extension is asked: names, patterns, settings, and what it refuses."""

import ctypes
import fnmatch
import os
import shutil
import subprocess

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tablelens.errors import TablelensError, UsageError
from tablelens.sql import register
from tablelens.sql.extension.build import SOURCES
from tablelens.testing import make_lake

CALL = """SELECT tablelens_hits(? || ':200 5 0.6' || repeat(' 0', 24), 'a.b', NULL, NULL, NULL, NULL, 10, 'auto',
    NULL, NULL, NULL, 0, 0.1, 0).error"""


# names ---------------------------------------------------------------------------------------------------------------

REFERENCES = (
    *("shop/orders.id", "shop/orders.csv.ID", "one:shop/orders.id", "two:shop/orders.other", "shop/orders.other"),
    *("one:shop/orders.csv.Customer.ID", "shop.v2.id", "shop.v2.csv.x.y", "shop.csv.v2.id", "shop.csv.id", "shop.id"),
    *("both.id", "both.csv.id", "one:both.tsv.id", "one:both.id", "dir.csv/inner.id", "a:b.id", "one:a:b.csv.id"),
    *("one:shop/orders.name", "one:shop/orders.Name", "one:shop/orders.NAME", "straße/köln.STRASSE", "straße/köln.id"),
    *("", ".", "id", "shop", "one:", "shop.csv", "one:shop/orders.", ".id", "two:both.id", "SHOP/orders.id", "x" * 500),
)


def test_references_mean_what_they_mean_to_the_lake(attached, crawl, tmp_path):
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
    connection = attached(lake)
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
def test_settings_that_no_catalogue_holds_do_no_harm(attached, crawled, settings):
    connection = attached(crawled)
    asked = CALL.replace("':200 5 0.6' || repeat(' 0', 24)", "':' || ?").replace("'a.b'", "'shop/orders.customer_id'")
    ((seal,),) = connection.execute(
        "SELECT array_to_string(string_split(tablelens.answering(), ':')[:2], ':')"
    ).fetchall()
    for told in (seal, "", ":", "1:2", "9" * 3000):
        assert len(connection.execute(asked, [told, settings]).fetchall()) == 1


@pytest.mark.parametrize("name", ["../1:x", "/etc:x", "1", "", "1/../1:x", ":", "99999999999999999999:x", "1:x"])
def test_no_path_comes_from_sql(attached, crawled, name):
    ((error,),) = attached(crawled).execute(CALL, [name]).fetchall()
    assert "is no index" in error or "is not of this catalogue" in error


def test_explain_does_not_search(attached, crawled, tmp_path, monkeypatch):
    connection = attached(crawled)
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


def test_python_and_extension_keep_apart(attached, crawled):
    connection = attached(crawled)
    with pytest.raises(UsageError, match="use the extension or Python"):
        register(connection, crawled)
