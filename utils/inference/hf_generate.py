"""Static batches through transformers' own `generate`: for beam search, and for models without continuous batching."""

import logging
from collections.abc import Iterator, Sequence

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import GenerationConfig, PreTrainedModel
from transformers.generation.streamers import BaseStreamer

from utils.inference.requests import Request, static_batches
from utils.inference.sampler import adjust_logits, sample_tokens
from utils.inference.sampling import Sampling
from utils.inference.stopping import StopStrings


def generate_in_static_batches(
    model: PreTrainedModel,
    requests: Sequence[Request],
    batch_size: int,
    sampling: Sampling,
    end: int,
    stop: StopStrings,
    streamer: BaseStreamer | None = None,
) -> Iterator[tuple[Request, list[int]]]:
    """Yield (request, its new ids) for each text: with beams, a request gives num_return_sequences of them.

    Consecutive requests should have similar lengths. The ids may continue after `end`, with padding.
    """
    batches = static_batches(requests, max(1, batch_size // sampling.num_beams), lambda request: request.max_new_tokens)
    for batch in batches:
        for number, new_ids in enumerate(_generate(model, batch, sampling, end, stop, streamer)):
            yield batch[number // sampling.sequences_per_request], new_ids


def pad_left(prompts: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Return input_ids and attention_mask, padded on the left to the longest prompt: (prompts, length) int64."""
    ids = [torch.tensor(prompt) for prompt in prompts]
    options = {"batch_first": True, "padding_side": "left"}
    input_ids = pad_sequence(ids, padding_value=pad_id, **options)
    attention_mask = pad_sequence([torch.ones_like(each) for each in ids], **options)
    return {"input_ids": input_ids.to(device), "attention_mask": attention_mask.to(device)}


def generation_config(end: int, max_new_tokens: int, **options) -> GenerationConfig:
    """Return deterministic settings; unset ones come from the model's own generation_config.json."""
    neutral = {"do_sample": False, "min_new_tokens": 0, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0}
    options |= {"max_new_tokens": max_new_tokens, "eos_token_id": end, "pad_token_id": end, "use_cache": True}
    return GenerationConfig(**neutral, **options)


def generate(model: PreTrainedModel, inputs: dict[str, torch.Tensor], config: GenerationConfig, **options):
    """Return the result of `model.generate` for the inputs of `pad_left`.

    It drops a mask without padding, and the model then warns that there is none where a prompt begins with the token
    for padding: that warning is not shown.
    """
    logger = logging.getLogger("transformers.modeling_utils")
    logger.addFilter(_is_not_about_masks)
    try:
        return model.generate(**inputs, generation_config=config, **options)
    finally:
        logger.removeFilter(_is_not_about_masks)


def _is_not_about_masks(record: logging.LogRecord) -> bool:
    return "passing in an `attention_mask`" not in record.getMessage()


def _generate(
    model, batch: list[Request], sampling: Sampling, end: int, stop: StopStrings, streamer: BaseStreamer | None
) -> list[list[int]]:
    """Return the new ids of each text."""
    inputs = pad_left([request.prompt_ids for request in batch], end, model.device)
    width = inputs["input_ids"].shape[1]

    def so_far(input_ids: torch.Tensor) -> tuple[list[list[int]], list[list[int]]]:
        """Return (the prompt, the new ids) of each row; beam search has several rows for each prompt."""
        generated = input_ids[:, width:].tolist()
        beams = len(generated) // len(batch)
        return [request.prompt_ids for request in batch for _ in range(beams)], generated

    def adjust(input_ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Leave one token to choose where tokens are drawn, as sampler.choose_tokens does it."""
        prompts, generated = so_far(input_ids)
        adjust_logits(logits, sampling, end, prompts, generated)
        if not sampling.draws:
            return logits
        drawn = sample_tokens(logits, sampling, [request.key for request in batch], [len(ids) for ids in generated])
        return torch.full_like(logits, -torch.inf).scatter_(1, drawn[:, None], 0.0)

    def has_stopped(input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        """Stop at stop strings. transformers' own criterion also counts a string that begins in the prompt."""
        stopped = [stop(prompt, ids) for prompt, ids in zip(*so_far(input_ids), strict=True)]
        return torch.tensor(stopped, device=input_ids.device)

    options = {"num_beams": sampling.num_beams, "num_return_sequences": sampling.sequences_per_request}
    config = generation_config(end, batch[0].max_new_tokens, **options)
    stopping = [has_stopped] if sampling.stop else []
    output = generate(model, inputs, config, logits_processor=[adjust], stopping_criteria=stopping, streamer=streamer)
    return output[:, width:].tolist()
