"""The parameters that train, in every kind of model: names, gradients, dropout, and the changes of a step."""

import pytest
import torch
from small_models import BLOCKS, END, changed, random_model, weights_of

from utils.errors import UserError
from utils.models import checkpoint, saving
from utils.training.freezing import (
    count_parameters,
    describe_parameters,
    freeze_parameters,
    frozen_modules,
    release_frozen_inputs,
)

KINDS = ["gpt2", "llama", "opt", "gpt_neox"]
BLOCK = {
    "gpt2": "transformer.h.{}.",
    "llama": "model.layers.{}.",
    "opt": "model.decoder.layers.{}.",
    "gpt_neox": "gpt_neox.layers.{}.",
}
FINAL_NORM = {
    "gpt2": "transformer.ln_f.",
    "llama": "model.norm.",
    "opt": "model.decoder.final_layer_norm.",
    "gpt_neox": "gpt_neox.final_layer_norm.",
}
HEAD = {"gpt2": "lm_head.", "llama": "lm_head.", "opt": "lm_head.", "gpt_neox": "lm_head."}
TEXT = torch.tensor([[END, *b"a text", END]])


def names_of_trainable(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def names_starting(model, *prefixes):
    """Return all parameter names with these prefixes, each of which must match some."""
    found = [{name for name, _ in model.named_parameters() if name.startswith(prefix)} for prefix in prefixes]
    assert all(found)
    return set().union(*found)


def step(model):
    """Take one plain step of gradient descent on one text."""
    model(TEXT, labels=TEXT).loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter -= 0.1 * parameter.grad


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("last", [0, 1, 2])
def test_the_last_blocks_and_the_final_norm_train(kind, last):
    model = random_model(kind)
    freeze_parameters(model, last, train_head=False)
    blocks = [BLOCK[kind].format(number) for number in range(BLOCKS - last, BLOCKS)]
    assert names_of_trainable(model) == names_starting(model, FINAL_NORM[kind], *blocks)


@pytest.mark.parametrize("kind", KINDS)
def test_all_trains_everything(kind):
    model = random_model(kind).requires_grad_(False)
    freeze_parameters(model, None, train_head=False)
    assert names_of_trainable(model) == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", [True, False])
def test_the_head_trains_apart_from_the_embedding(kind, tied):
    model = random_model(kind, tie_word_embeddings=tied)
    before = model(TEXT).logits
    freeze_parameters(model, 1, train_head=True)
    assert torch.equal(model(TEXT).logits, before)
    assert names_of_trainable(model) == names_starting(
        model, FINAL_NORM[kind], BLOCK[kind].format(BLOCKS - 1), HEAD[kind]
    )
    weights = weights_of(model)
    step(model)
    assert changed(weights, weights_of(model)) == names_of_trainable(model)
    assert not torch.equal(model.get_output_embeddings().weight, model.get_input_embeddings().weight)


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_parameters_neither_change_nor_have_gradients(kind):
    model = random_model(kind)
    freeze_parameters(model, 1, train_head=False)
    weights = weights_of(model)
    step(model)
    assert {name for name, parameter in model.named_parameters() if parameter.grad is not None} == (
        names_of_trainable(model)
    )
    assert changed(weights, weights_of(model)) <= names_of_trainable(model)
    assert changed(weights, weights_of(model)) > names_starting(model, FINAL_NORM[kind])


def test_no_gradient_is_computed_below_the_first_trainable_block():
    """Otherwise a frozen block would cost its backward pass."""
    model = random_model("gpt2")
    freeze_parameters(model, 1, train_head=True)
    inputs = {}
    for number, block in enumerate(model.transformer.h):
        block.register_forward_pre_hook(lambda _, args, number=number: inputs.update({number: args[0].requires_grad}))
    model(TEXT)
    assert inputs == {0: False, 1: False, 2: False}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["model", "model.pt"])
def test_an_untied_and_trained_head_is_saved_and_found_again(kind, name, tmp_path):
    model = random_model(kind, tie_word_embeddings=True)
    freeze_parameters(model, 1, train_head=True)
    step(model)
    from small_models import tiny_tokenizer

    saving.save(tmp_path / name, checkpoint.Trained(model, tiny_tokenizer(), {}), "", "")
    found = checkpoint.load(str(tmp_path / name)).model
    assert found.config.tie_word_embeddings is False
    assert changed(weights_of(model), weights_of(found)) == set()
    assert torch.equal(found(TEXT).logits, model(TEXT).logits)


def test_more_blocks_than_there_are_means_all_of_them(caplog):
    caplog.set_level("INFO", "utils")
    model = random_model("gpt2")
    freeze_parameters(model, BLOCKS + 1, train_head=False)
    assert names_of_trainable(model) == names_starting(model, "transformer.h.", "transformer.ln_f.")
    assert "GPT2LMHeadModel has 3 blocks" in caplog.text


def test_a_model_without_a_list_of_blocks_trains_entirely_or_not_at_all():
    model = random_model("gpt2")
    model.transformer.h = torch.nn.Sequential(*model.transformer.h)
    with pytest.raises(UserError, match="cannot find the 3 transformer blocks of a GPT2LMHeadModel") as raised:
        freeze_parameters(model, 1, train_head=False)
    assert "--unfreeze_last all" in raised.value.hint
    freeze_parameters(model, None, train_head=False)
    assert all(parameter.requires_grad for parameter in model.parameters())


def train(model):
    model.train()
    for module in frozen_modules(model):
        module.training = False


@pytest.mark.parametrize("train_head", [False, True])
def test_only_trained_parts_use_dropout(train_head):
    model = random_model("gpt2")
    freeze_parameters(model, 1, train_head)
    train(model)
    dropouts = {name: module.training for name, module in model.named_modules() if type(module) is torch.nn.Dropout}
    assert {name for name, training in dropouts.items() if training} == {
        name for name in dropouts if name.startswith("transformer.h.2.")
    }
    assert dropouts["transformer.drop"] is False  # between the frozen embeddings and the frozen blocks
    assert len({name for name, training in dropouts.items() if training}) == 3  # after attention twice, after the MLP


def test_a_model_that_trains_entirely_uses_dropout_everywhere():
    model = random_model("gpt2")
    freeze_parameters(model, None, train_head=False)
    train(model)
    assert all(module.training for module in model.modules())


def test_frozen_blocks_are_deterministic():
    model = random_model("gpt2", resid_pdrop=0.5, embd_pdrop=0.5, attn_pdrop=0.5)
    freeze_parameters(model, 1, train_head=False)
    train(model)
    outputs = [[], [], []]
    for number, block in enumerate(model.transformer.h):
        block.register_forward_hook(lambda _, args, output, number=number: outputs[number].append(output))
    model(TEXT)
    model(TEXT)
    assert [torch.equal(*pair) for pair in outputs] == [True, True, False]


def test_the_table_adds_up():
    model = random_model("gpt2")
    freeze_parameters(model, 1, train_head=False)
    block = 12 * 16 * 16 + 13 * 16  # four square matrices' worth of attention, eight of the MLP; biases and norms
    assert count_parameters(model) == (block + 32, 3 * block + 32 + 257 * 16 + 128 * 16)
    assert describe_parameters(model).splitlines() == [
        "trainable parameters:",
        "  transformer.h.2                     3,280",
        "  transformer.ln_f                       32",
        "  total                               3,312 of 16,032 (20.7%)",
    ]


def test_the_table_takes_the_blocks_together():
    model = random_model("gpt2")
    freeze_parameters(model, None, train_head=False)
    assert describe_parameters(model).splitlines() == [
        "trainable parameters:",
        "  transformer.wte                     4,112",
        "  transformer.wpe                     2,048",
        "  transformer.h.0–2                   9,840",
        "  transformer.ln_f                       32",
        "  total                              16,032 of 16,032 (100.0%)",
    ]


def test_frozen_embeddings_need_no_gradient_for_checkpointing():
    for unfreeze_last, needed in ((1, False), (None, True)):
        model = random_model("llama")
        freeze_parameters(model, unfreeze_last, train_head=False)
        model.activation_checkpointing_enable()
        release_frozen_inputs(model)
        assert model.get_input_embeddings()(torch.tensor([[1, 2]])).requires_grad == needed
