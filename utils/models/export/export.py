"""--export: check before any training that a format is possible, and write the files."""

import importlib.util
import logging
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UsageError, UserError
from utils.files import atomic_write, check_apart, check_writable
from utils.models import model_files
from utils.models.checkpoint import Trained, load
from utils.tasks.kinds import KINDS, Kind

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)
NUMBERS = ("f16", "q8_0")  # of a .gguf file; an .onnx file has float32
SUFFIXES = {"gguf": (".gguf", ".Modelfile"), "onnx": (".onnx",)}
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def exported_files(model_path: Path, file_format: str) -> list[Path]:
    """Return the paths of a model's exported files: beside it, under its name."""
    name = model_path.name.removesuffix(".pt")
    return [model_path.with_name(name + suffix) for suffix in SUFFIXES[file_format]]


def check_export(
    file_format: str, kind: Kind, model_path: Path, inputs: list[str | Path | None], overwrite: bool
) -> None:
    """Raise UserError, without heavy imports, where models of this kind have no such format, or a file is in the way.

    `inputs` are read, and must not be replaced.
    """
    writes = kind.problem_type is None
    if writes != (file_format == "gguf"):
        purpose, instead = ("write", "onnx") if file_format == "gguf" else ("classify or score texts", "gguf")
        problem = f"--export {file_format} is for models that {purpose}, and this one {kind.third_person}"
        raise UsageError(problem, f"use --export {instead}")
    if file_format == "onnx" and (missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]):
        problem = f"--export onnx: the package {missing[0]} is not installed"
        raise UsageError(problem, "pip install -r requirements-onnx.txt")
    for path in exported_files(model_path, file_format):
        check_apart(path, inputs)
        if path.exists() and not overwrite:
            raise UserError(f"{path} exists", "add --overwrite to replace it, or choose another --output_path")
        check_writable(path)


def check_exportable(
    file_format: str, name: str, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase"
) -> None:
    """Raise UserError where the format has no such architecture or tokenizer."""
    if file_format == "onnx":
        from utils.models.export.onnx_file import check_model

        check_model(name, model)
        return
    from utils.models.export.gguf_vocabulary import vocabulary_of
    from utils.models.export.gguf_weights import check_architecture

    check_architecture(name, model.config)
    vocabulary_of(tokenizer, model.get_input_embeddings().num_embeddings)


def export_model(model_path: Path, file_format: str, numbers: str) -> list[Path]:
    """Write the files of a model that fine_tune.py has just written, and return their paths.

    Files that are there are replaced. UserError where they cannot be written; the model itself is not changed.
    """
    return _write(model_path, load(str(model_path)), file_format, numbers)


def export_trained(model_path: Path, file_format: str, numbers: str, overwrite: bool) -> list[Path]:
    """Export a model that was trained before. UserError where fine_tune.py did not write it."""
    if not model_files.is_written(model_path):
        raise UserError(f"{model_path} is not a model that fine_tune.py wrote", "name one with --model_path")
    trained = load(str(model_path))
    if (trained.run.get("baseline") or {}).get("used"):
        problem = f"{model_path} is mixed with TF-IDF (--with_baseline), and --export writes the model alone"
        raise UserError(problem, "export one that was trained without --with_baseline")
    check_export(file_format, KINDS[trained.run["kind"]], model_path, [], overwrite)
    check_exportable(file_format, str(model_path), trained.model, trained.tokenizer)
    return _write(model_path, trained, file_format, numbers)


def _write(model_path: Path, trained: Trained, file_format: str, numbers: str) -> list[Path]:
    paths = exported_files(model_path, file_format)
    arguments = ["--export", file_format, "--model_path", str(model_path), "--overwrite"]
    arguments += ["--export_type", numbers] * (file_format == "gguf")
    try:
        if file_format == "onnx":
            from utils.models.export.onnx_file import write_onnx

            write_onnx(paths[0], trained)
        else:
            _write_gguf(*paths, trained, numbers)
    except (KeyboardInterrupt, UserError):
        command = shlex.join(["python", "fine_tune.py", *arguments])
        log.info("%s is unchanged; to export it, run: %s", model_path, command)
        raise
    return paths


def _write_gguf(gguf: Path, settings: Path, trained: Trained, numbers: str) -> None:
    from utils.models.export.gguf_file import write_gguf
    from utils.models.export.modelfile import modelfile

    write_gguf(gguf, trained, numbers)
    with atomic_write(settings, "w") as file:
        file.write(modelfile(gguf.name, trained))
