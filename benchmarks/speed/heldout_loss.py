"""The loss of a trained model on a held-out split, in float32, one text at a time: the same code for every contender.

python -m benchmarks.speed.heldout_loss MODEL DATA.pkl test
"""

import json
import math
import sys
from pathlib import Path


def main(model_path: str, data_path: str, split: str) -> None:
    """Print {"loss": nats per token (or per text of a classifier)} and, for a language model, {"bits_per_byte"}."""
    import torch

    from utils.compute.device import choose_device
    from utils.models import checkpoint
    from utils.processed import load_processed

    trained, data = checkpoint.load(model_path), load_processed(Path(data_path))
    trained.model.to(choose_device("auto"))
    loss = classifier_loss if data.recipe["kind"] == "classify" else language_model_loss
    with torch.inference_mode():
        print(json.dumps(loss(trained, data, split)))


def language_model_loss(trained, data, split: str) -> dict[str, float]:
    """Return totals over the split divided by its tokens and by its bytes."""
    import torch

    from utils.models.tokenization import context_length
    from utils.training.rows import training_rows

    nll, tokens, size = [], 0, 0
    for row in training_rows(data, trained.tokenizer, context_length(trained.model), [split])[split]:
        ids = torch.tensor([list(row["input_ids"])], device=trained.model.device)
        logits = trained.model(input_ids=ids).logits[0, row["loss_start"] - 1 : -1]
        targets = ids[0, row["loss_start"] :]
        nll.append(torch.nn.functional.cross_entropy(logits, targets, reduction="sum").item())
        tokens += len(targets)
        size += row["bytes"]
    return {"loss": math.fsum(nll) / tokens, "bits_per_byte": math.fsum(nll) / math.log(2) / size}


def classifier_loss(trained, data, split: str) -> dict[str, float]:
    """Return the mean over texts, before any calibration."""
    import torch

    from utils.models.tokenization import context_length
    from utils.training.rows import labeled_rows

    nll = []
    for row in labeled_rows(data, trained.tokenizer, context_length(trained.model), [split])[split]:
        ids = torch.tensor([list(row["input_ids"])], device=trained.model.device)
        target = torch.tensor([row["label"]], device=ids.device)
        nll.append(torch.nn.functional.cross_entropy(trained.model(input_ids=ids).logits, target).item())
    return {"loss": math.fsum(nll) / len(nll)}


if __name__ == "__main__":
    main(*sys.argv[1:])
