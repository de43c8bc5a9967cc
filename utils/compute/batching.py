"""Several texts in one row, without padding, each with its own positions and its own attention."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from utils.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

IGNORED = -100  # the label that PyTorch's cross entropy leaves out


def collate_texts(rows: Sequence[dict], pad_id: int) -> dict[str, "torch.Tensor"]:
    """Pad rows {"input_ids", "loss_start"} on the right to their longest: (rows, length) int64 tensors.

    What is padding is known by length, not by token id: the end-of-text token trains although it pads.
    """
    import torch

    inputs = pad_rows(rows, pad_id)
    labels = torch.where(inputs["attention_mask"] == 1, inputs["input_ids"], IGNORED)
    for number, row in enumerate(rows):
        labels[number, : row["loss_start"]] = IGNORED
    return {**inputs, "labels": labels}


def collate_labelled(rows: Sequence[dict], pad_id: int) -> dict[str, "torch.Tensor"]:
    """Pad rows {"input_ids", "label"} as `collate` does; the labels are class numbers, (rows,) int64."""
    import torch

    return {
        **pad_rows(rows, pad_id),
        "labels": torch.tensor([row["label"] for row in rows]),
    }


def pad_rows(rows: Sequence[dict], pad_id: int) -> dict[str, "torch.Tensor"]:
    """Token ids of rows {"input_ids"} and their mask, padded on the right to the longest: (rows, length) int64 tensors.

    Where rows have a "prefix" (length, width), see `prefix_cache`, it is padded with zeros: (rows, length, width).
    """
    import torch

    length = max(len(row["input_ids"]) for row in rows)
    input_ids = torch.full((len(rows), length), pad_id)
    attention_mask = torch.zeros_like(input_ids)
    for number, row in enumerate(rows):
        ids = row["input_ids"]
        input_ids[number, : len(ids)] = torch.tensor(ids)
        attention_mask[number, : len(ids)] = 1
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
    if "prefix" in rows[0]:
        inputs["prefix"] = torch.nn.utils.rnn.pad_sequence([row["prefix"] for row in rows], batch_first=True)
    return inputs


# A processor is fastest where a batch stays in its cache (docs/results.md). Elsewhere, a head may need its logits at
# once: 2,048 × 50,000 float32 take 400 MB.
BATCH_TOKENS = {"cpu": 512}
BATCH_TOKENS_ON_GPU = 2048


def batches_by_length(lengths: Sequence[int], device: str) -> list[list[int]]:
    """Row numbers in batches of similar length, none with more tokens and padding than are fast on such a device."""
    most = BATCH_TOKENS.get(device, BATCH_TOKENS_ON_GPU)
    batches, batch = [], []
    for number in longest_first(lengths):
        if batch and (len(batch) + 1) * lengths[batch[0]] > most:
            batches.append(batch)
            batch = []
        batch.append(number)
    return [*batches, batch] if batch else batches


def longest_first(lengths: Sequence[int]) -> list[int]:
    """Row numbers, those of the longest rows first, in their order where rows are equally long."""
    return sorted(range(len(lengths)), key=lambda number: (-lengths[number], number))


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


def check_packing(model: "PreTrainedModel") -> None:
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
