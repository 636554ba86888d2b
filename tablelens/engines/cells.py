"""Cell-level matching of two columns, read from their files in a worker process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tablelens.crawl.readers import read_part
from tablelens.engines.rows import Source, told
from tablelens.errors import UnreadableFile
from tablelens.match.cells import match_cells
from tablelens.match.pairs import pairs_table
from tablelens.profile.columns import distinct_cells
from tablelens.settings import Settings

MATCHED = "tablelens.engines.cells:matched_cells"


@dataclass(frozen=True, slots=True)
class MatchTask:
    """Two columns, each by its table and its name."""

    left: Source
    left_column: str
    right: Source
    right_column: str


@told
def matched_cells(task: MatchTask, settings: Settings) -> pa.Table:
    """The matches of all distinct cells, as ``match.pairs`` has them.

    Raises:
        UnreadableFile: a file cannot be read as it was crawled.
    """
    left, left_key = _cells(task.left, task.left_column, settings)
    right, right_key = _cells(task.right, task.right_column, settings)
    return pairs_table(left, right, match_cells(left, right, one_to_one=left_key and right_key))


def _cells(source: Source, column: str, settings: Settings) -> tuple[list[str], bool]:
    data = read_part(Path(source.path), source.part, settings).data
    if column not in data.column_names:
        raise UnreadableFile(f"{source.path} has no column {column!r} any more", "crawl again", "changed")
    return distinct_cells(data[column])
