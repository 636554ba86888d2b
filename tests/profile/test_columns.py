import datetime as dt
import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablelens.profile.columns import as_strings, profile_column, profile_table, title_of, value_set
from tablelens.profile.normalize import normalize
from tablelens.settings import Settings
from tablelens.types import RawTable

SETTINGS = Settings()
CELLS = st.lists(st.one_of(st.none(), st.text(max_size=6), st.sampled_from(["DE", "de", " De", "N/A", "1", "1.0"])))


def profile(cells, kind=None, **settings):
    array = pa.array(cells, kind or (pa.string() if all(c is None or isinstance(c, str) for c in cells) else None))
    return profile_column(pa.chunked_array([array]), Settings(**settings), name="x")


def facts(made):
    """A profile as comparable values."""
    fields = {name: getattr(made, name) for name in made.__slots__ if name != "values"}
    return {**fields, "hashes": made.values.hashes.tolist(), "exact": made.values.exact}


@given(CELLS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(cells, shuffler):
    other = list(cells)
    shuffler.shuffle(other)
    assert facts(profile(cells)) == facts(profile(other))


@given(CELLS)
def test_counts(cells):
    made = profile(cells)
    values = Counter(v for cell in cells if cell is not None and (v := normalize(cell)) is not None)
    assert (made.rows, made.distinct, made.nulls) == (len(cells), len(values), len(cells) - values.total())
    assert made.key == (len(cells) > 0 and values.total() == len(values) == len(cells))
    assert sorted(count for _, count in made.top_values) == sorted(c for _, c in values.most_common(10))
    assert len(made.values.hashes) == made.values.distinct == len(values)
    assert (np.diff(made.values.hashes.astype(object)) > 0).all()


@given(CELLS)
def test_kept_cells_are_distinct_and_as_written(cells):
    made = profile(cells)
    assert set(made.cells) <= set(cells)
    assert len({normalize(cell) for cell in made.cells}) == len(made.cells) == min(made.distinct, 256)


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=1))
def test_the_histogram_of_integers_sums_to_the_filled_rows(cells):
    made = profile(cells, pa.int64())
    assert made.histogram is None or sum(made.histogram[1]) == made.rows - made.nulls
    if made.kind == "integer" and made.distinct > 1 and max(abs(int(c)) for c in made.cells) < 2**50:
        assert made.histogram is not None


@given(st.lists(st.floats(), min_size=1))
def test_any_floats_can_be_profiled(cells):
    made = profile(cells, pa.float64())
    assert made.rows == len(cells)


@given(st.lists(st.dates(), min_size=1))
def test_the_histogram_of_dates_sums_to_the_filled_rows(cells):
    made = profile(cells, pa.date32())
    assert made.kind == "date"
    assert sum(made.histogram[1]) == len(cells)
    assert (made.minimum, made.maximum) == (str(min(cells)), str(max(cells)))


def test_long_neighbouring_ids_have_no_histogram_but_a_profile():
    made = profile(["900000000000000001", "900000000000000002", "900000000000000005"])
    assert (made.kind, made.histogram, made.distinct) == ("integer", None, 3)


def test_histogram_has_ten_bins_over_the_values():
    edges, counts = profile([*map(str, range(100))]).histogram
    assert len(edges) == 11
    assert (edges[0], edges[-1]) == (0, 99)
    assert counts == (10,) * 10


@pytest.mark.parametrize(
    ("cells", "word"),
    [([None, "n/a"], "empty"), ([], "empty"), (["x", "X", None], "constant"), (["yes", "no", "yes"], "boolean")],
)
def test_what_cannot_join_is_excluded_with_its_reason(cells, word):
    assert profile(cells).excluded.startswith(word)


def test_usual_columns_are_not_excluded():
    assert profile(["a", "b"]).excluded == ""


def test_the_most_frequent_spelling_stands_for_a_value():
    made = profile(["De", "DE", "DE", "de", "fr"])
    assert made.top_values == (("DE", 4), ("fr", 1))
    assert made.cells == ("DE", "fr")


def test_least_and_greatest_go_by_number():
    assert (profile(["9", "10", "-3"]).minimum, profile(["9", "10", "-3"]).maximum) == ("-3", "10")
    assert (profile(["b", "a c", "Z"]).minimum, profile(["b", "a c", "Z"]).maximum) == ("a c", "Z")


def test_lengths_and_words_are_of_distinct_cells():
    made = profile(["ab", "ab", "abc de"])
    assert (made.min_length, made.max_length, made.mean_length) == (2, 6, 4.0)
    assert (made.min_words, made.max_words, made.mean_words) == (1, 2, 1.5)


@pytest.mark.parametrize(
    ("cells", "family"),
    [
        (["rome", "oslo"], "text"), (["1", "2"], "number"), (["2024-01-01", "2024-01-02"], "date"),
        (["1", "a"], "text"), ([*map(str, range(10)), "a"], "number"), ([None], ""), (["true", "false"], "number"),
    ],
)  # fmt: skip
def test_family(cells, family):
    assert profile(cells).family == family


@pytest.mark.parametrize(
    ("array", "texts"),
    [
        (pa.array([b"\x00\xff", None]), ["00ff", None]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, 5)]), ["2024-01-01", "2024-01-01 05:00:00"]),
        (pa.array([1, None]), ["1", None]),
        (pa.array([True]), ["true"]),
        (pa.nulls(2), [None, None]),
    ],
)
def test_cells_of_any_type_have_a_text(array, texts):
    assert as_strings(pa.chunked_array([array])).to_pylist() == texts


def test_the_same_values_of_other_types_are_the_same():
    text = profile(["1", "2.5", "3"])
    for array in (pa.array([1.0, 2.5, 3.0]), pa.array([1, 2.5, 3], pa.float32())):
        assert profile_column(pa.chunked_array([array]), SETTINGS).values.hashes.tolist() == text.values.hashes.tolist()


def test_chunks_do_not_matter():
    cells = ["a", "b", None, "a"]
    whole = profile(cells)
    parts = profile_column(pa.chunked_array([pa.array(cells[:1]), pa.array(cells[1:])]), SETTINGS, name="x")
    assert facts(whole) == facts(parts)


def test_long_cells_are_cut_where_they_are_kept():
    made = profile(["x" * 5000, "y"])
    assert max(map(len, made.cells)) == 200
    assert made.max_length == 5000


def test_profile_of_a_table():
    data = pa.table({"id": ["1", "2"], "id_2": ["a", "b"]})
    made = profile_table("shop/order-lines.csv.gz", RawTable(data, ("id", "id"), "csv", warnings=("w",)), SETTINGS)
    assert [(c.name, c.original_name, c.position) for c in made.columns] == [("id", "id", 0), ("id_2", "id", 1)]
    assert (made.title, made.rows, made.warnings) == ("shop order lines", 2, ("w",))


@pytest.mark.parametrize(
    ("path", "part", "title"),
    [("a.csv", "", "a"), ("x/b_c.csv.gz", "", "x b c"), ("book.xlsx", "Sheet 1", "book Sheet 1"), (".csv", "", ".csv")],
)
def test_titles(path, part, title):
    assert title_of(path, part) == title


def test_value_sets_are_exact_up_to_the_limit_and_sketches_beyond():
    hashes = np.arange(200, dtype=np.uint64)[::-1]
    exact = value_set(hashes, Settings(exact_values=200))
    assert exact.exact
    assert exact.error == 0
    assert exact.hashes.tolist() == list(range(200))
    sketch = value_set(hashes, Settings(exact_values=199, sketch_values=64))
    assert not sketch.exact
    assert (sketch.distinct, sketch.hashes.tolist()) == (200, list(range(64)))


def test_containment_from_sketches_is_within_its_stated_error():
    """Two standard errors hold in at least 90 % of the trials."""
    settings = Settings(exact_values=100, sketch_values=256)
    rng, chooser, good = np.random.default_rng(11), random.Random(3), 0
    for _ in range(100):
        size, share = chooser.randint(500, 5000), chooser.random()
        query = np.unique(rng.integers(0, 2**64 - 1, size, np.uint64, endpoint=True))
        kept = rng.permutation(query)[: round(share * len(query))]
        other = np.unique(np.concatenate([kept, rng.integers(0, 2**64 - 1, chooser.randint(0, 5000), np.uint64)]))
        truth = np.isin(query, other).mean()
        q, x = value_set(query, settings), value_set(other, settings)
        limit = min(q.hashes[-1], x.hashes[-1])
        mine = q.hashes[q.hashes <= limit]
        estimate = np.isin(mine, x.hashes).mean()
        good += abs(estimate - truth) <= 2 * 0.5 / np.sqrt(len(mine))
    assert good >= 90


def test_moments_are_compared_as_they_are_usually_written():
    moments = [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2, 12, 30), dt.datetime(2024, 1, 2, 12, 30, 0, 500_000)]
    plain = ["2024-01-01", "2024-01-02 12:30:00", "2024-01-02 12:30:00.500000"]
    zoned = ["2024-01-01", "2024-01-02 12:30:00Z", "2024-01-02 12:30:00.500000Z"]
    for kind, texts in ((None, plain), ("UTC", zoned), ("Asia/Tokyo", zoned)):
        column = pa.chunked_array([pa.array(moments, pa.timestamp("us", kind))])
        assert as_strings(column).to_pylist() == texts


def test_na_is_namibia_among_codes_and_nothing_elsewhere():
    codes = [first + second for first in "ABCDE" for second in "EFGHI"]
    among = profile([*codes, "NA", "n/a", None])
    assert (among.distinct, among.nulls, among.null_words) == (26, 2, ("n/a",))
    assert "NA" in among.cells
    for cells in (codes[:10], [f"{code}{number}" for number, code in enumerate(codes)]):
        elsewhere = profile([*cells, "NA"])
        assert (elsewhere.distinct, elsewhere.nulls, elsewhere.null_words) == (len(cells), 1, ("na",))
