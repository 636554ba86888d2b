"""The losses against the formulas, written out."""

import itertools
import math

import numpy as np
import pytest

from tablelens.errors import UsageError

torch = pytest.importorskip("torch")
contrastive = pytest.importorskip("tablelens.transtab.contrastive")


@pytest.fixture
def views():
    return torch.from_numpy(np.random.default_rng(3).normal(size=(4, 3, 5)))


LABELS = torch.tensor([0, 1, 0, 1])


def cosine(u, v):
    return float(u @ v / (u.norm() * v.norm()))


def test_self_supervised_is_equation_4(views):
    b, count, _ = views.shape
    total = []
    for i, k, other in itertools.product(range(b), range(count), range(count)):
        if k != other:
            below = sum(math.exp(cosine(views[i, k], views[j, m])) for j in range(b) for m in range(count))
            total.append(-math.log(math.exp(cosine(views[i, k], views[i, other])) / below))
    assert float(contrastive.self_supervised(views)) == pytest.approx(np.mean(total))


def test_supervised_is_equation_5(views):
    total = []
    b, count, _ = views.shape
    for i, k, j, m in itertools.product(range(b), range(count), range(b), range(count)):
        if LABELS[i] == LABELS[j] and (i, k) != (j, m):
            below = sum(
                math.exp(cosine(views[i, k], views[n, o]))
                for n in range(b) if LABELS[n] != LABELS[i] for o in range(count)
            )  # fmt: skip
            total.append(-math.log(math.exp(cosine(views[i, k], views[j, m])) / below))
    assert float(contrastive.supervised(views, LABELS)) == pytest.approx(np.mean(total))


def test_supervised_teaches_nothing_where_there_is_one_class(views):
    views.requires_grad_()
    loss = contrastive.supervised(views, torch.zeros(4, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0
    assert views.grad.abs().max() == 0


def test_the_shipped_loss_of_a_constant_encoder_is_the_log_of_its_views():
    views = torch.ones(100, 3, 8, dtype=torch.float64)
    labels = torch.arange(100) % 2
    assert float(contrastive.shipped(views, labels)) == pytest.approx(math.log(3 * 100 - 1))
    assert float(contrastive.shipped(views)) == pytest.approx(math.log(3 * 100 - 1))


def test_partitions_overlap_as_the_released_code_has_them():
    assert contrastive.partitions(list("abcdefg"), 3, 0.5) == [list("abcde"), list("defg"), list("fgde")]
    assert contrastive.partitions(list("abcd"), 2, 0) == [["a", "b"], ["c", "d"]]


def test_shuffled_partitions_hold_every_column():
    parts = contrastive.partitions(list("abcdef"), 3, 0.5, np.random.default_rng(0))
    assert set().union(*parts) == set("abcdef")


@pytest.mark.parametrize(("count", "overlap"), [(1, 0.5), (5, 0.5), (2, 1.0), (2, -0.1)])
def test_partitions_that_cannot_be_are_refused(count, overlap):
    with pytest.raises(UsageError, match="partitions of 4 columns"):
        contrastive.partitions(list("abcd"), count, overlap)
