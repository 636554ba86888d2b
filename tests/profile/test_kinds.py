import datetime as dt

import pyarrow as pa
import pytest

from tablelens.profile.columns import profile_column
from tablelens.profile.kinds import as_day, as_number, count_texts, kind_of
from tablelens.settings import Settings


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("empty", []),
        ("boolean", ["true", "false"]),
        ("boolean", ["0", "1"]),
        ("boolean", ["y"]),
        ("integer", ["1", "2", "-3"]),
        ("decimal", ["1.5", "2", ".5", "1e5"]),
        ("date", ["2024-01-01", "2024-12-31t10:00:00z", "31.12.2024"]),
        ("identifier", ["ab-1", "ab-2", "x/3"]),
        ("text", ["new york", "rome"]),
        ("integer", [*map(str, range(99)), "unknown"]),
        ("text", ["1", "rome", "oslo"]),
    ],
)
def test_kind_of_text(kind, values):
    assert kind_of(pa.string(), values, len(values)) == kind


def test_few_values_in_many_rows_are_categories():
    assert kind_of(pa.string(), ["red", "green"], 20) == "categorical"
    assert kind_of(pa.string(), ["red", "green"], 19) == "text"


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("boolean", [True, False]),
        ("integer", [1, 2, 3]),
        ("decimal", [1.5, 2.5, 3.25]),
        ("date", [dt.date(2024, 1, 1), dt.date(2024, 1, 2)]),
        ("date", [dt.datetime(2024, 1, 1, 5), dt.datetime(2024, 1, 2)]),
        ("empty", [None, None]),
    ],
)
def test_kind_of_typed_columns(kind, values):
    assert profile_column(pa.chunked_array([pa.array(values)]), Settings()).kind == kind


def test_texts_are_what_is_neither_number_nor_date():
    assert count_texts(["1", "1.5", "2024-01-01", "rome"], 4) == 1
    assert count_texts(["1", "rome"], 10) == 5
    assert count_texts([], 0) == 0


def test_measures():
    assert as_number("-1.5") == -1.5
    assert as_number("1,5") is None
    assert as_day("2024-01-02t05:00") == as_day("2024/01/02") == dt.date(2024, 1, 2).toordinal()
    assert as_day("31.12.2024") is None
    assert as_day("2024-02-31") is None
