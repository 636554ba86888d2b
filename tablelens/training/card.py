"""The model card: what a model was made of, how, and what it reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tablelens.training.runs import State


@dataclass(frozen=True, slots=True)
class Card:
    """What a model card says."""

    name: str
    kind: str
    base: str
    licence: str
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    state: State
    command: str

    def markdown(self) -> str:
        """The card as a README with YAML front matter, as model hubs read it."""
        best, base = self.state.best, self.state.base
        front = ["---", f"license: {self.licence.lower()}", f"base_model: {self.base}"]
        front += ["library_name: tablelens", "tags: [join-discovery, deepjoin, table-embeddings]", "---"]
        scores = [
            ("before training", base.ndcg, base.precision, base.reranked, base.queries),
            (f"step {self.state.best_step}", best.ndcg, best.precision, best.reranked, best.queries),
        ]
        lines = [
            *front, "", f"# {self.name}", "",
            f"A {self.kind} column encoder for tablelens: columns that join lie near to each other.", "",
            "## Use", "", "```sh", f"tablelens crawl LAKE --encoder {self.name}", "```", "",
            "## Data", "", *_table(("", ""), self.data.items()), "",
            "No value of the data is kept in the weights but what token vectors tell of it.", "",
            "## Scores", "",
            "Columns of tables that no training pair came from, ranked against each other by exact search; truth is "
            "containment, counted.", "",
            *_table(("", "NDCG@10", "P@10", "P@10 of 200 re-ranked", "queries"),
                    [(name, *(f"{x:.3f}" for x in row[:3]), row[3]) for name, *row in scores]), "",
            "## Settings", "", *_table(("setting", "value"), self.settings.items()), "",
            "## Made by", "", "```sh", self.command, "```", "",
        ]  # fmt: skip
        return "\n".join(lines)

    def write(self, folder: Path) -> None:
        """Write README.md."""
        (folder / "README.md").write_text(self.markdown(), encoding="utf-8")


def _table(headings: Sequence[str], rows: Any) -> list[str]:
    body = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return ["| " + " | ".join(headings) + " |", "|---" * len(headings) + "|", *body]
