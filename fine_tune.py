"""Fine-tune a base model on a processed pickle.

python fine_tune.py --data data/processed.pkl --epochs 10 --batch_size 16
python fine_tune.py --data data/processed.pkl --model tiny --max_steps 20 --output_path models/tiny
"""

import logging
import shutil
import sys
from argparse import SUPPRESS
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

from utils import search_state, store, training_state
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
from utils.errors import EXIT_DONE, DataError, UserError
from utils.files import sha256_of
from utils.training_flags import check_kind, fill_in
from utils.training_settings import check_reporters, settings_from

log = logging.getLogger("utils.fine_tune")


def build_parser() -> Parser:
    """The command line of fine_tune.py."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--data_path", "--data", type=Path, required=True, metavar="PKL", help="what preprocess.py wrote")
    add(
        "--output_path",
        type=Path,
        default=Path("models/fine_tuned_model.pt"),
        help="a folder, or one file.pt (default: %(default)s)",
    )
    add("--overwrite", action="store_true", help="replace a model that is already there")
    add("--model", "--model_name_or_path", help=f"{MODEL_HELP} (default: the one that preprocess.py used)")
    add(
        "--search",
        type=positive_int,
        metavar="N",
        help="first try N settings of epochs, batch size, learning rate, weight decay and unfrozen blocks, as far as "
        "they are not given, and train with those that are best on the validation split",
    )
    add("--epochs", "--num_train_epochs", type=positive_float, default=SUPPRESS, help="default: 2")
    add("--max_steps", type=positive_int, help="stop after so many steps, whatever --epochs says")
    add(
        "--batch_size",
        "--per_device_train_batch_size",
        type=positive_int,
        default=SUPPRESS,
        help="default: 16 (to classify 32)",
    )
    add("--gradient_accumulation_steps", type=positive_int, default=1, help="batches a step (default: %(default)s)")
    add(
        "--learning_rate",
        "--lr",
        type=positive_float,
        default=SUPPRESS,
        help="default: 1e-4 (to classify 4e-5); 5e-4 for few blocks",
    )
    add("--weight_decay", type=non_negative_float, default=SUPPRESS, help="default: 0.01")
    add(
        "--warmup_steps",
        type=non_negative_float,
        default=0.06,
        help="steps, or a share of all where below 1 (default: %(default)s)",
    )
    add("--max_grad_norm", type=positive_float, default=1.0, help="gradient clipping (default: %(default)s)")
    add("--max_length", type=positive_int, help="cut texts to so many tokens (default: the model's context)")
    add(
        "--unfreeze_last",
        type=blocks,
        default=SUPPRESS,
        metavar="N",
        help="train the last N blocks and the final norm, or all (default: all; to classify 16)",
    )
    add(
        "--activation_checkpointing",
        "--gradient_checkpointing",
        action="store_true",
        help="compute activations twice, to hold fewer of them",
    )
    add("--packing", action="store_true", help="no padding: the texts of a batch share one row (to write)")
    add(
        "--loss_on",
        choices=("response", "all"),
        default="response",
        help="learn to write the response alone, or the instruction, too (default: %(default)s)",
    )
    add("--train_head", action="store_true", help="train the language modelling head too, untied from the embedding")
    add(
        "--class_weights",
        default="none",
        metavar="balanced|none|W0,W1",
        help="how much a row of each class counts (default: %(default)s)",
    )
    add("--oversample", action="store_true", help="repeat texts of the smaller classes")
    add("--augment", action="store_true", help="train on a varied copy of each text, too")
    add("--threshold", type=threshold, default="auto", help="of the second of two classes: auto (fitted), or a number")
    add("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto", help="default: %(default)s")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    add(
        "--early_stopping_patience",
        type=non_negative_int,
        default=2,
        help="evaluations without progress; 0: never stop (default: %(default)s)",
    )
    add("--save_steps", type=positive_int, help="evaluate and save every so many steps (default: every epoch)")
    add("--save_total_limit", type=positive_int, default=2, help="training states kept (default: %(default)s)")
    add("--logging_steps", type=positive_int, default=10, help="default: %(default)s")
    add("--report_to", nargs="+", choices=("wandb", "tensorboard"), default=[], help="also log there")
    add("--resume", action="store_true", help="continue an interrupted run")
    add("--seed", type=non_negative_int, default=42, help="default: %(default)s")
    return parser


def blocks(text: str) -> int | None:
    """An argument type: a number of blocks, or None for all."""
    return None if text == "all" else non_negative_int(text)


def threshold(text: str) -> str:
    """An argument type: auto, or a probability."""
    return text if text == "auto" else str(share(text))


def main(argv: list[str] | None = None) -> int:
    """Search if asked to; train, save, load again, compare."""
    args = build_parser().parse_args(argv)
    set_up_logging()
    state_folder = training_state.folder_beside(args.output_path)
    check_reporters(args.report_to)
    training_state.check(state_folder, args.resume, args.overwrite)
    data = store.load(args.data_path)
    if len(data.splits["train"]) == 0:
        raise DataError(f"{args.data_path} has no training texts", "preprocess more rows")
    classifies = data.recipe["kind"] == "classify"
    check_kind(args, build_parser(), data.recipe["kind"])
    open_flags = fill_in(args, data.recipe["kind"])
    if args.search:
        search_state.check(args, data, open_flags)
    data_sha256 = sha256_of(args.data_path)

    with redirect_stdout(sys.stderr):  # transformers prints that W&B is offline when it is imported
        from utils import calibration, checkpoint, devices, freezing, recipe, training

    checkpoint.check_output(args.output_path, args.overwrite)
    device = devices.choose_device(args.device)
    precision = devices.choose_precision(args.precision, device)
    name = args.model or data.recipe["base_model"]
    log.info("base model %s (%s), %s on %s", name, "--model" if args.model else "from preprocessing", precision, device)
    ready = prepare(args, data, name, classifies, device, precision)
    base, rows = ready.base, ready.rows
    found = None
    if args.search:
        from utils import searching

        freeze = freezing.freeze_classifier if classifies else partial(freezing.freeze, train_head=args.train_head)
        settings = settings_from(args, precision, device)
        found = searching.search(ready, freeze, args, open_flags, settings, data_sha256)
        vars(args).update(found.settings)
        freeze(base.model, args.unfreeze_last)
    log.info(freezing.describe(base.model))
    training_state.begin(state_folder, vars(args), data_sha256, args.resume)
    try:
        settings = settings_from(args, precision, device)
        outcome = training.train(
            base.model, ready.objective, rows["train"], rows["validation"], settings, state_folder, args.resume
        )
        run_record = recipe.run_record(
            data, data_sha256, name, vars(args), freezing.count(base.model), outcome, precision, device
        )
        if classifies:
            run_record["max_length"] = ready.max_length
            run_record["calibration"] = calibration.calibrate(base, rows["validation"], args.threshold, args.seed)
        if found:
            run_record["search"] = found.record
        checkpoint.save_and_verify(args.output_path, base.model, base.tokenizer, run_record, outcome.history)
    except (KeyboardInterrupt, UserError):
        if training_state.keep_whole_states(state_folder):
            log.info("to go on from the last saved state, run the same command with --resume")
        raise
    if outcome.better is False and not classifies:
        log.warning("warning: on the validation split no evaluation was better than the base model's")
    if found:
        search_state.finish(args.output_path)
    shutil.rmtree(state_folder)
    print(args.output_path)
    return EXIT_DONE


def prepare(args, data: store.Processed, name: str, classifies: bool, device: str, precision: str):
    """What `utils.preparing` makes of the flags."""
    from utils import preparing

    shared = {"unfreeze_last": args.unfreeze_last, "max_length": args.max_length}
    if not classifies:
        own = {"train_head": args.train_head, "pack": args.packing, "loss_on": args.loss_on}
        return preparing.to_write(data, name, **own, **shared)
    own = {flag: getattr(args, flag) for flag in ("class_weights", "oversample", "augment", "seed")}
    return preparing.to_classify(data, name, device=device, bfloat16=precision == "bf16", **own, **shared)


if __name__ == "__main__":
    sys.exit(run(main))
