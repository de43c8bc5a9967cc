"""The results of generate.py: one JSON object per text, from prompts and the flags of its command line."""

import json
import logging
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from utils import distributed
from utils.files import atomic_write, check_apart
from utils.inference.answers import (
    answer_conversations,
    as_conversations,
    follows_instructions,
    what_needs_answers,
)
from utils.inference.emoji import emoji_records, writes_emoji
from utils.inference.engines import check_engine_ranks_emoji, open_text_generators
from utils.inference.generation import Generated
from utils.inference.prompts import Prompt, continue_prompts
from utils.inference.sampling import sampling_from_flags
from utils.models import checkpoint
from utils.models.base_models import check_present
from utils.models.checkpoint import Trained
from utils.tasks.kinds import GENERATE, INSTRUCT

if TYPE_CHECKING:
    from utils.inference.ctranslate2.kept import Converted

log = logging.getLogger(__name__)


def write_records(
    args: Namespace, prompts: Sequence[Prompt], load: "Callable[[str], Trained | Converted]"
) -> list[dict]:
    """Return one JSON object per text, also written to --output_path; `load` opens the model."""
    device = prepare_device(args)
    trained = load(args.model_path)
    emoji = writes_emoji(args, trained, prompts)
    answers = not emoji and follows_instructions(args, trained, prompts)
    sampling = sampling_from_flags(args, answers, {} if emoji else trained.run.get("sampling"))
    if emoji:
        check_engine_ranks_emoji(args)
    name = "tuned" if trained.run else "base"
    models, paths = {name: trained}, {name: args.model_path}
    if args.compare_base:
        base_path = args.base_model or checkpoint.base_model_of(args.model_path, trained.run)
        if args.output_path:
            check_apart(args.output_path, checkpoint.files_of_model(base_path))
        models, paths = {"base": checkpoint.load(base_path), **models}, {"base": base_path, **paths}
    generators = open_text_generators(args, models, paths, device)
    if emoji:
        count, constrained = args.num_return_sequences, not args.unconstrained
        records = emoji_records(models, prompts, count, constrained=constrained, batch_size=args.batch_size)
    elif answers:
        conversations = as_conversations(prompts, args.system)
        asked = [{"prompt": last["content"], "input": last.get("input", "")} for *_, last in conversations]
        texts = answer_conversations(models, conversations, args.length, sampling, generators)
        records = list(text_records(asked, texts, args.num_return_sequences, args.seed))
    else:
        asked, texts = continue_prompts(models, trained.run, prompts, sampling, generators)
        records = list(text_records(asked, texts, args.num_return_sequences, args.seed))
    if args.output_path:
        with atomic_write(args.output_path, "w") as file:
            file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        log.info("wrote %d texts to %s", len(records), args.output_path)
    return records


def open_kept_model(args: Namespace, prompts: Sequence[Prompt]) -> "Converted | None":
    """Return the model as CTranslate2 kept it, where that is all that the flags need."""
    if args.engine != "ctranslate2" or args.compare_base:
        return None

    from utils.inference.ctranslate2.kept import open_kept

    kept = open_kept(str(args.model_path))
    kind = kept.run.get("kind", GENERATE.name) if kept else None
    if kind == INSTRUCT.name or (kind == GENERATE.name and what_needs_answers(args, prompts)):
        return kept if kept.chat_template else None
    return kept if kind == GENERATE.name else None


def prepare_device(args: Namespace) -> str:
    """Return the device that the flags ask for, with the other processes connected. UserError without the model."""
    check_present(str(args.model_path))
    if args.engine == "ctranslate2":
        return "cpu"

    from utils.compute.device import choose_device

    device = choose_device(args.device)
    distributed.initialize(device)
    return device


def text_records(
    prompts: Sequence[dict], texts: Mapping[str, list[list[Generated]]], sequences: int, seed: int
) -> Iterator[dict]:
    """Yield one JSON object per text; those from one prompt, of all models, follow each other."""
    for prompt_index, prompt in enumerate(prompts):
        for sequence_index in range(sequences):
            for model, lists in texts.items():
                generated = lists[prompt_index][sequence_index]
                full_text = {} if "input" in prompt else {"full_text": prompt["prompt"] + generated.text}
                indices = {"prompt_index": prompt_index, "sequence_index": sequence_index}
                yield {**prompt, **asdict(generated), **full_text, "model": model, **indices, "seed": seed}
