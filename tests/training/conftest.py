import numpy as np
import pytest

from tablelens.encoders import StaticEncoder
from tablelens.encoders.static_files import StaticWeights, write_static
from tablelens.profile.normalize import hash_values
from tablelens.training.config import TrainConfig
from tablelens.training.corpus import Corpus
from tablelens.training.distil import SETTINGS, UNKNOWN, tokenizer_bytes
from tablelens.training.mine import mine_equal
from tablelens.types import ColumnText

STEMS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty", "knoll", "ledge")


def words(topic, numbers):
    return [f"{STEMS[topic % len(STEMS)]} {STEMS[(topic * 5 + n) % len(STEMS)]} {n}" for n in numbers]


def text_column(cells, name="c"):
    return ColumnText(f"{name}: {', '.join(cells)}.", name, tuple(cells), hash_values(cells), len(cells))


@pytest.fixture(scope="session")
def corpus():
    """120 tables of one column on 10 topics: columns of a topic share most values."""
    rng = np.random.default_rng(5)
    columns = [
        text_column(words(table % 10, sorted(rng.choice(30, rng.integers(12, 25), replace=False).tolist())))
        for table in range(120)
    ]
    tables = np.arange(120)
    pairs = mine_equal([column.values for column in columns], tables)
    return Corpus(columns, tables, [f"lake/folder{table % 6}/t{table}.csv" for table in range(120)], pairs)


@pytest.fixture
def config():
    return TrainConfig(steps=12, every=4, batch=8, hard=4, validation=0.3)


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """A static encoder of few tokens and dimensions, with random vectors."""
    folder = tmp_path_factory.mktemp("base")
    vocabulary = [UNKNOWN, *STEMS, *"abcdefghijklmnopqrstuvwxyz0123456789", *(f"##{n}" for n in range(10))]
    rng = np.random.default_rng(3)
    tokens = rng.normal(size=(len(vocabulary), 12)).astype(np.float32)
    config = {"name": "tiny", "semantic": 12, "identity": 32, **SETTINGS}
    write_static(
        folder, StaticWeights(tokens, np.ones(len(vocabulary), np.float32)), tokenizer_bytes(vocabulary), config
    )
    return StaticEncoder(folder)
