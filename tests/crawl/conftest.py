import os

import pytest

from tablelens.crawl.readers import read_file
from tablelens.settings import Settings
from tablelens.types import FoundFile


@pytest.fixture
def found(tmp_path):
    """Write bytes (or text) under a name, and give the FoundFile that a walk would give."""

    def write(name, content=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        info = os.lstat(path)
        return FoundFile(name, str(path), info.st_size, info.st_mtime_ns)

    return write


@pytest.fixture
def read(found):
    """Write a file and read its only table."""

    def write_and_read(name, content=None, **settings):
        (table,) = read_file(found(name, content), Settings(**settings))
        return table

    return write_and_read


@pytest.fixture
def refusal(found):
    """Write a file that cannot be read, and give the reason."""
    from tablelens.errors import UnreadableFile

    def reason(name, content=None, **settings):
        with pytest.raises(UnreadableFile) as caught:
            read_file(found(name, content), Settings(**settings))
        return caught.value.reason

    return reason


@pytest.fixture
def cells():
    """A table as a list of rows."""

    def rows(table):
        columns = [column.to_pylist() for column in table.data.columns]
        return [list(row) for row in zip(*columns, strict=True)]

    return rows
