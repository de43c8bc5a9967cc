"""Generate with a trained model: texts, with or without prompts, answers to instructions, a chat, or emoji.

python generate.py --model_path models/fine_tuned_model.pt --prompt "Enter your prompt here"
python generate.py --model_path models/fine_tuned_model.pt --num_return_sequences 5 --compare_base
python generate.py --model_path models/alpaca --instruction "Name a color of the input." --input "the evening sky"
python generate.py --model_path models/alpaca --chat
python generate.py --model_path models/emoji --prompt "a cat crying with joy" --num_return_sequences 5
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils import distributed
from utils.argument_types import output_path, positive_int
from utils.cli import MODEL_HELP, MORE_OF_MODEL, Parser
from utils.compute.loaded_models import keep_loaded, one_at_a_time
from utils.errors import EXIT_DONE, UsageError
from utils.files import check_apart, check_writable
from utils.hugging_face_names import accept_hugging_face_names
from utils.inference.answers import follows_instructions
from utils.inference.emoji import emoji_for, emoji_lines, writes_emoji
from utils.inference.engines import add_engine_flags, check_engine, open_text_generators
from utils.inference.prompts import Prompt, as_prompts, check_unicode_argument, prompts_from_flags
from utils.inference.sampling import add_sampling_flags, sampling_from_flags
from utils.locks import one_writer
from utils.models import checkpoint
from utils.models.chat_templates import LENGTHS
from utils.models.checkpoint import Trained
from utils.models.opening.adapter_folder import BASE_HELP, name_base
from utils.process import PROCESS_BEGAN, run
from utils.results.following import after_use
from utils.results.texts import open_kept_model, prepare_device, write_records
from utils.terminal.notices import say_what_begins, say_what_is_done

if TYPE_CHECKING:
    from utils.inference.ctranslate2.kept import Converted

DEFAULT_MODEL = "models/fine_tuned_model.pt"
NOT_FROM_PYTHON = ("instruction", "input", "prompt", "prompts_file", "chat", "json")
NOT_FOR_CHAT = ("instruction", "input", "prompt", "prompts_file", "compare_base", "unconstrained", "output_path")


def build_parser() -> Parser:
    """Return the command line of generate.py."""
    parser = Parser(__doc__)
    add = parser.group("model and prompts")
    model = f"a trained model, or a {MODEL_HELP}"
    add("--model_path", metavar="MODEL", default=DEFAULT_MODEL, help=model, more=MORE_OF_MODEL)
    parser.group("model and prompts", rare=True)("--base_model", metavar="MODEL", help=BASE_HELP)
    add("--prompt", action="append", default=[], metavar="TEXT", help="the beginning of a text (repeatable)")
    prompts = 'or .jsonl with {"prompt": "…"} per line; - is stdin, the default where it is piped'
    add("--prompts_file", type=Path, metavar="FILE", help="one prompt per line", more=prompts)
    add("--num_return_sequences", type=positive_int, default=1, metavar="N", help="samples per prompt (default: 1)")
    add("--compare_base", action="store_true", help="also generate with the base model")
    add = parser.group("models that follow instructions")
    add("--instruction", action="append", default=[], metavar="TEXT", help="an instruction to follow (repeatable)")
    add("--input", action="append", default=[], metavar="TEXT", help="the input of an --instruction, one for each")
    add("--chat", action="store_true", help="talk with the model; type /help for more")
    add("--length", choices=LENGTHS, help="length of answers, if the model learned --length_hints")
    add_rare = parser.group("models that follow instructions", rare=True)
    add_rare("--system", metavar="TEXT", help="a system message, where the chat template has a place for it")
    add = parser.group("models that write emoji", rare=True)
    add("--unconstrained", action="store_true", help="allow every text, and say whether it is an emoji")
    add_sampling_flags(parser)
    add = parser.group("results")
    add("--json", action="store_true", help="print one JSON object per text on stdout")
    add(
        "--output_path",
        type=output_path,
        metavar="FILE.jsonl",
        help="also write the results to this file, as JSON Lines",
    )
    add_engine_flags(parser)
    accept_hugging_face_names(parser, output_file="texts.jsonl")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Load the model, then chat, or generate and print the texts."""
    began = PROCESS_BEGAN if argv is None else time.monotonic()
    args = build_parser().parse_args(argv)
    check_flags(args)
    flags = (args.instruction, args.input, args.prompt, args.prompts_file)
    prompts = [] if args.chat else prompts_from_flags(*flags)
    if args.chat:
        say_what_begins("generate", f"a chat with {args.model_path}")
        chat_with(args)
        return EXIT_DONE
    count = max(1, len(prompts)) * args.num_return_sequences
    say_what_begins("generate", f"{count:,} {'text' if count == 1 else 'texts'} from {args.model_path}")
    loaded = []

    def load(path: str) -> "Trained | Converted":
        loaded.append(open_kept_model(args, prompts) or checkpoint.load_writer(path))
        return loaded[0]

    with one_writer(args.output_path):
        records = write_records(args, prompts, load)
    if args.json:
        blocks = [json.dumps(record, ensure_ascii=False) for record in records]
    elif "emoji" in records[0]:
        blocks = emoji_lines(records, labelled=args.compare_base)
    else:
        # One text per line is what the next program reads, and classify.py and preprocess.py do.
        by_line = "full_text" in records[0] and not (args.compare_base or sys.stdout.isatty())
        blocks = map(text_line, records) if by_line else text_blocks(records, labelled=args.compare_base)
    for block in blocks:
        print(block, flush=True)  # so that a reader that has gone (head) is noticed at the next line
    done = f"{len(records):,} {'text' if len(records) == 1 else 'texts'}"
    say_what_is_done(began, done, following=after_use(args.model_path, loaded[0].run))
    return EXIT_DONE


def generate(
    prompts: str | Sequence[Prompt] = (), model_path: str | os.PathLike = DEFAULT_MODEL, **flags
) -> list[dict]:
    """Return a model's output: one dictionary per text, like the JSON objects that the script prints.

    A prompt is a text (to continue, to answer or, for a model that writes emoji, to describe one), a list of messages,
    or an object as in a --prompts_file. `flags` are those of the command line (`max_new_tokens=40`, `greedy=True`, …).
    Only the first call loads the model. UserError if it cannot do what the arguments ask.
    """
    args = build_parser().parse_options({"model_path": model_path, **flags}, without=NOT_FROM_PYTHON)
    check_flags(args)
    with one_at_a_time, one_writer(args.output_path):
        return write_records(args, as_prompts(prompts), lambda path: load_once(path, args.device, args.precision))


def generate_emoji(text: str, model_path: str = "results", num: int = 1) -> str | list[str]:
    """Return the most likely emoji for a description, or the list of the `num` most likely ones where that is above 1.

    Only the first call loads the model. UserError where it does not write emoji, or the description is empty.
    """
    emoji = emoji_for(text, model_path, num)
    return emoji[0] if num == 1 else emoji


def check_flags(args) -> None:
    """Raise UsageError where the flags contradict each other, and UserError where the output cannot be written."""
    sampling_from_flags(args, answers=True)
    check_unicode_argument("system", args.system or "")
    check_chat(args)
    check_engine(args)
    name_base(args.model_path, args.base_model)
    if args.output_path:
        check_apart(
            args.output_path, [args.prompts_file or "-", args.config, *checkpoint.files_of_model(args.model_path)]
        )
        check_writable(args.output_path)


@keep_loaded
def load_once(model_path: str, _device: str, _precision: str) -> Trained:
    """Return the model, which its first use moves to its device and precision; a copy is kept for each of them."""
    return checkpoint.load_writer(model_path)


def chat_with(args) -> None:
    """Talk with the model."""
    from utils.inference.chat import Dialogue, chat

    device = prepare_device(args)
    trained = open_kept_model(args, []) or checkpoint.load_writer(args.model_path)
    writes_emoji(args, trained, [])
    follows_instructions(args, trained, [])
    generators = open_text_generators(args, {"tuned": trained}, {"tuned": args.model_path}, device)
    sampling = sampling_from_flags(args, True, trained.run.get("sampling"))
    chat(Dialogue(trained, generators["tuned"], sampling, args.system, args.length), args.json)


def check_chat(args) -> None:
    """Raise UsageError where --chat comes with several processes, or with flags that it does not support."""
    if not args.chat:
        return
    given = [name for name in NOT_FOR_CHAT if getattr(args, name)]
    given += [name for name in ("num_beams", "num_return_sequences") if (getattr(args, name) or 1) > 1]
    if given:
        raise UsageError(
            f"--chat answers typed messages one at a time, and does not support --{given[0]}",
            f"remove --chat or --{given[0]}; in a chat, /save FILE writes the conversation to a file",
        )
    distributed.require_single_process("--chat")


def text_line(record: dict) -> str:
    """Return the full text in one line."""
    return " ".join(record["full_text"].splitlines())


def text_blocks(records: Sequence[dict], labelled: bool) -> Iterator[str]:
    """Yield the output for people: the full texts or the answers, with a blank line between them."""
    for number, record in enumerate(records):
        label = f"{record['model']}:\n" if labelled else ""
        yield ("\n" if number else "") + label + record.get("full_text", record["text"])


if __name__ == "__main__":
    sys.exit(run(main, uses_model=True, repeats=True))
