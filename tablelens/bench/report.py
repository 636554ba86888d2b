"""A report as JSON, as Markdown, and as the rows of the tables that both people and Markdown see."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tablelens.bench.baselines import PARTITIONS, PERMUTATIONS
from tablelens.bench.run import BenchReport

NAME = "join_discovery"
EXPLAINED = """\
**Modes** rank the whole lake; **baselines** (exact overlap, same name, name similarity, character 3-grams, LSH
Ensemble, language models) rank the candidates of the truth alone, which is easier. P is tie-aware precision, R recall
of the partners, Rc the same over min(k, partners); *same name* is the share of hits called as the query is, *outside*
that of hits which are no candidates of the truth and count as wrong. Own-table columns never count.
`equi, other names`: partners that are called as the query is leave run and truth. `semantic hard`: candidates that
equality would find (containment ≥ 0.3) leave both. `keys among keys`: columns outside the truth leave the run. `auto`
ranks on below the threshold of what is shown; `auto, as shown` stops there. Where columns leave the run, a mode is
asked for so many more hits (500 more for keys); `re-ranked 200` has its 200 candidates and no more. `from outside` asks
with the query's file, of which the catalogue then tells nothing. 3-grams are those of the cells that the catalogue
keeps, names are compared by the Jaccard index of their words.\
"""


ENCODERS = """\
From the columns of the truth on text to vectors, in processor time; of columns that are alike a language model is asked
once. It reads at most 128 or 384 tokens of a column, the lake's encoder all cells that are kept and all values.\
"""


def as_document(report: BenchReport) -> dict[str, Any]:
    """The report as JSON has it; a measure that is not defined is null."""
    document = asdict(report)
    document["build"]["columns_a_second"] = report.build.columns_a_second
    return _plain(document)  # type: ignore[no-any-return]


def write(report: BenchReport, folder: Path) -> tuple[Path, Path]:
    """Write both forms into a folder; the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{NAME}.json", folder / f"{NAME}.md"
    made[0].write_text(json.dumps(as_document(report), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    made[1].write_text(as_markdown(report), encoding="utf-8")
    return made


def as_markdown(report: BenchReport) -> str:
    """The report as a page."""
    sizes = ", ".join(f"{n:,} {name}" for name, n in report.sizes.items())
    parts = [
        f"# Join discovery: {report.pack}",
        f"{report.build.tables:,} tables, {report.build.columns:,} columns; queries: {sizes}. "
        f"Encoder {report.encoder['name']} (revision {report.encoder['revision'][:12]}, "
        f"{report.encoder['dimension']} dimensions).",
        "Written by `tablelens bench`.",
        "## Quality",
        EXPLAINED,
    ]
    for name in report.sizes:
        headings, rows = quality_rows(report, name)
        parts += [f"### {name}", _table(headings, rows)]
    if report.fuzzy:
        parts += ["### fuzzy: the same things spelled differently", _table(*fuzzy_rows(report))]
    parts += [
        "## Seconds a query",
        "One at a time, k = 10, in process, with evidence and SQL of every hit. CPU: processor time alone.",
    ]
    parts += [_table(*speed_rows(report)), "## Build", _table(("", ""), build_rows(report))]
    parts += [_table(*baseline_rows(report)), "## Encoders", ENCODERS, _table(*encoder_rows(report))]
    parts += ["## Conditions", _table(("", ""), [*report.machine.items(), *condition_rows(report)])]
    return "\n\n".join(parts) + "\n"


def quality_rows(report: BenchReport, queries: str) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of one query set."""
    rows = [row for row in report.quality if row.queries == queries]
    ks = [score.k for row in rows[:1] for score in row.scores]
    headings = ["ranking", *(f"{name}@{k}" for name in ("P", "R", "Rc", "NDCG") for k in ks)]
    headings += ["same name", "outside", "answered"]
    made = []
    for row in rows:
        cells = [
            share(getattr(score, name))
            for name in ("precision", "recall", "capped_recall", "ndcg")
            for score in row.scores
        ]
        first = [share(getattr(score, name)) for name in ("same_name", "outside") for score in row.scores[:1]]
        made.append([row.arm, *cells, *first, f"{row.answered}/{row.asked}"])
    return headings, made


def short_rows(report: BenchReport, queries: str) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of one query set for a terminal: the least k alone."""
    rows = [row for row in report.quality if row.queries == queries and row.scores]
    k = rows[0].scores[0].k if rows else 10
    made = []
    for row in rows:
        one = row.scores[0]
        cells = (one.precision, one.recall, one.capped_recall, one.ndcg, one.same_name)
        made.append([row.arm, *map(share, cells), f"{row.answered}/{row.asked}"])
    return [queries, f"P@{k}", f"R@{k}", f"Rc@{k}", f"NDCG@{k}", "same name", "answered"], made


def speed_rows(report: BenchReport) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of the times."""
    headings = ["queries", "ranking", "p50 ms", "p95 ms", "CPU p50 ms", "n"]
    return headings, [
        [one.queries, one.arm, *map(milliseconds, (one.p50, one.p95, one.cpu_p50)), str(one.asked)]
        for one in report.speed
    ]


def fuzzy_rows(report: BenchReport) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of the fuzzy pairs."""
    return ["fuzzy pairs", "R@10", "MRR", "pairs"], [
        [one.arm, share(one.recall), share(one.reciprocal), str(one.pairs)] for one in report.fuzzy
    ]


def baseline_rows(report: BenchReport) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of what baselines took to build."""
    return ["baseline", "columns", "build, CPU s"], [
        [one.arm, f"{one.columns:,}", f"{one.seconds:.1f}"] for one in report.baselines
    ]


def encoder_rows(report: BenchReport) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of the encoders' speeds; the last column is that of the first row over the row's."""
    rates = [one.columns / one.seconds if one.seconds else float("nan") for one in report.encoders]
    return ["encoder", "columns", "CPU s", "columns/CPU s", "the lake's is"], [
        [one.encoder, f"{one.columns:,}", f"{one.seconds:.1f}", f"{rate:,.0f}", f"{rates[0] / rate:,.1f} x"]
        for one, rate in zip(report.encoders, rates, strict=True)
    ]


def build_rows(report: BenchReport) -> list[tuple[str, str]]:
    """What the build took."""
    build = report.build
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in build.stages.items())
    took = f"{build.seconds:.1f} s ({stages})" + (", timed in an earlier run" if build.reused else "")
    encode = build.stages.get("encode", 0.0)
    return [
        ("crawl", took if build.stages else "not timed: the lake was there"),
        ("columns/s, whole crawl", f"{build.columns_a_second:,.0f}" if build.stages else "–"),
        ("columns/s, encoder", f"{build.vectors / encode:,.0f}" if encode else "–"),
        ("vectors", f"{build.vectors:,}"),
        ("crawl again, unchanged", f"{build.again_seconds:.2f} s ({_ratio(build.seconds, build.again_seconds)})"),
        ("files that failed", f"{build.failed:,}"),
        ("lake", megabytes(build.lake_bytes)),
        ("index", megabytes(build.index_bytes)),
        ("catalogue", f"{megabytes(build.catalog_bytes)}, its snapshot {megabytes(build.snapshot_bytes)}"),
        ("peak memory, crawl", f"{_megabytes(build.peak_mb)}, with the bench's truth, without the workers"),
        ("memory after all queries", f"{_megabytes(report.resident_mb)}, of it truth {_megabytes(report.truth_mb)}"),
    ]


def condition_rows(report: BenchReport) -> list[tuple[str, str]]:
    """How it was measured, beside the machine."""
    given = ", ".join(f"{name}={value}" for name, value in report.settings.items())
    return [
        ("load, at start and end", " and ".join(report.load)),
        ("settings", given or "defaults"),
        ("LSH Ensemble", f"{PERMUTATIONS} permutations, {PARTITIONS} partitions, hits ranked by exact containment"),
    ]


def share(value: float) -> str:
    """A measure for people.

    >>> share(0.5), share(float("nan"))
    ('.500', '–')
    """
    if math.isnan(value):
        return "–"
    return f"{value:.3f}".removeprefix("0")


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds for people."""
    return "–" if math.isnan(seconds) else f"{1000 * seconds:.1f}"


def megabytes(size: int) -> str:
    """Bytes for people."""
    return f"{size / 1e6:,.1f} MB"


def _megabytes(amount: float) -> str:
    return "–" if math.isnan(amount) else f"{amount:,.0f} MB"


def _ratio(first: float, again: float) -> str:
    return f"1/{first / again:,.0f} of the first" if again > 0 and first > 0 else "–"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _plain(value: Any) -> Any:
    """JSON knows no NaN; digits beyond the sixth say nothing."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    return value
