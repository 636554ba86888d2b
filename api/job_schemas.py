"""Jobs as they travel over the wire: crawls and augmentations, and what came of them."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from .schemas import Out, Page, TableRef


class JobOut(Out):
    """A crawl: waiting, running, or what came of it."""

    id: str
    lake: str
    path: Annotated[str, Meta(description="the folder; empty to those who may not crawl others")]
    state: Annotated[str, Meta(description="waiting, running, done, failed, cancelled", examples=["running"])]
    created: Annotated[str, Meta(description="UTC, ISO 8601")]
    finished: str | None = None
    stage: Annotated[str, Meta(description="read, encode …")] = ""
    done: int = 0
    total: int = 0
    report: dict[str, Any] | None = None
    error: str = ""


class JobPage(Page):
    """One page of crawls."""

    items: list[JobOut]


class LiftOut(Out):
    """What a choice of columns adds to the score, with an interval that holds for all candidates at once."""

    mean: float
    low: float
    high: float


class TrialOut(Out):
    """A candidate of an augmentation."""

    table: str
    key: Annotated[str, Meta(description="its column that is joined")]
    column: Annotated[str, Meta(description="the column of the augmented table that is joined")]
    probability: float
    matched: Annotated[float, Meta(description="share of the rows that find a partner")]
    rows_a_key: Annotated[int, Meta(description="most rows of it with one key; more than 1 are aggregated")]
    columns: Annotated[list[str], Meta(description="what it adds")]
    left_out: Annotated[dict[str, str], Meta(description="columns that are not used, and why")]
    lifts: Annotated[dict[str, LiftOut], Meta(description="by judge: trees, transtab")]
    recommended: bool
    reason: Annotated[str, Meta(description="why it was not tried, or nothing")]


class OutcomeOut(Out):
    """A choice of candidates: none, recommended, everything, random."""

    name: str
    tables: list[str]
    scores: Annotated[dict[str, float], Meta(description="by judge")]
    lifts: dict[str, LiftOut]


class AugmentationReport(Out):
    """What came of an augmentation."""

    metric: str
    recommended: Annotated[list[str], Meta(description="tables whose interval lies above zero")]
    outcomes: list[OutcomeOut]
    trials: list[TrialOut]
    sql: Annotated[str, Meta(description="the augmented table, for DuckDB; empty where nothing is recommended")]
    rows: int
    columns: list[str]
    seconds: float


class AugmentationOut(Out):
    """An augmentation: waiting, running, or what came of it."""

    id: str
    table: TableRef
    target: str
    state: Annotated[str, Meta(description="waiting, running, done, failed, cancelled", examples=["running"])]
    created: Annotated[str, Meta(description="UTC, ISO 8601")]
    finished: str | None = None
    stage: Annotated[str, Meta(description="the table that is being tried")] = ""
    done: Annotated[int, Meta(description="steps so far")] = 0
    report: AugmentationReport | None = None
    error: str = ""


class AugmentationPage(Page):
    """One page of augmentations."""

    items: list[AugmentationOut]
