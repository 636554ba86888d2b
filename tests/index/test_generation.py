"""A generation is whole or it is refused; a damaged file never crashes the reader."""

import json

import numpy as np
import pyarrow as pa
import pytest

from tablelens.errors import DamagedIndex, NoLake
from tablelens.index import generation
from tablelens.index.alignments import Alignments
from tablelens.index.exact import ExactIndex
from tablelens.index.hnsw import HnswIndex
from tablelens.index.postings import Postings
from tablelens.index.words import WordIndex

ENCODER = {"name": "hash", "revision": "r", "dimension": 4, "template": "col", "unit": "words", "dtype": "float32"}


def columns():
    return pa.table(
        {
            "id": pa.array([3, 5, 9]),
            "table_id": pa.array([1, 1, 2]),
            "table": ["a.csv", "a.csv", "b.csv"],
            "title": ["airports", "airports", "rivers"],
            "column": ["code", "city", "name"],
            "family": ["text", "text", "text"],
            "cells": [["FRA", "JFK"], ["Frankfurt"], ["Rhine"]],
        }
    )


def save(home, number=1, kind=HnswIndex):
    vectors = kind(4)
    vectors.add(np.array([3, 5, 9]), np.eye(3, 4, dtype=np.float32))
    postings = Postings.build([np.array([1, 2], np.uint64), np.array([2], np.uint64), np.array([7], np.uint64)])
    words = WordIndex.build(columns())
    beside = Alignments.build([(np.array([0, 1]), np.array([[0, 1], [0, 0]], np.uint16))])
    generation.save(home, number, columns(), postings, beside, vectors, words, ENCODER, {"lake": "/somewhere"})
    generation.publish(home, number)
    return generation.folder_of(home, number)


@pytest.mark.parametrize("kind", [ExactIndex, HnswIndex])
def test_save_and_load(home, kind):
    save(home, 4, kind)
    again = generation.load(home)
    assert (again.number, again.encoder, again.roots) == (4, ENCODER, {"lake": "/somewhere"})
    assert again.columns.equals(columns())
    assert again.ids.tolist() == [3, 5, 9]
    assert again.places(np.array([9, 3])).tolist() == [2, 0]
    assert again.postings.hashes_of(0).tolist() == [1, 2]
    assert again.alignments.cells_of(1).tolist() == [0, 0]
    assert (again.vectors.kind, sorted(again.vectors.labels().tolist())) == (kind.kind, [3, 5, 9])


def test_nothing_crawled(home):
    assert generation.current(home) is None
    assert list(generation.generations(home)) == []
    with pytest.raises(NoLake, match="nothing has been crawled"):
        generation.load(home)


FILES = sorted(
    ["columns.arrow", "vectors.hnsw", "vector_labels.npy", "vector_elements.npy", "words/tables.npy", "manifest.json"]
    + [f"{name}.npy" for name in ("values", "starts", "columns", "own_starts", "own", "limits")]
)
DAMAGE = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "flipped": lambda path: path.write_bytes(flipped(path.read_bytes())),
}


def flipped(data):
    place = len(data) // 2
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_is_refused(home, file, damage):
    path = save(home) / file
    DAMAGE[damage](path)
    with pytest.raises(DamagedIndex) as caught:
        generation.load(home)
    assert caught.value.hint


def test_every_file_of_a_generation_was_damaged_above(home):
    folder = save(home)
    named = json.loads((folder / "manifest.json").read_text())["files"]
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == named.keys() | {"manifest.json"}
    assert set(FILES) <= there


@pytest.mark.parametrize("text", ["[]", "{}", "null", '{"format": 1}', '{"format": "x"}', "\ud800", '{"format": null}'])
def test_a_manifest_that_says_nothing_is_damage(home, text):
    path = save(home) / "manifest.json"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(DamagedIndex):
        generation.load(home)


def test_a_newer_format_asks_for_an_upgrade(home):
    path = save(home) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(DamagedIndex, match="upgrade tablelens"):
        generation.load(home)


def test_a_damaged_pointer_is_as_no_crawl(home):
    save(home)
    (home / "CURRENT").write_bytes(b"\xff\xfe")
    assert generation.current(home) is None


def test_a_reader_keeps_what_it_opened(home):
    save(home, 1)
    old = generation.load(home)
    save(home, 2)
    generation.drop(home, 1)
    assert (generation.current(home), list(generation.generations(home))) == (2, [2])
    assert old.postings.hashes_of(0).tolist() == [1, 2]
    assert old.columns["column"].to_pylist() == ["code", "city", "name"]


def test_saving_again_replaces_what_was_left_over(home):
    folder = save(home, 1)
    (folder / "leftover").touch()
    partial = folder.with_suffix(".tmp")
    partial.mkdir()
    (partial / "half").touch()
    save(home, 1)
    assert not (folder / "leftover").exists()
    assert not partial.exists()
    generation.load(home)


def test_sweep_takes_what_nobody_needs(home):
    save(home, 3)
    (home / "index" / "4.tmp").mkdir()
    names = ("catalog-1.duckdb", "catalog-3.duckdb", "catalog-4.tmp", "catalog.duckdb")
    for name in names:
        (home / name).touch()
    generation.sweep(home, keep={3})
    assert sorted(path.name for path in home.glob("catalog*")) == ["catalog-3.duckdb", "catalog.duckdb"]
    assert list(generation.generations(home)) == [3]
    assert not (home / "index" / "4.tmp").exists()


def test_no_flipped_bit_of_a_manifest_goes_unseen(home):
    path = save(home) / "manifest.json"
    whole = path.read_bytes()
    sound = generation.load(home)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            again = generation.load(home)
        except DamagedIndex:
            continue
        assert (again.encoder, again.roots) == (sound.encoder, sound.roots)
        assert again.vectors._labels.tolist() == sound.vectors._labels.tolist()
