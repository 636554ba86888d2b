"""What a worker says comes out as it went in, or not at all."""

import pickle
from dataclasses import fields, replace

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablelens.engines import frames
from tablelens.engines.base import WorkFailure
from tablelens.profile.columns import profile_table
from tablelens.settings import Settings
from tablelens.types import Alignment, FileOutcome, FoundFile, RawTable

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def outcome():
    data = pa.table({"id": [1, 2, 3, 3], "name": ["Rome", "Oslo", None, "Oslo"], "day": ["2020-01-01"] * 4})
    table = profile_table("a.csv", RawTable(data, ("id", "name", "day"), "csv", warnings=("w",)), Settings())
    table = replace(table, alignment=Alignment((0, 1), np.array([[1, 2], [3, 65535]], np.uint16)))
    return FileOutcome(FoundFile("a.csv", "/l/a.csv", 2**40, 2**62), "digest", (table,), seconds=0.1)


def same(left, right):
    if isinstance(left, np.ndarray):
        return isinstance(right, np.ndarray) and left.dtype == right.dtype and np.array_equal(left, right)
    if isinstance(left, tuple):
        return isinstance(right, tuple) and len(left) == len(right) and all(map(same, left, right))
    if hasattr(left, "__dataclass_fields__"):
        return type(left) is type(right) and all(
            same(getattr(left, field.name), getattr(right, field.name)) for field in fields(left)
        )
    return type(left) is type(right) and left == right


def through(data):
    frame = frames.decode(data)
    return frame.number, frames.outcome(frame)


def test_an_outcome_comes_out_as_it_went_in():
    made = outcome()
    number, again = through(frames.of_result(7, made))
    assert number == 7
    assert same(made, again)
    assert made.tables[0].columns[1].histogram is None
    failed = FileOutcome(made.file, reason="bomb", error="no")
    assert through(frames.of_result(8, failed)) == (8, failed)


def test_a_failure_comes_out_as_it_went_in():
    failure = WorkFailure("timeout", "took long", "tail", 2)
    assert through(frames.of_failure(3, failure)) == (3, failure)


@given(PLAIN)
def test_plain_values_come_out_as_they_went_in(value):
    assert through(frames.of_result(0, value)) == (0, value)


def test_text_that_is_no_unicode_loses_nothing_else():
    made = replace(outcome(), error="\ud800 gone")
    _, again = through(frames.of_result(0, made))
    assert again.error == "? gone"
    assert same(made.tables, again.tables)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_frame_are_refused(data):
    try:
        through(data)
    except frames.BadFrame:
        return
    assert frames.decode(data)  # by chance one


@given(st.data())
def test_a_damaged_frame_is_refused_or_of_the_right_types(data):
    frame = bytearray(frames.of_result(1, outcome()))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    try:
        _, again = through(bytes(frame))
    except frames.BadFrame:
        return
    if isinstance(again, FileOutcome):
        assert all(column.values.hashes.dtype == np.uint64 for table in again.tables for column in table.columns)


@pytest.mark.parametrize("body", [["<u8", [3], b"1234567"], ["<u8", [-1], b""], ["|O", [1], b"12345678"], 7, "x"])
def test_an_array_of_another_size_or_type_is_refused(body):
    made = msgspec.to_builtins(outcome(), enc_hook=frames._plain, builtin_types=(bytes,))
    made["tables"][0]["columns"][0]["values"]["hashes"] = body
    frame = frames.Frame("result", 1, "FileOutcome", frames.encode(made))
    with pytest.raises(frames.BadFrame):
        frames.outcome(frame)


def test_a_pickle_is_no_frame():
    with pytest.raises(frames.BadFrame):
        frames.decode(pickle.dumps(("result", 0, "", b"")))
