"""Which cells of a long column the text holds: those that most columns of the lake share come first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

CHARACTERS_A_TOKEN = 8
"""More than any tokenizer takes for one token on average, so that a cut here never goes below the token limit."""
FEW_CHARACTERS_A_TOKEN = 3
"""Fewer than most take, so that what follows the cells is still within the limit."""


def commonness(frequency: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """round(2 log2(1 + df)) of document frequencies: so coarse that a lake that grows leaves most of them alone.

    >>> commonness(np.array([1, 2, 3, 100])).tolist()
    [2, 3, 4, 13]
    """
    return np.asarray(np.rint(2 * np.log2(1.0 + frequency)), np.uint8)


def choose_cells(
    cells: Sequence[str], frequency: npt.NDArray[np.int64], max_tokens: int, after: str = ""
) -> tuple[str, ...]:
    """The cells for a text, by falling document frequency, as many as an encoder can see.

    Document frequency is the number of the lake's columns that hold the value (DeepJoin, section 3.2). It counts by
    powers of two: 5 and 7 columns are the same, 8 are more. So a lake that grows a little changes few texts, and few
    columns are encoded again. The order of equal frequencies is that of ``cells``, which the profile made independent
    of row order. The encoder's own tokenizer makes the last cut, unless text comes ``after`` the cells that it would
    cut off with them.

    >>> choose_cells(["rare", "common"], np.array([1, 9]), 100)
    ('common', 'rare')
    """
    order = np.argsort(-np.frexp(frequency)[1], kind="stable")
    room = max_tokens * FEW_CHARACTERS_A_TOKEN - len(after) if after else max_tokens * CHARACTERS_A_TOKEN
    chosen: list[str] = []
    for place in order.tolist():
        cell = cells[place]
        if room <= 0 or len(chosen) >= max_tokens:
            break
        chosen.append(cell)
        room -= len(cell) + 2
    return tuple(chosen)
