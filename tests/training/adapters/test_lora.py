"""Adapters train alone, and merging adds their products to the weights."""

from argparse import Namespace
from functools import partial

import pytest
import torch
from small_classifiers import base_folder
from small_models import random_model, weights_of

from utils.errors import UserError
from utils.models import checkpoint
from utils.models.opening.adapters import adapter_layers, take_out_adapters
from utils.training.adapters.lora import with_adapters
from utils.training.freezing import freeze_classifier_parameters, freeze_parameters, frozen_modules
from utils.training.model_soup import average

TEXT = torch.tensor([[72, 105, 33, 10]])
LAYERS = {
    "gpt2": ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"),
    "llama": (
        *("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"),
        *("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"),
    ),
    "opt": ("self_attn.k_proj", "self_attn.v_proj", "self_attn.q_proj", "self_attn.out_proj", "fc1", "fc2"),
}
BLOCKS = {"gpt2": "transformer.h", "llama": "model.layers", "opt": "model.decoder.layers"}


def flags(**changed) -> Namespace:
    values = {"lora": 4, "lora_alpha": 8, "lora_dropout": 0.0, "lora_target": "all-linear", "seed": 7}
    return Namespace(**values | changed)


def adapted(kind: str, unfreeze_last: int | None = None, **changed):
    model = random_model(kind)
    with_adapters(partial(freeze_parameters, train_head=False), flags(**changed))(model, unfreeze_last)
    return model


def randomized(model):
    """Let the adapters be as after training: B is 0 before it."""
    generator = torch.Generator().manual_seed(0)
    for layer in adapter_layers(model).values():
        weight = layer.lora_B["default"].weight
        weight.data = torch.randn(weight.shape, generator=generator)
    return model


@pytest.mark.parametrize("target", ["all-linear", "attention"])
@pytest.mark.parametrize("kind", LAYERS)
def test_only_adapters_in_the_last_blocks_train_and_they_change_nothing_yet(kind, target):
    model = adapted(kind, 2, lora_target=target)
    layers = [name for name in LAYERS[kind] if target == "all-linear" or "attn" in name]
    adapted_layers = [f"{BLOCKS[kind]}.{block}.{name}" for block in (1, 2) for name in layers]
    wanted = {f"{name}.lora_{matrix}.default.weight" for name in adapted_layers for matrix in "AB"}
    assert {name for name, each in model.named_parameters() if each.requires_grad} == wanted
    assert torch.equal(model(TEXT).logits, random_model(kind)(TEXT).logits)


@pytest.mark.parametrize("kind", LAYERS)
def test_merged_the_model_is_a_plain_one_with_the_products_added(kind):
    model, before = randomized(adapted(kind)), weights_of(random_model(kind))
    logits = model(TEXT).logits
    wanted = dict(before)
    for name, layer in adapter_layers(model).items():
        product = 8 / 4 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
        wanted[f"{name}.weight"] = before[f"{name}.weight"] + (product.T if kind == "gpt2" else product)
    take_out_adapters(model, merge=True)
    assert type(model) is type(random_model(kind))
    found = weights_of(model)
    assert found.keys() == before.keys()
    for name, weight in found.items():
        torch.testing.assert_close(weight, wanted[name], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model(TEXT).logits, logits, rtol=1e-4, atol=1e-4)


def test_freezing_again_begins_with_new_adapters_from_the_same_seed():
    model = randomized(adapted("llama", 1))
    with_adapters(partial(freeze_parameters, train_head=False), flags())(model, 2)
    other = adapted("llama", 2)
    assert weights_of(model).keys() == weights_of(other).keys()
    assert all(torch.equal(weight, weights_of(other)[name]) for name, weight in weights_of(model).items())


def test_dropouts_of_adapters_and_of_their_blocks_work_in_training_and_those_below_do_not():
    model = adapted("gpt2", 1, lora_dropout=0.5).train()
    for module in frozen_modules(model):
        module.training = False
    working = {name for name, module in model.named_modules() if type(module) is torch.nn.Dropout and module.training}
    assert working == {
        *(f"transformer.h.2.{name}.lora_dropout.default" for name in LAYERS["gpt2"]),
        *("transformer.h.2.attn.attn_dropout", "transformer.h.2.attn.resid_dropout", "transformer.h.2.mlp.dropout"),
    }


@pytest.mark.parametrize("family", ["llama", "bert"])
def test_a_classifier_trains_its_head_whole_beside_the_adapters(tmp_path, family):
    model = checkpoint.load_base_classifier(base_folder(tmp_path / "base", family), ["no", "yes"], seed=0).model
    with_adapters(freeze_classifier_parameters, flags())(model, 1)
    whole = {name for name, each in model.named_parameters() if each.requires_grad and ".lora_" not in name}
    head = {"llama": {"score.weight"}, "bert": {"classifier.weight", "classifier.bias"}}[family]
    assert whole - head == {name for name, _ in model.named_parameters() if ".pooler." in name}
    assert head <= whole
    assert all(".2." in name for name in adapter_layers(model))


def test_the_mean_of_adapters_is_that_of_their_products():
    generator = torch.Generator().manual_seed(0)
    a = [torch.randn(2, 6, generator=generator) for _ in range(3)]
    b = [torch.randn(5, 2, generator=generator) for _ in range(3)]
    mean = average("layer.lora_B.default.weight", b) @ average("layer.lora_A.default.weight", a)
    torch.testing.assert_close(mean, torch.stack([b[run] @ a[run] for run in range(3)]).mean(0))
    torch.testing.assert_close(average("score.weight", a), torch.stack(a).mean(0))


def test_a_model_without_a_list_of_blocks_is_refused():
    model = random_model("gpt2")
    model.transformer.h = torch.nn.Sequential(*model.transformer.h)
    with pytest.raises(UserError, match="blocks, and those of a GPT2LMHeadModel cannot be found"):
        with_adapters(partial(freeze_parameters, train_head=False), flags())(model, None)
