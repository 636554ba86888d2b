"""Property probes of table embedding models (imported as ``tablelens.probes``).

    table ── variants ── pieces ── vectors ── observations ── estimates ── verdict ──► report · compare · catalogue
             (property)  (model)   (cache)    (one a table)   (bootstrap)

A property is one file in ``properties``, a model one adapter in ``models``; all else is shared. ::

    from tablelens import probes

    model = probes.load_model("deepjoin-static")
    found = probes.run([model], probes.PROPERTIES, probes.generate(), probes.PRESETS["smoke"])
    for result in found.results:
        print(result.property, result.level, result.verdict, result.why)
"""

from __future__ import annotations

from .data import Dataset, from_lake, from_sample_lake, generate
from .registry import PROPERTIES, get_property, load_model, load_models, model_names
from .results import Result, Run
from .runner import PRESETS, Budget, run

__all__ = [
    "PRESETS",
    "PROPERTIES",
    "Budget",
    "Dataset",
    "Result",
    "Run",
    "from_lake",
    "from_sample_lake",
    "generate",
    "get_property",
    "load_model",
    "load_models",
    "model_names",
    "run",
]
