"""Training with an objective: its loss and validation, frozen modules, and batches of similar lengths."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from transformers import EarlyStoppingCallback, PreTrainedModel, PrinterCallback

from utils import distributed
from utils.compute.prefix_cache import PrefixCache
from utils.training.flags import TrainingSettings
from utils.training.freezing import frozen_modules, release_frozen_inputs
from utils.training.objectives import Objective
from utils.training.row_order import ShuffledLengthGroupedSampler, unsupervised_row
from utils.training.state.resumable_trainer import ResumableTrainer
from utils.training.time_limit.limit import TimeLimit
from utils.training.time_limit.schedule import clock_schedule
from utils.training.training_arguments import training_arguments


class ObjectiveTrainer(ResumableTrainer):
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
            model,
            training_arguments(settings, objective, folder, **evaluations, saves=saves),
            callbacks,
            states_kept=settings.save_total_limit,
            time_limit=time_limit,
            data_collator=objective.collate,
            compute_loss_func=objective.loss,
            train_dataset=train_rows,
            eval_dataset=validation_rows or None,
        )
        self.remove_callback(PrinterCallback)
        if validation_rows and settings.early_stopping_patience:
            self.add_callback(EarlyStoppingCallback(settings.early_stopping_patience))
        self.objective = objective
        self._frozen_modules = frozen_modules(model)  # found once, since that takes long

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

    def _validate(self, rows):
        return self.objective.evaluate(self.model, rows)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        if model.training:
            for module in self._frozen_modules:
                module.training = False
        with self.objective.forward_context(self.model, inputs):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    def _prepare_for_training(self, *arguments):
        prepared = super()._prepare_for_training(*arguments)
        release_frozen_inputs(self.model)
        return prepared
