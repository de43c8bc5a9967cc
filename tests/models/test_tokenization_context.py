"""The maximum length of a text: the model's own limit, for every architecture."""

import sys

import pytest
import torch
from architectures import ENCODERS, ONLY_WRITERS, POSITIONS, WRITERS, random_base

from utils.models.tokenization import context_length, longest_text

UNLIMITED = {"bloom", "mamba", "xlnet"}
# They would take longer texts, with positions that no text had in their training.
COMPUTED_POSITIONS = {
    *("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi", "phi3", "gpt_neox", "falcon"),
    *("stablelm", "starcoder2", "olmo2", "granite", "smollm3", "cohere", "xglm", "modernbert", "funnel"),
}


def takes(model, length: int) -> bool:
    ids = torch.full((1, length), 9)
    try:
        with torch.inference_mode():
            return bool(model(ids)[0].isfinite().all())
    except (IndexError, RuntimeError):
        return False


@pytest.mark.parametrize("name", [*WRITERS, *ONLY_WRITERS, *ENCODERS])
def test_the_context_is_as_long_as_the_model_takes(name):
    model, _ = random_base(name)
    length = context_length(model)
    if name in UNLIMITED:
        assert length == sys.maxsize
        assert takes(model, 3 * POSITIONS)
        return
    assert length == (300 if name == "xglm" else POSITIONS)
    assert takes(model, length)
    assert takes(model, length + 1) == (name in COMPUTED_POSITIONS)


@pytest.mark.parametrize("padding", [0, 1, 5])
@pytest.mark.parametrize("name", ["roberta", "xlm-roberta", "camembert"])
def test_positions_of_roberta_start_after_its_padding_index(name, padding):
    model, _ = random_base(name, pad_token_id=padding, max_position_embeddings=40)
    assert context_length(model) == 39 - padding
    assert takes(model, 39 - padding)
    assert not takes(model, 40 - padding)


def test_a_text_to_classify_is_no_longer_than_the_tokenizer_says():
    model, tokenizer = random_base("bert")
    lengths = []
    for tokenizer.model_max_length in (20, 500, int(1e30)):  # the last is what transformers sets without a limit
        lengths.append(longest_text(model, tokenizer))
    assert lengths == [20, POSITIONS, POSITIONS]
