"""Fine-tune a sentence-transformers model on joinable columns: DeepJoin (Dong et al., PVLDB 16(10) 2023).

The texts are those of the template. What differs from the paper: pairs that are known to join are no negatives of each
other, negatives may be guided by the base model (GISTEmbed) or drawn from what it ranks first, validation is by table,
and weights may be a low-rank adapter (LoRA), which is merged into the model that is kept; the adapter lies beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError

from tablelens.encoders.sentence import SentenceEncoder, fast_bfloat16
from tablelens.errors import MissingExtra, TrainingError
from tablelens.training.config import TrainConfig
from tablelens.training.corpus import Corpus, Split
from tablelens.training.runs import FRESH, Run, State
from tablelens.training.score import Scores, evaluate
from tablelens.types import ColumnText, Vectors

FULL_RATE, LORA_RATE = 2e-5, 2e-4
RANK = 16
CANDIDATES, QUERIES = 1500, 150
"""Validation columns that are encoded at each validation, and those of them that ask."""
NEAR = 50
"""Hard negatives are drawn from so many that the base ranks first."""
STATE = "state.json"

Longs = npt.NDArray[np.int64]


def train_sentence(
    corpus: Corpus, split: Split, config: TrainConfig, base: SentenceEncoder, run: Run, made: Path
) -> None:
    """Train with sentence-transformers' trainer and write the best model to a folder.

    Raises:
        TrainingError: the loss is no number, or the checkpoint is damaged.
        MissingExtra: accelerate, datasets or peft is not installed.
    """
    torch, trainer_of = _packages()
    model = _loaded(base, config)
    reference = base.encode(corpus.columns) if config.guide or config.hard else None
    pairs = drawn_pairs(corpus, split, config)
    if config.tuning == "lora":
        _add_adapter(model)
    state = _resumed(run)
    validation = _validation(corpus, split, config)
    judge = _judge(model, corpus, validation, run, state)
    if not state.history:
        state.base = judge.score(0)
    loss = _loss(torch, model, corpus, config, reference, pairs)
    trainer = _reloading(trainer_of)(
        model=model, args=_arguments(run.folder, config), train_dataset=_dataset(corpus, config, pairs, reference),
        loss=loss, evaluator=judge, callbacks=_callbacks(run, config, state),
    )  # fmt: skip
    last = _last_checkpoint(run.folder)
    try:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    except (OSError, RuntimeError, KeyError, ValueError, SafetensorError) as error:
        if last is None:
            raise
        raise TrainingError(f"the checkpoint {last} cannot be gone on with: {_first_line(error)}", FRESH) from error
    _save(model, config, made, base)


def drawn_pairs(corpus: Corpus, split: Split, config: TrainConfig) -> npt.NDArray[np.int64]:
    """(query, partner, shuffled) of each training pair, int64 (steps * batch, 3).

    Queries come by the split's weights, partners evenly among the positives; of n positives, r n come again with the
    cells of the query shuffled.
    """
    rng = np.random.default_rng([config.seed, 7])
    count = config.steps * config.batch
    queries = rng.choice(split.queries, count, p=split.weights)
    rows = np.zeros((count, 3), np.int64)
    for row, query in zip(rows, queries.tolist(), strict=True):
        partners, joined = corpus.pairs.of(query)
        kept = ~split.validating[partners]
        strong = partners[kept & (joined >= config.least)]
        if not len(strong):  # a query whose partners all lie below: its best one
            strong = partners[kept][np.argsort(-joined[kept], kind="stable")[:1]]
        row[:] = query, rng.choice(strong), rng.random() < config.shuffle / (1 + config.shuffle)
    return rows


def shuffled(column: ColumnText, rng: np.random.Generator) -> str:
    """The column's text with its cells in another order.

    >>> column = ColumnText("c: a, b.", "c", ("a", "b"), np.empty(0, np.uint64), 2)
    >>> sorted({shuffled(column, np.random.default_rng(seed)) for seed in range(9)})
    ['c: a, b.', 'c: b, a.']
    """
    cells = list(column.cells)
    rng.shuffle(cells)
    return column.text.replace(", ".join(column.cells), ", ".join(cells))


def _loaded(base: SentenceEncoder, config: TrainConfig) -> Any:
    """The model once more, in float32, for training; texts are cut at ``config.tokens``."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.manual_seed(config.seed)
    options = {"use_safetensors": True, "dtype": torch.float32}
    model = SentenceTransformer(
        str(base.folder), device="cpu", trust_remote_code=False, local_files_only=True, model_kwargs=options
    )
    model.max_seq_length = min(config.tokens, base.max_tokens)
    return model


def _add_adapter(model: Any) -> None:
    """Low-rank layers beside every linear one but the pooler's (Hu et al., ICLR 2022); the rest stands still."""
    from peft import LoraConfig, inject_adapter_in_model

    linear = sorted({
        name.rpartition(".")[2] for name, module in model[0].auto_model.named_modules()
        if type(module).__name__ == "Linear" and "pooler" not in name
    })  # fmt: skip
    inject_adapter_in_model(
        LoraConfig(r=RANK, lora_alpha=2 * RANK, lora_dropout=0.05, target_modules=linear), model[0].auto_model
    )


def _reloading(trainer: Any) -> Any:
    """The trainer, with checkpoints that are read as plain tensors: an adapter's layers have names of their own."""

    def load(self: Any, folder: str, model: Any = None) -> None:
        from safetensors.torch import load_file

        found = load_file(str(Path(folder) / "model.safetensors"))
        self.model[0].auto_model.load_state_dict(found, strict=True)

    def load_best(self: Any) -> None:
        load(self, self.state.best_model_checkpoint)

    return type("JoinTrainer", (trainer,), {"_load_from_checkpoint": load, "_load_best_model": load_best})


def _arguments(folder: Path, config: TrainConfig) -> Any:
    from sentence_transformers import SentenceTransformerTrainingArguments

    return SentenceTransformerTrainingArguments(
        output_dir=str(folder), max_steps=config.steps, per_device_train_batch_size=config.batch,
        learning_rate=config.rate or (LORA_RATE if config.tuning == "lora" else FULL_RATE),
        warmup_steps=round(config.warmup * config.steps), weight_decay=config.decay, lr_scheduler_type="linear",
        bf16=fast_bfloat16(), use_cpu=True, seed=config.seed, data_seed=config.seed,
        eval_strategy="steps", eval_steps=config.every, save_strategy="steps", save_steps=config.every,
        save_total_limit=2, load_best_model_at_end=True, metric_for_best_model="eval_whole", greater_is_better=True,
        logging_steps=config.every, report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip


def _dataset(corpus: Corpus, config: TrainConfig, pairs: Longs, reference: Vectors | None) -> Any:
    """Texts of the pairs, and the number of each as its label; with hard negatives a third text."""
    from datasets import Dataset

    rng = np.random.default_rng([config.seed, 8])
    columns = corpus.columns
    table: dict[str, Any] = {
        "anchor": [shuffled(columns[q], rng) if again else columns[q].text for q, _, again in pairs.tolist()],
        "positive": [columns[x].text for x in pairs[:, 1].tolist()],
    }
    if config.hard and reference is not None:
        chosen = _hard_negatives(corpus, config, pairs, reference)
        table["negative"] = [columns[x].text for x in chosen.tolist()]
    table["label"] = list(range(len(pairs)))
    return Dataset.from_dict(table)


def _hard_negatives(corpus: Corpus, config: TrainConfig, pairs: Longs, reference: Vectors) -> Longs:
    """One column for each pair that the base ranks among the first and that does not join with the query."""
    rng = np.random.default_rng([config.seed, 9])
    chosen = np.empty(len(pairs), np.int64)
    cache: dict[int, Longs] = {}
    for place, query in enumerate(pairs[:, 0].tolist()):
        if query not in cache:
            scores = reference @ reference[query]
            scores[corpus.tables == corpus.tables[query]] = -np.inf
            scores[corpus.pairs.of(query)[0]] = -np.inf
            cache[query] = np.argpartition(-scores, min(NEAR, len(scores) - 1))[:NEAR]
        chosen[place] = rng.choice(cache[query])
    return chosen


def _loss(torch: Any, model: Any, corpus: Corpus, config: TrainConfig, reference: Vectors | None, pairs: Longs) -> Any:
    """The loss as a torch module; made here, for the class of a module needs torch."""
    from tablelens.training import losses

    def forward(self: Any, features: Iterable[dict[str, Any]], labels: Any) -> Any:
        vectors = [model(feature)["sentence_embedding"] for feature in features]
        units = [torch.nn.functional.normalize(part.float(), dim=1) for part in vectors]
        scores = units[0] @ torch.cat(units[1:]).T  # (b, b) or (b, 2b) with hard negatives
        rows = pairs[labels.cpu().numpy()]
        positive = torch.arange(len(rows))
        gains = np.stack([corpus.joinability(query, rows[:, 1]) for query in rows[:, 0].tolist()])
        same = corpus.tables[rows[:, 0]][:, None] == corpus.tables[rows[:, 1]]
        extra = scores.shape[1] - len(rows)  # hard negatives join with nobody's query but by chance
        gains, same = (np.pad(part, ((0, 0), (0, extra))) for part in (gains, same))
        target, known = torch.from_numpy(gains), torch.from_numpy(same | (gains >= config.known))
        if config.loss == "listwise":
            loss = losses.listwise(scores, target, torch.from_numpy(same), config.scale)
        else:
            if config.guide and reference is not None:
                guide = torch.from_numpy(reference[rows[:, 0]] @ reference[rows[:, 1]].T)
                nearer = losses.guided(guide, positive, config.guide)
                known[:, : len(rows)] |= nearer
            loss = losses.ranking(scores, positive, known, config.scale)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss is {float(loss)}: the training has come apart",
                "lower the learning rate (--rate); the model before is as it was",
            )
        return loss

    made = type("JoinLoss", (torch.nn.Module,), {"forward": forward})()
    made.model = model  # the trainer takes what it optimises from the loss
    return made


def _validation(corpus: Corpus, split: Split, config: TrainConfig) -> tuple[Longs, Longs]:
    """(queries, candidates) of validation: some queries, their partners, and other columns kept aside."""
    rng = np.random.default_rng([config.seed, 11])
    asked = np.sort(rng.choice(split.validation, min(QUERIES, len(split.validation)), replace=False))
    aside = np.flatnonzero(split.validating)
    partners = np.unique(np.concatenate([corpus.pairs.of(query)[0] for query in asked.tolist()]))
    wanted = np.union1d(asked, partners[split.validating[partners]])
    if len(wanted) > CANDIDATES:
        wanted = np.union1d(asked, rng.choice(wanted, CANDIDATES - len(asked), replace=False))
    rest = np.setdiff1d(aside, wanted)
    more = rng.choice(rest, min(len(rest), max(CANDIDATES - len(wanted), 0)), replace=False)
    return asked, np.union1d(wanted, more).astype(np.int64)


def _judge(model: Any, corpus: Corpus, validation: tuple[Longs, Longs], run: Run, state: State) -> Any:
    """An evaluator of sentence-transformers that scores by NDCG@10 and precision@10, and keeps the record."""
    from sentence_transformers.sentence_transformer.evaluation import BaseEvaluator

    asked, candidates = validation
    texts = [corpus.columns[place].text for place in candidates.tolist()]

    def score(self: Any, step: int) -> Scores:
        found = model.encode(texts, batch_size=32, show_progress_bar=False, normalize_embeddings=True)
        vectors = np.asarray(found, np.float32)
        scores = evaluate(corpus, asked, candidates, vectors[np.searchsorted(candidates, asked)], vectors)
        run.noted(state, step, scores)
        _write(run.folder / STATE, run, state)
        return scores

    def call(self: Any, model: Any, output_path: Any = None, epoch: int = -1, steps: int = -1) -> dict[str, float]:
        scores = self.score(run.state.step)
        return {"whole": scores.whole, "ndcg": scores.ndcg}

    kind = type("JoinEvaluator", (BaseEvaluator,), {"score": score, "__call__": call})
    judge = kind()
    judge.primary_metric = "whole"
    return judge


def _callbacks(run: Run, config: TrainConfig, state: State) -> list[Any]:
    from transformers import EarlyStoppingCallback, TrainerCallback

    def on_step_end(self: Any, args: Any, control: Any, flow: Any, **_: Any) -> None:
        state.step = int(control.global_step)
        run.stepped(state, 0.0)

    told = type("Told", (TrainerCallback,), {"on_step_end": on_step_end})
    return [told(), EarlyStoppingCallback(config.patience)]


def _resumed(run: Run) -> State:
    path = run.folder / STATE
    if path.is_file():
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            found = State(**(document["state"] | {n: Scores(**document["state"][n]) for n in ("base", "best")}))
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"the checkpoint {path} is damaged: {error!r}", FRESH) from error
        run.check(document["of"], path)
        run.state = found
    run.begin()
    return run.state


def _write(path: Path, run: Run, state: State) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    partial.write_text(json.dumps({"of": run.of, "state": asdict(state)}), encoding="utf-8")
    partial.replace(path)


def _last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written in full: the trainer's own record is its last file."""
    found = [path for path in folder.glob("checkpoint-*") if (path / "trainer_state.json").is_file()]
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _save(model: Any, config: TrainConfig, made: Path, base: SentenceEncoder) -> None:
    """Write the model whole: an adapter is merged into the weights, and kept beside them too."""
    if config.tuning == "lora":
        inner = model[0].auto_model
        adapter = {name: tensor.contiguous() for name, tensor in inner.state_dict().items() if ".lora_" in name}
        _merge_adapter(inner)
    if config.merge < 1:
        _mix(model, base, config.merge)
    model.max_seq_length = base.max_tokens  # it learnt from shorter texts, and reads all that its base does
    model.save_pretrained(str(made), create_model_card=False, safe_serialization=True)
    if config.tuning == "lora":
        from safetensors.torch import save_file

        (made / "adapter").mkdir()
        save_file(adapter, made / "adapter" / "adapter_model.safetensors")


def _merge_adapter(network: Any) -> None:
    """Add what the adapter learnt to the weights and take it out."""
    from peft.tuners.lora import LoraLayer

    for name, module in list(network.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, module.get_base_layer())


def _mix(model: Any, base: SentenceEncoder, share: float) -> None:
    """The mean of trained weights and those of the base (model soups, Wortsman et al., ICML 2022)."""
    import torch

    before = base._model.state_dict()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point() and name in before:
                tensor.mul_(share).add_(before[name].float(), alpha=1 - share)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _packages() -> tuple[Any, Any]:
    """The module torch and the class of the trainer."""
    try:
        import accelerate
        import datasets
        import peft
        import torch
        from sentence_transformers import SentenceTransformerTrainer
    except ImportError as error:
        raise MissingExtra.of(error.name or "datasets", "models", "training a transformer") from error
    del accelerate, datasets, peft
    return torch, SentenceTransformerTrainer
