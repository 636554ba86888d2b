import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tablelens.profile.normalize import NULL_WORDS, hash_value, hash_values, normalize

TEXT = st.text(st.characters(exclude_categories=[]))  # surrogates too: broken names hold them
WORDS = st.text(st.characters(categories=["Ll", "Lu", "Nd"]), min_size=1)


@given(TEXT)
@example("\u0345\u03b1")
@example("ẞͅ")
@example("¨ ̈")
@example("-0.0")
def test_idempotent(cell):
    value = normalize(cell)
    assert value is None or normalize(value) == value


@given(TEXT)
def test_no_value_is_a_null_word_or_has_loose_space(cell):
    value = normalize(cell)
    assert value is None or (value not in NULL_WORDS and " ".join(value.split()) == value != "")


@given(WORDS, st.lists(WORDS, max_size=3))
def test_case_and_space_do_not_matter(word, words):
    cell = " ".join([word, *words])
    wide = "\u3000\t".join(["", word, *words, "\n"])
    assert normalize(cell) == normalize(wide) == normalize(cell.casefold())


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_width_does_not_matter(cell):
    assert normalize(cell) == normalize("".join(chr(ord(letter) + 0xFEE0) for letter in cell))


@given(TEXT)
def test_unicode_forms_agree(cell):
    assert normalize(unicodedata.normalize("NFD", cell)) == normalize(unicodedata.normalize("NFC", cell))


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("+1.50", "1.5"), ("5.0", "5"), ("5.", "5"), (".5", "0.5"), ("-.50", "-0.5"), ("-0", "0"), ("-0.00", "0"),
        ("01001", "01001"), ("007.50", "007.5"), ("1,000", "1,000"), ("1e5", "1e5"), ("1.2.3", "1.2.3"),
        ("2024-01-01", "2024-01-01"), ("+49 30", "+49 30"), ("٣", "٣"), ("３.０", "3"), ("-", None), ("+", "+"),
    ],
)  # fmt: skip
def test_numbers_have_one_form(cell, value):
    assert normalize(cell) == value


@given(st.integers(-(10**30), 10**30), st.integers(0, 5))
def test_whole_numbers_agree_with_their_decimals(number, zeros):
    assert normalize(f"{number}.{'0' * zeros}") == normalize(str(number)) == str(number)


@pytest.mark.parametrize("word", sorted(NULL_WORDS))
def test_null_words_are_no_values(word):
    assert normalize(word) is None
    assert normalize(f"  {word.upper()}\t") is None


def test_hashes_are_sorted_and_distinct():
    hashes = hash_values(["b", "a", "b", "c"])
    assert hashes.dtype == np.uint64
    assert hashes.tolist() == sorted({hash_value("a"), hash_value("b"), hash_value("c")})
    assert hash_values([]).dtype == np.uint64


def test_hashes_never_change():
    """They lie in catalogues on disk."""
    assert hash_value("new york") == 1626574636211501579
    assert hash_value("é") == 17839895020865391795
    assert hash_value("\ud800") != hash_value("\ud801")


def test_hashes_spread_evenly():
    words = [f"word {i}" for i in range(20_000)]
    buckets = np.bincount([hash_value(word) >> 60 for word in words], minlength=16)
    assert buckets.min() > 1_000
