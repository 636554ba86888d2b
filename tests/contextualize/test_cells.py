import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tablelens.contextualize.cells import choose_cells
from tablelens.index.postings import Postings
from tablelens.pipeline.texts import column_text, frequencies
from tablelens.profile.columns import profile_column
from tablelens.profile.normalize import hash_values
from tablelens.settings import Settings


def test_common_values_come_first_and_ties_keep_their_order():
    assert choose_cells(["a", "b", "c", "d"], np.array([1, 5, 1, 9]), 100) == ("d", "b", "a", "c")


def test_never_more_cells_than_tokens_or_far_more_text():
    assert choose_cells(["a", "b", "c"], np.array([1, 1, 1]), 2) == ("a", "b")
    assert len(choose_cells(["x" * 100] * 10, np.ones(10), 50)) == 4
    assert choose_cells([], np.array([], np.int64), 10) == ()


@given(st.lists(st.tuples(st.text(max_size=30), st.integers(0, 9)), unique_by=lambda pair: pair[0]), st.integers(1, 40))
def test_chosen_are_the_most_frequent(pairs, tokens):
    cells, counts = [cell for cell, _ in pairs], np.array([count for _, count in pairs], np.int64)
    chosen = choose_cells(cells, counts, tokens)
    left = [count.bit_length() for cell, count in pairs if cell not in chosen]
    assert chosen == choose_cells(cells, counts, tokens)
    assert not chosen or not left or min(dict(pairs)[cell].bit_length() for cell in chosen) >= max(left)


def test_frequencies_count_by_powers_of_two():
    assert choose_cells(["a", "b", "c", "d", "e"], np.array([4, 7, 8, 0, 1]), 100) == ("c", "a", "b", "e", "d")


def test_what_comes_after_the_cells_is_not_cut_off_with_them():
    cells = [f"cell {i:04}" for i in range(1000)]
    chosen = choose_cells(cells, np.ones(1000), 100, after="x" * 90)
    assert len(", ".join(chosen)) + 90 <= 3 * 100 + len(cells[0])
    assert len(choose_cells(cells, np.ones(1000), 100)) > 2 * len(chosen)


def test_a_context_names_the_other_columns_and_comes_last():
    postings, names = Postings.build([]), ["Company", "city", "founded"]
    profile = profile_column(pa.chunked_array([["Apple", "GE"]]), Settings(), name="Company")
    settings = Settings(template="title-colname-col-context")
    made = column_text(profile, "Firms", postings, 100, settings, names)
    assert made.text == "Firms. Company: Apple, GE. Other columns: city, founded."
    assert column_text(profile, "Firms", postings, 100, settings).text == "Firms. Company: Apple, GE."
    assert column_text(profile, "", postings, 100, Settings(template="col"), names).text == "Apple, GE"


def test_frequency_is_the_number_of_columns_that_hold_the_value():
    postings = Postings.build([hash_values(["de", "fr"]), hash_values(["de"]), hash_values(["rome"])])
    assert frequencies(["DE", "fr", "Rome", "nowhere"], postings).tolist() == [2, 1, 1, 0]
    assert frequencies(["DE"], Postings.build([])).tolist() == [0]


def test_a_column_from_outside_reads_as_one_of_the_lake():
    postings = Postings.build([hash_values(["ge"]), hash_values(["ge", "apple"])])
    profile = profile_column(pa.chunked_array([["Apple", "GE", "IBM", "IBM"]]), Settings(), name="Company")
    made = column_text(profile, "Firms", postings, 100, Settings())
    assert made.text == "Firms. Company contains 3 values (5, 2, 3.3): GE, Apple, IBM."
    assert made.distinct == 3
    assert made.values.tolist() == profile.values.hashes.tolist()
