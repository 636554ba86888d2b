"""Changes that leave a column's meaning as it is: other words in the header, other ways to write the cells."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from .words import SYNONYMS

Cells = Sequence[str]
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_KEYS = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuiopqsdfghjklaxcvbnmz", strict=True))


def words_of(name: str) -> list[str]:
    """Words of a header, whichever way they are joined.

    >>> words_of("countryCode"), words_of("HOME_TOWN")
    (['country', 'code'], ['home', 'town'])
    """
    return [word.lower() for word in _WORD.findall(name)]


def synonym(name: str) -> str | None:
    """The header with its words replaced by others of the same meaning; None where no word is known.

    >>> synonym("Country"), synonym("xyz")
    ('nation', None)
    """
    words = words_of(name)
    made = [SYNONYMS.get(word, word) for word in words]
    return " ".join(made) if made != words else None


def abbreviation(name: str) -> str | None:
    """The header with words of five letters and more cut to their first letter and the consonants after it.

    >>> abbreviation("Population"), abbreviation("Home town"), abbreviation("id")
    ('ppltn', None, None)
    """
    words = words_of(name)
    made = [word[0] + re.sub("[aeiou]", "", word[1:]) if len(word) > 4 else word for word in words]
    text = " ".join(made)
    return text if text and text != name and (made != words or text != name.lower()) else None


def rewrite(cells: Cells) -> list[str] | None:
    """The same content in another form: dates spelled out, thousands separated, small letters.

    >>> rewrite(["2020-01-31", "1234.5", "Rome"])
    ['31 Jan 2020', '1,234.5', 'rome']
    """
    return _changed(cells, _rewritten)


def typos(cells: Cells, share: float, seed: int) -> list[str] | None:
    """One wrong letter in that share of the cells that have letters: a neighbour's key instead."""
    rng = random.Random(seed)  # noqa: S311 - made-up slips, no secret

    def slip(cell: str) -> str:
        places = [i for i, sign in enumerate(cell) if sign.lower() in _KEYS]
        if not places or rng.random() > share:
            return cell
        i = rng.choice(places)
        return cell[:i] + _KEYS[cell[i].lower()] + cell[i + 1 :]

    return _changed(cells, slip)


def capitals(cells: Cells) -> list[str] | None:
    """All letters as capitals."""
    return _changed(cells, str.upper)


def spaces(cells: Cells) -> list[str] | None:
    """White space around each cell, as fixed-width exports have it."""
    return _changed(cells, lambda cell: f"  {cell} " if cell else cell)


def decimals(cells: Cells) -> list[str] | None:
    """Whole numbers with a zero behind the point, as a table that went through floats has them."""
    return _changed(cells, lambda cell: f"{cell}.0" if re.fullmatch(r"[+-]?\d+", cell) else cell)


def nulls(cells: Cells) -> list[str] | None:
    """Empty cells written as NULL."""
    return _changed(cells, lambda cell: cell or "NULL")


def quotes(cells: Cells) -> list[str] | None:
    """Each cell in quotation marks, as a naive CSV reader leaves them."""
    return _changed(cells, lambda cell: f'"{cell}"' if cell else cell)


FORMS: dict[str, Callable[[Cells], list[str] | None]] = {
    "capitals": capitals,
    "spaces": spaces,
    "decimals": decimals,
    "null words": nulls,
    "quotes": quotes,
}
"""Ways to write the same table."""


def _changed(cells: Cells, change: Callable[[str], str]) -> list[str] | None:
    made = [change(cell) for cell in cells]
    return made if made != list(cells) else None


def _rewritten(cell: str) -> str:
    if date := _DATE.fullmatch(cell):
        return f"{int(date[3])} {_MONTHS[(int(date[2]) - 1) % 12]} {date[1]}"
    if _NUMBER.fullmatch(cell):
        whole, point, rest = cell.partition(".")
        return f"{int(whole):,}{point}{rest}" if len(whole.lstrip("+-")) > 3 and not whole.startswith("0") else cell
    return cell.lower()
