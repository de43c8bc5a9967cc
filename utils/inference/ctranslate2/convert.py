"""A model converted for CTranslate2, checked against the original, and kept."""

import hashlib
import json
import logging
import shutil
import time
from pathlib import Path

import ctranslate2
import numpy
import torch

from utils.errors import UserError
from utils.files import atomic_write
from utils.inference.ctranslate2.kept import (
    NUMBER_FORMATS,
    SOURCE_FILE,
    TOKENIZER_FILE,
    Converted,
    conversion_folder,
    is_whole,
    open_kept,
    source_of,
    state_of_files,
)
from utils.inference.ctranslate2.kept_template import template_to_keep
from utils.inference.generation import USE_DEFAULT_ENGINE
from utils.models.checkpoint import Trained
from utils.models.tokenization import start_and_end
from utils.process import PROCESS_BEGAN
from utils.system_errors import as_os_errors
from utils.temporary import folder_for_a_while
from utils.terminal.progress import late_bars_of_transformers

log = logging.getLogger(__name__)
ARCHITECTURES = ("gpt2", "llama")  # CTranslate2 supports more, but these are tested
TOLERANCE = 0.01  # of log probabilities, in float32


def convert(path: str, trained: Trained) -> Converted:
    """Return the model in CTranslate2's format, in float32 and in int8.

    Its folder is NAME.ctranslate2 beside a model on disk, or else in the Hugging Face cache. The model is converted
    where that folder does not have these weights yet. UserError where CTranslate2 does not support the model, or the
    folder cannot be written.
    """
    model_type = trained.model.config.model_type
    if model_type not in ARCHITECTURES:
        raise UserError(
            f"{path} is a {model_type} model, but --engine ctranslate2 supports {' and '.join(ARCHITECTURES)} models",
            USE_DEFAULT_ENGINE,
        )
    folder = conversion_folder(path)
    source = {"weights": _fingerprint(trained), "ctranslate2": ctranslate2.__version__}
    before, recorded = source_of(folder), {**source, **_what_opens_it(path, trained)}
    if folder.exists() and before is None:
        hint = f"move it elsewhere, or {USE_DEFAULT_ENGINE}"
        raise UserError(f"{folder} exists and is not one that we converted", hint)
    if before is None or any(before.get(name) != value for name, value in source.items()) or not is_whole(folder):
        log.info("converting %s once for CTranslate2, into %s", path, folder)
        _replace(folder, recorded, trained)
    elif open_kept(path) is None:
        _record(folder, recorded, trained)
    return Converted(folder, trained.context, trained.tokenizer, trained.run)


def _what_opens_it(path: str, trained: Trained) -> dict:
    """Return the record with which `kept.open_kept` opens the converted model without the original.

    Files that changed since this process began may have done so after the model was loaded: they say nothing.
    """
    files = state_of_files(path)
    began = time.time_ns() - int((time.monotonic() - PROCESS_BEGAN) * 1e9)
    if any(changed >= began for _, changed in files.values()):
        files = {}
    start, end = start_and_end(trained.tokenizer)
    return {
        "files": files,
        "context": trained.context,
        "start": start,
        "end": end,
        "chat": template_to_keep(trained.tokenizer, lengths=bool(trained.run.get("lengths"))),
        "run": trained.run,
    }


def _replace(folder: Path, recorded: dict, trained: Trained) -> None:
    """Convert the model into the folder."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder_for_a_while(folder.parent, f".{folder.name}.") as temporary, as_os_errors():
            new = _convert(trained, temporary)
            _check_conversion(new, trained)
            _record(new, recorded, trained)
            shutil.rmtree(folder, ignore_errors=True)
            new.replace(folder)
    except OSError as error:
        hint = f"free some disk space, or {USE_DEFAULT_ENGINE}"
        raise UserError(f"cannot write {folder}: {error.strerror or error}", hint) from error


def _record(folder: Path, recorded: dict, trained: Trained) -> None:
    """Write the tokenizer and the record of the original."""
    with atomic_write(folder / TOKENIZER_FILE, "w") as file:
        file.write(trained.tokenizer.backend_tokenizer.to_str())
    with atomic_write(folder / SOURCE_FILE, "w") as file:
        json.dump(recorded, file)


def _fingerprint(trained: Trained) -> str:
    """Return the SHA-256 of weights, configuration and vocabulary."""
    digest = hashlib.sha256(trained.model.config.to_json_string().encode())
    digest.update(trained.tokenizer.backend_tokenizer.to_str().encode())
    for name, weights in sorted(trained.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(numpy.ascontiguousarray(weights.float().cpu().numpy()))
    return digest.hexdigest()


def _convert(trained: Trained, temporary: Path) -> Path:
    """Return a folder under `temporary` with the converted model in each of NUMBER_FORMATS.

    A Generator that makes int8 of float32 itself computes the same, but takes most of a second to load.
    """
    from ctranslate2.converters import TransformersConverter

    plain, new = temporary / "plain", temporary / "converted"
    with late_bars_of_transformers():
        trained.model.save_pretrained(plain)
        trained.tokenizer.save_pretrained(plain)
        converter = TransformersConverter(str(plain))
        for number_format in NUMBER_FORMATS:
            converter.convert(str(new / number_format), quantization=number_format)
            _name_unknown_token(new / number_format / "config.json")
    return new


def _name_unknown_token(path: Path) -> None:
    """Write an empty unknown token where a vocabulary has none, as byte-level ones do: the Generator needs a text."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["unk_token"] = config["unk_token"] or ""
    path.write_text(json.dumps(config), encoding="utf-8")


def _check_conversion(folder: Path, trained: Trained) -> None:
    """Raise UserError where the converted model computes something else: a setting that is not converted."""
    length = min(32, trained.context)
    ids = (torch.arange(length)[None] * 997 + 7) % len(trained.tokenizer)
    with torch.no_grad():
        expected = trained.model(ids).logits.float().log_softmax(-1)[0].numpy()
    tokens = trained.tokenizer.convert_ids_to_tokens(ids[0].tolist())
    generator = ctranslate2.Generator(str(folder / "float32"), compute_type="float32")
    actual = numpy.array(generator.forward_batch([tokens], return_log_probs=True))[0]
    difference = numpy.abs(actual - expected).max()
    if not difference < TOLERANCE:
        problem = f"CTranslate2 computes other log probabilities than this model: they differ by {difference:.3g}"
        raise UserError(problem, USE_DEFAULT_ENGINE)
