"""Checks of fine_tune.py: number formats, resuming, the prefix cache, several processes, and forecasts of --dry_run."""

import json
import math
import statistics
from pathlib import Path

from benchmarks.gpu_check.commands import json_lines, require
from benchmarks.gpu_check.material import TRAINING, Workplace
from benchmarks.speed.measure import words
from utils.errors import EXIT_FAILED, EXIT_INTERRUPTED

FIRST_AND_LAST = 10  # steps whose mean losses are compared
# Relative to float32: 11 bits of float16 and 8 of bfloat16, in losses and over some steps.
NEAR_FLOAT32 = 0.05
RESUMED = {"cpu": 0.0, "cuda": 1e-3}  # of each tensor's largest weight; kernels of a GPU add numbers in any order
SAME_LOSSES = 1e-4  # relative, in float32
INTERRUPTED_AT = 10  # steps
GIGABYTE = 10**9
LORA = {"lora": 4, "lr": 0.01, "precision": "bf16", "data": "tweets.pkl"}


def float32(work: Workplace) -> str:
    """Train in float32."""
    return _learned(work, work.made("writer"), "fp32")


def bfloat16(work: Workplace) -> str:
    """Train with autocast in bfloat16."""
    return _mixed(work, "bf16")


def float16(work: Workplace) -> str:
    """Train with autocast in float16 and the gradient scaler, whose first steps may overflow."""
    return _mixed(work, "fp16")


def _mixed(work: Workplace, precision: str) -> str:
    folder = work.train(precision, precision=precision, data="tweets.pkl")
    learned = _learned(work, folder, precision)
    near = _largest_difference(_smoothed(folder), _smoothed(work.made("writer")))
    require(near <= NEAR_FLOAT32, f"losses differ from float32's by {near:.1%}, more than {NEAR_FLOAT32:.0%}")
    return f"{learned}, within {near:.1%} of float32"


def lora(work: Workplace) -> str:
    """Train adapters beside frozen weights in bfloat16."""
    return _learned(work, work.train("lora", **LORA), LORA["precision"])


def lora_in_4_bits(work: Workplace) -> str:
    """Train adapters beside frozen weights in 4 bits."""
    folder = work.train("lora-4-bits", **LORA, load_in_4bit=True)
    learned = _learned(work, folder, LORA["precision"])
    require(_record(folder)["arguments"]["load_in_4bit"], "run.json says nothing of 4 bits")
    return learned


def resumed(work: Workplace) -> str:
    """Interrupt the training of `writer` at a step, resume it, and compare the weights."""
    whole = work.made("writer")
    command = work.training("resumed", precision="fp32", data="tweets.pkl")
    work.shell.run(command, interrupt_at=f"step {INTERRUPTED_AT}/", code=EXIT_INTERRUPTED)
    work.shell.run([*command, "--resume"])
    difference = _weights_differ(work.path("resumed"), whole)
    tolerance = RESUMED[work.device]
    require(difference <= tolerance, f"weights differ by {difference:.1e} of the largest, more than {tolerance:.0e}")
    return "the same weights, bit for bit" if difference == 0 else f"weights within {difference:.1e} of the largest"


def prefix_cache(work: Workplace) -> str:
    """Train the last block from cached states and without a cache."""
    flags = {"precision": "fp32", "data": "tweets.pkl", "unfreeze_last": 1, "max_steps": 30}
    modes = {work.path(f"cache-{mode}"): mode for mode in ("on", "off")}
    work.shell.run_together([work.training(path.name, **flags, prefix_cache=mode) for path, mode in modes.items()])
    cached, plain = modes
    require(_record(cached)["prefix_cache"] is not None, "run.json says that there was no prefix cache")
    return _same_losses(cached, plain)


def torchrun(work: Workplace) -> str:
    """Train as `writer` in several processes, one for each GPU: the same texts in each step."""
    processes = _processes(work.device)
    batch = TRAINING["batch_size"] // processes
    _, *training = work.training("several", precision="fp32", data="tweets.pkl", batch_size=batch)
    work.shell.run(words("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", processes, *training))
    return f"{processes} processes, {_same_losses(work.path('several'), work.made('writer'))}"


def _processes(device: str) -> int:
    """Return the largest number of processes that shares the batch evenly: two on a CPU, and at most one per GPU."""
    import torch

    most = torch.cuda.device_count() if device == "cuda" else 2
    return max(number for number in range(1, most + 1) if TRAINING["batch_size"] % number == 0)


def dry_run(work: Workplace) -> str:
    """Ask for a forecast: of the GPU's memory where one trains."""
    command = work.training("forecast", precision="auto", data="many.pkl", model="gpt2-shape")
    forecast = json.loads(work.shell.run([*command, "--dry_run", "--json"]).out)
    low, high = forecast["memory_range"]
    free = forecast["memory_free"]
    require(forecast["device"] == work.device, f"it speaks of {forecast['device']}")
    require(forecast["steps"] == TRAINING["max_steps"], f"it speaks of {forecast['steps']} steps")
    require(low <= forecast["memory"] <= high, f"memory of {forecast['memory']} is not within {low} to {high}")
    if work.device == "cuda":
        import torch

        total = torch.cuda.mem_get_info()[1]
        require(0 < free <= total, f"{free} bytes are free, it says, of a GPU with {total}")
    return f"memory {_gigabytes(low)} to {_gigabytes(high)}, free {_gigabytes(free)}"


def memory(work: Workplace) -> str:
    """Train with GPT-2's shape, and compare the GPU's memory at its peak with the forecast."""
    return _memory(work, "measured", precision="auto")


def memory_of_lora(work: Workplace) -> str:
    """Do that with adapters."""
    return _memory(work, "measured-lora", precision="bf16", lora=16)


def memory_of_lora_in_4_bits(work: Workplace) -> str:
    """Do that with adapters beside weights in 4 bits."""
    return _memory(work, "measured-4-bits", precision="bf16", lora=16, load_in_4bit=True)


def _memory(work: Workplace, output: str, **more: object) -> str:
    flags = {"data": "many.pkl", "model": "gpt2-shape", "batch_size": 32, "max_steps": 6, **more}
    command = work.training(output, **flags, eval_strategy="no", save_steps=6)
    low, high = json.loads(work.shell.run([*command, "--dry_run", "--json"]).out)["memory_range"]
    program = (
        "import sys, torch, fine_tune; fine_tune.main(sys.argv[1:]);"
        " print(torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved())"
    )
    _, _, *typed = command
    printed = work.shell.run(words("-c", program, *typed)).out.split()
    allocated, reserved = map(int, printed[-2:])
    between = f"{_gigabytes(allocated)} (reserved {_gigabytes(reserved)}), forecast {_gigabytes(low)} to"
    require(low <= allocated <= high, f"{between} {_gigabytes(high)}")
    return f"{between} {_gigabytes(high)}"


def too_large(work: Workplace) -> str:
    """Ask for a batch that no GPU holds: it is refused before it trains, with a setting that fits."""
    flags = {"precision": "auto", "data": "many.pkl", "model": "gpt2-shape", "batch_size": 4096}
    refused = work.shell.run(work.training("refused", **flags), code=EXIT_FAILED)
    lines = [line for line in refused.err.splitlines() if line.startswith(("error: ", "hint: "))]
    require(len(lines) == 2 and "on the GPU" in lines[0], f"it said: {lines}")
    return lines[1]


def _learned(work: Workplace, folder: Path, precision: str) -> str:
    """Return how the loss fell; FailedError where it did not, or where run.json says another format or device."""
    values = list(losses(folder).values())
    require(len(values) == TRAINING["max_steps"], f"{len(values)} losses were logged")
    require(all(map(math.isfinite, values)), "a loss is not finite")
    first, last = statistics.mean(values[:FIRST_AND_LAST]), statistics.mean(values[-FIRST_AND_LAST:])
    require(last < first, f"the loss went from {first:.3f} to {last:.3f}")
    record = _record(folder)
    found = (record["precision"], record["device"])
    require(found == (precision, work.device), f"run.json says {' on '.join(found)}")
    return f"loss {first:.3f} to {last:.3f}"


def losses(folder: Path) -> dict[int, float]:
    """Return the training losses by step."""
    entries = json_lines((folder / "log.jsonl").read_text(encoding="utf-8"))
    return {entry["step"]: entry["loss"] for entry in entries if "loss" in entry}


def _smoothed(folder: Path) -> dict[int, float]:
    """Return the mean losses of FIRST_AND_LAST steps each."""
    values = list(losses(folder).values())
    firsts = range(0, len(values), FIRST_AND_LAST)
    return {first: statistics.mean(values[first : first + FIRST_AND_LAST]) for first in firsts}


def _same_losses(folder: Path, other: Path) -> str:
    difference = _largest_difference(losses(folder), losses(other))
    require(difference <= SAME_LOSSES, f"losses differ by {difference:.1e} relatively, more than {SAME_LOSSES:.0e}")
    return f"losses within {difference:.1e}"


def _largest_difference(found: dict[int, float], expected: dict[int, float]) -> float:
    require(found.keys() == expected.keys(), f"steps {list(found)} were logged, not {list(expected)}")
    return max(abs(found[step] / expected[step] - 1) for step in expected)


def _weights_differ(folder: Path, other: Path) -> float:
    """Return the largest difference of two weights, relative to the largest weight of their tensor."""
    from safetensors.torch import load_file

    found, expected = (load_file(each / "model.safetensors") for each in (folder, other))
    require(found.keys() == expected.keys(), "the models have other tensors")
    differences = ((found[name] - tensor).abs().max() / tensor.abs().max() for name, tensor in expected.items())
    return max(map(float, differences))


def _record(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def _gigabytes(size: float) -> str:
    return f"{size / GIGABYTE:.2f} GB"
