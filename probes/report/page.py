"""The report: one HTML file, no network, no script; lake text is escaped wherever it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

import numpy as np

from ..base import VERDICTS, Meta
from ..measures import above_chance
from ..registry import get_property
from ..results import Estimate, ModelCard, Result, Run
from . import charts
from .markdown import applicable, find, left_out, number, span

ROUNDING = 1e-5
"""Turns and variations up to which an embedding is the same but for the last bits."""
MOST_ROWS = 30


def page(run: Run) -> str:
    """The whole page."""
    style = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    body = "".join(
        [
            _head(run),
            _section("scorecard", "Scorecard", _scorecard(run)),
            _section("movement", "Angle and length", _movement(run)),
            _section("models", "Model by model", _contrasts(run)),
            _section("entities", "Do models agree on an entity's neighbours?", _agreement(run)),
            _section("properties", "Each property", "".join(_property(run, q) for q in applicable(run))),
            _section("coverage", "What was left out", _coverage(run)),
            _section("cost", "Cost", _cost(run)),
            _section("reading", "How to read this", READING),
        ]
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Probes {escape(run.id)}</title><style>{style}</style></head><body><main>{body}</main></body></html>\n"
    )


def _head(run: Run) -> str:
    d = run.dataset
    random = [card.name for card in run.models if card.weights.startswith("random")]
    note = f'<p class="note">Untrained, with random weights: {escape(", ".join(random))}.</p>' if random else ""
    return (
        f"<header><p class='kicker'>tablelens probe</p><h1>Does this table embedding deserve trust?</h1>"
        f"<p>{d['tables']:,} tables with {d['columns']:,} columns of <b>{escape(d['name'])}</b>, {len(run.models)} models, "
        f"{len({r.property for r in run.results})} properties. Run {escape(run.id)}, preset {escape(run.preset)}, "
        f"seed {run.seed}.</p>{note}<nav>{_legend(run)}</nav></header>"
    )


def _legend(run: Run) -> str:
    parts = []
    for i, card in enumerate(run.models):
        tally = Counter(r.verdict for r in run.results if r.model == card.name and "level" not in r.skipped)
        counts = " ".join(f'<span class="{_slug(v)}">{tally[v]} {v}</span>' for v in VERDICTS if tally[v])
        parts.append(
            f'<div class="card"><i class="key k{i % 10}"></i><b>{escape(card.name)}</b><small>{counts}</small></div>'
        )
    return "".join(parts)


def _scorecard(run: Run) -> str:
    """Properties down, models across: verdict, value, interval on the scale from floor to ceiling."""
    head = "".join(f'<th><i class="key k{i % 10}"></i>{escape(card.name)}</th>' for i, card in enumerate(run.models))
    rows = []
    for name, level in applicable(run):
        meta = get_property(name).meta
        cells = "".join(_score(meta, find(run, card, (name, level))) for card in run.models)
        tag = f'<b class="paper">{meta.paper}</b> ' if meta.paper else '<b class="ours">+</b> '
        rows.append(
            f'<tr><th><a href="#{name}-{level}">{tag}{escape(meta.title)}</a> <small>{level}</small></th>{cells}</tr>'
        )
    return (
        f'<div class="wide"><table class="score"><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        "</div><p class='small'>P1 to P8 are Observatory's; + are ours. Hover a cell for its reason.</p>"
    )


def _score(meta: Meta, result: Result | None) -> str:
    if result is None:
        return "<td></td>"
    found = result.figure()
    mini = ""
    if found is not None and result.verdict != "not applicable":
        floor = min(meta.floor if meta.floor is not None else 0.0, found.low)
        mini = f"<span class='value'>{found.value:.2f}</span>{charts.interval(found, floor, max(meta.ceiling, found.high))}"
    label = "n/a" if result.verdict == "not applicable" else result.verdict
    return (
        f'<td class="{_slug(result.verdict)}" title="{escape(result.why)}"><span class="chip">{label}</span>{mini}</td>'
    )


def _movement(run: Run) -> str:
    """Angle against length, a point for each table; what no table moves gets no picture."""
    parts, still = [], []
    for name, level in applicable(run):
        series = {}
        for card in run.models:
            result = find(run, card, (name, level))
            units = result.units.values() if result is not None else ()
            series[card.name] = [(1 - u["cosine"], u["mcv"]) for u in units if "cosine" in u and "mcv" in u]
        points = [point for points in series.values() for point in points]
        title = f"{escape(get_property(name).meta.title)}, {level}"
        if any(max(map(abs, point)) > ROUNDING for point in points):
            chart = charts.scatter(series, "1 - cosine to the original", "Albert-Zhang MCV")
            parts.append(f"<figure><figcaption>{title}</figcaption>{chart}</figure>")
        elif points:
            still.append(title)
    intro = (
        "<p>A point is a table. To the right the embedding turns, upwards its length varies: "
        "the coefficient of variation alone, which is often reported, does not see a turn.</p>"
    )
    unmoved = f"<p>Nothing moves any of these models: {'; '.join(still)}.</p>" if still else ""
    return intro + unmoved + f'<div class="grid2">{"".join(parts)}</div>' if parts or still else ""


def _contrasts(run: Run) -> str:
    if not run.comparisons:
        return "<p>One model, or too few shared tables: nothing to compare.</p>"
    ranked = sorted(run.comparisons, key=lambda row: -abs(row["difference"]))[:MOST_ROWS]
    rows = [
        (
            f"{row['property']} {row['level']}: {row['left']} - {row['right']}",
            Estimate(row["difference"], row["low"], row["high"]),
            row["p_holm"] < 0.05,
        )
        for row in ranked
    ]
    table = _table(
        ["property", "level", "left", "right", "tables", "difference", "p, Holm", "Cliff's δ"],
        [
            (r["property"], r["level"], r["left"], r["right"], r["tables"], f"{r['difference']:+.3f} [{r['low']:.3f}, {r['high']:.3f}]",
             f"{r['p_holm']:.2g}", f"{r['cliffs_delta']:+.2f}")
            for r in ranked
        ],
    )  # fmt: skip
    sure = sum(row["p_holm"] < 0.05 for row in run.comparisons)
    return (
        f"<p>Differences of the headline on the tables of both models, left less right, largest first. Wilcoxon's test, "
        f"corrected by Holm over all {len(run.comparisons)} comparisons: {sure} hold (filled dots).</p>"
        f"{charts.forest(rows, 'difference with 95 % interval')}<details><summary>As a table</summary>{table}</details>"
    )


def _agreement(run: Run) -> str:
    """Shared neighbours of the same entities between any two models, with chance at 0."""
    kept = {r.model: r.kept["entities"] for r in run.results if "entities" in r.kept}
    if not kept:
        return "<p>No entity stands in two tables.</p>"
    names = list(kept)
    cells = [[_shared(kept[a], kept[b]) for b in names] for a in names]
    chart = charts.heatmap(names, cells, "shared nearest neighbours, chance at 0")
    count = max(len(found["names"]) for found in kept.values())
    return f"<p>Of {count} entities each has its {next(iter(kept.values()))['k']} nearest others in the space of each model.</p>{chart}"


def _shared(left: dict[str, list[list[int]]], right: dict[str, list[list[int]]]) -> float | None:
    if left["names"] != right["names"]:
        return None
    k, n = int(left["k"]), len(left["names"])  # type: ignore[call-overload]
    raw = [len(set(a) & set(b)) / k for a, b in zip(left["neighbours"], right["neighbours"], strict=True)]
    return above_chance(float(np.mean(raw)), k / (n - 1))


def _property(run: Run, question: tuple[str, str]) -> str:
    name, level = question
    meta = get_property(name).meta
    found = [
        (card, r) for card in run.models if (r := find(run, card, question)) is not None and "level" not in r.skipped
    ]
    strips = charts.strips(
        {card.name: [u[meta.headline] for u in r.units.values() if meta.headline in u] for card, r in found},
        meta.headline,
    )
    curve = charts.lines(
        {card.name: r.curve for card, r in found if r.curve}, "cosine" if "cosine" in meta.measures else "value"
    )
    figures = f"<figure><figcaption>a dot is a table</figcaption>{strips}</figure>" if strips else ""
    figures += f"<figure><figcaption>by dose or kind</figcaption>{curve}</figure>" if curve else ""
    verdicts = "".join(
        f'<li><span class="chip {_slug(r.verdict)}">{r.verdict}</span> <b>{escape(card.name)}</b>: {escape(r.why)}{_stopped(r)}</li>'
        for card, r in found
    )
    return (
        f'<details class="property" id="{name}-{level}"><summary><b>{escape(meta.paper)} {escape(meta.title)}</b> <small>{level}</small>'
        f"<span>{escape(meta.question)}</span></summary><ul>{verdicts}</ul>{_measures(meta, found)}"
        f'<div class="grid2">{figures}</div>{_worst(found)}</details>'
    )


def _stopped(result: Result) -> str:
    reasons = {
        "narrow": "interval narrow enough",
        "tables": "tables differ more than variants",
        "budget": "budget spent",
    }
    tost = f"; equivalence test p = {result.tests['tost p']:.2g}" if "tost p" in result.tests else ""
    if result.stopped in reasons:
        return f" <small>{result.variants} variants a table, {reasons[result.stopped]}{tost}</small>"
    return f" <small>{tost.lstrip('; ')}</small>" if tost else ""


def _measures(meta: Meta, found: Sequence[tuple[ModelCard, Result]]) -> str:
    rows = [(name, *(span(r.estimates.get(name)) for _, r in found), text) for name, text in meta.measures.items()]
    return _table(["measure", *(card.name for card, _ in found), ""], rows)


def _worst(found: Sequence[tuple[ModelCard, Result]]) -> str:
    rows = [
        (card.name, w["table"], f"{w['value']:.3f}", w["what"])
        for card, r in found
        for w in r.worst[:5]
        if w["value"] < 1 - 1e-6
    ]
    return f"<h4>Moved most</h4>{_table(['model', 'table', 'cosine', 'by'], rows)}" if rows else ""


def _coverage(run: Run) -> str:
    rows = left_out(run)
    lost = ", ".join(f"{reason}: {count}" for reason, count in run.dataset["skipped"].items())
    intro = f"<p>Of the files themselves: {escape(lost)}.</p>" if lost else ""
    headings = ["property", "level", "tables left out, by reason", "models"]
    return intro + (_table(headings, rows) if rows else "<p>Nothing.</p>")


def _cost(run: Run) -> str:
    rows = [
        (c.name, ", ".join(c.levels), ", ".join(sorted({str(d) for d in c.dimension.values()})), c.max_tokens or "no limit",
         number(c.ms_a_column), f"{c.peak_mb:,.0f}", f"{c.encoded:,}", f"{c.cached:,}", c.weights, c.revision[:12])
        for c in run.models
    ]  # fmt: skip
    headings = [
        "model",
        "levels",
        "dimensions",
        "max tokens",
        "ms a column",
        "peak MB",
        "encoded",
        "from cache",
        "weights",
        "revision",
    ]
    versions = ", ".join(f"{name} {value}" for name, value in run.environment.items())
    return (
        _table(headings, rows)
        + f"<p class='small'>{escape(versions)}. Dataset {escape(run.dataset['revision'][:12])}.</p>"
    )


def _section(anchor: str, title: str, inner: str) -> str:
    return f'<section id="{anchor}"><h2>{escape(title)}</h2>{inner}</section>' if inner else ""


def _table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _slug(verdict: str) -> str:
    return verdict.replace(" ", "-")


READING = """
<p><b>The unit is a table.</b> Intervals are 95 % bootstrap intervals over tables, for the permutations of one table are
not independent. <b>Pass</b> needs the whole interval above the property's limit, <b>fail</b> the whole interval below a
lower one; between them is <b>warn</b>.</p>
<p><b>Stability</b> is the cosine to the original with another item at random as 0: where any two vectors of a model have
cosine 0.9, a cosine of 0.95 is a stability of 0.5. <b>Degenerate</b> is a model whose items are all alike: it would pass
every invariance, and is worthless. <b>Not applicable</b> says why nothing can be said; nothing is left out silently.</p>
<p><b>MCV</b> (Albert and Zhang) sees how lengths vary and not how vectors turn; <b>Van Valen's</b> coefficient sees both.
<b>Self retrieval</b> asks whether a changed item is still nearest to its own original. For functional dependencies a
model that embeds equal cells equally is blind, not good.</p>
"""
