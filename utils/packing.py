"""Several texts in one row, without padding, each with its own positions and its own attention."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from utils.encoding import IGNORED
from utils.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def collate_packed(rows: Sequence[dict]) -> dict[str, "torch.Tensor"]:
    """Put rows {"input_ids", "loss_start"} one after the other: (1, all tokens) int64 tensors.

    Where rows have a "prefix" (length, width), see `prefix_cache`, it is put so, too: (1, all tokens, width).

    Positions start anew with each text: that, with no attention mask, is how transformers knows them apart. The first
    token of a text is never a label, so none is predicted from the text before it.
    """
    import torch

    ids = [token for row in rows for token in row["input_ids"]]
    positions = [position for row in rows for position in range(len(row["input_ids"]))]
    labels = []
    for row in rows:
        start = max(1, row["loss_start"])
        labels += [IGNORED] * start + list(row["input_ids"][start:])
    batch = {
        "input_ids": torch.tensor([ids]),
        "position_ids": torch.tensor([positions]),
        "labels": torch.tensor([labels]),
    }
    if "prefix" in rows[0]:
        batch["prefix"] = torch.cat([row["prefix"] for row in rows])[None]
    return batch


def check_packs(model: "PreTrainedModel") -> None:
    """UserError where this model sees beyond a text's start when texts share a row.

    Tried out, since it depends on the architecture and on the attention kernel: BLOOM and Mamba, for two, can't.
    """
    import inspect

    import torch

    texts = [[3, 1, 4, 1, 5], [9, 2, 6]]
    packed = collate_packed([{"input_ids": ids, "loss_start": 1} for ids in texts])
    del packed["labels"]
    separate = "position_ids" in inspect.signature(model.forward).parameters
    if separate:
        with torch.inference_mode():
            alone = [model(torch.tensor([ids], device=model.device), use_cache=False).logits[0] for ids in texts]
            inputs = {name: tensor.to(model.device) for name, tensor in packed.items()}
            together = model(**inputs, use_cache=False).logits[0]
        separate = torch.allclose(together, torch.cat(alone), atol=1e-4)
    if not separate:
        raise UserError(
            f"--packing: texts that share a row see each other in a {type(model).__name__}", "leave out --packing"
        )
