"""Perturbations and what they must leave alone."""

from hypothesis import given
from hypothesis import strategies as st
from tablelens.probes.data import generate, perturb
from tablelens.probes.data.dataset import fitted, subject
from tablelens.probes.data.words import SYNONYMS
from tablelens.probes.testing import make_table

cells = st.lists(st.text(max_size=8), max_size=8)


@given(cells)
def test_forms_change_cells_and_not_their_number(column):
    for write in (*perturb.FORMS.values(), perturb.rewrite):
        made = write(column)
        assert made is None or (len(made) == len(column) and made != column)


@given(cells, st.integers(0, 99))
def test_a_typo_is_one_letter(column, seed):
    made = perturb.typos(column, 1.0, seed)
    for before, after in zip(column, made or column, strict=True):
        assert len(before) == len(after)
        assert sum(a != b for a, b in zip(before, after, strict=True)) <= 1


@given(st.text(max_size=20))
def test_any_name_has_another_or_none(name):
    assert perturb.synonym(name) != name
    assert perturb.abbreviation(name) != name


def test_no_synonym_is_the_word_itself():
    assert all(word != other and other for word, other in SYNONYMS.items())


def test_generated_tables_are_the_same_for_the_same_seed():
    assert generate(8, 12, 3).revision == generate(8, 12, 3).revision != generate(8, 12, 4).revision


def test_the_part_that_is_looked_at():
    wide = make_table(*[["x" * 500] * 9] * 40)
    shown = fitted(wide, 5)
    assert (shown.rows, shown.width, len(shown.columns[0][0])) == (5, 12, 200)
    assert fitted(make_table([""], [""]), 5) is None
    assert fitted(make_table(), 5) is None


def test_the_subject_is_the_leftmost_text_column_with_the_most_values():
    assert subject(make_table([1, 2, 3], "aab", "xyz", "uvw")) == 2
    assert subject(make_table([1, 2], [3, 4])) == 0
