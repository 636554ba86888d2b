"""What the macros say of cells and words is what the code says."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tablelens.index.words import words_of
from tablelens.profile.kinds import is_text
from tablelens.profile.names import words
from tablelens.profile.normalize import NULL_WORDS, hash_value, normalize

LETTERS = st.characters(exclude_categories=("Cs", "Cc"), max_codepoint=0x17F) | st.sampled_from("\t\n\x1c ")
NUMBERS = st.from_regex(r"[+-]?[0-9]{0,4}\.?[0-9]{0,4}", fullmatch=True)
UNFOLDED = frozenset("ßſŉİµªº²³¹¼½¾¨¯´¸ĲĳĿŀǰ\xa0\xad")
"""Letters that compatibility folding changes and lower() does not."""


@pytest.fixture(scope="module")
def attached(crawled):
    with duckdb.connect() as connection:
        number = crawled.view.generation.number
        connection.execute(f"ATTACH '{crawled.home}/catalog-{number}.duckdb' AS tablelens (READ_ONLY)")
        yield connection


@settings(max_examples=150, deadline=None)
@given(cells=st.lists(st.text(LETTERS).filter(lambda s: not UNFOLDED & set(s)) | NUMBERS, min_size=1, max_size=20))
def test_normalize(attached, cells):
    asked = "SELECT list_transform(?::VARCHAR[], lambda x: tablelens.normalize(x))"
    assert attached.execute(asked, [cells]).fetchall() == [([normalize(cell) for cell in cells],)]


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_words(attached, text):
    assert attached.execute("SELECT tablelens.words_of(?)", [text]).fetchall() == [(words_of(text),)]


@settings(max_examples=150, deadline=None)
@given(values=st.lists(st.text(LETTERS, min_size=1, max_size=130) | NUMBERS.filter(bool), min_size=1, max_size=20))
def test_hashes(attached, values):
    asked = "SELECT list_transform(?::VARCHAR[], lambda v: tablelens.hash_of(v))"
    wanted = [hash_value(value) if len(value.encode()) <= 240 else None for value in values]
    assert attached.execute(asked, [values]).fetchall() == [(wanted,)]


def test_null_words(attached):
    asked = "SELECT list_transform(?::VARCHAR[], lambda x: tablelens.normalize(x))"
    assert attached.execute(asked, [sorted(NULL_WORDS)]).fetchall() == [([None] * len(NULL_WORDS),)]


@pytest.mark.parametrize(
    "value", ["de", "6th", "€1.2m", "2011–2017", "a1", "2024-01-02", "1.5e3", "12 km", "x", "漢字", "5"]
)
def test_what_is_text(attached, value):
    assert attached.execute("SELECT tablelens.is_text(?)", [value]).fetchall() == [(is_text(value),)]


@pytest.mark.parametrize("name", ["customerId_2", "ISOCode", "Zürich ÉTAT", "a1b2", "", "HTTPServer", "x"])
def test_names(attached, name):
    assert attached.execute("SELECT tablelens.parts_of(?)", [name]).fetchall() == [(sorted(words(name)),)]
