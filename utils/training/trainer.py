"""Fine-tuning with Hugging Face's Trainer: order of rows, precision, validation, interruption and the best model."""

import contextlib
import itertools
import json
import logging
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import EarlyStoppingCallback, PreTrainedModel, PrinterCallback, Trainer, TrainingArguments
from transformers.trainer_pt_utils import LengthGroupedSampler, nested_gather

from utils import distributed
from utils.compute.batching import IGNORED
from utils.compute.bf16_weights import weights_in_bf16
from utils.compute.prefix_cache import OFF, PrefixCache
from utils.training.callbacks import FiniteLossCallback, InterruptionCallback, ProgressCallback
from utils.training.finite import check_step, check_weights
from utils.training.flags import TrainingSettings
from utils.training.freezing import frozen_modules
from utils.training.objectives import Objective
from utils.training.reporters import reporter_callbacks
from utils.training.run_state import explain_state_errors
from utils.training.saved_states import newest_whole_checkpoint, seal
from utils.training.state_files import (
    PROGRESS,
    RUN_ID,
    checkpoints,
    keep_newest,
    read_object,
    read_run_id,
    remove_checkpoint,
    write_progress,
)

log = logging.getLogger(__name__)
SAME_NAME = (  # settings that Trainer has too
    *("gradient_accumulation_steps", "learning_rate", "warmup_steps", "weight_decay", "max_grad_norm", "seed"),
    "lr_scheduler_type",
    *("activation_checkpointing", "logging_steps"),
)

PENDING_VALIDATION = "validation_interrupted"  # the last entry in the log of a state saved within a validation


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
    """Train the model in place; it ends with the weights of its best evaluation.

    Ctrl-C saves the state into `state_folder` and raises KeyboardInterrupt. UserError if the loss becomes nan, or if
    the state cannot be written.
    """
    checkpoint = None
    if resume:
        with explain_state_errors(state_folder):
            checkpoint = str(newest_whole_checkpoint(state_folder))
        log.info("continuing from %s", checkpoint)
    elif distributed.is_main_process():
        for unfinished in checkpoints(state_folder):
            remove_checkpoint(unfinished)
    interruption = InterruptionCallback()
    starts = settings.eval_on_start != "off" if checkpoint is None else has_pending_validation(Path(checkpoint))
    callbacks = [interruption, *objective.callbacks, FiniteLossCallback(), ProgressCallback()]
    callbacks += reporter_callbacks(settings.report_to, settings.output_path)
    trainer = ObjectiveTrainer(
        objective, model, train_rows, validation_rows, settings, state_folder, callbacks, eval_on_start=starts
    )
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad] if objective.keep_start else []
    start = [parameter.detach().clone() for parameter in trained]
    started = time.perf_counter()
    epochs = settings.model_soup * _epochs(trainer.args, len(train_rows))
    with (
        trainer.cached_rows(prefix_cache, settings.precision, epochs),
        interruption.listening(),
        weights_in_bf16(model, settings.precision == "bf16"),
        explain_state_errors(state_folder),
    ):
        trainer.train(resume_from_checkpoint=checkpoint)
    seconds = time.perf_counter() - started
    # All processes are asked, and so all have read the state before the first one removes it.
    if distributed.any_process(interruption.happened):
        raise KeyboardInterrupt
    check_weights(model, trainer.state.global_step)
    trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    vars(model).pop("_is_accelerate_prepared", None)  # or a second run would train without autocast
    model.to("cpu").eval()
    first, later = trainer.first_evaluation, trainer.later_evaluations
    after = objective.best(later, default=None)
    if start and None not in (first, after) and objective.is_better(first, after):
        log.warning("warning: no evaluation was as good as the one before training, whose weights are kept")
        for parameter, value in zip(trained, start, strict=True):
            parameter.data.copy_(value)
        after = first
    return TrainingOutcome(
        steps=trainer.state.global_step,
        epochs=round(trainer.state.epoch, 3),
        seconds=seconds,
        metric=objective.metric,
        before=first,
        after=after,
        better=None if None in (first, after) else objective.is_better(after, first),
        history=trainer.state.log_history,
    )


def has_pending_validation(checkpoint: Path) -> bool:
    """Return whether the state was saved because its validation was interrupted."""
    history = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["log_history"]
    return bool(history) and PENDING_VALIDATION in history[-1]


def _epochs(args: TrainingArguments, rows: int) -> float:
    """Return the epochs of a whole run: one that goes on takes the prefix cache if it began with it."""
    batch = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    return args.max_steps * batch / rows if args.max_steps > 0 else args.num_train_epochs


class ObjectiveTrainer(Trainer):
    """Trainer with an objective's loss and validation, frozen modules in eval mode, and batches of similar lengths."""

    def __init__(
        self,
        objective: Objective,
        model: PreTrainedModel,
        train_rows: list[dict],
        validation_rows: list[dict],
        settings: TrainingSettings,
        folder: Path,
        callbacks: Sequence,
        *,
        eval_on_start: bool,
        saves: bool = True,
    ):
        """Without `saves`, nothing is written into `folder`, and the model keeps its last weights."""
        if distributed.world_size() > 1:
            train_rows = [*train_rows, unsupervised_row(train_rows)]
        when = "steps" if settings.save_steps else "epoch"
        super().__init__(
            model=model,
            args=TrainingArguments(
                output_dir=str(folder),
                num_train_epochs=settings.epochs,
                max_steps=settings.max_steps or -1,
                per_device_train_batch_size=settings.batch_size,
                optim="adamw_torch_fused",
                bf16=settings.precision == "bf16",
                fp16=settings.precision == "fp16",
                use_cpu=settings.device == "cpu",
                ddp_find_unused_parameters=False,  # there are none
                eval_strategy=when if validation_rows else "no",
                eval_steps=settings.save_steps,
                eval_on_start=bool(validation_rows) and eval_on_start,
                save_strategy=when if saves else "no",
                save_steps=settings.save_steps or 500,
                load_best_model_at_end=bool(validation_rows) and saves,
                restore_callback_states_from_checkpoint=True,  # how long early stopping has waited
                metric_for_best_model=f"eval_{objective.metric}",
                greater_is_better=objective.greater_is_better,
                logging_nan_inf_filter=False,
                include_num_input_tokens_seen="non_padding",
                remove_unused_columns=False,
                dataloader_pin_memory=settings.device != "cpu",
                disable_tqdm=True,
                report_to="none",  # see `reporters`
                run_name=settings.output_path.stem,
                **{name: getattr(settings, name) for name in SAME_NAME},
            ),
            data_collator=objective.collate,
            compute_loss_func=objective.loss,
            train_dataset=train_rows,
            eval_dataset=validation_rows or None,
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)
        if validation_rows and settings.early_stopping_patience:
            self.add_callback(EarlyStoppingCallback(settings.early_stopping_patience))
        self.objective = objective
        self._restored = {}
        self._checkpoints_kept = settings.save_total_limit
        interruptions = [callback for callback in callbacks if hasattr(callback, "stopping_at_once")]
        self._stopping_at_once = interruptions[0].stopping_at_once if interruptions else contextlib.nullcontext
        self._frozen_modules = frozen_modules(model)  # found once, since that takes long

    @property
    def _cached(self) -> bool:
        return "cached_states" in self.train_dataset[0]

    @property
    def _stopped_early(self) -> bool:
        stopping = [each for each in self.callback_handler.callbacks if isinstance(each, EarlyStoppingCallback)]
        return any(each.early_stopping_patience_counter >= each.early_stopping_patience for each in stopping)

    @property
    def evaluations(self) -> list[float]:
        """The objective's metric at each evaluation until now."""
        return [value for _, value in self._evaluations]

    @property
    def first_evaluation(self) -> float | None:
        """The objective's metric before training; None if it was not measured."""
        return next((value for step, value in self._evaluations if step == 0), None)

    @property
    def later_evaluations(self) -> list[float]:
        """The objective's metric at each evaluation during training."""
        return [value for step, value in self._evaluations if step > 0]

    @property
    def _evaluations(self) -> list[tuple[int, float]]:
        name = f"eval_{self.objective.metric}"
        return [(entry["step"], entry[name]) for entry in self.state.log_history if name in entry]

    @contextlib.contextmanager
    def cached_rows(self, cache: PrefixCache, precision: str, epochs: float) -> Iterator[None]:
        """Within the context, the cache provides the frozen blocks' output, if it can. `epochs` are yet to come."""
        rows = {"train": self.train_dataset, "validation": self.eval_dataset or []}
        with cache.cached_rows(self.model, self.objective.collate, rows, precision=precision, epochs=epochs) as cached:
            self.train_dataset, self.eval_dataset = cached["train"], cached["validation"] or None
            yield
        self.train_dataset, self.eval_dataset = rows["train"], rows["validation"] or None

    def _get_train_sampler(self, train_dataset=None):
        processes = distributed.world_size()
        batch = self.args.train_batch_size * processes
        rows = self.train_dataset if processes == 1 else self.train_dataset[:-1]  # without the unsupervised row
        accumulated = batch * self.args.gradient_accumulation_steps
        return ShuffledLengthGroupedSampler(rows, accumulated, self.args.seed, multiple=batch if processes > 1 else 1)

    def create_scheduler(self, num_training_steps: int, optimizer=None):
        """Warm up for less than all steps: the first step of a warmup has a rate of 0, and would train nothing.

        A fraction of less than one step is none.
        """
        warmup = self.args.warmup_steps
        steps = int(warmup) if warmup >= 1 else math.ceil(num_training_steps * warmup)
        if warmup < 1 and num_training_steps * warmup < 1:
            steps = 0
        self.args.warmup_steps = max(0, min(steps, num_training_steps - 1))
        return super().create_scheduler(num_training_steps, optimizer)

    def get_train_dataloader(self):
        loader = super().get_train_dataloader()
        if distributed.world_size() > 1:  # neither accelerate nor Trainer finds the sampler of a resumed epoch
            loader.batch_sampler.set_epoch = loader.batch_sampler.batch_sampler.sampler.set_epoch
        return loader

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        if model.training:
            for module in self._frozen_modules:
                module.training = False
        with self.objective.forward_context(self.model, inputs):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    def _prepare_for_training(self, max_steps, train_dataloader, resume_from_checkpoint):
        """Also find what transformers does not: the best state, if the folder was moved, and what progress.json has."""
        prepared = super()._prepare_for_training(max_steps, train_dataloader, resume_from_checkpoint)
        if resume_from_checkpoint is not None:
            best = Path(self.args.output_dir, f"checkpoint-{self.state.best_global_step}")
            if best.is_dir():
                self.state.best_model_checkpoint = str(best)
            self._restored = read_object(Path(resume_from_checkpoint, PROGRESS)) or {}
            self._restored.setdefault("stopped", False)
            if self._restored.get("cached", self._cached) != self._cached:
                log.warning(
                    "warning: the run began %s the prefix cache: its weights will differ in their last digits",
                    "without" if self._cached else "with",
                )
            self._restored["stopped"] |= self.state.global_step >= self.state.max_steps
        return prepared

    def _restore_progress(self) -> None:
        """Restore the losses that the log counts, which transformers sets to zero, and the end of a run."""
        progress, self._restored = self._restored, {}
        if "loss" in progress:  # not by earlier versions
            loss = progress["loss"]
            self._total_loss_scalar, self._globalstep_last_logged = loss["logged"], loss["step"]
            self._tr_loss = torch.tensor(loss["pending"], device=self.args.device)
        if progress.get("stopped"):
            self.control.should_training_stop = True

    def _run_epoch(self, *arguments, **options):
        """Train for an epoch, unless the run had ended before it was resumed: transformers takes a step, then asks."""
        self._restore_progress()
        if not self.control.should_training_stop:
            super()._run_epoch(*arguments, **options)

    def _finalize_training(self, *arguments, **options):
        self._restore_progress()  # where no epoch was left
        return super()._finalize_training(*arguments, **options)

    def log(self, logs, start_time=None):
        """Log; the mean loss at the end is that of all steps, also those before an interruption."""
        if "train_loss" in logs and self.state.global_step:
            logs["train_loss"] = self._total_loss_scalar / self.state.global_step
        super().log(logs, start_time)

    def _maybe_log_save_evaluate(self, tr_loss, grad_norm, *arguments, **options):
        check_step(self, tr_loss, grad_norm)  # before anything is logged or saved
        super()._maybe_log_save_evaluate(tr_loss, grad_norm, *arguments, **options)

    def _save_checkpoint(self, model, trial):
        """Save the state and its checksums; older states stay until they are written."""
        check_weights(self.model, self.state.global_step)
        folder = self.args.output_dir
        checkpoint = Path(folder, f"checkpoint-{self.state.global_step}")
        pending = nested_gather(self._tr_loss, self.args.parallel_mode).mean().item()
        loss = {"logged": self._total_loss_scalar, "pending": pending, "step": self._globalstep_last_logged}
        if self.args.should_save:
            progress = {RUN_ID: read_run_id(Path(folder)), "seed": self.args.seed, "loss": loss}
            write_progress(checkpoint, progress | {"stopped": self._stopped_early, "cached": self._cached})
        super()._save_checkpoint(model, trial)
        distributed.barrier()  # each process has written its random numbers' state
        if self.args.should_save:
            seal(checkpoint)
            keep_newest(Path(folder), self._checkpoints_kept, self.state.best_model_checkpoint)

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval"):
        """Validate. Ctrl-C stops that at once; a state is saved with which --resume begins by validating."""
        rows = self.eval_dataset if eval_dataset is None else eval_dataset
        history = self.state.log_history
        resumed = bool(history) and PENDING_VALIDATION in history[-1]
        before = history[:-1] if resumed else list(history)
        try:
            with self._stopping_at_once():
                metrics = self.objective.evaluate(self.model, rows)
                metrics = {f"{metric_key_prefix}_{name}": value for name, value in metrics.items()}
                self.state.log_history = list(before)
                self.log(dict(metrics))
                self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        except KeyboardInterrupt:
            if self.state.global_step and self.args.save_strategy != "no" and not resumed:
                self.state.log_history = [*before, {"step": self.state.global_step, PENDING_VALIDATION: True}]
                self.control.should_evaluate = self.control.should_save = False
                self._save_checkpoint(self.model, None)
            raise
        if resumed and self._determine_best_metric(metrics, None):
            self.state.best_model_checkpoint = str(Path(self.args.output_dir, f"checkpoint-{self.state.global_step}"))
        return metrics


class ShuffledLengthGroupedSampler(LengthGroupedSampler):
    """Row numbers in batches of similar lengths, in random order after the first, which has the longest rows.

    If memory is too small, the run fails at its first step. The base class orders batches from long to short again and
    again, so that steps undo what earlier ones learned (docs/results.md). The order depends on the seed and the epoch
    alone, so a resumed epoch continues in its own order. At the end, the index just past the last row is repeated
    until the length is a multiple of `multiple`.
    """

    def __init__(self, rows: Sequence[dict], batch_size: int, seed: int, multiple: int = 1):
        super().__init__(batch_size, rows)
        self.seed = seed
        self.fillers = [len(rows)] * (-len(rows) % multiple)
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader before each epoch."""
        self.generator = torch.Generator().manual_seed(self.seed + epoch)

    def __len__(self) -> int:
        return super().__len__() + len(self.fillers)

    def __iter__(self) -> Iterator[int]:
        order = list(super().__iter__())
        end = len(order) // self.batch_size * self.batch_size
        longest, *batches = [order[start : start + self.batch_size] for start in range(0, end, self.batch_size)] or [[]]
        random.Random(self.generator.initial_seed()).shuffle(batches)
        return itertools.chain(longest, *batches, order[end:], self.fillers)


def unsupervised_row(rows: Sequence[dict]) -> dict:
    """Return the shortest row without its loss: it fills the last batches of an epoch for several processes.

    Every process needs the same number of batches, and accelerate would repeat rows, which would count twice.
    """
    row = min(rows, key=lambda row: len(row["input_ids"]))
    return {**row, "loss_start": len(row["input_ids"]), "label": IGNORED}
