"""A .gguf file as a Hugging Face model folder, converted once."""

import contextlib
import io
import logging
import shutil
import struct
import tempfile
from pathlib import Path

from utils.errors import UserError
from utils.files import sha256_of

log = logging.getLogger(__name__)


def converted_folder(gguf: Path) -> Path:
    """The folder that holds a .gguf as float32 safetensors, made once and kept in the Hugging Face cache.

    Opening a .gguf takes 15 s of parsing; the folder opens in one, and save_pretrained accepts its model.
    """
    from huggingface_hub.constants import HF_HOME

    folder = Path(HF_HOME) / "converted_gguf" / f"{gguf.stem}-{sha256_of(gguf)[:16]}"
    if folder.is_dir():
        return folder
    log.info("converting %s once for faster loading, into %s", gguf.name, folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".converting-"))
    except OSError as error:
        raise UserError(
            f"cannot write into {folder.parent}: {error.strerror}", "set HF_HOME to a folder that can be written"
        ) from error
    try:
        _convert(gguf, temporary)
        temporary.replace(folder)
    except (OSError, ValueError, LookupError, struct.error) as error:  # what the parser meets in a damaged file
        if not folder.is_dir():  # else another process was first
            raise UserError(
                f"cannot convert {gguf}: {error}", "is it a whole GGUF file, and is there space in HF_HOME?"
            ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    location = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bars know no terminal
        tokenizer = AutoTokenizer.from_pretrained(**location)
        quantised = AutoModelForCausalLM.from_pretrained(**location, dtype=torch.float32)
    config = quantised.config
    config.quantization_config = None
    del config.quantization_config
    # A model that came from a .gguf refuses save_pretrained, so its weights move to a plain one.
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(quantised.state_dict())
    plain.generation_config = quantised.generation_config
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
