"""A model's transformer blocks: find them, stop after one, or start after one from cached hidden states.

Without it: `model(**inputs)`. Starting from cached hidden states gives the same logits within 1e-5 of the largest one
in float32, and within the rounding of the number format that the cache uses.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

import torch
from transformers import PreTrainedModel

from utils.compute.patching import eval_mode, replaced_forward
from utils.errors import UserError

TOLERANCE = 1e-5  # of the largest logit
Inputs = dict[str, torch.Tensor]


@dataclass(frozen=True)
class ModelBlocks:
    """The transformer blocks of a model and the norm after them, where there is one."""

    blocks: torch.nn.ModuleList
    final_norm: torch.nn.Module | None


def find_blocks(model: PreTrainedModel) -> ModelBlocks:
    """Return the blocks of any architecture that keeps them in a module list with one entry per layer.

    The final norm is the norm that follows this list in the same parent, or (OPT) has "final" in its name. UserError
    where there is no such list.
    """
    layers = model.config.get_text_config().num_hidden_layers
    for parent in model.modules():
        children = list(parent.named_children())
        for position, (_, blocks) in enumerate(children):
            if isinstance(blocks, torch.nn.ModuleList) and len(blocks) == layers:
                after = [child for _, child in children[position + 1 :] if _is_norm(child)]
                final = [child for name, child in children if _is_norm(child) and "final" in name]
                return ModelBlocks(blocks, next(iter(after + final), None))
    hint = "train all of it with --unfreeze_last all, or choose a GPT-2 or Llama-like model"
    raise UserError(f"cannot find the {layers} transformer blocks of a {type(model).__name__}", hint)


def _is_norm(module: torch.nn.Module) -> bool:
    return "norm" in type(module).__name__.lower()


def frozen_blocks(model: PreTrainedModel) -> list[torch.nn.Module]:
    """Return the blocks below the first one that trains; none where the embedding trains too."""
    if any(parameter.requires_grad for parameter in model.get_input_embeddings().parameters()):
        return []
    blocks = find_blocks(model).blocks
    return list(takewhile(lambda block: not any(each.requires_grad for each in block.parameters()), blocks))


class _StopForwardError(Exception):
    """Ends a forward pass early."""


def hidden_states_after(model: PreTrainedModel, block: torch.nn.Module, inputs: Inputs) -> tuple[torch.Tensor, int]:
    """Return (the block's hidden states (texts, length, width), the length of the tuple that it returns).

    The length is 0 for a block that returns a tensor. The modules above the block do not run.
    """
    captured = []

    def capture(module, arguments, output):
        captured.append((output[0], len(output)) if isinstance(output, tuple | list) else (output, 0))
        raise _StopForwardError

    handle = block.register_forward_hook(capture)
    try:
        with contextlib.suppress(_StopForwardError):
            model(**inputs)
    finally:
        handle.remove()
    return captured[0]


@contextlib.contextmanager
def starting_after(model: PreTrainedModel, blocks: Sequence[torch.nn.Module], tuple_length: int) -> Iterator[None]:
    """Within the context, a call with cached_states=… (texts, length, width) skips `blocks`, the model's first ones.

    The cached states are what `hidden_states_after` the last of them returns, with `tuple_length`. A call without them
    runs the whole model. The embeddings always run: they cost little, and some models also use them above the blocks.
    """
    cached = None

    def take_cached_states(module, arguments, options):
        nonlocal cached
        cached = options.pop("cached_states", None)
        return arguments, options

    def forward(block: torch.nn.Module, run: Callable, *arguments, **options):
        nonlocal cached
        if cached is None:
            return run(*arguments, **options)
        hidden = arguments[0] if arguments else options["hidden_states"]
        if block is blocks[-1]:
            hidden, cached = cached.to(hidden.dtype), None
        return (hidden, *[None] * (tuple_length - 1)) if tuple_length else hidden

    handle = model.register_forward_pre_hook(take_cached_states, with_kwargs=True)
    try:
        with replaced_forward({block: partial(forward, block, block.forward) for block in blocks}):
            yield
    finally:
        handle.remove()


def check_starting_after(
    model: PreTrainedModel, blocks: Sequence[torch.nn.Module], collate: Callable, rows: Sequence[dict]
) -> tuple[int, int]:
    """Return (width, tuple length) of `hidden_states_after` the blocks; UserError where starting there changes logits.

    Tried out on two rows, since it depends on the architecture: in XLM, for one, a block is more than its attention.
    """
    by_length = sorted(rows, key=lambda row: len(row["input_ids"]))
    sample = [by_length[len(rows) // 4], by_length[len(rows) // 2]]
    try:
        with eval_mode(model), torch.inference_mode():
            expected = _logits(model, collate, sample)
            inputs = _inputs(model, collate, sample)
            hidden, tuple_length = hidden_states_after(model, blocks[-1], inputs)
            cached = hidden[inputs["attention_mask"].bool()].split([len(row["input_ids"]) for row in sample])
            with starting_after(model, blocks, tuple_length):
                sample = [{**row, "cached_states": states} for row, states in zip(sample, cached, strict=True)]
                logits = _logits(model, collate, sample)
        same = torch.allclose(logits, expected, rtol=0, atol=TOLERANCE * expected.abs().max().item())
    except (TypeError, ValueError, RuntimeError, LookupError, AttributeError):
        same = False
    if not same:
        problem = f"cached activations change the output of this model ({type(model).__name__})"
        raise UserError(problem, "remove --prefix_cache on")
    return hidden.shape[-1], tuple_length


def _logits(model: PreTrainedModel, collate: Callable, rows: Sequence[dict]) -> torch.Tensor:
    """Return the logits of the rows without those of padding, or of classes."""
    inputs = _inputs(model, collate, rows)
    logits = model(**inputs).logits
    return logits[inputs["attention_mask"].bool()] if logits.dim() == 3 else logits


def _inputs(model: PreTrainedModel, collate: Callable, rows: Sequence[dict]) -> Inputs:
    return {name: tensor.to(model.device) for name, tensor in collate(rows).items() if name != "labels"}
