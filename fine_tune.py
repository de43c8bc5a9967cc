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

from utils import distributed
from utils.cli import MODEL_HELP, Parser, run
from utils.errors import EXIT_DONE, DataError, UserError
from utils.files import sha256_of
from utils.models.hub import check_push, push_model
from utils.processed import Processed, load_processed, save_processed
from utils.training.flags import (
    DEFAULT_OUTPUT,
    add_hub_flags,
    add_kind_flags,
    add_running_flags,
    add_training_flags,
    check_kind,
    check_prefix_cache,
    check_reporters,
    fill_in,
    given_flags,
    settings_from,
    take_hub_flags,
)
from utils.training.run_state import (
    begin_run,
    check_run_state,
    check_search,
    finish_search,
    keep_whole_checkpoints,
    run_state_folder,
)

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
    hub = take_hub_flags(args, given_flags(build_parser(), argv))
    if hub.push_only:
        distributed.require_single_process("--push_only")
    if hub.push_to_hub or hub.push_only:
        check_push(hub.hub_model_id)
    if hub.push_only:
        print(push_model(hub.model_path or DEFAULT_OUTPUT, hub.hub_model_id, hub.hub_private))
        return EXIT_DONE
    if args.data_path is None:
        parser.error(NEEDS_DATA)
    state_folder = run_state_folder(args.output_path)
    check_reporters(args.report_to)
    check_run_state(state_folder, args.resume, args.overwrite)
    data = load_processed(args.data_path)
    if len(data.splits["train"]) == 0:
        raise DataError(f"{args.data_path} has no training texts", "preprocess more rows")
    classifies = data.recipe["kind"] == "classify"
    check_kind(args, parser, data.recipe["kind"])
    open_flags = fill_in(args, data.recipe["kind"])
    check_prefix_cache(args)
    if args.search or args.average_runs > 1:
        distributed.require_single_process("--search" if args.search else "--average_runs")
    if args.search:
        check_search(args, data, open_flags)
    data_sha256 = sha256_of(args.data_path)

    with redirect_stdout(sys.stderr):  # transformers prints that W&B is offline when it is imported
        from utils.compute.device import choose_device, choose_precision
        from utils.compute.prefix_cache import PrefixCache, prefix_cache_folder
        from utils.models import checkpoint
        from utils.training.calibration import calibrate
        from utils.training.freezing import (
            count_parameters,
            describe_parameters,
            freeze_classifier_parameters,
            freeze_parameters,
        )
        from utils.training.model_soup import train_soup
        from utils.training.run_record import build_run_record

    checkpoint.check_output(args.output_path, args.overwrite)
    device = choose_device(args.device)
    precision = choose_precision(args.precision, device)
    name = args.model or data.recipe["base_model"]
    distributed.initialize(device)
    if args.packing:
        log.info("--packing has no effect any more: batches of similar lengths need little padding")
    log.info("base model %s (%s), %s on %s", name, "--model" if args.model else "from preprocessing", precision, device)
    if (several := distributed.world_size()) > 1:
        of_each = args.batch_size * args.gradient_accumulation_steps
        log.info("%d processes: a step takes %d texts", several, several * of_each)
    folder = prefix_cache_folder(args.output_path)
    cache = PrefixCache(folder, args.prefix_cache, args.prefix_cache_gb, args.keep_prefix_cache)
    ready = prepare(args, data, name, classifies, device, precision, cache)
    base, rows = ready.base, ready.rows
    found = None
    if args.search:
        from utils.training.search import search_settings

        freeze = freeze_classifier_parameters if classifies else partial(freeze_parameters, train_head=args.train_head)
        settings = settings_from(args, precision, device)
        found = search_settings(ready, freeze, args, open_flags, settings, data_sha256, cache)
        vars(args).update(found.settings)
        freeze(base.model, args.unfreeze_last)
    log.info(describe_parameters(base.model))
    begin_run(state_folder, vars(args), data_sha256, args.resume)
    try:
        settings = settings_from(args, precision, device)
        outcome = train_soup(
            base.model, ready.objective, rows["train"], rows["validation"], settings, state_folder, args.resume, cache
        )
        run_record = build_run_record(
            data, data_sha256, name, vars(args), count_parameters(base.model), outcome, precision, device
        )
        run_record["prefix_cache"] = cache.record(base.model)
        if classifies:
            run_record["max_length"] = ready.max_length
            how = {"threshold": args.threshold, "seed": args.seed, "bfloat16": precision == "bf16"}
            run_record["calibration"] = calibrate(base, rows["validation"], **how)
        if found:
            run_record["search"] = found.record
        if distributed.is_main_process():
            checkpoint.save_and_verify(args.output_path, base.model, base.tokenizer, run_record, outcome.history)
    except (KeyboardInterrupt, UserError):
        if distributed.is_main_process() and keep_whole_checkpoints(state_folder):
            log.info("to go on from the last saved state, run the same command with --resume")
        raise
    if outcome.better is False and not classifies:
        log.warning("warning: on the validation split no evaluation was better than the base model's")
    if found:
        finish_search(args.output_path)
    if not distributed.is_main_process():
        return EXIT_DONE
    shutil.rmtree(state_folder)
    print(args.output_path, flush=True)
    if hub.push_to_hub:
        print(push_model(args.output_path, hub.hub_model_id, hub.hub_private))
    return EXIT_DONE


def fine_tune_gpt2(
    dataset_path: str | Path,
    model_name: str = "gpt2",
    output_dir: str | Path = "results",
    hub_model_name: str | None = None,
    **options,
) -> Path:
    """From a table of emoji (a file, or "builtin") to a trained model and its tokenizer in the folder `output_dir`.

    Pushed only where `hub_model_name` is given. `options` are aliases (a list of languages), emoji_target and split_by of
    preprocess.py, and the flags of this script (`epochs=3`, `save_steps=100`, `overwrite=True`, …). The processed
    table is put into the folder, for evaluate_model.py. UserError for what is wrong.
    """
    import yaml

    from utils.preprocessing.filters import Filters
    from utils.preprocessing.pipeline import PipelineSettings, process_emoji
    from utils.tasks.emoji import EMOJI

    names = {"aliases": "aliases", "emoji_target": "emoji_target", "target": "emoji_target", "split_by": "split_by"}
    table = {name: options.pop(option) for option, name in names.items() if option in options}
    shared = PipelineSettings(EMOJI, model_name, Filters.for_task(EMOJI), options.get("seed", 42), "model_name")
    options |= {"output_path": str(output_dir)}
    if hub_model_name is not None:
        options |= {"push_to_hub": True, "hub_model_id": hub_model_name}
    with tempfile.TemporaryDirectory() as folder:
        config, pickle = Path(folder) / "options", Path(folder) / "emoji.pkl"
        config.write_text(yaml.safe_dump(options), encoding="utf-8")
        build_parser().parse_args(["--config", str(config)])  # what is wrong with an option is said before any work
        save_processed(pickle, process_emoji(shared, [str(dataset_path)], **table))
        main(["--data", str(pickle), "--config", str(config)])
        shutil.copy(pickle, output_dir)
    return Path(output_dir)


def prepare(args, data: Processed, name: str, classifies: bool, device: str, precision: str, cache):
    """What `utils.training.trainer.prepare` makes of the flags."""
    from utils.training.prepare import prepare_classifier, prepare_writer

    shared = {"unfreeze_last": args.unfreeze_last, "max_length": args.max_length}
    if not classifies:
        own = {flag: getattr(args, flag) for flag in ("train_head", "loss_on", "augment", "seed")}
        return prepare_writer(data, name, **own, **shared)
    own = {flag: getattr(args, flag) for flag in ("class_weights", "oversample", "augment", "seed")}
    return prepare_classifier(data, name, device=device, precision=precision, prefix_cache=cache, **own, **shared)


if __name__ == "__main__":
    sys.exit(run(main, uses_model=True))
