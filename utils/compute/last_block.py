"""The last block computes only the states that somebody reads: those that predict a token, or that tell a label.

Above it every token stands alone: what it makes of the others, prompts and padding among them, changes nothing. A
classifier reads one token a text: with its last two blocks training, two fifths of the arithmetic go.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedModel

from utils.compute.blocks import find_blocks
from utils.errors import UserError

# What a block computes for each token from that token alone. Keys and values are read by later tokens.
PARTS = ("mlp", "self_attn.q_proj", "self_attn.o_proj", "attn.c_proj")
TOLERANCE = 1e-5  # of the largest logit
BUT_FOR = 0.9  # where nearly all tokens are read, nothing is gained
_found: WeakKeyDictionary[PreTrainedModel, list[torch.nn.Module]] = WeakKeyDictionary()


def skippable_modules(model: PreTrainedModel) -> list[torch.nn.Module]:
    """The parts of the last block that can leave out tokens nobody reads.

    Tried out once on a model, which is to have its weights in float32 then; none where its logits would change.
    """
    if model not in _found:
        _found[model] = _parts(model)
    return _found[model]


@contextlib.contextmanager
def compute_only(model: PreTrainedModel, read: torch.Tensor) -> Iterator[None]:
    """While it lasts, the model's last block computes only the tokens that `read` (texts, length) marks.

    The others' states, and so their logits, mean nothing.
    """
    parts = skippable_modules(model)
    again = model.is_activation_checkpointing  # the block would run once more, and whole, with the gradient
    if not parts or again or read.float().mean() > BUT_FOR:
        yield
        return
    with _for_some(parts, read):
        yield


def last_token_mask(model: PreTrainedModel, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """The mask (texts, length) of the tokens that a classifier reads its labels off: transformers' own rule."""
    ids = inputs["input_ids"]
    places = torch.arange(ids.shape[1], device=ids.device)
    pad_id = model.config.get_text_config().pad_token_id
    counted = torch.ones_like(ids) if pad_id is None else ids != pad_id
    return places == (places * counted).argmax(1, keepdim=True)


@contextlib.contextmanager
def _for_some(parts: list[torch.nn.Module], read: torch.Tensor) -> Iterator[None]:
    before = [vars(part).get("forward") for part in parts]
    for part in parts:
        part.forward = partial(_some, part.forward, read)
    try:
        yield
    finally:
        for part, forward in zip(parts, before, strict=True):
            del part.forward
            if forward:
                part.forward = forward


def _some(run: Callable[[torch.Tensor], torch.Tensor], read: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """`run` on the marked states of (texts, length, width); zeros for the rest."""
    some = run(states[read])
    whole = some.new_zeros(*read.shape, some.shape[-1])
    whole[read] = some
    return whole


def _parts(model: PreTrainedModel) -> list[torch.nn.Module]:
    try:
        block = dict(find_blocks(model).blocks[-1].named_modules())
    except UserError:
        return []
    parts = [block[name] for name in PARTS if name in block]
    pad_id = model.config.get_text_config().pad_token_id
    ids = torch.tensor([[number for number in range(1, 9) if number != pad_id]], device=model.device)
    last = torch.zeros_like(ids, dtype=torch.bool)
    last[0, -1] = True
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            whole = model(input_ids=ids, use_cache=False).logits
            with _for_some(parts, last):
                alone = model(input_ids=ids, use_cache=False).logits
    except (TypeError, ValueError, RuntimeError, LookupError, AttributeError):
        return []
    finally:
        model.train(was_training)
    if whole.dim() == 3:
        whole, alone = whole[last], alone[last]
    return parts if (alone - whole).abs().max() <= TOLERANCE * whole.abs().max() else []  # a nan is no small one
