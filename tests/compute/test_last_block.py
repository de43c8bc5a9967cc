"""The last block skips positions that nothing depends on: logits and gradients stay the same."""

import pytest
import torch
from small_models import END, MAKERS, random_model, tiny_tokenizer
from transformers import AutoModelForSequenceClassification, XLMConfig, XLMWithLMHeadModel

from utils.compute.batching import collate_texts, pad_rows
from utils.compute.chunked_loss import supervised_positions
from utils.compute.last_block import compute_only, last_token_mask, skippable_modules
from utils.inference.classifier import classifier_logits

PROMPTED = [  # 2 + 1 + 1 tokens predict another
    {"input_ids": [END, *range(1, 9), END], "loss_start": 8},
    {"input_ids": [END, 5, 6, 7, END], "loss_start": 4},
    {"input_ids": [END, END], "loss_start": 1},
]
PREDICTING = 4


def classifier(kind: str):
    model = random_model(kind)
    model.config.pad_token_id, model.config.num_labels = END, 3
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        found = AutoModelForSequenceClassification.from_config(model.config).eval()
    found.base_model.load_state_dict(model.base_model.state_dict())
    return found


def multilayer_perceptrons(model) -> list[torch.nn.Module]:
    return [part for part in skippable_modules(model) if list(part.children())]


def computed(part: torch.nn.Module, run) -> int:
    """The number of tokens that the first matrix of an MLP multiplies during `run`."""
    seen = []
    matrix = next(module for module in part.children() if hasattr(module, "weight"))
    handle = matrix.register_forward_pre_hook(lambda matrix, given: seen.append(given[0].shape[:-1].numel()))
    run()
    handle.remove()
    return sum(seen)


def gradients(model, result: torch.Tensor) -> list[torch.Tensor]:
    slope = torch.randn(result.shape, generator=torch.Generator().manual_seed(0))
    return torch.autograd.grad((result * slope).sum(), list(model.parameters()))


@pytest.mark.parametrize("kind", MAKERS)
def test_the_needed_logits_and_all_gradients_stay(kind):
    model = random_model(kind)
    inputs = collate_texts(PROMPTED, pad_id=END)
    needed = supervised_positions(inputs.pop("labels"))
    whole = model(**inputs).logits[needed]
    with compute_only(model, needed):
        alone = model(**inputs).logits[needed]
    torch.testing.assert_close(alone, whole, atol=1e-5, rtol=1e-5)
    for found, wanted in zip(gradients(model, alone), gradients(model, whole), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gpt_neox"])
def test_only_needed_positions_are_computed_and_afterwards_all_again(kind):
    model = random_model(kind)
    inputs = collate_texts(PROMPTED, pad_id=END)
    needed = supervised_positions(inputs.pop("labels"))

    def run():
        with compute_only(model, needed):
            model(**inputs)

    [mlp] = multilayer_perceptrons(model)
    assert computed(mlp, run) == PREDICTING
    assert computed(mlp, lambda: model(**inputs)) == needed.numel()
    before = model(**inputs).logits
    run()
    assert torch.equal(model(**inputs).logits, before)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_classifier_reads_the_token_that_transformers_reads(kind):
    """The last token that is not padding, also where the text itself ends in the padding token."""
    model = classifier(kind)
    rows = [{"input_ids": ids} for ids in ([1, 2, 3, 4, 5], [6, 7], [8, 9, END])]
    inputs = pad_rows(rows, pad_id=END)
    assert last_token_mask(model, inputs).nonzero().tolist() == [[0, 4], [1, 1], [2, 1]]
    whole = model(**inputs).logits
    with compute_only(model, last_token_mask(model, inputs)):
        alone = model(**inputs).logits
    torch.testing.assert_close(alone, whole, atol=1e-5, rtol=1e-5)
    for found, wanted in zip(gradients(model, alone), gradients(model, whole), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_a_classifier_computes_one_token_per_text():
    model = classifier("llama")
    rows = [{"input_ids": list(range(1, 2 + length))} for length in range(3, 13)]
    [mlp] = multilayer_perceptrons(model)
    assert computed(mlp, lambda: classifier_logits(model, tiny_tokenizer(), rows)) == len(rows)


def test_where_nearly_all_positions_are_needed_all_are_computed():
    model = random_model("llama")
    inputs = pad_rows([{"input_ids": list(range(1, 31))}], pad_id=END)
    needed = torch.ones_like(inputs["input_ids"], dtype=torch.bool)
    needed[0, 0] = False
    with compute_only(model, needed):
        assert computed(*multilayer_perceptrons(model), lambda: model(**inputs)) == 30


def test_activation_checkpointing_computes_the_same_twice():
    """Its second pass comes with the gradient, after the context has ended."""
    model = random_model("llama").train()
    inputs = collate_texts(PROMPTED, pad_id=END)
    needed = supervised_positions(inputs.pop("labels"))
    whole = gradients(model, model(**inputs).logits[needed])
    model.activation_checkpointing_enable()
    with compute_only(model, needed):
        logits = model(**inputs, use_cache=False).logits[needed]
    for found, wanted in zip(gradients(model, logits), whole, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_models_with_other_blocks_are_computed_in_full():
    shape = {"vocab_size": END + 1, "emb_dim": 16, "n_layers": 3, "n_heads": 2, "pad_index": END}
    assert skippable_modules(XLMWithLMHeadModel(XLMConfig(**shape, causal=True))) == []


def test_a_block_that_mixes_positions_is_computed_in_full():
    class Mixing(torch.nn.Module):
        def forward(self, states):
            return states.cumsum(-2)

    model = random_model("llama")
    model.model.layers[-1].mlp = Mixing()
    assert skippable_modules(model) == []
