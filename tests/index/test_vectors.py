"""Laws of every VectorIndex, and how near the graph comes to exact search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tablelens.errors import DamagedIndex, IndexFault, IndexMismatch, UsageError
from tablelens.index.exact import ExactIndex
from tablelens.index.generation import KINDS
from tablelens.index.hnsw import FILE, HnswIndex
from tablelens.index.hnsw_file import read_vectors
from tablelens.index.ivf import IvfIndex

D = 8
ROUNDED = {"ivf": 0.02}
"""How far a kind that keeps bytes may be off, as a share of the vectors' length."""


@pytest.fixture(params=sorted(KINDS))
def kind(request):
    return KINDS[request.param]


def vectors(n, seed=0, d=D):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def filled(kind, n=100, seed=0):
    index = kind(D)
    index.add(np.arange(n) * 3, vectors(n, seed))
    return index


def reloaded(index, folder):
    folder.mkdir()
    about = index.save(folder) | {"dimension": index.dimension}
    return type(index).load(folder, about)


def assert_answers(index, held):
    """The index holds these vectors, {label: vector}, and finds the best of them."""
    assert len(index) == len(held)
    assert sorted(index.labels().tolist()) == sorted(held)
    queries = vectors(5, 99)
    for query, (labels, scores) in zip(queries, index.query(queries, len(held) + 3), strict=True):
        assert set(labels.tolist()) <= set(held)
        assert len(labels) == len(set(labels.tolist())) == len(held)
        truth = np.array([held[label] @ query for label in labels.tolist()])
        np.testing.assert_allclose(scores, truth, atol=1e-3 + ROUNDED.get(index.kind, 0) * np.linalg.norm(query))
        assert (np.diff(scores) <= 1e-5).all()
    if held:
        names = np.array(sorted(held))
        assert_near(index.vectors(names), [held[n] for n in names.tolist()], index.kind)


def assert_near(found, wanted, kind):
    np.testing.assert_allclose(found, wanted, atol=1e-6 + ROUNDED.get(kind, 0) * np.abs(wanted).max(initial=0))


def test_empty_index_answers_nothing(kind, tmp_path):
    for index in (kind(D), reloaded(kind(D), tmp_path / "x")):
        assert len(index) == 0
        assert index.labels().tolist() == []
        ((labels, scores),) = index.query(vectors(1), 5)
        assert (len(labels), len(scores)) == (0, 0)
        index.remove(np.array([1]))


@given(data=st.data())
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("name", sorted(KINDS))
def test_adds_replacements_and_removals(name, data, tmp_path_factory):
    index, held = KINDS[name](D), {}
    for step in range(data.draw(st.integers(1, 8))):
        labels = data.draw(st.lists(st.integers(0, 30), min_size=1, max_size=12, unique=True))
        what = data.draw(st.sampled_from(["add", "add", "remove", "reload"]))
        if what == "add":
            made = vectors(len(labels), step)
            made /= np.linalg.norm(made, axis=1, keepdims=True)
            index.add(np.array(labels), made)
            held |= dict(zip(labels, made, strict=True))
        elif what == "remove":
            index.remove(np.array(labels))
            held = {label: vector for label, vector in held.items() if label not in labels}
        else:
            index = reloaded(index, tmp_path_factory.mktemp("index") / "x")
        assert_answers(index, held)


def test_query_gives_the_best_k_in_order(kind):
    index = filled(kind)
    ((labels, scores),) = index.query(vectors(1, 7), 10)
    truth = vectors(100) @ vectors(1, 7)[0]
    rounded = ROUNDED.get(kind.kind, 0)
    assert set(labels.tolist()) == set((np.argsort(-truth)[:10] * 3).tolist())
    np.testing.assert_allclose(truth[labels // 3], np.sort(truth)[::-1][:10], atol=rounded * 10)
    np.testing.assert_allclose(scores, truth[labels // 3], rtol=1e-4 + rounded)


def test_k_beyond_the_size_gives_all(kind):
    ((labels, _),) = filled(kind, 7).query(vectors(1, 7), 1000)
    assert sorted(labels.tolist()) == [0, 3, 6, 9, 12, 15, 18]


@pytest.mark.parametrize("k", [0, -1])
def test_no_neighbours_asked_none_given(kind, k):
    assert len(filled(kind, 7).query(vectors(1, 7), k)[0][0]) == 0


def test_longer_vectors_come_first_at_the_same_angle(kind):
    index = kind(2)
    index.add(np.array([1, 2, 3]), np.array([[1, 0], [1.2, 0], [0.5, 0.5]], np.float32))
    assert index.query(np.array([[1, 0]], np.float32), 3)[0][0].tolist() == [2, 1, 3]


def test_a_removed_label_is_never_returned_and_can_come_back(kind):
    index = filled(kind)
    index.remove(np.array([0, 3, 12345]))
    for labels, _ in index.query(vectors(100), 100):
        assert not {0, 3} & set(labels.tolist())
    with pytest.raises(KeyError):
        index.vectors(np.array([3]))
    index.add(np.array([3]), vectors(1, 5))
    assert len(index) == 99
    assert_near(index.vectors(np.array([3])), vectors(1, 5), index.kind)


def test_nearly_all_removed_still_answers(kind):
    index = filled(kind, 500)
    index.remove(np.arange(490) * 3)
    assert_answers(index, {i * 3: vectors(500)[i] for i in range(490, 500)})


def test_the_same_twice_is_the_same(kind):
    one, two = filled(kind), filled(kind)
    two.add(np.arange(100) * 3, vectors(100))
    for (a, _), (b, _) in zip(one.query(vectors(9, 5), 5), two.query(vectors(9, 5), 5), strict=True):
        assert a.tolist() == b.tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(kind, bad):
    index, rows = filled(kind, 9), vectors(2)
    rows[1, 3] = bad
    with pytest.raises(UsageError, match="NaN or infinity"):
        index.add(np.array([50, 51]), rows)
    with pytest.raises(UsageError, match="NaN or infinity"):
        index.query(rows, 1)
    assert len(index) == 9


def test_another_dimension_is_refused(kind):
    index = filled(kind, 9)
    with pytest.raises(IndexMismatch, match="8 dimensions, given were 7"):
        index.query(vectors(1, d=7), 1)
    with pytest.raises(IndexMismatch):
        index.add(np.array([1]), vectors(1, d=9))


def test_unknown_labels_have_no_vectors(kind, tmp_path):
    for index in (filled(kind), reloaded(filled(kind), tmp_path / "x"), kind(D)):
        for label in (1, 10_000):
            with pytest.raises(KeyError):
                index.vectors(np.array([label]))


def test_zero_vectors_are_held(kind):
    index = kind(D)
    index.add(np.array([1, 2]), np.zeros((2, D), np.float32))
    assert sorted(index.query(vectors(1), 5)[0][0].tolist()) == [1, 2]


@pytest.mark.parametrize("approximate", [HnswIndex, IvfIndex])
def test_recall_on_clustered_vectors(approximate):
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(60, 32))
    rows = (centres[rng.integers(0, 60, 5000)] + 0.2 * rng.normal(size=(5000, 32))).astype(np.float32)
    rows *= rng.uniform(1, 1.4, (5000, 1)).astype(np.float32) / np.linalg.norm(rows, axis=1, keepdims=True)
    queries = (centres[rng.integers(0, 60, 200)] + 0.2 * rng.normal(size=(200, 32))).astype(np.float32)
    exact, index = ExactIndex(32), approximate(32)
    for made in (exact, index):
        made.add(np.arange(5000), rows)
    pairs = zip(exact.query(queries, 10), index.query(queries, 20), strict=True)
    assert np.mean([len(np.intersect1d(truth, found)) / 10 for (truth, _), (found, _) in pairs]) >= 0.95


@pytest.mark.parametrize("approximate", [HnswIndex, IvfIndex])
def test_labels_have_no_part_in_what_is_found(approximate):
    """Ids of columns differ from crawl to crawl; the same columns in the same order are found all the same."""
    rows, other = vectors(3000, 4), np.random.default_rng(8).permutation(3000)
    rows[100:200] = rows[0]
    one, two = approximate(D), approximate(D)
    one.add(np.arange(3000), rows)
    two.add(other, rows)
    for (a, _), (b, _) in zip(one.query(rows[::50], 30), two.query(rows[::50], 30), strict=True):
        assert sorted(other[a].tolist()) == sorted(b.tolist())


def test_copies_beyond_a_list_are_found_together():
    """A graph's links would lead from copy to copy; a list holds them all."""
    rows = vectors(3000, 6)
    rows[1000:1500] = rows[0]
    index = IvfIndex(D, probes=4)
    index.add(np.arange(3000), rows)
    ((labels, scores),) = index.query(rows[:1], 501)
    assert labels.tolist() == [0, *range(1000, 1500)]
    assert len(set(scores.tolist())) == 1


def test_a_vector_too_long_for_the_graph_asks_for_a_new_one():
    index = filled(HnswIndex)
    with pytest.raises(IndexFault, match="rebuild"):
        index.add(np.array([1]), 100 * vectors(1))
    assert len(index) == 100


def test_the_file_holds_what_the_graph_gives(tmp_path):
    index = filled(HnswIndex)
    index.save(tmp_path)
    given = np.asarray(index._graph.get_items(list(range(100))))
    np.testing.assert_array_equal(read_vectors(tmp_path / FILE, D + 1), given)


def test_copies_are_one_element_and_no_island(tmp_path):
    """Equal vectors would fill each other's links, and a search that comes to them would not leave."""
    rows = vectors(3000, 6)
    rows[1000:2000] = rows[rows.argmax() // D]  # a copy of each of some, and a thousand of one
    rows[2000:2500] = rows[:500]
    index, exact = HnswIndex(D), ExactIndex(D)
    for made in (index, exact):
        made.add(np.arange(3000), rows)
    assert index._size() == len(np.unique(rows, axis=0))
    for made in (index, reloaded(index, tmp_path / "x")):
        for row, (found, scores) in zip(rows[::300], made.query(rows[::300], 20), strict=True):
            best = np.sort(rows @ row)[::-1][:20]
            np.testing.assert_allclose(scores[:20], best, rtol=1e-4)
            assert len(found) == len(set(found.tolist())) >= 20
        assert [len(found) for found, _ in made.query(rows[:2], 5000)] == [3000, 3000]


def test_an_element_stays_while_a_label_has_it():
    index, rows = filled(HnswIndex, 50), vectors(50)
    index.add(np.array([1, 2]), rows[[7, 7]])
    index.remove(np.array([21, 1]))
    assert index.query(rows[7:8], 1)[0][0].tolist() == [2]
    index.remove(np.array([2]))
    assert 2 not in index.query(rows[7:8], 50)[0][0]
    index.add(np.array([5]), rows[7:8])
    assert index.query(rows[7:8], 1)[0][0].tolist() == [5]
    assert index._size() == 50


def test_labels_of_another_graph_are_damaged(tmp_path):
    index = filled(HnswIndex)
    about = index.save(tmp_path) | {"dimension": D}
    for wrong in (np.arange(3), np.arange(1, 101), np.arange(-1, 99)):
        np.save(tmp_path / "vector_elements.npy", wrong)
        with pytest.raises(DamagedIndex, match="labels"):
            HnswIndex.load(tmp_path, about)


@pytest.mark.parametrize("size", [0, 10, 100, 500])
def test_a_file_cut_short_is_damaged(tmp_path, size):
    filled(HnswIndex).save(tmp_path)
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DamagedIndex):
        read_vectors(path, D + 1)


def test_another_dimension_than_the_file_is_damaged(tmp_path):
    filled(HnswIndex).save(tmp_path)
    for d in (D, D + 2, 1000):
        with pytest.raises(DamagedIndex):
            read_vectors(tmp_path / FILE, d)
