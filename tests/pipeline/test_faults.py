"""Faults from the outside world, each met by a crawl from end to end: what it says, and what still answers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
import zipfile
from contextlib import suppress

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
import pytest

from tablelens.catalog.store import Catalog
from tablelens.engines.base import InlineEngine
from tablelens.engines.local import LocalEngine
from tablelens.errors import DamagedIndex
from tablelens.index import generation
from tablelens.lake import Lake
from tablelens.testing import make_lake

WORDS = [f"word {i}" for i in range(20)]
BEYOND = (1 << 31) + 1
"""Rows that 32 bits cannot count."""


@pytest.fixture
def folder(tmp_path):
    return make_lake(tmp_path / "lake", {"a.csv": {"x": WORDS, "n": range(20)}, "s/b.csv": {"y": WORDS[5:]}})


@pytest.fixture
def lake(home):
    return Lake.open(home, encoder="hash")


def crawl(lake, folder):
    return lake.crawl(folder, engine=InlineEngine())


def found(lake, column):
    return {str(hit.column): hit for hit in lake.joins(column, mode="equi").hits}


def rows_of(hit):
    """How many rows the SQL of a hit gives."""
    with duckdb.connect() as connection:
        return len(connection.execute(hit.sql).fetchall())


# files --------------------------------------------------------------------------------------------------------------


def test_formats_that_are_not_read_are_counted_and_never_opened(lake, folder):
    table = pa.table({"x": WORDS})
    pyarrow.feather.write_feather(table, folder / "whole.feather")
    pyarrow.orc.write_table(table, folder / "whole.orc")
    for name in ("cut.FEATHER", "junk.avro", "s/backup.zip"):
        (folder / name).write_bytes(b"\x00\xffjunk" * 9)
    (folder / "notes.txt").write_text("no table, and nobody would think so")
    report = crawl(lake, folder)
    assert (report.passed, report.failed, report.tables) == ({"format": 5}, (), 2)
    command = [sys.executable, "-m", "tablelens", "-q", "--home", lake.home.parent / "other", "crawl", folder]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=250)
    assert (done.returncode, done.stderr.strip()) == (0, "passed over: 5 files of a format that is not read"), done


def test_twins_in_all_but_case_or_composition(lake, folder):
    """Names that differ only in case or in how their accents are composed are tables of their own."""
    names = [unicodedata.normalize(form, "café") for form in ("NFC", "NFD")] + ["Twin", "twin", "TWIN"]
    for number, name in enumerate(names):
        make_lake(folder, {f"{name}.csv": {"x": WORDS[number:], "of": [name] * (20 - number)}})
    if len(list(folder.iterdir())) < len(names) + 2:
        pytest.skip("this file system takes some of the names for one")
    assert crawl(lake, folder).tables == len(names) + 2
    for number, name in enumerate(names):
        hits = found(lake, f"{name}.x")
        assert set(hits) == {"a.csv.x", "s/b.csv.y", *(f"{other}.csv.x" for other in names if other != name)}
        for other, hit in hits.items():
            first = 5 if other == "s/b.csv.y" else 0 if other == "a.csv.x" else names.index(other[: -len(".csv.x")])
            assert rows_of(hit) == 20 - max(number, first), (name, other)


def test_folders_that_name_a_column_add_none(lake, folder):
    """What stands in a Hive path is no column, neither when it is read nor in the SQL, whatever the file holds."""
    for number in (1, 2):
        place = folder / f"year=190{number}" / "region=none"
        place.mkdir(parents=True)
        pq.write_table(pa.table({"x": WORDS[number:], "year": ["2020"] * (20 - number)}), place / "part.parquet")
    crawl(lake, folder)
    assert lake.preview("year=1901/region=none/part").data.column_names == ["x", "year"]
    assert set(lake.preview("year=1901/region=none/part").data["year"].to_pylist()) == {"2020"}
    hit = found(lake, "year=1901/region=none/part.x")["year=1902/region=none/part.parquet.x"]
    with duckdb.connect() as connection:
        answer = connection.execute(hit.sql)
        assert [name for name, *_ in answer.description] == ["x", "year", "x", "year"]
        assert {row[1] for row in answer.fetchall()} == {"2020"}


def test_a_workbook_with_macros_is_read_without_them(lake, folder):
    book = openpyxl.Workbook()
    for row in [["x", "n"], *([word, number] for number, word in enumerate(WORDS))]:
        book.active.append(row)
    book.save(folder / "macros.xlsm")
    with zipfile.ZipFile(folder / "macros.xlsm", "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0 Sub Auto_Open() Kill everything End Sub")
    assert crawl(lake, folder).failed == ()
    assert found(lake, "a.x")["macros.xlsm.x"].evidence.containment == 1


def test_a_sheet_of_300_000_rows(lake, folder):
    """It is cut at the limit of rows, or refused with a reason; in either case the rest goes on."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for number in range(30_000):
        sheet.append([f"word {number}"] * 10)
    book.save(folder / "long.xlsx")
    lake = Lake.open(lake.home, encoder="hash", max_rows=1000)
    assert (crawl(lake, folder).failed, lake.view.value("rows", int(lake.view.table_places("long")[0]))) == ((), 1000)


@pytest.mark.parametrize("total", [20_000_000, pytest.param(BEYOND, marks=pytest.mark.slow)])
def test_small_parquet_of_very_many_rows(lake, folder, total):
    """A byte holds a hundred rows and more: more of them than fit into memory, even than 32 bits can count."""
    rows = min(total, 100_000_000)
    part = pa.table({"x": pa.repeat(pa.scalar("word 1"), rows), "none": pa.nulls(rows)})
    with pq.ParquetWriter(folder / "huge.parquet", part.schema, compression="zstd") as writer:
        for _ in range(-(-total // rows)):
            writer.write_table(part, row_group_size=rows)
    assert (folder / "huge.parquet").stat().st_size < total / 100
    lake = Lake.open(lake.home, encoder="hash", max_rows=100_000)
    report = lake.crawl(folder, engine=LocalEngine(workers=1))
    assert (report.tables, report.failed) == (3, ())
    assert lake.view.value("rows", int(lake.view.table_places("huge")[0])) == 100_000


def test_parquet_nested_hundreds_of_levels_deep(lake, folder):
    """It may be read or refused; the process that reads it may even die. The crawl does not."""
    kind, value = pa.int64(), 1
    for _ in range(300):
        kind, value = pa.list_(kind), [value]
    pq.write_table(pa.table({"deep": pa.array([value], kind)}), folder / "deep.parquet")
    report = lake.crawl(folder, engine=LocalEngine(workers=1))
    assert report.tables + len(report.failed) == 3
    assert set(found(lake, "a.x")) == {"s/b.csv.y"}


@pytest.mark.slow
def test_many_tiny_files_in_constant_memory(tmp_path, home):
    """Ten times the files take hardly more memory in the process that crawls, and a second crawl reads none."""

    def peak(files, where):
        folder = tmp_path / f"lake{files}"
        folder.mkdir()
        for number in range(files):
            (folder / f"{number:05}.csv").write_text(f"k,v\n{number},one\n{number + 1},two\n")
        script = (
            "import resource, sys\nfrom tablelens.lake import Lake\n"
            "report = Lake.open(sys.argv[1], encoder='deepjoin-static', workers=1).crawl(sys.argv[2])\n"
            "print(report.tables, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run([sys.executable, "-c", script, where, folder], capture_output=True, text=True, check=True)
        tables, kilobytes = map(int, done.stdout.split())
        assert tables == files
        return kilobytes, folder

    few, _ = peak(1_000, tmp_path / "few")
    many, folder = peak(10_000, home)
    assert many < few + 150_000
    assert Lake.open(home).crawl(folder).read == 0


# state --------------------------------------------------------------------------------------------------------------


def killed(*arguments, ready):
    """Run a program and kill it as soon as it is ready to be killed."""
    process = subprocess.Popen(list(map(str, arguments)), start_new_session=True, stdout=-3, stderr=-3)
    end = time.monotonic() + 60
    while process.poll() is None and not ready() and time.monotonic() < end:
        time.sleep(0.0005)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("left", [3, 2, 1])
def test_killed_while_it_collects(lake, folder, left):
    """gc is killed with so many of four old generations still there: the newest answers, the next gc does the rest."""
    crawl(lake, folder)
    spare = generation.folder_of(lake.home, 1)
    for number in (2, 3, 4, 5):
        make_lake(folder, {"a.csv": {"x": WORDS[number:]}})
        crawl(lake, folder)
        if not spare.exists():  # as a crawl with more of them kept would have left them
            shutil.copytree(generation.folder_of(lake.home, number), spare)
        spare = generation.folder_of(lake.home, number)
    before = set(found(Lake.open(lake.home), "a.x"))
    old = [number for number in generation.generations(lake.home) if number < 5]
    gc = (sys.executable, "-m", "tablelens", "--home", lake.home, "gc")
    killed(*gc, ready=lambda: len([n for n in generation.generations(lake.home) if n < 5]) <= min(left, len(old) - 1))
    assert (set(found(Lake.open(lake.home), "a.x")), generation.current(lake.home)) == (before, 5)
    done = subprocess.run(list(map(str, gc)), capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert set(found(Lake.open(lake.home), "a.x")) == before
    assert crawl(lake, folder).read == 0


MIGRATION = """
import os, signal, sys
from pathlib import Path
import sqlalchemy as sa
from tablelens.catalog import migrate, models
from tablelens.catalog.store import Catalog

now = models.SCHEMA_VERSION
migrate.SCHEMA_VERSION = now + 2
migrate.STEPS |= {now + 1: ("ALTER TABLE lakes ADD COLUMN note VARCHAR", "DELETE FROM columns"), now + 2: ("SELECT 1",)}
real, left = sa.Connection.execute, [int(sys.argv[2])]

def execute(self, *arguments, **options):
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return real(self, *arguments, **options)

sa.Connection.execute = execute
Catalog(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("statements", range(6))
def test_killed_while_it_migrates(lake, folder, statements):
    """After any statement of a migration: the catalogue is the one before, whole."""
    crawl(lake, folder)
    path = lake.home / "catalog.duckdb"
    command = [sys.executable, "-c", MIGRATION, str(path), str(statements)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with Catalog(path) as catalog:
        assert catalog.arrow("SELECT count(*) AS n FROM columns")["n"].to_pylist() == [3]
        assert catalog.arrow("SELECT * FROM lakes").column_names == ["id", "name", "root"]
    assert crawl(lake, folder).read == 0


def test_vectors_of_another_model_are_not_answered_from(lake, folder):
    """The vectors of a home with another encoder, sound in themselves, put in the place of ours."""
    crawl(lake, folder)
    other = Lake.open(lake.home.parent / "other", encoder="deepjoin-static")
    crawl(other, folder)
    mine, theirs = (generation.folder_of(each.home, 1) / "vectors.npy" for each in (lake, other))
    shutil.copy(theirs, mine)
    damaged = Lake.open(lake.home, encoder="hash")
    with pytest.raises(DamagedIndex, match=r"vectors\.npy") as caught:
        damaged.joins("a.x")
    assert "crawl" in caught.value.hint
    crawl(damaged, folder)
    assert set(found(Lake.open(lake.home, encoder="hash"), "a.x")) == {"s/b.csv.y"}


def test_clocks_that_jump(lake, folder):
    """Times before 1970, in the far future and back again: what is the same is not read, what changed is."""
    crawl(lake, folder)
    for seconds in (4e9, 0, time.time() + 86_400, 1.5):
        os.utime(folder / "a.csv", (seconds, seconds))
        assert (crawl(lake, folder).read, set(found(lake, "a.x"))) == (0, {"s/b.csv.y"})
    make_lake(folder, {"a.csv": {"x": [word.replace("word", "term") for word in WORDS], "n": range(20)}})
    os.utime(folder / "a.csv", (1e9, 1e9))  # changed, and older than what was crawled
    assert crawl(lake, folder).read == 1
    lake.reload()
    assert found(lake, "a.x") == {}


def test_another_time_zone_changes_nothing(lake, folder, monkeypatch):
    crawl(lake, folder)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        assert crawl(lake, folder).read == 0
        command = [sys.executable, "-m", "tablelens", "--home", str(lake.home), "status", "--json"]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=250).stdout)
        assert abs(time.time() - time.mktime(time.strptime(told["lakes"][0]["crawled"], "%Y-%m-%dT%H:%M:%SZ"))) < 1e6
    finally:
        monkeypatch.undo()
        time.tzset()
