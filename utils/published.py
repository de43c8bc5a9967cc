"""What of a trained model is published: its files, and none of the folders of this machine."""

import json
import re
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from utils import checkpoint
from utils.base_models import resolve
from utils.errors import UserError
from utils.naming import hub_id, name_of, without_folder

# Nothing else in a model's folder is published: answers, mistakes and searches hold texts and paths of their own.
PUBLISHED = (
    *checkpoint.WEIGHT_FILES,
    *(checkpoint.RUN_FILE, checkpoint.LOG_FILE, checkpoint.CARD_FILE),
    *("config.json", "generation_config.json", "chat_template.jinja"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt"),
)
PATHS = ("config", "data_path", "output_path")  # arguments in run.json


def files_of(folder: Path, run: dict, evaluation: dict | None, repository: str) -> dict[str, bytes | Path]:
    """What the Hub gets of a model folder: each file's name and content, without the folders of this machine.

    `repository` is the model's id on the Hub, by which its card then calls it.
    """
    files = {path.name: path for path in sorted(folder.iterdir()) if is_published(path.name) and path.is_file()}
    run_text = json.dumps(_without_folders(run), indent=2, ensure_ascii=False) + "\n"
    card = _card(files.get(checkpoint.CARD_FILE), run, evaluation, repository)
    return files | {checkpoint.RUN_FILE: run_text.encode(), checkpoint.CARD_FILE: card.encode()}


@contextmanager
def as_folder(path: Path) -> Iterator[Path]:
    """The model as a folder; UserError where `path` is none that fine_tune.py wrote."""
    if path.suffix != ".pt":
        if not path.is_dir():
            raise UserError(f"there is no model at {path}", checkpoint.TRAIN_FIRST.format(path=path))
        resolve(str(path.absolute()))
        if not (path / checkpoint.RUN_FILE).is_file():
            raise UserError(
                f"{path} is not a model that fine_tune.py wrote: it has no {checkpoint.RUN_FILE}",
                "`hf upload USER/NAME FOLDER` pushes any folder",
            )
        yield path
        return
    checkpoint.load(str(path))  # says what is wrong with it
    with tempfile.TemporaryDirectory() as name:
        _unpack(path, Path(name))
        yield Path(name)


def _unpack(path: Path, folder: Path) -> None:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    packed = torch.load(path, map_location="cpu", weights_only=True)
    try:
        save_file(packed["weights"], folder / "model.safetensors", metadata={"format": "pt"})
        for name, text in packed["files"].items():
            (folder / Path(name).name).write_text(text, encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot unpack {path} to {folder}: {error}", "free some space, or set TMPDIR") from error


def evaluation_of(model_path: Path) -> dict | None:
    """evaluation.json of this model: in its folder, or beside its file unless that was replaced since."""
    path = model_path / "evaluation.json" if model_path.is_dir() else model_path.with_suffix(".evaluation.json")
    if not path.is_file() or (model_path.is_file() and path.stat().st_mtime < model_path.stat().st_mtime):
        return None
    return read_json(path)


def _card(path: Path | None, run: dict, evaluation: dict | None, repository: str) -> str:
    """The model card as the Hub's readers need it: the one that is there, which its owner may have edited."""
    from utils.reporting import model_card

    card = path.read_text(encoding="utf-8") if path else model_card(run)
    if evaluation is not None and card == model_card(run):
        card = model_card(run, evaluation)
    arguments = {name: without_folder(value) for name, value in run["arguments"].items()}
    for name, value in _public_arguments(run).items():
        if value != arguments[name]:
            before, after = (json.dumps(text, ensure_ascii=False) for text in (arguments[name], value))
            card = card.replace(f'"{name}": {before}', f'"{name}": {after}')
    place = arguments["output_path"]
    card = re.sub(rf"(?<=--model_path ){re.escape(shlex.quote(place))}(?=\s)", repository, card)
    card = card.replace(f"model_path={place!r}", f"model_path={repository!r}")
    title = name_of(place).removesuffix(".pt")
    return card.replace(f"\n# {title}\n", f"\n# {name_of(repository)}\n", 1)


def _without_folders(run: dict) -> dict:
    sources = [{**source, "path": name_of(source["path"])} for source in run["data"]["sources"]]
    data = {**run["data"], "sources": sources}
    return {**run, "base_model": _public_model(run["base_model"]), "arguments": _public_arguments(run), "data": data}


def _public_arguments(run: dict) -> dict:
    arguments = {name: without_folder(value) for name, value in run["arguments"].items()}
    arguments |= {name: name_of(arguments[name]) for name in PATHS if arguments.get(name)}
    if arguments.get("model"):
        arguments["model"] = _public_model(run["arguments"]["model"])
    return arguments


def _public_model(name: str) -> str:
    """A model's id on the Hub as it is; of a path the last part alone."""
    is_id = re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name) and hub_id(name) == name
    return name if is_id else name_of(name)


def is_published(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in PUBLISHED)


def read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", "restore it, or train or judge the model again") from error
