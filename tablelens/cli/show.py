"""Answers for people: tables that fit the terminal, and progress. Lake text is data, never markup."""

from __future__ import annotations

import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import accumulate
from typing import Any

from rich.console import Console as RichConsole
from rich.console import JustifyMethod
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from tablelens.types import Answer, Bridge, CellMatching, CompositeAnswer, CompositeHit, Evidence, Hit, Verdict

BAR = 5
FILE_WIDTH = 110
"""Characters of a line where the answer goes to a file or a pipe."""
GAP = 2
"""Characters between the columns of a table."""
SOME = 16
"""Characters that a column which gives way is left at least in a file."""
WHOLE = 38
"""Characters of a cell that are never folded for the sake of the columns that give way."""


class Console(RichConsole):
    """Rich's console, but what a closed pipe means is for the command group to say."""

    def on_broken_pipe(self) -> None:
        """Let it pass."""
        raise BrokenPipeError


def plain(text: object, width: int = 60) -> Text:
    """Text from the lake: control, bidirectional and zero-width characters made visible, cut at a width.

    >>> plain("a\x1b[31mb").plain
    'a�[31mb'
    """
    shown = safe(str(text))
    return Text(shown if len(shown) <= width else shown[: width - 1] + "…")


def safe(text: str, keep: str = "") -> str:
    """Text in which what could steer a terminal is made visible, but for the characters to ``keep``."""
    loose = ("Cc", "Cf", "Cs", "Co")
    return "".join("�" if unicodedata.category(c) in loose and c not in keep else c for c in text)


def one_line(error: str) -> str:
    r"""An error and its hint, for the cell of a table.

    >>> one_line("no catalogue\nHint: crawl")
    'no catalogue. Hint: crawl'
    """
    return error.replace("\nHint: ", ". Hint: ")


def table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[int] = (), cut: Iterable[int] = ()
) -> None:
    """Print a table; ``numbers`` are the columns that are set to the right, ``cut`` those that give way.

    A terminal folds what is long. In a file or a pipe each row is one line, as wide as it takes.
    """
    seen = sys.stdout.isatty()
    grid = Table(box=None, pad_edge=False, header_style="bold")
    right, short = set(numbers), set(cut)
    cells = [[cell if isinstance(cell, Text) else plain(cell) for cell in row] for row in rows]
    taken = 0
    for i, heading in enumerate(map(plain, headings)):
        side: JustifyMethod = "right" if i in right else "left"
        widest = max([heading.cell_len, *(row[i].cell_len for row in cells)])
        if i in short:
            grid.add_column(heading, justify=side, overflow="ellipsis", no_wrap=True)
            taken += min(widest, SOME) + GAP
        else:
            least = min(widest, WHOLE) if seen else widest
            grid.add_column(heading, justify=side, overflow="fold", min_width=least)
            taken += least + GAP
    for row in cells:
        grid.add_row(*row)
    Console(highlight=False, width=None if seen else max(FILE_WIDTH, taken)).print(grid)


def fitting(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """How many of the columns a table has room for in a line; at least one."""
    widths: list[list[int]] = [[plain(cell).cell_len for cell in row] for row in (headings, *rows)]
    room = int(Console().width) if sys.stdout.isatty() else FILE_WIDTH
    ends = accumulate(max(column) + GAP for column in zip(*widths, strict=True))
    return max(len([end for end in ends if end - GAP <= room]), 1)


def record(headings: Sequence[str], row: Sequence[object]) -> None:
    """Print one row, a line a column."""
    cells = [safe(str(cell), "\n") for cell in row]
    room = max(map(len, headings))
    for heading, cell in zip(headings, cells, strict=True):
        lines = cell.replace("\n", "\n" + " " * (room + 2))
        sys.stdout.write(f"{safe(heading):<{room}}  {lines}".rstrip() + "\n")


def bar(share: float) -> str:
    """A share as a bar of blocks.

    >>> bar(0.45)
    '▰▰▱▱▱'
    """
    full = int(share * BAR)
    return "▰" * full + "▱" * (BAR - full)


def answer(found: Answer) -> None:
    """The hits of a query."""
    out = Console(highlight=False)
    out.print(plain(f"{found.table}.{found.column}" if found.table else found.column, 100), style="bold")
    for note in found.notes:
        out.print(plain(note, 200), style="yellow")
    if not found.hits:
        out.print("none found")
        return
    rows = [
        (
            i + 1, f"{hit.column.table}.{hit.column.column}", f"{hit.probability:.2f}",
            f"{bar(hit.evidence.containment)} {hit.evidence.containment:4.0%}",
            f"{hit.evidence.reverse_containment:4.0%}", hit.evidence.cardinality, _for_example(hit.evidence),
        )
        for i, hit in enumerate(found.hits)
    ]  # fmt: skip
    table(("", "joins with", "prob.", "containment", "reverse", "class", "for example"), rows, (0, 2, 4), (6,))


def composite(found: CompositeAnswer) -> None:
    """The hits of a composite key."""
    out = Console(highlight=False)
    out.print(plain(f"{found.table}: {', '.join(found.columns)}", 100), style="bold")
    for note in found.notes:
        out.print(plain(note, 200), style="yellow")
    if not found.hits:
        out.print("none found")
        return
    rows = [
        (
            i + 1, f"{hit.columns[0].table}: {', '.join(column.column for column in hit.columns)}",
            f"{bar(hit.evidence.containment)} {hit.evidence.containment:4.0%}",
            f"{hit.evidence.reverse_containment:4.0%}", hit.evidence.cardinality, f"{hit.evidence.join_rows:,}",
            ", ".join(hit.evidence.matched[:2]),
        )
        for i, hit in enumerate(found.hits)
    ]  # fmt: skip
    headings = ("", "joins with", "containment", "reverse", "class", "join rows", "for example")
    table(headings, rows, (0, 3, 5), (6,))
    Console(highlight=False, soft_wrap=True).print(Text("\n" + safe(found.hits[0].sql, "\n")))


def composite_document(found: CompositeAnswer) -> dict[str, Any]:
    """The hits of a composite key as JSON has them."""
    return {
        "query": {"table": found.table, "columns": list(found.columns)},
        "hits": [_composite_hit_document(hit) for hit in found.hits],
        "notes": list(found.notes),
        "generation": found.generation,
        "seconds": round(found.seconds, 6),
    }


def _composite_hit_document(hit: CompositeHit) -> dict[str, Any]:
    names = ("containment", "reverse_containment", "jaccard", "overlap", "cardinality", "join_rows", "explosion")
    counted = {name: getattr(hit.evidence, name) for name in names}
    examples = {"matched": list(hit.evidence.matched), "unmatched": list(hit.evidence.unmatched)}
    columns = [column.column for column in hit.columns]
    first = {"lake": hit.columns[0].lake, "table": hit.columns[0].table, "columns": columns}
    return {**first, **counted, **examples, "notes": list(hit.notes), "sql": hit.sql}


def _for_example(e: Evidence) -> str:
    """Values that match, or what stands for what over a bridge, or how alike numbers are that share none."""
    if e.bridge is None and e.matching is not None and e.matching.examples:
        return ", ".join(f"{pair.left} ≈ {pair.right}" for pair in e.matching.examples[:3])
    if e.bridge is None and e.spread and not e.matched:
        return f"distribution {e.spread:.0%} alike"
    if e.bridge is None:
        return ", ".join(e.matched[:3])
    return ", ".join(f"{left} → {right}" for left, right in e.bridge.examples) or "over a bridge"


def evidence(hit: Hit, left: str) -> None:
    """One pair of columns, in full."""
    e: Evidence = hit.evidence
    rows: list[tuple[object, object]] = [
        ("probability", f"{hit.probability:.2f}"),
        ("containment", f"{bar(e.containment)} {e.containment:.1%} of the values of {left}" + _error(e)),
        ("reverse", f"{bar(e.reverse_containment)} {e.reverse_containment:.1%} of the values of {hit.column}"),
        ("Jaccard", f"{e.jaccard:.3f}"),
        ("cosine", "–" if e.cosine is None else f"{e.cosine:.3f}"),
        *(() if e.spread is None else (("distribution", f"{bar(e.spread)} {e.spread:.1%} alike"),)),
        ("cardinality", e.cardinality),
        ("join", f"about {e.join_rows:,} rows, {e.explosion:g} for each row of the left table"),
        ("matched", ", ".join(e.matched) or "–"),
        ("unmatched", ", ".join(e.unmatched) or "–"),
        *_bridge_rows(e.bridge),
        *_matching_rows(e.matching),
        *(("note", note) for note in hit.notes),
    ]
    table(("", ""), [(name, plain(value, 160)) for name, value in rows])
    out = Console(highlight=False, soft_wrap=True)
    out.print(Text("\n" + safe(hit.sql, "\n")))
    if hit.key is not None:
        out.print(Text(f"\nby the key {', '.join(column.column for column in hit.key.columns)}:\n"), style="bold")
        out.print(Text(safe(hit.key.sql, "\n")))


def _bridge_rows(bridge: Bridge | None) -> list[tuple[object, object]]:
    if bridge is None:
        return []
    ways = [f"{near.table}: {near.column} → {far.column}" for near, far in bridge.steps]
    shown = ", ".join(f"{left} → {right}" for left, right in bridge.examples)
    return [
        ("bridge", "; ".join(ways)),
        ("arrive", f"{bar(bridge.coverage)} {bridge.coverage:.1%} of the values; {bridge.witnesses:g} tables agree"),
        ("for example", shown or "–"),
    ]


def _matching_rows(found: CellMatching | None) -> list[tuple[object, object]]:
    if found is None:
        return []
    counts = f"{found.equal:,} equal, {found.transformed:,} transformed, {found.similar:,} similar"
    pairs = ", ".join(f"{pair.left} → {pair.right} ({pair.score:.2f})" for pair in found.examples[:4])
    rows: list[tuple[object, object]] = [
        ("semantic", f"{bar(found.containment)} {found.containment:.1%} of the values match cell by cell: {counts}")
    ]
    if found.transformation:
        rows.append(("transform", f"the {found.turned} column, {found.transformation}"))
    return [*rows, *([("for example", pairs)] if pairs else [])]


def _error(e: Evidence) -> str:
    return f" (± {1.96 * e.error:.1%}, from a sketch)" if e.error else ""


def hit_document(hit: Hit) -> dict[str, Any]:
    """A hit as JSON has it."""
    e = hit.evidence
    return {
        "lake": hit.column.lake, "table": hit.column.table, "column": hit.column.column, "kind": hit.column.kind,
        "probability": hit.probability, "score": hit.score, "containment": e.containment,
        "reverse_containment": e.reverse_containment, "jaccard": e.jaccard, "cosine": e.cosine,
        "overlap": e.overlap, "error": e.error, "cardinality": e.cardinality, "join_rows": e.join_rows,
        "explosion": e.explosion, "hub": hit.hub, "matched": list(e.matched), "unmatched": list(e.unmatched),
        "bridge": None if e.bridge is None else bridge_document(e.bridge),
        "matching": None if e.matching is None else asdict(e.matching), "spread": e.spread, "verdict": hit.verdict,
        "key": None if hit.key is None else _composite_hit_document(hit.key),
        "notes": list(hit.notes), "sql": hit.sql,
    }  # fmt: skip


def bridge_document(bridge: Bridge) -> dict[str, Any]:
    """A bridge as JSON has it."""
    steps = [
        {"lake": near.lake, "table": near.table, "left": near.column, "right": far.column} for near, far in bridge.steps
    ]
    examples = [list(pair) for pair in bridge.examples]
    return {"coverage": bridge.coverage, "witnesses": bridge.witnesses, "steps": steps, "examples": examples}


def verdict_document(said: Verdict) -> dict[str, Any]:
    """A verdict as JSON has it."""
    sides = {
        side: dict(zip(("lake", "table", "column"), name, strict=True))
        for side, name in (("left", said.left), ("right", said.right))
    }
    return {**sides, "joins": said.joins, "note": said.note, "decided": said.decided}


def answer_document(found: Answer) -> dict[str, Any]:
    """An answer as JSON has it."""
    return {
        "query": {"table": found.table, "column": found.column},
        "mode": found.mode,
        "hits": [hit_document(hit) for hit in found.hits],
        "notes": list(found.notes),
        "generation": found.generation,
        "seconds": round(found.seconds, 6),
    }


class Bar:
    """Progress of a crawl on stderr: items, rate, time left; a line every ten seconds where stderr is no terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._stage, self._total, self._done, self._bytes = "", 0, 0, 0
        self._began = self._told = 0.0

    def start(self, stage: str, items: int, size: int) -> None:
        """A stage begins."""
        self._stage, self._total, self._done, self._bytes = stage, items, 0, 0
        self._began = self._told = time.monotonic()
        if self._console.is_terminal and items:
            columns = (TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, TextColumn("{task.fields[rate]}"), console=self._console, transient=True)
            self._task = self._bar.add_task(stage, total=items, rate="")
            self._bar.start()

    def advance(self, items: int, size: int) -> None:
        """So many more are done."""
        self._done += items
        self._bytes += size
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=items, rate=self._rate())
        elif time.monotonic() - self._told > 10:
            self._told = time.monotonic()
            self._console.print(f"{self._stage}: {self._done:,} of {self._total:,}, {self._rate()}", highlight=False)

    def end(self) -> None:
        """The stage is over."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        if self._total:
            seconds = time.monotonic() - self._began
            self._console.print(f"{self._stage}: {self._done:,} in {seconds:.1f} s, {self._rate()}", highlight=False)

    def _rate(self) -> str:
        seconds = max(time.monotonic() - self._began, 1e-6)
        megabytes = f", {self._bytes / 1e6 / seconds:.1f} MB/s" if self._bytes else ""
        return f"{self._done / seconds:,.0f}/s{megabytes}"
