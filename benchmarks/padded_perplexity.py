"""The perplexity of an instruction model, computed over the answers and as a padded recipe computes it.

python benchmarks/padded_perplexity.py models/alpaca data/alpaca.pkl

Many notebooks pad every text to one width with end-of-text, and include prompts and padding in the loss. This prints
the perplexity on the test split over the answers alone, over prompts and answers, and over all positions of each
width: for a model that has learned to predict padding after the end, at no loss, and for the given model.
"""

import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import torch
from tqdm import tqdm

from utils.compute.batching import pad_rows
from utils.compute.likelihood import score_texts
from utils.models import checkpoint
from utils.models.tokenization import context_length, start_and_end
from utils.processed import load_processed
from utils.training.rows import training_rows

WIDTHS = (128, 256, 512)
BATCH_SIZE = 4


def main(model_path: str, data_path: str) -> None:
    """Print one line per definition of perplexity."""
    trained, data = checkpoint.load(model_path), load_processed(Path(data_path))
    rows = training_rows(data, trained.tokenizer, context_length(trained.model), ["test"])["test"]
    print("perplexity over")
    show("the answers", *totals(trained.model, rows))
    show("prompts and answers", *totals(trained.model, [{**row, "loss_start": 1} for row in rows]))
    for width in WIDTHS:
        cut = [{**row, "input_ids": row["input_ids"][:width], "loss_start": 1} for row in rows]
        positions = len(rows) * (width - 1)
        show(f"all {width} positions, padding learned", totals(trained.model, cut)[0], positions)
        show(f"all {width} positions, this model", *padded_totals(trained, rows, width))


def show(what: str, nll: float, tokens: int) -> None:
    """Print one line: the included tokens' name, perplexity, tokens."""
    print(f"{what:<38} {math.exp(nll / tokens):>8.2f}   {tokens:>9,} tokens", flush=True)


def totals(model, rows: list[dict]) -> tuple[float, int]:
    """Return (nll, tokens) of the supervised tokens."""
    scores = score_texts(model, rows, progress="scoring")
    return math.fsum(scores.nll), sum(scores.tokens)


def padded_totals(trained, rows: list[dict], width: int) -> tuple[float, int]:
    """Return (nll, tokens) over all positions of rows cut or padded with end-of-text to `width`."""
    end = start_and_end(trained.tokenizer)[1]
    nll, tokens = 0.0, 0
    for first in tqdm(range(0, len(rows), BATCH_SIZE), desc=f"padded to {width}", leave=False, disable=None):
        batch = pad_rows([{"input_ids": row["input_ids"][:width]} for row in rows[first : first + BATCH_SIZE]], end)
        ids, mask = (torch.nn.functional.pad(batch[name], (0, width - batch[name].shape[1])) for name in batch)
        ids[mask == 0] = end
        with torch.inference_mode():
            logits = trained.model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
        nll += torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="sum").item()
        tokens += ids[:, 1:].numel()
    return nll, tokens


if __name__ == "__main__":
    main(*sys.argv[1:])
