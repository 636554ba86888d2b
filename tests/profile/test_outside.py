"""Columns from outside: whatever holds values and a name."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tablelens.errors import UsageError
from tablelens.profile.columns import as_strings
from tablelens.profile.outside import outside_column

WORDS = ["Norway", "Peru", None, "Chile"]


class Stream:
    """Nothing but the PyCapsule interface of a stream."""

    def __init__(self, data):
        self.data = data

    def __arrow_c_stream__(self, requested_schema=None):
        return self.data.__arrow_c_stream__(requested_schema)


class Single:
    """Nothing but the PyCapsule interface of an array."""

    def __init__(self, data):
        self.data = data

    def __arrow_c_array__(self, requested_schema=None):
        return self.data.__arrow_c_array__(requested_schema)


NAMED = {
    "pandas": pd.Series(WORDS, name="country"),
    "pandas string": pd.Series(WORDS, name="country", dtype="string"),
    "pandas category": pd.Series(WORDS, name="country", dtype="category"),
    "pandas index": pd.Index(WORDS, name="country"),
    "pandas frame of one column": pd.DataFrame({"country": WORDS}),
    "polars": pl.Series("country", WORDS),
    "polars categorical": pl.Series("country", WORDS, dtype=pl.Categorical),
    "polars enum": pl.Series("country", WORDS, dtype=pl.Enum(["Chile", "Norway", "Peru"])),
    "polars frame of one column": pl.DataFrame({"country": WORDS}),
    "arrow table of one column": pa.table({"country": WORDS}),
    "stream of a table": Stream(pa.table({"country": WORDS})),
    "duckdb": duckdb.sql("SELECT unnest(['Norway', 'Peru', NULL, 'Chile']) AS country"),
}
UNNAMED = {
    "list": WORDS,
    "tuple": tuple(WORDS),
    "generator": iter(WORDS),
    "numpy": np.array(WORDS, dtype=object),
    "arrow": pa.array(WORDS),
    "arrow chunks": pa.chunked_array([WORDS[:2], WORDS[2:]]),
    "arrow dictionary": pa.array(WORDS).dictionary_encode(),
    "arrow view": pa.array(WORDS, pa.string_view()),
    "stream": Stream(pa.chunked_array([WORDS])),
    "array": Single(pa.array(WORDS)),
}


@pytest.mark.parametrize("kind", NAMED)
def test_values_that_bring_their_name(kind):
    data, name = outside_column(NAMED[kind])
    assert (as_strings(data).to_pylist(), name) == (WORDS, "country")
    assert outside_column(NAMED[kind], "land")[1] == "land"


@pytest.mark.parametrize("kind", UNNAMED)
def test_values_without_a_name(kind):
    data, name = outside_column(UNNAMED[kind])
    assert (as_strings(data).to_pylist(), name) == (WORDS, "values")


def test_a_set_is_a_column_too():
    assert sorted(outside_column({"a", "b"})[0].to_pylist()) == ["a", "b"]


@pytest.mark.parametrize("make", [list, pd.Series, lambda values: np.array(values, dtype=object)])
def test_values_of_several_types_are_text(make):
    data, _ = outside_column(make(["a", 1, None, 2.5]))
    assert data.to_pylist() == ["a", "1", None, "2.5"]


def test_a_name_that_is_no_text():
    assert outside_column(pd.Series([1, 2], name=0))[1] == "0"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (pd.DataFrame({"a": [1], "b": [2]}), "a table of 2 columns (a, b)"), (5, "int"), (None, "NoneType"),
        (b"abc", "bytes"), ({"a": 1}, "dict"), ([[1], [2]], "list<"), (np.ones((2, 2)), "1-dimensional"),
        ([object()], "object"), (pl.DataFrame({"a": [1]}).lazy(), "LazyFrame"), (pd.DataFrame(), "0 columns"),
    ],
)  # fmt: skip
def test_what_is_no_column(values, words):
    with pytest.raises(UsageError, match="cannot take") as caught:
        outside_column(values)
    assert words in str(caught.value)
    assert "one column of a table" in caught.value.hint
