"""The parts that our opponents share: flags, and the same base model, rows and frozen parameters as ours."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SEED = 42


@dataclass(frozen=True)
class Opened:
    """A base model in float32, frozen except its last blocks, and the rows of `utils.training.rows`."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    rows: list[dict]
    validation_rows: list[dict]
    classifies: bool


def preprocessing_parser(description: str) -> argparse.ArgumentParser:
    """Return the command line of an opponent of preprocess.py."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--output_path", type=Path, required=True)
    return parser


def training_parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser of flags with the same names and meanings as those of fine_tune.py."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--output_path", type=Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--learning_rate", type=float, default=5e-4)
    parser.add_argument("--unfreeze_last", type=int)
    parser.add_argument("--seed", type=int, default=SEED)
    return parser


def best_epoch_settings(batch_size: int) -> dict:
    """Return the arguments of a Trainer that keeps its best epoch, in as little time as possible."""
    return {
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "save_only_model": True,  # and not what resuming needs
        "save_total_limit": 1,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "per_device_eval_batch_size": batch_size,
        "prediction_loss_only": True,  # otherwise it gathers all logits
    }


def open_training(args: argparse.Namespace) -> Opened:
    """Load the base model and encode the rows to the same token ids as ours, so that all have the same work."""
    import torch

    from utils.models import checkpoint
    from utils.models.tokenization import context_length
    from utils.processed import load_processed
    from utils.training.freezing import freeze_classifier_parameters, freeze_parameters
    from utils.training.rows import labeled_rows, training_rows

    torch.manual_seed(args.seed)
    data = load_processed(args.data)
    classifies = data.recipe["kind"] == "classify"
    if classifies:
        base = checkpoint.load_base_classifier(args.model, data.recipe["labels"], args.seed)
        freeze_classifier_parameters(base.model, args.unfreeze_last)
    else:
        base = checkpoint.load(args.model)
        freeze_parameters(base.model, args.unfreeze_last, train_head=False)
    encode = labeled_rows if classifies else training_rows
    base.model.set_attn_implementation("sdpa")  # transformers' default, which our own replaces
    rows = encode(data, base.tokenizer, context_length(base.model), ["train", "validation"])
    return Opened(base.model, base.tokenizer, rows["train"], rows["validation"], classifies)


def save(opened: Opened, folder: Path) -> None:
    """Write a folder that any tool can open."""
    opened.model.save_pretrained(folder)
    opened.tokenizer.save_pretrained(folder)
