"""Fine-tune a base model on a processed pickle.

python fine_tune.py --data data/processed.pkl --epochs 10 --batch_size 16
python fine_tune.py --data data/processed.pkl --model tiny --max_steps 20 --output_path models/tiny
python fine_tune.py --push_only --model_path models/tiny --hub_model_id USER/NAME
"""

import logging
import shutil
import sys
import tempfile
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

from utils import processes, publishing, search_state, store, training_state
from utils.cli import MODEL_HELP, Parser, run, set_up_logging
from utils.errors import EXIT_DONE, DataError, UserError
from utils.files import sha256_of
from utils.training_flags import (
    DEFAULT_OUTPUT,
    add_hub_flags,
    add_kind_flags,
    add_running_flags,
    add_training_flags,
    check_kind,
    check_prefix_cache,
    fill_in,
    given_flags,
    take_hub_flags,
)
from utils.training_settings import check_reporters, settings_from

log = logging.getLogger("utils.fine_tune")

NEEDS_DATA = "the following arguments are required: --data_path/--data"


def build_parser() -> Parser:
    """The command line of fine_tune.py."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add(
        "--data_path", "--data", type=Path, metavar="PKL", help="what preprocess.py wrote; required but for --push_only"
    )
    add(
        "--output_path",
        type=Path,
        default=DEFAULT_OUTPUT,
        help="a folder, or one file.pt (default: %(default)s)",
    )
    add("--overwrite", action="store_true", help="replace a model that is already there")
    add("--model", "--model_name_or_path", help=f"{MODEL_HELP} (default: the one that preprocess.py used)")
    add_training_flags(parser)
    add_kind_flags(parser)
    add_running_flags(parser)
    add_hub_flags(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Search if asked to; train, save, load again, compare; push. Or only push."""
    parser = build_parser()
    args = parser.parse_args(argv)
    set_up_logging()
    hub = take_hub_flags(args, given_flags(build_parser(), argv))
    if hub.push_only:
        processes.check_alone("--push_only")
    if hub.push_to_hub or hub.push_only:
        publishing.check(hub.hub_model_id)
    if hub.push_only:
        print(publishing.push(hub.model_path or DEFAULT_OUTPUT, hub.hub_model_id, hub.hub_private))
        return EXIT_DONE
    if args.data_path is None:
        parser.error(NEEDS_DATA)
    state_folder = training_state.folder_beside(args.output_path)
    check_reporters(args.report_to)
    training_state.check(state_folder, args.resume, args.overwrite)
    data = store.load(args.data_path)
    if len(data.splits["train"]) == 0:
        raise DataError(f"{args.data_path} has no training texts", "preprocess more rows")
    classifies = data.recipe["kind"] == "classify"
    check_kind(args, parser, data.recipe["kind"])
    open_flags = fill_in(args, data.recipe["kind"])
    check_prefix_cache(args)
    if args.search or args.average_runs > 1:
        processes.check_alone("--search" if args.search else "--average_runs")
    if args.search:
        search_state.check(args, data, open_flags)
    data_sha256 = sha256_of(args.data_path)

    with redirect_stdout(sys.stderr):  # transformers prints that W&B is offline when it is imported
        from utils import averaging, calibration, checkpoint, devices, freezing, prefix_cache, recipe

    checkpoint.check_output(args.output_path, args.overwrite)
    device = devices.choose_device(args.device)
    precision = devices.choose_precision(args.precision, device)
    name = args.model or data.recipe["base_model"]
    processes.start(device)
    log.info("base model %s (%s), %s on %s", name, "--model" if args.model else "from preprocessing", precision, device)
    if (several := processes.world_size()) > 1:
        of_each = args.batch_size * args.gradient_accumulation_steps
        log.info("%d processes: a step takes %d texts", several, several * of_each)
    folder = prefix_cache.folder_beside(args.output_path)
    cache = prefix_cache.PrefixCache(folder, args.prefix_cache, args.prefix_cache_gb, args.keep_prefix_cache)
    ready = prepare(args, data, name, classifies, device, precision, cache)
    base, rows = ready.base, ready.rows
    found = None
    if args.search:
        from utils import searching

        freeze = freezing.freeze_classifier if classifies else partial(freezing.freeze, train_head=args.train_head)
        settings = settings_from(args, precision, device)
        found = searching.search(ready, freeze, args, open_flags, settings, data_sha256, cache)
        vars(args).update(found.settings)
        freeze(base.model, args.unfreeze_last)
    log.info(freezing.describe(base.model))
    training_state.begin(state_folder, vars(args), data_sha256, args.resume)
    try:
        settings = settings_from(args, precision, device)
        outcome = averaging.train(
            base.model, ready.objective, rows["train"], rows["validation"], settings, state_folder, args.resume, cache
        )
        run_record = recipe.run_record(
            data, data_sha256, name, vars(args), freezing.count(base.model), outcome, precision, device
        )
        run_record["prefix_cache"] = cache.record(base.model)
        if classifies:
            run_record["max_length"] = ready.max_length
            how = {"threshold": args.threshold, "seed": args.seed, "bfloat16": precision == "bf16"}
            run_record["calibration"] = calibration.calibrate(base, rows["validation"], **how)
        if found:
            run_record["search"] = found.record
        if processes.is_first():
            checkpoint.save_and_verify(args.output_path, base.model, base.tokenizer, run_record, outcome.history)
    except (KeyboardInterrupt, UserError):
        if processes.is_first() and training_state.keep_whole_states(state_folder):
            log.info("to go on from the last saved state, run the same command with --resume")
        raise
    if outcome.better is False and not classifies:
        log.warning("warning: on the validation split no evaluation was better than the base model's")
    if found:
        search_state.finish(args.output_path)
    if not processes.is_first():
        return EXIT_DONE
    shutil.rmtree(state_folder)
    print(args.output_path, flush=True)
    if hub.push_to_hub:
        print(publishing.push(args.output_path, hub.hub_model_id, hub.hub_private))
    return EXIT_DONE


def fine_tune_gpt2(
    dataset_path: str | Path,
    model_name: str = "gpt2",
    output_dir: str | Path = "results",
    hub_model_name: str | None = None,
    **options,
) -> Path:
    """From a table of emoji (a file, or "builtin") to a trained model and its tokenizer in the folder `output_dir`.

    Pushed only where `hub_model_name` is given. `options` are aliases (a list of languages), target and split_by of
    preprocess.py, and the flags of this script (`epochs=3`, `save_steps=100`, `overwrite=True`, …). The processed
    table is put into the folder, for evaluate_model.py. UserError for what is wrong.
    """
    import yaml

    from utils import preprocess_flags, preprocessing
    from utils.tasks.emoji import EMOJI

    table = preprocess_flags.take_table_options(options)
    filters = preprocess_flags.no_filters(EMOJI)
    shared = preprocessing.Shared(EMOJI, model_name, "model_name", filters, options.get("seed", 42))
    options |= {"output_path": str(output_dir)}
    if hub_model_name is not None:
        options |= {"push_to_hub": True, "hub_model_id": hub_model_name}
    with tempfile.TemporaryDirectory() as folder:
        config, pickle = Path(folder) / "options", Path(folder) / "emoji.pkl"
        config.write_text(yaml.safe_dump(options), encoding="utf-8")
        build_parser().parse_args(["--config", str(config)])  # what is wrong with an option is said before any work
        store.save(pickle, preprocessing.of_emoji(shared, [str(dataset_path)], **table))
        main(["--data", str(pickle), "--config", str(config)])
        shutil.copy(pickle, output_dir)
    return Path(output_dir)


def prepare(args, data: store.Processed, name: str, classifies: bool, device: str, precision: str, cache):
    """What `utils.preparing` makes of the flags."""
    from utils import preparing

    shared = {"unfreeze_last": args.unfreeze_last, "max_length": args.max_length}
    if not classifies:
        own = {flag: getattr(args, flag) for flag in ("train_head", "loss_on", "augment", "seed")}
        return preparing.to_write(data, name, pack=args.packing, **own, **shared)
    own = {flag: getattr(args, flag) for flag in ("class_weights", "oversample", "augment", "seed")}
    return preparing.to_classify(data, name, device=device, precision=precision, prefix_cache=cache, **own, **shared)


if __name__ == "__main__":
    sys.exit(run(main))
