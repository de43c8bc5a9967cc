"""Generate with a trained model: texts, with or without prompts, answers to instructions, a chat, or emoji.

python generate.py --model_path models/fine_tuned_model.pt --prompt "Enter your prompt here"
python generate.py --model_path models/fine_tuned_model.pt --num_return_sequences 5 --compare_base
python generate.py --model_path models/alpaca --instruction "Name a color of the input." --input "the evening sky"
python generate.py --model_path models/alpaca --chat
python generate.py --model_path models/emoji --prompt "a cat crying with joy" --num_return_sequences 5
"""

import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from utils import distributed
from utils.argument_types import positive_int
from utils.cli import MODEL_HELP, Parser, run
from utils.errors import EXIT_DONE, UsageError
from utils.files import atomic_write, check_writable
from utils.hugging_face_names import accept_hugging_face_names
from utils.inference.answers import answer_conversations, as_conversations, follows_instructions
from utils.inference.emoji import emoji_for, emoji_lines, emoji_records, writes_emoji
from utils.inference.engines import add_engine_flags, check_engine, check_engine_ranks_emoji, open_text_generators
from utils.inference.generation import Generated
from utils.inference.prompts import check_unicode_argument, continue_prompts, prompts_from_flags
from utils.inference.sampling import add_sampling_flags, sampling_from_flags
from utils.models import checkpoint
from utils.models.base_models import check_present
from utils.models.chat_templates import LENGTHS

log = logging.getLogger("utils.generate")

NOT_FOR_CHAT = ("instruction", "input", "prompt", "prompts_file", "compare_base", "unconstrained", "output_path")


def build_parser() -> Parser:
    """Return the command line of generate.py."""
    parser = Parser(__doc__)
    add = parser.add_argument
    model = f"a trained model (folder or .pt) or a {MODEL_HELP}"
    add("--model_path", metavar="MODEL", default="models/fine_tuned_model.pt", help=model)
    add("--prompt", action="append", default=[], metavar="TEXT", help="the beginning of a text (repeatable)")
    prompts = 'one prompt per line, or .jsonl with {"prompt": "…"} per line; - is stdin, the default where it is piped'
    add("--prompts_file", type=Path, metavar="FILE", help=prompts)
    add("--num_return_sequences", type=positive_int, default=1, metavar="N", help="samples per prompt (default: 1)")
    add_sampling_flags(parser)
    add_engine_flags(parser)
    add("--compare_base", action="store_true", help="also generate with the base model, from the same prompts")
    add("--output_path", type=Path, metavar="FILE.jsonl", help="also write the results to this file, as JSON Lines")
    add("--json", action="store_true", help="print one JSON object per text on stdout")
    add = parser.add_argument_group("models that follow instructions").add_argument
    add("--instruction", action="append", default=[], metavar="TEXT", help="what the model should do (repeatable)")
    add("--input", action="append", default=[], metavar="TEXT", help="the input of an --instruction, one for each")
    add("--system", metavar="TEXT", help="a system message, where the chat template has a place for it")
    add("--length", choices=LENGTHS, help="the length of the answers, where the model was trained with --length_hints")
    add("--chat", action="store_true", help="talk with the model; type /help for more")
    add = parser.add_argument_group("models that write emoji").add_argument
    add("--unconstrained", action="store_true", help="allow every text, and say whether it is an emoji")
    accept_hugging_face_names(parser, output_file="texts.jsonl")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Load the model, then chat, or generate and print the texts."""
    args = build_parser().parse_args(argv)
    sampling_from_flags(args, answers=True)  # UsageError where the flags contradict each other
    check_unicode_argument("system", args.system or "")
    check_chat(args)
    check_engine(args)
    if args.output_path:
        check_writable(args.output_path)
    flags = (args.instruction, args.input, args.prompt, args.prompts_file)
    prompts = [] if args.chat else prompts_from_flags(*flags)

    check_present(str(args.model_path))
    from utils.compute.device import choose_device

    device = choose_device(args.device)
    distributed.initialize(device)
    trained = checkpoint.load_writer(args.model_path)
    emoji = writes_emoji(args, trained, prompts)
    answers = not emoji and follows_instructions(args, trained, prompts)
    sampling = sampling_from_flags(args, answers, {} if emoji else trained.run.get("sampling"))
    if emoji:
        check_engine_ranks_emoji(args)
    name = "tuned" if trained.run else "base"
    models, paths = {name: trained}, {name: args.model_path}
    if args.compare_base:
        base_path = checkpoint.base_model_of(args.model_path, trained.run)
        models, paths = {"base": checkpoint.load(base_path), **models}, {"base": base_path, **paths}
    generators = open_text_generators(args, models, paths, device)
    if args.chat:
        from utils.inference.chat import Dialogue, chat

        chat(Dialogue(trained, sampling, args.system, args.length), args.json)
        return EXIT_DONE

    if emoji:
        count, constrained = args.num_return_sequences, not args.unconstrained
        records = emoji_records(models, prompts, count, constrained=constrained, batch_size=args.batch_size)
        blocks = emoji_lines(records, labelled=args.compare_base)
    else:
        if answers:
            conversations = as_conversations(prompts, args.system)
            asked = [{"prompt": last["content"], "input": last.get("input", "")} for *_, last in conversations]
            texts = answer_conversations(models, conversations, args.length, sampling, generators)
        else:
            asked, texts = continue_prompts(models, trained.run, prompts, sampling, generators)
        records = list(text_records(asked, texts, args.num_return_sequences, args.seed))
        # One text per line is what the next program reads, and classify.py and preprocess.py do.
        by_line = not (answers or args.compare_base or sys.stdout.isatty())
        blocks = map(text_line, records) if by_line else text_blocks(records, labelled=args.compare_base)
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    if args.output_path:
        with atomic_write(args.output_path, "w") as file:
            file.writelines(line + "\n" for line in lines)
        log.info("wrote %d texts to %s", len(lines), args.output_path)
    for line in lines if args.json else blocks:
        print(line, flush=True)  # so that a reader that has gone (head) is noticed at the next line
    return EXIT_DONE


def generate_emoji(text: str, model_path: str = "results", num: int = 1) -> str | list[str]:
    """Return the most likely emoji for a description, or the list of the `num` most likely ones where that is above 1.

    Only the first call loads the model. UserError where it does not write emoji, or the description is empty.
    """
    emoji = emoji_for(text, model_path, num)
    return emoji[0] if num == 1 else emoji


def check_chat(args) -> None:
    """Raise UsageError where --chat comes with several processes, or with flags that it does not support."""
    if not args.chat:
        return
    given = [name for name in NOT_FOR_CHAT if getattr(args, name)]
    given += [name for name in ("num_beams", "num_return_sequences") if (getattr(args, name) or 1) > 1]
    if given:
        raise UsageError(
            f"--chat answers what is typed, one answer at a time, and does not support --{given[0]}",
            f"remove --chat or --{given[0]}; in a chat, /save FILE writes the conversation to a file",
        )
    distributed.require_single_process("--chat")


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


def text_line(record: dict) -> str:
    """Return the full text in one line."""
    return " ".join(record["full_text"].splitlines())


def text_blocks(records: Sequence[dict], labelled: bool) -> Iterator[str]:
    """Yield what people read: the full texts or the answers, with a blank line between them."""
    for number, record in enumerate(records):
        label = f"{record['model']}:\n" if labelled else ""
        yield ("\n" if number else "") + label + record.get("full_text", record["text"])


if __name__ == "__main__":
    sys.exit(run(main, uses_model=True))
