"""Attention against its definition in float64, and against PyTorch's kernel where that is as exact."""

import copy
import json

import pytest
import torch
from small_models import random_model
from transformers import AutoModelForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from utils.compute import short_attention as module
from utils.compute.short_attention import short_attention, use_short_attention

TEXTS, HEADS, LENGTH, SIZE = 3, 6, 11, 16


class Layer(torch.nn.Module):
    is_causal = True

    def __init__(self, groups: int):
        super().__init__()
        self.num_key_value_groups = HEADS // groups


def states(groups: int, length: int = LENGTH, keys: int = LENGTH) -> list[torch.Tensor]:
    """Query, key and value; each number is a bfloat16 one."""
    draw = torch.Generator().manual_seed(0)
    shapes = [(TEXTS, HEADS, length, SIZE), (TEXTS, groups, keys, SIZE), (TEXTS, groups, keys, SIZE)]
    return [torch.randn(shape, generator=draw).to(torch.bfloat16) for shape in shapes]


def defined(query, key, value, seen, scaling=SIZE**-0.5):
    """softmax(query · key) · value in float64; `seen` (texts, heads, length, keys) says what each token looks at."""
    key, value = (part.repeat_interleave(HEADS // part.shape[1], dim=1) for part in (key, value))
    products = (query @ key.transpose(2, 3) * scaling).masked_fill(~seen, -torch.inf)
    return (products.softmax(-1) @ value).transpose(1, 2)


def below(length: int) -> torch.Tensor:
    return torch.ones(length, length, dtype=torch.bool).tril().expand(TEXTS, HEADS, -1, -1)


def padded(on_the_left: bool) -> torch.Tensor:
    """(texts, 1, length, length) with 0, 3 and 5 tokens of padding, which see themselves."""
    seen = below(LENGTH)[:, :1].clone()
    for text, padding in enumerate((0, 3, 5)):
        own = slice(0, padding) if on_the_left else slice(LENGTH - padding, LENGTH)
        seen[text, :, :, own] = False
        seen[text, 0].fill_diagonal_(True)
    return seen


def as_numbers(seen: torch.Tensor) -> torch.Tensor:
    return torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.bfloat16).min)


@pytest.mark.parametrize("groups", [HEADS, 2, 1])
@pytest.mark.parametrize(
    ("mask", "is_causal", "seen"),
    [
        (None, None, below(LENGTH)),
        (None, False, torch.ones(LENGTH, LENGTH, dtype=torch.bool)),
        (padded(on_the_left=True), None, padded(on_the_left=True)),
        (padded(on_the_left=False), None, padded(on_the_left=False)),
        (as_numbers(padded(on_the_left=True)), None, padded(on_the_left=True)),
    ],
    ids=["causal", "both ways", "left", "right", "numbers"],
)
def test_outputs_and_gradients_are_those_of_the_definition(groups, mask, is_causal, seen):
    given = [part.requires_grad_() for part in states(groups)]
    exact = [part.detach().double().requires_grad_() for part in given]
    found, weights = short_attention(Layer(groups), *given, mask, is_causal=is_causal)
    wanted = defined(*exact, seen)
    assert weights is None
    assert found.shape == (TEXTS, LENGTH, HEADS, SIZE)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), wanted, rtol=0.01, atol=0.01)
    slope = torch.randn(found.shape, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)
    found.backward(slope)
    wanted.backward(slope.double())
    for part, other in zip(given, exact, strict=True):
        torch.testing.assert_close(part.grad.double(), other.grad, rtol=0.02, atol=0.03)


def test_it_rounds_about_as_much_as_the_kernel_of_pytorch():
    given = states(2)
    wanted = defined(*(part.double() for part in given), below(LENGTH))

    def error(function):
        return (function(Layer(2), *given, None)[0].double() - wanted).square().mean()

    assert error(short_attention) <= 2 * error(sdpa_attention_forward)


def test_one_token_looks_at_all_before_it():
    given = states(2, length=1)
    seen = torch.ones(TEXTS, HEADS, 1, LENGTH, dtype=torch.bool)
    found = short_attention(Layer(2), *given, None)[0]
    torch.testing.assert_close(found.double(), defined(*(part.double() for part in given), seen), rtol=0.01, atol=0.01)


def test_the_scale_is_the_models():
    given = states(2)
    found = short_attention(Layer(2), *given, None, scaling=1.0)[0]
    wanted = defined(*(part.double() for part in given), below(LENGTH), scaling=1.0)
    torch.testing.assert_close(found.double(), wanted, rtol=0.02, atol=0.02)


def test_a_token_that_sees_nothing_is_no_nan():
    nothing = torch.zeros(TEXTS, 1, LENGTH, LENGTH, dtype=torch.bool)
    for mask in (nothing, torch.full(nothing.shape, -torch.inf)):
        assert short_attention(Layer(2), *states(2), mask)[0].isfinite().all()


def test_dropout_keeps_the_mean_and_leaves_some_out():
    query, key, value = states(2)
    value = torch.ones_like(value)
    torch.manual_seed(0)
    found = torch.stack(
        [short_attention(Layer(2), query, key, value, None, dropout=0.5)[0].float() for _ in range(300)]
    )
    assert found.std(0).min() > 0.1
    torch.testing.assert_close(found.mean(0), torch.ones(found.shape[1:]), rtol=0, atol=0.3)


@pytest.mark.parametrize("what", ["float32", "long", "fewer queries than keys, causal"])
def test_the_rest_is_left_to_transformers_to_the_bit(what, monkeypatch):
    given = states(2, length=4 if what.startswith("fewer") else LENGTH)
    if what == "float32":
        given = [part.float() for part in given]
    if what == "long":
        monkeypatch.setattr(module, "MAX_WEIGHTS", TEXTS * HEADS * LENGTH * LENGTH - 1)
    assert torch.equal(short_attention(Layer(2), *given, None)[0], sdpa_attention_forward(Layer(2), *given, None)[0])


@pytest.fixture
def inputs():
    inputs = {"input_ids": torch.arange(1, 25).view(2, 12), "attention_mask": torch.ones(2, 12, dtype=torch.long)}
    inputs["attention_mask"][1, 8:] = 0
    return inputs


def logits(model, inputs, bfloat16: bool = True) -> torch.Tensor:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        return model(**inputs).logits[inputs["attention_mask"].bool()].float()


@pytest.mark.parametrize("family", ["gpt2", "llama", "opt", "gpt_neox"])
def test_models_compute_with_it_under_autocast_alone(family, inputs):
    model = random_model(family)
    exact, theirs = logits(model, inputs, bfloat16=False), logits(model, inputs)
    use_short_attention(model)
    ours = logits(model, inputs)
    assert torch.equal(logits(model, inputs, bfloat16=False), exact)
    assert not torch.equal(ours, theirs)
    assert (ours - exact).square().mean() <= 1.5 * (theirs - exact).square().mean()


def test_other_models_of_the_process_keep_the_attention_of_transformers(inputs):
    ours, theirs = random_model("llama"), random_model("llama")
    before = logits(theirs, inputs)
    use_short_attention(ours)
    assert ALL_ATTENTION_FUNCTIONS["sdpa"] is sdpa_attention_forward
    assert torch.equal(logits(theirs, inputs), before)
    assert not torch.equal(logits(ours, inputs), before)


def test_a_chosen_attention_is_kept():
    model = random_model("llama")
    model.set_attn_implementation("eager")
    use_short_attention(model)
    assert model.config._attn_implementation == "eager"


def test_a_copy_computes_with_it_and_a_saved_model_does_not_name_it(inputs, tmp_path):
    model = random_model("gpt2")
    use_short_attention(model)
    assert torch.equal(logits(copy.deepcopy(model), inputs), logits(model, inputs))
    model.save_pretrained(tmp_path)
    assert "short_sdpa" not in (tmp_path / "config.json").read_text()
    assert "short_sdpa" not in json.dumps(model.config.to_dict())
    reloaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert reloaded.config._attn_implementation == "sdpa"
    assert torch.equal(logits(reloaded, inputs, bfloat16=False), logits(model, inputs, bfloat16=False))
