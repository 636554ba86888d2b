"""Open a file of a lake: no links, no devices, no waiting, and the same file before and after."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from tablelens.errors import UnreadableFile
from tablelens.types import FoundFile

# Without O_NONBLOCK an open of a FIFO that took the file's place would wait for a writer for ever.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_REASONS = {
    errno.ENOENT: "vanished",
    errno.ENOTDIR: "vanished",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.ELOOP: "symlink",
    errno.ENXIO: "special",
}


@contextmanager
def opened(file: FoundFile) -> Iterator[BinaryIO]:
    """The open file, which must be the regular file that the walk saw, also when the block ends.

    Raises:
        UnreadableFile: vanished, permission, symlink, special, changed.
    """
    try:
        descriptor = os.open(file.absolute, _FLAGS)
    except (OSError, ValueError) as error:
        reason = _REASONS.get(getattr(error, "errno", 0) or 0, "unreadable")
        raise UnreadableFile(f"cannot open {file.path!r}: {error}", reason=reason) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableFile(f"{file.path!r} is not a regular file", reason="special")
    with open(descriptor, "rb", buffering=0) as handle:
        try:
            yield handle
        finally:
            # Also after an error: what looked damaged may have been half of a file being replaced.
            _check_same(file, handle)


def _check_same(file: FoundFile, handle: BinaryIO) -> None:
    now = os.fstat(handle.fileno())
    if (now.st_size, now.st_mtime_ns) != (file.size, file.mtime_ns):
        raise UnreadableFile(f"{file.path!r} changed while it was read", "crawl again", reason="changed")
