"""A probe of any model on generated tables, or on those that a test makes."""

import pytest
from tablelens.probes import statistics
from tablelens.probes.data import Dataset, generate
from tablelens.probes.embedding import Embedder
from tablelens.probes.properties import functional_dependencies
from tablelens.probes.runner import Probe


@pytest.fixture(scope="session")
def dataset():
    return generate(6, 10)


@pytest.fixture
def probe(dataset, monkeypatch):
    """Make a probe of a model, over generated tables or those given, and then over no others."""

    def make(model, *tables, types=None):
        if tables:
            monkeypatch.setattr(functional_dependencies, "GENERATED", 0)
        data = Dataset("test", tables, "ours", types or {}) if tables else dataset
        return Probe(data, Embedder(model), 7)

    return make


@pytest.fixture(autouse=True)
def few_resamples(request, monkeypatch):
    """Intervals of a hundred draws are good enough where no test is about them."""
    if request.path.name != "test_statistics.py":
        monkeypatch.setattr(statistics, "RESAMPLES", 100)
