"""Stop a run at the step whose loss, gradient or weights become nan or infinite, and name the texts in it."""

import math
from collections.abc import Sequence

import torch
from transformers import Trainer

from utils import distributed
from utils.errors import UserError
from utils.training.callbacks import TRAIN_SLOWER

SHOWN_CHARACTERS = 60
LEAST_SCALE = 1e-4  # of a loss in float16, where fairseq's scaler gives up, too; it begins at 65,536


def check_step(trainer: Trainer, loss: torch.Tensor, gradient_norm: torch.Tensor | float | None) -> None:
    """Raise UserError, in all processes, where the step just taken had a loss or a gradient that is not a number.

    `loss` is the sum since it was last logged. A gradient that overflows in float16 is normal: its step is skipped, and
    the scaler lowers the scale, until that is so small that no text can be the reason. (accelerate does not notice what
    was skipped: fused AdamW is called and changes nothing.) Transformers counts tokens at every step, which waits for
    the GPU as this does.
    """
    problem = None
    if not torch.isfinite(loss).item():
        problem = f"loss became {loss.item()}"
    elif gradient_norm is not None and not math.isfinite(norm := float(gradient_norm)):
        scaler = trainer.accelerator.scaler
        if scaler is None or scaler.get_scale() < LEAST_SCALE:
            problem = f"gradient became {norm}"
    if distributed.any_process(problem is not None):
        problem = problem or "loss became nan in another process"
        rows = _rows_of_step(trainer)
        raise UserError(f"the {problem} at step {trainer.state.global_step}, {_describe(rows, trainer)}", TRAIN_SLOWER)


def check_weights(model: torch.nn.Module, step: int) -> None:
    """Raise UserError where a trained weight is nan or infinite: such a state is not saved."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and not torch.isfinite(parameter).all():
            raise UserError(f"the weights became infinite or nan at step {step}: {name}", TRAIN_SLOWER)


def _rows_of_step(trainer: Trainer) -> list[dict]:
    """Return the rows of the last optimizer step, of all processes: the order depends on the epoch alone."""
    args, sampler = trainer.args, trainer._get_train_sampler()
    batch = args.train_batch_size * distributed.world_size()
    steps = math.ceil(math.ceil(len(sampler) / batch) / args.gradient_accumulation_steps)  # of an epoch
    epoch, place = divmod(trainer.state.global_step - 1, steps)
    sampler.set_epoch(epoch)
    size = batch * args.gradient_accumulation_steps
    numbers = list(sampler)[place * size : (place + 1) * size]
    own = len(trainer.train_dataset) - (distributed.world_size() > 1)  # without the row that fills up batches
    return [trainer.train_dataset[number] for number in numbers if number < own]


def _describe(rows: Sequence[dict], trainer: Trainer) -> str:
    """Return, for example, `on rows 3 and 7 of the training split; row 3 begins with "Why does"`."""
    numbers = [str(row.get("number", "(a copy)")) for row in rows]
    listed = " and ".join([*[", ".join(numbers[:-1])] * (len(numbers) > 1), numbers[-1]])
    text = " ".join(trainer.objective.decode(list(rows[0]["input_ids"])).split())[:SHOWN_CHARACTERS]
    return f'on row{"s" * (len(rows) > 1)} {listed} of the training split; the first begins with "{text}"'
