"""Callbacks of a training run: progress, samples, a check of the loss, and a clean stop on Ctrl-C."""

import contextlib
import logging
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
from utils.compute.device import autocast
from utils.errors import UserError
from utils.inference.generation import Generated, generate_from_ids
from utils.inference.sampling import Sampling
from utils.interrupts import ENDS_ALONE
from utils.models.checkpoint import Trained
from utils.terminal.numbers import rounded
from utils.terminal.progress import training_bar
from utils.terminal.times import time_left
from utils.training.time_limit.limit import TimeLimit

log = logging.getLogger(__name__)
MOST_LOSSES, SECONDS_BETWEEN_LOSSES = 100, 2.0  # on a terminal, above the bar
SHOWN_METRICS = (
    *("bits_per_byte", "average_precision", "macro_f1", "micro_f1", "rmse", "mae", "spearman"),
    *("loss", "token_accuracy", "accuracy"),
)
REPEATED_SIGNAL_SECONDS = 5.0
TRAIN_SLOWER = "lower --learning_rate, or use --precision fp32 or bf16"


class ProgressCallback(TrainerCallback):
    """Shows a bar on a terminal (loss, tokens/s, time left) with some losses above it, and elsewhere all log lines.

    With a time limit, the bar counts the seconds of the command.
    """

    def __init__(self, time_limit: TimeLimit | None = None):
        self.limit = time_limit

    def on_train_begin(self, args, state, control, **kwargs):
        total, initial = state.max_steps, state.global_step
        if self.limit:
            total, initial = round(self.limit.seconds), round(self.limit.now)
        self.bar = training_bar("training", total=total, initial=initial)
        self.last = (time.perf_counter(), state.num_input_tokens_seen)
        self.mark = self.shown_at = time.perf_counter()
        self.next_shown = 0  # on a terminal: the step from which on a loss is shown again
        self.step_seconds, self.pauses, self.evaluated = [], [], False
        self.loss_and_speed = ""

    def on_step_begin(self, args, state, control, **kwargs):
        if self.evaluated:
            self.pauses.append(time.perf_counter() - self.mark)
            self.mark, self.evaluated = time.perf_counter(), False
            self.last = (self.mark, state.num_input_tokens_seen)  # without the time of validating and saving

    def on_step_end(self, args, state, control, **kwargs):
        self.step_seconds.append(time.perf_counter() - self.mark)
        self.mark = time.perf_counter()
        self._show_on_bar(args, state)
        self.bar.update((round(self.limit.now) if self.limit else state.global_step) - self.bar.n)

    def on_evaluate(self, args, state, control, **kwargs):
        self.evaluated = True

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "eval_loss" in logs:
            shown = [name for name in SHOWN_METRICS if f"eval_{name}" in logs]
            metrics = [f"{name.replace('_', ' ')} {rounded(logs[f'eval_{name}'], 4)}" for name in shown]
            self._write(f"step {state.global_step}: validation {', '.join(metrics)}")
        elif "loss" in logs:
            now = (time.perf_counter(), state.num_input_tokens_seen)
            speed = f"{(now[1] - self.last[1]) / (now[0] - self.last[0]):,.0f} tokens/s"
            self.last = now
            steps = state.global_step if self.limit else f"{state.global_step}/{state.max_steps}"
            begin = f"step {steps} epoch {state.epoch:.2f} loss {logs['loss']:.4f}"
            if self.bar.disable:
                left = time_left(self.seconds_left(args, state))
                self._write(f"{begin} learning rate {logs['learning_rate']:.2e} {speed}, {left}")
                return
            self.loss_and_speed = f"loss {logs['loss']:.3f}, {speed}, "
            self._show_on_bar(args, state)
            if self.bar.n >= self.next_shown and now[0] >= self.shown_at + SECONDS_BETWEEN_LOSSES:
                self._write(f"{begin} {speed}")
                self.shown_at, self.next_shown = now[0], self.bar.n + self.bar.total / MOST_LOSSES

    def on_train_end(self, args, state, control, **kwargs):
        self.bar.close()

    def seconds_left(self, args, state) -> float:
        """Return the time of the steps and the evaluations to come, from the mean of those until now.

        With a time limit, it is the rest of that.
        """
        if self.limit:
            return max(0.0, self.limit.seconds - self.limit.now)
        evaluations = 0
        if args.eval_strategy == "steps":
            evaluations = state.max_steps // args.eval_steps - state.global_step // args.eval_steps
        elif args.eval_strategy == "epoch":
            evaluations = math.ceil(state.num_train_epochs) - math.floor(state.epoch)
        steps = (state.max_steps - state.global_step) * _mean(self.step_seconds)
        return steps + evaluations * _mean(self.pauses)

    def _show_on_bar(self, args, state):
        left = time_left(self.seconds_left(args, state))
        self.bar.set_postfix_str(f"{self.loss_and_speed}{left}", refresh=False)

    def _write(self, line):
        with tqdm.external_write_mode(file=sys.stderr):  # above the bar
            log.info(line)


class SamplesCallback(TrainerCallback):
    """Shows and logs the model's text after each prompt (token ids) at every evaluation.

    A sample ends with the token `end`, or after `longest` tokens, since an untuned model rarely ends by itself; before
    the first step, which waits for them, after `longest_at_start`.
    """

    def __init__(self, base: Trained, prompts: Sequence[list[int]], end: int, longest: int, longest_at_start: int):
        self.base = base
        self.prompts = prompts
        self.end = end
        self.longest = longest
        self.longest_at_start = longest_at_start

    def on_evaluate(self, args, state, control, **kwargs):
        longest = self.longest if state.global_step else self.longest_at_start
        precision = "bf16" if args.bf16 else "fp16" if args.fp16 else "fp32"
        # The model's own autocast begins anew with each token, and casts all weights again.
        with autocast(self.base.model.device.type, precision):
            samples = self.generate(args.seed, longest, progress="samples")
        for sample in samples:
            with tqdm.external_write_mode(file=sys.stderr):
                log.info("  sample: %s%s", " ".join(sample.text.split()), "" if sample.finished else " …")
        state.log_history.append({"step": state.global_step, "samples": [sample.text for sample in samples]})

    def generate(self, seed: int, longest: int, progress: str | None = None) -> list[Generated]:
        """Return the model's text after each prompt, at most `longest` tokens; `progress` names a bar."""
        sampling, options = Sampling(seed=seed, max_new_tokens=longest), {"end": self.end, "progress": progress}
        generated = generate_from_ids(self.base.model, self.base.tokenizer, self.prompts, sampling, **options)
        return [sample for [sample] in generated]


class FiniteLossCallback(TrainerCallback):
    """Ends a run with UserError when its validation loss becomes nan or infinite; `check_step` looks at each step."""

    def on_log(self, args, state, control, logs=None, **kwargs):
        if not math.isfinite(logs.get("eval_loss", 0.0)):
            raise UserError(f"the validation loss became {logs['eval_loss']} at step {state.global_step}", TRAIN_SLOWER)


class InterruptionCallback(TrainerCallback):
    """Saves the state and ends the run after the first Ctrl-C; a second one interrupts at once.

    `action` is for the message on stderr about the first.
    """

    def __init__(self, action: str = "saving"):
        self.action = action
        self.happened = False
        self.happened_anywhere = False  # in any process: all have to stop after the same step
        self.first_signal = 0.0
        self._at_once = self._saves = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handle signals while the block runs; in a thread other than the main one, where that is impossible, don't."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDS_ALONE)}
        before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}  # nohup
        for number in before:
            signal.signal(number, self._handle)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def stopping_at_once(self, saves: bool) -> Iterator[None]:
        """Within the block (a validation), Ctrl-C raises KeyboardInterrupt at once, also one from just before.

        `saves`: whether whoever catches that then saves the state. Several processes have to stop at the same place:
        they finish the block.
        """
        self._at_once, self._saves = distributed.world_size() == 1, saves
        try:
            if self.happened and self._at_once:
                raise KeyboardInterrupt
            yield
        finally:
            self._at_once = self._saves = False

    def _handle(self, *_):
        if self.happened:
            # Slurm signals the launcher and each process, and then the launcher signals each process: that counts once.
            if distributed.world_size() == 1 or time.monotonic() > self.first_signal + REPEATED_SIGNAL_SECONDS:
                raise KeyboardInterrupt
            return
        self.happened, self.first_signal = True, time.monotonic()
        if self._at_once:
            action = self.action if self._saves else "stopping"
            os.write(2, f"interrupted: {action} without the rest of the validation\n".encode())
            raise KeyboardInterrupt
        if distributed.is_main_process():
            # Not through logging: the signal may come while a line is being written, and streams are not reentrant.
            os.write(2, f"interrupted: {self.action} after this step (Ctrl-C again stops at once)\n".encode())

    def on_step_end(self, args, state, control, **kwargs):
        self.happened_anywhere = distributed.any_process(self.happened)
        if self.happened_anywhere:
            control.should_save = True
            control.should_training_stop = True

    def on_epoch_end(self, args, state, control, **kwargs):
        if self.happened_anywhere and state.epoch % 1:  # within an epoch, after which no evaluation is due
            control.should_evaluate = control.should_save = False


def _mean(seconds: Sequence[float]) -> float:
    return sum(seconds) / len(seconds) if seconds else 0.0
