"""The cache of models converted for CTranslate2, beside the originals.

As long as the original's files are unchanged, its converted model is opened with `tokenizers` alone: importing PyTorch
and transformers takes longer than writing twenty tokens.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import ctranslate2

from utils.inference.ctranslate2.kept_template import open_kept_template, render
from utils.models.base_models import resolve
from utils.models.chat_templates import ChatTemplate
from utils.models.checkpoint import files_of_model
from utils.models.run_file import read_run

if TYPE_CHECKING:
    from tokenizers import AddedToken, Tokenizer
    from transformers import PreTrainedTokenizerBase

SOURCE_FILE = "source.json"  # says what a folder was converted from, and that it is ours
TOKENIZER_FILE = "tokenizer.json"
NUMBER_FORMATS = ("float32", "int8")  # a folder for each in that of a converted model
FIELDS = {"ctranslate2": str, "files": dict, "context": int, "start": int, "end": int, "chat": dict, "run": dict}


@dataclass(frozen=True)
class PlainTokenizer:
    """The part of transformers' tokenizer that writing needs, with the same results. The template is "" without one."""

    backend_tokenizer: "Tokenizer"
    bos_token_id: int
    eos_token_id: int
    chat_template: str
    special_tokens_map: dict
    is_fast = True

    @property
    def added_tokens_decoder(self) -> dict[int, "AddedToken"]:
        return self.backend_tokenizer.get_added_tokens_decoder()

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str | None]:
        return [self.backend_tokenizer.id_to_token(id_) for id_ in ids]

    def convert_tokens_to_ids(self, token: str) -> int | None:
        return self.backend_tokenizer.token_to_id(token)

    def apply_chat_template(self, messages: list[dict], *, tokenize: bool, add_generation_prompt: bool) -> str:
        assert not tokenize
        options = {"add_generation_prompt": add_generation_prompt}
        return render(self.chat_template, self.special_tokens_map, messages, **options)

    def decode(self, ids: list[int], *, skip_special_tokens: bool, clean_up_tokenization_spaces: bool) -> str:
        assert not clean_up_tokenization_spaces
        return self.backend_tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)


@dataclass(frozen=True)
class Converted:
    """A model in CTranslate2's format: its folder, its context in tokens, and the original's tokenizer and run.json.

    One that was kept has the original's chat template, too, where there was one.
    """

    folder: Path
    context: int
    tokenizer: "PlainTokenizer | PreTrainedTokenizerBase"
    run: dict
    chat_template: ChatTemplate | None = None


def open_kept(path: str) -> Converted | None:
    """Return the kept model that was converted from the one at `path`; None where `convert` must look at that first.

    That is where it was not converted yet, or its files have other sizes or times than they had then.
    """
    folder = conversion_folder(path)
    source = source_of(folder) or {}
    if any(type(source.get(name)) is not expected for name, expected in FIELDS.items()) or not source["files"]:
        return None
    if source["ctranslate2"] != ctranslate2.__version__ or source["files"] != state_of_files(path):
        return None
    if not is_whole(folder):
        return None

    from tokenizers import Tokenizer

    try:
        backend = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    except Exception:  # tokenizers raises no other class
        return None
    run = read_run(folder / SOURCE_FILE, json.dumps(source["run"])) if source["run"] else {}
    chat = source["chat"]
    special_tokens = chat.get("special_tokens", {})
    tokenizer = PlainTokenizer(backend, source["start"], source["end"], chat.get("source", ""), special_tokens)
    return Converted(folder, source["context"], tokenizer, run, open_kept_template(chat, tokenizer))


def conversion_folder(path: str) -> Path:
    """Return the folder of the converted model: NAME.ctranslate2 beside a model on disk, or the Hub's cache."""
    model = Path(path).expanduser()
    if model.exists() and model.suffix != ".gguf":
        model = model.resolve()
        return model.with_name(f"{model.name}.ctranslate2")
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "converted_ctranslate2" / path.replace("/", "--")


def is_whole(folder: Path) -> bool:
    """Return whether a converted model is there in each number format."""
    return all((folder / number_format / "model.bin").is_file() for number_format in NUMBER_FORMATS)


def source_of(folder: Path) -> dict | None:
    """Return the record of a folder's original; None where the folder does not exist or is not ours."""
    try:
        source = json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return source if isinstance(source, dict) else None


def state_of_files(path: str) -> dict[str, list[int]]:
    """Return [bytes, nanoseconds of the last change] of each file of the model; none of tiny or a Hub model.

    An adapter has none, either: what it says depends on another model, too.
    """
    model = Path(path).expanduser()
    base = None if model.suffix == ".pt" else resolve(path)
    name = str(model) if base is None else "" if base.adapters else base.location
    location = Path(name)
    if not name or not location.exists():
        return {}
    states = {str(file.relative_to(location)): file.stat() for file in files_of_model(location)}
    return {name: [state.st_size, state.st_mtime_ns] for name, state in sorted(states.items())}
