"""Tables to rows: kinds, scales, words."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablelens.errors import ModelError, UnknownColumn, UnusableTable, UsageError
from tablelens.transtab import Featurizer, Vocabulary, as_table
from tablelens.transtab.tables import kind_of, numbers
from tablelens.transtab.tokenize import Scale, word_bags

PIECES = ["[UNK]", "wine", "colour", "red", "white", "##s", "year", "sweet", "_", "a", "b", "no", "yes"]


def featurizer(**options):
    return Featurizer(Vocabulary(PIECES), **options)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 1, 1, None], "binary"),
        ([0, 1, 2], "numerical"),
        ([True, False], "binary"),
        (["yes", "No", None], "binary"),
        (["yes", "no", "maybe"], "categorical"),
        (["1", "2"], "categorical"),
        ([None, None], "categorical"),
        ([1.5, float("nan")], "numerical"),
        ([pd.Timestamp("2020-01-01"), None], "numerical"),
    ],
)
def test_kinds_are_seen(values, kind):
    assert kind_of(pa.chunked_array([pa.array(values, from_pandas=True)])) == kind


@pytest.mark.parametrize("made", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_tables_of_every_library_are_one_table(made):
    columns = {"wine": ["red", None, "white"], "year": [1999.0, 2004.5, None]}
    learner = featurizer()
    rows = learner.rows(as_table(made(columns)))
    assert [None if place < 0 else learner.texts[place] for place in rows.cat_values[:, 0]] == ["red", None, "white"]
    assert np.isnan(rows.num_values[2]).all()
    assert rows.num_values[:2, 0, 0].tolist() == [0, 1]


def test_an_array_has_columns_by_number():
    assert as_table(np.eye(2)).column_names == as_table(pd.DataFrame(np.eye(2))).column_names == ["x0", "x1"]


def test_what_is_no_table_is_refused():
    with pytest.raises(UnusableTable, match="come twice: 'a'"):
        as_table(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(UnusableTable, match="1 dimensions"):
        as_table(np.arange(3))
    with pytest.raises(UnusableTable, match=r"0 feature"):
        as_table(pd.DataFrame(index=[0, 1]))
    with pytest.raises(UnusableTable, match="Complex"):
        as_table(np.ones((2, 2)) * 1j)


def test_mixed_cells_are_texts():
    rows = featurizer().rows(as_table(pd.DataFrame({"wine": ["red", 5, None, 2.0]})))
    assert (rows.cat_values[:, 0] >= 0).tolist() == [True, True, False, True]


def test_kinds_may_be_given_and_are_checked():
    table = as_table({"year": [1999, 2000]})
    assert featurizer().rows(table, {"year": "categorical"}).cat_values.shape == (2, 1)
    with pytest.raises(UnknownColumn, match="yaer"):
        featurizer().rows(table, {"yaer": "categorical"})
    with pytest.raises(UsageError, match="known kinds"):
        featurizer().rows(table, {"year": "ordinal"})


def test_a_scale_is_learnt_once():
    made = featurizer()
    made.rows(as_table({"year": [0.0, 10.0]}))
    assert made.rows(as_table({"year": [5.0, 20.0]})).num_values[:, 0, 0].tolist() == [0.5, 2.0]


def test_a_column_may_change_its_kind_by_table():
    made = featurizer()
    made.rows(as_table({"year": [1.0, 2.5]}))
    rows = made.rows(as_table({"year": ["a", "b"]}), {"year": "categorical"})
    assert rows.columns == (("year", "categorical"),)


def test_texts_under_the_name_of_numbers_are_texts_there():
    """In a lake, a column ``code`` holds numbers in one table and letters in the next."""
    featurizer = Featurizer(Vocabulary(PIECES))
    featurizer.rows(as_table({"year": [1999.0, 2004.0], "sweet": ["yes", "no"]}))
    rows = featurizer.rows(as_table({"year": ["red", "white"], "sweet": ["red", None]}))
    assert dict(rows.columns) == {"year": "categorical", "sweet": "categorical"}
    written = featurizer.rows(as_table({"year": ["1999", "2004", "n.a."], "sweet": ["no", "yes", "?"]}))
    assert dict(written.columns) == {"year": "numerical", "sweet": "binary"}
    assert written.num_values[:2, 0, 0].tolist() == [0.0, 1.0]


@given(st.lists(st.floats(-1e12, 1e12) | st.none(), min_size=1))
def test_quantiles_lie_between_0_and_1_and_keep_the_order(values):
    found = numbers(pa.chunked_array([pa.array(values, pa.float64())]))
    shares = Scale.of(found).quantile(found)
    known = np.isfinite(found)
    assert (np.isnan(shares) == ~known).all()
    assert ((shares[known] >= 0) & (shares[known] <= 1)).all()
    order = np.argsort(found[known])
    assert (np.diff(shares[known][order]) >= -1e-9).all()


def test_words_are_counted_once_with_their_number():
    made = featurizer()
    rows = made.rows(as_table({"wine_colour": ["red reds", None], "sweet": ["yes", "no"]}))
    words, counts = word_bags(made, rows)
    said = [
        {
            made.vocabulary.pieces[made.vocabulary.used[word]]: int(count)
            for word, count in zip(*row, strict=True)
            if count
        }
        for row in zip(words, counts, strict=True)
    ]
    assert said == [{"wine": 1, "colour": 1, "red": 2, "##s": 1, "sweet": 1}, {}]


def test_a_row_of_many_words_is_cut_at_the_longest():
    made = featurizer()
    rows = made.rows(as_table({"a": ["red white " * 600]}))
    assert word_bags(made, rows, 512)[1].sum() <= 512


def test_long_texts_are_cut():
    made = featurizer()
    made.rows(as_table({"a": ["red " * 2_500_000]}))
    assert max(map(len, made.texts)) <= 2000


def test_a_vocabulary_needs_its_pieces():
    with pytest.raises(ModelError, match=r"\[UNK\]"):
        Vocabulary(["wine"])


def test_words_get_rows_as_they_come_and_keep_them():
    made = Vocabulary(PIECES)
    made.rows(["white", "red whites"])
    assert made.used == [4, 3, 5]
    again = Vocabulary(PIECES, made.used)
    assert again.rows(["red"])[1].tolist() == [1]
