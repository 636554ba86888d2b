"""What was encoded once is not encoded again, and what is kept is what a fresh crawl would make."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import tablelens.open_home
import tablelens.pipeline.crawl
from tablelens.catalog.store import Catalog
from tablelens.encoders import StaticEncoder, load_encoder
from tablelens.engines.base import InlineEngine
from tablelens.lake import Lake
from tablelens.pipeline.texts import contents_of
from tablelens.testing import HashEncoder, make_lake
from tablelens.types import ColumnText

WORDS = [f"word {i}" for i in range(20)]


class Reading(HashEncoder):
    """Notes the columns that it encoded; its vectors are made of the text."""

    reads = ("text",)
    seen: list[str]

    def __init__(self):
        super().__init__(32)
        self.seen = []

    def encode(self, columns):
        self.seen += [column.name for column in columns]
        return self.encode_queries(columns)

    def encode_queries(self, columns):
        made = [np.frombuffer(column.text.encode()[:4000], np.uint8).astype(np.uint64) for column in columns]
        return super().encode_queries([replace(c, values=m) for c, m in zip(columns, made, strict=True)])


class Valuing(Reading):
    """The same, made of the values."""

    reads = ("values",)

    def encode_queries(self, columns):
        return HashEncoder.encode_queries(self, columns)


@pytest.fixture
def encoder(monkeypatch):
    return use(monkeypatch, Valuing())


def use(monkeypatch, encoder):
    for module in (tablelens.open_home, tablelens.pipeline.crawl):
        monkeypatch.setattr(module, "load_encoder", lambda *_: encoder)
    return encoder


@pytest.fixture
def folder(tmp_path):
    return make_lake(tmp_path / "lake", {"a.csv": {"x": WORDS, "n": range(20)}, "b.csv": {"y": WORDS[5:]}})


def crawl(home, folder, encoder, **options):
    """Names of the columns that a crawl encoded."""
    encoder.seen.clear()
    refresh = options.pop("refresh", "changed")
    lake = Lake.open(home, **options)
    lake.crawl(folder, engine=InlineEngine(), refresh=refresh)
    return sorted(encoder.seen)


def kept(home, revision):
    """The vector of each column, by table and name."""
    with Catalog(home / "catalog.duckdb") as catalog:
        ids, rows = catalog.embeddings(revision)
        columns = catalog.columns().select(["id", "table", "column"]).to_pylist()
    names = {row["id"]: (row["table"], row["column"]) for row in columns}
    return {names[id_]: row.tolist() for id_, row in zip(ids.tolist(), rows, strict=True)}


def test_a_file_that_is_read_again_copied_moved_or_back_is_not_encoded(home, folder, encoder):
    assert crawl(home, folder, encoder) == ["x", "y"]
    assert crawl(home, folder, encoder, refresh="always") == []
    shutil.copy(folder / "a.csv", folder / "copy.csv")
    assert crawl(home, folder, encoder) == []
    (folder / "b.csv").rename(folder / "moved.csv")
    assert crawl(home, folder, encoder) == []
    (folder / "moved.csv").rename(folder.parent / "away.csv")
    assert crawl(home, folder, encoder) == []
    (folder.parent / "away.csv").rename(folder / "back.csv")
    assert crawl(home, folder, encoder) == []
    assert sorted(kept(home, encoder.revision)) == [("a.csv", "x"), ("back.csv", "y"), ("copy.csv", "x")]


def test_a_template_matters_to_an_encoder_that_reads_the_text(home, folder, monkeypatch):
    values = use(monkeypatch, Valuing())
    assert crawl(home, folder, values) == ["x", "y"]
    assert crawl(home, folder, values, template="col", stat_unit="words") == []
    text = use(monkeypatch, Reading())
    text.revision = "text"
    other = "title-colname-stat-col"
    assert crawl(home, folder, text, template=other) == ["x", "y"]
    assert crawl(home, folder, text, template="col") == ["x", "y"]
    assert crawl(home, folder, text, template=other) == []
    assert crawl(home, folder, use(monkeypatch, values)) == []


def test_a_column_whose_text_shifts_with_the_lake_is_encoded_again(home, folder, monkeypatch):
    encoder = use(monkeypatch, Reading())
    crawl(home, folder, encoder, template="col")
    assert crawl(home, make_lake(folder, {"one.csv": {"z": WORDS[:3]}}), encoder, template="col") == ["x", "z"]
    # a second column more changes no power of two of y's words, which two columns hold
    assert crawl(home, make_lake(folder, {"two.csv": {"z": WORDS[9:12]}}), encoder, template="col") == ["z"]


@pytest.mark.parametrize("template", ["title-colname-stat-col", "title-colname-col-context"])
def test_a_lake_crawled_in_steps_has_the_vectors_of_one_crawled_at_once(home, tmp_path, monkeypatch, template):
    encoder, rng = use(monkeypatch, Reading()), np.random.default_rng(5)
    folder = tmp_path / "grown"
    for step in range(6):
        tables = {
            f"t{step}{i}.csv": {"a": rng.choice(WORDS, 8, replace=False), "b": WORDS[i : i + 8]} for i in range(3)
        }
        crawl(home, make_lake(folder, tables), encoder, template=template)
        (folder / f"t{step}1.csv").unlink()
    crawl(home, folder, encoder, template=template)
    fresh = tmp_path / "fresh"
    crawl(fresh, folder, encoder, template=template)
    assert kept(home, encoder.revision) == kept(fresh, encoder.revision)
    assert len(kept(fresh, encoder.revision)) == 24


def test_vectors_of_a_lake_do_not_tell_what_other_lakes_hold(home, folder, tmp_path, monkeypatch):
    """Document frequencies, by which the values of a column are weighed, are those of its own lake."""
    use(monkeypatch, load_encoder("deepjoin-static"))
    other = make_lake(tmp_path / "other", {f"t{i}.csv": {"x": WORDS[i:]} for i in range(12)})
    lakes = [Lake.open(where) for where in (home, tmp_path / "alone")]
    lakes[0].crawl(other, engine=InlineEngine())
    for lake in lakes:
        lake.crawl(folder, engine=InlineEngine())
    mixed, alone = (lake.only(["lake"]).view.generation for lake in lakes)
    both = [made.vectors.vectors(np.sort(made.vectors.labels())) for made in (mixed, alone)]
    assert len(both[0]) == 2
    assert np.array_equal(*both)


def test_columns_that_are_alike_are_encoded_once(home, folder, encoder):
    make_lake(folder, {f"same{i}.csv": {"x": WORDS} for i in range(5)})
    assert crawl(home, folder, encoder) == ["x", "y"]
    assert len(kept(home, encoder.revision)) == 7


def test_vectors_that_nobody_has_are_let_go_in_time(home, folder, encoder, monkeypatch):
    monkeypatch.setattr("tablelens.catalog.store.SPARE", 4)
    for i in range(12):
        crawl(home, make_lake(folder, {"a.csv": {"x": [f"{i} {word}" for word in WORDS]}}), encoder)
    with Catalog(home / "catalog.duckdb") as catalog:
        assert 2 <= len(catalog.encoded(encoder.revision)) <= 2 + 5
        catalog.forget_vectors()
        assert len(catalog.encoded(encoder.revision)) == 2
        assert catalog.forget_vectors() == 0


COLUMN = ColumnText("City. x: Rome, Oslo.", "x", ("Rome", "Oslo"), np.array([3, 9], np.uint64), 2)
OTHER = {"text": "y", "name": "y", "cells": ("Rome",), "values": np.array([3, 5], np.uint64), "distinct": 3}


@pytest.mark.parametrize("encoder", [StaticEncoder(), HashEncoder()], ids=["static", "hash"])
def test_a_field_that_an_encoder_does_not_read_changes_nothing(encoder):
    for name, value in OTHER.items():
        changed = replace(COLUMN, **{name: value})
        same = np.array_equal(encoder.encode([COLUMN]), encoder.encode([changed]))
        assert same or name in encoder.reads
        assert (contents_of([COLUMN], encoder) == contents_of([changed], encoder)) == (name not in encoder.reads)
    turned = replace(COLUMN, cells=COLUMN.cells[::-1])
    assert contents_of([COLUMN], encoder) == contents_of([turned], encoder)
    assert np.array_equal(encoder.encode([COLUMN]), encoder.encode([turned]))


def test_contents_do_not_run_into_each_other():
    encoder = StaticEncoder()
    made = [replace(COLUMN, cells=cells) for cells in [("a", "b"), ("a\0001:b",), ("ab",), ("", "ab"), ()]]
    assert len(set(contents_of(made, encoder))) == len(made)
