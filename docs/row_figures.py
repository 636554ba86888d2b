"""The page of TransTab's figures: the paper's beside those that the benchmarks wrote."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
import row_paper  # noqa: E402
from row_data import interval  # noqa: E402

HEAD = """# TransTab, the paper's figures and ours

AUROC. The paper's (Wang & Sun, NeurIPS 2022, Tables 8 to 12) are means of ten seeds on all rows; which rows and columns
went where is not published, so they are beside ours for orientation, and only what stands under "here" is comparable.
Ours are means ± 95 % over splits (in brackets how many) of at most {most:,} rows that are learnt from; how each was
made is said in {sources}.
`package` is the authors' transtab 0.0.5. A dash was not measured. `adult` holds the rows of `1995-income`.
"""
RESULTS = ("row_encoders", "row_columns", "row_pretraining")
Runs = Mapping[str, Any]


def page() -> str:
    """All tables."""
    encoders, columns, pretraining = map(_read, RESULTS)
    there = [name for name in RESULTS if (BENCHMARKS / "results" / f"{name}.md").exists()]
    sources = ", ".join(f"[{name}](../../benchmarks/results/{name}.md)" for name in there)
    parts = [HEAD.format(most=encoders["most"], sources=sources), _supervised(encoders["supervised"])]
    parts += [_columns(columns[task], *about) for task, about in TASKS.items() if task in columns]
    parts += [_pretrained(pretraining["runs"])] if pretraining else []
    return "\n".join(parts)


def _read(name: str) -> dict[str, Any]:
    path = BENCHMARKS / "results" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _table(title: str, headings: list[str], row: Callable[[str], list[str]], names: tuple[str, ...]) -> str:
    rows = [f"| {' | '.join([name, *row(name)])} |" for name in names]
    return "\n".join(
        [f"## {title}\n", f"| {' | '.join(['data', *headings])} |", "|---" * (1 + len(headings)) + "|", *rows, ""]
    )


def _mean(values: list[float]) -> str:
    if not values:
        return "–"
    mean, reach = interval(values)
    return f"{mean:.3f}" + (f" ± {reach:.3f}" if len(values) > 1 else "") + f" ({len(values)})"


def _paper(figures: Mapping[str, float]) -> list[str]:
    return [f"{figure:.3f}" for figure in figures.values()]


def _supervised(runs: Runs) -> str:
    models = {"linear": "LR", "trees": "trees", "lightgbm": "LightGBM", "peer": "package", "words": "as the paper",
              "fused": "**default**"}  # fmt: skip
    headings = [f"paper: {name}" for name in row_paper.SUPERVISED["adult"]] + [
        f"here: {name}" for name in models.values()
    ]

    def row(name: str) -> list[str]:
        here = runs.get(name, {})
        return _paper(row_paper.SUPERVISED[name]) + [_mean(list(here.get(model, {}).values())) for model in models]

    return _table("Supervised", headings, row, row_paper.SETS)


TASKS = {
    "incremental": ("Feature-incremental", row_paper.INCREMENTAL),
    "transfer": ("Transfer, the mean of both halves", row_paper.TRANSFER),
    "zero_shot": ("Zero-shot, and from the third columns alone", row_paper.ZERO_SHOT),
    "zero_shot_cut": ("Zero-shot, columns cut as the package cuts them", row_paper.ZERO_SHOT),
}


def _columns(runs: Runs, title: str, paper: Mapping[str, Mapping[str, float]]) -> str:
    models = list(next(iter(next(iter(runs.values())).values())))
    headings = [f"paper: {name}" for name in paper["adult"]] + [f"here: {name.replace('_', ' ')}" for name in models]

    def row(name: str) -> list[str]:
        here = list(runs.get(name, {}).values())
        return _paper(paper[name]) + [_mean([run[model] for run in here]) for model in models]

    return _table(title, headings, row, row_paper.SETS)


def _pretrained(runs: Runs) -> str:
    losses = list(dict.fromkeys(loss for made in runs.values() for loss in made))
    headings = [f"paper: {name}" for name in row_paper.PRETRAINED["adult"]] + [f"here: {loss}" for loss in losses]

    def row(name: str) -> list[str]:
        made = [runs[name].get(loss, {}).values() for loss in losses]
        return _paper(row_paper.PRETRAINED[name]) + [_mean([run["finetuned"] for run in some]) for some in made]

    return _table("Pretrained by contrast, then fine-tuned", headings, row, tuple(runs))
