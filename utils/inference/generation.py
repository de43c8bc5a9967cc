"""Texts from a model: many at once, draws that depend on the seed alone, texts that end cleanly."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils import distributed
from utils.errors import DataError
from utils.inference.sampling import Sampling
from utils.inference.stopping import StopStrings, before_stop, continuation
from utils.models.tokenization import context_length, start_and_end, token_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from transformers.generation.streamers import BaseStreamer

    from utils.inference.continuous_batching import GenerationRow

BATCH_SIZE = 64


@dataclass(frozen=True)
class Generated:
    """A text without its prompt. `tokens` leaves end-of-text out; `finished`: it was not cut by the length."""

    text: str
    tokens: int
    finished: bool


def generate_texts(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[str],
    sampling: Sampling,
    batch_size: int = BATCH_SIZE,
    progress: str | None = None,
) -> list[list[Generated]]:
    """`sampling.num_return_sequences` texts for each prompt (already in the model's template), in the order given.

    As `generate_from_ids`, which see.
    """
    ids = prompt_ids(tokenizer, prompts)
    return generate_from_ids(model, tokenizer, ids, sampling, batch_size, progress)


def prompt_ids(tokenizer: "PreTrainedTokenizerBase", prompts: Sequence[str]) -> list[list[int]]:
    """The ids of each prompt from the start token on."""
    start = start_and_end(tokenizer)[0]
    return [[start, *prompt] for prompt in token_ids(tokenizer, prompts)]


def generate_from_ids(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    ids: Sequence[list[int]],
    sampling: Sampling,
    batch_size: int = BATCH_SIZE,
    progress: str | None = None,
    end: int | None = None,
    streamer: "BaseStreamer | None" = None,
) -> list[list[Generated]]:
    """`sampling.num_return_sequences` texts for each prompt, given as ids from the start token on, in the order given.

    What is drawn depends on the seed, the prompt's place in `ids` and the number of the text, so neither the batch size
    nor the other prompts change a text, and a prompt given twice gets two texts. In less than float32, batches of other
    sizes round differently, and so do the texts.

    A prompt that leaves less than max_new_tokens of the context gets what is left; DataError where that is
    nothing. `progress` names a bar on stderr (on a terminal only). A text ends with the token `end`, by default
    end-of-text. `streamer` gets the tokens of a single text as they are written. Several processes share the texts,
    see `utils.distributed`.
    """
    from tqdm import tqdm

    from utils.compute.onednn_linear import onednn_linear
    from utils.inference.continuous_batching import supports_continuous_batching, write_continuously
    from utils.inference.hf_generate import write_in_whole_batches
    from utils.inference.sampler import next_tokens

    end = start_and_end(tokenizer)[1] if end is None else end
    rows = distributed.shard(rows_to_write(ids, sampling, context_length(model)))
    stop = StopStrings(tokenizer, sampling.stop)
    results = {row.number: [] for row in rows}

    def done(row: "GenerationRow", new: list[int]) -> None:
        results[row.number].append(generated(tokenizer, row.prompt, new, end, sampling.stop))
        bar.update()

    was_training = model.training
    model.eval()
    total = len(rows) * (sampling.num_return_sequences if sampling.num_beams > 1 else 1)
    try:
        bar = tqdm(total=total, desc=progress, unit=" texts", disable=None if progress else True)
        with bar, onednn_linear(model):
            if sampling.num_beams > 1 or not supports_continuous_batching(model):
                write_in_whole_batches(model, rows, batch_size, sampling, end, stop, done, streamer)
            else:
                write_continuously(
                    model,
                    rows,
                    batch_size,
                    lambda scores, rows: next_tokens(
                        scores,
                        sampling,
                        end,
                        [row.prompt for row in rows],
                        [row.new for row in rows],
                        [row.key for row in rows],
                    ),
                    lambda row: row.new[-1] == end or stop(row.prompt, row.new),
                    lambda row: done(row, row.new),
                    streamer,
                )
    finally:
        model.train(was_training)
    return in_order(distributed.gather_dict(results), len(ids))


def in_order(results: dict[tuple[int, int], list[Generated]], prompts: int) -> list[list[Generated]]:
    """The texts of each prompt, of which `results` has those of each row by its number (prompt, sequence)."""
    texts = [[] for _ in range(prompts)]
    for row in sorted(results):
        texts[row[0]] += results[row]
    return texts


def rows_to_write(ids: Sequence[list[int]], sampling: Sampling, context: int) -> list["GenerationRow"]:
    """A row for each text, the longest prompts first; with beams for each prompt, whose texts are found together.

    DataError where a prompt fills the context.
    """
    from utils.inference.continuous_batching import GenerationRow
    from utils.inference.sampler import row_keys

    room = [min(sampling.max_new_tokens, left) for left in _room_in_context(ids, context)]
    rows_a_prompt = sampling.num_return_sequences if sampling.num_beams == 1 else 1
    numbers = [(prompt, sequence) for prompt in range(len(ids)) for sequence in range(rows_a_prompt)]
    numbers.sort(key=lambda number: -len(ids[number[0]]))
    keys = row_keys(sampling.seed, numbers)
    return [
        GenerationRow(number, ids[number[0]], room[number[0]], key) for number, key in zip(numbers, keys, strict=True)
    ]


def _room_in_context(ids: Sequence[list[int]], context: int) -> Iterator[int]:
    """The number of tokens that the context has left after each prompt."""
    for number, prompt in enumerate(ids, start=1):
        if len(prompt) >= context:
            raise DataError(
                f"prompt {number} has {len(prompt):,} tokens with the start token, and the model's context of "
                f"{context:,} must hold at least one more",
                "shorten the prompt, or use a model with a longer context",
            )
        yield context - len(prompt)


def generated(
    tokenizer: "PreTrainedTokenizerBase", prompt: list[int], new: list[int], end: int, stop: tuple[str, ...]
) -> Generated:
    """The text of the ids `new`, which may go on behind its end."""
    tokens = new.index(end) if end in new else len(new)
    text, stopped = before_stop(continuation(tokenizer, prompt, new[:tokens]), stop)
    return Generated(text, tokens, finished=stopped or end in new)


# (ids of prompts, sampling, end=) → texts: what is left of generation.generate_from_ids for a given model.
Writer = Callable[..., list[list[Generated]]]
