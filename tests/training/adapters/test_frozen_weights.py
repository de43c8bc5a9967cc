"""Frozen weights in 4 bits are those of transformers and bitsandbytes, and the originals come back."""

from argparse import Namespace
from dataclasses import replace
from functools import partial

import pytest
import torch
from small_models import random_model, weights_of
from training_runs import SETTINGS
from transformers import AutoModelForCausalLM

from utils.errors import UsageError
from utils.models.opening.adapters import adapter_layers, take_out_adapters
from utils.training.adapters.frozen_weights import check_device_for_4_bits, frozen_weights
from utils.training.adapters.lora import with_adapters
from utils.training.freezing import freeze_parameters

TEXT = torch.tensor([[72, 105, 33, 10]])
WIDE = {
    "llama": {"hidden_size": 64, "intermediate_size": 128},
    "gpt2": {"n_embd": 64},
    "opt": {"hidden_size": 64, "ffn_dim": 128, "word_embed_proj_dim": 64},
}
FOUR_BITS = replace(SETTINGS, precision="fp32", load_in_4bit=True)


def adapted(kind: str):
    model = random_model(kind, **WIDE[kind])
    flags = Namespace(lora=4, lora_alpha=8, lora_dropout=0.0, lora_target="all-linear", seed=7)
    with_adapters(partial(freeze_parameters, train_head=False), flags)(model, None)
    generator = torch.Generator().manual_seed(0)
    for layer in adapter_layers(model).values():
        weight = layer.lora_B["default"].weight  # 0 before training
        weight.data = torch.randn(weight.shape, generator=generator)
    return model


@pytest.mark.parametrize("kind", WIDE)
def test_the_logits_are_those_of_a_model_that_transformers_opens_in_4_bits(kind, tmp_path):
    pytest.importorskip("bitsandbytes")
    from transformers import BitsAndBytesConfig

    random_model(kind, **WIDE[kind]).save_pretrained(tmp_path)
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, quantization_config=config, dtype=torch.float32)
    ours = adapted(kind)
    take_out_adapters(ours)
    plain = ours(TEXT).logits
    with frozen_weights(ours, FOUR_BITS):
        logits = ours(TEXT).logits
    torch.testing.assert_close(logits, theirs(TEXT).logits, rtol=1e-5, atol=1e-5)
    assert (logits - plain).abs().max() > 1e-3


@pytest.mark.parametrize("kind", WIDE)
def test_adapters_get_the_gradients_that_they_have_beside_the_rounded_weights(kind):
    functional = pytest.importorskip("bitsandbytes").functional
    rounded, model = adapted(kind), adapted(kind)
    for layer in adapter_layers(rounded).values():
        weight = layer.get_base_layer().weight
        matrix = weight.data.T.contiguous() if kind == "gpt2" else weight.data
        packed, state = functional.quantize_4bit(matrix, quant_type="nf4", compress_statistics=True)
        matrix = functional.dequantize_4bit(packed, state)
        weight.data = matrix.T if kind == "gpt2" else matrix
    rounded(TEXT, labels=TEXT).loss.backward()
    with frozen_weights(model, FOUR_BITS):
        model(TEXT, labels=TEXT).loss.backward()
    wanted = {name: each.grad for name, each in rounded.named_parameters() if each.requires_grad}
    found = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    assert found.keys() == wanted.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-3, atol=1e-6)


def test_a_matrix_takes_half_a_byte_for_each_number_meanwhile_and_then_it_is_the_original_again():
    pytest.importorskip("bitsandbytes")
    model = adapted("llama")
    before = {name: weight.clone() for name, weight in weights_of(model).items()}
    with pytest.raises(KeyboardInterrupt), frozen_weights(model, FOUR_BITS):
        for layer in adapter_layers(model).values():
            base = layer.get_base_layer()
            assert base.weight.nbytes == base.in_features * base.out_features / 2
            assert not base.weight.requires_grad
        raise KeyboardInterrupt
    after = weights_of(model)
    assert all(torch.equal(weight, before[name]) for name, weight in after.items())
    assert all("forward" not in vars(layer.get_base_layer()) for layer in adapter_layers(model).values())


def test_under_autocast_products_are_in_its_number_format():
    pytest.importorskip("bitsandbytes")
    model = adapted("opt")
    with frozen_weights(model, replace(FOUR_BITS, precision="bf16")), torch.autocast("cpu", torch.bfloat16):
        layer = next(iter(adapter_layers(model).values())).get_base_layer()
        assert layer(torch.ones(1, 64)).dtype == torch.bfloat16
        assert torch.isfinite(model(TEXT).logits).all()


def test_on_a_cpu_4_bits_are_refused():
    with pytest.raises(UsageError, match="this run is on the CPU"):
        check_device_for_4_bits(Namespace(load_in_4bit=True), "cpu")
    check_device_for_4_bits(Namespace(load_in_4bit=True), "cuda")
    check_device_for_4_bits(Namespace(load_in_4bit=False), "cpu")
