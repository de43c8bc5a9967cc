"""Judge a trained model on the test split: how well it predicts, how varied it writes, and how much it copies.

python evaluate_model.py --model_path models/fine_tuned_model.pt --data data/processed.pkl --compare_base
python evaluate_model.py --model_path models/fine_tuned_model.pt --data data/processed.pkl --num_samples 200 --json
"""

import json
import logging
import sys
from pathlib import Path

from utils import store
from utils.cli import Parser, non_negative_int, positive_int, run, set_up_logging
from utils.errors import EXIT_DONE, DataError, UserError
from utils.files import atomic_write, check_writable, sha256_of

log = logging.getLogger("utils.evaluate_model")

SHOWN = 5


def build_parser() -> Parser:
    """The command line of evaluate_model.py."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--model_path", default="models/fine_tuned_model.pt", metavar="MODEL", help="default: %(default)s")
    add("--data_path", "--data", type=Path, required=True, metavar="PKL", help="what preprocess.py wrote")
    add("--output_path", type=Path, metavar="FILE.json", help="default: evaluation.json in, or beside, the model")
    add("--compare_base", action="store_true", help="judge the base model too, on the same texts")
    add("--num_samples", type=positive_int, default=64, help="texts to write and judge (default: %(default)s)")
    add("--max_new_tokens", type=positive_int, default=60, help="longest text written (default: %(default)s)")
    add("--precision", choices=("auto", "fp32", "bf16"), default="fp32", help="default: %(default)s, the exact one")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    add("--seed", type=non_negative_int, default=42, help="default: %(default)s")
    add("--json", action="store_true", help="print evaluation.json on stdout instead of the tables")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Score, write, compare; evaluation.json and the tables."""
    args = build_parser().parse_args(argv)
    set_up_logging()
    output_path = args.output_path or default_output(Path(args.model_path))
    check_writable(output_path)
    data = store.load(args.data_path)

    from utils import checkpoint, devices, judging
    from utils.reporting import model_card

    device = devices.choose_device(args.device)
    precision = devices.choose_precision(args.precision, device)
    trained = checkpoint.load(args.model_path)
    data_sha256 = sha256_of(args.data_path)
    check_fits(args.model_path, trained.run, args.data_path, data, data_sha256)
    models = {"tuned": trained}
    if args.compare_base:
        models = {"base": checkpoint.load(checkpoint.base_model_of(args.model_path, trained.run)), **models}
    evaluation = {
        "model_path": args.model_path,
        "base_model": trained.run.get("base_model"),
        "data_path": str(args.data_path),
        "data_sha256": data_sha256,
        "split": "test",
        "precision": precision,
        "seed": args.seed,
        **judging.judge(models, data, args.num_samples, args.max_new_tokens, args.seed, device, precision),
    }
    text = json.dumps(evaluation, indent=2, ensure_ascii=False)
    with atomic_write(output_path, "w") as file:
        file.write(text + "\n")
    if trained.run and Path(args.model_path).is_dir():
        with atomic_write(Path(args.model_path) / checkpoint.CARD_FILE, "w") as file:
            file.write(model_card(trained.run, evaluation))
    print(text if args.json else judging.report(evaluation, list(models), SHOWN))
    if not args.json:
        print(f"\nwritten: {output_path}")
    return EXIT_DONE


def default_output(model_path: Path) -> Path:
    """evaluation.json in a model's folder; beside a .pt file, and in the working folder for a model from elsewhere."""
    if model_path.suffix == ".pt":
        return model_path.with_suffix(".evaluation.json")
    return model_path / "evaluation.json" if model_path.is_dir() else Path("evaluation.json")


def check_fits(model_path: str, recipe: dict, data_path: Path, data: store.Processed, data_sha256: str) -> None:
    """Refuse data of another kind, or without test texts; warn where these may have been trained on."""
    if data.recipe["kind"] != "generate":
        raise DataError(
            f"{data_path} was made for the task {data.recipe['task']}", "evaluate generation models on generation data"
        )
    if len(data.splits["test"]) == 0:
        raise DataError(f"{data_path} has no test texts", "preprocess more rows")
    if recipe and recipe["kind"] != "generate":
        raise UserError(f"{model_path} is no model that writes texts", "evaluate it on data of its own task")
    if recipe and recipe["data"]["sha256"] != data_sha256:
        log.warning(
            "warning: %s was trained on another processed pickle than %s, so it may have seen these test texts",
            model_path, data_path,
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(run(main))
