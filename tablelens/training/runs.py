"""One training run on disk: checkpoints, the record of its validations, and the step from old model to new.

models/NAME.training/last.safetensors    parameters and optimiser after the last validation, a seal over all of it
models/NAME.training/best.safetensors    parameters of the best validation
models/NAME/                             the model: appears whole, by one rename, when the run has ended well
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from tablelens.errors import TrainingError
from tablelens.progress import Progress
from tablelens.training.config import TrainConfig
from tablelens.training.score import Scores

LAST, BEST = "last.safetensors", "best.safetensors"
FRESH = "train with --fresh: it begins anew"

Arrays = dict[str, npt.NDArray[Any]]


@dataclass
class State:
    """Where a run is."""

    step: int = 0
    base: Scores = field(default_factory=lambda: Scores(0.0, 0.0, 0.0, 0))
    """Of the model before the first step."""
    best: Scores = field(default_factory=lambda: Scores(-1.0, 0.0, 0.0, 0))
    best_step: int = 0
    stale: int = 0
    """Validations since the best one."""
    history: list[dict[str, float]] = field(default_factory=list)
    """Step, mean loss since the validation before, and scores of each validation."""


class Run:
    """Checkpoints and progress of one training.

    Args:
        folder: for checkpoints.
        config: settings of the run.
        corpus: fingerprint of what it learns from.
        base: revision of the model that it starts from.
        progress: told of each step.
        told: given each entry of the history as it is made.
    """

    def __init__(
        self, folder: Path, config: TrainConfig, corpus: str, base: str, progress: Progress, told: Any = None
    ) -> None:
        self.folder, self.config, self._progress, self._told = folder, config, progress, told
        settings = {name: value for name, value in config.as_dict().items() if name != "merge"}
        self.of = json.dumps([settings, corpus, base], sort_keys=True)
        self._losses: list[float] = []
        self.state = State()

    def resume(self, parameters: Arrays | dict[str, Any], optimizer: Any) -> State:
        """Fill parameters and optimiser from the last checkpoint, if there is one; else start.

        Raises:
            TrainingError: the checkpoint is damaged, or of other settings, columns or base.
        """
        path = self.folder / LAST
        if path.is_file():
            about, arrays = read_sealed(path)
            self.check(about["of"], path)
            state = about["state"]
            self.state = State(**(state | {name: Scores(**state[name]) for name in ("base", "best")}))
            _fill(parameters, optimizer, arrays)
        self.begin()
        return self.state

    def begin(self) -> None:
        """Progress starts."""
        self._progress.start("train", self.config.steps - self.state.step, 0)

    def check(self, of: str, path: Path) -> None:
        """See that a checkpoint is one of this run.

        Raises:
            TrainingError: it is not.
        """
        if of != self.of:
            raise TrainingError(
                f"the checkpoint {path} is of other settings, another lake or another base model",
                f"give the settings of before, or {FRESH}",
            )

    def stepped(self, state: State, loss: float) -> None:
        """A step is done.

        Raises:
            TrainingError: its loss is no number.
        """
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss of step {state.step} is {loss}: the training has come apart",
                "lower the learning rate (--rate); the model before is as it was",
            )
        self._losses.append(loss)
        self._progress.advance(1, 0)

    def validated(self, state: State, scores: Scores, parameters: dict[str, Any], optimizer: Any) -> State:
        """A validation is done: keep the record, the best and the last. A resumed step is not counted twice."""
        if state.history and state.history[-1]["step"] == state.step:
            return state
        if self.noted(state, state.step, scores):
            write_sealed(self.folder / BEST, {"of": self.of, "step": state.step}, _arrays(parameters))
        about = {"of": self.of, "state": asdict(state)}
        write_sealed(self.folder / LAST, about, _arrays(parameters) | _moments(optimizer))
        return state

    def noted(self, state: State, step: int, scores: Scores) -> bool:
        """Put a validation into the record; whether it is the best one."""
        self.state = state
        loss = float(np.mean(self._losses)) if any(self._losses) else float("nan")
        self._losses = []
        entry = {"step": step, **({} if math.isnan(loss) else {"loss": round(loss, 4)}), **scores.as_dict()}
        state.history.append(entry)
        better = scores.whole > state.best.whole
        if better:
            state.best, state.best_step, state.stale = scores, step, 0
        else:
            state.stale += 1
        if self._told is not None:
            self._told(entry)
        return better

    def best(self, parameters: dict[str, Any]) -> None:
        """Fill the parameters of the best validation."""
        self._progress.end()
        _, arrays = read_sealed(self.folder / BEST)
        _fill(parameters, None, arrays)

    def close(self) -> None:
        """The checkpoints are no longer needed."""
        shutil.rmtree(self.folder, ignore_errors=True)


def learning_rate(step: int, config: TrainConfig) -> float:
    """Share of the full rate: a linear rise over the warm-up, then a linear fall to a twentieth."""
    rise = config.warmup * config.steps
    return min(1.0, (step + 1) / max(rise, 1)) * max(0.05, 1 - step / config.steps)


def publish(made: Path, target: Path) -> None:
    """Put a finished model folder in place of the one before, by renames; the old one is gone only after that.

    Raises:
        TrainingError: the target is something else than a model.
    """
    if target.exists() and not any((target / name).is_file() for name in ("config.json", "modules.json")):
        raise TrainingError(f"{target} is there and is no model", "give another name or folder")
    old = target.with_name(f"{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    try:
        made.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_sealed(path: Path, about: dict[str, Any], arrays: Arrays) -> None:
    """Write arrays and facts with a digest over both, beside the final place, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = json.dumps(about, sort_keys=True)
    raw = save(arrays, metadata={"about": facts, "seal": _seal(facts, arrays)})
    partial = path.with_suffix(".tmp")
    with partial.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_sealed(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Facts and arrays.

    Raises:
        TrainingError: the file is damaged.
    """
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        if _seal(metadata["about"], arrays) != metadata["seal"]:
            raise ValueError("its checksum differs")
        return json.loads(metadata["about"]), arrays
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise TrainingError(f"the checkpoint {path} is damaged: {error}", FRESH) from error


def _seal(facts: str, arrays: Arrays) -> str:
    digest = hashlib.sha256(facts.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{array.shape}{array.dtype}".encode() + array.tobytes())
    return digest.hexdigest()


def _arrays(parameters: dict[str, Any]) -> Arrays:
    return {name: np.array(tensor.detach().numpy(), order="C") for name, tensor in parameters.items()}


def _moments(optimizer: Any) -> Arrays:
    """The optimiser's running means by place of the parameter."""
    found = optimizer.state_dict()["state"]
    return {
        f"optimizer/{place}/{name}": np.array(tensor.detach().numpy(), order="C")
        for place, moments in found.items()
        for name, tensor in moments.items()
    }


def _fill(parameters: dict[str, Any], optimizer: Any, arrays: Arrays) -> None:
    import torch

    try:
        with torch.no_grad():
            for name, tensor in parameters.items():
                tensor.copy_(torch.from_numpy(arrays[name]).reshape(tensor.shape))
        if optimizer is not None:
            document = optimizer.state_dict()
            moments: dict[int, dict[str, Any]] = {}
            for key in arrays:
                if key.startswith("optimizer/"):
                    _, place, name = key.split("/")
                    moments.setdefault(int(place), {})[name] = torch.from_numpy(arrays[key].copy())
            optimizer.load_state_dict({**document, "state": moments})
    except (KeyError, RuntimeError, ValueError) as error:
        raise TrainingError(f"the checkpoint does not fit the model: {error}", FRESH) from error
