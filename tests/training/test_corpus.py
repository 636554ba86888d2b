from dataclasses import replace

import numpy as np
import pytest

from tablelens.errors import TrainingError, UsageError
from tablelens.training.batches import Sampler
from tablelens.training.config import TrainConfig
from tablelens.training.corpus import Corpus, split
from tablelens.training.mine import mine_equal


def test_whole_tables_and_folders_are_kept_aside(corpus, config):
    parts = split(corpus, config)
    assert parts.validating.sum() == pytest.approx(36, abs=1)
    assert not parts.validating[parts.queries].any()
    assert parts.validating[parts.validation].all()
    assert parts.weights.sum() == pytest.approx(1)
    folders = replace(corpus, groups=[group.rsplit("/", 1)[0] for group in corpus.groups])
    aside = split(folders, config).validating
    for folder in set(folders.groups):
        assert len({bool(aside[i]) for i, group in enumerate(folders.groups) if group == folder}) == 1


def test_the_split_does_not_depend_on_the_order_of_columns(corpus, config):
    order = np.random.default_rng(0).permutation(len(corpus))
    shuffled = Corpus(
        [corpus.columns[i] for i in order], corpus.tables[order], [corpus.groups[i] for i in order],
        mine_equal([corpus.columns[i].values for i in order], corpus.tables[order]),
    )  # fmt: skip
    assert (split(shuffled, config).validating == split(corpus, config).validating[order]).all()


def test_a_lake_of_one_table_and_one_without_joins(corpus, config):
    with pytest.raises(TrainingError, match="lie in one table"):
        split(replace(corpus, groups=["one"] * len(corpus)), config)
    alone = replace(corpus, pairs=corpus.pairs.kept(np.zeros(len(corpus.pairs), bool)))
    with pytest.raises(TrainingError, match="too few joins"):
        split(alone, config)


def test_hubs_and_large_folders_are_drawn_less(corpus, config):
    parts = split(corpus, config)
    strong = corpus.pairs.kept(corpus.pairs.joinability >= 0.3)
    inside = ~parts.validating[strong.queries] & ~parts.validating[strong.partners]
    reach = np.bincount(strong.queries[inside], minlength=len(corpus))[parts.queries]
    folder = np.array([group.rsplit("/", 1)[0] for group in corpus.groups])[parts.queries]
    size = np.array([(folder == one).sum() for one in folder])
    assert len(set((reach * size).tolist())) > 1
    assert parts.weights * np.sqrt(reach * size) == pytest.approx(
        np.full(len(reach), (parts.weights * np.sqrt(reach * size))[0])
    )


def test_batches(corpus, config):
    parts = split(corpus, config)
    vectors = np.random.default_rng(1).normal(size=(len(corpus), 6)).astype(np.float32)
    sampler, again = (Sampler(corpus, parts, config) for _ in range(2))
    for one in (sampler, again):
        one.refresh(0, vectors, vectors)
    batch, same = sampler.draw(3), again.draw(3)
    assert (batch.queries == same.queries).all()
    assert (batch.candidates == same.candidates).all()
    assert not (sampler.draw(4).queries == batch.queries).all()
    assert not parts.validating[batch.candidates].any()
    rows = np.arange(len(batch.queries))
    assert (batch.gains[rows, batch.positives] >= 0.3).all()
    assert (batch.same == (corpus.tables[batch.queries][:, None] == corpus.tables[batch.candidates])).all()
    for row, query in enumerate(batch.queries):
        known = dict(zip(*corpus.pairs.of(int(query)), strict=True))
        assert batch.gains[row].tolist() == pytest.approx([known.get(c, 0) for c in batch.candidates])


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"loss": "triplet"}, {"least": 1.5}, {"rate": -1.0}, {"scale": float("nan")}, {"split": "row"}],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        TrainConfig(**wrong)
