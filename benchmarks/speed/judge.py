"""How good a model is that some side has trained: the loss on a split, in float32, one text at a time.

python -m benchmarks.speed.judge MODEL DATA.pkl validation
"""

import json
import math
import sys
from pathlib import Path


def main(model_path: str, data_path: str, split: str) -> None:
    """Print {"loss": nats a token or text} and, of a model that writes, its {"bits_per_byte"}."""
    import torch

    from utils.compute.device import choose_device
    from utils.models import checkpoint
    from utils.processed import load_processed

    trained, data = checkpoint.load(model_path), load_processed(Path(data_path))
    trained.model.to(choose_device("auto"))
    judge = of_classifier if data.recipe["kind"] == "classify" else of_writer
    with torch.inference_mode():
        print(json.dumps(judge(trained, data, split)))


def of_writer(trained, data, split: str) -> dict[str, float]:
    """Totals over the split divided by its tokens and bytes."""
    import torch

    from utils.models.tokenization import context_length
    from utils.training.rows import training_rows

    nats, tokens, size = [], 0, 0
    for row in training_rows(data, trained.tokenizer, context_length(trained.model), [split])[split]:
        ids = torch.tensor([list(row["input_ids"])], device=trained.model.device)
        logits = trained.model(input_ids=ids).logits[0, row["loss_start"] - 1 : -1]
        targets = ids[0, row["loss_start"] :]
        nats.append(torch.nn.functional.cross_entropy(logits, targets, reduction="sum").item())
        tokens += len(targets)
        size += row["bytes"]
    return {"loss": math.fsum(nats) / tokens, "bits_per_byte": math.fsum(nats) / math.log(2) / size}


def of_classifier(trained, data, split: str) -> dict[str, float]:
    """The mean over texts, before any calibration."""
    import torch

    from utils.models.tokenization import context_length
    from utils.training.rows import labelled_rows

    nats = []
    for row in labelled_rows(data, trained.tokenizer, context_length(trained.model), [split])[split]:
        ids = torch.tensor([list(row["input_ids"])], device=trained.model.device)
        target = torch.tensor([row["label"]], device=ids.device)
        nats.append(torch.nn.functional.cross_entropy(trained.model(input_ids=ids).logits, target).item())
    return {"loss": math.fsum(nats) / len(nats)}


if __name__ == "__main__":
    main(*sys.argv[1:])
