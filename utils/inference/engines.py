"""The engine that generates the texts: transformers, or CTranslate2 on a CPU."""

import argparse
import functools
import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING

from utils import distributed
from utils.argument_types import positive_int
from utils.cli import Parser
from utils.errors import UsageError
from utils.inference.generation import BATCH_SIZE, USE_DEFAULT_ENGINE, TextGenerator, generate_from_ids
from utils.models.checkpoint import Trained

if TYPE_CHECKING:
    from utils.inference.ctranslate2.kept import Converted

ENGINES = ("transformers", "ctranslate2")


def add_engine_flags(parser: Parser) -> None:
    """Add the flags for the engine, its batch size, its device and its number format."""
    add, add_rare = parser.group("running"), parser.group("running", rare=True)
    batch = f"texts generated at once (default: {BATCH_SIZE}, or 16 descriptions of emoji)"
    add("--batch_size", type=positive_int, metavar="N", help=batch)
    add_rare("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    engine = "ctranslate2: int8 on a CPU, ready sooner, other samples (default: %(default)s)"
    add("--engine", type=_engine, choices=ENGINES, default="transformers", help=engine)
    precision = "auto: fp32, or int8 with ctranslate2. In bf16, texts depend on the batch size"
    add_rare("--precision", choices=("auto", "fp32", "bf16"), default="auto", help=precision)


def check_engine(args: argparse.Namespace) -> None:
    """Raise UsageError where the engine is not installed, or does not support the other flags."""
    if args.engine == "transformers":
        return
    distributed.require_single_process(f"--engine {args.engine}")
    unsupported = {
        "--num_beams": (args.num_beams or 1) > 1,
        "--min_p": args.min_p,
        "--repetition_penalty": args.repetition_penalty not in (None, 1),
        "--device cuda": args.device == "cuda",
        "--precision bf16": args.precision == "bf16",
    }
    for flag, is_given in unsupported.items():
        if is_given:
            hint = f"remove {flag}, or {USE_DEFAULT_ENGINE}"
            raise UsageError(f"--engine {args.engine} does not support {flag}", hint)
    if importlib.util.find_spec(args.engine) is None:
        raise UsageError(
            f"--engine {args.engine}: the package {args.engine} is not installed",
            f"pip install -r requirements-engines.txt, or {USE_DEFAULT_ENGINE}",
        )


def check_engine_ranks_emoji(args: argparse.Namespace) -> None:
    """Raise UsageError where the engine or the precision is not the one that ranks emoji."""
    if args.engine != "transformers" or args.precision == "bf16":
        flag = "--precision bf16" if args.engine == "transformers" else f"--engine {args.engine}"
        raise UsageError(f"{flag} does not rank emoji: transformers does, in fp32", f"remove {flag}")


def open_text_generators(
    args: argparse.Namespace, models: Mapping[str, "Trained | Converted"], paths: Mapping[str, str], device: str
) -> dict[str, TextGenerator]:
    """Return the text generator of each model by its name; `paths` says where the models come from.

    UserError where the engine does not support a model. With transformers, the models are moved to the device.
    """
    batch_size = args.batch_size or BATCH_SIZE
    if args.engine == "ctranslate2":
        from utils.inference.ctranslate2.engine import open_text_generator

        compute_type = {"auto": "int8", "fp32": "float32"}[args.precision]
        return {
            name: open_text_generator(_converted(paths[name], model), compute_type, batch_size, name)
            for name, model in models.items()
        }

    import torch

    generators, dtype = {}, torch.bfloat16 if args.precision == "bf16" else torch.float32
    for name, trained in models.items():
        model, options = trained.model.to(device, dtype), {"batch_size": batch_size, "progress": name}
        generators[name] = functools.partial(generate_from_ids, model, trained.tokenizer, **options)
    return generators


def _converted(path: str, model: "Trained | Converted") -> "Converted":
    if not isinstance(model, Trained):
        return model
    from utils.inference.ctranslate2.convert import convert

    return convert(path, model)


def _engine(name: str) -> str:
    """Return the engine's name; an error for "vllm" says how to serve a model with it."""
    if name == "vllm":
        raise UsageError(
            f"argument --engine: invalid choice: 'vllm' (choose from {', '.join(ENGINES)})",
            f"vLLM opens a model folder itself: vllm serve models/name; or {USE_DEFAULT_ENGINE}",
        )
    return name
