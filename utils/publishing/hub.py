"""Push a model to the Hugging Face Hub: the choice of files, and the errors of a failed push."""

import json
import logging
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from functools import partial
from json import JSONDecodeError
from pathlib import Path

from utils.errors import UsageError, UserError
from utils.interrupts import ToldInterrupt
from utils.models import model_files
from utils.models.card_texts import json_text, plain, python_text, shell_text
from utils.models.model_card import hub_id, last_path_part, model_card, without_folders, without_mark
from utils.models.run_file import BASELINE_FILE, RUN_FILE, check_record
from utils.publishing.model_as_folder import model_as_folder
from utils.terminal.tables import one_line

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 300.0  # without an answer; huggingface_hub itself would wait forever
# Nothing else in a model's folder is published: answers, errors and searches contain texts and paths.
PUBLISHED_FILES = (
    *("*.safetensors", "*.safetensors.index.json"),
    *(RUN_FILE, model_files.LOG_FILE, model_files.PICTURE_FILE, model_files.CARD_FILE, BASELINE_FILE),
    *("config.json", "generation_config.json", "chat_template.jinja"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt"),
)
PATH_ARGUMENTS = ("config", "data_path", "output_path")  # in run.json
PUSH_LATER = "or push later with --push_trained"
ADVICE = {
    401: "log in again (`hf auth login`, or HF_TOKEN), then run",
    403: "use a token with write access there, then run",
}


def check_push(hub_model_id: str) -> None:
    """Raise UserError, before any work, if a push is certain to fail. Does not contact a server."""
    from huggingface_hub.constants import is_offline_mode
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(hub_model_id)
    except HFValidationError as error:
        hint = "write USER/NAME, or only NAME for a model of your own"
        raise UsageError(f"--hub_model_id is not a valid model name on the Hub: {error}", hint) from error
    if is_offline_mode():
        raise UserError("HF_HUB_OFFLINE is set, so nothing can be pushed", f"unset it, {PUSH_LATER}")
    _token()


def push_model(model_path: Path, hub_model_id: str, private: bool) -> str:
    """Publish the model at `model_path`, a folder or a .pt file that fine_tune.py wrote, and return its URL.

    The model itself is not changed. UserError, with the command to retry, if the Hub refuses or the connection is lost;
    a KeyboardInterrupt logs that command.
    """
    arguments = ["--push_trained", "--model_path", str(model_path), "--hub_model_id", hub_model_id]
    command = shlex.join(["python", "fine_tune.py", *arguments, *["--hub_private"] * private])
    try:
        with model_as_folder(model_path) as folder:
            run = _read_json(folder / RUN_FILE)
            check_record(str(model_path), run)
            evaluation = evaluation_of_model(model_path)
            log.info("pushing %s to %s", model_path, hub_model_id)
            token = _token()
            hub_calls = partial(_hub_calls, f"{model_path} is unchanged", command, token)
            return _upload(folder, run, evaluation, hub_model_id, private, token, hub_calls)
    except KeyboardInterrupt:
        log.info("%s is unchanged; to push it, run: %s", model_path, command)
        raise ToldInterrupt from None


def _upload(folder: Path, run: dict, evaluation: dict | None, hub_model_id: str, private: bool, token: str, hub_calls):
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi(token=token)
    with hub_calls():
        url = api.create_repo(hub_model_id, private=private or None, exist_ok=True)
        existing = api.model_info(url.repo_id)
    if private and not existing.private:
        hint = "make it private in its settings on the Hub, or choose another --hub_model_id"
        raise UserError(f"{url} already exists and is public, so nothing was pushed", hint)
    files = published_files(folder, run, evaluation, url.repo_id)
    # Files of an earlier model, such as a chat template, would be used with this one.
    stale = sorted({file.rfilename for file in existing.siblings or []} - files.keys())
    operations = [CommitOperationDelete(name) for name in stale if _is_published(name)]
    operations += [CommitOperationAdd(name, content) for name, content in files.items()]
    with hub_calls():
        api.create_commit(url.repo_id, operations, commit_message="Push a model fine-tuned by fine_tune.py")
    return str(url)


@contextmanager
def _hub_calls(note: str, command: str, token: str) -> Iterator[None]:
    """Make calls of huggingface_hub with a timeout, and turn their errors into a UserError, which hides the token."""
    import httpx2  # the client of huggingface_hub
    from huggingface_hub import get_session
    from huggingface_hub import logging as hub_logging

    # A response that is not from a Hub, such as a proxy's page, causes ValueErrors and KeyErrors.
    expected = (httpx2.HTTPError, OSError, ValueError, KeyError)
    session, verbosity = get_session(), hub_logging.get_verbosity()
    timeout, session.timeout = session.timeout, TIMEOUT_SECONDS
    hub_logging.set_verbosity_error()  # its warnings show the signed URLs of uploads
    try:
        yield
    except (*expected, RuntimeError) as error:
        # The library wraps errors of an upload in a RuntimeError, and hf_xet raises plain ones.
        cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
        if not isinstance(cause, (*expected, RuntimeError)):
            raise
        status, reason = _status_and_reason(cause)
        raise UserError(
            one_line(f"the Hub did not accept the model: {reason}".replace(token, "…"), width=300),
            f"{note}; {ADVICE.get(status, 'to push it, run')}: {command}",
        ) from error
    finally:
        session.timeout = timeout
        hub_logging.set_verbosity(verbosity)


def _status_and_reason(error: BaseException) -> tuple[int | None, str]:
    from httpx2 import TransportError
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        return status, f"{status} {error.response.reason_phrase}: {error.server_message or 'no reason given'}"
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, TransportError):
        return None, f"the connection was lost ({text})"
    if isinstance(error, JSONDecodeError | KeyError):
        return None, f"the response is not from a Hub ({text})"
    return None, text


def _token() -> str:
    """Return the token that huggingface_hub finds; UserError if there is none, or if it is malformed."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import OIDCError

    try:
        token = get_token()
    except (OSError, ValueError, OIDCError) as error:
        raise UserError(f"the token for the Hub cannot be read: {error}", f"set HF_TOKEN, {PUSH_LATER}") from error
    if not token:
        hint = "set HF_TOKEN or log in with `hf auth login` (tokens: https://huggingface.co/settings/tokens)"
        raise UserError("there is no token for the Hub", f"{hint}, {PUSH_LATER}")
    if not re.fullmatch(r"[!-~]+", token):  # the library's own error would show it
        raise UserError("the token for the Hub contains spaces or non-ASCII characters", f"set HF_TOKEN, {PUSH_LATER}")
    return token


def evaluation_of_model(model_path: Path) -> dict | None:
    """Return the evaluation.json in the model's folder or beside its file; None without one, or if it is outdated."""
    path = model_path / "evaluation.json" if model_path.is_dir() else model_path.with_suffix(".evaluation.json")
    if not path.is_file() or (model_path.is_file() and path.stat().st_mtime < model_path.stat().st_mtime):
        return None
    return _read_json(path)


def published_files(folder: Path, run: dict, evaluation: dict | None, repository: str) -> dict[str, bytes | Path]:
    """Return the name and content of each file to publish from a model folder, without paths of this machine.

    `repository` is the model's id on the Hub, which its card then uses.
    """
    files = {path.name: path for path in sorted(folder.iterdir()) if _is_published(path.name) and path.is_file()}
    run_text = json.dumps(_public_run(run), indent=2, ensure_ascii=False) + "\n"
    card = _public_card(files.get(model_files.CARD_FILE), run, evaluation, repository)
    return files | {RUN_FILE: run_text.encode(), model_files.CARD_FILE: card.encode()}


def _public_card(path: Path | None, run: dict, evaluation: dict | None, repository: str) -> str:
    """Return the existing model card, which its owner may have edited, adapted for readers on the Hub."""
    card = without_mark(path.read_text(encoding="utf-8")) if path else model_card(run)
    if evaluation is not None and card == model_card(run):
        card = model_card(run, evaluation)
    arguments = {name: without_folders(value) for name, value in run["arguments"].items()}
    for name, value in _public_arguments(run).items():
        if value != arguments[name]:
            before, after = map(json_text, (arguments[name], value))
            card = card.replace(f'"{name}": {before}', f'"{name}": {after}')
    place = arguments["output_path"]
    card = re.sub(rf"(?<=--model_path ){re.escape(shell_text(place))}(?=\s)", lambda _: repository, card)
    for name in ("model_path", "model"):
        card = card.replace(f"{name}={python_text(place)}", f"{name}={python_text(repository)}")
    title = plain(last_path_part(place).removesuffix(".pt"))
    return card.replace(f"\n# {title}\n", f"\n# {plain(last_path_part(repository))}\n", 1)


def _public_run(run: dict) -> dict:
    sources = [{**source, "path": last_path_part(source["path"])} for source in run["data"]["sources"]]
    data = {**run["data"], "sources": sources}
    return {**run, "base_model": _public_model(run["base_model"]), "arguments": _public_arguments(run), "data": data}


def _public_arguments(run: dict) -> dict:
    arguments = {name: without_folders(value) for name, value in run["arguments"].items()}
    arguments |= {name: last_path_part(arguments[name]) for name in PATH_ARGUMENTS if arguments.get(name)}
    if arguments.get("model"):
        arguments["model"] = _public_model(run["arguments"]["model"])
    return arguments


def _public_model(name: str) -> str:
    """Return an id on the Hub unchanged, and only the last part of a path."""
    is_id = re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name) and hub_id(name) == name
    return name if is_id else last_path_part(name)


def _is_published(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in PUBLISHED_FILES)


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", "restore it, or make it again") from error
