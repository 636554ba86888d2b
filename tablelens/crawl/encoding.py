"""Bytes to text: which encoding, said aloud where it is not UTF-8."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from tablelens.errors import UnreadableFile

PREFIX = 1 << 16
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What lakes hold beside Unicode. Left to itself the guesser also names encodings that no table was written in.
_PLAUSIBLE = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"]
_CONTROL = bytes(c for c in range(32) if c not in (0, 9, 10, 11, 12, 13, 27))
_C1 = bytes(range(0x80, 0xA0))
"""Bytes that windows-1252 has letters for, and latin-1 has none."""
_UTF8_PART = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text as UTF-8 without a byte order mark, and how its bytes were understood."""

    data: bytes
    encoding: str = "utf-8"
    """As Python calls it; "mixed" where single bytes are windows-1252 in UTF-8."""
    warnings: tuple[str, ...] = ()


def to_utf8(data: bytes) -> Decoded:
    """The text as UTF-8, and what there is to say about its encoding.

    Raises:
        UnreadableFile: binary (no text), encoding (text that cannot be decoded).
    """
    for bom, name in _BOMS:
        if data.startswith(bom):
            rest = data[len(bom) :]
            return Decoded(rest) if name == "utf-8" and is_utf8(rest) else _decoded(rest, name)
    prefix = data[:PREFIX]
    wide = _wide(prefix)
    if wide:
        return _decoded(data, wide)
    if _is_binary(prefix):
        raise UnreadableFile("the content is not text", reason="binary")
    return Decoded(data) if is_utf8(data) else _decoded(data, _guess(prefix, data))


def is_utf8(data: bytes) -> bool:
    """Whether all of ``data`` is UTF-8; decodes in pieces, to hold no second copy of a large file."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    try:
        for start in range(0, len(data), 1 << 20):
            decoder.decode(view[start : start + (1 << 20)])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _decoded(data: bytes, name: str) -> Decoded:
    known = label = name
    if name == "utf-8":  # mostly UTF-8: single foreign bytes are read as the encoding they are likeliest in
        text, known, label = data.decode("utf-8", "tablelens-cp1252"), "mixed", "mixed UTF-8 and windows-1252"
    else:
        try:
            text = data.decode(name)
        except UnicodeDecodeError as error:
            if name.startswith("utf"):
                raise UnreadableFile(f"not valid {name}: {error.reason}", reason="encoding") from error
            text, known, label = data.decode("cp1252", "tablelens-cp1252"), "cp1252", "windows-1252"
    # Lone surrogates can stand in UTF-16 data, and in no UTF-8.
    guessed = "" if name.startswith("utf") else ", guessed"
    if known == "cp1252" and len(data) == len(data.translate(None, _C1)):
        known = "latin-1"  # the same letters, and more programs know it
    return Decoded(text.encode("utf-8", "replace"), known, (f"encoding: {label}{guessed}",))


def _wide(prefix: bytes) -> str:
    """UTF-16 without a mark: about every second byte is zero."""
    pairs = len(prefix) // 2
    low, high = prefix[0::2].count(0), prefix[1::2].count(0)
    if pairs < 2 or max(low, high) < 0.4 * pairs or min(low, high) > 0.05 * pairs:
        return ""
    return "utf-16-be" if low > high else "utf-16-le"


def _is_binary(prefix: bytes) -> bool:
    zeros = prefix.count(0)
    controls = len(prefix) - len(prefix.translate(None, _CONTROL))
    return controls + zeros > max(1, len(prefix) // 10)


def _guess(prefix: bytes, data: bytes) -> str:
    good = sum(len(part) for part in _UTF8_PART.findall(data))
    foreign = len(data) - len(data.translate(None, bytes(range(128, 256)))) - good
    if good >= foreign:
        return "utf-8"
    from charset_normalizer import from_bytes  # some 20 ms to import, and few files need it

    cut = prefix.rfind(b"\n") + 1
    matches = from_bytes(prefix[:cut] or prefix, cp_isolation=_PLAUSIBLE)
    best = matches.best()
    if best is None:
        return "cp1252"
    # Short texts often fit both halves of Europe; the western one writes most of the files.
    known = {name for match in matches for name in match.could_be_from_charset} | {m.encoding for m in matches}
    return "cp1252" if best.encoding == "cp1250" and "cp1252" in known else best.encoding


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    piece = error.object[error.start : error.end]
    try:
        return piece.decode("cp1252"), error.end
    except UnicodeDecodeError:
        return piece.decode("latin-1"), error.end


codecs.register_error("tablelens-cp1252", _as_cp1252)
