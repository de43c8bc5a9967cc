"""Judge a trained model on the test split, or compare judged models: what it gets right, how surely, what it copies.

python evaluate_model.py --model_path models/fine_tuned_model.pt --data data/processed.pkl --compare_base
python evaluate_model.py --compare models/first/evaluation.json models/second/evaluation.json
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from utils import distributed
from utils.cli import Parser, non_negative_int, positive_float, positive_int, run
from utils.errors import EXIT_DONE, UsageError
from utils.evaluation.checks import check_fits, check_flags, check_outputs, default_answers, default_output
from utils.evaluation.compare import compare_evaluations, format_comparison
from utils.files import atomic_write, sha256_of
from utils.inference.prompts import ANSWER_MAX_NEW_TOKENS, ANSWER_NO_REPEAT_NGRAM_SIZE
from utils.inference.sampling import Sampling
from utils.processed import Processed, load_processed

if TYPE_CHECKING:
    from utils.models.checkpoint import Trained

SHOWN = 5
NUM_SAMPLES = 64
NEEDS_DATA = "the following arguments are required: --data_path/--data"


def build_parser() -> Parser:
    """The command line of evaluate_model.py."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--model_path", default="models/fine_tuned_model.pt", metavar="MODEL", help="default: %(default)s")
    add("--data_path", "--data", type=Path, metavar="PKL", help="what preprocess.py wrote; required but for --compare")
    add("--output_path", type=Path, metavar="FILE.json", help="default: evaluation.json in, or beside, the model")
    add("--precision", choices=("auto", "fp32", "bf16"), default="fp32", help="default: %(default)s, the exact one")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    add("--seed", type=non_negative_int, default=42, help="default: %(default)s")
    add("--json", action="store_true", help="print evaluation.json on stdout instead of the tables")
    add = parser.add_argument_group("a model that writes, answers instructions or writes emoji").add_argument
    add("--compare_base", action="store_true", help="judge the base model too, on the same texts")
    add = parser.add_argument_group("a model that writes or answers instructions").add_argument
    longest = f"longest text written (default: {Sampling.max_new_tokens}, answers {ANSWER_MAX_NEW_TOKENS})"
    add("--max_new_tokens", type=positive_int, help=longest)
    add("--num_samples", type=positive_int, help=f"texts to write, not answers (default: {NUM_SAMPLES})")
    add = parser.add_argument_group("a model that answers instructions").add_argument
    add("--answers_path", type=Path, metavar="FILE.jsonl", help="every answer; default: beside evaluation.json")
    no_repeat = f"no N tokens in a row come twice in an answer; 0: they may (default: {ANSWER_NO_REPEAT_NGRAM_SIZE})"
    add("--repetition_penalty", type=positive_float, help=f"default: {Sampling.repetition_penalty:g}, which is none")
    add("--no_repeat_ngram_size", type=non_negative_int, metavar="N", help=no_repeat)
    add = parser.add_argument_group("a model that answers instructions or writes emoji").add_argument
    add("--limit", type=positive_int, metavar="N", help="judge N rows of the test split, drawn with --seed, not all")
    add = parser.add_argument_group("a model that classifies or writes emoji").add_argument
    add("--errors_path", type=Path, metavar="FILE.csv", help="write every mistake to this file")
    several = parser.add_argument_group("models that are judged already")
    several.add_argument(
        "--compare", type=Path, nargs="+", metavar="FILE.json", help="only show these evaluations in one table"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Judge one model: evaluation.json, its model card and the tables. Or compare evaluations that are there."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.compare:
        return compare(args)
    if args.data_path is None:
        parser.error(NEEDS_DATA)
    data = load_processed(args.data_path)
    kind = data.recipe["kind"]
    check_flags(args, kind)
    model_path = Path(args.model_path)
    if kind == "instruct" and args.answers_path is None:
        args.answers_path = default_answers(model_path, args.output_path)
    output_path = args.output_path or default_output(model_path)
    outputs = [path for path in (output_path, args.errors_path, args.answers_path) if path]
    check_outputs([args.data_path, *([model_path] if model_path.is_file() else [])], outputs)

    from utils.compute.device import choose_device, choose_precision
    from utils.models import checkpoint
    from utils.models.model_card import model_card

    device = choose_device(args.device)
    precision = choose_precision(args.precision, device)
    distributed.initialize(device)
    trained = checkpoint.load(args.model_path)
    data_sha256 = sha256_of(args.data_path)
    check_fits(args.model_path, trained, args.data_path, data, data_sha256)
    facts = {
        "model_path": args.model_path,
        "base_model": trained.run.get("base_model"),
        "data_path": str(args.data_path),
        "data_sha256": data_sha256,
        "split": "test",
        "precision": precision,
        "seed": args.seed,
    }
    found, tables = JUDGES[kind](args, trained, data, device, precision)
    evaluation = facts | found
    text = json.dumps(evaluation, indent=2, ensure_ascii=False)
    with atomic_write(output_path, "w") as file:
        file.write(text + "\n")
    if trained.run and model_path.is_dir():
        with atomic_write(model_path / checkpoint.CARD_FILE, "w") as file:
            file.write(model_card(trained.run, evaluation))
    print(text if args.json else f"{tables}\n\nwritten: {' and '.join(map(str, outputs))}")
    return EXIT_DONE


def judge_writer(args, trained: "Trained", data: Processed, device: str, precision: str) -> tuple[dict, str]:
    """(the evaluation, the tables) of a model that writes, and of its base model if that is wanted."""
    from utils.evaluation.texts import evaluate_texts, format_report_of_texts

    models = models_of(args, trained)
    texts, longest = args.num_samples or NUM_SAMPLES, args.max_new_tokens or Sampling.max_new_tokens
    found = evaluate_texts(models, data, texts, longest, args.seed, device, precision)
    return found, format_report_of_texts(found, list(models), SHOWN)


def judge_answers(args, trained: "Trained", data: Processed, device: str, precision: str) -> tuple[dict, str]:
    """(the evaluation, the tables) of a model that answers instructions, and of its base model if that is wanted.

    The answers go where --answers_path says.
    """
    from utils.evaluation.answers import evaluate_answers, format_report_of_answers, write_answers

    sampling = Sampling(
        do_sample=False,
        max_new_tokens=args.max_new_tokens or ANSWER_MAX_NEW_TOKENS,
        repetition_penalty=args.repetition_penalty or Sampling.repetition_penalty,
        no_repeat_ngram_size=ANSWER_NO_REPEAT_NGRAM_SIZE
        if args.no_repeat_ngram_size is None
        else args.no_repeat_ngram_size,
    )
    found, rows = evaluate_answers(
        models_of(args, trained), data, sampling, limit=args.limit, seed=args.seed, device=device, precision=precision
    )
    write_answers(args.answers_path, rows)
    return {"kind": "instruct", **found}, format_report_of_answers(found, rows)


def judge_classifier(args, trained: "Trained", data: Processed, device: str, precision: str) -> tuple[dict, str]:
    """(the evaluation, the tables) of a model that classifies; its mistakes go where --errors_path says."""
    from utils.evaluation.classifiers import (
        check_labels,
        evaluate_classifier,
        format_report_of_classifier,
        write_mistakes,
    )
    from utils.inference.classifier import classifier_of

    classifier = classifier_of(args.model_path, trained)
    classifier.model.to(device)
    check_labels(args.model_path, classifier.labels, args.data_path, data)
    found, mistakes = evaluate_classifier(classifier, data, args.seed, precision)
    if args.errors_path:
        write_mistakes(args.errors_path, mistakes, classifier.labels)
    return {"kind": "classify", **found}, format_report_of_classifier(found)


def judge_emoji(args, trained: "Trained", data: Processed, device: str, precision: str) -> tuple[dict, str]:
    """(the evaluation, the tables) of a model that writes emoji; its mistakes go where --errors_path says."""
    from utils.evaluation.emoji import evaluate_emoji, format_report_of_emoji, write_mistakes

    found, mistakes = evaluate_emoji(
        models_of(args, trained), data, limit=args.limit, seed=args.seed, device=device, precision=precision
    )
    if args.errors_path:
        write_mistakes(args.errors_path, mistakes)
    return {"kind": "emoji", **found}, format_report_of_emoji(found)


JUDGES = {"generate": judge_writer, "instruct": judge_answers, "classify": judge_classifier, "emoji": judge_emoji}


def models_of(args, trained: "Trained") -> dict[str, "Trained"]:
    """The model, and before it the one that it was fine-tuned from if that is wanted."""
    from utils.models import checkpoint

    if not args.compare_base:
        return {"tuned": trained}
    return {"base": checkpoint.load(checkpoint.base_model_of(args.model_path, trained.run)), "tuned": trained}


def compare(args) -> int:
    """The table of --compare, or its JSON."""
    for name in ("data_path", "output_path", "errors_path", "answers_path"):
        if getattr(args, name) is not None:
            raise UsageError(f"--compare reads evaluations alone, so --{name} has no use", f"leave out --{name}")
    comparison = compare_evaluations(args.compare)
    print(json.dumps(comparison, indent=2, ensure_ascii=False) if args.json else format_comparison(comparison))
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run(main, uses_model=True))
