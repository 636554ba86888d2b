"""Every example in a docstring runs."""

import doctest
import importlib
import pkgutil

import pytest


def modules():
    for root in ("tablelens", "tablelens.api", "tablelens.probes"):
        package = importlib.import_module(root)
        yield root
        for info in pkgutil.walk_packages(package.__path__, f"{root}."):
            if not info.name.endswith("__main__"):
                yield info.name


@pytest.mark.parametrize("name", sorted({name for name in modules() if ".sample_lake" not in name}))
def test_examples_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
