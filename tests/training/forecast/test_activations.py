"""The memory that a batch keeps for its gradient, counted on a few tokens, holds for longer batches and more blocks."""

from argparse import Namespace

import pytest
import torch
from planned_runs import planned_run
from small_models import weights_of

from utils.compute.blocks import find_blocks
from utils.training.adapters.lora import with_adapters
from utils.training.forecast.activations import count_activations, shorten

LARGE = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4}


def kept_in_full(run, rows: list[dict]) -> int:
    """Return the bytes that autograd keeps of a batch in the whole model, counted in another way: by storage."""
    own = {parameter.untyped_storage().data_ptr() for parameter in run.setup.base.model.parameters()}
    storages = {}

    def keep(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()  # held, so that none is used again
        return tensor

    inputs, objective = run.setup.objective.collate(rows), run.setup.objective
    model = run.setup.base.model.train()
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        objective.forward_context(model, inputs),
    ):
        labels = inputs.pop("labels")
        objective.loss(model(**inputs, use_cache=False), labels)
    model.eval()
    return sum(storage.nbytes() for pointer, storage in storages.items() if pointer not in own)


@pytest.mark.parametrize(("kind", "unfreeze_last"), [("llama", None), ("llama", 2), ("opt", None), ("gpt_neox", 1)])
def test_a_few_tokens_tell_the_memory_of_a_long_batch(kind, unfreeze_last):
    sizes = LARGE if kind != "opt" else {"hidden_size": 64, "ffn_dim": 128, "word_embed_proj_dim": 64, "dropout": 0.0}
    run = planned_run(kind, unfreeze_last, model=sizes)
    row = max(run.rows, key=lambda row: len(row["input_ids"]))
    activations = count_activations(run.setup.base.model, run.setup.objective, row, "fp32")
    truth = kept_in_full(run, [shorten(row, 100)] * 6)
    assert activations.of(6, 100, unfreeze_last or 3) == pytest.approx(truth, rel=0.12)


def test_counting_changes_nothing():
    run = planned_run("gpt2")  # which has dropout
    model = run.setup.base.model
    before, numbers = weights_of(model), torch.get_rng_state()
    count_activations(model, run.setup.objective, run.rows[0], "fp32")
    assert torch.equal(torch.get_rng_state(), numbers)
    assert not model.training and all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[name], weight) for name, weight in weights_of(model).items())


def test_adapters_are_counted_beside_weights_that_are_in_bfloat16_already():
    """Two blocks, of which one trains: the other one is run without adapters, and in bfloat16 too."""
    run = planned_run("llama", 1, model={**LARGE, "num_hidden_layers": 2})
    flags = Namespace(lora=4, lora_alpha=8, lora_dropout=0.0, lora_target="all-linear", seed=0)
    model, counted = run.setup.base.model, {}
    for name, freeze in (("all", run.setup.freeze), ("adapters", with_adapters(run.setup.freeze, flags))):
        freeze(model, 1)
        counted[name] = count_activations(model, run.setup.objective, run.rows[0], "bf16").with_one.fixed
    casts = 2 * sum(each.numel() for each in find_blocks(model).blocks[-1].parameters() if not each.requires_grad)
    assert counted["all"] - counted["adapters"] > casts / 2


def test_a_shorter_row_has_the_same_share_of_supervised_tokens():
    row = {"input_ids": list(range(40)), "loss_start": 30}
    assert shorten(row, 8) == {"input_ids": list(range(8)), "loss_start": 6}
    assert len(shorten({"input_ids": [1, 2, 3], "loss_start": 1}, 8)["input_ids"]) == 8
    assert shorten({"input_ids": [1, 2, 3], "label": 2}, 2) == {"input_ids": [1, 2], "label": 2}
