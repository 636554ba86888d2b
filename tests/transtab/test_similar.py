"""Rows that are like a row, over tables."""

import numpy as np
import pyarrow as pa
import pytest

torch = pytest.importorskip("torch")
similar = pytest.importorskip("tablelens.transtab.similar")

from tablelens.errors import DamagedIndex, NoLake, UnknownTable, UsageError  # noqa: E402


@pytest.fixture(scope="module")
def index():
    rng = np.random.default_rng(0)
    country, continent = ["Kenya", "Ghana", "France", "Spain"], ["Africa", "Africa", "Europe", "Europe"]
    chosen = rng.integers(0, 4, 60)
    cities = pa.table({"country": [country[n] for n in chosen], "people": rng.normal(size=60)})
    other = rng.integers(0, 4, 40)
    rivers = pa.table({"country": [country[n] for n in other], "continent": [continent[n] for n in other]})
    empty = pa.table({"x": pa.array([], pa.string())})
    return similar.RowIndex.build(
        [("geo", "cities", cities), ("geo", "rivers", rivers), ("geo", "no", empty)], epochs=3
    )


def test_rows_of_other_tables_say_like_things(index):
    found = index.similar("cities", 0, k=5, others=True)
    assert {hit.table for hit in found} == {"rivers"}
    assert [hit.similarity for hit in found] == sorted((hit.similarity for hit in found), reverse=True)


def test_a_row_is_not_its_own_answer(index):
    found = index.similar("rivers", 3, k=200)
    assert len(found) == 99
    assert ("rivers", 3) not in {(hit.table, hit.row) for hit in found}


def test_a_row_from_outside_finds_its_twin(index):
    row = pa.table({"country": ["Kenya"], "continent": ["Africa"]})
    best = index.like(row, k=1)[0]
    assert best.table == "rivers"
    assert best.similarity > 0.99
    assert {hit.table for hit in index.like(row, k=200, without=("geo", "rivers"))} == {"cities"}
    assert index.like(row, lakes=["other"]) == []
    assert index.holds("geo", "rivers", 39)
    assert not index.holds("geo", "rivers", 40)


def test_it_is_what_it_was_after_saving(index, tmp_path):
    index.save(tmp_path)
    again = similar.RowIndex.load(tmp_path)
    assert again.similar("cities", 1) == index.similar("cities", 1)
    index.save(tmp_path)  # over what was there
    (tmp_path / "rows" / "vectors.npy").write_bytes(b"no")
    with pytest.raises(DamagedIndex, match="rows index"):
        similar.RowIndex.load(tmp_path)


def test_what_is_not_there_is_named(index, tmp_path):
    with pytest.raises(UnknownTable, match="cites"):
        index.similar("cites", 0)
    with pytest.raises(UsageError, match="rows 0 to 59"):
        index.similar("cities", 60)
    for k in (0, -1):
        with pytest.raises(UsageError, match=f"k is {k}"):
            index.similar("cities", 1, k=k)
    with pytest.raises(NoLake, match="rows index"):
        similar.RowIndex.load(tmp_path)
    with pytest.raises(UsageError, match="no rows"):
        similar.RowIndex.build([])
