"""What a training can be told: one table of settings, from which the command's options are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tablelens.errors import UsageError


def _choice(default: str, *others: str, text: str) -> Any:
    return field(default=default, metadata={"help": text, "choices": (default, *others)})


def _number(default: float, low: float, high: float, text: str) -> Any:
    return field(default=default, metadata={"help": text, "range": (low, high)})


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Settings of a training; the defaults make the shipped static model.

    >>> TrainConfig(steps=10).steps
    10
    """

    steps: int = _number(480, 1, 1e7, "Steps at most.")
    batch: int = _number(64, 2, 4096, "Query columns a step.")
    rate: float = _number(0.0, 0, 1, "Learning rate; 0 takes 1e-3 for static, 2e-5 for full tuning, 2e-4 for LoRA.")
    warmup: float = _number(0.1, 0, 1, "Share of the steps over which the rate rises.")
    decay: float = _number(0.01, 0, 1, "Weight decay; of a static model's tokens towards its base.")
    scale: float = _number(20.0, 1, 1000, "Inverse temperature: cosines are multiplied by it.")
    loss: str = _choice("listwise", "ranking", text="By graded joinability, or multiple-negatives ranking (DeepJoin).")
    truth: str = _choice(
        "equal", "semantic", "both", text="Positives by equal values, by near cell vectors, by either."
    )
    least: float = _number(0.7, 0.01, 1, "Joinability from which a pair is a positive.")
    known: float = _number(0.1, 0.01, 1, "Pairs that join at least so far are never negatives.")
    tau: float = _number(0.9, 0.01, 2, "Greatest distance of the unit vectors of two cells that match.")
    shuffle: float = _number(
        0.2, 0, 1, "Share r of the positives that come again with shuffled cells: r / (1 + r) of all."
    )
    hard: int = _number(24, 0, 1000, "Hard negatives a query, of what the model itself ranks first.")
    guide: float = _number(
        0.0, 0, 1, "Guided negatives: leave out what the base finds as near as the positive less this."
    )
    validation: float = _number(0.1, 0.01, 0.5, "Share of the tables that no training pair comes from.")
    split: str = _choice("table", "folder", text="What is kept aside whole: tables, or the lake's first folders.")
    every: int = _number(80, 1, 1e7, "Steps from one validation and checkpoint to the next.")
    patience: int = _number(4, 1, 1e6, "Validations without a better one before training stops.")
    tuning: str = _choice("lora", "full", text="Transformers: a low-rank adapter, or all weights.")
    tokens: int = _number(128, 8, 8192, "Transformers: tokens of a text that it learns from.")
    merge: float = _number(1.0, 0.01, 1, "Weight of the trained model in the mean with its base.")
    seed: int = _number(0, 0, 2**31, "Seed of all that is drawn.")

    def __post_init__(self) -> None:
        for knob in fields(self):
            value = getattr(self, knob.name)
            if (choices := knob.metadata.get("choices")) is not None:
                if value not in choices:
                    raise UsageError(f"{knob.name} is {value!r}", f"it may be {', '.join(choices)}")
            else:
                low, high = knob.metadata["range"]
                if not low <= value <= high:
                    raise UsageError(f"{knob.name} is {value!r}", f"it lies between {low:g} and {high:g}")

    def as_dict(self) -> dict[str, Any]:
        """The settings by name."""
        return asdict(self)

    def changed(self) -> dict[str, Any]:
        """The settings that are not the default."""
        return {
            knob.name: getattr(self, knob.name) for knob in fields(self) if getattr(self, knob.name) != knob.default
        }
