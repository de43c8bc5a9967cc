"""Texts from a model: prompts in batches by length, draws that depend on the seed alone, texts that end cleanly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils import processes
from utils.encoding import context_length, start_and_end, token_ids
from utils.errors import DataError
from utils.sampling import Sampler, Sampling, row_keys

if TYPE_CHECKING:
    import torch
    from transformers import LogitsProcessor, PreTrainedModel, PreTrainedTokenizerBase
    from transformers.generation.streamers import BaseStreamer

REPLACEMENT = "\ufffd"  # what bytes that are no whole character decode to


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
    batch_size: int = 32,
    progress: str | None = None,
) -> list[list[Generated]]:
    """`sampling.num_return_sequences` texts for each prompt (already in the model's template), in the order given.

    As `generate_from_ids`, which see.
    """
    start = start_and_end(tokenizer)[0]
    ids = [[start, *prompt] for prompt in token_ids(tokenizer, prompts)]
    return generate_from_ids(model, tokenizer, ids, sampling, batch_size, progress)


def generate_from_ids(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    ids: Sequence[list[int]],
    sampling: Sampling,
    batch_size: int = 32,
    progress: str | None = None,
    end: int | None = None,
    streamer: "BaseStreamer | None" = None,
) -> list[list[Generated]]:
    """`sampling.num_return_sequences` texts for each prompt, given as ids from the start token on, in the order given.

    What is drawn depends on the seed, the prompt's place among `prompts` and the number of the text, so neither
    the batch size nor the other prompts change a text, and a prompt given twice gets two texts. The model should
    be in float32: in less, batches of other sizes round differently.

    A prompt that leaves less than max_new_tokens of the context gets what is left; DataError where that is
    nothing. `progress` names a bar on stderr (on a terminal only). A text ends with the token `end`, by default
    end-of-text. `streamer` gets the tokens of a single text as they are written. Several processes share the texts,
    see `utils.processes`.
    """
    from tqdm import tqdm

    end = start_and_end(tokenizer)[1] if end is None else end
    prompts = range(len(ids))
    room = [min(sampling.max_new_tokens, left) for left in _room_in_context(ids, context_length(model))]
    # Beam search finds a prompt's texts together; otherwise each text is a row of its own.
    rows_a_prompt = sampling.num_return_sequences if sampling.num_beams == 1 else 1
    rows = processes.share([(prompt, sequence) for prompt in prompts for sequence in range(rows_a_prompt)])
    texts_a_row = sampling.num_return_sequences // rows_a_prompt

    found = {row: [] for row in rows}
    was_training = model.training
    model.eval()
    total = len(rows) * texts_a_row
    try:
        with tqdm(total=total, desc=progress, unit=" texts", disable=None if progress else True) as bar:
            for batch in _batches(rows, ids, room, max(1, batch_size // sampling.num_beams)):
                limit = room[batch[0][0]]
                batch_ids = [ids[prompt] for prompt, _ in batch]
                texts = _generate_batch(model, tokenizer, batch_ids, batch, limit, sampling, end, streamer)
                for number, text in enumerate(texts):
                    found[batch[number // texts_a_row]].append(text)
                bar.update(len(texts))
    finally:
        model.train(was_training)
    found = processes.united(found)
    return [[text for row in range(rows_a_prompt) for text in found[prompt, row]] for prompt in prompts]


def _room_in_context(ids: list[list[int]], context: int) -> Iterator[int]:
    """The number of tokens that the context has left after each prompt."""
    for number, prompt in enumerate(ids, start=1):
        if len(prompt) >= context:
            raise DataError(
                f"prompt {number} has {len(prompt):,} tokens with the start token, and the model's context of "
                f"{context:,} must hold at least one more",
                "shorten the prompt, or use a model with a longer context",
            )
        yield context - len(prompt)


def _batches(rows, ids, room, size) -> Iterator[list[tuple[int, int]]]:
    """Rows (prompt, sequence) in batches of similar length, the longest first, each with one limit on new tokens."""
    batch = []
    for row in sorted(rows, key=lambda row: -len(ids[row[0]])):
        if batch and (len(batch) == size or room[row[0]] != room[batch[0][0]]):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _generate_batch(
    model, tokenizer, prompts, rows, max_new_tokens, sampling: Sampling, end: int, streamer
) -> list[Generated]:
    import torch
    from transformers import GenerationConfig, NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor

    width = max(len(prompt) for prompt in prompts)
    padding = torch.tensor([width - len(prompt) for prompt in prompts])
    input_ids = torch.tensor([[end] * (width - len(prompt)) + prompt for prompt in prompts])
    attention_mask = (torch.arange(width) >= padding[:, None]).long()

    processors = []
    if sampling.repetition_penalty != 1:
        # Writing end-of-text repeats nothing, although it is the start token of many models, and the padding here.
        ignored = (padding + 1).repeat_interleave(sampling.num_beams)
        processors.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty, prompt_ignore_length=ignored))
    if sampling.no_repeat_ngram_size:
        processors.append(_NewTokensAlone(NoRepeatNGramLogitsProcessor(sampling.no_repeat_ngram_size), width))
    if sampling.draws:
        processors.append(Sampler(sampling, row_keys(sampling.seed, rows).to(model.device), width))
    criteria = [_StopStrings(tokenizer, sampling.stop, width)] if sampling.stop else []
    config = GenerationConfig(
        do_sample=False,  # Sampler leaves one token to choose
        num_beams=sampling.num_beams,
        num_return_sequences=sampling.num_return_sequences if sampling.num_beams > 1 else 1,
        max_new_tokens=max_new_tokens,
        min_new_tokens=min(sampling.min_new_tokens, max_new_tokens),
        eos_token_id=end,
        pad_token_id=end,
        use_cache=True,
        # What is not said here is taken from the model's own generation_config.json.
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
    )
    output = model.generate(
        input_ids=input_ids.to(model.device),
        attention_mask=attention_mask.to(model.device),
        generation_config=config,
        logits_processor=processors,
        stopping_criteria=criteria,
        streamer=streamer,
    ).cpu()
    new_ids = output[:, width:].tolist()
    return [
        _ended(text, new, end, sampling.stop)
        for text, new in zip(_continuations(tokenizer, output, width), new_ids, strict=True)
    ]


def _ended(text: str, new_ids: list[int], end: int, stop: tuple[str, ...]) -> Generated:
    """The text up to its first stop string, without the bytes of a character that was not written to its end."""
    tokens = new_ids.index(end) if end in new_ids else len(new_ids)  # a text that stopped is padded with `end`
    stops = [text.index(string) for string in stop if string in text]
    text = text[: min(stops, default=None)].rstrip(REPLACEMENT)
    return Generated(text, tokens, finished=bool(stops) or end in new_ids)


def _continuations(tokenizer, rows: "torch.Tensor", width: int) -> list[str]:
    """What stands after the first `width` ids of each row.

    Decoded with the prompt in front: SentencePiece models drop the blank at the start of what they decode.
    """
    options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    prompts = tokenizer.batch_decode(rows[:, :width], **options)
    texts = tokenizer.batch_decode(rows, **options)
    return [text[len(prompt) :] for text, prompt in zip(texts, prompts, strict=True)]


@dataclass(frozen=True)
class _NewTokensAlone:
    """A logits processor that sees nothing of the prompts: an answer may well repeat what it is asked about."""

    processor: "LogitsProcessor"
    width: int

    def __call__(self, input_ids: "torch.Tensor", scores: "torch.Tensor") -> "torch.Tensor":
        return self.processor(input_ids[:, self.width :], scores)


@dataclass(frozen=True)
class _StopStrings:
    """A stopping criterion of `generate`: the row's new text holds one of the strings.

    transformers' own one also counts a string that begins in the prompt.
    """

    tokenizer: "PreTrainedTokenizerBase"
    strings: tuple[str, ...]
    width: int

    def __call__(self, input_ids: "torch.Tensor", scores: object, **_: object) -> "torch.Tensor":
        import torch

        texts = _continuations(self.tokenizer, input_ids, self.width)
        found = [any(string in text for string in self.strings) for text in texts]
        return torch.tensor(found, device=input_ids.device)
