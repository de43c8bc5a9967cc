"""Our files in a model's folder: --overwrite removes no others, and replaces only trained models of ours."""

import json
import os
from fnmatch import fnmatch
from pathlib import Path

from utils.errors import UserError
from utils.files import check_place
from utils.folders import is_mount_point
from utils.locks import is_lock
from utils.models.model_card import CARD_FILE
from utils.models.pt_file import is_pt_file
from utils.models.run_file import BASELINE_FILE, RUN_FILE, files_in_run, is_ours, was_searched
from utils.plots.loss_curves import PICTURE_MARK

LOG_FILE, PICTURE_FILE = "log.jsonl", "training.svg"
REPORT_FILE = "report.html"
REPORT_MARK = b'<meta name="generator" content="small-text-fine-tuning/evaluate_model.py">'  # in its first lines
# The files from which a model and its tokenizer are loaded, by transformers' names.
LOADED = ("config.json", "generation_config.json", "chat_template.jinja", "additional_chat_templates")
LOADED += ("model.safetensors", "model-*-of-*.safetensors", "model.safetensors.index.json")
LOADED += ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.model")
LOADED += ("vocab.json", "vocab.txt", "vocab.bpe", "merges.txt", "bpe.codes", "spiece.model", "*.spm")
LOADED += ("sentencepiece.bpe.model", "spm.model", "normalizer.json", BASELINE_FILE)
LOADED_TOO = ("adapter_config.json", "adapter_model.*", "pytorch_model.bin", "pytorch_model.bin.index.json")
# Files that are written after training, and the temporary files and locks that a killed process leaves of them.
WRITTEN_LATER = ("evaluation.json", "answers.jsonl", "search.csv", REPORT_FILE, CARD_FILE)
PARTS = tuple(f".{name}.????????.part" for name in WRITTEN_LATER)
LOCKS = tuple(f".{name}.lock" for name in WRITTEN_LATER)


def check_output(path: Path, overwrite: bool, *, tries: bool = True) -> None:
    """Raise UserError if `path` has something that must not be replaced, or if it cannot be written.

    With `tries`, the folder that it is in is made, and a file in it, which is removed.
    """
    target = Path(os.path.realpath(path))
    elsewhere = "choose another --output_path; nothing was changed"
    if not _is_free(target):
        if not is_written(path):
            damaged = ", or it is damaged" if target.is_file() and path.suffix == ".pt" else ""
            raise UserError(f"{path} exists, and fine_tune.py did not write it{damaged}", elsewhere)
        if not overwrite:
            hint = "add --overwrite to replace it, or choose another --output_path"
            raise UserError(f"{path} already contains a trained model", hint)
    if os.path.lexists(target) and target.is_dir():
        if is_mount_point(target):
            problem = f"{path} is a mount point, or has one in it, so it cannot be replaced by another folder"
            raise UserError(problem, f"name a new folder in it: --output_path {path / 'model'}")
        if not os.access(target, os.W_OK | os.X_OK):
            raise UserError(f"cannot write {path}: Permission denied", elsewhere)
        _check_kept(path, target)
    if tries:
        check_place(target if os.path.lexists(path) and path.is_symlink() else path)


def log_entries(text: str) -> list:
    """Return the entries of log.jsonl, a line each: a sample text may have other line ends (U+0085, U+2028)."""
    return [json.loads(line) for line in text.split("\n") if line]


def is_written(path: Path) -> bool:
    """Return whether fine_tune.py has written a model to `path`."""
    return is_pt_file(path) if path.suffix == ".pt" else is_ours(path)


def other_files(folder: Path) -> list[str]:
    """Return the entries of a model's folder that neither fine_tune.py nor evaluate_model.py wrote, sorted."""
    listed = files_in_run(folder)
    return sorted(entry.name for entry in folder.iterdir() if not _is_ours(entry, listed))


def is_evaluation(file: Path) -> bool:
    """Return whether evaluate_model.py wrote a file: the figures, or the answers in lines (.jsonl)."""
    with file.open("rb") as opened:
        if file.suffix == ".jsonl":
            return _has_fields(opened.readline(1_000_000), "row", "reference", "tuned")
        return _has_fields(opened.read(), "model_path", "data_sha256", "split")


def is_report(file: Path) -> bool:
    """Return whether evaluate_model.py wrote a page."""
    with file.open("rb") as opened:
        return REPORT_MARK in opened.read(2000)


def is_picture(file: Path) -> bool:
    """Return whether fine_tune.py drew the loss curves in a file."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(PICTURE_MARK)) == PICTURE_MARK.encode()


def picture_path(path: Path) -> Path:
    """Return the path of the loss curves of the model at `path`: in its folder, or beside a .pt file."""
    return path.with_suffix(f".{PICTURE_FILE}") if path.suffix == ".pt" else path / PICTURE_FILE


def _is_free(path: Path) -> bool:
    if not os.path.lexists(path):  # Path.exists() fails where the name is too long
        return True
    if path.suffix == ".pt":
        return path.is_file() and path.stat().st_size == 0
    return path.is_dir() and not any(path.iterdir())


def _is_ours(entry: Path, listed: list[str] | None) -> bool:
    """Return whether a file is one of those `listed`, or one of ours that is written later than they are.

    An earlier version listed none, and then the names decide.
    """
    if not entry.is_file():
        return False
    if entry.name == "search.csv":
        return was_searched(entry.parent)
    if entry.name in ("evaluation.json", "answers.jsonl"):
        return is_evaluation(entry)
    if entry.name == REPORT_FILE:
        return is_report(entry)
    if entry.name in LOCKS:
        return is_lock(entry)
    if listed is not None and entry.name in (*listed, RUN_FILE):
        return True
    known = PARTS if listed is not None else (*PARTS, *LOADED, LOG_FILE, CARD_FILE, RUN_FILE)
    return any(fnmatch(entry.name, each) for each in known)


def _has_fields(text: bytes, *fields: str) -> bool:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.keys() >= set(fields)


def _check_kept(path: Path, target: Path) -> None:
    """Raise UserError for a file that cannot stay in the folder when the model there is replaced."""
    kept = other_files(target)
    if read := [name for name in kept if any(fnmatch(name, known) for known in (*LOADED, *LOADED_TOO))]:
        raise UserError(
            f"{path} has {read[0]}, which fine_tune.py did not write, and which would be taken for a part of the model",
            "move it elsewhere, or choose another --output_path; nothing was changed",
        )

    def fail(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}", "move it elsewhere") from error

    for name in kept:
        for _ in os.walk(target / name, onerror=fail) if (target / name).is_dir() else ():
            pass
