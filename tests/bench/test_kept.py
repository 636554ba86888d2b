"""What a language model encoded in one run, the next takes."""

import numpy as np
import pytest

from tablelens.bench.kept import KeptVectors
from tablelens.testing import HashEncoder
from tablelens.types import ColumnText


class Counting(HashEncoder):
    def __init__(self, fails=False):
        super().__init__(8)
        self.encoded, self.fails = 0, fails

    def encode(self, columns):
        if self.fails:
            raise RuntimeError("cut off")
        self.encoded += len(columns)
        return super().encode(columns)


def texts(*numbers):
    return [ColumnText("", f"c{n}", (), np.array([n, n + 1], np.uint64), 2) for n in numbers]


def test_nothing_is_encoded_twice(tmp_path):
    first = Counting()
    kept = KeptVectors.open(first, tmp_path)
    made = kept.encode(texts(1, 2, 1))
    np.testing.assert_array_equal(made, HashEncoder(8).encode(texts(1, 2, 1)))
    assert first.encoded == 2
    again = Counting()
    kept = KeptVectors.open(again, tmp_path)
    np.testing.assert_array_equal(kept.encode(texts(2, 3)), HashEncoder(8).encode(texts(2, 3)))
    assert again.encoded == 1
    assert kept.seconds > 0


def test_a_run_that_is_cut_off_keeps_what_it_had(tmp_path):
    KeptVectors.open(Counting(), tmp_path).encode(texts(1))
    with pytest.raises(RuntimeError):
        KeptVectors.open(Counting(fails=True), tmp_path).encode(texts(1, 2))
    last = Counting()
    KeptVectors.open(last, tmp_path).encode(texts(1, 2))
    assert last.encoded == 1


def test_encoders_do_not_mix(tmp_path):
    KeptVectors.open(Counting(), tmp_path).encode(texts(1))
    other = Counting()
    other.revision = "another"
    KeptVectors.open(other, tmp_path).encode(texts(1))
    assert other.encoded == 1
