"""A run as Markdown: what a pull request or a job summary shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..registry import get_property
from ..results import Estimate, ModelCard, Result, Run

SIGNS = {
    "pass": "✅ pass",
    "warn": "⚠️ warn",
    "fail": "❌ fail",
    "not applicable": "– n/a",
    "degenerate": "⛔ degenerate",
}


def report(run: Run) -> str:
    """The scorecard, what was skipped, and what the models cost."""
    d = run.dataset
    lines = [
        f"# Probe run {run.id}",
        "",
        f"{d['tables']:,} tables, {d['columns']:,} columns of {d['name']} ({d['licence']}); preset {run.preset}, "
        f"seed {run.seed}. Each figure is the headline of its property with a 95 % bootstrap interval over tables.",
        "",
        *grid(["property", "level", *(card.name for card in run.models)], _rows(run)),
        "",
        *grid(
            ["model", "max tokens", "ms a column", "peak MB", "weights"],
            [(c.name, c.max_tokens or "–", number(c.ms_a_column), f"{c.peak_mb:.0f}", c.weights) for c in run.models],
        ),
    ]
    if skips := left_out(run):
        lines += ["", "Left out, by reason:", "", *grid(["property", "level", "tables", "models"], skips)]
    return "\n".join(lines) + "\n"


def grid(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table; what could end a cell is escaped."""
    lines = ["| " + " | ".join(map(cell, headings)) + " |", "|" + "---|" * len(headings)]
    return lines + ["| " + " | ".join(map(cell, row)) + " |" for row in rows]


def cell(value: object) -> str:
    """A cell's text on one line."""
    return str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def span(found: Estimate | None) -> str:
    """A value with its interval.

    >>> span(Estimate(0.5, 0.25, 0.75))
    '0.500 [0.250, 0.750]'
    """
    return "" if found is None else f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def applicable(run: Run) -> list[tuple[str, str]]:
    """(property, level) that some model of the run has, in the order of the registry."""
    return list(dict.fromkeys((r.property, r.level) for r in run.results if "level" not in r.skipped))


def find(run: Run, card: ModelCard, question: tuple[str, str]) -> Result | None:
    """A model's result, or None where it was not asked."""
    for result in run.results:
        if (result.model, result.property, result.level) == (card.name, *question):
            return result
    return None


def left_out(run: Run) -> list[tuple[str, str, str, str]]:
    """(property, level, tables left out by reason, models) of all that was left out for another reason than its level."""
    models: dict[tuple[str, str, str], list[str]] = {}
    for r in run.results:
        if set(r.skipped) - {"level"}:
            reasons = ", ".join(f"{reason}: {count}" for reason, count in r.skipped.items())
            models.setdefault((get_property(r.property).meta.title, r.level, reasons), []).append(r.model)
    return [(*key, ", ".join(names) if len(names) < len(run.models) else "all") for key, names in models.items()]


def _rows(run: Run) -> list[list[str]]:
    rows = []
    for name, level in applicable(run):
        meta = get_property(name).meta
        found = [find(run, card, (name, level)) for card in run.models]
        title = f"{meta.paper} {meta.title}".strip()
        rows.append([title, level, *map(_cell, found)])
    return rows


def _cell(result: Result | None) -> str:
    if result is None or result.verdict == "not applicable":
        return "" if result is None else SIGNS["not applicable"]
    return f"{SIGNS[result.verdict]} {span(result.figure())}".strip()


def number(value: float | None) -> str:
    """A number of two decimals, or a dash."""
    return "–" if value is None else f"{value:.2f}"
