"""What computes the texts: transformers, CTranslate2 or vLLM. What an engine cannot do is refused by name."""

import argparse
import functools
import importlib.util
from typing import TYPE_CHECKING

from utils import distributed
from utils.cli import positive_int
from utils.errors import UsageError
from utils.inference.generation import BATCH_SIZE, Writer, generate_from_ids

if TYPE_CHECKING:
    from utils.models.checkpoint import Trained

INSTALL = {
    "ctranslate2": "install it: pip install -r requirements-engines.txt",
    "vllm": "install vllm, in an environment of its own: it brings a torch of its own",
}
USE_DEFAULT_ENGINE = "use --engine transformers, the default"


def add_engine_flags(parser: argparse.ArgumentParser) -> None:
    """What computes the texts, how many at once, where, and in which numbers."""
    add = parser.add_argument
    add("--batch_size", type=positive_int, default=BATCH_SIZE, help="texts at once (default: %(default)s)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    add(
        "--engine",
        choices=("transformers", *INSTALL),
        default="transformers",
        help="ctranslate2: int8, for a CPU; vllm: for CUDA; each draws in its own way (default: %(default)s)",
    )
    add(
        "--precision",
        choices=("auto", "fp32", "bf16"),
        default="auto",
        help="auto: fp32; int8 with ctranslate2; bf16 with vllm. In bf16, the batch size changes texts",
    )


def check_engine(args: argparse.Namespace) -> None:
    """UsageError, before anything is loaded, where the engine is not here or cannot do what the flags ask for."""
    beams = (args.num_beams or 1) > 1
    penalty = args.repetition_penalty not in (None, 1)
    impossible = {
        "transformers": {},
        "ctranslate2": {
            "--chat": args.chat,
            "--num_beams": beams,
            "--min_p": args.min_p,
            "--repetition_penalty": penalty,
            "--device cuda": args.device == "cuda",
            "--precision bf16": args.precision == "bf16",
        },
        "vllm": {
            "--chat": args.chat,
            "--num_beams": beams,
            "--no_repeat_ngram_size": args.no_repeat_ngram_size,
            "--compare_base": args.compare_base,  # one model takes the memory of the whole GPU
            "--device cpu": args.device == "cpu",
        },
    }
    if args.engine != "transformers":
        distributed.require_single_process(f"--engine {args.engine}")
    for flag, is_given in impossible[args.engine].items():
        if is_given:
            raise UsageError(f"--engine {args.engine} cannot do {flag}", f"leave it out, or {USE_DEFAULT_ENGINE}")
    if args.engine in INSTALL and importlib.util.find_spec(args.engine) is None:
        raise UsageError(
            f"--engine {args.engine}: that package is not installed", f"{INSTALL[args.engine]}; or {USE_DEFAULT_ENGINE}"
        )


def check_engine_fits_kind(args: argparse.Namespace, emoji: bool, answers: bool) -> None:
    """UsageError where the engine or the precision is not for what the model writes."""
    if emoji and (args.engine, args.precision) not in (("transformers", "auto"), ("transformers", "fp32")):
        flag = "--precision bf16" if args.engine == "transformers" else f"--engine {args.engine}"
        raise UsageError(f"{flag} is not for emoji, which are ranked in fp32 by transformers", "leave it out")
    if answers and args.engine == "vllm" and args.no_repeat_ngram_size is None:
        raise UsageError(
            "answers repeat no four tokens in a row by default, and --engine vllm cannot do that",
            f"add --no_repeat_ngram_size 0, or {USE_DEFAULT_ENGINE}",
        )


def open_writers(args: argparse.Namespace, models: dict[str, tuple[str, "Trained"]], device: str) -> dict[str, Writer]:
    """What writes the texts of each model; `models`: name → (where it comes from, the model).

    UserError where the engine cannot take a model. With transformers, the models move to the device.
    """
    if args.engine == "ctranslate2":
        from utils.inference.ctranslate2_engine import open_writer

        compute_type = {"auto": "int8", "fp32": "float32"}[args.precision]
        return {
            name: open_writer(path, trained, compute_type, args.batch_size, name)
            for name, (path, trained) in models.items()
        }
    if args.engine == "vllm":
        from utils.inference.vllm_engine import open_writer

        if device != "cuda":
            raise UsageError("--engine vllm needs a CUDA GPU, and PyTorch sees none here", USE_DEFAULT_ENGINE)
        data_type = {"auto": "bfloat16", "bf16": "bfloat16", "fp32": "float32"}[args.precision]
        return {name: open_writer(trained, data_type) for name, (_, trained) in models.items()}

    import torch

    writers = {}
    for name, (_, trained) in models.items():
        trained.model.to(device, torch.bfloat16 if args.precision == "bf16" else torch.float32)
        options = {"batch_size": args.batch_size, "progress": name}
        writers[name] = functools.partial(generate_from_ids, trained.model, trained.tokenizer, **options)
    return writers
