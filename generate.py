"""Write texts with a trained model: from prompts, or from nothing.

python generate.py --model_path models/fine_tuned_model.pt --prompt "Enter your prompt here"
python generate.py --model_path models/fine_tuned_model.pt --num_return_sequences 5 --compare_base
"""

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from utils import checkpoint
from utils.cleaning import Cleaning, clean
from utils.cli import (
    MODEL_HELP,
    Parser,
    non_negative_float,
    non_negative_int,
    positive_float,
    positive_int,
    run,
    set_up_logging,
    share,
)
from utils.errors import EXIT_DONE, DataError, UsageError
from utils.files import atomic_write, check_writable
from utils.generation import Generated, generate_texts
from utils.reading.decoding import to_utf8
from utils.sampling import Sampling
from utils.tasks.base import apply_template

log = logging.getLogger("utils.generate")


def build_parser() -> Parser:
    """The command line of generate.py."""
    parser = Parser(__doc__)
    add, defaults = parser.add_argument, Sampling()
    add(
        "--model_path", default="models/fine_tuned_model.pt", help=f"a trained model (folder or .pt), or a {MODEL_HELP}"
    )
    add("--prompt", action="append", default=[], help="how the text begins (repeatable); cleaned as in training")
    add("--prompts_file", type=Path, metavar="FILE", help='a prompt a line, or .jsonl with {"prompt": "…"} a line')
    add("--num_return_sequences", type=positive_int, default=1, metavar="N", help="texts a prompt (default: 1)")
    add("--max_new_tokens", type=positive_int, default=defaults.max_new_tokens, help="default: %(default)s")
    add("--min_new_tokens", type=non_negative_int, default=defaults.min_new_tokens, help="default: %(default)s")
    add("--temperature", type=non_negative_float, default=defaults.temperature, help="default: %(default)s")
    add("--top_k", type=non_negative_int, default=defaults.top_k, help="0: all tokens (default: %(default)s)")
    add("--top_p", type=share, default=defaults.top_p, help="1: all tokens (default: %(default)s)")
    add("--repetition_penalty", type=positive_float, default=defaults.repetition_penalty, help="default: %(default)s")
    add("--num_beams", type=positive_int, default=defaults.num_beams, help="above 1: beam search, nothing is drawn")
    add("--greedy", action="store_true", help="always the likeliest token, nothing is drawn")
    add("--stop", action="append", default=[], metavar="TEXT", help="end a text before this string (repeatable)")
    add("--seed", type=non_negative_int, default=defaults.seed, help="default: %(default)s")
    add("--batch_size", type=positive_int, default=32, help="texts at once; changes no text (default: %(default)s)")
    add("--compare_base", action="store_true", help="also let the base model write, from the same prompts")
    add("--output_path", type=Path, metavar="FILE.jsonl", help="write the results there too, as JSON Lines")
    add("--json", action="store_true", help="print a JSON object a text on stdout")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Load the model, write the texts, print them."""
    args = build_parser().parse_args(argv)
    set_up_logging()
    sampling = Sampling(
        max_new_tokens=args.max_new_tokens,
        min_new_tokens=args.min_new_tokens,
        temperature=args.temperature,
        top_k=args.top_k,
        top_p=args.top_p,
        repetition_penalty=args.repetition_penalty,
        num_beams=args.num_beams,
        do_sample=not args.greedy,
        num_return_sequences=args.num_return_sequences,
        stop=tuple(args.stop),
        seed=args.seed,
    )
    prompts = given_prompts(args.prompt, args.prompts_file)
    if args.output_path:
        check_writable(args.output_path)

    from utils.devices import choose_device

    device = choose_device(args.device)
    trained = checkpoint.load_writer(args.model_path)
    models = {"tuned" if trained.run else "base": trained}
    if args.compare_base:
        models = {"base": checkpoint.load(checkpoint.base_model_of(args.model_path, trained.run)), "tuned": trained}
    prompts = cleaned(prompts, trained.run.get("cleaning"))
    templated = [apply_template(trained.run.get("template", "{prompt}"), prompt) for prompt in prompts]
    texts = {
        name: generate_texts(each.model.to(device), each.tokenizer, templated, sampling, args.batch_size, name)
        for name, each in models.items()
    }

    results = list(records(prompts, texts, args.num_return_sequences, args.seed))
    lines = [json.dumps(record, ensure_ascii=False) for record in results]
    if args.output_path:
        with atomic_write(args.output_path, "w") as file:
            file.writelines(line + "\n" for line in lines)
        log.info("wrote %d texts to %s", len(lines), args.output_path)
    for line in lines if args.json else blocks(results, labelled=args.compare_base):
        print(line, flush=True)  # a reader such as head, once gone, is noticed at the next line
    return EXIT_DONE


def given_prompts(typed: list[str], path: Path | None) -> list[str]:
    """The prompts of the command line, then those of the file; without either, one that is empty."""
    for prompt in typed:
        if not is_unicode(prompt):
            raise UsageError(f"--prompt {prompt!a} is not UTF-8", "put it into a file, and name that as --prompts_file")
    return [*typed, *(read_prompts(path) if path else [])] or [""]


def read_prompts(path: Path) -> list[str]:
    """The prompts in a file: its lines, or the "prompt" of each line's JSON object; blank lines don't count."""
    try:
        text = to_utf8(path.read_bytes(), str(path))[0].decode()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", "name a text file as --prompts_file") from error
    read = prompt_of_json if path.suffix in (".jsonl", ".ndjson", ".json") else lambda line, where: line
    lines = enumerate(text.split("\n"), start=1)
    prompts = [read(line, f"{path}, line {number}") for number, line in lines if line.strip()]
    if not prompts:
        raise DataError(f"{path} holds no prompts", "write one prompt a line, or leave out --prompts_file")
    return prompts


def prompt_of_json(line: str, where: str) -> str:
    """The "prompt" of a JSON object; DataError, with `where` the line is, for anything else."""
    hint = 'write one object a line: {"prompt": "…"}'
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}, column {error.colno} is not JSON: {error.msg}", hint) from error
    prompt = value.get("prompt") if isinstance(value, dict) else None
    if not isinstance(prompt, str) or not is_unicode(prompt):
        raise DataError(f'{where} has no "prompt" that is a text', hint)
    return prompt


def is_unicode(text: str) -> bool:
    """Whether the text has no half of a surrogate pair: undecodable arguments and JSON escapes may leave one."""
    return text.encode(errors="replace").decode() == text


def cleaned(prompts: list[str], settings: dict | None) -> list[str]:
    """The prompts cleaned as the model's training texts were; a base model's are left as they are.

    Cleaning takes the blank at a prompt's end too, and rightly: the model writes a blank together with the word
    after it, and has never seen a text that goes on behind a lone one.
    """
    if settings is None:
        return prompts
    results = [clean(prompt, Cleaning(**settings)) for prompt in prompts]
    for number, (prompt, result) in enumerate(zip(prompts, results, strict=True), start=1):
        if prompt and not result:
            log.warning("warning: nothing of prompt %d (%r) is left after cleaning: the model begins", number, prompt)
    return results


def records(prompts: list[str], texts: dict[str, list[list[Generated]]], sequences: int, seed: int) -> Iterator[dict]:
    """One JSON object a text; the texts that the models wrote from one prompt follow each other."""
    for prompt_index, prompt in enumerate(prompts):
        for sequence_index in range(sequences):
            for model, lists in texts.items():
                generated = lists[prompt_index][sequence_index]
                yield {
                    "prompt": prompt,
                    **asdict(generated),
                    "full_text": prompt + generated.text,
                    "model": model,
                    "prompt_index": prompt_index,
                    "sequence_index": sequence_index,
                    "seed": seed,
                }


def blocks(results: list[dict], labelled: bool) -> Iterator[str]:
    """What is printed for people: the full texts, with a blank line between them."""
    for number, record in enumerate(results):
        label = f"{record['model']}:\n" if labelled else ""
        yield ("\n" if number else "") + label + record["full_text"]


if __name__ == "__main__":
    sys.exit(run(main))
