"""Which cells of a long column the text holds: those that most columns of the lake share come first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

CHARACTERS_A_TOKEN = 8
"""More than any tokenizer takes for one token on average, so that a cut here never goes below the token limit."""


def choose_cells(cells: Sequence[str], frequency: npt.NDArray[np.int64], max_tokens: int) -> tuple[str, ...]:
    """The cells for a text, by falling document frequency, as many as an encoder can see.

    Document frequency is the number of the lake's columns that hold the value (DeepJoin, section 3.2). The order of
    equal frequencies is that of ``cells``, which the profile made independent of row order. The encoder's own
    tokenizer makes the last cut.

    >>> choose_cells(["rare", "common"], np.array([1, 9]), 100)
    ('common', 'rare')
    """
    order = np.argsort(-frequency, kind="stable")
    room = max_tokens * CHARACTERS_A_TOKEN
    chosen: list[str] = []
    for place in order.tolist():
        cell = cells[place]
        if room <= 0 or len(chosen) >= max_tokens:
            break
        chosen.append(cell)
        room -= len(cell) + 2
    return tuple(chosen)
