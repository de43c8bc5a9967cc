"""The weights of a saved state: those that train, by the model's own names; frozen ones are the base model's.

Transformers saves all weights, and those of some architectures (Mixtral's experts) by other names than the model's,
under which it does not find them again. They keep the values of the base model or of the last step then.
"""

import zlib
from collections.abc import Collection
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel
from transformers.utils import SAFE_WEIGHTS_NAME

from utils.errors import UserError
from utils.training.state.state_files import PROGRESS, read_object

FROZEN = "frozen"  # in progress.json: the checksum of the frozen weights; not by earlier versions
SAMPLE = 4096  # numbers of each frozen weight in the checksum


def saved_weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Return the parameters that train and the buffers that a model saves, by name; shared ones once."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    buffers = {name: each for name, each in model.state_dict().items() if name not in parameters}
    return {name: each.detach() for name, each in model.named_parameters() if each.requires_grad} | buffers


def write_weights(model: PreTrainedModel, checkpoint: Path) -> None:
    """Write the weights of a state. A failed write leaves an incomplete checkpoint."""
    weights = {name: each.contiguous() for name, each in saved_weights(model).items()}
    save_file(weights, checkpoint / SAFE_WEIGHTS_NAME, metadata={"format": "pt"})


def require_weights(model: PreTrainedModel, missing: Collection[str]) -> None:
    """Raise UserError if weights that a state must have are `missing` in it."""
    if lost := sorted(saved_weights(model).keys() & set(missing)):
        raise UserError(
            f"the training state lacks {len(lost):,} of the weights that train, such as {lost[0]}",
            "another version of the packages wrote it; start from scratch with --overwrite instead of --resume",
        )


def frozen_checksum(model: PreTrainedModel) -> int:
    """Return the CRC-32 of the frozen weights' names and of a sample of each, in bfloat16.

    It is the same for weights that were loaded in bfloat16 or float32.
    """
    checksum = 0
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            numbers = parameter.detach().flatten()
            sample = numbers[:: max(1, len(numbers) // SAMPLE)].to(torch.bfloat16).contiguous()
            checksum = zlib.crc32(name.encode(), checksum)
            checksum = zlib.crc32(sample.view(torch.uint8).cpu().numpy(), checksum)
    return checksum


def require_same_base(model: PreTrainedModel, checkpoint: Path) -> None:
    """Raise UserError if the frozen weights are not those that the run of this state began with."""
    checksum = frozen_checksum(model)
    if (read_object(checkpoint / PROGRESS) or {}).get(FROZEN, checksum) != checksum:
        raise UserError(
            f"--resume, but the base model has other weights than when the run in {checkpoint.parent} began",
            "restore it, or start from scratch with --overwrite instead of --resume",
        )
