"""Whatever stops a crawl, readers keep their answers, and the next crawl goes on where it stopped."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tablelens.engines.base import InlineEngine
from tablelens.index import generation
from tablelens.lake import Lake
from tablelens.testing import make_lake

COLUMNS = ("t00.x", "t07.x", "t03.y")


def write(folder, version=0, files=12, rows=30):
    """Tables that join; one of them is another in each version."""
    for i in range(files):
        shift = version if i == 7 else 0
        cells = [f"word {(j + i + shift) % 45}" for j in range(rows)]
        make_lake(folder, {f"t{i:02}.csv": {"x": cells, "y": [f"{cell} of {i % 3}" for cell in cells]}})
    return folder


def start(home, folder, **options):
    """A crawl as a program of its own, in a process group of its own."""
    command = [sys.executable, "-m", "tablelens", "-q", "--home", home, "--set", "workers=1", "crawl", folder]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(list(map(str, command)), start_new_session=True, **pipes, **options)


def crawl(home, folder):
    lake = Lake.open(home)
    return lake, lake.crawl(folder, engine=InlineEngine())


def answers(lake):
    """The hits of some columns, {name: (evidence, score, cosine)} each."""
    asked = [lake.joins(column, mode=mode, k=100) for column in COLUMNS for mode in ("auto", "equi", "deepjoin")]
    return [
        {str(hit.column): (hit.evidence, hit.score, hit.evidence.cosine) for hit in answer.hits} for answer in asked
    ]


def without_ids(evidence):
    """Evidence less its cosine and the ids of a bridge's columns, which each catalogue gives anew."""
    bridge = evidence.bridge
    if bridge is not None:
        bridge = replace(bridge, steps=tuple(tuple(map(str, step)) for step in bridge.steps))
    return replace(evidence, cosine=None, bridge=bridge)


def assert_same_answers(mine, theirs):
    """What is counted is the same. Vectors may differ by a hair: a text orders its cells by how common they were in
    the lake when the column was encoded, and a column that stays is not encoded again.
    """
    for answer, other in zip(mine, theirs, strict=True):
        assert answer.keys() == other.keys()
        for name, (evidence, *floats) in answer.items():
            assert without_ids(evidence) == without_ids(other[name][0])
            assert floats == pytest.approx(other[name][1:], abs=0.02)


def assert_sound(home, folder, fresh):
    """At most one generation was left over; a new crawl finishes and answers as one into a fresh home."""
    now = generation.current(home)
    if now is not None:
        assert answers(Lake.open(home))
    assert sum(number > (now or 0) for number in generation.generations(home)) <= 1
    lake, report = crawl(home, folder)
    assert (report.tables, report.failed) == (len(list(folder.iterdir())), ())
    assert not list(home.rglob("*.tmp"))
    assert generation.catalog_of(home, report.generation).is_file()
    left = set(generation.generations(home)) - {report.generation}
    assert len(left) <= 1, "the one before, or one that was cut off before it could answer"
    other, _ = crawl(fresh, folder)
    assert_same_answers(answers(lake), answers(other))


def kill_when(process, ready, patience=60.0):
    end = time.monotonic() + patience
    while process.poll() is None and not ready() and time.monotonic() < end:
        time.sleep(0.0005)
    with suppress(ProcessLookupError):  # it was done before
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


POINTS = (
    "catalog.duckdb.wal",
    "index/{}.tmp",
    "index/{}.tmp/manifest.json",
    "index/{}",
    "catalog-{}.tmp",
    "catalog-{}.duckdb",
    "catalog.duckdb",
    "CURRENT",
)


@pytest.mark.timeout(900)  # a dozen crawls and as many programs
@pytest.mark.parametrize("points", [POINTS[:6], pytest.param(POINTS, marks=pytest.mark.slow)], ids=len)
def test_killed_when_a_file_appears(tmp_path, points):
    """In a first crawl and in a later one by turns."""
    folder = tmp_path / "lake"
    for number, point in enumerate(points):
        home = tmp_path / f"home{number}"
        write(folder, number)
        if number % 2:
            crawl(home, folder)
            write(folder, number + 20)
        path, number_now = home / point.format(1 + number % 2), generation.current(home)

        def reached(path=path, before=number_now):
            return path.exists() and (path.name != "CURRENT" or generation.current(path.parent) != before)

        kill_when(start(home, folder), reached)
        assert_sound(home, folder, tmp_path / f"fresh{number}")


@pytest.mark.parametrize("kills", [2, pytest.param(60, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])])
def test_killed_at_any_moment_again_and_again(tmp_path, home, kills):
    chance, folder = random.Random(kills), write(tmp_path / "lake")
    began = time.monotonic()
    start(home, folder).communicate()
    usual = time.monotonic() - began
    for version in range(1, kills + 1):
        write(folder, version)
        moment = time.monotonic() + chance.uniform(0.2, 1.05) * usual
        kill_when(start(home, folder), lambda end=moment: time.monotonic() > end)
        if version % 2 == 0:
            assert_sound(home, folder, tmp_path / f"fresh{version}")


def test_what_is_cut_off_again_and_again_does_not_pile_up(tmp_path, home, monkeypatch):
    """Builds that are all cut off after the last file was written and before it answers."""
    folder = write(tmp_path / "lake")
    crawl(home, folder)

    def cut_off(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(generation, "publish", cut_off)
        for version in (1, 2, 3):
            write(folder, version)
            with pytest.raises(KeyboardInterrupt):
                crawl(home, folder)
    assert generation.current(home) == 1
    assert_sound(home, folder, tmp_path / "fresh")


CTRL_C = """
import os, signal, sys
import tablelens.lake
from tablelens.cli import main
from tablelens.engines.local import LocalEngine

class Interrupted(LocalEngine):
    def map(self, function, items, **shared):
        for number, pair in enumerate(super().map(function, items, **shared)):
            yield pair
            if number == 4:
                os.killpg(0, signal.SIGINT)  # as a terminal does: to the workers too

tablelens.lake.LocalEngine = Interrupted
main(sys.argv[1:])
"""


def test_ctrl_c_keeps_what_was_done(tmp_path, home):
    folder = write(tmp_path / "lake")
    command = [sys.executable, "-c", CTRL_C, "-q", "--home", str(home), "crawl", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, start_new_session=True, timeout=250)
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert done.stderr.strip().startswith("interrupted")
    assert "Traceback" not in done.stderr
    _, report = crawl(home, folder)
    assert 5 <= report.skipped <= 7
    assert (report.read, report.failed) == (12 - report.skipped, ())


def test_two_crawls_at_once(tmp_path, home):
    folder = write(tmp_path / "lake")
    both = [start(home, folder) for _ in range(2)]
    for process in both:
        process.communicate(timeout=250)
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 0], [0, 8])
    assert_sound(home, folder, tmp_path / "fresh")


@pytest.mark.parametrize("limit", [50_000, 1_000_000, 4_300_000])
def test_no_room_to_write(tmp_path, home, limit):
    """Files cannot grow beyond a limit, as on a full disk: one error, and all is well when there is room again."""
    folder = write(tmp_path / "lake")

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = start(home, folder, preexec_fn=no_room)
    said, trouble = process.communicate(timeout=250)
    assert (process.returncode, said) == (8, ""), trouble
    assert "Traceback" not in trouble
    assert trouble.startswith("Error: cannot")
    assert "make room on the disk" in trouble
    assert_sound(home, folder, tmp_path / "fresh")


def test_a_home_that_cannot_be_written(tmp_path):
    folder = write(tmp_path / "lake", files=1)
    Path(tmp_path / "file").touch()
    process = start(tmp_path / "file" / "home", folder)
    said, trouble = process.communicate(timeout=250)
    assert (process.returncode, said) == (8, ""), trouble
    assert "Traceback" not in trouble
