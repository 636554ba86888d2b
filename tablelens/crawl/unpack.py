"""Unpack gzip, zstandard and bzip2 within limits."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa

from tablelens.errors import UnreadableFile

MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
SUFFIX = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
FREE = 16 << 20
"""Bytes that any file may unpack to: small files of equal bytes have honest ratios above every limit."""
STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a file, at most as many as allowed; ``cut`` says that there are more."""

    data: bytes
    cut: bool = False


def packing(head: bytes, name: str = "") -> str:
    """The compression that the first bytes, else the name, show, or nothing.

    >>> packing(b"BZh91AY"), packing(b"a,b", "x.csv")
    ('bz2', '')
    """
    for magic, codec in MAGIC.items():
        if head.startswith(magic):
            return codec
    return next((codec for suffix, codec in SUFFIX.items() if name.lower().endswith(suffix)), "")


def read_plain(handle: BinaryIO, limit: int) -> Content:
    """Read up to ``limit`` bytes from the start."""
    step = min(os.fstat(handle.fileno()).st_size + 1, 64 << 20)  # an unbuffered read allocates what it asks for
    handle.seek(0)
    parts, size = [], 0
    while size <= limit and (part := handle.read(min(step, limit + 1 - size))):
        parts.append(part)
        size += len(part)
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    return Content(data[:limit], True) if size > limit else Content(data)


def read_packed(handle: BinaryIO, codec: str, limit: int, packed_size: int, ratio: int) -> Content:
    """Unpack up to ``limit`` bytes.

    Raises:
        UnreadableFile: bomb (more than ``ratio`` times the size), truncated, damaged.
    """
    handle.seek(0)
    allowed = max(FREE, packed_size * ratio)
    parts, size = [], 0
    try:
        # A copy of the descriptor: Arrow closes what it is given.
        copy = os.fdopen(os.dup(handle.fileno()), "rb", buffering=0)
        with pa.CompressedInputStream(pa.PythonFile(copy, "r"), codec) as stream:
            while size <= limit and (part := stream.read(STEP)):
                parts.append(part)
                size += len(part)
                if size > allowed:
                    message = f"unpacks to more than {ratio:,} times its size"
                    raise UnreadableFile(message, "raise max_unpacked_ratio if the file is honest", reason="bomb")
    except (OSError, pa.ArrowException) as error:
        reason = "truncated" if "truncated" in str(error).lower() else "damaged"
        raise UnreadableFile(f"cannot unpack ({codec}): {error}", reason=reason) from error
    data = b"".join(parts)
    return Content(data[:limit], True) if size > limit else Content(data)
