"""Write with a trained model: texts from prompts or from nothing, answers to instructions, a chat, or emoji.

python generate.py --model_path models/fine_tuned_model.pt --prompt "Enter your prompt here"
python generate.py --model_path models/fine_tuned_model.pt --num_return_sequences 5 --compare_base
python generate.py --model_path models/alpaca --instruction "Name a colour of the input." --input "the evening sky"
python generate.py --model_path models/alpaca --chat
python generate.py --model_path models/emoji --prompt "a cat crying with joy" --num_return_sequences 5
"""

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from utils import distributed
from utils.cli import MODEL_HELP, Parser, positive_int, run
from utils.errors import EXIT_DONE, UsageError
from utils.files import atomic_write, check_writable
from utils.inference.emoji import emoji_for, emoji_lines, emoji_records, writes_emoji
from utils.inference.engines import add_engine_flags, check_engine, check_engine_fits_kind, open_writers
from utils.inference.flags import add_sampling_flags, sampling_from_flags, with_task_defaults
from utils.inference.prompts import (
    answer_conversations,
    as_conversations,
    check_unicode_argument,
    clean_prompts,
    follows_instructions,
    prompts_from_flags,
)
from utils.inference.sampling import Sampling
from utils.models import checkpoint
from utils.models.chat_templates import LENGTHS
from utils.models.tokenization import apply_template

if TYPE_CHECKING:
    from utils.inference.generation import Generated, Writer
    from utils.models.checkpoint import Trained

log = logging.getLogger("utils.generate")

NOT_IN_CHATS = ("instruction", "input", "prompt", "prompts_file", "compare_base", "unconstrained", "output_path")


def build_parser() -> Parser:
    """The command line of generate.py."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add(
        "--model_path", default="models/fine_tuned_model.pt", help=f"a trained model (folder or .pt), or a {MODEL_HELP}"
    )
    add("--prompt", action="append", default=[], help="how the text begins (repeatable); cleaned as in training")
    add("--prompts_file", type=Path, metavar="FILE", help='a prompt a line, or .jsonl with {"prompt": "…"} a line')
    add("--num_return_sequences", type=positive_int, default=1, metavar="N", help="texts a prompt (default: 1)")
    add_sampling_flags(parser)
    add_engine_flags(parser)
    add("--compare_base", action="store_true", help="also let the base model write, from the same prompts")
    add("--output_path", type=Path, metavar="FILE.jsonl", help="write the results there too, as JSON Lines")
    add("--json", action="store_true", help="print a JSON object a text on stdout")
    add = parser.add_argument_group("a model that follows instructions").add_argument
    add("--instruction", action="append", default=[], metavar="TEXT", help="what it is to do (repeatable)")
    add("--input", action="append", default=[], metavar="TEXT", help="what it is to do that with, one an --instruction")
    add("--system", metavar="TEXT", help="a system message in front, where the chat template has a place for one")
    add("--length", choices=LENGTHS, help="how long an answer to ask for, where the model has learnt that")
    add("--chat", action="store_true", help="talk with it; /help says more")
    add = parser.add_argument_group("a model that writes emoji").add_argument
    add("--unconstrained", action="store_true", help="let it write what it likes, and tell whether that is an emoji")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Load the model, write the texts, print them; or chat."""
    args = build_parser().parse_args(argv)
    sampling = sampling_from_flags(args)
    prompts = prompts_from_flags(args.instruction, args.input, args.prompt, args.prompts_file)
    check_unicode_argument("system", args.system or "")
    check_chat(args)
    check_engine(args)
    if args.chat:
        distributed.require_single_process("--chat")
    if args.output_path:
        check_writable(args.output_path)

    from utils.compute.device import choose_device

    device = choose_device(args.device)
    distributed.initialize(device)
    trained = checkpoint.load_writer(args.model_path)
    emoji = writes_emoji(args, trained, prompts)
    answers = not emoji and follows_instructions(args, trained, prompts)
    sampling = with_task_defaults(sampling, args, answers)
    check_engine_fits_kind(args, emoji, answers)
    models = {"tuned" if trained.run else "base": trained}
    paths = dict.fromkeys(models, args.model_path)
    if args.compare_base:
        paths = {"base": checkpoint.base_model_of(args.model_path, trained.run), "tuned": args.model_path}
        models = {"base": checkpoint.load(paths["base"]), "tuned": trained}
    writers = open_writers(args, {name: (paths[name], each) for name, each in models.items()}, device)
    if args.chat:
        from utils.inference.chat import Dialogue, chat

        chat(Dialogue(trained, sampling, args.system, args.length), args.json)
        return EXIT_DONE

    if emoji:
        free, count = args.unconstrained, args.num_return_sequences
        results = emoji_records(models, prompts, count, constrained=not free, batch_size=args.batch_size)
        shown = emoji_lines(results, labelled=args.compare_base)
    elif answers:
        conversations = as_conversations(prompts, args.system)
        asked = [{"prompt": last["content"], "input": last.get("input", "")} for *_, last in conversations]
        texts = answer_conversations(models, conversations, args.length, sampling, writers)
    else:
        asked, texts = go_on(models, trained.run, prompts, sampling, writers)
    if not emoji:
        results = list(records(asked, texts, args.num_return_sequences, args.seed))
        shown = blocks(results, labelled=args.compare_base)
    lines = [json.dumps(record, ensure_ascii=False) for record in results]
    if args.output_path:
        with atomic_write(args.output_path, "w") as file:
            file.writelines(line + "\n" for line in lines)
        log.info("wrote %d texts to %s", len(lines), args.output_path)
    for line in lines if args.json else shown:
        print(line, flush=True)  # a reader such as head, once gone, is noticed at the next line
    return EXIT_DONE


def generate_emoji(text: str, model_path: str = "results", num: int = 1) -> str | list[str]:
    """The likeliest emoji for a description, or the list of the `num` likeliest where that is above 1.

    The model is loaded at the first call alone. UserError where it writes no emoji, or the description is empty.
    """
    emoji = emoji_for(text, model_path, num)
    return emoji[0] if num == 1 else emoji


def check_chat(args) -> None:
    """Refuse what makes no sense in a chat."""
    given = [name for name in NOT_IN_CHATS if getattr(args, name)]
    given += [name for name in ("num_beams", "num_return_sequences") if (getattr(args, name) or 1) > 1]
    if args.chat and given:
        raise UsageError(
            f"--chat answers what is typed, one answer at a time: --{given[0]} has no use",
            "leave one of them out; in a chat, /save FILE writes it to a file",
        )


def go_on(
    models: dict[str, "Trained"], run: dict, prompts: list[str], sampling: Sampling, writers: dict[str, "Writer"]
) -> tuple[list[dict], dict[str, list[list["Generated"]]]]:
    """(what a record says of each prompt, each model's texts) where prompts are how texts begin."""
    from utils.inference.generation import prompt_ids

    prompts = clean_prompts(prompts or [""], run.get("cleaning"))
    templated = [apply_template(run.get("template", "{prompt}"), prompt) for prompt in prompts]
    ids = {name: prompt_ids(each.tokenizer, templated) for name, each in models.items()}
    texts = {name: write(ids[name], sampling) for name, write in writers.items()}
    return [{"prompt": prompt} for prompt in prompts], texts


def records(asked: list[dict], texts: dict[str, list[list["Generated"]]], sequences: int, seed: int) -> Iterator[dict]:
    """One JSON object a text; the texts that the models wrote from one prompt follow each other."""
    for prompt_index, prompt in enumerate(asked):
        for sequence_index in range(sequences):
            for model, lists in texts.items():
                generated = lists[prompt_index][sequence_index]
                whole = {} if "input" in prompt else {"full_text": prompt["prompt"] + generated.text}
                yield {
                    **prompt,
                    **asdict(generated),
                    **whole,
                    "model": model,
                    "prompt_index": prompt_index,
                    "sequence_index": sequence_index,
                    "seed": seed,
                }


def blocks(results: list[dict], labelled: bool) -> Iterator[str]:
    """What is printed for people: the full texts, or the answers alone, with a blank line between them."""
    for number, record in enumerate(results):
        label = f"{record['model']}:\n" if labelled else ""
        yield ("\n" if number else "") + label + record.get("full_text", record["text"])


if __name__ == "__main__":
    sys.exit(run(main, uses_model=True))
