"""Tokens per second of training and generation with GPT-2's shape, and their share of the device's measured peak."""

import json
import re
import statistics

from benchmarks.gpu_check.commands import require
from benchmarks.gpu_check.material import Workplace
from benchmarks.speed import flops
from benchmarks.speed.measure import words

PEAK_SECONDS = {"cuda": 1.0, "cpu": 0.1}  # for each of the products of matrices
BATCH = {"cuda": 32, "cpu": 8}
STEPS = {"cuda": 150, "cpu": 30}
TEXTS = {"cuda": 256, "cpu": 64}
NEW_TOKENS = {"cuda": 513, "cpu": 129}
FORMATS = {"bf16": "bfloat16", "fp32": "float32"}  # those whose peak is measured
TERA = 10**12


def peak(work: Workplace) -> str:
    """Measure the fastest product of large matrices."""
    found = _peak(work)
    return ", ".join(f"{name} {speed / TERA:.3g} TFLOP/s" for name, speed in found.items())


def training(work: Workplace) -> str:
    """Train all parameters, in the format that is chosen by itself."""
    flags = {"data": "many.pkl", "model": "gpt2-shape", "precision": "auto", "eval_strategy": "no"}
    options = {"batch_size": BATCH[work.device], "max_steps": STEPS[work.device], "logging_steps": 10, "lr": 1e-4}
    command = work.training("speed", **flags, **options)
    said = work.shell.run(command).err
    speeds = [float(number.replace(",", "")) for number in re.findall(r"([\d,]+) tokens/s", said)]
    require(len(speeds) > 1, "no speed was logged")
    rate = statistics.median(speeds[1:])  # the first steps choose kernels
    precision = json.loads((work.path("speed") / "run.json").read_text(encoding="utf-8"))["precision"]
    each = flops.training_flops(flops.shape_of(work.made("gpt2-shape")), tokens=1, epochs=1, trained=None)
    return f"{rate:,.0f} tokens/s in {precision}{_share(work, rate * each, precision)}"


def generation(work: Workplace) -> str:
    """Generate many texts at once; the time of texts of one token is start-up."""
    precision = "bf16" if work.device == "cuda" else "fp32"
    texts, new_tokens = TEXTS[work.device], NEW_TOKENS[work.device]
    flags = {"model_path": work.made("gpt2-shape"), "device": work.device, "precision": precision}
    flags |= {"num_return_sequences": texts, "batch_size": texts}
    seconds = []
    for number in (1, new_tokens):
        lengths = {"min_new_tokens": number, "max_new_tokens": number}
        seconds.append(work.shell.run(words("generate.py", "--json", **flags, **lengths)).seconds)
    require(seconds[1] > seconds[0], "more tokens took less time than one: something else used the device")
    rate = texts * (new_tokens - 1) / (seconds[1] - seconds[0])
    shape = flops.shape_of(work.made("gpt2-shape"))
    each = 2 * (shape.blocks * shape.block + shape.head)
    return f"{rate:,.0f} tokens/s in {precision}{_share(work, rate * each, precision)}"


def _share(work: Workplace, speed: float, precision: str) -> str:
    """Return the share of the peak in that format; nothing where it is not measured."""
    if precision not in FORMATS:
        return ""
    return f", {speed / _peak(work)[FORMATS[precision]]:.2%} of the peak"


def _peak(work: Workplace) -> dict[str, float]:
    """Return FLOP/s by number format. They are measured once."""
    file = work.path("peak.json")
    if not file.exists():
        command = words("-m", "benchmarks.speed.peak", PEAK_SECONDS[work.device])
        file.write_text(work.shell.run(command).out, encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))
