"""Charts as SVG text. Colours are classes of the page's style sheet, so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import isfinite

from ..results import Estimate

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT = 560, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 40


def interval(found: Estimate, low: float, high: float) -> str:
    """A value with its interval on a small scale from ``low`` to ``high``."""
    reach = (high - low) or 1.0

    def x(value: float) -> float:
        return 3 + 84 * min(max((value - low) / reach, 0), 1)

    return (
        f'<svg class="mini" viewBox="0 0 90 12" role="img" aria-label="{found.value:.3f}"><line class="axis" x1="3" x2="87" '
        f'y1="6" y2="6"/><line class="span" x1="{x(found.low):.1f}" x2="{x(found.high):.1f}" y1="6" y2="6"/>'
        f'<circle class="dot" cx="{x(found.value):.1f}" cy="6" r="3"/></svg>'
    )


def strips(groups: Mapping[str, Sequence[float]], label: str) -> str:
    """A row of dots for each group, one dot a table, with the median."""
    values = [value for group in groups.values() for value in group if isfinite(value)]
    if not values:
        return ""
    low, high = span(values)
    rows = []
    for i, (name, group) in enumerate(groups.items()):
        y = TOP + 14 + 22 * i
        rows.append(f'<text class="name" x="{STRIP - 8}" y="{y + 4}">{escape(shorten(name))}</text>')
        for k, value in enumerate(sorted(v for v in group if isfinite(v))):
            x = _scale(value, low, high, STRIP, WIDTH - RIGHT)
            rows.append(f'<circle class="m{i % 10} soft" cx="{x:.1f}" cy="{y + (k % 5 - 2) * 2.2:.1f}" r="3"/>')
        middle = sorted(group)[len(group) // 2] if group else low
        x = _scale(middle, low, high, STRIP, WIDTH - RIGHT)
        rows.append(f'<line class="median" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 9}" y2="{y + 9}"/>')
    height = TOP + 22 * len(groups) + BOTTOM
    return _frame("".join(rows) + _bottom_axis(low, high, height, label, STRIP), height)


STRIP = 150


def lines(series: Mapping[str, Mapping[str, Estimate]], label: str) -> str:
    """A line for each series over named places: dose and response, or a value by kind."""
    places = list(dict.fromkeys(place for line in series.values() for place in line))
    values = [v for line in series.values() for e in line.values() for v in (e.low, e.high) if isfinite(v)]
    if len(places) < 2 or not values:
        return ""
    low, high = span(values)
    step = (WIDTH - LEFT - RIGHT) / (len(places) - 1)
    parts = [_left_axis(low, high, label)]
    for i, place in enumerate(places):
        turn = "end" if i == len(places) - 1 else "start" if i == 0 else "middle"
        parts.append(
            f'<text class="tick" text-anchor="{turn}" x="{LEFT + i * step:.1f}" y="{HEIGHT - BOTTOM + 16}">{escape(shorten(place, 16))}</text>'
        )
    for i, line in enumerate(series.values()):
        points = [(LEFT + places.index(p) * step, e) for p, e in line.items() if isfinite(e.value)]
        path = " ".join(f"{x:.1f},{_y(e.value, low, high):.1f}" for x, e in points)
        parts.append(f'<polyline class="m{i % 10} line" points="{path}"/>')
        for x, e in points:
            parts.append(
                f'<line class="m{i % 10} bar" x1="{x:.1f}" x2="{x:.1f}" y1="{_y(e.low, low, high):.1f}" y2="{_y(e.high, low, high):.1f}"/>'
            )
            parts.append(f'<circle class="m{i % 10}" cx="{x:.1f}" cy="{_y(e.value, low, high):.1f}" r="3"/>')
    return _frame("".join(parts), HEIGHT)


def scatter(series: Mapping[str, Points], across: str, up: str) -> str:
    """A cloud of points for each series."""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    if not xs:
        return ""
    (left, right), (low, high) = span(xs), span(ys)
    parts = [_left_axis(low, high, up), _bottom_axis(left, right, HEIGHT, across, LEFT)]
    for i, points in enumerate(series.values()):
        for x, y in points:
            at = f'cx="{_scale(x, left, right, LEFT, WIDTH - RIGHT):.1f}" cy="{_y(y, low, high):.1f}"'
            parts.append(f'<circle class="m{i % 10} soft" {at} r="3.5"/>')
    return _frame("".join(parts), HEIGHT)


def forest(rows: Sequence[tuple[str, Estimate, bool]], label: str) -> str:
    """Differences with their intervals; those that survive correction are filled."""
    if not rows:
        return ""
    reach = max(max(abs(e.low), abs(e.high)) for _, e, _ in rows) or 1.0
    low, high, begin = -reach, reach, 290
    zero = _scale(0, low, high, begin, WIDTH - RIGHT)
    height = TOP + 20 * len(rows) + BOTTOM
    parts = [f'<line class="zero" x1="{zero:.1f}" x2="{zero:.1f}" y1="{TOP}" y2="{height - BOTTOM}"/>']
    for i, (name, e, sure) in enumerate(rows):
        y = TOP + 12 + 20 * i
        a, b, c = (_scale(v, low, high, begin, WIDTH - RIGHT) for v in (e.low, e.high, e.value))
        parts.append(f'<text class="name" x="{begin - 8}" y="{y + 4}">{escape(shorten(name, 44))}</text>')
        parts.append(f'<line class="span" x1="{a:.1f}" x2="{b:.1f}" y1="{y}" y2="{y}"/>')
        parts.append(f'<circle class="{"dot" if sure else "hollow"}" cx="{c:.1f}" cy="{y}" r="4"/>')
    return _frame("".join(parts) + _bottom_axis(low, high, height, label, begin), height)


def heatmap(names: Sequence[str], cells: Sequence[Sequence[float | None]], label: str) -> str:
    """A square of shares, darker the nearer to 1."""
    size, begin = 46, 150
    parts = []
    for i, name in enumerate(names):
        parts.append(
            f'<text class="name" x="{begin - 8}" y="{begin - 40 + size * i + size / 2 + 4}">{escape(shorten(name))}</text>'
        )
        x, y = begin + size * i + size / 2, begin - 48
        parts.append(
            f'<text class="tick" transform="rotate(-40 {x} {y})" x="{x}" y="{y}">{escape(shorten(name))}</text>'
        )
        for j, value in enumerate(cells[i]):
            left, top = begin + size * j, begin - 40 + size * i
            if value is None:
                parts.append(f'<rect class="none" x="{left}" y="{top}" width="{size - 2}" height="{size - 2}"/>')
                continue
            share = min(max(value, 0), 1)
            parts.append(
                f'<rect class="heat" style="--share:{share:.2f}" x="{left}" y="{top}" width="{size - 2}" height="{size - 2}"/>'
            )
            dark = " light" if share > 0.55 else ""
            parts.append(
                f'<text class="tick value{dark}" x="{left + size / 2 - 1}" y="{top + size / 2 + 4}">{value:.2f}</text>'
            )
    width, height = begin + size * len(names) + 40, begin - 40 + size * len(names) + 24
    return (
        f'<svg class="chart square" viewBox="0 0 {width} {height}" style="max-width:{width}px" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}<text class="label" x="{begin}" y="{height - 6}">{escape(label)}</text></svg>'
    )


def span(values: Sequence[float]) -> tuple[float, float]:
    """Ends of a scale that holds all values, with some air."""
    low, high = min(values), max(values)
    air = (high - low) * 0.05 or 0.05
    return low - air, high + air


def shorten(name: str, most: int = 22) -> str:
    """A name that fits.

    >>> shorten("a very long name of a model", 12)
    'a very long…'
    """
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"


def _frame(inner: str, height: int) -> str:
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img">{inner}</svg>'


def _left_axis(low: float, high: float, label: str) -> str:
    parts = [
        f'<text class="label" transform="rotate(-90 11 {HEIGHT / 2})" x="11" y="{HEIGHT / 2}" text-anchor="middle">{escape(label)}</text>'
    ]
    for i in range(5):
        value = low + (high - low) * i / 4
        y = _y(value, low, high)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" text-anchor="end" x="{LEFT - 5}" y="{y + 4:.1f}">{value:.2f}</text>')
    return "".join(parts)


def _bottom_axis(low: float, high: float, height: float, label: str, begin: float) -> str:
    y = height - BOTTOM
    parts = [
        f'<text class="label" text-anchor="middle" x="{(begin + WIDTH - RIGHT) / 2:.0f}" y="{height - 6}">{escape(label)}</text>'
    ]
    for i in range(5):
        value = low + (high - low) * i / 4
        x = _scale(value, low, high, begin, WIDTH - RIGHT)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{y}"/>')
        parts.append(f'<text class="tick" text-anchor="middle" x="{x:.1f}" y="{y + 15}">{value:.2f}</text>')
    return "".join(parts)


def _y(value: float, low: float, high: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _share(value, low, high)


def _scale(value: float, low: float, high: float, begin: float, end: float) -> float:
    return begin + (end - begin) * _share(value, low, high)


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5
