"""Stop training when its time is over, set its learning rates, and skip evaluations that do not pay off."""

from collections import deque

from transformers import TrainerCallback

from utils.training.time_limit.limit import TimeLimit

MOST_OF_TIME = 0.25  # for evaluations and saved states; those after shorter epochs are left out
RECENT_STEPS = 8


class TimeLimitCallback(TrainerCallback):
    """Sets the rate of every step, and ends the training so that the last evaluation and saving end with the limit.

    Trainer passes the `ClockSchedule` as `lr_scheduler`.
    """

    def __init__(self, limit: TimeLimit, *, resumed: bool):
        self.limit = limit
        self.checked = resumed  # a continued run ends with a model, even where no time is left
        self.recent: deque[float] = deque(maxlen=RECENT_STEPS)
        self.validated = 0.0  # when the last evaluation ended

    def on_train_begin(self, args, state, control, **kwargs):
        self.validated = self.limit.used()

    def on_step_begin(self, args, state, control, lr_scheduler=None, **kwargs):
        if not self.checked:
            self.limit.check("loading and the first evaluation" if args.eval_on_start else "loading")
            self.checked = True
        lr_scheduler.begin_step(max(1, state.max_steps - state.global_step))

    def on_pre_optimizer_step(self, args, state, control, lr_scheduler=None, **kwargs):
        lr_scheduler.set_rate()

    def on_step_end(self, args, state, control, lr_scheduler=None, **kwargs):
        self.recent.append(lr_scheduler.end_step())
        if self.limit.left() > sum(self.recent) / len(self.recent) / 2:
            return
        self.limit.ended = True
        control.should_training_stop = True
        if args.eval_strategy == "steps":
            control.should_evaluate = True
        if args.save_strategy == "steps":
            control.should_save = True

    def on_evaluate(self, args, state, control, **kwargs):
        self.validated = self.limit.used()

    def on_epoch_end(self, args, state, control, **kwargs):
        """Leave out an evaluation that would take too much of the time since the last one, or until the end."""
        if control.should_training_stop or not (control.should_evaluate or control.should_save):
            return
        cost = self.limit.evaluates * self.limit.evaluation + self.limit.state
        if cost > MOST_OF_TIME / (1 - MOST_OF_TIME) * min(self.limit.used() - self.validated, self.limit.left()):
            control.should_evaluate = control.should_save = False
