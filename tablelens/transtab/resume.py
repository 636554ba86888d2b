"""The state of a training after each epoch, in memory and, where a file is named, on disk.

A file holds weights, the optimizer's moments and the losses so far, as safetensors. It belongs to one training: same
rows, same options, same first weights. Each epoch draws its random numbers afresh from seed and number, so a training
that goes on from a file ends with the weights that it would have had.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tablelens.transtab.tokenize import Rows


@dataclass
class History:
    """Losses by epoch, mean by row; the epoch whose weights were kept; seconds of the last call."""

    train: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    best: int = -1
    seconds: float = 0.0

    @property
    def since_best(self) -> int:
        """Epochs since the best one."""
        return len(self.train) - 1 - self.best

    @property
    def least(self) -> float:
        """The loss of the best epoch on validation rows."""
        return self.valid[self.best] if self.best >= 0 else np.inf


class Kept:
    """The weights to end with, and the file that the training can go on from."""

    def __init__(self, path: Path | None, both: nn.Module, optimizer: torch.optim.Optimizer, task: str) -> None:
        self.path, self.both, self.optimizer, self.task = path, both, optimizer, task
        self.best = copy.deepcopy(both.state_dict())

    def begin(self) -> History:
        """The losses so far, weights and moments as they were; none where the file is another's or damaged."""
        if self.path is None or not self.path.exists():
            return History()
        try:
            with safe_open(self.path, "pt") as file:
                about = file.metadata() or {}
                found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
        except (SafetensorError, OSError):
            return History()
        if about.get("task") != self.task:
            return History()
        parts: dict[str, dict[str, Tensor]] = {"now": {}, "best": {}, "adam": {}}
        for name, value in found.items():
            part, key = name.split("/", 1)
            parts[part][key] = value
        self.both.load_state_dict(parts["now"])
        self.best = parts["best"] or copy.deepcopy(self.both.state_dict())
        self._set_moments(parts["adam"])
        return History(**json.loads(about["history"]))

    def epoch(self, history: History, *, better: bool) -> None:
        """Keep what an epoch came to."""
        if better:
            history.best = len(history.train) - 1
            self.best = copy.deepcopy(self.both.state_dict())
        if self.path is None:
            return
        state = {f"now/{name}": value for name, value in self.both.state_dict().items()}
        if not better:
            state |= {f"best/{name}": value for name, value in self.best.items()}
        state |= {f"adam/{name}": value for name, value in self._moments().items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".tmp")
        about = {"task": self.task, "history": json.dumps(asdict(history))}
        save_file({name: value.cpu().contiguous() for name, value in state.items()}, partial, about)
        partial.replace(self.path)

    def end(self) -> None:
        """Take the best weights."""
        self.both.load_state_dict(self.best)

    def _moments(self) -> dict[str, Tensor]:
        found = self.optimizer.state_dict()["state"]
        return {f"{place}/{name}": value for place, state in found.items() for name, value in state.items()}

    def _set_moments(self, moments: dict[str, Tensor]) -> None:
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in moments.items():
            place, key = name.split("/")
            state.setdefault(int(place), {})[key] = value
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": state})


def task_of(both: nn.Module, options: Any, parts: Sequence[tuple[Rows, Tensor | None]]) -> str:
    """sha256 of all that a training depends on: first weights, options, rows, targets."""
    digest = hashlib.sha256(repr((options, both)).encode())
    for name, value in both.state_dict().items():
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    for rows, targets in parts:
        for each in fields(rows):
            value = getattr(rows, each.name)
            digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
        digest.update(b"" if targets is None else targets.cpu().numpy().tobytes())
    return digest.hexdigest()
