"""The first blocks of a model, where nothing trains: what they hand on, and how the model goes on from that."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch
from transformers import PreTrainedModel

from utils.errors import UserError


@dataclass(frozen=True)
class ModelBlocks:
    """Where a causal language model keeps its parts."""

    blocks: "torch.nn.ModuleList"
    final_norm: "torch.nn.Module | None"


def find_blocks(model: "PreTrainedModel") -> ModelBlocks:
    """The transformer blocks and the norm after them, for any architecture that keeps them the usual way.

    The blocks are the module list with one entry a layer; the final norm is the norm that stands behind that
    list in the same parent, or (OPT) calls itself final.
    """
    import torch

    layers = model.config.get_text_config().num_hidden_layers
    for parent in model.modules():
        children = list(parent.named_children())
        for position, (_, child) in enumerate(children):
            if isinstance(child, torch.nn.ModuleList) and len(child) == layers:
                norms = [(name, other) for name, other in children if "norm" in type(other).__name__.lower()]
                behind = [other for name, other in norms if (name, other) in children[position + 1 :]]
                final = [other for name, other in norms if "final" in name]
                return ModelBlocks(child, next(iter(behind + final), None))
    raise UserError(
        f"cannot find the {layers} transformer blocks of a {type(model).__name__}",
        "train it whole with --unfreeze_last all, or choose a GPT-2 or Llama-like model",
    )


TOLERANCE = 1e-5  # of the largest logit


class _ReachedError(Exception):
    """Ends a pass where its result is known."""


def frozen_prefix_length(model: PreTrainedModel) -> list[torch.nn.Module]:
    """The blocks below the first that trains; none where the embedding trains, too."""
    if any(parameter.requires_grad for parameter in model.get_input_embeddings().parameters()):
        return []
    return list(
        takewhile(lambda block: not any(part.requires_grad for part in block.parameters()), find_blocks(model).blocks)
    )


def states_after_block(model: PreTrainedModel, block: torch.nn.Module, inputs: dict) -> tuple[torch.Tensor, int]:
    """What this block hands on, (texts, length, width), and how many results it returns (0: no tuple, these alone).

    Nothing above the block runs.
    """
    found = []

    def stop(module, arguments, output):
        found.append((output[0], len(output)) if isinstance(output, tuple | list) else (output, 0))
        raise _ReachedError

    handle = block.register_forward_hook(stop)
    try:
        with contextlib.suppress(_ReachedError):
            model(**inputs)
    finally:
        handle.remove()
    return found[0]


@contextlib.contextmanager
def accepting_prefixes(model: PreTrainedModel, blocks: Sequence[torch.nn.Module], results: int) -> Iterator[None]:
    """While it lasts, the model can be called with prefix=… (texts, length, width), and `blocks`, its first, don't run.

    The prefix is what they would hand on. A call without one runs the whole model. `results` is from `states_after`.
    The embeddings run, too: they cost little, and some models look at them above the blocks as well.
    """
    given = {"prefix": None}

    def take(module, arguments, named):
        given["prefix"] = named.pop("prefix", None)
        return arguments, named

    def passing(run: Callable, is_last: bool) -> Callable:
        def forward(*arguments, **named):
            if given["prefix"] is None:
                return run(*arguments, **named)
            states = arguments[0] if arguments else named["hidden_states"]
            if is_last:
                states, given["prefix"] = given["prefix"].to(states.dtype), None
            return (states, *[None] * (results - 1)) if results else states

        return forward

    handle = model.register_forward_pre_hook(take, with_kwargs=True)
    for block in blocks:
        block.forward = passing(block.forward, block is blocks[-1])
    try:
        yield
    finally:
        handle.remove()
        for block in blocks:
            del block.forward


def check_split_at(
    model: PreTrainedModel, blocks: Sequence[torch.nn.Module], collate: Callable, rows: Sequence[dict]
) -> tuple[int, int]:
    """(width of the states, results of a block); UserError where this model does not go on from them as if whole.

    Tried out on two rows, since it depends on the architecture: in XLM, for one, a block is more than its attention.
    """
    ordered = sorted(rows, key=lambda row: len(row["input_ids"]))
    some = [ordered[len(ordered) // 4], ordered[len(ordered) // 2]]
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            whole = _logits(model, collate, some)
            inputs = model_inputs(model, collate, some)
            states, results = states_after_block(model, blocks[-1], inputs)
            prefixes = without_padding(states, inputs).split([len(row["input_ids"]) for row in some])
            prefixed = [{**row, "prefix": prefix} for row, prefix in zip(some, prefixes, strict=True)]
            with accepting_prefixes(model, blocks, results):
                split = _logits(model, collate, prefixed)
        same = torch.allclose(split, whole, rtol=0, atol=TOLERANCE * whole.abs().max().item())
    except (TypeError, ValueError, RuntimeError, LookupError, AttributeError):
        same = False
    finally:
        model.train(was_training)
    if not same:
        raise UserError(
            f"a {type(model).__name__} does not go on from what its frozen blocks hand on as if it were whole",
            "leave away --prefix_cache on",
        )
    return states.shape[-1], results


def model_inputs(model: PreTrainedModel, collate: Callable, rows: Sequence[dict]) -> dict[str, torch.Tensor]:
    """A batch as the model takes it, on its device."""
    return {name: tensor.to(model.device) for name, tensor in collate(rows).items() if name != "labels"}


def without_padding(states: torch.Tensor, inputs: dict) -> torch.Tensor:
    """The states of a batch without its padding, one text after the other: (tokens, width)."""
    mask = inputs.get("attention_mask")
    return states.flatten(0, 1) if mask is None else states[mask.bool()]


def _logits(model: PreTrainedModel, collate: Callable, rows: Sequence[dict]) -> torch.Tensor:
    inputs = model_inputs(model, collate, rows)
    logits = model(**inputs).logits
    return without_padding(logits, inputs) if logits.dim() == 3 else logits
