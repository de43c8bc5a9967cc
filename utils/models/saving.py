"""Saving a trained model: all or nothing, with the files read back and compared."""

import errno
import itertools
import json
import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.files import atomic_write, default_file_mode
from utils.folders import new_folder, replace_folder
from utils.models.checkpoint import Trained, load
from utils.models.generation_settings import write_generation_settings
from utils.models.model_card import is_edited, marked, model_card
from utils.models.model_files import (
    CARD_FILE,
    LOG_FILE,
    PICTURE_FILE,
    check_output,
    is_picture,
    log_entries,
    other_files,
    picture_path,
)
from utils.models.pt_file import pack
from utils.models.run_file import BASELINE_FILE, RUN_FILE
from utils.models.tokenization import context_length
from utils.plots.loss_curves import training_svg
from utils.system_errors import as_os_errors
from utils.terminal.progress import late_bars_of_transformers, progress_bar

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)


def save_and_verify(
    path: Path,
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    run: dict,
    history: list[dict],
    baseline: str | None = None,
) -> None:
    """Save the model with its log and model card, load it again, and check that it has the same weights and logits.

    `baseline` is the text of its baseline.json, if it has one.
    """
    import torch

    lines = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in history)
    with progress_bar("saving and checking", 2, "steps") as bar:
        save(path, Trained(model, tokenizer, run), lines, marked(model_card(run, None)), baseline)
        bar.update()
        loaded = load(str(path)).model
    expected, actual = model.state_dict(), loaded.state_dict()
    if expected.keys() != actual.keys():
        raise RuntimeError(f"{path} has other weights than the model: {sorted(expected.keys() ^ actual.keys())}")
    if differing := [name for name in expected if not torch.equal(expected[name].cpu(), actual[name])]:
        raise RuntimeError(f"{path} does not have the weights of the model that was saved: {', '.join(differing)}")
    check_logits(path, model, tokenizer, loaded)


def check_logits(
    path: Path, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", loaded: "PreTrainedModel"
) -> None:
    """Raise RuntimeError where a model that was loaded from `path` gives a text other logits than the one saved."""
    import torch

    expected, actual = probe_logits(model, tokenizer), probe_logits(loaded, tokenizer)
    tolerance = 1e-5 * max(1.0, expected.abs().max().item())
    if not torch.allclose(expected, actual, rtol=0, atol=tolerance, equal_nan=True):
        difference = (expected - actual).abs().max()
        raise RuntimeError(f"{path} does not give the logits of the model that was saved: off by {difference}")


def probe_logits(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> "Tensor":
    """Return the logits of a text of plain tokens, with the same random numbers (Reformer hashes with some) each time.

    A special token may mean something to the model: padding has no position in RoBERTa, and labels are read before it.
    """
    import torch

    from utils.compute.device import kept_random_numbers
    from utils.compute.patching import eval_mode

    special = {*tokenizer.all_special_ids, model.config.get_text_config().pad_token_id}
    vocabulary = model.config.get_text_config().vocab_size
    plain = [id for id in range(min(vocabulary, 1000)) if id not in special] or [0]
    length = min(64, context_length(model))
    ids = torch.tensor([[plain[number * 997 % len(plain)] for number in range(length)]], device=model.device)
    with kept_random_numbers(), eval_mode(model), torch.inference_mode():
        torch.manual_seed(0)
        return model(ids).logits.cpu()


def save(path: Path, trained: Trained, log_lines: str, card: str, baseline: str | None = None) -> None:
    """Write the model atomically as a folder, or as one file if `path` ends in .pt. An existing model is replaced.

    The folder is a Hugging Face model folder, with run.json, log.jsonl, training.svg and README.md; what else was in it
    stays. The file has the same contents: weights as tensors, everything else as text.
    """
    check_output(path, overwrite=True)  # again, since training may have taken hours
    path = path.resolve()  # replaces the target of a link, not the link
    try:
        with new_folder(path) as folder, as_os_errors(), late_bars_of_transformers():
            trained.model.save_pretrained(folder)
            trained.tokenizer.save_pretrained(folder)
            if "sampling" in trained.run:
                write_generation_settings(folder, trained.model.config, trained.tokenizer, trained.run)
            texts = {LOG_FILE: log_lines, CARD_FILE: card} | ({BASELINE_FILE: baseline} if baseline else {})
            history = log_entries(log_lines)
            if picture := training_svg(history, trained.run.get("results", {})):
                texts[PICTURE_FILE] = picture
            names = sorted({entry.name for entry in folder.iterdir()} | {RUN_FILE, *texts})
            texts[RUN_FILE] = json.dumps({**trained.run, "files": names}, indent=2, ensure_ascii=False) + "\n"
            for file_name, text in texts.items():
                (folder / file_name).write_text(text, encoding="utf-8")
            for file in folder.iterdir():
                file.chmod(default_file_mode())  # safetensors makes its files readable by their owner only
            if path.suffix == ".pt":
                pack(folder, path)
            else:
                _replace_folder(folder, path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write {path}: {reason}", "free some space or choose another --output_path") from error


def write_picture(path: Path, history: list[dict], results: dict) -> Path | None:
    """Write the loss curves of a model that was saved as a .pt file beside it; those of a folder are there already.

    Return their path, None without logged losses. A failure is a warning, because the model is saved.
    """
    picture = picture_path(path)
    if path.suffix == ".pt" and (svg := training_svg(history, results)):
        try:
            if os.path.lexists(picture) and not is_picture(picture):
                raise UserError(f"{picture} exists, and fine_tune.py did not write it", "")
            with atomic_write(picture, "w") as file:
                file.write(svg)
        except UserError as error:
            log.warning("warning: no loss curves were drawn: %s", error.problem)
            return None
    if not picture.is_file():
        return None
    log.info("loss curves: %s", picture)
    return picture


def _replace_folder(new: Path, path: Path) -> None:
    """Give the folder of a new model its name; files that are not ours stay, and so does an edited card, as another."""
    kept = other_files(path) if path.is_dir() else []
    for name in kept:
        if os.path.lexists(new / name):
            raise FileExistsError(errno.EEXIST, f"{name} of the new model is there, and fine_tune.py did not write it")
    if path.is_dir() and is_edited(path):
        names = (f"README.edited{number or ''}.md" for number in itertools.count())
        name = next(name for name in names if name not in kept)
        shutil.copyfile(path / CARD_FILE, new / name)
        log.warning("warning: the model card that %s had was edited, and is kept as %s", path, name)
    replace_folder(new, path, kept)
    if kept:
        names = ", ".join(kept[:5]) + ", …" * (len(kept) > 5)
        log.info("kept in %s, as fine_tune.py did not write it: %s", path, names)
