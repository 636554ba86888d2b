"""Small tables and a small vocabulary, so that models train in a blink."""

import numpy as np
import pyarrow as pa
import pytest

torch = pytest.importorskip("torch", reason="TransTab needs the extra 'models'")
torch.set_num_threads(1)


@pytest.fixture
def wines():
    """200 wines: the colour tells the class, the year helps, the rest is noise; some cells are missing."""
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "white"], 200)
    year = rng.integers(1950, 2020, 200).astype(float)
    sweet = rng.choice(["yes", "no"], 200)
    label = np.where((colour == "red") ^ (rng.random(200) < 0.05), "heavy", "light")
    year[::17] = np.nan
    table = pa.table({
        "wine_colour": [None if n % 23 == 0 else value for n, value in enumerate(colour)],
        "year": pa.array(year, from_pandas=True),
        "sweet": sweet,
        "place": rng.choice(["Jura", "Douro", "Mosel", "Wachau"], 200),
    })  # fmt: skip
    return table, label
