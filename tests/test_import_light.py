"""Nobody waits for torch who does not ask for it."""

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "sentence_transformers", "litestar", "sklearn", "pandas", "polars")
PROGRAM = """
import json, sys, time
start = time.perf_counter()
import {module}
print(json.dumps([time.perf_counter() - start, [name for name in {heavy} if name in sys.modules]]))
"""


@pytest.mark.parametrize("module", ["tablelens", "tablelens.lake", "tablelens.cli"])
def test_import_is_light(module, record_property):
    program = PROGRAM.format(module=module, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    seconds, loaded = json.loads(done.stdout)
    record_property("seconds", seconds)
    assert loaded == []


def test_the_package_itself_imports_nothing_else():
    program = PROGRAM.format(module="tablelens", heavy=("numpy", "pyarrow", "duckdb", "tablelens.lake"))
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout)[1] == []
