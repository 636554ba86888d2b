"""Each measure against its closed form, and the laws that hold for any vectors."""

from itertools import permutations
from math import factorial, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tablelens.probes import measures as m

clouds = arrays(np.float32, st.tuples(st.integers(2, 8), st.integers(1, 5)), elements=st.floats(-1e3, 1e3, width=32))


def test_mcv_by_projection_is_the_value_of_the_covariance_route():
    rows = np.random.default_rng(1).normal(1, 2, (9, 4))
    mean, cov = rows.mean(axis=0), np.cov(rows.T)
    assert m.mcv(rows) == pytest.approx(sqrt(mean @ cov @ mean / (mean @ mean) ** 2), abs=1e-12)
    assert m.mcv([[1, 1, 1], [2, 2, 2], [6, 6, 6]]) == pytest.approx(sqrt(7) / 3)


def test_mcv_is_blind_to_rotation_and_van_valen_is_not():
    for a in (0.1, 0.5, 1.0, 3.0):
        pair = [(1, a), (1, -a)]
        assert m.mcv(pair) == 0
        assert m.cosine([pair[0]], [pair[1]])[0] == pytest.approx((1 - a * a) / (1 + a * a))
        assert m.van_valen(pair) == pytest.approx(sqrt(2) * a)


@given(clouds)
def test_coefficients_are_never_nan_nor_negative(rows):
    for measure in (m.mcv, m.van_valen):
        assert not np.isnan(measure(rows))
        assert measure(rows) >= 0


@given(arrays(np.float32, 6, elements=st.floats(-1e4, 1e4, width=32)), st.integers(1, 9))
def test_equal_rows_do_not_vary(row, n):
    rows = np.tile(row, (n, 1))
    assert m.mcv(rows) == m.van_valen(rows) == 0


@given(clouds, st.floats(0.1, 50))
def test_coefficients_do_not_depend_on_scale(rows, scale):
    rows = rows + np.float32(3000)  # away from a mean of zero
    assert m.mcv(rows * scale) == pytest.approx(m.mcv(rows), rel=1e-3, abs=1e-5)
    assert m.van_valen(rows * scale) == pytest.approx(m.van_valen(rows), rel=1e-3, abs=1e-5)


def test_on_unit_vectors_van_valen_and_the_mean_pairwise_cosine_follow_from_the_mean_length():
    rows = m.unit(np.random.default_rng(2).normal(0.5, 1, (7, 5)))
    n, length = len(rows), np.linalg.norm(rows.mean(axis=0))
    pairs = [rows[i] @ rows[j] for i in range(n) for j in range(n) if i != j]
    assert m.mean_pairwise_cosine(rows) == pytest.approx(np.mean(pairs))
    assert m.van_valen(rows) == pytest.approx(sqrt(n / (n - 1) * (1 - length**2)) / length)


@pytest.mark.parametrize("n", [3, 4])
def test_first_row_embedder_over_all_permutations(n):
    """Cosine ((n-1)! - 1) / (n! - 1), Albert-Zhang 0, Van Valen √(n-1) of the population."""
    rows = np.eye(n)[[order[0] for order in permutations(range(n))]]
    total = factorial(n)
    assert m.cosine(rows[1:], np.tile(rows[0], (total - 1, 1))).mean() == pytest.approx(
        (factorial(n - 1) - 1) / (total - 1)
    )
    assert m.mcv(rows) == pytest.approx(0, abs=1e-12)
    assert m.van_valen(rows) == pytest.approx(sqrt(n - 1) * sqrt(total / (total - 1)))


def test_position_coded_embedder():
    a = 0.3
    e, p = np.eye(8)[:4], np.eye(8)[4:]
    assert m.cosine([e[0] + a * p[0]], [e[0] + a * p[0]])[0] == pytest.approx(1)
    assert m.cosine([e[0] + a * p[0]], [e[0] + a * p[1]])[0] == pytest.approx(1 / (1 + a * a))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=30))
def test_spearman_is_scipys_and_survives_constants(pairs):
    from scipy.stats import spearmanr

    left, right = (np.array(side, float) for side in zip(*pairs, strict=True))
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        assert m.spearman(left, right) == 0
    else:
        assert m.spearman(left, right) == pytest.approx(spearmanr(left, right).statistic)


@given(st.lists(st.integers(0, 4), min_size=1), st.lists(st.integers(0, 4), min_size=1))
def test_auc_is_the_share_of_pairs(left, right):
    share = np.mean([(a > b) + (a == b) / 2 for a in left for b in right])
    assert m.auc(left, right) == pytest.approx(share)


def test_equal_sets_give_the_same_order_by_cosine_containment_and_both_jaccards():
    n, d = 10, 60
    query = set(range(n))
    others = [set(range(i, n + i)) for i in range(n + 1)]
    vectors = [np.isin(np.arange(d), list(found)).astype(float) for found in [query, *others]]
    near = m.cosine(np.tile(vectors[0], (len(others), 1)), np.array(vectors[1:]))
    names = [[str(i) for i in found] for found in [query, *others]]
    for c, other, cos in zip([1 - i / n for i in range(n + 1)], names[1:], near, strict=True):
        assert cos == pytest.approx(c)
        assert m.containment(names[0], other) == pytest.approx(c)
        assert m.jaccard(names[0], other) == pytest.approx(c / (2 - c))
        assert m.multiset_jaccard(names[0], other) == pytest.approx(c / 2)
    assert m.spearman(near, [m.jaccard(names[0], other) for other in names[1:]]) == pytest.approx(1)


def test_unequal_sets_and_multisets():
    a, b = np.zeros(30), np.zeros(30)
    a[:4], b[2:11] = 1, 1
    assert m.cosine([a], [b])[0] == pytest.approx(2 / sqrt(4 * 9))
    assert m.jaccard("aab", "abb") == 1
    assert m.multiset_jaccard("aab", "abb") == pytest.approx(2 / 6)
    assert m.containment([], ["a"]) == m.jaccard([], []) == m.multiset_jaccard([], []) == 0


def test_overlap_is_one_for_a_rotation_and_chance_for_strangers():
    rng = np.random.default_rng(3)
    space = rng.normal(size=(500, 12))
    turn, _ = np.linalg.qr(rng.normal(size=(12, 12)))
    assert m.top_k_overlap(space, 7 * space @ turn, 10).mean() == 1
    stranger = m.top_k_overlap(space, rng.normal(size=(500, 12)), 10).mean()
    assert stranger == pytest.approx(10 / 499, abs=0.008)  # not 0.12, as where an item is its own neighbour
    assert m.above_chance(10 / 499, 10 / 499) == 0
    assert (m.neighbours(space, 10) != np.arange(500)[:, None]).all()


def test_cka_is_one_for_a_rotation_and_a_scale():
    rng = np.random.default_rng(4)
    space = rng.normal(size=(40, 6))
    turn, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    assert m.cka(space, 3 * space @ turn + 5) == pytest.approx(1)
    assert m.cka(space, np.ones((40, 6))) == 0


@given(st.permutations(range(8)), st.floats(0.1, 0.99))
def test_rbo_lies_between_0_and_1_and_is_symmetric(order, p):
    found = m.rbo(list(range(8)), list(order), p)
    assert 0 <= found <= 1
    assert found == pytest.approx(m.rbo(list(order), list(range(8)), p))
    assert m.rbo(list(order), list(order), p) == pytest.approx(1)


def test_effective_rank_and_hubness():
    assert m.effective_rank(np.ones((5, 4))) == 1
    assert m.effective_rank(np.vstack([np.eye(6), -np.eye(6)])) == pytest.approx(6)
    assert m.hubness(np.random.default_rng(5).normal(size=(300, 3))) < 1
    assert m.hubness(np.ones((3, 2))) == 0


def test_self_retrieval_splits_ties_so_that_a_constant_finds_nothing():
    space = np.eye(5)
    assert m.self_retrieval(space, space, range(5)).tolist() == [1] * 5
    assert m.self_retrieval(np.ones((5, 3)), np.ones((5, 3)), range(5)).mean() == pytest.approx(1 / 5)


def test_sample_of_a_mean_follows_the_finite_population_formula():
    """E|ē_m - ē|² = (1 - m/n) tr S / m."""
    rng = np.random.default_rng(6)
    rows = rng.normal(1, 1, (20, 8))
    n, size = len(rows), 5
    true = (1 - size / n) * np.trace(np.cov(rows.T)) / size
    drawn = [rows[rng.choice(n, size, replace=False)].mean(axis=0) - rows.mean(axis=0) for _ in range(4000)]
    assert np.mean(np.sum(np.square(drawn), axis=1)) == pytest.approx(true, rel=0.05)


def test_leak_of_the_context_into_a_column():
    k, leak = 5, 0.2
    e = np.eye(k)
    mixed = (1 - leak) * e[0] + leak * e.mean(axis=0)
    a, b = 1 - leak + leak / k, leak / k
    assert m.cosine([e[0]], [mixed])[0] == pytest.approx(a / sqrt(a * a + (k - 1) * b * b))
    assert m.cosine([e[0]], [mixed])[0] == pytest.approx(0.99550, abs=1e-5)
