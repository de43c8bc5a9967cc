"""A whole run of preprocess.py: the pipeline of the task's kind, with the flags that belong to it."""

import logging
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from utils.files import check_apart
from utils.locks import one_writer
from utils.models import checkpoint
from utils.preprocessing.audit import Preprocessed
from utils.preprocessing.flags import cleaning_from, filters_from
from utils.tasks.alpaca import parse_columns
from utils.tasks.base import Task
from utils.tasks.emoji import SPLITS_BY, TARGETS

if TYPE_CHECKING:
    from utils.processed import Processed

log = logging.getLogger(__name__)


def process_and_save(args: Namespace, task: Task) -> Preprocessed:
    """Process the files and write the pickle. UsageError where it would replace one of them."""
    from utils.preprocessing.pipeline import without_cyclic_gc
    from utils.processed import save_processed
    from utils.reading.read_frame import files_of

    files = [file for path in args.data_path if Path(path).exists() for file in files_of(path)]
    model = checkpoint.files_of_model(args.model) if args.model and Path(args.model).exists() else []
    check_apart(args.output_path, [*args.data_path, *files, args.config, *model])
    with one_writer(args.output_path), without_cyclic_gc():
        processed = _process(args, task)
        save_processed(args.output_path, processed)
    return Preprocessed(args.output_path, processed.audit)


def warn_of_filters(audit: dict) -> None:
    """Log a warning where a filter drops suspiciously many rows."""
    from utils.preprocessing.filters import filter_warnings

    for warning in filter_warnings(audit["rows_read"], audit["dropped"]):
        log.warning("warning: %s", warning)


def _process(args: Namespace, task: Task) -> "Processed":
    """Run the pipeline of the task's kind with the flags that belong to it."""
    from utils.compute.workers import default_processes
    from utils.models.base_models import default_model
    from utils.preprocessing import pipeline

    base_model, reason = (args.model, "--model") if args.model else default_model()
    settings = pipeline.PipelineSettings(task, base_model, filters_from(args, task), args.seed, reason, args.hub_split)
    if task.kind == "instruct":
        return pipeline.process_instructions(
            settings,
            args.data_path,
            template=args.template,
            multi_turn=args.multi_turn,
            length_hints=args.length_hints,
            columns={} if args.columns is None else parse_columns(args.columns),
        )
    if task.kind == "emoji":
        return pipeline.process_emoji(
            settings,
            args.data_path,
            aliases=() if args.aliases is None else args.aliases.split(","),
            emoji_target=args.emoji_target or TARGETS[0],
            split_by=args.split_by or SPLITS_BY[0],
            text_column=args.text_column,
        )
    return pipeline.process_texts(
        settings,
        args.data_path,
        cleaning=cleaning_from(args, task),
        text_column=args.text_column,
        label_column=args.label_column,
        label_map=args.label_map,
        keep_conflicts=args.keep_conflicts,
        header=not args.no_header,
        suggest_task=args.task is None,
        processes=args.num_proc or default_processes(args.data_path),
    )
