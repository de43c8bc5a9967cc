"""What happens during a training run besides training: progress, samples, a clean end."""

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence

from tqdm import tqdm
from transformers import TrainerCallback

from utils import distributed
from utils.errors import UserError
from utils.inference.generation import generate_from_ids
from utils.inference.sampling import Sampling
from utils.models.checkpoint import Trained

ONE_WISH = 5.0  # seconds
SHOWN = ("bits_per_byte", "macro_f1", "loss", "token_accuracy", "accuracy")


class ProgressCallback(TrainerCallback):
    """A bar on a terminal (loss, tokens/s, time left), a line per logging step on a log."""

    def on_train_begin(self, args, state, control, **kwargs):
        self.bar = tqdm(total=state.max_steps, initial=state.global_step, unit=" steps", desc="training", disable=None)
        self.since = (time.perf_counter(), state.num_input_tokens_seen)

    def on_step_end(self, args, state, control, **kwargs):
        self.bar.update(state.global_step - self.bar.n)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "eval_loss" in logs:
            figures = [
                f"{name.replace('_', ' ')} {logs['eval_' + name]:.4f}" for name in SHOWN if "eval_" + name in logs
            ]
            self._write(f"step {state.global_step}: validation {', '.join(figures)}")
            self.since = (time.perf_counter(), state.num_input_tokens_seen)
        elif "loss" in logs:
            now = (time.perf_counter(), state.num_input_tokens_seen)
            speed = (now[1] - self.since[1]) / (now[0] - self.since[0])
            self.since = now
            if self.bar.disable:
                self._write(
                    f"step {state.global_step}/{state.max_steps} epoch {state.epoch:.2f} loss {logs['loss']:.4f} "
                    f"learning rate {logs['learning_rate']:.2e} {speed:,.0f} tokens/s"
                )
            else:
                self.bar.set_postfix(loss=f"{logs['loss']:.3f}", speed=f"{speed:,.0f} tokens/s")

    def on_train_end(self, args, state, control, **kwargs):
        self.bar.close()

    def _write(self, line):
        self.bar.write(line, file=sys.stderr)


class SamplesCallback(TrainerCallback):
    """Logs texts of the model at every evaluation: what it writes after prompts, given as ids."""

    def __init__(self, base: Trained, prompts: Sequence[list[int]], end: int):
        self.base = base
        self.prompts = prompts
        self.end = end

    def on_evaluate(self, args, state, control, **kwargs):
        sampling = Sampling(seed=args.seed)
        texts = generate_from_ids(self.base.model, self.base.tokenizer, self.prompts, sampling, end=self.end)
        samples = [text for of_prompt in texts for text in of_prompt]
        for sample in samples:
            tqdm.write(f"  sample: {' '.join(sample.text.split())}", file=sys.stderr)
        state.log_history.append({"step": state.global_step, "samples": [sample.text for sample in samples]})


class FiniteLossCallback(TrainerCallback):
    """Ends a run whose loss is no number any more."""

    def on_log(self, args, state, control, logs=None, **kwargs):
        for name in ("loss", "eval_loss", "train_loss"):
            if not math.isfinite(logs.get(name, 0.0)):
                raise UserError(
                    f"the loss became {logs[name]} at step {state.global_step} or before",
                    "lower --learning_rate, or use --precision fp32 or bf16",
                )


class InterruptionCallback(TrainerCallback):
    """Turns the first Ctrl-C into a saved state and an end; a second one interrupts at once."""

    def __init__(self, announced: str = "saving"):
        self.announced = announced
        self.happened = False
        self.agreed = False  # by all processes: they have to stop after the same step
        self.since = 0.0

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Listen while the block runs; only the main thread of a process may."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        several = distributed.world_size() > 1  # their launcher, or Slurm, ends them with SIGTERM
        before = {
            number: signal.signal(number, self._note)
            for number in ((signal.SIGINT, signal.SIGTERM) if several else (signal.SIGINT,))
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, *_):
        if self.happened:
            # Slurm ends the launcher and each process, and then the launcher ends each process: that is one wish.
            if distributed.world_size() == 1 or time.monotonic() > self.since + ONE_WISH:
                raise KeyboardInterrupt
            return
        self.happened, self.since = True, time.monotonic()
        if not distributed.is_main_process():
            return
        # Not through logging: the signal may come while a line is being written, and streams are not reentrant.
        os.write(2, f"interrupted: {self.announced} after this step (Ctrl-C again stops at once)\n".encode())

    def on_step_end(self, args, state, control, **kwargs):
        self.agreed = distributed.any_process(self.happened)
        if self.agreed:
            control.should_save = True
            control.should_training_stop = True

    def on_epoch_end(self, args, state, control, **kwargs):
        if self.agreed and state.epoch % 1:  # called in the middle of an epoch too, where no evaluation is due
            control.should_evaluate = control.should_save = False
