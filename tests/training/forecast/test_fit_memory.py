"""A run that cannot fit into memory is refused with a setting that fits."""

import itertools
import logging
from argparse import Namespace
from dataclasses import replace

import pytest
import torch
from planned_runs import planned_run

from utils.compute.prefix_cache import OFF
from utils.errors import UserError
from utils.training.adapters.lora import with_adapters
from utils.training.forecast.fit_memory import activations_of, check_memory, free_memory, kept_by, need_of
from utils.training.forecast.memory import count
from utils.training.forecast.planned import frozen_as

LARGE = {"hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 4}


def needs(run):
    parameters = count(run.setup.base.model)
    return need_of(run, parameters, kept_by(run, parameters, activations_of(run)))


def taken(run, hint: str):
    """Return the run with the flags of a hint."""
    words = hint.split()
    values = dict(itertools.pairwise(words))
    number = {name[2:]: int(values[name]) for name in values if name.startswith("--") and values[name].isdigit()}
    blocks = number.pop("unfreeze_last", run.unfreeze_last)
    settings = replace(run.settings, **number)
    if "--activation_checkpointing" in words:
        settings = replace(settings, activation_checkpointing=True)
    return replace(run, settings=settings, unfreeze_last=blocks)


@pytest.mark.parametrize("share", [0.97, 0.8, 0.6, 0.5])
def test_the_advised_setting_is_accepted(share, caplog):
    run = planned_run(model=LARGE, batch_size=12)
    free = int(needs(run).low * share)
    with pytest.raises(UserError) as caught:
        check_memory(run, lambda: free)
    changed = taken(run, caught.value.hint)
    assert changed != run
    with frozen_as(run, changed.unfreeze_last):
        check_memory(changed, lambda: free)
    assert not caplog.records  # nor is it warned of
    steps = changed.settings.batch_size * changed.settings.gradient_accumulation_steps
    assert steps == run.settings.batch_size  # an optimizer step takes the texts that it took


def test_a_run_that_cannot_fit_is_advised_to_take_another_model():
    with pytest.raises(UserError, match="at least") as caught:
        check_memory(planned_run(), lambda: 10)
    assert "--model" in caught.value.hint


def test_a_run_that_may_not_fit_is_a_warning(caplog):
    run = planned_run(model=LARGE, batch_size=12)
    need = needs(run)
    with caplog.at_level(logging.WARNING):
        check_memory(run, lambda: int((need.low + need.high) / 2))
    assert "may not fit" in caplog.text


def test_runs_that_fit_and_unknown_memory_pass_in_silence(caplog):
    run = planned_run()
    check_memory(run, lambda: 2**40)
    check_memory(run, lambda: None)
    assert not caplog.records


@pytest.mark.parametrize(("mode", "epochs", "passes"), [("on", 1, 1), ("auto", 1, 0), ("auto", 2, 1), ("off", 2, 0)])
def test_the_pass_that_fills_a_prefix_cache_counts_where_one_is_filled(mode, epochs, passes):
    run = planned_run(model=LARGE, unfreeze_last=0, epochs=epochs, device="cuda", precision="bf16")
    cached = replace(run, cache=replace(OFF, mode=mode))
    parameters = count(run.setup.base.model)
    need, without = (need_of(each, parameters, (0.0, 0.0)).likely for each in (cached, run))
    assert need == (4 * parameters.total if passes else without)
    assert without < 4 * parameters.total


def test_the_need_grows_with_the_trained_blocks():
    assert needs(planned_run()).low > needs(planned_run(unfreeze_last=1)).low
    states = 4 * 3 * sum(each.numel() for each in planned_run(model=LARGE).setup.base.model.parameters())
    assert needs(planned_run(model=LARGE, batch_size=1)).low >= states  # gradients and AdamW's two moments, in float32


@pytest.mark.parametrize(("device", "times"), [("cpu", 4), ("cuda", 1)])
def test_processes_of_a_machine_share_its_memory_and_have_a_gpu_each(device, times, monkeypatch):
    run = planned_run(model=LARGE, device=device)
    alone = needs(run)
    exchanged = 4 * count(run.setup.base.model).trained  # bytes, of the gradients
    for name, value in {"LOCAL_RANK": 0, "RANK": 0, "WORLD_SIZE": 8, "LOCAL_WORLD_SIZE": 4}.items():
        monkeypatch.setenv(name, str(value))
    assert needs(run).low == times * (alone.low + exchanged)


def test_on_a_gpu_frozen_weights_are_counted_as_small_as_they_train():
    """By hand: of Llama's matrices of 7 layers in 3 blocks; embedding, head and norms stay in float32."""
    flags = Namespace(lora=4, lora_alpha=8, lora_dropout=0.0, lora_target="all-linear", seed=0)
    run = planned_run(model=LARGE, device="cuda", precision="bf16")
    with_adapters(run.setup.freeze, flags)(run.setup.base.model, None)
    frozen, largest = 3 * (4 * 128 * 128 + 3 * 128 * 256), 128 * 256
    parameters = count(run.setup.base.model)

    def low(**changed):
        return need_of(replace(run, settings=replace(run.settings, **changed)), parameters, (0.0, 0.0)).low

    assert low(precision="fp32") - low() == 2 * frozen
    assert low() - low(load_in_4bit=True) == 2 * frozen - frozen * (1 / 2 + 1 / 64 + 4 / (64 * 256)) - 2 * largest


def test_memory_that_pytorch_keeps_of_a_gpu_is_free(monkeypatch):
    numbers = {"mem_get_info": (10, 100), "memory_reserved": 60, "memory_allocated": 20}
    for name, value in numbers.items():
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    assert free_memory("cuda") == 50
    assert free_memory("cpu", lambda: 7) == 7
