"""Models × properties × levels: each result is kept as soon as it is there, so a run that was cut off goes on."""

from __future__ import annotations

import json
import platform
import random
import resource
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from tablelens import __version__
from tablelens.progress import Progress, Silent

from . import results
from .base import Level, Observation, Property, Skip, Verdict
from .contrast import contrasts
from .controls import Controls, control
from .data import Dataset, from_lake, from_sample_lake, generate
from .data.dataset import count_reasons
from .embedding import Cache, Cost, Embedder
from .invariance import Invariance
from .models.base import Model
from .models.reference import FORMULA
from .results import Estimate, ModelCard, Result, Run
from .statistics import Interval, bootstrap, bootstrap_mean, tost
from .tables import digest

NARROW = 0.005
"""Half-width of the headline's interval at which no more variants are tried."""
WORST = 10
SKIPPED = 0.5
"""A result of fewer than this share of the tables that could have been looked at is no pass."""


@dataclass(frozen=True)
class Budget:
    """How much is tried: tables, rows of each, variants at first and at most."""

    tables: int
    rows: int
    variants: int
    most: int


PRESETS = {
    "smoke": Budget(tables=18, rows=24, variants=4, most=4),
    "standard": Budget(tables=60, rows=50, variants=8, most=16),
    "full": Budget(tables=400, rows=200, variants=16, most=256),
}


@dataclass
class Probe:
    """What a property gets to work with: tables, vectors, controls, and chance by seed."""

    dataset: Dataset
    embedder: Embedder
    seed: int
    kept: dict[str, Any] = field(default_factory=dict)
    _controls: dict[Level, Controls] = field(default_factory=dict)

    def controls(self, level: Level) -> Controls:
        """Controls of a level, made once.

        Raises:
            Skip: no table could be embedded.
        """
        if level not in self._controls:
            made = control(self.embedder, self.dataset.tables, level)
            if made is None:
                raise Skip("no-vectors")
            self._controls[level] = made
        return self._controls[level]

    def random(self, *names: str) -> random.Random:
        """Chance that depends on the seed and these names alone."""
        return random.Random(digest(str(self.seed), names))  # noqa: S311 - a sample, no secret

    def keep(self, name: str, value: Any) -> None:
        """Keep something for the report."""
        self.kept[name] = value


@dataclass(frozen=True)
class Store:
    """Results by what they depend on, and the cache of vectors; all below one folder."""

    folder: Path | None

    def cache(self) -> Cache:
        """The cache of vectors."""
        return Cache(None if self.folder is None else self.folder / "vectors.sqlite")

    def get(self, key: str) -> dict[str, Any] | None:
        """A kept document, unless it is not there or damaged."""
        if self.folder is None:
            return None
        with suppress(OSError, ValueError):
            return json.loads((self.folder / "results" / f"{key}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]
        return None

    def put(self, key: str, document: dict[str, Any]) -> None:
        """Keep a document."""
        if self.folder is not None:
            results.write(self.folder / "results" / f"{key}.json", results.clean(document))


def run(
    models: Sequence[Model],
    properties: Sequence[Property],
    dataset: Dataset,
    budget: Budget,
    *,
    preset: str = "",
    seed: int = 7,
    folder: Path | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Probe each model with each property.

    Args:
        models: one or more; see ``registry.load_model``.
        properties: as ``registry.PROPERTIES``.
        dataset: tables; see ``data``.
        budget: how much is tried.
        preset: its name, for the report.
        seed: of all chance.
        folder: where results and vectors are kept and found again; None keeps nothing.
        fresh: measure anew what is kept; vectors still come from the cache.
        progress: told of each model's properties.
    """
    began, started = time.perf_counter(), datetime.now(UTC)
    store = Store(folder)
    cards, found = [], []
    for model in models:
        card, made = _probe_model(model, properties, dataset, budget, seed, store, fresh, progress or Silent())
        cards.append(card)
        found += made
    keys = digest(*[result.key for result in found], started.isoformat()).hex()
    return Run(
        id=f"{started:%Y%m%d-%H%M%S}-{keys[:6]}",
        started=started.isoformat(timespec="seconds"),
        preset=preset,
        seed=seed,
        parameters=asdict(budget),
        dataset=describe(dataset),
        models=tuple(cards),
        results=tuple(found),
        environment=environment(),
        seconds=time.perf_counter() - began,
        comparisons=contrasts(_contestants(found, cards), seed),
    )


def _contestants(found: Sequence[Result], cards: Sequence[ModelCard]) -> list[Result]:
    """Results of models to be compared: reference models only where there are no two others.

    Each comparison more makes Holm's correction harder on all of them, and what a formula does is known beforehand.
    """
    real = {card.name for card in cards if not card.weights.startswith(FORMULA)}
    return [result for result in found if result.model in real or len(real) < 2]


def choose(preset: str, budget: Budget, seed: int, home: Path, lake: str | None = None) -> Dataset:
    """The tables of a run: of a crawled lake (``all``: of any) where one is named, else those that come with us."""
    if lake is not None:
        return from_lake(home, None if lake == "all" else lake, budget.rows, budget.tables, seed)
    if preset == "smoke":
        return generate(budget.tables, budget.rows, seed)
    return from_sample_lake(budget.rows, budget.tables)


def describe(dataset: Dataset) -> dict[str, Any]:
    """A dataset as the run names it."""
    return {
        "name": dataset.name,
        "revision": dataset.revision,
        "tables": len(dataset.tables),
        "columns": sum(table.width for table in dataset.tables),
        "typed columns": len(dataset.types),
        "types": dataset.labels,
        "entities": len(dataset.entities),
        "licence": dataset.licence,
        "skipped": dict(dataset.skipped),
    }


def environment() -> dict[str, str]:
    """Versions that figures may depend on."""
    found = {"tablelens": __version__, "python": platform.python_version(), "machine": platform.machine()}
    for package in ("numpy", "scipy", "torch", "transformers", "sentence-transformers"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _probe_model(
    model: Model, properties: Sequence[Property], dataset: Dataset, budget: Budget, seed: int,
    store: Store, fresh: bool, progress: Progress,
) -> tuple[ModelCard, list[Result]]:  # fmt: skip
    cache = store.cache()
    probe = Probe(dataset, Embedder(model, cache), seed)
    wanted = [(found, level) for found in properties for level in found.meta.levels]
    progress.start(model.name, len(wanted), 0)
    _forget_peak()
    made = []
    try:
        for prop, level in wanted:
            key = _key(model, prop, level, dataset, budget, seed)
            kept = None if fresh else store.get(key)
            result = results.as_result(kept) if kept else measure(probe, prop, level, budget, key)
            if not kept:
                store.put(key, asdict(result))
            made.append(result)
            progress.advance(1, 0)
    finally:
        progress.end()
        cache.close()
    return _card(probe, made, store), made


def measure(probe: Probe, prop: Property, level: Level, budget: Budget, key: str = "") -> Result:
    """One property of one model at one level, with as many variants as are worth it."""
    began = time.perf_counter()
    seen, stopped, variants = _observe(probe, prop, level, budget)
    good = [found for found in seen if not found.skipped]
    figures = _estimates(prop, good, probe.seed)
    controls = None
    with suppress(Skip):
        controls = probe.controls(level) if good else None
    verdict, why = judge(prop, figures, seen, controls)
    headline = prop.meta.headline
    limits = prop.meta.limits
    tests = {}
    values = [found.values[headline] for found in good if headline in found.values]
    if isinstance(prop, Invariance) and limits is not None and len(values) > 1:
        tests = {"tost p": tost(values, 1.0, 1 - limits.good), "tost margin": 1 - limits.good}
    kept, probe.kept = probe.kept, {}
    return Result(
        model=probe.embedder.model.name,
        revision=probe.embedder.model.revision,
        property=prop.meta.id,
        version=prop.meta.version,
        level=level,
        verdict=verdict,
        why=why,
        headline=headline,
        estimates={name: Estimate(i.value, i.low, i.high) for name, i in figures.items()},
        floor=prop.meta.floor,
        ceiling=prop.meta.ceiling,
        tables=len(good),
        skipped=count_reasons(found.skipped for found in seen),
        faults=sum(found.fault for found in seen),
        variants=variants,
        stopped=stopped,
        units={found.unit: found.values for found in good},
        curve=_curve(good, probe.seed),
        worst=_worst(good),
        controls=controls.document() if controls else {},
        tests=tests,
        kept=kept,
        seconds=time.perf_counter() - began,
        key=key,
    )


def _observe(probe: Probe, prop: Property, level: Level, budget: Budget) -> tuple[list[Observation], str, int]:
    """(observations, why no more variants were tried, how many a table had at most)."""
    if level not in probe.embedder.model.levels:
        return [Observation(table.name, skipped="level") for table in probe.dataset.tables], "all", 0
    count, stopped = budget.variants, "budget"
    while True:
        try:
            seen = list(prop.observe(probe, level, count))
        except Skip as error:
            return [Observation("all tables", skipped=error.reason)], "all", 0
        good = [found for found in seen if not found.skipped]
        most = max((found.variants for found in good), default=0)
        if not isinstance(prop, Invariance) or not good or most < count:
            return seen, "all", most
        values = [found.values.get(prop.meta.headline, 0.0) for found in good]
        width = bootstrap_mean(values, probe.seed).half_width
        gain = float(np.sqrt(np.sum([found.within**2 for found in good]))) / len(good)
        if width <= NARROW:
            return seen, "narrow", most
        if gain < width / 10:  # more variants would not narrow it: tables differ from each other
            return seen, "tables", most
        if 2 * count > budget.most:
            return seen, stopped, most
        count *= 2


def _estimates(prop: Property, good: Sequence[Observation], seed: int) -> dict[str, Interval]:
    if not good:
        return {}
    if all(found.sample is None for found in good):
        columns = {name: [found.values[name] for found in good if name in found.values] for name in prop.names()}
        return {name: bootstrap_mean(values, seed) for name, values in columns.items() if values}
    return bootstrap(good, prop.statistics, seed)


def judge(
    prop: Property, figures: dict[str, Interval], seen: Sequence[Observation], controls: Controls | None
) -> tuple[Verdict, str]:
    """The verdict and the reason for it, in words."""
    meta, found = prop.meta, figures.get(prop.meta.headline)
    faults = [o.skipped for o in seen if o.fault]
    if faults:
        return "fail", f"the model failed on {len(faults)} of {len(seen)} tables: {', '.join(count_reasons(faults))}"
    blind = prop.blind({name: i.value for name, i in figures.items()}) if figures else ""
    if blind:
        return "not applicable", blind
    if found is None or meta.limits is None:
        reasons = ", ".join(f"{reason} ({n})" for reason, n in count_reasons(o.skipped for o in seen).items())
        return "not applicable", f"no table could be looked at: {reasons or 'none there'}"
    if meta.degenerate and controls is not None and controls.degenerate:
        return "degenerate", controls.degenerate
    span = f"{meta.headline} {found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"
    if found.high < meta.limits.poor:
        return "fail", f"{span} lies below {meta.limits.poor:g}"
    short = sum(o.skipped == "does-not-fit" for o in seen)
    if found.low < meta.limits.good:
        return "warn", f"{span} does not lie above {meta.limits.good:g}"
    if short > SKIPPED * len(seen):
        return "warn", f"{span}, but {short} of {len(seen)} tables do not fit the model's token limit"
    return "pass", f"{span} lies above {meta.limits.good:g}"


def _curve(good: Sequence[Observation], seed: int) -> dict[str, Estimate]:
    doses = dict.fromkeys(dose for found in good for dose in found.curve)
    made = {}
    for dose in doses:
        i = bootstrap_mean([found.curve[dose] for found in good if dose in found.curve], seed)
        made[dose] = Estimate(i.value, i.low, i.high)
    return made


def _worst(good: Sequence[Observation]) -> tuple[dict[str, Any], ...]:
    found = sorted((o for o in good if o.worst is not None), key=lambda o: (o.worst.value, o.unit))  # type: ignore[union-attr]
    return tuple({"table": o.unit, **asdict(o.worst)} for o in found[:WORST])  # type: ignore[arg-type]


def _key(model: Model, prop: Property, level: Level, dataset: Dataset, budget: Budget, seed: int) -> str:
    parts = (model.name, model.revision, prop.meta.id, str(prop.meta.version), level, dataset.revision, str(seed))
    return digest(*parts, json.dumps(asdict(budget))).hex()


def _card(probe: Probe, made: Sequence[Result], store: Store) -> ModelCard:
    """The model's card; what a run from the cache cannot measure is what was measured before."""
    model, cost = probe.embedder.model, probe.embedder.cost
    key = digest("cost", model.name, model.revision).hex()
    before = store.get(key) or {}
    timed = _timed(cost, before)
    if cost.encoded:
        store.put(key, timed)
    dimension = {r.level: int(r.controls["dimension"]) for r in made if r.controls}
    return ModelCard(
        name=model.name, revision=model.revision, levels=model.levels, dimension=dimension,
        max_tokens=model.max_tokens, weights=model.weights, ms_a_column=timed["ms_a_column"],
        peak_mb=timed["peak_mb"], encoded=cost.encoded, cached=cost.cached, seconds=sum(r.seconds for r in made),
    )  # fmt: skip


def _timed(cost: Cost, before: dict[str, Any]) -> dict[str, Any]:
    if cost.columns < 20 and before:
        return before
    return {"ms_a_column": cost.ms_a_column, "peak_mb": round(_peak(), 1)}


def _forget_peak() -> None:
    """Let the peak of memory begin anew, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak() -> float:
    """Peak of resident memory in MB, of this model where the system can tell, else of the process."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
