"""A trained model as one .pt file: its weights as tensors, and the other files of its folder as text."""

import os
import shlex
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.files import atomic_write
from utils.models.base_models import TRAIN_FIRST
from utils.models.folder_checks import check_archive, check_files, check_numbers
from utils.models.load_errors import COPY_AGAIN, open_with
from utils.models.model_checks import check_loading_report
from utils.models.opening.config_checks import check_size
from utils.models.run_file import RUN_FILE, read_run
from utils.system_errors import as_os_errors
from utils.tasks.kinds import KINDS
from utils.temporary import temporary_folder

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FORMAT = "small-text-fine-tuning/model"
VERSION = 1


def load_pt(path: Path) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase", dict]:
    """Return the model, in float32 and eval mode, with its tokenizer and the contents of its run.json.

    UserError if fine_tune.py did not write the file.
    """
    with temporary_folder() as folder:
        weights = unpack(path, folder)

        import torch
        import transformers

        check_files(folder, str(path))
        run = read_run(path, (folder / RUN_FILE).read_text(encoding="utf-8"))
        is_classifier = run.get("kind") in KINDS and KINDS[run["kind"]].problem_type is not None
        loader = transformers.AutoModelForSequenceClassification if is_classifier else transformers.AutoModelForCausalLM
        opened = partial(open_with, f"{path} cannot be loaded", COPY_AGAIN)
        config = opened(transformers.AutoConfig.from_pretrained, folder, trust_remote_code=False)
        check_numbers(str(path), {name: str(weight.dtype) for name, weight in weights.items()})
        check_size(str(path), config, path.stat().st_size)  # a weight may be a number that repeats
        with torch.device("meta"):
            model_class = type(opened(loader.from_config, config, trust_remote_code=False))
        # Not load_state_dict: some models (GPT-NeoX) have other names for their weights on disk than in memory.
        options = {"dtype": torch.float32, "output_loading_info": True, "ignore_mismatched_sizes": True}
        model, report = opened(model_class.from_pretrained, None, config=config, state_dict=weights, **options)
        if missing := report["missing_keys"]:
            raise UserError(
                f"{path} lacks weights: {', '.join(sorted(missing))}", TRAIN_FIRST.format(path=shlex.quote(str(path)))
            )
        check_loading_report(str(path), model, report, COPY_AGAIN)
        if (folder / "generation_config.json").is_file():
            model.generation_config = opened(transformers.GenerationConfig.from_pretrained, folder)
        tokenizer = opened(transformers.AutoTokenizer.from_pretrained, folder, trust_remote_code=False)
        return model.eval(), tokenizer, run


def is_pt_file(path: Path) -> bool:
    """Return whether `pack` wrote the file, judging by its beginning."""
    if not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            [name] = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(name) as file:
                return FORMAT.encode() in file.read(1000)
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return False


def read_text(path: Path, name: str) -> str:
    """Return the text of a file in a .pt file that `load_pt` has opened before; "" where it has none of this name."""
    import torch

    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)["files"].get(name, "")


def pack(folder: Path, path: Path) -> None:
    """Write the files of a model folder to a .pt file."""
    import torch
    from safetensors.torch import load_file

    weights, files = {}, {}
    for file in sorted(folder.iterdir()):
        if file.suffix == ".safetensors":
            weights.update(load_file(file))
        elif file.name != "model.safetensors.index.json":
            files[file.name] = file.read_text(encoding="utf-8")
    with atomic_write(path) as target, as_os_errors():
        torch.save({"format": FORMAT, "version": VERSION, "files": files, "weights": weights}, target)


def unpack(path: Path, folder: Path) -> dict[str, "Tensor"]:
    """Write the text files of a .pt model to `folder` and return its weights.

    UserError if fine_tune.py did not write it. No code in the file is run.
    """
    import torch

    hint = TRAIN_FIRST.format(path=shlex.quote(str(path)))
    if path.is_dir():
        raise UserError(f"{path} is a folder, and the name of a model's folder does not end in .pt", "rename it")
    if not path.is_file():
        raise UserError(f"there is no model at {path}", hint)
    if not os.access(path, os.R_OK):
        raise UserError(f"{path} cannot be read: Permission denied", "check its permissions")
    not_ours = f"{path} was not written by fine_tune.py, or it is truncated"
    if not zipfile.is_zipfile(path):  # torch.load reads older formats too, which `save` does not write
        raise UserError(not_ours, hint)
    check_archive(path)
    packed = open_with(not_ours, hint, torch.load, path, map_location="cpu", weights_only=True)
    if not isinstance(packed, dict) or packed.get("format") != FORMAT or packed.get("version") != VERSION:
        raise UserError(f"{path} is not a {FORMAT} file of version {VERSION}", hint)
    files, weights = packed.get("files"), packed.get("weights")
    texts = isinstance(files, dict) and all(isinstance(text, str) for text in (*files, *files.values()))
    if not texts or not {"config.json", RUN_FILE} <= files.keys():
        raise UserError(f"{path} is damaged: it lacks the text of config.json or of {RUN_FILE}", COPY_AGAIN)
    tensors = isinstance(weights, dict) and all(isinstance(weight, torch.Tensor) for weight in weights.values())
    if not tensors or not all(isinstance(name, str) for name in weights):
        raise UserError(f"{path} is damaged: its weights are not tensors by name", COPY_AGAIN)
    for name, text in files.items():
        if Path(name).name == name != "..":
            (folder / name).write_text(text, encoding="utf-8")
    return weights
