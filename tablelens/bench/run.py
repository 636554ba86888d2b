"""The bench: prepare the lake, let every arm rank every query set, time what a user waits for."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tablelens.bench import metrics
from tablelens.bench.arms import Arm, ModeArm, OutsideArm, RerankArm
from tablelens.bench.baselines import (
    ENCODE_BATCH,
    EnsembleArm,
    NameArm,
    OverlapArm,
    SentenceArm,
    Sketches,
    check_model,
    datasketch,
)
from tablelens.bench.fuzzy import FuzzyScore, fuzzy_scores
from tablelens.bench.ground import Ground
from tablelens.bench.jaccard import gram_arm, name_arm
from tablelens.bench.machine import load, machine, resident_megabytes
from tablelens.bench.pack import PackQuery, QuerySet, read_pack
from tablelens.bench.prepare import Build, prepare
from tablelens.errors import UsageError
from tablelens.pipeline.texts import column_texts
from tablelens.progress import Progress, Silent
from tablelens.types import Ids, Mode

MODES: tuple[Mode, ...] = ("equi", "auto", "deepjoin", "semantic")
OUTSIDE: tuple[Mode, ...] = ("auto", "deepjoin")
"""Modes that are asked with the query's file too."""
THRESHOLDS = (0.3, 0.7)
WARM = 10
DEEPER = 500
"""How much deeper a ranking is asked for where columns leave it before it is scored."""


@dataclass(frozen=True)
class Options:
    """What to measure, and how much of it."""

    ks: tuple[int, ...] = (10, 20, 50)
    limit_tables: int = 0
    queries: int = 0
    ensemble: bool = True
    models: dict[str, Path] = field(default_factory=dict)
    """Folder of a sentence-transformers model by the name that reports give it."""
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.ks or min(self.ks) < 1 or max(self.ks) > 1000:
            raise UsageError(f"ks are {self.ks}", "each k lies between 1 and 1000")
        if self.limit_tables < 0 or self.queries < 0:
            raise UsageError("a number of tables or queries is below 0", "0 takes them all")


@dataclass(frozen=True, slots=True)
class Quality:
    """Means of one arm over one query set."""

    queries: str
    arm: str
    asked: int
    answered: int
    scores: tuple[metrics.Score, ...]


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds a query of one arm, k = 10, one query at a time, with all that an answer holds."""

    queries: str
    arm: str
    asked: int
    p50: float
    p95: float
    cpu_p50: float
    """Seconds of processor time: what is left of ``p50`` where the machine is shared."""


@dataclass(frozen=True, slots=True)
class BaselineBuild:
    """Seconds of processor time that a baseline took to build, over so many columns."""

    arm: str
    columns: int
    seconds: float


@dataclass(frozen=True, slots=True)
class EncoderSpeed:
    """Seconds of processor time that an encoder took for so many columns, from their texts to vectors."""

    encoder: str
    columns: int
    seconds: float


@dataclass(frozen=True, slots=True)
class BenchReport:
    """All that was measured."""

    pack: str
    encoder: dict[str, Any]
    build: Build
    quality: tuple[Quality, ...]
    speed: tuple[Speed, ...]
    baselines: tuple[BaselineBuild, ...]
    encoders: tuple[EncoderSpeed, ...]
    """That of the lake first, then the language models."""
    fuzzy: tuple[FuzzyScore, ...]
    truth_mb: float
    """Memory after the pack's truth was read, before the lake was opened."""
    resident_mb: float
    """Memory after the queries of the modes, before any baseline was built: truth and mapped index included."""
    load: tuple[str, str]
    """Mean number of running processes at the start and at the end."""
    settings: dict[str, Any]
    machine: dict[str, str]
    sizes: dict[str, int]
    """Queries by set."""


def run(folder: Path, options: Options, work: Path | None = None, progress: Progress | None = None) -> BenchReport:
    """Measure on a lake pack.

    Args:
        folder: the pack.
        options: what to measure.
        work: folder for the unpacked and crawled lake, used again where it is unchanged; None for a temporary one.
        progress: told of each stage.

    Raises:
        NotFound: no pack there.
        UsageError: the pack lacks a column, or the work folder holds something else.
        MissingExtra: a baseline needs a package that is not installed.
    """
    told, facts, start = progress or Silent(), machine(), load()  # files may change while it runs
    if options.ensemble:
        datasketch()  # before the long part
    for model in options.models.values():
        check_model(model)
    pack = read_pack(folder, options.limit_tables, options.queries)
    truth = resident_megabytes()
    with ExitStack() as stack:
        if work is None:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ground, build = prepare(pack, work, options.settings, told)
        modes: list[Arm] = [ModeArm(ground, mode) for mode in MODES]
        shown = ModeArm(ground, "auto", ground.lake.settings.threshold)
        own: list[Arm] = [*modes, shown, RerankArm(ground)]
        _warm_up(ground, modes)
        quality, speed = _measured(ground, own, options, told)
        equi = next(one for one in pack.sets if one.name == "equi")
        outside = [OutsideArm(ground, work / "lake", mode) for mode in OUTSIDE]
        quality += [evaluate(ground, arm, equi, options.ks, told) for arm in outside]
        resident = resident_megabytes()
        more, faster, built, models = _baselines(ground, options, told)
        pairs = folder / "fuzzy"
        fuzzy = fuzzy_scores(pairs, MODES, options.settings) if pairs.is_dir() else ()
        encoder = {name: ground.view.generation.encoder[name] for name in ("name", "revision", "dimension", "template")}
    return BenchReport(
        pack=pack.label,
        encoder=encoder,
        build=build,
        quality=tuple(_by_set(ground, [*quality, *more])),
        speed=(*speed, *faster),
        baselines=tuple(built),
        encoders=(encoder_speed(ground), *models),
        fuzzy=fuzzy,
        truth_mb=truth,
        resident_mb=resident,
        load=(start, load()),
        settings=options.settings,
        machine=facts,
        sizes={one.name: len(one.queries) for one in pack.sets},
    )


def evaluate(ground: Ground, arm: Arm, queries: QuerySet, ks: Sequence[int], progress: Progress) -> Quality:
    """One arm on one query set."""
    progress.start(f"{queries.name}: {arm.name}", len(queries.queries), 0)
    per_k: list[list[metrics.Score]] = [[] for _ in ks]
    asked = [query for query in queries.queries if query.cid in ground.place_of]
    answered = 0
    for query in asked:
        ranking = arm.rank(query, _depth(query, queries, ks), queries.pool)
        answered += bool(ranking)
        for place, score in enumerate(metrics.score(ranking, query, queries, ground.pack.columns, ks)):
            per_k[place].append(score)
        progress.advance(1, 0)
    progress.end()
    return Quality(queries.name, arm.name, len(asked), answered, tuple(map(metrics.mean, per_k)) if asked else ())


def timed(ground: Ground, arm: Arm, queries: QuerySet, k: int = 10) -> Speed:
    """Seconds a query, after a warm-up."""
    asked = [query for query in queries.queries if query.cid in ground.place_of]
    for query in asked[:WARM]:
        arm.rank(query, k, queries.pool)
    seconds = np.full((len(asked), 2), np.nan)
    for row, query in zip(seconds, asked, strict=True):
        start, used = time.perf_counter(), time.process_time()
        arm.rank(query, k, queries.pool)
        row[:] = time.perf_counter() - start, time.process_time() - used
    found = (
        np.append(np.quantile(seconds[:, 0], (0.5, 0.95)), np.median(seconds[:, 1])) if asked else np.full(3, np.nan)
    )
    p50, p95, used_p50 = found.tolist()
    return Speed(queries.name, arm.name, len(asked), p50, p95, used_p50)


def _depth(query: PackQuery, queries: QuerySet, ks: Sequence[int]) -> int:
    """So deep that the greatest k is left when columns have left the ranking."""
    return max(ks) + len(queries.dropped.get(query.id, ())) + (DEEPER if queries.closed else 0)


def _measured(
    ground: Ground, arms: Sequence[Arm], options: Options, progress: Progress
) -> tuple[list[Quality], list[Speed]]:
    sets = ground.pack.sets
    speed = [timed(ground, arm, one) for one in sets if one.name in ("equi", "keys") for arm in arms]
    return [evaluate(ground, arm, one, options.ks, progress) for one in sets for arm in arms], speed


def _baselines(
    ground: Ground, options: Options, progress: Progress
) -> tuple[list[Quality], list[Speed], list[BaselineBuild], list[EncoderSpeed]]:
    places = _places(ground)
    jaccard = [name_arm(ground, places), gram_arm(ground, places)]
    built = [BaselineBuild(arm.name, len(places), arm.build_seconds) for arm in jaccard]
    quality, speed = _measured(ground, [OverlapArm(ground), NameArm(ground), *jaccard], options, progress)
    sketches = Sketches(ground, progress)
    for threshold in THRESHOLDS if options.ensemble else ():
        arm = EnsembleArm(ground, threshold, sketches)
        arm.build()
        built.append(BaselineBuild(arm.name, len(sketches.entries()), arm.build_seconds))
        found, faster = _measured(ground, [arm], options, progress)
        quality, speed = quality + found, speed + faster
    sketches.clear()
    encoders = []
    for name, folder in options.models.items():
        model = SentenceArm(ground, name, folder, progress)
        model.build(_text_queries(ground))
        encoders.append(EncoderSpeed(name, model.made, model.build_seconds))
        sets = [one for one in ground.pack.sets if one.pool == "text"]
        quality += [evaluate(ground, model, one, options.ks, progress) for one in sets]
    return quality, speed, built, encoders


def encoder_speed(ground: Ground) -> EncoderSpeed:
    """The lake's own encoder on the candidates of the truth on text."""
    generation, encoder = ground.view.generation, ground.lake.encoder
    places = np.flatnonzero(ground.pools["text"] & ground.view.usable)
    texts = column_texts(
        generation.columns, places, generation.postings, encoder.max_tokens, ground.lake.settings, encoder.reads
    )
    start = time.process_time()
    for first in range(0, len(texts), ENCODE_BATCH):
        encoder.encode(texts[first : first + ENCODE_BATCH])
    return EncoderSpeed(encoder.name, len(texts), time.process_time() - start)


def _places(ground: Ground) -> Ids:
    """The candidates of the truth, and the columns that ask."""
    asked = [ground.place_of[q.cid] for one in ground.pack.sets for q in one.queries if q.cid in ground.place_of]
    return np.union1d(np.flatnonzero(ground.pools["text"] | ground.pools["key"]), np.array(asked, np.int64))


def _text_queries(ground: Ground) -> Ids:
    asked = {query.cid for one in ground.pack.sets if one.pool == "text" for query in one.queries}
    return np.array(sorted(ground.place_of[cid] for cid in asked & ground.place_of.keys()), np.int64)


def _warm_up(ground: Ground, arms: Sequence[Arm]) -> None:
    """Map the index into memory before anything is timed."""
    for one in ground.pack.sets:
        for query in [query for query in one.queries if query.cid in ground.place_of][:WARM]:
            for arm in arms:
                arm.rank(query, 10, one.pool)


def _by_set(ground: Ground, quality: list[Quality]) -> list[Quality]:
    """In the order of the query sets, each with its arms in the order of their measuring."""
    order = [one.name for one in ground.pack.sets]
    return sorted(quality, key=lambda row: order.index(row.queries))
