"""Two runs against each other: what got worse beyond doubt, and whether a gate is broken by it.

# gates.toml
margin = 0.02                  # a fall counts when its whole interval lies beyond this
lost_tables = 0                # tables that may have no figure any more

[row_order]                    # for one property, at all levels
margin = 0.01
minimum = 0.95                 # the head's interval must lie above
verdict = "warn"               # the worst verdict that the head may have

[row_order.table]              # for one level of it
margin = 0.05
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tablelens.errors import IncomparableRuns, SettingError

from .base import LEVELS
from .registry import PROPERTIES
from .report.markdown import grid
from .results import Result, Run
from .statistics import Interval, bootstrap_mean

ORDER = {"pass": 0, "not applicable": 1, "warn": 2, "fail": 3, "degenerate": 4}
EXACT = {"determinism": 1e-5}
"""Properties whose fall needs no interval: these figures are exact."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What is allowed of a property at a level."""

    margin: float = 0.02
    lost_tables: int = 0
    minimum: float | None = None
    verdict: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One property at one level, before and after; ``broken`` says why the gate does not hold, or nothing."""

    model: str
    property: str
    level: str
    base: float | None
    head: float | None
    low: float | None
    """Ends of the interval of head less base, over the tables of both."""
    high: float | None
    broken: str


def read_gates(path: Path | None) -> Mapping[str, Any]:
    """The gates of a file; none means the defaults.

    Raises:
        SettingError: not TOML, or a name or value that it cannot have.
    """
    if path is None:
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"cannot read gates from {path}: {error}") from error
    properties = {prop.meta.id for prop in PROPERTIES}
    _check(found, properties, path)
    for name in properties & found.keys():
        _check(found[name], set(LEVELS), path)
        for level in set(LEVELS) & found[name].keys():
            _check(found[name][level], set(), path)
    return found


def compare(base: Run, head: Run, gates: Mapping[str, Any]) -> list[Check]:
    """A check for each model, property and level of both runs. Runs of one model each are paired whatever its name.

    Raises:
        IncomparableRuns: other tables, seed, budget or versions of properties: their difference would mean nothing.
    """
    _comparable(base, head)
    one = len(base.models) == len(head.models) == 1
    before = {_key(result, one): result for result in base.results}
    checks = []
    for result in head.results:
        was = before.pop(_key(result, one), None)
        if was is None or "level" in result.skipped:
            continue
        if was.version != result.version:
            raise IncomparableRuns(
                f"{result.property} has version {was.version} in the one run and {result.version} in the other",
                "run the base again with this tablelens",
            )
        checks.append(check(was, result, gate_of(gates, result), head.seed))
    if not checks:
        raise IncomparableRuns("the runs share no model and property", "give two runs of the same model")
    return checks


def check(base: Result, head: Result, gate: Gate, seed: int) -> Check:
    """Hold one result against the one before."""
    gap = _gap(base, head, seed)
    was, now = base.figure(), head.figure()
    broken = _reason(base, head, gate, gap)
    return Check(
        head.model, head.property, head.level, was.value if was else None, now.value if now else None,
        gap.low if gap else None, gap.high if gap else None, broken,
    )  # fmt: skip


def gate_of(gates: Mapping[str, Any], result: Result) -> Gate:
    """The gate of a result: what its level says, else its property, else the file, else the default."""
    of_property = gates.get(result.property, {})
    layers = (gates, of_property, of_property.get(result.level, {}))
    merged = {k: v for layer in layers for k, v in layer.items() if k in Gate.__dataclass_fields__}
    return Gate(**merged)


def junit(checks: Sequence[Check]) -> str:
    """The checks as a JUnit file, as CI systems read it."""
    failures = sum(bool(found.broken) for found in checks)
    suite = ET.Element("testsuite", name="tablelens probe", tests=str(len(checks)), failures=str(failures))
    for found in checks:
        name = f"{found.property} {found.level}"
        case = ET.SubElement(suite, "testcase", classname=f"probe.{found.model}", name=name)
        if found.broken:
            ET.SubElement(case, "failure", message=found.broken).text = _difference(found)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def markdown(checks: Sequence[Check]) -> str:
    """The checks as Markdown; broken ones first."""
    broken = [found for found in checks if found.broken]
    title = (
        f"## Probes: {len(broken)} of {len(checks)} gates broken"
        if broken
        else f"## Probes: all {len(checks)} gates hold"
    )
    rows = [
        (
            "❌" if c.broken else "✅",
            c.model,
            c.property,
            c.level,
            _short(c.base),
            _short(c.head),
            _difference(c),
            c.broken,
        )
        for c in sorted(checks, key=lambda c: not c.broken)
    ]
    return (
        "\n".join([title, "", *grid(["", "model", "property", "level", "base", "head", "head - base", "why"], rows)])
        + "\n"
    )


def _reason(base: Result, head: Result, gate: Gate, gap: Interval | None) -> str:
    was, now = base.figure(), head.figure()
    if head.verdict == "degenerate" and base.verdict != "degenerate":
        return f"the model has become degenerate: {head.why}"
    if head.faults > base.faults:
        return f"the model fails on {head.faults} tables, before on {base.faults}"
    if base.tables - head.tables > gate.lost_tables:
        return f"{head.tables} tables have a figure, before {base.tables}"
    if gate.verdict is not None and ORDER[head.verdict] > ORDER[gate.verdict]:
        return f"the verdict is {head.verdict}, allowed is {gate.verdict}"
    if gate.minimum is not None and (now is None or now.low < gate.minimum):
        return f"{head.headline} does not lie above {gate.minimum:g}"
    if was and now and head.property in EXACT and now.value < was.value - EXACT[head.property]:
        return f"{head.headline} fell from {was.value:.6f} to {now.value:.6f}"
    if gap is not None and gap.high < -gate.margin:
        return f"{head.headline} fell by {-gap.value:.3f} [{-gap.high:.3f}, {-gap.low:.3f}], allowed is {gate.margin:g}"
    return ""


def _gap(base: Result, head: Result, seed: int) -> Interval | None:
    """Head less base over the tables of both; None where they share no figure for a table."""
    name = head.headline
    shared = [unit for unit in base.units if name in base.units[unit] and name in head.units.get(unit, {})]
    if not shared:
        return None
    return bootstrap_mean([head.units[unit][name] - base.units[unit][name] for unit in shared], seed)


def _comparable(base: Run, head: Run) -> None:
    for what, left, right in (
        ("tables", base.dataset["revision"], head.dataset["revision"]),
        ("seed", base.seed, head.seed),
        ("budget", base.parameters, head.parameters),
    ):
        if left != right:
            raise IncomparableRuns(
                f"the runs differ in their {what}: {left} and {right}", "run both with the same preset, tables and seed"
            )


def _key(result: Result, one: bool) -> tuple[str, str, str]:
    return "" if one else result.model, result.property, result.level


def _check(found: Mapping[str, Any], names: set[str], path: Path) -> None:
    """See that a table of the file holds gates and the names below it, and nothing else."""
    kinds: dict[str, tuple[type, ...]] = {"margin": (float, int), "lost_tables": (int,), "minimum": (float, int)}
    for name, value in found.items():
        if name in names and isinstance(value, dict):
            continue
        if name == "verdict" and value in ORDER:
            continue
        if name in kinds and isinstance(value, kinds[name]) and not isinstance(value, bool):
            continue
        known = ", ".join([*Gate.__dataclass_fields__, *sorted(names)])
        raise SettingError(f"{name} = {value!r} in {path} is no gate", f"known here: {known}")


def _difference(found: Check) -> str:
    if found.low is None or found.high is None:
        return "no table with a figure in both"
    return f"[{found.low:+.3f}, {found.high:+.3f}]"


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
