"""The folder of a trained model that is pushed: unpacked from a .pt file, updated if an earlier version wrote it."""

import logging
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.models import checkpoint, model_files, saving
from utils.models.base_models import TRAIN_FIRST, resolve
from utils.models.model_card import without_folders
from utils.models.model_card_kinds import CARDS
from utils.models.opening.load import load_tokenizer
from utils.models.pt_file import unpack
from utils.models.run_file import RUN_FILE, read_run
from utils.system_errors import as_os_errors
from utils.tasks.kinds import CLASSIFY
from utils.temporary import temporary_folder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)
PROBES = ("a good text", "", "Bad!\nVery bad indeed.")
# A classifier card's text on labels, probabilities and, since an earlier version, other tools.
USE_OF_EARLIER_CARDS = re.compile(
    r"^Labels: .*\bcut to [\d,]+ tokens\..*(\n\nOther tools .*\n\nCleaning: .*)?$", re.MULTILINE
)


@contextmanager
def model_as_folder(path: Path) -> Iterator[Path]:
    """Return the model as a folder, unpacked from a .pt file if need be; UserError if fine_tune.py did not write it.

    A classifier of an earlier version is a copy, whose tokenizer and head give its probabilities in any tool.
    """
    with _unpacked(path) as folder, temporary_folder() as temporary:
        yield _self_contained(path, folder, temporary / "model")


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    if path.suffix == ".pt":
        from safetensors.torch import save_file

        with temporary_folder() as folder:
            with as_os_errors():
                save_file(unpack(path, folder), folder / "model.safetensors", metadata={"format": "pt"})
            yield folder
        return
    if not path.is_dir():
        raise UserError(f"there is no model at {path}", TRAIN_FIRST.format(path=shlex.quote(str(path))))
    if resolve(str(path.absolute())).adapters:
        hint = "push the model beside it, in which it is merged; `hf upload USER/NAME FOLDER` pushes any folder"
        raise UserError(f"{path} is an adapter, not a whole model", hint)
    if not (path / RUN_FILE).is_file():
        hint = "use `hf upload USER/NAME FOLDER`, which pushes any folder"
        raise UserError(f"{path} was not written by fine_tune.py: it has no {RUN_FILE}", hint)
    yield path


def _self_contained(path: Path, folder: Path, copy: Path) -> Path:
    """Return the folder or, for a classifier of an earlier version, its `copy` in today's form."""
    run = read_run(folder / RUN_FILE)
    if run.get("kind") != CLASSIFY.name or run.get("self_contained"):
        return folder
    trained = checkpoint.load(str(folder))
    texts = [_text_in(folder / name) for name in (model_files.LOG_FILE, model_files.CARD_FILE)]
    saving.save(copy, trained, *texts)
    if not trained.run["self_contained"] or _ids(load_tokenizer(resolve(str(copy)))) != _ids(trained.tokenizer):
        log.warning(
            "warning: %s is of an earlier version and cannot hold its template, so other tools need it; trained again, "
            "it would",
            path,
        )
        return folder
    (copy / model_files.CARD_FILE).write_text(_card_of_today(texts[1], trained.run), encoding="utf-8")
    return copy


def _card_of_today(card: str, run: dict) -> str:
    """Return an earlier card, which its owner may have edited, with today's text on other tools."""
    use = CARDS[CLASSIFY.name](run, None).use(without_folders(run["arguments"]["output_path"]))
    return USE_OF_EARLIER_CARDS.sub(lambda _: use[use.index("Labels: ") :], card, count=1)


def _text_in(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _ids(tokenizer: "PreTrainedTokenizerBase") -> list[list[int]]:
    return tokenizer(list(PROBES))["input_ids"]
