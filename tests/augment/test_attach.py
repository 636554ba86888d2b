"""A row of the base stays one row, whatever is joined to it."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sklearn")

from tablelens.augment.attach import attach

KEYS = st.sampled_from(["a", "A ", "b", "c", "", "n/a", None])


@given(st.lists(KEYS), st.lists(st.tuples(KEYS, st.none() | st.floats(-9, 9), st.sampled_from(["x", "y", None]))))
def test_rows_stay_and_values_are_those_of_the_key(base, other):
    table = pa.table({
        "k": pa.array([k for k, _, _ in other], pa.string()),
        "number": pa.array([n for _, n, _ in other], pa.float64()),
        "text": pa.array([t for _, _, t in other], pa.string()),
    })  # fmt: skip
    made = attach(base, table, "k", ["number", "text"], "t.")
    assert made.data.num_rows == len(base)
    for key, row in zip(base, made.data.to_pylist(), strict=True):
        same = [(n, t) for k, n, t in other if (k or "").strip().lower() == (key or "").strip().lower()]
        same = [] if (key or "").strip().lower() in ("", "n/a") else same
        known = [n for n, _ in same if n is not None]
        assert row["t.number"] == (pytest.approx(sum(known) / len(known)) if known else None)
        words = [t for _, t in same if t is not None]
        assert row["t.text"] == (min(words, key=lambda w: (-words.count(w), w)) if words else None)


def test_many_rows_a_key_are_counted():
    other = pa.table({"k": ["a", "a", "b"], "x": [1.0, 3.0, 5.0]})
    made = attach(["a", "b", "c"], other, "k", ["x"], "t.")
    assert made.most == 2
    assert made.matched == pytest.approx(2 / 3)
    assert made.data.to_pydict() == {"t.x": [2.0, 5.0, None], "t.rows": [2, 1, None]}


def test_an_empty_table_matches_nothing():
    made = attach(["a"], pa.table({"k": pa.array([], pa.string()), "x": pa.array([], pa.float64())}), "k", ["x"], "t.")
    assert made.matched == 0
    assert made.data.to_pydict() == {"t.x": [None]}
