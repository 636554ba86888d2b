import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablelens.index.words import WordIndex, words_of


def index_of(*tables):
    """One table a (title, column, cells)."""
    titles, names, cells = zip(*tables, strict=True) if tables else ((), (), ())
    n = len(tables)
    return WordIndex.build(
        pa.table(
            {
                "table_id": pa.array(range(10, 10 + n), pa.int64()),
                "title": pa.array(titles, pa.string()),
                "table": pa.array([f"t{i}.csv" for i in range(n)], pa.string()),
                "column": pa.array(names, pa.string()),
                "family": pa.array(["text"] * n, pa.string()),
                "cells": pa.array(cells, pa.list_(pa.string())),
            }
        )
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("customer_id", ["customer", "id"]), ("customerId", ["customer", "id"]), ("HTTPServer", ["http", "server"]),
        ("Cities of the world", ["city", "world"]), ("glass", ["glass"]), ("gas", ["gas"]), ("", []), ("of the", []),
        ("Zürich 2024", ["zürich", "2024"]), ("ÉTAT", ["état"]), ("Москва", ["москва"]),
    ],
)  # fmt: skip
def test_words(text, words):
    assert words_of(text) == words


@given(st.text())
def test_any_text_has_words_or_none(text):
    assert all(word and word == word.casefold() for word in words_of(text))


def test_titles_count_more_than_columns_and_those_more_than_cells():
    index = index_of(("rivers", "x", ["a"]), ("x", "rivers", ["a"]), ("x", "x", ["rivers"]), ("x", "x", ["b"]))
    scores = index.scores(words_of("River"))
    assert (np.diff(scores) < 0).all()
    assert scores[3] == 0


def test_save_and_load(tmp_path):
    for number, tables in enumerate([(), (("rivers", "name", ["Rhine"]), ("towns", "name", ["Ulm"]))]):
        folder = tmp_path / str(number)
        folder.mkdir()
        index = index_of(*tables)
        index.save(folder)
        again = WordIndex.load(folder)
        assert again.tables.tolist() == index.tables.tolist()
        np.testing.assert_array_equal(again.scores(["rhine"]), index.scores(["rhine"]))


def test_unknown_words_score_nothing():
    assert index_of(("rivers", "name", ["Rhine"])).scores(["nothing"]).tolist() == [0]
    assert index_of().scores(["nothing"]).tolist() == []


def test_tables_without_words_can_be_indexed():
    assert index_of(("", "", [""]), ("?", "!", ["…"])).scores(["x"]).tolist() == [0, 0]
