import numpy as np
import pytest

from tablelens.training.corpus import Corpus
from tablelens.training.mine import Pairs
from tablelens.training.score import evaluate
from tablelens.types import ColumnText


def made(gains):
    """A corpus of a query and one candidate for each gain, all of different tables."""
    n = len(gains) + 1
    partners = np.flatnonzero(gains) + 1
    starts = np.r_[0, np.full(n, len(partners))]
    pairs = Pairs(starts, partners.astype(np.int32), np.asarray(gains, np.float32)[partners - 1])
    return Corpus(
        [ColumnText("", "", (), np.empty(0, np.uint64), 1)] * n, np.arange(n), [str(i) for i in range(n)], pairs
    )


def scored(gains, scores):
    corpus = made(gains)
    held = np.asarray(scores, np.float32)[:, None]
    return evaluate(corpus, np.array([0]), np.arange(1, len(corpus)), np.ones((1, 1), np.float32), held)


def test_a_perfect_ranking_and_its_reverse():
    gains = np.r_[np.linspace(1, 0.5, 10), np.zeros(30)]
    best = scored(gains, gains)
    assert (best.ndcg, best.precision, best.reranked) == pytest.approx((1, 1, 1))
    worst = scored(gains, -gains)
    assert (worst.ndcg, worst.precision) == (0, 0)
    assert worst.reranked == pytest.approx(1)  # all of them are among 200


def test_ties_count_by_value():
    gains = [1.0] + [0.5] * 20
    scores = np.r_[0.0, np.linspace(1, 0.5, 20)]  # the best one last
    assert scored(gains, scores).precision == pytest.approx(0.9)


def test_no_partner_is_no_query():
    assert scored([0.0, 0.0], [1, 2]).queries == 0
