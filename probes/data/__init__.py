"""Tables to probe with: generated ones, the sample lake, any crawled lake."""

from __future__ import annotations

from .dataset import Dataset
from .generated import generate
from .lakes import from_lake, from_sample_lake

__all__ = ["Dataset", "from_lake", "from_sample_lake", "generate"]
