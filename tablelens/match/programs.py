r"""Transformations: a short program that turns the cells of one column into those of the other, in Python and in SQL.

Candidates are taken from a small language: a part between delimiters, brackets dropped or opened, names turned round,
a common prefix or suffix cut off, initials, capitals, digits, punctuation and accents dropped, zeros padded or dropped,
the first or last letters. Each is tried on a sample of the cells that have no equal, the best are verified on all.
Short images meet by accident (the first two letters of a country are the code of some country), so a program whose
images are short has to explain nearly all cells.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from tablelens.discover.sql import literal
from tablelens.profile.normalize import NUMBER_START, normalize

SAMPLE = 2_000
"""Cells that a program is tried on …"""
GLIMPSED = 48
"""… after it explained any of so many of them, evenly spread: one that holds explains a share of all …"""
VERIFIED = 3
"""… and programs that are then verified on all."""
HITS = 4
"""Cells that a program has to explain at least."""
SHARE = 0.3
"""Least share of the cells without an equal that a program explains …"""
NEARLY_ALL = 0.9
"""… and where its images are of fewer letters than ``SHORT``, or many cells have the same one."""
SHORT = 4
APART = 0.6
"""Least number of images over that of cells that have them."""
DELIMITERS = ",;:|/-_.@ #\t"
PUNCTUATION = r"""!"#$%&'()*+,./:;<=>?@[\]^_`{|}~-"""
_NUMBER = re.compile(r"[+-]?[\d.,]+")
_PUNCTUATION = "[ \t" + "".join("\\" + letter for letter in PUNCTUATION) + "]+"
END = 3
"""Letters of a value's end that tell whether a cell without an affix can be it."""
LONGEST = 12
"""Letters of the longest first or last part that is tried."""


@dataclass(frozen=True, slots=True)
class Program:
    """A transformation of a cell. ``sql`` holds ``{x}`` for the cell, which is text."""

    name: str
    apply: Callable[[str], str | None]
    template: str

    def sql(self, expression: str) -> str:
        """The same in SQL.

        >>> part(",", 0).sql("a.x")
        "trim(string_split(a.x, ',')[1])"
        """
        return self.template.replace("{x}", expression)


@dataclass(frozen=True, slots=True)
class Found:
    """A program and what it explains."""

    program: Program
    cells: tuple[int, ...]
    """Places of the cells that it turns into values of the other column."""


def part(delimiter: str, place: int) -> Program:
    """The part at a place, counted from 0, or from the end where it is negative.

    >>> part(", ", -1).apply("Oslo, Norway")
    'Norway'
    """

    def apply(cell: str) -> str | None:
        parts = cell.split(delimiter)
        return parts[place].strip(" ") if -len(parts) <= place < len(parts) and len(parts) > 1 else None

    where = "last part" if place < 0 else f"part {place + 1}"
    name = "space" if delimiter == " " else "tab" if delimiter == "\t" else repr(delimiter)
    split = f"string_split({{x}}, {literal(delimiter)})[{place + 1 if place >= 0 else place}]"
    return Program(f"{where} between {name}", apply, f"trim({split})")


def cut(affix: str, *, front: bool) -> Program:
    """Without a prefix or a suffix; cells that do not have it stay as they are.

    >>> cut(" County", front=False).apply("Ada County")
    'Ada'
    """
    escaped = re.escape(affix)
    pattern = f"^{escaped}" if front else f"{escaped}$"

    def apply(cell: str) -> str:
        return cell.removeprefix(affix) if front else cell.removesuffix(affix)

    return Program(
        f"without the {'prefix' if front else 'suffix'} {affix!r}",
        apply,
        f"regexp_replace({{x}}, {literal(pattern)}, '')",
    )


def letters(count: int, *, front: bool) -> Program:
    """The first or the last letters."""
    where = "first" if front else "last"

    def apply(cell: str) -> str | None:
        return (cell[:count] if front else cell[-count:]) if len(cell) > count else None

    return Program(f"{where} {count} letters", apply, f"{'left' if front else 'right'}({{x}}, {count})")


def padded(width: int) -> Program:
    """Zeros before, up to a width."""
    longest = f"CAST(greatest({width}, length({{x}})) AS INTEGER)"
    return Program(
        f"padded with zeros to {width}",
        lambda cell: cell.rjust(width, "0"),
        f"lpad({{x}}, {longest}, '0')",
    )


def _replaced(name: str, pattern: str, by: str = "") -> Program:
    """What a regular expression leaves, the same in Python and in RE2."""
    compiled = re.compile(pattern, re.ASCII)
    return Program(
        name,
        lambda cell: compiled.sub(by, cell).strip(" "),
        f"trim(regexp_replace({{x}}, {literal(pattern)}, {literal(by)}, 'g'))",
    )


def _bracketed(cell: str) -> str | None:
    found = re.search(r"\(([^()]*)\)", cell)
    return found[1].strip(" ") if found else None


def _initials(cell: str) -> str | None:
    words = [word for word in cell.split(" ") if word]
    return "".join(word[0] for word in words) if len(words) > 1 else None


def _plain(cell: str) -> str:
    apart = unicodedata.normalize("NFD", cell)
    return unicodedata.normalize("NFC", "".join(c for c in apart if unicodedata.category(c) != "Mn"))


ZEROS = _replaced("without leading zeros", "^0+([^0]|0$)", r"\1")
FIXED = (
    _replaced("without what is in brackets", r" *\([^()]*\)"),
    Program("what is in brackets", _bracketed, r"trim(regexp_extract({x}, '\(([^()]*)\)', 1))"),
    _replaced("turned round at the comma", r"^([^,]*), *([^,]*)$", r"\2 \1"),
    _replaced("capitals alone", "[^A-Z]+"),
    Program("initials", _initials, "array_to_string([w[1] for w in string_split({x}, ' ') if w <> ''], '')"),
    _replaced("digits alone", "[^0-9]+"),
    _replaced("without punctuation and spaces", _PUNCTUATION),
    _replaced("words alone", _PUNCTUATION, " "),
    Program("without accents", _plain, "strip_accents({x})"),
    ZEROS,
)


def find_program(cells: Sequence[str], free: Sequence[int], values: Collection[str]) -> Found | None:
    """The program that turns most of the cells without an equal into values of the other column.

    Args:
        cells: a column's distinct cells.
        free: places of those that have no equal.
        values: the normalised values of the other column.

    >>> find_program([f"US-{i}" for i in range(20)], range(20), {str(i) for i in range(20)}).program.name
    "without the prefix 'US-'"
    """
    if len(free) < HITS:
        return None
    sample = [cells[i] for i in free[:: len(free) // SAMPLE + 1]]
    glimpse = sample[:: len(sample) // GLIMPSED + 1]
    likely = [each for each in _candidates(sample, glimpse, values) if _hits(each, glimpse, values)]
    tried = [(len({image for _, image in _hits(each, sample, values)}), each) for each in likely]
    if not tried:
        return None
    most = max(images for images, _ in tried)
    best = [program for images, program in tried if images >= max(NEARLY_ALL * most, 1)]  # the plainest first
    for program in best[:VERIFIED]:
        hits = _hits(program, [cells[i] for i in free], values)
        if _holds(len(free), hits):
            return Found(program, tuple(free[i] for i, _ in hits))
    return None


def _holds(free: int, hits: Sequence[tuple[int, str]]) -> bool:
    images = {image for _, image in hits}
    if len(hits) < HITS or len(images) < APART * len(hits):
        return False
    distinct = len(images) >= NEARLY_ALL * len(hits)
    if median(map(len, images)) < SHORT:
        return distinct and len(hits) >= NEARLY_ALL * free
    return len(hits) >= (SHARE if distinct else NEARLY_ALL) * free


def _hits(program: Program, cells: Sequence[str], values: Collection[str]) -> list[tuple[int, str]]:
    """(place, image) of the cells that a program turns into values."""
    made = ((i, program.apply(cell)) for i, cell in enumerate(cells))
    images = ((i, normalize(image)) for i, image in made if image)
    return [(i, image) for i, image in images if image is not None and image in values]


def _candidates(sample: Sequence[str], glimpse: Sequence[str], values: Collection[str]) -> list[Program]:
    some = _some(values)
    if _numeric(sample) and _numeric(some):  # other numbers are other things, whatever their digits
        return [*(padded(width) for width in sorted(set(map(len, some)))[-3:]), ZEROS]
    widths = [width for width, _ in Counter(map(len, some)).most_common(3) if width <= LONGEST]
    there = [d for d in DELIMITERS if sum(d in cell for cell in sample) >= max(HITS, SHARE * len(sample))]
    parts = [part(delimiter, place) for delimiter in there for place in (0, 1, -1)]
    affixes = [cut(affix, front=front) for front in (True, False) for affix in _affixes(glimpse, values, front)]
    ends = [letters(width, front=front) for width in widths for front in (True, False)]
    zeros = [padded(width) for width in widths if any(cell.isdecimal() for cell in sample)]
    return [*affixes, *zeros, *FIXED, *parts, *ends]


def _affixes(cells: Sequence[str], values: Collection[str], front: bool) -> list[str]:
    """Prefixes or suffixes without which cells are values, those of most cells first."""
    found: Counter[str] = Counter()
    ends = {value[-END:] if front else value[:END] for value in values}
    for cell in cells:
        if not _may_hold(cell, ends, front):
            continue
        for size in range(1, min(len(cell), 40)):
            affix, rest = (cell[:size], cell[size:]) if front else (cell[-size:], cell[:-size])
            if normalize(rest) in values:
                found[affix] += 1
    ranked = sorted(found.items(), key=lambda each: (-each[1], -len(each[0])))
    return [affix for affix, count in ranked[:3] if count >= HITS]


def _may_hold(cell: str, ends: Collection[str], front: bool) -> bool:
    """Whether what is left of a cell can be a value, told from its last letters, or its first ones."""
    value = normalize(cell)
    if value is None or not cell.isascii() or (value[-1] if front else value[0]) in NUMBER_START:
        return True  # of numbers and other scripts another spelling may be the value
    return any((value[-size:] if front else value[:size]) in ends for size in range(1, END + 1))


def _numeric(cells: Sequence[str]) -> bool:
    return 2 * sum(_NUMBER.fullmatch(cell) is not None for cell in cells) >= len(cells)


def _some(values: Iterable[str]) -> list[str]:
    return [value for value, _ in zip(values, range(SAMPLE), strict=False)]
