"""Fine-tune a base model on a processed pickle.

python fine_tune.py --data data/processed.pkl --epochs 10 --batch_size 16
python fine_tune.py --data data/reviews.pkl --output_path models/reviews
python fine_tune.py --data data/alpaca.pkl --output_path models/alpaca
python fine_tune.py --data data/emoji.pkl --augment --output_path models/emoji
"""

import json
import os
import random
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from utils import distributed
from utils.argument_types import output_path
from utils.cli import MODEL_HELP, MORE_OF_MODEL, Parser
from utils.errors import EXIT_DONE, UsageError
from utils.files import atomic_write
from utils.hugging_face_names import accept_hugging_face_names
from utils.models.export.export import export_trained
from utils.models.model_files import picture_path
from utils.models.opening.adapter_folder import BASE_HELP
from utils.process import PROCESS_BEGAN, run
from utils.processed import save_processed
from utils.publishing.hub import check_push, push_model
from utils.results.following import after_foreseeing, after_training
from utils.temporary import temporary_folder
from utils.terminal.notices import say_what_begins, say_what_is_done
from utils.training.flag_checks import take_hub_flags
from utils.training.flags import DEFAULT_OUTPUT, add_fine_tuning_flags
from utils.training.forecast.forecast import Forecast
from utils.training.repeat import settings_of_run
from utils.training.run import FineTuned, foresee, one_run_at_a_time, train_and_save


def build_parser() -> Parser:
    """The command line of fine_tune.py."""
    parser = Parser(__doc__)
    add = parser.group("data and model")
    add(
        "--data_path",
        "--data",
        type=Path,
        metavar="PKL",
        help="output of preprocess.py",
        more="(not for --model_path)",
    )
    add(
        "--output_path",
        type=output_path,
        default=DEFAULT_OUTPUT,
        help="a folder, or one file.pt (default: %(default)s)",
    )
    add("--overwrite", action="store_true", help="replace an existing model")
    model = f"{MODEL_HELP} (default: as preprocess.py)"
    add("--model", "--model_name_or_path", help=model, more=MORE_OF_MODEL)
    parser.group("data and model", rare=True)("--base_model", metavar="MODEL", help=BASE_HELP)
    add_fine_tuning_flags(parser)
    forecast = "estimate the run's steps, memory, disk space and time, and write nothing"
    parser.group("running")("--dry_run", action="store_true", help=forecast)
    parser.group("running", rare=True)("--json", action="store_true", help="print the result as JSON")
    accept_hugging_face_names(parser)
    parser.repeat_runs(settings_of_run)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Train a model, and push it if asked to, or only push or export a trained one."""
    began = PROCESS_BEGAN if argv is None else time.monotonic()
    parser = build_parser()
    flags, hub = parse_checked(parser, argv)
    if hub.push_trained:
        print(push_model(hub.model_path or DEFAULT_OUTPUT, hub.hub_model_id, hub.hub_private))
        return EXIT_DONE
    if hub.model_path:
        print(*export_trained(hub.model_path, flags.export, flags.export_type, flags.overwrite), sep="\n")
        return EXIT_DONE
    say_what_begins("fine_tune", f"training {flags.model or 'a model'} on {flags.data_path}")
    with redirect_stdout(sys.stderr):  # transformers prints that W&B is offline when it is imported
        trained = (foresee if hub.dry_run else train_and_save)(flags, parser, began)
    if hub.dry_run:
        print(json.dumps(trained.as_json(), ensure_ascii=False) if hub.json else trained, flush=True)
        say_what_is_done(began, "foreseen", following=after_foreseeing())
        return EXIT_DONE
    if distributed.is_main_process():
        print(trained.describe(as_json=hub.json), flush=True)
        if hub.push_to_hub:
            address = push_model(flags.output_path, hub.hub_model_id, hub.hub_private)
            print(json.dumps({"url": address}) if hub.json else address, flush=True)
        following = after_training(trained.path, trained.run["kind"], flags.data_path)
        pictures = [path for path in [picture_path(trained.path)] if path.is_file()]
        say_what_is_done(began, "", [trained.path, *pictures, *trained.exported], following)
    return EXIT_DONE


def parse_checked(parser: Parser, argv: list[str] | None) -> tuple[Namespace, Namespace]:
    """Return (the flags of training, those of the Hub and of --dry_run).

    UserError where they don't fit, or a push must fail.
    """
    flags = parser.parse_args(argv)
    foreseen = {name: vars(flags).pop(name) for name in ("dry_run", "json")}
    if foreseen["dry_run"] and flags.resume:
        raise UsageError("--dry_run estimates a whole run, and --resume continues one", "remove one of them")
    hub = Namespace(**vars(take_hub_flags(flags, parser.given)), **foreseen)
    if hub.push_trained:
        distributed.require_single_process("--push_trained")
    if hub.hub_model_id is not None:
        check_push(hub.hub_model_id)
    if flags.data_path is None and not (hub.push_trained or hub.model_path):
        parser.error("the following arguments are required: --data_path/--data")
    return flags, hub


def fine_tune(
    data: str | os.PathLike, model: str | None = None, output: str | os.PathLike | None = None, **flags
) -> FineTuned | Forecast:
    """Train a model on a processed pickle, and return its path, its figures and its log.

    With `dry_run=True`, nothing is trained or written, and the forecast is returned.

    `model` is the base model and `output` the new folder or file.pt, as --model and --output_path; `flags` are those of
    the command line (`epochs=3`, `max_steps=100`, `overwrite=True`, …). UserError where they or the data are wrong.
    Progress goes to the logger "utils" at level INFO.
    """
    began = time.monotonic()
    parser = build_parser()
    options = {"data_path": data, "model": model, "output_path": output, **flags}
    parsed, hub = parse_checked(parser, parser.as_arguments(options))
    with one_run_at_a_time, kept_random_states():
        if hub.dry_run:
            return foresee(parsed, parser, began)
        trained = train_and_save(parsed, parser, began)
    if hub.push_to_hub:
        push_model(trained.path, hub.hub_model_id, hub.hub_private)
    return trained


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

    Progress goes to the logger "utils" at level INFO. Nothing else in the process changes.
    """
    from utils.preprocessing.filters import Filters
    from utils.preprocessing.pipeline import PipelineSettings, process_emoji
    from utils.tasks.emoji import EMOJI

    names = {"aliases": "aliases", "emoji_target": "emoji_target", "target": "emoji_target", "split_by": "split_by"}
    table = {name: options.pop(option) for option, name in names.items() if option in options}
    if hub_model_name is not None:
        options |= {"push_to_hub": True, "hub_model_id": hub_model_name}
    parser = build_parser()
    flags, _ = parse_checked(parser, parser.as_arguments({"data_path": dataset_path, **options}))
    settings = PipelineSettings(EMOJI, model_name, Filters.for_task(EMOJI), flags.seed, "model_name")
    with temporary_folder() as folder:
        data = folder / "emoji.pkl"
        save_processed(data, process_emoji(settings, [str(dataset_path)], **table))
        trained = fine_tune(data, output=output_dir, **options)
        with atomic_write(Path(output_dir) / data.name) as file:
            file.write(data.read_bytes())
    return trained.path


@contextmanager
def kept_random_states() -> Iterator[None]:
    """Give Python's, NumPy's and PyTorch's random numbers back their states, whose seeds training sets."""
    import numpy

    from utils.compute.device import kept_random_numbers

    states = random.getstate(), numpy.random.get_state()
    with kept_random_numbers():
        try:
            yield
        finally:
            random.setstate(states[0])
            numpy.random.set_state(states[1])


if __name__ == "__main__":
    sys.exit(run(main, uses_model=True, repeats=True))
