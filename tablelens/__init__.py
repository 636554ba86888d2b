"""Find which columns of a data lake join, by value and by meaning; prove it, explain it, and do the join.

>>> from tablelens import Lake
>>> Lake.__name__
'Lake'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tablelens.client import Client
    from tablelens.errors import TablelensError
    from tablelens.lake import Lake
    from tablelens.settings import Settings
    from tablelens.types import Answer, CrawlReport, Evidence, Hit

__version__ = "0.1.0"
__all__ = ["Answer", "Client", "CrawlReport", "Evidence", "Hit", "Lake", "Settings", "TablelensError", "__version__"]

_HOMES = {"Client": "client", "Lake": "lake", "Settings": "settings", "TablelensError": "errors"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that ``import tablelens`` costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"tablelens.{_HOMES.get(name, 'types')}"), name)
