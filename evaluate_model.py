"""Evaluate a trained model on the test split, with confidence intervals, or compare models that were evaluated before.

python evaluate_model.py --model_path models/fine_tuned_model.pt --data data/processed.pkl --compare_base --report
python evaluate_model.py --model_path models/reviews --data data/reviews.pkl --errors_path data/mistakes.csv
python evaluate_model.py --model_path models/alpaca --data data/alpaca.pkl --compare_base --limit 100
python evaluate_model.py --model_path models/emoji --data data/emoji.pkl --compare_base
python evaluate_model.py --compare models/first/evaluation.json models/second/evaluation.json
"""

import json
import os
import sys
import time
from pathlib import Path

from utils.argument_types import non_negative_int, output_path, page_path, positive_float, positive_int, seed_number
from utils.cli import Parser
from utils.errors import EXIT_DONE, UsageError
from utils.evaluation.compare import compare_evaluations, format_comparison
from utils.evaluation.evaluation import Evaluation
from utils.evaluation.report.write import COMPARISON, write_comparison
from utils.evaluation.run import NUM_SAMPLES, evaluate_and_write
from utils.hugging_face_names import accept_hugging_face_names
from utils.inference.sampling import ANSWER_MAX_NEW_TOKENS, Sampling
from utils.models.opening.adapter_folder import BASE_HELP
from utils.process import PROCESS_BEGAN, run
from utils.results.following import after_evaluation
from utils.terminal.notices import say_what_begins, say_what_is_done
from utils.text.formulas import ESCAPE_FORMULAS_HELP


def build_parser() -> Parser:
    """Return the command line of evaluate_model.py."""
    parser = Parser(__doc__)
    add = parser.group("model and data")
    add("--model_path", default="models/fine_tuned_model.pt", metavar="MODEL", help="default: %(default)s")
    parser.group("model and data", rare=True)("--base_model", metavar="MODEL", help=BASE_HELP)
    add("--data_path", "--data", type=Path, metavar="PKL", help="output of preprocess.py; not used with --compare")
    add("--output_path", type=output_path, metavar="FILE.json", help="default: evaluation.json in or beside the model")
    page = "also write a page to read, with pictures (default: report.html beside evaluation.json, or comparison.html)"
    add("--report", type=page_path, nargs="?", const=True, metavar="FILE.html", help=page)
    add(
        "--plots", type=output_path, metavar="FOLDER", help="also write the page's pictures there, as SVG and PNG files"
    )
    add("--overwrite", action="store_true", help="replace existing files of --report and --plots")
    add("--json", action="store_true", help="print evaluation.json on stdout instead of the tables")
    add("--compare", type=Path, nargs="+", metavar="FILE.json", help="only show these evaluations in one table")
    add = parser.group("models that write texts, answer instructions or write emoji")
    add("--compare_base", action="store_true", help="also evaluate the base model, on the same texts")
    add = parser.group("models that write texts or answer instructions")
    longest = f"maximum length of a text (default: {Sampling.max_new_tokens}, for answers {ANSWER_MAX_NEW_TOKENS})"
    add("--max_new_tokens", type=positive_int, metavar="N", help=longest)
    add = parser.group("models that write texts")
    add("--num_samples", type=positive_int, metavar="N", help=f"number of texts to generate (default: {NUM_SAMPLES})")
    add_rare = parser.group("models that answer instructions", rare=True)
    add_rare(
        "--answers_path",
        type=output_path,
        metavar="FILE.jsonl",
        help="file for all answers; default: beside evaluation.json",
    )
    penalty = f"default: {Sampling.repetition_penalty:g} (no penalty)"
    add_rare("--repetition_penalty", type=positive_float, metavar="PENALTY", help=penalty)
    no_repeat = "repeat no N tokens in a row within an answer; 0: no limit (default: as generate.py answers)"
    add_rare("--no_repeat_ngram_size", type=non_negative_int, metavar="N", help=no_repeat)
    add = parser.group("models that answer instructions or write emoji")
    add("--limit", type=positive_int, metavar="N", help="evaluate only N rows of the test split, drawn with --seed")
    suspects = "write the test texts whose label is probably wrong to this file"
    parser.group("models that classify texts")("--label_errors", type=output_path, metavar="FILE.csv", help=suspects)
    add = parser.group("models that label or score texts, or write emoji")
    add("--errors_path", type=output_path, metavar="FILE.csv", help="write all mistakes to this file")
    parser.group("models that label or score texts, or write emoji", rare=True)(
        "--escape_formulas", action="store_true", help=ESCAPE_FORMULAS_HELP
    )
    add = parser.group("running", rare=True)
    add("--precision", choices=("auto", "fp32", "bf16"), default="fp32", help="default: %(default)s, the exact one")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    add("--seed", type=seed_number, default=42, help="default: %(default)s")
    accept_hugging_face_names(parser, output_file="evaluation.json")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Evaluate one model and write evaluation.json and its model card, or compare evaluations that exist."""
    began = PROCESS_BEGAN if argv is None else time.monotonic()
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.compare:
        return compare(args)
    if args.data_path is None:
        parser.error("the following arguments are required: --data_path/--data")
    say_what_begins("evaluate_model", f"{args.model_path} on {args.data_path}")
    evaluation = evaluate_and_write(args)
    print(json.dumps(evaluation.figures, indent=2, ensure_ascii=False) if args.json else evaluation, flush=True)
    kind = evaluation.figures.get("kind", "generate")
    following = after_evaluation(args.model_path, kind, bool(args.report))
    say_what_is_done(began, "evaluated", evaluation.files if args.json else (), following)
    return EXIT_DONE


def evaluate(model_path: str | os.PathLike, data: str | os.PathLike, **flags) -> Evaluation:
    """Evaluate a model on the test split of a processed pickle; write its figures and return them.

    `flags` are those of the command line (`compare_base=True`, `limit=100`, `output_path=…`). UserError where the model
    and the data don't fit each other.
    """
    options = {"model_path": model_path, "data_path": data, **flags}
    return evaluate_and_write(build_parser().parse_options(options, without=("compare", "json")))


def compare(args) -> int:
    """Print the table of --compare, or its JSON; write the page that --report asks for."""
    for name in ("data_path", "base_model", "output_path", "errors_path", "label_errors", "answers_path", "plots"):
        if getattr(args, name) is not None:
            raise UsageError(f"--compare only reads evaluations, so --{name} has no use", f"remove --{name}")
    comparison = compare_evaluations(args.compare)
    if args.report:
        write_comparison(Path(COMPARISON) if args.report is True else args.report, comparison, args.overwrite)
    print(json.dumps(comparison, indent=2, ensure_ascii=False) if args.json else format_comparison(comparison))
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run(main, uses_model=True, repeats=True))
