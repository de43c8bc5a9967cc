"""Pushing a model to the Hugging Face Hub: what is published of it, and what a user is told where that fails.

MERGED: What of a trained model is published: its files, and none of the folders of this machine."""

import json
import logging
import re
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from json import JSONDecodeError
from pathlib import Path

from utils.errors import UsageError, UserError
from utils.models import checkpoint
from utils.models.base_models import resolve
from utils.models.model_card import hub_id, last_path_part, without_folders
from utils.text_tables import one_line

log = logging.getLogger(__name__)
SILENCE_SECONDS = 300.0  # then a connection counts as lost; huggingface_hub itself would wait for ever
ADVICE = {
    401: "log in again (`hf auth login`, or HF_TOKEN), then run",
    403: "use a token that may write there, then run",
}


def check_push(hub_model_id: str) -> None:
    """Raise UserError, before any work, where a push could not even be tried. Asks no server."""
    from huggingface_hub.constants import is_offline_mode
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(hub_model_id)
    except HFValidationError as error:
        hint = "write USER/NAME, or NAME alone for one of your own"
        raise UsageError(f"--hub_model_id cannot be a model's name on the Hub: {error}", hint) from error
    if is_offline_mode():
        raise UserError(
            "HF_HUB_OFFLINE is set, so nothing can be pushed", "unset it, or push later with --push_trained"
        )
    _token()


def push_model(model_path: Path, hub_model_id: str, private: bool) -> str:
    """Publish the model at `model_path`, a folder or a .pt file that fine_tune.py wrote; return its address.

    The model is only read. UserError, with the command that tries again, where the Hub refuses or is lost; a
    KeyboardInterrupt logs that command.
    """
    words = [
        "python",
        "fine_tune.py",
        "--push_trained",
        "--model_path",
        str(model_path),
        "--hub_model_id",
        hub_model_id,
    ]
    command = shlex.join([*words, *["--hub_private"] * private])
    try:
        with model_as_folder(model_path) as folder:
            run = read_json(folder / checkpoint.RUN_FILE)
            evaluation = evaluation_of_model(model_path)
            log.info("pushing %s to %s", model_path, hub_model_id)
            return _upload(folder, run, evaluation, hub_model_id, private, f"{model_path} is whole", command)
    except KeyboardInterrupt:
        log.info("%s is whole; to push it, run: %s", model_path, command)
        raise


def _upload(folder, run, evaluation, hub_model_id: str, private: bool, whole: str, command: str) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_session
    from huggingface_hub import logging as hub_logging

    hub_logging.set_verbosity_error()  # its warnings show the signed addresses of uploads
    get_session().timeout = SILENCE_SECONDS
    token = _token()
    api = HfApi(token=token)
    with _refusals(whole, command, token):
        address = api.create_repo(hub_model_id, private=private or None, exist_ok=True)
        there = api.model_info(address.repo_id)
    if private and not there.private:
        raise UserError(
            f"{address} is there already and public, so nothing was pushed",
            "make it private in its settings on the Hub, or choose another --hub_model_id",
        )
    files = published_files(folder, run, evaluation, address.repo_id)
    # An earlier model's chat template, say, would be used with this one.
    left_over = sorted({file.rfilename for file in there.siblings or []} - files.keys())
    operations = [CommitOperationDelete(name) for name in left_over if is_published_file(name)]
    operations += [CommitOperationAdd(name, content) for name, content in files.items()]
    with _refusals(whole, command, token):
        api.create_commit(address.repo_id, operations, commit_message="Push a model fine-tuned by fine_tune.py")
    return str(address)


@contextmanager
def _refusals(whole: str, command: str, token: str) -> Iterator[None]:
    """Turn what goes wrong between huggingface_hub and the Hub into a UserError that never shows the token."""
    import httpx2  # the client that huggingface_hub brings

    # What is no answer of a Hub (a proxy's page) makes ValueErrors and KeyErrors. Only the library's calls stand under
    # this.
    of_the_hub = (httpx2.HTTPError, OSError, ValueError, KeyError)
    try:
        yield
    except (*of_the_hub, RuntimeError) as error:
        # The library wraps what befalls an upload in a RuntimeError, and hf_xet raises plain ones.
        cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
        if not isinstance(cause, (*of_the_hub, RuntimeError)):
            raise
        status, reason = _reason(cause)
        raise UserError(
            one_line(f"the Hub did not take the model: {reason}".replace(token, "…"), width=300),
            f"{whole}; {ADVICE.get(status, 'to push it, run')}: {command}",
        ) from error


def _reason(error: BaseException) -> tuple[int | None, str]:
    from httpx2 import TransportError
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        return status, f"{status} {error.response.reason_phrase}: {error.server_message or 'no reason given'}"
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, TransportError):
        return None, f"the connection was lost ({what})"
    if isinstance(error, JSONDecodeError | KeyError):
        return None, f"what came back is not an answer of the Hub ({what})"
    return None, what


def _token() -> str:
    """The token from where huggingface_hub looks for one; UserError where there is none, or none that can be sent."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import OIDCError

    later = "or push later with --push_trained"
    try:
        token = get_token()
    except (OSError, ValueError, OIDCError) as error:
        raise UserError(f"the token for the Hub cannot be read: {error}", f"set HF_TOKEN, {later}") from error
    if not token:
        raise UserError(
            "there is no token for the Hub",
            f"set HF_TOKEN or log in with `hf auth login` (tokens: https://huggingface.co/settings/tokens), {later}",
        )
    if not re.fullmatch(r"[!-~]+", token):  # the library's complaint would show it
        raise UserError("the token for the Hub holds blanks or letters that no token has", f"set HF_TOKEN, {later}")
    return token


# Nothing else in a model's folder is published: answers, mistakes and searches hold texts and paths of their own.
PUBLISHED = (
    "*.safetensors",
    "*.safetensors.index.json",
    *(checkpoint.RUN_FILE, checkpoint.LOG_FILE, checkpoint.CARD_FILE),
    *("config.json", "generation_config.json", "chat_template.jinja"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt"),
)
PATHS = ("config", "data_path", "output_path")  # arguments in run.json


def published_files(folder: Path, run: dict, evaluation: dict | None, repository: str) -> dict[str, bytes | Path]:
    """What the Hub gets of a model folder: each file's name and content, without the folders of this machine.

    `repository` is the model's id on the Hub, by which its card then calls it.
    """
    files = {path.name: path for path in sorted(folder.iterdir()) if is_published_file(path.name) and path.is_file()}
    run_text = json.dumps(_without_folders(run), indent=2, ensure_ascii=False) + "\n"
    card = _card(files.get(checkpoint.CARD_FILE), run, evaluation, repository)
    return files | {checkpoint.RUN_FILE: run_text.encode(), checkpoint.CARD_FILE: card.encode()}


@contextmanager
def model_as_folder(path: Path) -> Iterator[Path]:
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


def evaluation_of_model(model_path: Path) -> dict | None:
    """evaluation.json of this model: in its folder, or beside its file unless that was replaced since."""
    path = model_path / "evaluation.json" if model_path.is_dir() else model_path.with_suffix(".evaluation.json")
    if not path.is_file() or (model_path.is_file() and path.stat().st_mtime < model_path.stat().st_mtime):
        return None
    return read_json(path)


def _card(path: Path | None, run: dict, evaluation: dict | None, repository: str) -> str:
    """The model card as the Hub's readers need it: the one that is there, which its owner may have edited."""
    from utils.models.model_card import model_card

    card = path.read_text(encoding="utf-8") if path else model_card(run)
    if evaluation is not None and card == model_card(run):
        card = model_card(run, evaluation)
    arguments = {name: without_folders(value) for name, value in run["arguments"].items()}
    for name, value in _public_arguments(run).items():
        if value != arguments[name]:
            before, after = (json.dumps(text, ensure_ascii=False) for text in (arguments[name], value))
            card = card.replace(f'"{name}": {before}', f'"{name}": {after}')
    place = arguments["output_path"]
    card = re.sub(rf"(?<=--model_path ){re.escape(shlex.quote(place))}(?=\s)", repository, card)
    card = card.replace(f"model_path={place!r}", f"model_path={repository!r}")
    title = last_path_part(place).removesuffix(".pt")
    return card.replace(f"\n# {title}\n", f"\n# {last_path_part(repository)}\n", 1)


def _without_folders(run: dict) -> dict:
    sources = [{**source, "path": last_path_part(source["path"])} for source in run["data"]["sources"]]
    data = {**run["data"], "sources": sources}
    return {**run, "base_model": _public_model(run["base_model"]), "arguments": _public_arguments(run), "data": data}


def _public_arguments(run: dict) -> dict:
    arguments = {name: without_folders(value) for name, value in run["arguments"].items()}
    arguments |= {name: last_path_part(arguments[name]) for name in PATHS if arguments.get(name)}
    if arguments.get("model"):
        arguments["model"] = _public_model(run["arguments"]["model"])
    return arguments


def _public_model(name: str) -> str:
    """A model's id on the Hub as it is; of a path the last part alone."""
    is_id = re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name) and hub_id(name) == name
    return name if is_id else last_path_part(name)


def is_published_file(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in PUBLISHED)


def read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", "restore it, or train or judge the model again") from error
