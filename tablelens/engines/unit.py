"""The unit of work: one file of a lake becomes profiles, or the reason why not.

A function of its arguments alone, so that any engine can run it anywhere, and again.
"""

from __future__ import annotations

import time
from dataclasses import replace

from blake3 import blake3

from tablelens.crawl.opening import opened
from tablelens.crawl.readers import read_file
from tablelens.errors import UnreadableFile
from tablelens.profile.columns import profile_table
from tablelens.settings import Settings
from tablelens.types import FileOutcome, FoundFile


def profile_file(file: FoundFile, settings: Settings) -> FileOutcome:
    """Read and profile one file. A file that cannot be read is an outcome with its reason, not an exception."""
    start = time.perf_counter()
    outcome = FileOutcome(file)
    try:
        digest = digest_of(file)
        tables = tuple(profile_table(file.path, table, settings) for table in read_file(file, settings))
        outcome = replace(outcome, digest=digest, tables=tables)
    except UnreadableFile as error:
        outcome = replace(outcome, reason=error.reason, error=str(error))
    except OSError as error:
        outcome = replace(
            outcome, reason="vanished" if isinstance(error, FileNotFoundError) else "io", error=str(error)
        )
    return replace(outcome, seconds=time.perf_counter() - start)


def digest_of(file: FoundFile) -> str:
    """BLAKE3 of a file's bytes; an unchanged digest means that nothing has to be read again.

    Raises:
        UnreadableFile: it cannot be opened, or is not the file that the walk saw.
    """
    hasher = blake3()
    with opened(file) as handle:
        while part := handle.read(1 << 20):
            hasher.update(part)
    return hasher.hexdigest()
