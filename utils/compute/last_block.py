"""Compute only those positions of the last block that the loss or the label depends on.

After the attention of the last block, each position depends on itself alone, so those that predict nothing (prompts,
padding, all but the last token for a classifier) can be left out. A classifier with two trained blocks saves two
fifths of its arithmetic.

Without it: `model(**inputs)` outside of `compute_only`. Logits at the needed positions differ by the rounding of
matrix products of another size; a model whose logits change by more than 1e-5 of the largest one runs in full.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedModel

from utils.compute.blocks import find_blocks
from utils.compute.patching import eval_mode, replaced_forward
from utils.errors import UserError

# The parts of a block that compute each position from itself alone. Keys and values are read by later positions.
POSITIONWISE = ("mlp", "self_attn.q_proj", "self_attn.o_proj", "attn.c_proj")
TOLERANCE = 1e-5  # of the largest logit
MAX_NEEDED = 0.9  # of the positions; above, picking them out costs more than it saves
_skippable: WeakKeyDictionary[PreTrainedModel, list[torch.nn.Module]] = WeakKeyDictionary()


@contextlib.contextmanager
def compute_only(model: PreTrainedModel, needed: torch.Tensor) -> Iterator[None]:
    """Within the context, the model's last block computes only the positions that the mask `needed` marks.

    `needed` is (texts, length). Hidden states and logits at other positions are meaningless.
    """
    modules = skippable_modules(model)
    recomputed = model.is_activation_checkpointing  # with the gradient, after this context has ended
    in_full = recomputed or needed.float().mean() > MAX_NEEDED
    with replaced_forward(_only([] if in_full else modules, needed)):
        yield


def last_token_mask(model: PreTrainedModel, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the mask (texts, length) of the token that a classifier reads its label from, by transformers' rule."""
    ids = inputs["input_ids"]
    positions = torch.arange(ids.shape[1], device=ids.device)
    pad_id = getattr(model.config.get_text_config(), "pad_token_id", None)
    is_text = torch.ones_like(ids) if pad_id is None else ids != pad_id
    return positions == (positions * is_text).argmax(1, keepdim=True)


def skippable_modules(model: PreTrainedModel) -> list[torch.nn.Module]:
    """Return the modules of the last block that can leave out positions; none where that would change the logits.

    The first call for a model tries it out, for which its weights must be in float32.
    """
    if model not in _skippable:
        _skippable[model] = _find_skippable(model)
    return _skippable[model]


def forget_skippable_modules(model: PreTrainedModel) -> None:
    """Find them again next time: other modules take their places."""
    _skippable.pop(model, None)


def _find_skippable(model: PreTrainedModel) -> list[torch.nn.Module]:
    try:
        block = dict(find_blocks(model).blocks[-1].named_modules())
    except UserError:
        return []
    modules = [block[name] for name in POSITIONWISE if name in block]
    pad_id = getattr(model.config.get_text_config(), "pad_token_id", None)
    ids = torch.tensor([[number for number in range(1, 9) if number != pad_id]], device=model.device)
    last = torch.zeros_like(ids, dtype=torch.bool)
    last[0, -1] = True
    try:
        with eval_mode(model), torch.no_grad():
            full = model(input_ids=ids, use_cache=False).logits
            with replaced_forward(_only(modules, last)):
                partial_logits = model(input_ids=ids, use_cache=False).logits
    except (TypeError, ValueError, RuntimeError, LookupError, AttributeError):
        return []
    if full.dim() == 3:
        full, partial_logits = full[last], partial_logits[last]
    same = (partial_logits - full).abs().max() <= TOLERANCE * full.abs().max()  # false for nan
    return modules if same else []


def _only(modules: list[torch.nn.Module], needed: torch.Tensor) -> dict[torch.nn.Module, Callable]:
    """Return a `forward` for each module that runs at the needed positions only, with zeros at the others."""

    def forward(run: Callable, hidden: torch.Tensor) -> torch.Tensor:
        output = run(hidden[needed])
        full = output.new_zeros(*needed.shape, output.shape[-1])
        full[needed] = output
        return full

    return {module: partial(forward, module.forward) for module in modules}
