"""The flags of LoRA, and the flags that contradict them."""

import importlib.util
from argparse import ArgumentParser, Namespace
from pathlib import Path

from utils.argument_types import positive_int, share
from utils.cli import Parser
from utils.errors import UsageError
from utils.models.opening.adapter_folder import INSTALL_PEFT

ALL_LINEAR, ATTENTION = "all-linear", "attention"  # the layers of a block that get adapters
DEPENDENT = ("lora_alpha", "lora_dropout", "lora_target", "load_in_4bit", "save_adapter")
INSTALL_BITSANDBYTES = "pip install -r requirements-4bit.txt"


def add_lora_flags(parser: Parser) -> None:
    """Add --lora and the flags that go with it."""
    add, add_rare = parser.group("training"), parser.group("training", rare=True)
    more = (
        "They train beside the frozen weights of the blocks of --unfreeze_last, which saves memory, and are merged "
        "into them at the end. 16 is usual. The default learning rate is 10 times as high"
    )
    add(
        "--lora", type=positive_int, metavar="RANK", help="train LoRA adapters of this rank, not the weights", more=more
    )
    alpha = "with --lora: scale the adapters' output by ALPHA / RANK (default: %(default)s)"
    add_rare("--lora_alpha", type=positive_int, default=32, metavar="ALPHA", help=alpha)
    dropout = "with --lora: dropout on the adapters' inputs (default: %(default)g)"
    add_rare("--lora_dropout", type=share, default=0.0, metavar="SHARE", help=dropout)
    target = "with --lora: the layers that get adapters (default: %(default)s)"
    add_rare("--lora_target", choices=(ALL_LINEAR, ATTENTION), default=ALL_LINEAR, help=target)
    small = "with --lora, on a CUDA GPU: hold the frozen weights in 4 bits during training (QLoRA)"
    add_rare("--load_in_4bit", action="store_true", help=small)
    kept = "with --lora: also keep the adapters, as NAME.adapter beside the model, in peft's format"
    add_rare("--save_adapter", action="store_true", help=kept)


def adapter_path(flags: Namespace) -> Path | None:
    """Return the path of --save_adapter: beside the folder or the file.pt; None without it."""
    output = flags.output_path
    name = output.stem if output.suffix == ".pt" else output.name
    return output.with_name(f"{name}.adapter") if flags.save_adapter else None


def check_lora_flags(flags: Namespace, parser: ArgumentParser) -> None:
    """Raise UsageError where flags of LoRA miss --lora, or --lora misses its package or contradicts other flags."""
    if not flags.lora:
        for name in DEPENDENT:
            if getattr(flags, name) != parser.get_default(name):
                hint = f"add --lora 16, or remove --{name}"
                raise UsageError(f"--{name} is for adapters, and there is no --lora", hint)
        return
    if importlib.util.find_spec("peft") is None:
        raise UsageError(f"--lora {flags.lora}: the package peft is not installed", INSTALL_PEFT)
    if flags.load_in_4bit:
        _check_4_bits(flags)
    if flags.train_head:
        problem = f"--lora {flags.lora} keeps all weights frozen, and --train_head trains the whole head"
        raise UsageError(problem, "remove one of them")
    if flags.unfreeze_last == 0:
        problem = f"--lora {flags.lora} puts adapters into the blocks that train, and --unfreeze_last 0 trains none"
        raise UsageError(problem, "raise --unfreeze_last, or remove it")
    if flags.save_adapter and flags.with_baseline != parser.get_default("with_baseline"):
        problem = "--save_adapter keeps the adapters alone, and --with_baseline mixes in a part that is not an adapter"
        raise UsageError(problem, "remove one of them")


def _check_4_bits(flags: Namespace) -> None:
    """Raise UsageError where --load_in_4bit misses its package, or contradicts other flags; a prefix cache is off."""
    if flags.search:
        problem = "--search trains copies of the model, and --load_in_4bit is for a model that hardly fits once"
        raise UsageError(problem, "search with a smaller base model or without --load_in_4bit, or remove --search")
    if flags.prefix_cache == "on" or flags.keep_prefix_cache:
        name = "--prefix_cache on" if flags.prefix_cache == "on" else "--keep_prefix_cache"
        problem = f"{name} keeps outputs of the full weights, and --load_in_4bit trains on 4-bit ones"
        raise UsageError(problem, "remove one of them")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UsageError("--load_in_4bit: the package bitsandbytes is not installed", INSTALL_BITSANDBYTES)
    flags.prefix_cache = "off"
