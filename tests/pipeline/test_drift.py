"""A new encoder takes over in steps, and old vectors are found by its queries meanwhile."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablelens.cli import main
from tablelens.lake import Lake
from tablelens.pipeline.drift import BEFORE, MAPPED, mapped
from tablelens.testing import make_lake

TABLES = 30
NEW = "deepjoin-static"


@pytest.fixture
def lake(tmp_path):
    """Crawled with the encoder ``hash``."""
    words = [f"{a} {b}" for a in ("amber", "birch", "cedar", "delta") for b in ("north", "south", "east", "west")]
    folder = tmp_path / "lake"
    tables = {f"t{i:02}.csv": {"x": [f"{w} {i % 5}" for w in words[: 6 + i % 9]]} for i in range(TABLES)}
    make_lake(folder, tables)
    made = Lake.open(tmp_path / "home", encoder="hash", workers=1)
    made.crawl(folder)
    return made


def crawl(lake, **settings):
    again = Lake.open(lake.home, workers=1, **settings)
    again.crawl(lake.home.parent / "lake")
    return again


def vectors(lake):
    made = lake.view.generation
    return made.vectors.vectors(made.ids)


def test_an_encoder_takes_over_in_steps(lake):
    waiting = []
    for _ in range(5):
        lake = crawl(lake, encoder=NEW, encode_most=8)
        made = lake.view.generation
        waiting.append(made.encoder.get(MAPPED, 0))
        assert made.encoder.get(BEFORE, "hash") == "hash"
        assert len(made.vectors) == TABLES
        hits = lake.joins("t07.x", mode="deepjoin", k=TABLES).hits  # old and new columns are found alike
        assert len(hits) == TABLES - 1
    assert waiting == [TABLES - 8, TABLES - 16, TABLES - 24, 0, 0]
    fresh = Lake.open(lake.home.with_name("fresh"), workers=1)
    fresh.crawl(lake.home.parent / "lake")
    assert (vectors(lake) == vectors(fresh)).all()
    assert lake.view.generation.number == 5  # the fifth crawl had nothing to do
    assert lake.view.generation.encoder == fresh.view.generation.encoder


def test_without_a_limit_all_is_encoded_at_once(lake):
    lake = crawl(lake, encoder=NEW, encode_most=8)
    assert lake.view.generation.encoder[MAPPED] == TABLES - 8
    assert MAPPED not in crawl(lake, encoder=NEW, encode_most=0).view.generation.encoder


def test_columns_that_no_encoder_has_read_are_encoded_at_once(lake):
    make_lake(lake.home.parent / "lake", {f"new{i}.csv": {"x": [f"new {n} {i}" for n in range(9)]} for i in range(12)})
    made = crawl(lake, encoder=NEW, encode_most=1).view.generation
    assert len(made.vectors) == TABLES + 12
    assert made.encoder[MAPPED] == TABLES - 1


def test_old_columns_of_one_lake_take_no_room_from_new_ones_of_another(lake, tmp_path):
    tables = {f"new{i}.csv": {"x": [f"new {n} {i}" for n in range(9)]} for i in range(12)}
    again = Lake.open(lake.home, workers=1, encoder=NEW, encode_most=1)
    again.crawl(make_lake(tmp_path / "other", tables))
    again.reload()
    made = again.view.generation
    assert len(made.vectors) == TABLES + 12
    assert made.encoder[MAPPED] == TABLES - 1


def test_a_first_crawl_with_a_limit_encodes_everything(tmp_path):
    make_lake(tmp_path / "lake", {f"{i}.csv": {"x": [f"w{n} {i}" for n in range(9)]} for i in range(9)})
    lake = Lake.open(tmp_path / "home", encode_most=2, workers=1)
    lake.crawl(tmp_path / "lake")
    assert len(lake.view.generation.vectors) == 9


def test_doctor_says_what_waits(lake, capsys):
    crawl(lake, encoder=NEW, encode_most=8)
    with pytest.raises(SystemExit, match="0"):
        main(["--home", str(lake.home), "doctor"])
    said = " ".join(capsys.readouterr().out.split())
    assert f"{TABLES - 8} vectors mapped from hash: the next crawls encode them" in said


@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 99))
def test_a_linear_drift_is_undone(old_width, new_width, seed):
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    old = rng.normal(size=(400, old_width)).astype(np.float32)
    new = (old @ turn[:old_width, :new_width]).astype(np.float32)
    found = mapped(old[200:], old[:200], new[:200])
    assert found.dtype == np.float32
    assert found == pytest.approx(new[200:], abs=0.1)


def test_one_pair_gives_a_map_too():
    assert np.isfinite(
        mapped(np.ones((2, 3), np.float32), np.ones((1, 3), np.float32), np.ones((1, 2), np.float32))
    ).all()
