"""A model as CTranslate2 has it: converted once, checked, and kept beside the model until its weights change."""

import hashlib
import json
import logging
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import ctranslate2
import numpy
import torch

from utils.encoding import context_length
from utils.errors import UserError

if TYPE_CHECKING:
    from utils.checkpoint import Trained

log = logging.getLogger(__name__)

ARCHITECTURES = ("gpt2", "llama")  # CTranslate2 knows more, and these are tested
SOURCE_FILE = "source.json"  # says what a folder was converted from, and that it is ours
MOST_OFF = 0.01  # natural logarithms of probabilities, in float32


def converted(path: str, trained: "Trained") -> Path:
    """The folder with the model in CTranslate2's format, in float32 (a Generator makes int8 of it as it loads).

    For a model at a path that is NAME.ctranslate2 beside it, else a folder in the Hugging Face cache. UserError
    where the model is of a kind that CTranslate2 does not compute, or the folder cannot be written.
    """
    kind = trained.model.config.model_type
    if kind not in ARCHITECTURES:
        raise UserError(
            f"{path} is a {kind} model, and --engine ctranslate2 is for {' and '.join(ARCHITECTURES)} models",
            "use --engine transformers, the default",
        )
    folder, source = _place(path), {"weights": _fingerprint(trained), "ctranslate2": ctranslate2.__version__}
    if _source_of(folder) == source:
        return folder
    if folder.exists() and _source_of(folder) is None:
        raise UserError(f"{folder} exists and is not ours", "move it away, or use --engine transformers, the default")
    log.info("converting %s once for CTranslate2, into %s", path, folder)
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        new = _convert(trained, temporary)
        _check(new, trained)
        (new / SOURCE_FILE).write_text(json.dumps(source), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        new.replace(folder)
    except OSError as error:
        raise UserError(
            f"cannot write {folder}: {error.strerror or error}", "free some space, or use --engine transformers"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _place(path: str) -> Path:
    place = Path(path).expanduser()
    if place.exists() and place.suffix != ".gguf":
        place = place.resolve()
        return place.with_name(f"{place.name}.ctranslate2")
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "converted_ctranslate2" / path.replace("/", "--")


def _source_of(folder: Path) -> dict | None:
    """What a folder was converted from; None where it is not there, or not ours."""
    try:
        return json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _fingerprint(trained: "Trained") -> str:
    """SHA-256 of all that is converted: weights, shape and vocabulary."""
    digest = hashlib.sha256(trained.model.config.to_json_string().encode())
    digest.update(trained.tokenizer.backend_tokenizer.to_str().encode())
    for name, weights in sorted(trained.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(numpy.ascontiguousarray(weights.float().cpu().numpy()))
    return digest.hexdigest()


def _convert(trained: "Trained", temporary: Path) -> Path:
    """The model in CTranslate2's format, in a folder under `temporary`."""
    from ctranslate2.converters import TransformersConverter

    plain, new = temporary / "plain", temporary / "converted"
    trained.model.save_pretrained(plain)
    trained.tokenizer.save_pretrained(plain)
    TransformersConverter(str(plain)).convert(str(new))
    config = json.loads((new / "config.json").read_text(encoding="utf-8"))
    config["unk_token"] = config["unk_token"] or ""  # a byte-level vocabulary has none, and the Generator wants text
    (new / "config.json").write_text(json.dumps(config), encoding="utf-8")
    new.chmod(0o755)
    return new


def _check(folder: Path, trained: "Trained") -> None:
    """UserError where the converted model computes something else than the model: a setting that is not converted."""
    length = min(32, context_length(trained.model))
    ids = (torch.arange(length)[None] * 997 + 7) % len(trained.tokenizer)
    with torch.no_grad():
        expected = trained.model(ids).logits.float().log_softmax(-1)[0].numpy()
    tokens = trained.tokenizer.convert_ids_to_tokens(ids[0].tolist())
    generator = ctranslate2.Generator(str(folder), compute_type="float32")
    found = numpy.array(generator.forward_batch([tokens], return_log_probs=True))[0]
    off = numpy.abs(found - expected).max()
    if not off < MOST_OFF:
        raise UserError(
            f"CTranslate2 does not compute what this model computes: log-probabilities are off by {off:.3g}",
            "use --engine transformers, the default",
        )
