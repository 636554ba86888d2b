"""P7. Does a column keep its embedding when its header or its cells are written in other words?"""

from __future__ import annotations

import random
from collections.abc import Iterator

from ..base import Limits, Meta, Skip
from ..data import perturb
from ..invariance import MEASURES, Invariance, Variant
from ..tables import Table

TYPO_SHARES = (0.1, 0.3, 1.0)


class PerturbationRobustness(Invariance):
    """Synonyms and abbreviations of headers, other forms and typos of cells.

    Only the columns that a change touched are compared, each with itself by position; a header at random stands beside
    them as the control, and the columns that were not touched have a curve of their own.
    """

    meta = Meta(
        id="perturbation_robustness",
        title="Perturbation robustness",
        question="Does a column keep its embedding when header or cells are written in other words?",
        levels=("column",),
        headline="stability",
        measures=MEASURES,
        limits=Limits(0.85, 0.6),
        paper="P7",
        reference="Observatory, PVLDB 17(4), 2023; Dr.Spider, ICLR 2023",
        floor=0.0,
    )
    least_rows = 1

    def variants(self, table: Table, rng: random.Random, count: int) -> Iterator[Variant]:
        """One variant a kind of change; the same however many are asked for."""
        del count
        made = [found for found in self._all(table, rng) if found is not None]
        if not any(variant.counts for variant in made):
            raise Skip("no-known-word")
        yield from made

    def _all(self, table: Table, rng: random.Random) -> Iterator[Variant | None]:
        names = dict(enumerate(table.header))
        synonyms = {place: perturb.synonym(name) for place, name in names.items()}
        yield _changed(table, "synonym", names=synonyms)
        yield _untouched(table, synonyms)
        yield _changed(table, "abbreviation", names={p: perturb.abbreviation(name) for p, name in names.items()})
        yield _changed(table, "content", cells={p: perturb.rewrite(c) for p, c in enumerate(table.columns)})
        seed = rng.randrange(1 << 30)
        for share in TYPO_SHARES:
            cells = {p: perturb.typos(c, share, seed + p) for p, c in enumerate(table.columns)}
            yield _changed(table, f"typos in {share:.0%}", cells=cells, counts=share == TYPO_SHARES[0])
        noise: dict[int, str | None] = {place: "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=8)) for place in names}
        yield _changed(table, "random header", names=noise, counts=False)


def _changed(
    table: Table,
    kind: str,
    names: dict[int, str | None] | None = None,
    cells: dict[int, list[str] | None] | None = None,
    counts: bool = True,
) -> Variant | None:
    """All columns changed for which there is a change."""
    made, what, touched = table, [], []
    for place in range(table.width):
        name, column = (names or {}).get(place), (cells or {}).get(place)
        if name is None and column is None:
            continue
        made = made.with_column(place, column, name)
        touched.append(place)
        what.append(f"{table.header[place]} → {name}" if name is not None else table.header[place])
    if not touched:
        return None
    return Variant(made, f"{kind}: {'; '.join(what)[:200]}", dose=kind, counts=counts, changed=tuple(touched))


def _untouched(table: Table, synonyms: dict[int, str | None]) -> Variant | None:
    """The columns whose header stays while others get a synonym."""
    variant = _changed(table, "synonym", names=synonyms)
    rest = tuple(place for place, name in synonyms.items() if name is None)
    if variant is None or not rest:
        return None
    return Variant(variant.table, "", dose="untouched beside synonyms", counts=False, changed=rest)
