"""Pushing a model to the Hugging Face Hub: what is published of it, and what a user is told where that fails."""

import logging
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path

from utils import checkpoint, published
from utils.errors import UsageError, UserError
from utils.formatting import one_line

log = logging.getLogger(__name__)

SILENCE_SECONDS = 300.0  # then a connection counts as lost; huggingface_hub itself would wait for ever
ADVICE = {
    401: "log in again (`hf auth login`, or HF_TOKEN), then run",
    403: "use a token that may write there, then run",
}


def check(hub_model_id: str) -> None:
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
        raise UserError("HF_HUB_OFFLINE is set, so nothing can be pushed", "unset it, or push later with --push_only")
    _token()


def push(model_path: Path, hub_model_id: str, private: bool) -> str:
    """Publish the model at `model_path`, a folder or a .pt file that fine_tune.py wrote; return its address.

    The model is only read. UserError, with the command that tries again, where the Hub refuses or is lost; a
    KeyboardInterrupt logs that command.
    """
    words = ["python", "fine_tune.py", "--push_only", "--model_path", str(model_path), "--hub_model_id", hub_model_id]
    command = shlex.join([*words, *["--hub_private"] * private])
    try:
        with published.as_folder(model_path) as folder:
            run = published.read_json(folder / checkpoint.RUN_FILE)
            evaluation = published.evaluation_of(model_path)
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
    files = published.files_of(folder, run, evaluation, address.repo_id)
    # An earlier model's chat template, say, would be used with this one.
    left_over = sorted({file.rfilename for file in there.siblings or []} - files.keys())
    operations = [CommitOperationDelete(name) for name in left_over if published.is_published(name)]
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

    later = "or push later with --push_only"
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
