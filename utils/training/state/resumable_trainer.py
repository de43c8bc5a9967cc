"""Hugging Face's Trainer with complete states: an interrupted run ends as it would have ended without that."""

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import EarlyStoppingCallback, PreTrainedModel, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_pt_utils import nested_gather

from utils import distributed
from utils.terminal.progress import late_bars_of_transformers
from utils.training.finite import check_step, check_weights
from utils.training.state.saved_states import seal
from utils.training.state.state_files import (
    PROGRESS,
    RUN_ID,
    keep_newest,
    read_object,
    read_run_id,
    write_progress,
)
from utils.training.state.weights import FROZEN, frozen_checksum, require_weights, write_weights
from utils.training.time_limit.limit import TimeLimit

log = logging.getLogger(__name__)
PENDING_VALIDATION = "validation_interrupted"  # the last entry in the log of a state saved within a validation


class ResumableTrainer(Trainer):
    """Trainer that saves its states with checksums and resumes from them exactly, also from within a validation."""

    def __init__(
        self,
        model: PreTrainedModel,
        args: TrainingArguments,
        callbacks: Sequence[TrainerCallback],
        *,
        states_kept: int,
        time_limit: TimeLimit | None,
        **options,
    ):
        """`options` are those of Trainer."""
        super().__init__(model=model, args=args, callbacks=callbacks, **options)
        self._time_limit = time_limit
        if time_limit:
            self.evaluate = time_limit.measuring_evaluation(self.evaluate)
            self._save_checkpoint = time_limit.measuring_state(self._save_checkpoint, lambda: self._is_over)
        self._restored = {}
        self._states_kept = states_kept
        interruptions = [callback for callback in callbacks if hasattr(callback, "stopping_at_once")]
        self._stopping_at_once = interruptions[0].stopping_at_once if interruptions else contextlib.nullcontext
        self._frozen = frozen_checksum(model)

    def _validate(self, rows: Sequence[dict]) -> dict[str, float]:
        """Return the figures of a validation split."""
        raise NotImplementedError

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
    def _is_over(self) -> bool:
        return self.ended_by in ("time", "early stopping") or self.state.global_step >= self.state.max_steps

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
            self._restored["stopped"] |= self._is_over  # an earlier version's
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
        """Save the weights that train: the others are the base model's."""
        if self.args.should_save:
            write_weights(self.model, Path(output_dir))

    def _issue_warnings_after_load(self, load_result):
        require_weights(self.model, load_result.missing_keys)

    def _save_optimizer_and_scheduler(self, output_dir):
        """Save what a next step needs, if there is one."""
        if not self._is_over:
            super()._save_optimizer_and_scheduler(output_dir)

    def _save_checkpoint(self, model, trial):
        """Save the state and its checksums; older states stay until they are written."""
        check_weights(self.model, self.state.global_step)
        folder = self.args.output_dir
        checkpoint = Path(folder, f"checkpoint-{self.state.global_step}")
        pending = nested_gather(self._tr_loss, self.args.parallel_mode).mean().item()
        loss = {"logged": self._total_loss_scalar, "pending": pending, "step": self._globalstep_last_logged}
        time = {"time": self._time_limit.state_dict()} if self._time_limit else {}  # all processes ask for it
        if self.args.should_save:
            progress = {RUN_ID: read_run_id(Path(folder)), "seed": self.args.seed, "loss": loss, FROZEN: self._frozen}
            write_progress(checkpoint, progress | {"stopped": self._is_over, "cached": self._cached} | time)
        with late_bars_of_transformers():
            super()._save_checkpoint(model, trial)
        distributed.barrier()  # each process has written its random numbers' state
        if self.args.should_save:
            seal(checkpoint)
            keep_newest(Path(folder), self._states_kept, self.state.best_model_checkpoint)

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval"):
        """Validate. Ctrl-C stops that at once; a state is saved with which --resume begins by validating."""
        rows = self.eval_dataset if eval_dataset is None else eval_dataset
        history = self.state.log_history
        resumed = bool(history) and PENDING_VALIDATION in history[-1]
        before = history[:-1] if resumed else list(history)
        saves = bool(self.state.global_step) and self.args.save_strategy != "no" and not resumed
        try:
            with self._stopping_at_once(saves):
                metrics = self._validate(rows)
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
