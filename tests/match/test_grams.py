"""Pairs of cells that are written alike, found without looking at all pairs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tablelens.match.grams import BEST, FAINT, LEAST, alike, dots, grams_of

WORDS = st.lists(
    st.sampled_from(["north", "south", "lake", "mount", "saint", "river", "old", "new", "1", "22"]),
    min_size=1,
    max_size=3,
)
CELLS = st.lists(WORDS.map(" ".join), min_size=1, max_size=12, unique=True)


@given(CELLS, CELLS)
def test_the_prefix_filter_loses_no_pair_that_is_much_alike(left, right):
    one, other = grams_of(left, right)
    rows, partners = (part.reshape(-1) for part in np.indices((len(left), len(right))))
    cosine = dots(one, other, rows, partners)
    found = alike(left, right)
    kept = dict(zip(zip(found.left.tolist(), found.right.tolist(), strict=True), found.cosine.tolist(), strict=True))
    for i, j, c in zip(rows.tolist(), partners.tolist(), cosine.tolist(), strict=True):
        if c > LEAST + FAINT + 1e-9 and sum(found.left == i) < BEST:
            assert abs(kept[i, j] - c) < 1e-9
    assert all(c >= LEAST for c in kept.values())


@given(CELLS, CELLS)
def test_the_cosine_is_the_same_from_both_sides(left, right):
    there, back = alike(left, right), alike(right, left)
    mine = {(i, j): c for i, j, c in zip(there.left.tolist(), there.right.tolist(), there.cosine.tolist(), strict=True)}
    theirs = {(j, i): c for i, j, c in zip(back.left.tolist(), back.right.tolist(), back.cosine.tolist(), strict=True)}
    assert all(abs(mine[pair] - theirs[pair]) < 1e-9 for pair in mine.keys() & theirs.keys())


@given(st.lists(st.text(max_size=8), max_size=6), st.lists(st.text(max_size=8), max_size=6))
def test_any_text_will_do(left, right):
    found = alike(left, right)
    assert ((found.cosine >= LEAST) & (found.cosine <= 1 + 1e-9) & (found.within <= 1)).all()


def test_a_cell_is_most_like_itself():
    cells = [f"station {i} of line {i * 7 % 13}" for i in range(200)]
    found = alike(cells, cells)
    best = {i: j for i, j, c in sorted(zip(found.left, found.right, found.cosine, strict=True), key=lambda p: p[2])}
    assert all(i == j for i, j in best.items())
    assert len(best) == len(cells)
