"""The condition of a join in SQL: true where the value sets count two cells as equal.

Plain equality does where both sides spell alike. Otherwise SQL repeats what ``profile.normalize`` does, as far as the
kept cells show that it is needed. What it still cannot say is told: cells that count as equal and are not joined.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tablelens.discover.evidence import Query, same_spelling
from tablelens.discover.sql import literal
from tablelens.discover.view import LakeView, Mask
from tablelens.profile.normalize import fold, normalize
from tablelens.types import Family

Comparison = Literal["spelling", "text", "code", "integer", "number", "date"]
_ZEROS = re.compile(r"[+-]?0\d")
_YEAR = re.compile(r"\d{4}")
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in SQL, and what there is to say of it."""

    sql: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an equality: its expression in SQL, whether that is text, its kept cells and null words."""

    expression: str
    text: bool = False
    cells: Sequence[str] = ()
    null_words: Sequence[str] = ()

    @property
    def written(self) -> str:
        """The cell as text."""
        return self.expression if self.text else f"{self.expression}::VARCHAR"


def condition_of(query: Query, place: int, held: Mask, aliases: tuple[str, str] = ("a", "b")) -> Condition:
    """What joins a query with a column of the lake; ``held`` says which of the query's cells that holds."""
    view, theirs = query.view, query.view.source(place)
    left, right = query_side(query, aliases[0]), column_side(view, place, aliases[1])
    matched = [cell for cell, hit in zip(query.cells, held, strict=True) if hit]
    integers = query.kind == view.value("kind", place) == "integer"
    how = comparison(query.family, integers, matched, (left, right), alike=same_spelling(query, place, held))
    made = condition(left, right, how, matched)
    if how == "date" and (query.source.workbook or theirs.workbook):
        note = "DuckDB reads the days of a workbook as numbers: join what `tablelens export` writes instead"
        return Condition(made.sql, (*made.notes, note))
    return made


def query_side(query: Query, alias: str) -> Side:
    """The query as a side of an equality."""
    return Side(query.source.column(alias, query.name), query.source.text, query.cells, query.null_words)


def column_side(view: LakeView, place: int, alias: str) -> Side:
    """A column of the lake as a side of an equality."""
    source, cells, words = view.source(place), view.value("cells", place), view.value("null_words", place)
    return Side(source.column(alias, view.value("column", place)), source.text, cells, words)


def comparison(
    family: Family, integers: bool, matched: Sequence[str], sides: tuple[Side, Side], *, alike: bool = False
) -> Comparison:
    """How SQL has to compare two columns so that it joins the values that were counted as equal.

    Long ids need more digits than a double has, 007 is not 7, and a typed file spells its days as it likes.
    """
    if family == "number":
        if any(_ZEROS.match(cell) for side in sides for cell in side.cells):
            return "code"
        return "integer" if integers else "number"
    if family == "date" and matched and all(_YEAR.match(cell) for cell in matched):
        return "date"
    return "spelling" if alike else "text"


def condition(left: Side, right: Side, how: Comparison, matched: Sequence[str] = ()) -> Condition:
    """Equality of two sides, without the null words that both of them hold.

    >>> condition(Side("a.x"), Side("b.y", text=True), "number").sql
    'TRY_CAST(a.x AS DOUBLE) = TRY_CAST(b.y AS DOUBLE)'
    """
    folding = Folding.of([*left.cells, *right.cells]) if how == "text" else None
    one, other = (_side(side, how, folding) for side in (left, right))
    notes = _missed(folding, matched, right.cells) if folding else ()
    return Condition(f"{one} = {other}{_without_null_words(left, right, how, one)}", notes)


def _side(side: Side, how: Comparison, folding: Folding | None) -> str:
    if folding is not None:
        return folding.sql(side.written)
    return {
        "spelling": side.written,
        "code": rf"regexp_replace(trim({side.written}), '\.0*$', '')",
        "integer": f"TRY_CAST({side.expression} AS DECIMAL(38, 9))",
        "number": f"TRY_CAST({side.expression} AS DOUBLE)",
        "date": f"TRY_CAST({side.expression} AS TIMESTAMP)",
    }[how]


def _without_null_words(left: Side, right: Side, how: Comparison, one: str) -> str:
    words = sorted(set(left.null_words) & set(right.null_words))
    if how == "number" and "nan" in words:
        return f"\n AND NOT isnan({one})"
    if how not in ("spelling", "text", "code") or not words:
        return ""
    expression = one if how == "text" else f"lower(trim({left.written}))"
    return f"\n AND {expression} NOT IN ({', '.join(map(literal, words))})"


@dataclass(frozen=True, slots=True)
class Folding:
    """The steps of the normalisation that some cells need, in SQL and in Python.

    ``letters`` become one letter each, ``others`` several or none; ``composed`` says that letters and their accents
    are put together first, ``spaces`` that white space is folded.
    """

    letters: dict[str, str]
    others: dict[str, str]
    composed: bool
    spaces: bool

    @classmethod
    def of(cls, cells: Iterable[str]) -> Folding:
        """The steps that these cells need beyond lower case.

        >>> Folding.of(["Straße"]).sql("x")
        "lower(replace(x, 'ß', 'ss'))"
        """
        cells = list(cells)
        spaces = any(cell != " ".join(cell.split()) for cell in cells)
        foreign = "".join(cell for cell in cells if not cell.isascii())
        composed = not unicodedata.is_normalized("NFC", foreign)
        unusual = unusual_letters(sorted(set(unicodedata.normalize("NFC", foreign)) - _ASCII))
        letters = {letter: folded for letter, folded in unusual.items() if len(folded) == 1}
        others = {letter: folded for letter, folded in unusual.items() if len(folded) != 1}
        return cls(letters, others, composed, spaces)

    def sql(self, text: str) -> str:
        """The folded text as an SQL expression."""
        if self.composed:
            text = f"nfc_normalize({text})"
        if self.letters:
            text = f"translate({text}, {literal(''.join(self.letters))}, {literal(''.join(self.letters.values()))})"
        for letter, folded in self.others.items():
            text = f"replace({text}, {literal(letter)}, {literal(folded)})"
        return rf"lower(trim(regexp_replace({text}, '\s+', ' ', 'g')))" if self.spaces else f"lower({text})"

    def apply(self, text: str) -> str:
        """The folded text, as DuckDB would make it."""
        if text.isascii():  # no step but lower case changes these letters
            text = text.lower()
        else:
            if self.composed:
                text = unicodedata.normalize("NFC", text)
            folded = self.letters | self.others
            text = "".join(_lower(letter) for letter in "".join(folded.get(letter, letter) for letter in text))
        return re.sub(r"[\t\n\f\r ]+", " ", text).strip(" ") if self.spaces else text


def unusual_letters(letters: Iterable[str]) -> dict[str, str]:
    """Of some letters those that count as others than DuckDB's ``lower`` makes of them, and what they count as.

    >>> unusual_letters("aÄß")
    {'ß': 'ss'}
    """
    return {letter: folded for letter in letters if (folded := fold(letter)) != _lower(letter)}


def _missed(folding: Folding, matched: Sequence[str], cells: Sequence[str]) -> tuple[str, ...]:
    """A note where cells that count as equal come out differently."""
    folded = {cell: folding.apply(cell) for cell in matched}
    joined = set(map(folding.apply, cells))
    left = {normalize(cell): cell for cell, made in folded.items() if made not in joined}
    there = set(map(normalize, cells)) if left else set()
    missed = [cell for value, cell in left.items() if value in there]
    if not missed:
        return ()
    return (f"counted as equal, but not joined by the SQL: {', '.join(missed[:SHOWN])}",)


def _lower(letter: str) -> str:
    """What DuckDB makes of a letter: always one."""
    lower = letter.lower()
    return lower if len(lower) == 1 else letter


_ASCII = frozenset(map(chr, range(128)))
