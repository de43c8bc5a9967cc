"""The order in which rows are trained on: similar lengths together, and for several processes batches for each.

MERGED: Fine-tuning through Hugging Face's Trainer: precision, honest validation, logs, interruption and the best model."""

import contextlib
import itertools
import logging
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import EarlyStoppingCallback, PreTrainedModel, PrinterCallback, Trainer, TrainingArguments
from transformers.integrations import TensorBoardCallback
from transformers.trainer_pt_utils import LengthGroupedSampler

from utils import distributed
from utils.compute.batching import IGNORED
from utils.compute.bf16_weights import weights_in_bf16
from utils.compute.prefix_cache import OFF, PrefixCache
from utils.errors import UserError
from utils.training.callbacks import FiniteLossCallback, InterruptionCallback, ProgressCallback
from utils.training.flags import TrainingSettings
from utils.training.freezing import frozen_modules
from utils.training.objectives import Objective
from utils.training.run_state import epochs_done


class LengthGroupedBatches(LengthGroupedSampler):
    """Batches of similar lengths in any order but for the first, which is the longest: if memory ends, it does so soon.

    The base class goes from long to short, again and again, so that steps undo what those before them taught
    (docs/results.md). The order belongs to the seed and the epoch: a resumed epoch goes on in the order in which it
    began. It ends in numbers that are one beyond the last row, as many as make its length a multiple of `multiple`.
    """

    def __init__(self, rows: Sequence[dict], batch_size: int, seed: int, multiple: int = 1):
        super().__init__(batch_size, rows)
        self.seed = seed
        self.beyond = [len(rows)] * (-len(rows) % multiple)
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """What the data loader calls before each epoch."""
        self.generator = torch.Generator().manual_seed(self.seed + epoch)

    def __len__(self) -> int:
        return super().__len__() + len(self.beyond)

    def __iter__(self) -> Iterator[int]:
        order = list(super().__iter__())
        whole = len(order) // self.batch_size * self.batch_size
        batches = [order[first : first + self.batch_size] for first in range(0, whole, self.batch_size)]
        first, others = batches[:1], batches[1:]
        random.Random(self.generator.initial_seed()).shuffle(others)
        return itertools.chain(*first, *others, order[whole:], self.beyond)


def unsupervised_row(rows: Sequence[dict]) -> dict:
    """A row in which nothing counts, the shortest with its loss taken away: what fills up an epoch's last batches.

    Every process needs as many batches as the others, and accelerate would take rows twice, which then count twice.
    """
    row = min(rows, key=lambda row: len(row["input_ids"]))
    return {**row, "loss_start": len(row["input_ids"]), "label": IGNORED}


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingOutcome:
    """What a run did. `before` and `after` are the objective's metric on the validation split; None without one."""

    steps: int
    epochs: float
    seconds: float
    metric: str
    before: float | None
    after: float | None
    better: bool | None  # whether an evaluation was better than the first
    history: list[dict]


def train(
    model: PreTrainedModel,
    objective: Objective,
    train_rows: list[dict],
    validation_rows: list[dict],
    settings: TrainingSettings,
    state_folder: Path,
    resume: bool,
    prefix_cache: PrefixCache = OFF,
) -> TrainingOutcome:
    """Train the model in place and leave the best of its evaluations in it.

    Ctrl-C saves the state into `state_folder` and raises KeyboardInterrupt.
    """
    interruption = InterruptionCallback()
    trainer = ObjectiveTrainer(
        objective,
        model=model,
        args=training_arguments(settings, objective, state_folder, bool(validation_rows), eval_on_start=not resume),
        train_dataset=train_rows if distributed.world_size() == 1 else [*train_rows, unsupervised_row(train_rows)],
        eval_dataset=validation_rows or None,
        callbacks=[interruption, *objective.callbacks, FiniteLossCallback()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(ProgressCallback())
    if "tensorboard" in settings.report_to:
        trainer.add_callback(_tensorboard(settings.tensorboard_folder))
    if validation_rows and settings.early_stopping_patience:
        trainer.add_callback(EarlyStoppingCallback(settings.early_stopping_patience))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad] if objective.keep_start else []
    start = [parameter.detach().clone() for parameter in trained]
    started = time.perf_counter()
    epochs = settings.average_runs * _epochs_to_come(trainer.args, len(train_rows))
    with (
        trainer.on_prefixes(prefix_cache, settings.precision, epochs),
        interruption.listening(),
        weights_in_bf16(model, settings.precision == "bf16"),
    ):
        try:
            trainer.train(resume_from_checkpoint=resume or None)
        except (OSError, RuntimeError, SafetensorError) as error:
            if isinstance(error, RuntimeError) and "inline_container" not in str(error):  # torch.save's writer
                raise
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"the training state in {state_folder} cannot be written or read: {reason}",
                "free some space or choose another --output_path; --overwrite starts anew",
            ) from error
    seconds = time.perf_counter() - started
    if distributed.any_process(
        interruption.happened
    ):  # and so all have read the state before the first one clears it away
        raise KeyboardInterrupt
    trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    vars(model).pop("_is_accelerate_prepared", None)  # a second run would do without autocast
    model.to("cpu").eval()
    history = trainer.state.log_history
    measured = [entry[f"eval_{objective.metric}"] for entry in history if f"eval_{objective.metric}" in entry]
    first, best = measured[:1], (max if objective.greater_is_better else min)
    after = best(measured[1:], default=None)
    if start and after is not None and best(after, first[0]) != after:
        log.warning("warning: no evaluation was as good as the start (the linear probe), which is kept")
        for parameter, value in zip(trained, start, strict=True):
            parameter.data.copy_(value)
        after = first[0]
    return TrainingOutcome(
        steps=trainer.state.global_step,
        epochs=round(trainer.state.epoch, 3),
        seconds=seconds,
        metric=objective.metric,
        before=first[0] if first else None,
        after=after,
        better=None if after is None else after != first[0] and best(after, first[0]) == after,
        history=history,
    )


def _epochs_to_come(args: TrainingArguments, rows: int) -> float:
    step = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    epochs = args.max_steps * step / rows if args.max_steps > 0 else args.num_train_epochs
    return epochs - epochs_done(Path(args.output_dir))


def _tensorboard(folder: Path) -> TensorBoardCallback:
    """Transformers' own callback, which left alone writes into the state folder: that goes when the run ends."""
    callback = TensorBoardCallback()
    callback.logging_dir = callback.logging_dir or str(folder / time.strftime("%Y%m%d-%H%M%S"))
    log.info("for TensorBoard: tensorboard --logdir %s", callback.logging_dir)
    return callback


def training_arguments(
    settings: TrainingSettings,
    objective: Objective,
    state_folder: Path,
    has_validation: bool,
    *,
    eval_on_start: bool,
    saves: bool = True,
) -> TrainingArguments:
    """The settings as Trainer wants them; without `saves`, nothing is written and the last weights stay."""
    when = "steps" if settings.save_steps else "epoch"
    return TrainingArguments(
        output_dir=str(state_folder),
        num_train_epochs=settings.num_train_epochs,
        max_steps=settings.max_steps,
        per_device_train_batch_size=settings.per_device_train_batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup_steps,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim="adamw_torch_fused",
        bf16=settings.precision == "bf16",
        fp16=settings.precision == "fp16",
        use_cpu=settings.device == "cpu",
        ddp_find_unused_parameters=False,  # there are none
        eval_strategy=when if has_validation else "no",
        eval_steps=settings.save_steps or None,
        eval_on_start=has_validation and eval_on_start,
        save_strategy=when if saves else "no",
        save_steps=settings.save_steps or 500,
        save_total_limit=settings.save_total_limit,
        load_best_model_at_end=has_validation and saves,
        restore_callback_states_from_checkpoint=True,  # how long early stopping has waited
        metric_for_best_model=f"eval_{objective.metric}",
        greater_is_better=objective.greater_is_better,
        logging_steps=settings.logging_steps,
        logging_nan_inf_filter=False,
        include_num_input_tokens_seen="non_padding",
        activation_checkpointing=settings.activation_checkpointing,
        remove_unused_columns=False,
        dataloader_pin_memory=settings.device != "cpu",
        disable_tqdm=True,
        report_to=[name for name in settings.report_to if name != "tensorboard"] or "none",
        run_name=settings.run_name,
        seed=settings.seed,
    )


class ObjectiveTrainer(Trainer):
    """Trainer with frozen parts in eval mode, and the objective's own validation."""

    def __init__(self, objective: Objective, **options):
        super().__init__(data_collator=objective.collate, compute_loss_func=objective.loss, **options)
        self._objective = objective  # `objective` is the number of Trainer.hyperparameter_search

    @contextlib.contextmanager
    def on_prefixes(self, cache: PrefixCache, precision: str, epochs: float) -> Iterator[None]:
        """While it lasts, the model starts from what its frozen blocks hand on, as far as the cache has that."""
        rows = {"train": self.train_dataset, "validation": self.eval_dataset or []}
        self._resting = frozen_modules(self.model)  # which modules it has does not change any more
        with cache.cached_rows(self.model, self._objective.collate, rows, precision=precision, epochs=epochs) as cached:
            self.train_dataset, self.eval_dataset = cached["train"], cached["validation"] or None
            yield
        self.train_dataset, self.eval_dataset = rows["train"], rows["validation"] or None

    def _get_train_sampler(self, train_dataset=None):
        several = distributed.world_size()
        batch = self.args.train_batch_size * several
        step = batch * self.args.gradient_accumulation_steps
        if several == 1:
            return LengthGroupedBatches(self.train_dataset, step, self.args.seed)
        rows = self.train_dataset[:-1]  # the last is there to fill up
        return LengthGroupedBatches(rows, step, self.args.seed, multiple=batch)

    def get_train_dataloader(self):
        loader = super().get_train_dataloader()
        if distributed.world_size() > 1:  # neither accelerate nor Trainer finds the sampler of an epoch that goes on
            loader.batch_sampler.set_epoch = loader.batch_sampler.batch_sampler.sampler.set_epoch
        return loader

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        if model.training:
            for module in self._resting:
                module.training = False
        with self._objective.forward_context(self.model, inputs):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval"):
        rows = self.eval_dataset if eval_dataset is None else eval_dataset
        measured = self._objective.evaluate(self.model, rows)
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in measured.items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics
