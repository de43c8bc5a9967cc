"""What a saved state has of the weights, and that a run continues from it and keeps its best weights exactly."""

import pytest
import torch
from safetensors import safe_open
from small_models import BLOCKS, SHAPE, WIDTH, changed, random_model, weights_of
from training_runs import TEXTS, VALIDATION, interrupted, logged, rows_of, run_training
from transformers import MixtralConfig, MixtralForCausalLM

from utils.errors import UserError
from utils.training.freezing import freeze_parameters
from utils.training.state.weights import frozen_checksum, require_weights

SIZES = {"intermediate_size": 32, "num_key_value_heads": 1, "num_local_experts": 2}


def mixtral() -> MixtralForCausalLM:
    """Return a model whose experts transformers saves by other names than the model has for them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MixtralForCausalLM(MixtralConfig(**SHAPE, **WIDTH, **SIZES, initializer_range=0.2)).eval()


def frozen(kind: str = "llama", seed: int = 0, blocks: int = 1) -> torch.nn.Module:
    model = random_model(kind, seed)
    freeze_parameters(model, blocks, train_head=False)
    return model


def train(model, folder, **changes):
    return run_training(model, rows_of(TEXTS), rows_of(VALIDATION), folder, **{"epochs": 3, **changes})


MAKERS = {
    "experts": mixtral,
    "all": lambda: random_model("gpt2"),
    "last block": lambda: frozen("gpt2"),
    "tied embedding": lambda: random_model("llama", tie_word_embeddings=True),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_an_interrupted_run_ends_with_the_weights_of_a_whole_one(make, tmp_path):
    whole, resumed = make(), make()
    outcome = train(whole, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(interrupted(make(), 5), tmp_path / "state")
    assert logged(train(resumed, tmp_path / "state", resume=True), "eval_loss") == logged(outcome, "eval_loss")
    assert changed(weights_of(make()), weights_of(whole))
    assert changed(weights_of(whole), weights_of(resumed)) == set()


def spoiled(model: torch.nn.Module, step: int) -> torch.nn.Module:
    """Let noise fall upon the weights that train in the given training step, counted from 1."""
    taken = 0

    def count(module, inputs):
        nonlocal taken
        taken += torch.is_grad_enabled()  # no evaluation
        if taken == step and torch.is_grad_enabled():
            for parameter in module.parameters():
                if parameter.requires_grad:
                    parameter.data += torch.randn_like(parameter)

    model.register_forward_pre_hook(count)
    return model


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_weights_of_the_best_evaluation_are_kept(make, tmp_path):
    changes = {"lr_scheduler_type": "constant"}
    kept, best = spoiled(make(), 7), make()
    losses = logged(train(kept, tmp_path / "kept", **changes), "eval_loss")[1:]  # without that before training
    epoch = losses.index(min(losses)) + 1
    assert epoch < 3
    train(best, tmp_path / "best", epochs=epoch, **changes)
    assert changed(weights_of(best), weights_of(kept)) == set()


def test_a_state_has_the_weights_that_train_alone(tmp_path):
    model = frozen()
    with pytest.raises(KeyboardInterrupt):
        train(interrupted(model, 5), tmp_path)
    with safe_open(tmp_path / "checkpoint-5" / "model.safetensors", "pt") as file:
        names = set(file.keys())
    assert names == {name for name, each in model.named_parameters() if each.requires_grad}
    assert any(f".{BLOCKS - 1}." in name for name in names)
    assert not any(".0." in name or "embed" in name for name in names)


def test_the_last_state_has_no_optimizer_and_ends_the_run(tmp_path):
    first, second = frozen(), frozen()
    outcome = train(first, tmp_path)
    assert (tmp_path / "checkpoint-6" / "optimizer.pt").exists()
    assert not (tmp_path / "checkpoint-9" / "optimizer.pt").exists()
    again = train(second, tmp_path, resume=True)  # as after a kill before the model was saved
    assert changed(weights_of(first), weights_of(second)) == set()
    assert logged(again, "eval_loss") == logged(outcome, "eval_loss")
    assert again.steps == 9


def test_a_run_with_frozen_weights_does_not_continue_on_another_base(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(interrupted(frozen(), 5), tmp_path)
    with pytest.raises(UserError, match="the base model has other weights") as raised:
        train(frozen(seed=1), tmp_path, resume=True)
    assert "--overwrite" in raised.value.hint
    train(frozen(), tmp_path, resume=True)


def test_the_checksum_is_that_of_the_frozen_weights_in_any_precision():
    model = frozen()
    checksum = frozen_checksum(model)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 1
    assert frozen_checksum(model) == checksum
    assert frozen_checksum(model.to(torch.bfloat16)) == checksum
    model.model.layers[0].mlp.up_proj.weight.data[-1, -1] += 1
    assert frozen_checksum(model) != checksum


def test_a_state_that_lacks_a_weight_is_an_error():
    model = frozen()
    *_, name = (name for name, each in model.named_parameters() if each.requires_grad)
    require_weights(model, ["model.embed_tokens.weight"])
    with pytest.raises(UserError, match=f"lacks 1 of the weights that train, such as {name}"):
        require_weights(model, ["model.embed_tokens.weight", name])
