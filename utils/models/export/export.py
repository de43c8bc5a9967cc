"""What --export asks for: whether it can be done, told before any training, and the files that it writes."""

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
NUMBERS = ("f16", "q8_0")  # of a .gguf file; the first is the default


def exported_files(model_path: Path) -> list[Path]:
    """Return where the files of a model's export lie: beside it, under its name."""
    name = model_path.name.removesuffix(".pt")
    return [model_path.with_name(f"{name}.gguf"), model_path.with_name(f"{name}.Modelfile")]


def check_export(kind: Kind, model_path: Path, inputs: list[str | Path | None], overwrite: bool) -> None:
    """Raise UserError, without heavy imports, where models of this kind have no such format, or a file is in the way.

    `inputs` are what is read, and must not be replaced.
    """
    if kind.problem_type:
        problem = f"--export gguf is for models that write, but this one is to {kind.verb_phrase}"
        raise UsageError(problem, "remove --export gguf")
    for path in exported_files(model_path):
        check_apart(path, inputs)
        if path.exists() and not overwrite:
            raise UserError(f"{path} exists", "add --overwrite to replace it, or choose another --output_path")
        check_writable(path)


def check_exportable(name: str, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Raise UserError where the format has no such architecture or tokenizer."""
    from utils.models.export.gguf_vocabulary import vocabulary_of
    from utils.models.export.gguf_weights import check_architecture

    check_architecture(name, model.config)
    vocabulary_of(tokenizer, model.get_input_embeddings().num_embeddings)


def export_model(model_path: Path, numbers: str) -> list[Path]:
    """Write the files of a model that fine_tune.py has just written, and return their paths.

    Files that are there are replaced. UserError where they cannot be written; the model itself is not changed.
    """
    return _write(model_path, load(str(model_path)), numbers)


def export_trained(model_path: Path, numbers: str, overwrite: bool) -> list[Path]:
    """Export a model that was trained before. UserError where fine_tune.py did not write it."""
    if not model_files.is_written(model_path):
        raise UserError(f"{model_path} is not a model that fine_tune.py wrote", "name one with --model_path")
    trained = load(str(model_path))
    check_export(KINDS[trained.run["kind"]], model_path, [], overwrite)
    check_exportable(str(model_path), trained.model, trained.tokenizer)
    return _write(model_path, trained, numbers)


def _write(model_path: Path, trained: Trained, numbers: str) -> list[Path]:
    from utils.models.export.gguf_file import write_gguf
    from utils.models.export.modelfile import modelfile

    gguf, settings = exported_files(model_path)
    arguments = ["--export", "gguf", "--export_type", numbers, "--model_path", str(model_path), "--overwrite"]
    try:
        write_gguf(gguf, trained, numbers)
        with atomic_write(settings, "w") as file:
            file.write(modelfile(gguf.name, trained))
    except (KeyboardInterrupt, UserError):
        command = shlex.join(["python", "fine_tune.py", *arguments])
        log.info("%s is unchanged; to export it, run: %s", model_path, command)
        raise
    return [gguf, settings]
