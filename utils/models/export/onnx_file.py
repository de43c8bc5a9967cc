"""Writing a trained classifier as an .onnx file, which takes ids and a mask, and comparing it with the model first."""

import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy
import torch
from torch import Tensor, nn

from utils.errors import UserError
from utils.files import atomic_write
from utils.models.checkpoint import Trained
from utils.system_errors import as_os_errors
from utils.temporary import folder_for_a_while

log = logging.getLogger(__name__)
INPUTS, OUTPUT = ["input_ids", "attention_mask"], "logits"
LARGEST = 2**31  # bytes of an .onnx file without others beside it (protobuf's limit)
TOLERANCE = 1e-4  # of the largest logit
TEXTS = ("Good", "It was not bad at all, though far too long for what it says", "I would not buy it again!")


class _Logits(nn.Module):
    """A classifier with tensors for inputs and output, as the exporter needs them."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def check_model(name: str, model: nn.Module) -> None:
    """Raise UserError for a model that does not fit into one file."""
    size = sum(parameter.numel() * 4 for parameter in model.parameters())
    if size >= LARGEST:
        problem = f"--export onnx writes files of up to 2 GB, and {name} has {size / 1e9:.1f} GB of weights"
        raise UserError(problem, "remove --export, or choose a smaller base model")


def write_onnx(path: Path, trained: Trained) -> None:
    """Write the model to an .onnx file in float32, whole or not at all, for any number of texts of any length.

    UserError where it cannot be written; RuntimeError where ONNX Runtime gives other logits.
    """
    with atomic_write(path) as file, folder_for_a_while(path.parent, f".{path.name}.") as folder, as_os_errors():
        with _quiet():
            inputs = _encode(trained, TEXTS)
            sizes = tuple({0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens")} for _ in INPUTS)
            program = torch.onnx.export(
                _Logits(trained.model).eval(),
                inputs,
                input_names=INPUTS,
                output_names=[OUTPUT],
                dynamic_shapes=sizes,
                verbose=False,
            )
            program.save(folder / path.name)
        _verify(folder / path.name, trained)
        with (folder / path.name).open("rb") as written:
            shutil.copyfileobj(written, file)


def _verify(path: Path, trained: Trained) -> None:
    """Raise RuntimeError where ONNX Runtime gives other logits than the model, to texts alone or padded in a batch."""
    from onnxruntime import InferenceSession

    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    for texts, which in ((TEXTS, "a padded batch"), (TEXTS[:1], "a text alone")):
        inputs = _encode(trained, texts)
        with torch.inference_mode():
            expected = trained.model(**dict(zip(INPUTS, inputs, strict=True))).logits.numpy()
        given = {name: tensor.numpy() for name, tensor in zip(INPUTS, inputs, strict=True)}
        difference = numpy.abs(session.run([OUTPUT], given)[0] - expected).max()
        log.info("logits of %s: ONNX Runtime's differ from the model's by at most %.2g", which, difference)
        if not difference <= TOLERANCE * max(1.0, numpy.abs(expected).max()):
            raise RuntimeError(f"{path} does not give the logits of the model: off by {difference}")


def _encode(trained: Trained, texts: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    encoded = trained.tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
    return encoded["input_ids"], encoded["attention_mask"]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's messages on its steps, and on torchvision, which no text needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)
