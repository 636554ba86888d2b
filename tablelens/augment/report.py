"""An augmentation as a document, and as a picture of its lifts."""

from __future__ import annotations

from html import escape
from typing import Any

from tablelens.augment.lift import Lift
from tablelens.augment.search import Augmentation, Trial


def document(found: Augmentation) -> dict[str, Any]:
    """What was found as JSON has it."""
    return {
        "metric": found.metric,
        "recommended": [trial.hit.column.table for trial in found.chosen],
        "outcomes": [
            {"name": o.name, "tables": list(o.tables), "scores": _rounded(o.scores), "lifts": _lifts(o.lifts)}
            for o in found.outcomes
        ],
        "trials": [_trial(trial) for trial in found.trials],
        "sql": found.sql,
        "rows": found.data.num_rows,
        "columns": found.data.column_names,
        "seconds": round(found.seconds, 3),
    }


def picture(found: Augmentation) -> str:
    """Lifts with their intervals, a line a candidate and judge, as SVG."""
    lines = [(trial, judge, lift) for trial in found.trials for judge, lift in trial.lifts.items()]
    reach = max([abs(bound) for _, _, lift in lines for bound in (lift.low, lift.high)], default=1.0) or 1.0
    width, left, row = 900, 380, 24
    middle, scale = left + (width - left) / 2, (width - left - 40) / 2 / reach
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{row * (len(lines) + 2)}" '
        'font-family="sans-serif" font-size="13">',
        f'<text x="{middle}" y="16" text-anchor="middle">lift in {found.metric}</text>',
        f'<line x1="{middle}" x2="{middle}" y1="24" y2="{row * (len(lines) + 1) + 8}" stroke="#888"/>',
    ]
    for number, (trial, judge, lift) in enumerate(lines, 1):
        y, colour = row * number + 16, "#1a7f37" if lift.sure else "#666"
        name = f"{trial.hit.column.table} ({judge})"
        parts += [
            f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{escape(name[-52:])}</text>',
            f'<line x1="{middle + lift.low * scale:.1f}" x2="{middle + lift.high * scale:.1f}" y1="{y}" y2="{y}" '
            f'stroke="{colour}" stroke-width="2"/>',
            f'<circle cx="{middle + lift.mean * scale:.1f}" cy="{y}" r="4" fill="{colour}"/>',
        ]
    return "\n".join([*parts, "</svg>"])


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "table": trial.hit.column.table,
        "key": trial.hit.column.column,
        "column": trial.column,
        "probability": trial.hit.probability,
        "matched": round(trial.matched, 4),
        "rows_a_key": trial.most,
        "columns": list(trial.columns),
        "left_out": trial.left_out,
        "lifts": _lifts(trial.lifts),
        "recommended": trial.recommended,
        "reason": trial.reason,
    }


def _lifts(lifts: dict[str, Lift]) -> dict[str, dict[str, float]]:
    return {judge: _rounded({"mean": it.mean, "low": it.low, "high": it.high}) for judge, it in lifts.items()}


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in values.items()}
