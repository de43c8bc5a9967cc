"""A run whose loss, gradient or weights are not numbers ends at that step, and names the rows in it."""

import math
import re

import accelerate
import pytest
import torch
from small_models import random_model, tiny_tokenizer
from training_runs import TEXTS, VALIDATION, rows_of, run_training

from utils.errors import UserError
from utils.training.state.saved_states import newest_whole_checkpoint

POISONED = 7  # "Why does my cat hate Mondays?"


def poisoned(model, seen: list, value: float, *, in_gradient: bool = False, after: int = 0):
    """Make texts with a question mark give this loss, or gradient, after so many batches, whose ids go into `seen`."""

    sign = tiny_tokenizer().encode("?", add_special_tokens=False)[0]

    def spoil(module, inputs, outputs):
        ids = inputs[0]
        if not torch.is_grad_enabled():
            return None
        seen.append([tuple(row) for row in ids.tolist()])
        if len(seen) <= after or not (ids == sign).any():
            return None
        if in_gradient:
            outputs.register_hook(lambda gradient: gradient * value)
            return None
        return outputs * value

    model.get_input_embeddings().register_forward_hook(spoil)
    return model


CASES = {
    "nan": (math.nan, {}),
    "infinite": (math.inf, {}),
    "logged_later": (math.nan, {"logging_steps": 100}),
    "accumulated": (math.nan, {"batch_size": 2, "gradient_accumulation_steps": 2}),
    "batches_of_five": (math.nan, {"batch_size": 5}),
    "second_epoch": (math.nan, {"after": 3}),
    "third_epoch_with_a_rest": (math.nan, {"after": 6, "batch_size": 5}),
    "one_row": (math.nan, {"batch_size": 1}),
    "another_order": (math.nan, {"seed": 7, "batch_size": 3}),
    "gradient": (math.nan, {"in_gradient": True}),
    "infinite_gradient": (math.inf, {"in_gradient": True}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_step_and_its_rows_are_named(case, tmp_path):
    value, changes = CASES[case]
    changes = dict(changes)
    seen, rows = [], rows_of(TEXTS)
    poison = {name: changes.pop(name) for name in ("in_gradient", "after") if name in changes}
    model = poisoned(random_model("llama"), seen, value, **poison)
    with pytest.raises(UserError) as raised:
        run_training(model, rows, [], tmp_path, epochs=3, **changes)
    problem, hint = raised.value.problem, raised.value.hint
    accumulated = changes.get("gradient_accumulation_steps", 1)
    step = math.ceil(len(seen) / accumulated)
    assert f" at step {step}, on row" in problem
    numbers = [int(number) for number in re.findall(r"\d+", problem.partition(" on row")[2].partition(" of the")[0])]
    last = [ids for batch in seen[(step - 1) * accumulated :] for ids in batch]
    trained = tiny_tokenizer().batch_decode(last, skip_special_tokens=True)
    assert sorted(TEXTS[number] for number in numbers) == sorted(trained)
    assert POISONED in numbers
    assert f'the first begins with "{TEXTS[numbers[0]][:60]}"' in problem
    assert "--learning_rate" in hint
    assert not (tmp_path / f"checkpoint-{step}").exists()


def test_the_last_good_state_stays(tmp_path):
    taken = []

    def spoil(module, inputs, outputs):
        if torch.is_grad_enabled():
            taken.append(1)
            return outputs * (math.nan if len(taken) == 5 else 1.0)
        return None

    model = random_model("llama")
    model.get_input_embeddings().register_forward_hook(spoil)
    with pytest.raises(UserError, match="the loss became nan at step 5,"):
        run_training(model, rows_of(TEXTS), rows_of(VALIDATION), tmp_path, epochs=3, save_steps=2)
    assert newest_whole_checkpoint(tmp_path).name == "checkpoint-4"


def test_weights_that_overflow_at_the_last_step_are_not_kept(tmp_path):
    model = random_model("llama")
    with pytest.raises(UserError, match="the weights became infinite or nan at step 1"):
        run_training(model, rows_of(TEXTS), [], tmp_path, max_steps=1, learning_rate=1e39)
    assert [path for path in tmp_path.glob("checkpoint-*") if (path / "model.safetensors").exists()] == []


def with_scaler(monkeypatch, **options) -> None:
    """Train as in float16: accelerate scales the loss, and the scaler skips a step whose gradient overflows."""
    accelerator = accelerate.Accelerator.__init__

    def begin(self, *arguments, **named):
        accelerator(self, *arguments, **named)
        self.scaler = torch.amp.GradScaler("cpu", **options)

    monkeypatch.setattr(accelerate.Accelerator, "__init__", begin)


def overflowing(model, steps: int):
    """Make the gradient of the first steps infinite."""
    taken = []

    def spoil(module, inputs, outputs):
        if torch.is_grad_enabled():
            taken.append(1)
            if len(taken) <= steps:
                outputs.register_hook(lambda gradient: gradient * math.inf)

    model.get_input_embeddings().register_forward_hook(spoil)
    return model


def test_a_gradient_that_overflows_in_float16_skips_its_step(tmp_path, monkeypatch):
    with_scaler(monkeypatch, init_scale=1024.0)
    model = overflowing(random_model("llama"), 2)
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    outcome = run_training(model, rows_of(TEXTS), [], tmp_path, epochs=2)
    assert outcome.steps == 6
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
    assert any(not torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())


def test_one_that_overflows_however_small_the_loss_is_an_error(tmp_path, monkeypatch):
    with_scaler(monkeypatch, init_scale=1e-3, backoff_factor=0.01)
    with pytest.raises(UserError, match=r"the gradient became (inf|nan) at step 1,"):
        run_training(overflowing(random_model("llama"), 9), rows_of(TEXTS), [], tmp_path, epochs=2)
