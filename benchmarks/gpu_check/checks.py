"""The checks by name, in the order in which they run, and those that make no sense on a CPU."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.gpu_check import speed, training, using
from benchmarks.gpu_check.material import Workplace, make_all


@dataclass(frozen=True)
class Check:
    """A function that returns its result in a few words, or raises FailedError; why a CPU leaves it out, and the
    optional package that it needs."""

    run: Callable[[Workplace], str]
    not_on_cpu: str | None = None
    package: str | None = None


CHECKS = {
    "models and data": Check(make_all),
    "training in float32": Check(training.float32),
    "training in bfloat16": Check(training.bfloat16),
    "training in float16": Check(training.float16, "the gradient scaler is for CUDA"),
    "LoRA": Check(training.lora, package="peft"),
    "LoRA in 4 bits": Check(training.lora_in_4_bits, "weights of 4 bits are for the memory of a GPU", "bitsandbytes"),
    "resuming": Check(training.resumed),
    "prefix cache": Check(training.prefix_cache),
    "torchrun": Check(training.torchrun),
    "dry run": Check(training.dry_run),
    "memory": Check(training.memory, "it counts what PyTorch takes of a GPU"),
    "memory of LoRA": Check(training.memory_of_lora, "it counts what PyTorch takes of a GPU", "peft"),
    "memory of LoRA in 4 bits": Check(
        training.memory_of_lora_in_4_bits, "it counts what PyTorch takes of a GPU", "bitsandbytes"
    ),
    "too large a batch": Check(training.too_large, "it is made for the memory of a GPU"),
    "generation": Check(using.generation),
    "classification": Check(using.classification),
    "evaluation": Check(using.evaluation),
    "chat": Check(using.chat),
    "emoji": Check(using.emoji),
    "peak": Check(speed.peak),
    "speed of training": Check(speed.training),
    "speed of generation": Check(speed.generation),
}
