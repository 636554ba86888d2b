"""Which columns of a table name the same things, and what stands beside what."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tablelens.profile.align import NULL, align
from tablelens.profile.columns import profile_table
from tablelens.profile.normalize import hash_value
from tablelens.settings import Settings
from tablelens.types import RawTable


def profiled(columns):
    data = pa.table({name: pa.array(values) for name, values in columns.items()})
    return profile_table("t.csv", RawTable(data, tuple(columns), "csv"), Settings())


def pairs(table, left, right):
    """The value hashes that stand in one row, by the alignment."""
    cells = dict(zip(table.alignment.positions, table.alignment.cells, strict=True))
    sides = [cells[i].astype(int) for i in (left, right)]
    both = (sides[0] != NULL) & (sides[1] != NULL)
    hashes = [table.columns[i].values.hashes[side[both]].tolist() for i, side in zip((left, right), sides, strict=True)]
    return set(zip(*hashes, strict=True))


CODES = ["AT", "BE", "CL", "DK", "EE"]
NAMES = ["Austria", "Belgium", "Chile", "Denmark", "Estonia"]


def test_a_panel_shrinks_to_its_things():
    rows = [(i, year) for i in range(5) for year in range(100)]
    table = profiled(
        {
            "code": [CODES[i] for i, _ in rows],
            "year": [1900 + year for _, year in rows],
            "name": [NAMES[i] for i, _ in rows],
            "share": [i + year / 7 for i, year in rows],
        }
    )
    assert table.alignment.positions == (0, 2)
    assert table.alignment.cells.shape == (2, 5)
    assert pairs(table, 0, 2) == {
        (hash_value(a.lower()), hash_value(b.lower())) for a, b in zip(CODES, NAMES, strict=False)
    }


def test_no_alignment_where_nothing_names_the_same():
    town = [f"town {i}" for i in range(60)]
    assert profiled({"town": town, "region": [f"region {i % 5}" for i in range(60)]}).alignment is None
    mixed = {"a": [CODES[i % 5] for i in range(25)], "b": [NAMES[i // 5] for i in range(25)]}
    assert profiled(mixed).alignment is None
    assert profiled({"only": CODES}).alignment is None
    assert profiled({"a": [], "b": []}).alignment is None


def test_spellings_of_one_value_are_one_and_nulls_are_none():
    table = profiled({"code": ["AT", "at ", "BE", None, "CL", "n/a"], "name": ["x", "X", "y", "z", "w", "q"]})
    found = pairs(table, 0, 1)
    assert (hash_value("at"), hash_value("x")) in found
    assert len(found) == 3


@given(
    st.lists(
        st.tuples(*(st.sampled_from([None, "a", "b", "c", "d", "e", "A", "-", "1.0", "1"]) for _ in range(3))),
        max_size=40,
    )
)
def test_every_pair_of_a_row_is_there_and_no_other(rows):
    from tablelens.profile.normalize import normalize

    table = profiled({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate("xyz")})
    if table.alignment is None:
        return
    for left in table.alignment.positions:
        for right in set(table.alignment.positions) - {left}:
            values = [(normalize(row[left] or ""), normalize(row[right] or "")) for row in rows]
            wanted = {(hash_value(a), hash_value(b)) for a, b in values if a is not None and b is not None}
            assert pairs(table, left, right) == wanted


def test_long_and_large_tables_are_left_alone():
    big = np.arange(70_000)
    assert align({0: big, 1: big}).cells.shape == (2, NULL)
    assert align({0: np.zeros(400_001, np.int64), 1: np.zeros(400_001, np.int64)}) is None
