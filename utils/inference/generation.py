"""Texts from a model: many prompts at once, draws that depend on the seed alone, and clean ends of texts."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils import distributed
from utils.inference.sampling import Sampling
from utils.inference.stopping import StopStrings, cut_at_stop, decode_continuation
from utils.models.tokenization import context_length, start_and_end, token_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from transformers.generation.streamers import BaseStreamer

    from utils.inference.requests import Request

BATCH_SIZE = 64
USE_DEFAULT_ENGINE = "use --engine transformers, the default"  # a hint of the other engines


@dataclass(frozen=True)
class Generated:
    """A text without its prompt. `tokens` excludes end-of-text; `finished` is False where the length cut it."""

    text: str
    tokens: int
    finished: bool


# (prompts as token ids, sampling, end=, streamer=) → texts: generate_from_ids or an engine, for a given model.
TextGenerator = Callable[..., list[list[Generated]]]


def generate_texts(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[str],
    sampling: Sampling,
    batch_size: int = BATCH_SIZE,
    progress: str | None = None,
) -> list[list[Generated]]:
    """Return the same as `generate_from_ids`, for prompts as text (already in the model's template)."""
    return generate_from_ids(model, tokenizer, encode_prompts(tokenizer, prompts), sampling, batch_size, progress)


def encode_prompts(tokenizer: "PreTrainedTokenizerBase", prompts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of each prompt, with the start token in front."""
    start = start_and_end(tokenizer)[0]
    return [[start, *ids] for ids in token_ids(tokenizer, prompts)]


def generate_from_ids(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[list[int]],
    sampling: Sampling,
    batch_size: int = BATCH_SIZE,
    progress: str | None = None,
    end: int | None = None,
    streamer: "BaseStreamer | None" = None,
) -> list[list[Generated]]:
    """Return `sampling.num_return_sequences` texts for each prompt, in the order of the prompts.

    Prompts are token ids, the start token included. A draw depends on the seed, the prompt's index and the text's
    number, so neither the batch size nor the other prompts change a text, and a prompt given twice gets two texts. In
    less than float32, batches of other sizes round differently, and texts may differ.

    A prompt that leaves less than max_new_tokens of the context gets the rest; DataError where there is none. A
    text ends with the token `end`, by default end-of-text. `progress` names a bar on stderr (on a terminal only).
    `streamer` gets the tokens of a single text as they are generated, without a bar. Several processes share the texts,
    see `utils.distributed`.
    """
    from utils.compute.onednn_linear import onednn_linear
    from utils.compute.patching import eval_mode
    from utils.inference.continuous_batching import generate_continuously, supports_continuous_batching
    from utils.inference.hf_generate import generate_in_static_batches
    from utils.inference.requests import make_requests

    end = start_and_end(tokenizer)[1] if end is None else end
    requests = distributed.shard(make_requests(prompts, sampling, context_length(model)))
    stop = StopStrings(tokenizer, sampling.stop)
    continuous = sampling.num_beams == 1 and supports_continuous_batching(model)
    generate = generate_continuously if continuous else generate_in_static_batches
    with eval_mode(model), onednn_linear(model):
        finished = generate(model, requests, batch_size, sampling, end, stop, streamer)
        texts = decode_texts(tokenizer, finished, end, sampling, len(requests), None if streamer else progress)
    return group_by_prompt(distributed.gather_dict(texts), len(prompts))


def decode_texts(
    tokenizer: "PreTrainedTokenizerBase",
    finished: Iterable[tuple["Request", list[int]]],
    end: int,
    sampling: Sampling,
    requests: int,
    progress: str | None,
) -> dict[tuple[int, int], list[Generated]]:
    """Return the texts of each request by its index. `finished` yields (request, new ids), as many as `requests`."""
    from tqdm import tqdm

    texts, total = defaultdict(list), requests * sampling.sequences_per_request
    with tqdm(total=total, desc=progress, unit=" texts", leave=False, disable=None if progress else True) as bar:
        for request, new_ids in finished:
            tokens = new_ids.index(end) if end in new_ids else len(new_ids)
            continuation = decode_continuation(tokenizer, request.prompt_ids, new_ids[:tokens])
            text, stopped = cut_at_stop(continuation, sampling.stop)
            texts[request.index].append(Generated(text, tokens, finished=stopped or end in new_ids))
            bar.update()
    return texts


def group_by_prompt(texts: dict[tuple[int, int], list[Generated]], prompts: int) -> list[list[Generated]]:
    """Return the texts of each prompt, in order, from those of each request by its index."""
    groups = [[] for _ in range(prompts)]
    for index in sorted(texts):
        groups[index[0]] += texts[index]
    return groups
