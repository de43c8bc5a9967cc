"""Fine-tune a base model on a processed pickle.

python fine_tune.py --data data/processed.pkl --epochs 10 --batch_size 16
python fine_tune.py --data data/processed.pkl --model tiny --max_steps 20 --output_path models/tiny
python fine_tune.py --push_trained --model_path models/tiny --hub_model_id USER/NAME
"""

import logging
import shutil
import sys
import tempfile
from argparse import Namespace
from contextlib import redirect_stdout
from pathlib import Path

from utils import distributed
from utils.cli import MODEL_HELP, Parser, run
from utils.errors import EXIT_DONE, DataError, UserError
from utils.files import sha256_of
from utils.models.hub import check_push, push_model
from utils.processed import load_processed, save_processed
from utils.tasks.kinds import CLASSIFY, KINDS
from utils.training.flags import (
    DEFAULT_OUTPUT,
    add_fine_tuning_flags,
    check_reporters,
    complete_flags,
    given_flags,
    settings_from,
    take_hub_flags,
)
from utils.training.run_state import (
    begin_run,
    check_run_state,
    check_search,
    finish_search,
    keep_complete_checkpoints,
    run_state_folder,
)

log = logging.getLogger("utils.fine_tune")


def build_parser() -> Parser:
    """The command line of fine_tune.py."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--data_path", "--data", type=Path, metavar="PKL", help="what preprocess.py wrote; not for --push_trained")
    add("--output_path", type=Path, default=DEFAULT_OUTPUT, help="a folder, or one file.pt (default: %(default)s)")
    add("--overwrite", action="store_true", help="replace an existing model")
    add("--model", "--model_name_or_path", help=f"{MODEL_HELP} (default: the one that preprocess.py used)")
    add_fine_tuning_flags(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Train a model and push it if asked to, or only push a trained one."""
    parser = build_parser()
    flags = parser.parse_args(argv)
    hub = take_hub_flags(flags, given_flags(build_parser(), argv))
    if hub.push_trained:
        distributed.require_single_process("--push_trained")
    if hub.hub_model_id is not None:
        check_push(hub.hub_model_id)
    if hub.push_trained:
        print(push_model(hub.model_path or DEFAULT_OUTPUT, hub.hub_model_id, hub.hub_private))
        return EXIT_DONE
    if flags.data_path is None:
        parser.error("the following arguments are required: --data_path/--data")
    fine_tune(flags)
    if distributed.is_main_process():
        print(flags.output_path, flush=True)
        if hub.push_to_hub:
            print(push_model(flags.output_path, hub.hub_model_id, hub.hub_private))
    return EXIT_DONE


def fine_tune_gpt2(
    dataset_path: str | Path,
    model_name: str = "gpt2",
    output_dir: str | Path = "results",
    hub_model_name: str | None = None,
    **options,
) -> Path:
    """Train a model on a table of emoji (a file, or "builtin"), and return its folder, `output_dir`.

    It is pushed to the Hub if `hub_model_name` is given. `options` are aliases (a list of languages), emoji_target and
    split_by as for preprocess.py, and the flags of this script (`epochs=3`, `save_steps=100`, `overwrite=True`, …).
    The folder also gets the processed table, for evaluate_model.py. UserError if an option or the data is wrong.

    Progress goes to stderr, and to the logger "utils" at level INFO. Training sets the seeds of Python's, NumPy's and
    PyTorch's random numbers; nothing else in the process changes.
    """
    from utils.preprocessing.filters import Filters
    from utils.preprocessing.pipeline import PipelineSettings, process_emoji
    from utils.tasks.emoji import EMOJI

    names = {"aliases": "aliases", "emoji_target": "emoji_target", "target": "emoji_target", "split_by": "split_by"}
    table = {name: options.pop(option) for option, name in names.items() if option in options}
    if hub_model_name is not None:
        options |= {"push_to_hub": True, "hub_model_id": hub_model_name}
    flags = build_parser().parse_options(options)
    hub = take_hub_flags(flags, options.keys())
    if hub.push_to_hub:
        check_push(hub.hub_model_id)
    flags.output_path = Path(output_dir)
    settings = PipelineSettings(EMOJI, model_name, Filters.for_task(EMOJI), flags.seed, "model_name")
    with tempfile.TemporaryDirectory() as folder:
        flags.data_path = Path(folder) / "emoji.pkl"
        save_processed(flags.data_path, process_emoji(settings, [str(dataset_path)], **table))
        fine_tune(flags)
        shutil.copy(flags.data_path, output_dir)
    if hub.push_to_hub:
        push_model(flags.output_path, hub.hub_model_id, hub.hub_private)
    return flags.output_path


def fine_tune(flags: Namespace) -> None:
    """Search for settings if asked to; train, save the model, load it again and compare. UserError if that fails."""
    state_folder = run_state_folder(flags.output_path)
    check_reporters(flags.report_to)
    check_run_state(state_folder, flags.resume, flags.overwrite)
    data = load_processed(flags.data_path)
    if len(data.splits["train"]) == 0:
        raise DataError(f"{flags.data_path} has no training texts", "preprocess more rows")
    kind = KINDS[data.recipe["kind"]]
    searchable = complete_flags(flags, build_parser(), kind)
    if flags.search or flags.model_soup > 1:
        distributed.require_single_process("--search" if flags.search else "--model_soup")
    if flags.search:
        check_search(flags, data, searchable)
    data_sha256 = sha256_of(flags.data_path)

    with redirect_stdout(sys.stderr):  # transformers prints that W&B is offline when it is imported
        from utils.compute.device import choose_device, choose_precision
        from utils.compute.prefix_cache import PrefixCache, prefix_cache_folder
        from utils.models import checkpoint
        from utils.training.calibration import calibrate
        from utils.training.freezing import describe_parameters
        from utils.training.model_soup import train_soup
        from utils.training.prepare import prepare
        from utils.training.run_record import build_run_record

    checkpoint.check_output(flags.output_path, flags.overwrite)
    device = choose_device(flags.device)
    precision = choose_precision(flags.precision, device)
    name = flags.model or data.recipe["base_model"]
    distributed.initialize(device)
    if flags.packing:
        log.info("--packing has no effect any more: batches of similar lengths need little padding")
    source = "--model" if flags.model else "from preprocessing"
    log.info("base model %s (%s), %s on %s", name, source, precision, device)
    if (processes := distributed.world_size()) > 1:
        texts = processes * flags.batch_size * flags.gradient_accumulation_steps
        log.info("%d processes: an optimizer step takes %d texts", processes, texts)
    cache_folder = prefix_cache_folder(flags.output_path)
    cache = PrefixCache(cache_folder, flags.prefix_cache, flags.prefix_cache_gb, flags.keep_prefix_cache)
    setup = prepare(data, name, flags, device, precision, cache)
    model, rows, search = setup.base.model, setup.rows, None
    if flags.search:
        from utils.training.search import search_settings

        settings = settings_from(flags, precision, device)
        best_settings, search = search_settings(setup, flags, searchable, settings, data_sha256, cache)
        vars(flags).update(best_settings)
        setup.freeze(model, flags.unfreeze_last)
    log.info(describe_parameters(model))
    begin_run(state_folder, vars(flags), data_sha256, flags.resume)
    try:
        settings = settings_from(flags, precision, device)
        outcome = train_soup(
            model, setup.objective, rows["train"], rows["validation"], settings, state_folder, flags.resume, cache
        )
        record = build_run_record(data, data_sha256, name, vars(flags), model, outcome, precision, device)
        record["prefix_cache"] = cache.record(model)
        if kind == CLASSIFY:
            record["max_length"] = setup.max_length
            record["calibration"] = calibrate(
                setup.base, rows["validation"], flags.threshold, flags.seed, bfloat16=precision == "bf16"
            )
        if search:
            record["search"] = search
        if distributed.is_main_process():
            checkpoint.save_and_verify(flags.output_path, model, setup.base.tokenizer, record, outcome.history)
    except (KeyboardInterrupt, UserError):
        if distributed.is_main_process() and keep_complete_checkpoints(state_folder):
            log.info("to continue from the last saved state, run the same command with --resume")
        raise
    if outcome.better is False and kind != CLASSIFY:
        log.warning("warning: on the validation split no evaluation was better than the base model's")
    if search:
        finish_search(flags.output_path)
    if distributed.is_main_process():
        shutil.rmtree(state_folder)


if __name__ == "__main__":
    sys.exit(run(main, uses_model=True))
