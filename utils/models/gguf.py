"""Converting a .gguf file to a Hugging Face model folder, once."""

import contextlib
import io
import logging
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.files import sha256_of
from utils.system_errors import as_os_errors
from utils.temporary import folder_for_a_while
from utils.terminal.progress import late_bars_of_transformers

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)


def converted_folder(gguf: Path) -> Path:
    """Return the folder in the Hugging Face cache that has the .gguf file as float32 safetensors; make it if need be.

    Opening a .gguf file takes 15 s; the folder opens in 1 s, and its model can be saved.
    """
    from huggingface_hub.constants import HF_HOME

    try:
        folder = Path(HF_HOME) / "converted_gguf" / f"{gguf.stem}-{sha256_of(gguf)[:16]}"
    except OSError as error:  # it cannot be read, or is a file of the system that only looks like one
        raise UserError(f"cannot read {gguf}: {error.strerror}", "check the path, and its permissions") from error
    if folder.is_dir():
        return folder
    log.info("converting %s once for faster loading, into %s", gguf.name, folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder_for_a_while(folder.parent, ".converting-") as temporary, as_os_errors():
            _convert(gguf, temporary / folder.name)
            (temporary / folder.name).replace(folder)
    except (OSError, ValueError, LookupError, struct.error) as error:  # the parser's errors on a damaged file
        if not folder.is_dir():  # otherwise another process was faster
            hint = "check that the file is complete, and that the folder (see HF_HOME) is writable and has space"
            raise UserError(f"cannot convert {gguf} to {folder}: {error}", hint) from error
    return folder


def open_gguf(gguf: Path) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase"]:
    """Return the model in a .gguf file, in float32, and its tokenizer. What transformers raises is the caller's."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    # The bar of the conversion ignores whether there is a terminal.
    hidden = contextlib.nullcontext() if sys.stderr.isatty() else contextlib.redirect_stderr(io.StringIO())
    with folder_for_a_while() as alone, hidden, late_bars_of_transformers():
        # transformers also reads the files beside it, which may name code.
        (alone / gguf.name).symlink_to(gguf.resolve())
        location = {"pretrained_model_name_or_path": alone, "gguf_file": gguf.name, "trust_remote_code": False}
        tokenizer = AutoTokenizer.from_pretrained(**location)
        config = AutoConfig.from_pretrained(**location)
        if config.model_type == "gpt2":  # transformers (5.23) gives these to settings that nothing reads
            config.n_positions, config.n_inner = config.n_ctx, config.feed_forward_length
        model = AutoModelForCausalLM.from_pretrained(**location, config=config, dtype=torch.float32)
        return model.eval(), tokenizer


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    quantized, tokenizer = open_gguf(gguf)
    config = quantized.config
    config.quantization_config = None
    del config.quantization_config
    # save_pretrained refuses a model from a .gguf file, so its weights are copied to a plain model.
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=False)
    plain.load_state_dict(quantized.state_dict())
    plain.generation_config = quantized.generation_config
    with late_bars_of_transformers():
        plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
