"""The choice of device and number format, and refusals."""

import pytest
import torch

from utils.compute import device
from utils.compute.device import autocast, choose_device, choose_precision, kept_random_numbers
from utils.errors import UsageError


@pytest.mark.parametrize("has_gpu", [False, True])
def test_auto_is_the_gpu_where_there_is_one(has_gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    assert choose_device("auto") == ("cuda" if has_gpu else "cpu")
    assert choose_device("cpu") == "cpu"


def test_cuda_without_a_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="--device cuda, but PyTorch sees no CUDA GPU here"):
        choose_device("cuda")


@pytest.mark.parametrize(("has_bf16", "on_cpu", "on_gpu"), [(True, "bf16", "bf16"), (False, "fp32", "fp16")])
def test_auto_is_what_the_hardware_has(has_bf16, on_cpu, on_gpu, monkeypatch):
    monkeypatch.setattr(device, "cpu_has_bf16", lambda: has_bf16)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bf16)
    assert (choose_precision("auto", "cpu"), choose_precision("auto", "cuda")) == (on_cpu, on_gpu)
    assert choose_precision("fp32", "cuda") == "fp32"


def test_fp16_is_for_a_gpu():
    assert choose_precision("fp16", "cuda") == "fp16"
    with pytest.raises(UsageError, match="--precision fp16 needs a CUDA GPU"):
        choose_precision("fp16", "cpu")


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_autocast_computes_in_the_precision(precision, dtype):
    with autocast("cpu", precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_fp32_within_another_precision_changes_nothing():
    with autocast("cpu", "bf16"), autocast("cpu", "fp32"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_random_numbers_go_on_as_before():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with kept_random_numbers():
        torch.manual_seed(2)
        torch.rand(3)
    assert torch.equal(torch.rand(3), expected)


def test_of_several_gpus_only_this_process_has_its_own_asked(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    monkeypatch.setattr(torch.random, "fork_rng", asked.append)
    kept_random_numbers()
    assert asked == [[3]]
