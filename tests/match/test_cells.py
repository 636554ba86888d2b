"""Cells are matched: equal ones always, others one to one where both are keys, none below the threshold."""

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablelens.match.cells import HOW, THRESHOLD, match_cells
from tablelens.match.pairs import Pairs, pairs_table
from tablelens.match.programs import DELIMITERS, FIXED, cut, find_program, letters, padded, part
from tablelens.profile.normalize import normalize

NAMES = [
    "Saint Helena",
    "St. Helena",
    "North Macedonia",
    "Macedonia",
    "Czechia",
    "Czech Republic",
    "The Gambia",
    "Gambia",
]
CELLS = st.lists(st.one_of(st.sampled_from(NAMES), st.text(max_size=12)), max_size=12)


@given(CELLS, CELLS, st.booleans())
def test_laws(left, right, one_to_one):
    found = match_cells(left, right, one_to_one=one_to_one)
    assert len(set(found.left.tolist())) == len(found.left)
    assert ((found.score >= THRESHOLD) & (found.score <= 1)).all()
    values = {normalize(cell) for cell in right} - {None}
    partner = dict(zip(found.left.tolist(), found.right.tolist(), strict=True))
    first = {}
    for i, cell in enumerate(left):
        if (value := normalize(cell)) is not None and first.setdefault(value, i) == i and value in values:
            assert normalize(right[partner[i]]) == value  # what is equal stays with its equal
    if one_to_one:
        assert len(set(found.right.tolist())) == len(found.right)


@given(CELLS, CELLS)
def test_one_to_one_matches_are_the_same_from_both_sides(left, right):
    left, right = (list({normalize(c): c for c in side if normalize(c)}.values()) for side in (left, right))
    there = match_cells(left, right, one_to_one=True)
    back = match_cells(right, left, one_to_one=True)
    equal = [set(zip(f.left[f.how == 0].tolist(), f.right[f.how == 0].tolist(), strict=True)) for f in (there, back)]
    assert equal[0] == {(j, i) for i, j in equal[1]}


def test_names_that_are_written_otherwise():
    left = ["University of California, Berkeley", "Massachusetts Institute of Technology", "Oslo", "ETH Zürich"]
    right = ["oslo", "ETH Zurich", "Univ. of California Berkeley", "Massachusetts Inst. of Technology", "Rome"]
    found = match_cells(left, right)
    pairs = {left[i]: (right[j], HOW[h]) for i, j, h in zip(found.left, found.right, found.how, strict=True)}
    assert pairs["Oslo"] == ("oslo", "equal")
    assert pairs["ETH Zürich"][0] == "ETH Zurich"
    assert pairs["University of California, Berkeley"] == ("Univ. of California Berkeley", "similar")


def test_numbers_are_equal_or_they_are_not():
    found = match_cells([str(i) for i in range(1000, 1200)], [str(i) for i in range(1100, 1300)])
    assert (found.how == 0).all()
    assert len(found.left) == 100


def test_numbers_with_other_digits_are_other_numbers():
    cells, values = [str(30 * i) for i in range(40)], {str(i) for i in range(80)}
    assert find_program([f"3{i}" for i in range(40)], range(40), values) is None
    assert find_program(cells, range(20, 40), values) is None


def test_other_things_do_not_match():
    rng = np.random.default_rng(1)
    words = ["".join(rng.choice(list("abcdefghijklmnop"), 9)) for _ in range(400)]
    assert len(match_cells(words[:200], words[200:]).left) <= 2


@pytest.mark.parametrize(
    ("left", "right", "name"),
    [
        ([f"{i:05}" for i in range(40)], [str(i) for i in range(40)], "without leading zeros"),
        ([str(i) for i in range(1000, 1040)], [f"0{i}" for i in range(1000, 1040)], "padded with zeros to 5"),
        ([f"US-{i}xy" for i in range(40)], [f"{i}xy" for i in range(40)], "without the prefix 'US-'"),
        ([f"Ada{i} County" for i in range(40)], [f"ada{i}" for i in range(30)], "without the suffix ' County'"),
        (
            [f"Last{i}, First{i}" for i in range(40)],
            [f"First{i} Last{i}" for i in range(40)],
            "turned round at the comma",
        ),
        ([f"town{i}, {chr(65 + i % 9)}X" for i in range(40)], [f"Town{i}" for i in range(40)], "part 1 between ','"),
        ([f"{i}-{i}-77" for i in range(1000, 1040)], [f"{i}{i}77" for i in range(1000, 1040)], "digits alone"),
    ],
)
def test_transformations_are_found_and_run_in_sql(left, right, name):
    found = match_cells(left, right, one_to_one=True)
    program = found.program
    assert len(found.left) == min(len(left), len(right))
    assert program is not None
    cells = left if found.turned == "left" else right
    said = [duckdb.execute(f"SELECT {program.sql('$1::VARCHAR')}", [cell]).fetchone()[0] for cell in cells]
    assert [normalize(cell or "") for cell in said] == [normalize(program.apply(cell) or "") for cell in cells]
    assert program.name == name


PROGRAMS = [
    *FIXED,
    *(part(delimiter, place) for delimiter in DELIMITERS for place in (0, 1, -1)),
    *(cut("a.", front=True), cut("(b", front=False), letters(2, front=True), letters(3, front=False), padded(4)),
]
PLAIN = st.text(st.sampled_from("aBé(b).,-_ 0127'Å"), max_size=10)


@given(PLAIN, st.sampled_from(PROGRAMS))
def test_python_and_sql_agree(cell, program):
    (said,) = duckdb.execute(f"SELECT {program.sql('$1::VARCHAR')}", [cell]).fetchone()
    assert (said or "") == (program.apply(cell) or "") or program.apply(cell) is None


def test_the_first_letters_of_names_are_no_codes():
    names = [
        "Alabama",
        "Alaska",
        "Arizona",
        "Arkansas",
        "Colorado",
        "Connecticut",
        "Delaware",
        "Florida",
        "Georgia",
        "Idaho",
    ]
    codes = {"al", "ak", "az", "ar", "co", "ct", "de", "fl", "ga", "id"}
    assert find_program(names, range(len(names)), codes) is None


def test_namibia_is_matched_among_codes():
    codes = [first + second for first in "ABCDE" for second in "EFGHI"]
    found = match_cells([*codes, "NA"], ["NA", *codes])
    assert len(found.left) == len(codes) + 1
    assert len(match_cells(["Namibia", "NA"], ["NA", "Namibia"]).left) == 1  # no codes: NA is no value


def test_hostile_cells():
    left = ["", "x" * 10_000_000, "👩‍👩‍👧 family", "مرحبا بالعالم", "\ud800", "a\0b", "\u202egnirts"]
    right = ["👩‍👩‍👧 Family", "مرحبا  بالعالم", "x" * 10_000_000, "\u202egnirts ", "a\0b."]
    found = match_cells(left, right)
    pairs = Pairs.of(pairs_table(left, right, found))
    assert {left[i][:6] for i in found.left} >= {"👩‍👩‍👧 "[:6], "مرحبا "[:6], "xxxxxx"}
    assert pairs.left == len(left)
    assert match_cells([], []).left.tolist() == []
