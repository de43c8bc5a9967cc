"""Checks of a model folder before it is opened: adapters; files that are missing, empty, damaged or not JSON."""

import json
import re
import zipfile
from pathlib import Path

from utils.errors import UserError
from utils.models.opening.config_checks import FULL_WEIGHTS, check_config

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
VOCABULARIES = (
    *("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"),
    *("spiece.model", "sentencepiece.bpe.model", "spm.model", "tekken.json"),
)
OBJECTS = ("config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json")
INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
ADAPTERS = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
APART = "move the adapter's files into a folder of their own, and name that"
MERGE = (
    "merge it into its base model with peft: "
    "AutoPeftModelForCausalLM.from_pretrained(FOLDER).merge_and_unload().save_pretrained(NEW_FOLDER), and name that"
)
LARGEST_HEADER = 10**8
LFS_POINTER = b"version https://git-lfs"
SMALLEST_WEIGHTS, LARGEST_POINTER = 16, 1024
COPY_AGAIN = "copy the folder again, or train it again"
# Formats of other tools than transformers: a file by which to recognize it, its name, and what to do.
OTHER_TOOLS = {
    "model_index.json": ("a diffusers model, which makes images", "name a language model"),
    "modules.json": ("a sentence-transformers model", "name the folder in it that has a config.json and the weights"),
    "config.cfg": ("a spaCy model", "name a model that transformers opens"),
    "model.bin": ("a CTranslate2 model", "name the folder that it was converted from"),
    "*/model.bin": ("CTranslate2 models", "name the folder that they were converted from"),
    "tf_model.h5": ("a model for TensorFlow", "ask for its model.safetensors, or convert it with transformers 4"),
    "flax_model.msgpack": ("a model for JAX", "ask for its model.safetensors, or convert it with transformers 4"),
    "saved_model.pb": ("a model for TensorFlow", "name a model that transformers opens"),
    "*.onnx": ("an ONNX model", "name the folder that it was exported from"),
    "onnx/*.onnx": ("an ONNX model", "name the folder that it was exported from"),
    "consolidated.*.pth": ("a Llama in Meta's own format", "take the one in the format of Hugging Face (…-hf)"),
}
# In safetensors and in torch.
WHOLE = re.compile(r"U?I\d+|BOOL|torch\.(u?int\d+|bool)")


def check_folder(folder: Path) -> None:
    """Raise UserError for a folder that holds no complete model, with the problem and a remedy."""
    try:
        present = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}", "check its permissions") from error
    refuse_adapters(folder, present)
    missing = [] if "config.json" in present else ["config.json"]
    missing += [] if set(WEIGHTS) & set(present) else ["model.safetensors"]
    missing += [] if set(VOCABULARIES) & set(present) else ["tokenizer.json"]
    if missing:
        what, hint = _other_tool(folder, present)
        found = f"; it has {', '.join(present) or 'nothing'}"
        raise UserError(f"{folder} is {what}: {', '.join(missing)} missing{found}", hint)
    check_files(folder)


def check_files(folder: Path, name: str | None = None) -> None:
    """Raise UserError for adapters and for files of a model that are empty, damaged or mean no model.

    `folder` may lack files, as a part of a model in the cache does. `name` is how the user calls it.
    """
    try:
        _check_files(folder)
    except UserError as error:
        if name is None:
            raise
        raise UserError(error.problem.replace(str(folder), name), error.hint) from error


def _check_files(folder: Path) -> None:
    present = sorted(entry.name for entry in folder.iterdir())
    refuse_adapters(folder, present)
    for name in present:
        if name in (*WEIGHTS, *VOCABULARIES, *OBJECTS) or name.endswith((".safetensors", ".bin")):
            check_content(folder / name)
        if name.endswith(".bin"):
            check_archive(folder / name)
        if name.endswith(".safetensors"):
            check_numbers(str(folder / name), _stored_numbers(folder / name))
    objects = {name: read_json_object(folder / name) for name in (*OBJECTS, *INDICES) if name in present}
    for name in set(INDICES) & objects.keys():
        _check_index(folder / name, objects[name], present)
    if "config.json" in objects:
        check_config(folder / "config.json", objects["config.json"])


def stored_size(folder: Path) -> int:
    """Return the number of bytes of the weights in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.suffix in (".safetensors", ".bin"))


def refuse_adapters(name: Path | str, files: list[str]) -> None:
    """Raise UserError if one of the model's files is an adapter of peft, which would be left out without a word."""
    if found := [file for file in ADAPTERS if file in files]:
        if set(WEIGHTS) & set(files):
            problem = f"{name} has an adapter ({', '.join(found)}) beside full weights, which would be used without it"
            raise UserError(problem, APART)
        hint = f"download it, and name the folder: hf download {name} --local-dir FOLDER"
        raise UserError(f"{name} is an adapter ({', '.join(found)}), which must be in a folder of its own", hint)


def _other_tool(folder: Path, present: list[str]) -> tuple[str, str]:
    """Return the kind of the folder, and a remedy."""
    if gguf := [name for name in present if name.endswith(".gguf")]:
        return "no model folder, it has a .gguf file", f"name the file: {folder / gguf[0]}"
    for pattern, (what, hint) in OTHER_TOOLS.items():
        if any(folder.glob(pattern)):
            return f"{what}, not one of transformers", hint
    return "not a complete model", "name a folder that save_pretrained or fine_tune.py wrote"


def check_content(path: Path) -> None:
    """Raise UserError for a file that is empty, no file at all, or only says where the file is."""
    try:
        if path.is_fifo() or path.is_char_device():  # reading one would never end
            raise UserError(f"{path} is no file", COPY_AGAIN)
        with path.open("rb") as file:
            start = file.read(len(LFS_POINTER))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", COPY_AGAIN) from error
    if not start:
        raise UserError(f"{path} is empty", COPY_AGAIN)
    if start == LFS_POINTER:
        hint = "run `git lfs pull` in that folder, or download it with `hf download`"
        raise UserError(f"{path} is a pointer of Git LFS, not the file itself", hint)


def check_numbers(name: str, numbers: dict[str, str]) -> None:
    """Raise UserError for weights that are whole numbers, in `numbers` by name. transformers would take them as they
    are: quantized ones without their scale. Masks and positions, which are whole numbers too, are no ".weight".
    """
    found = [key for key, kind in sorted(numbers.items()) if key.endswith(".weight") and WHOLE.fullmatch(kind)]
    if found:
        problem = (
            f"{name} has weights that are whole numbers, as quantized ones are, in {found[0]} ({numbers[found[0]]})"
        )
        raise UserError(problem, FULL_WEIGHTS)


def check_archive(path: Path) -> None:
    """Raise UserError for a file of torch.save whose parts are compressed or overlap: torch would unpack any size.

    torch.save itself never compresses.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, zipfile.BadZipFile):
        return  # of an earlier format, or damaged, which torch reports
    size = sum(entry.file_size for entry in entries)
    if size > path.stat().st_size or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        problem = (
            f"{path} has {path.stat().st_size:,} bytes and would unpack to {size:,}, which torch.save never writes"
        )
        raise UserError(problem, "ask for model.safetensors, or for the file as torch.save wrote it")


def _stored_numbers(path: Path) -> dict[str, str]:
    """Return the kind of numbers of each weight in a .safetensors file; {} where its header is damaged."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length < LARGEST_HEADER else b""
    try:
        return {key: entry["dtype"] for key, entry in json.loads(header).items() if key != "__metadata__"}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}  # which transformers reports


def read_json_object(path: Path) -> dict:
    """Return the JSON object in a file. UserError where it holds anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}", COPY_AGAIN) from error
    if not isinstance(found, dict):
        raise UserError(f"{path} holds a JSON {type(found).__name__}, not an object", COPY_AGAIN)
    return found


def _check_index(path: Path, index: dict, present: list[str]) -> None:
    files = index.get("weight_map")
    if not isinstance(files, dict) or not files or not all(isinstance(name, str) for name in files.values()):
        raise UserError(f"{path} has no weight_map, which names the file of each weight", COPY_AGAIN)
    if missing := sorted(set(files.values()) - set(present)):
        raise UserError(f"{path.parent} lacks weights: {path.name} names {', '.join(missing)}", COPY_AGAIN)
