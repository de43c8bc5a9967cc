"""Classifiers that fine_tune.py did not train: encoded and scored as their makers' `pipeline` does, one text alone.

Trials find out what changes a text's scores in a batch: padding, a second text, or neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy
import torch

from utils.compute.batching import Batching
from utils.compute.forward import find_batching, last_token_outputs

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TEXTS = ("a text", "another text, which is longer: it fills more than one line of an average book, or of a letter")


@dataclass(frozen=True)
class MakersPipeline:
    """The steps of `pipeline("text-classification", …)` with a model and its tokenizer."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    function: str  # "softmax", "sigmoid" or "none"
    batching: Batching

    def encode(self, texts: Sequence[str], max_length: int) -> tuple[list[dict], int]:
        """Return (the inputs of each text, cut to `max_length` tokens; how many were too long)."""
        rows = _encode(self.tokenizer, texts)
        too_long = [number for number, row in enumerate(rows) if len(row["input_ids"]) > max_length]
        cut = _encode(self.tokenizer, [texts[number] for number in too_long], truncation=True, max_length=max_length)
        for number, row in zip(too_long, cut, strict=True):
            rows[number] = row
        return rows, len(too_long)

    def logits(self, rows: Sequence[dict], **options) -> numpy.ndarray:
        """Return the model's logits for rows of `encode`: (texts, labels) float64.

        The options are those of `forward.forward_in_batches`.
        """
        options["batching"] = self.batching
        return last_token_outputs(self.model, rows, self.collate, self.model.config.num_labels, **options)

    def collate(self, rows: Sequence[dict]) -> dict[str, torch.Tensor]:
        """Return rows of `encode` as a batch, padded as the tokenizer does."""
        several = len({len(row["input_ids"]) for row in rows}) > 1
        return dict(self.tokenizer.pad(list(rows), padding=several, return_tensors="pt", verbose=False))


def makers_pipeline(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", max_length: int) -> MakersPipeline:
    """Return the pipeline of a classifier that fine_tune.py did not train."""
    tokenizer.deprecation_warnings["Asking-to-pad-a-fast-tokenizer"] = True
    alone = MakersPipeline(model, tokenizer, output_function(model.config), Batching(padding=False, most_rows=1))
    if model.config.is_encoder_decoder:
        return alone  # these refuse batches by what is in the texts: all must have the same number of end tokens
    rows, _ = alone.encode(TEXTS, max_length)
    return replace(alone, batching=find_batching(model, rows, alone.collate))


def output_function(config) -> str:
    """Return the function that transformers' TextClassificationPipeline applies to the logits."""
    if config.problem_type == "regression":
        return "none"
    several_at_once = config.problem_type == "multi_label_classification" or config.num_labels == 1
    return "sigmoid" if several_at_once else "softmax"


def _encode(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], **options) -> list[dict]:
    if not texts:
        return []
    encoded = tokenizer(list(texts), verbose=False, **options)
    return [dict(zip(encoded, values, strict=True)) for values in zip(*encoded.values(), strict=True)]
