"""Hugging Face's Trainer with an objective: its loss and validation, frozen modules, complete states."""

import contextlib
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from transformers import EarlyStoppingCallback, PreTrainedModel, PrinterCallback, Trainer
from transformers.trainer_pt_utils import nested_gather

from utils import distributed
from utils.compute.prefix_cache import PrefixCache
from utils.models.opening.adapters import adapter_layers
from utils.terminal.progress import late_bars_of_transformers
from utils.training.finite import check_step, check_weights
from utils.training.flags import TrainingSettings
from utils.training.freezing import frozen_modules, release_frozen_inputs
from utils.training.objectives import Objective
from utils.training.row_order import ShuffledLengthGroupedSampler, unsupervised_row
from utils.training.state.saved_states import seal
from utils.training.state.state_files import (
    PROGRESS,
    RUN_ID,
    keep_newest,
    read_object,
    read_run_id,
    write_progress,
)
from utils.training.time_limit.limit import TimeLimit
from utils.training.time_limit.schedule import clock_schedule
from utils.training.training_arguments import training_arguments

log = logging.getLogger(__name__)
PENDING_VALIDATION = "validation_interrupted"  # the last entry in the log of a state saved within a validation


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
        time_limit: TimeLimit | None = None,
    ):
        """Without `saves`, nothing is written into `folder`, and the model keeps its last weights."""
        if distributed.world_size() > 1:
            train_rows = [*train_rows, unsupervised_row(train_rows)]
        evaluations = {"validates": bool(validation_rows), "eval_on_start": eval_on_start}
        super().__init__(
            model=model,
            args=training_arguments(settings, objective, folder, **evaluations, saves=saves),
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
        self._time_limit = time_limit
        if time_limit:
            self.evaluate = time_limit.measuring_evaluation(self.evaluate)
            self._save_checkpoint = time_limit.measuring_state(self._save_checkpoint)
        self._restored = {}
        self._checkpoints_kept = settings.save_total_limit
        interruptions = [callback for callback in callbacks if hasattr(callback, "stopping_at_once")]
        self._stopping_at_once = interruptions[0].stopping_at_once if interruptions else contextlib.nullcontext
        self._frozen_modules = frozen_modules(model)  # found once, since that takes long
        self._has_adapters = bool(adapter_layers(model))

    @property
    def _cached(self) -> bool:
        return "cached_states" in self.train_dataset[0]

    @property
    def _stopped_early(self) -> bool:
        stopping = [each for each in self.callback_handler.callbacks if isinstance(each, EarlyStoppingCallback)]
        return any(each.early_stopping_patience_counter >= each.early_stopping_patience for each in stopping)

    @property
    def ended_by(self) -> str:
        """The cause of the end of training: time, early stopping, steps or epochs."""
        if self._time_limit and self._time_limit.ended:
            return "time"
        return "early stopping" if self._stopped_early else "steps" if self.args.max_steps > 0 else "epochs"

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
        if cache.may_cache(self.model, epochs):
            self.model.to(self.args.device)
        with cache.cached_rows(self.model, self.objective.collate, rows, precision=precision, epochs=epochs) as cached:
            self.train_dataset, self.eval_dataset = cached["train"], cached["validation"] or None
            yield
        self.train_dataset, self.eval_dataset = rows["train"], rows["validation"] or None

    def _move_model_to_device(self, model, device) -> None:
        """Leave the model where it is: accelerate moves it when training begins, its frozen weights being small."""

    def _get_train_sampler(self, train_dataset=None):
        processes = distributed.world_size()
        batch = self.args.train_batch_size * processes
        rows = self.train_dataset if processes == 1 else self.train_dataset[:-1]  # without the unsupervised row
        accumulated = batch * self.args.gradient_accumulation_steps
        return ShuffledLengthGroupedSampler(rows, accumulated, self.args.seed, multiple=batch if processes > 1 else 1)

    def create_scheduler(self, num_training_steps: int, optimizer=None):
        """Warm up for less than all steps: the first step of a warmup has a rate of 0, and would train nothing.

        A fraction of less than one step is none. With a time limit, the clock decides.
        """
        if self._time_limit:
            self.lr_scheduler = self.lr_scheduler or clock_schedule(self.optimizer, self.args, self._time_limit)
            return self.lr_scheduler
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
        release_frozen_inputs(self.model)
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

    def _save(self, output_dir=None, state_dict=None):
        """Save the model or, of one with adapters, only what trains: the rest is the base model's."""
        if self._has_adapters:
            state_dict = {name: each for name, each in self.model.named_parameters() if each.requires_grad}
        super()._save(output_dir, state_dict)

    def _issue_warnings_after_load(self, load_result):
        if not self._has_adapters:
            super()._issue_warnings_after_load(load_result)

    def _save_checkpoint(self, model, trial):
        """Save the state and its checksums; older states stay until they are written."""
        check_weights(self.model, self.state.global_step)
        folder = self.args.output_dir
        checkpoint = Path(folder, f"checkpoint-{self.state.global_step}")
        pending = nested_gather(self._tr_loss, self.args.parallel_mode).mean().item()
        loss = {"logged": self._total_loss_scalar, "pending": pending, "step": self._globalstep_last_logged}
        stopped = self.ended_by in ("time", "early stopping")
        time = {"time": self._time_limit.state_dict()} if self._time_limit else {}  # all processes ask for it
        if self.args.should_save:
            progress = {RUN_ID: read_run_id(Path(folder)), "seed": self.args.seed, "loss": loss}
            write_progress(checkpoint, progress | {"stopped": stopped, "cached": self._cached} | time)
        with late_bars_of_transformers():
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
        saves = bool(self.state.global_step) and self.args.save_strategy != "no" and not resumed
        try:
            with self._stopping_at_once(saves):
                metrics = self.objective.evaluate(self.model, rows)
                metrics = {f"{metric_key_prefix}_{name}": value for name, value in metrics.items()}
                self.state.log_history = list(before)
                self.log(dict(metrics))
                self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        except KeyboardInterrupt:
            if saves:
                self.state.log_history = [*before, {"step": self.state.global_step, PENDING_VALIDATION: True}]
                self.control.should_evaluate = self.control.should_save = False
                self._save_checkpoint(self.model, None)
            raise
        if resumed and self._determine_best_metric(metrics, None):
            self.state.best_model_checkpoint = str(Path(self.args.output_dir, f"checkpoint-{self.state.global_step}"))
        return metrics
