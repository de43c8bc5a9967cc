"""Judge a trained model on the test split, or compare judged models: what it gets right, how surely, what it copies.

python evaluate_model.py --model_path models/fine_tuned_model.pt --data data/processed.pkl --compare_base
python evaluate_model.py --compare models/first/evaluation.json models/second/evaluation.json
"""

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from utils import comparing, store
from utils.cli import Parser, non_negative_int, positive_int, run, set_up_logging
from utils.errors import EXIT_DONE, DataError, UsageError, UserError
from utils.files import atomic_write, check_writable, sha256_of

if TYPE_CHECKING:
    from utils.checkpoint import Trained

log = logging.getLogger("utils.evaluate_model")

SHOWN = 5
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
    writers = parser.add_argument_group("a model that writes")
    writers.add_argument("--compare_base", action="store_true", help="judge the base model too, on the same texts")
    writers.add_argument("--num_samples", type=positive_int, default=64, help="texts to write (default: %(default)s)")
    writers.add_argument(
        "--max_new_tokens", type=positive_int, default=60, help="longest text written (default: %(default)s)"
    )
    classifiers = parser.add_argument_group("a model that classifies")
    classifiers.add_argument("--errors_path", type=Path, metavar="FILE.csv", help="write every mistake to this file")
    several = parser.add_argument_group("models that are judged already")
    several.add_argument(
        "--compare", type=Path, nargs="+", metavar="FILE.json", help="only show these evaluations in one table"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Judge one model: evaluation.json, its model card and the tables. Or compare evaluations that are there."""
    parser = build_parser()
    args = parser.parse_args(argv)
    set_up_logging()
    if args.compare:
        return compare(args)
    if args.data_path is None:
        parser.error(NEEDS_DATA)
    output_path = args.output_path or default_output(Path(args.model_path))
    check_outputs(args, output_path)
    data = store.load(args.data_path)
    check_flags(args, data.recipe["kind"])

    from utils import checkpoint, devices
    from utils.reporting import model_card

    device = devices.choose_device(args.device)
    precision = devices.choose_precision(args.precision, device)
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
    judge = judge_classifier if data.recipe["kind"] == "classify" else judge_writer
    found, tables = judge(args, trained, data, device, precision)
    evaluation = facts | found
    text = json.dumps(evaluation, indent=2, ensure_ascii=False)
    with atomic_write(output_path, "w") as file:
        file.write(text + "\n")
    if trained.run and Path(args.model_path).is_dir():
        with atomic_write(Path(args.model_path) / checkpoint.CARD_FILE, "w") as file:
            file.write(model_card(trained.run, evaluation))
    print(text if args.json else tables)
    if not args.json:
        print(f"\nwritten: {' and '.join(map(str, filter(None, (output_path, args.errors_path))))}")
    return EXIT_DONE


def judge_writer(args, trained: "Trained", data: store.Processed, device: str, precision: str) -> tuple[dict, str]:
    """(the evaluation, the tables) of a model that writes, and of its base model if that is wanted."""
    from utils import checkpoint, judging

    models = {"tuned": trained}
    if args.compare_base:
        models = {"base": checkpoint.load(checkpoint.base_model_of(args.model_path, trained.run)), **models}
    found = judging.judge(models, data, args.num_samples, args.max_new_tokens, args.seed, device, precision)
    return found, judging.report(found, list(models), SHOWN)


def judge_classifier(args, trained: "Trained", data: store.Processed, device: str, precision: str) -> tuple[dict, str]:
    """(the evaluation, the tables) of a model that classifies; its mistakes go where --errors_path says."""
    from utils import judging_classifiers
    from utils.classification import classifier_of

    classifier = classifier_of(args.model_path, trained)
    classifier.model.to(device)
    judging_classifiers.check_labels(args.model_path, classifier.labels, args.data_path, data)
    found, mistakes = judging_classifiers.judge(classifier, data, args.seed, precision)
    if args.errors_path:
        judging_classifiers.write_mistakes(args.errors_path, mistakes, classifier.labels)
    return {"kind": "classify", **found}, judging_classifiers.report(found)


def compare(args) -> int:
    """The table of --compare, or its JSON."""
    for name in ("data_path", "output_path", "errors_path"):
        if getattr(args, name) is not None:
            raise UsageError(f"--compare reads evaluations alone, so --{name} has no use", f"leave out --{name}")
    comparison = comparing.compare(args.compare)
    print(json.dumps(comparison, indent=2, ensure_ascii=False) if args.json else comparing.table(comparison))
    return EXIT_DONE


def default_output(model_path: Path) -> Path:
    """evaluation.json in a model's folder; beside a .pt file, and in the working folder for a model from elsewhere."""
    if model_path.suffix == ".pt":
        return model_path.with_suffix(".evaluation.json")
    return model_path / "evaluation.json" if model_path.is_dir() else Path("evaluation.json")


def check_outputs(args, output_path: Path) -> None:
    """Refuse outputs that could not be written, and that would replace an input or each other."""
    model = Path(args.model_path)
    inputs = [args.data_path, *([model] if model.is_file() else [])]
    outputs = [path for path in (output_path, args.errors_path) if path]
    files = inputs + outputs
    resolved = [path.resolve() for path in files]
    for number, path in enumerate(files):
        if resolved[number] in resolved[:number]:
            raise UsageError(f"{path} is named twice: it would replace what is there", "choose another output path")
    for path in outputs:
        check_writable(path)


def check_flags(args, kind: str) -> None:
    """Refuse flags that make no sense for data of this kind."""
    if kind == "classify" and args.compare_base:
        raise UsageError(
            f"--compare_base: {args.data_path} is for models that classify, whose base has no trained head to compare",
            "leave it out: the majority class and TF-IDF with logistic regression are always measured beside them",
        )
    if kind != "classify" and args.errors_path:
        raise UsageError(
            f"--errors_path: {args.data_path} is for models that write, which have no mistakes to list",
            "leave it out; what such a model writes is in evaluation.json",
        )


def check_fits(model_path: str, trained: "Trained", data_path: Path, data: store.Processed, data_sha256: str) -> None:
    """Refuse data of another kind than the model's, or without test texts; warn where it may have trained on these."""
    from utils.checkpoint import classifies

    kind = trained.run.get("kind", "classify" if classifies(trained.model) else "generate")
    if kind != "classify" and data.recipe["kind"] == "classify":
        raise DataError(
            f"{data_path} was made to classify texts (task {data.recipe['task']}), and {model_path} writes texts",
            f"evaluate it on data of its own task, or name a model that was trained on {data_path}",
        )
    if kind == "classify" and data.recipe["kind"] != "classify":
        raise UserError(
            f"{model_path} is no model that writes texts: it classifies them, and {data_path} has no labels",
            "evaluate it on data of its own task",
        )
    if len(data.splits["test"]) == 0:
        raise DataError(f"{data_path} has no test texts", "preprocess more rows")
    if trained.run and trained.run["data"]["sha256"] != data_sha256:
        log.warning(
            "warning: %s was trained on another processed pickle than %s, so it may have seen these test texts",
            model_path, data_path,
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(run(main))
