"""A classifier written to an .onnx file gives the model's logits in ONNX Runtime, whatever the batch."""

import numpy
import onnxruntime
import pytest
import torch
from running import user_error
from small_classifiers import base_folder

from utils.models.checkpoint import Trained, load_base_classifier
from utils.models.classifier_tokenizer import with_template

BATCHES = [
    ["ok"],
    ["bad", "It was a long film, but not too long", "été 😀"],
    ["a much longer text than the others " * 3] * 5,
]


@pytest.mark.parametrize("family", ["llama", "bert"])  # PyTorch's exporter takes seconds for each
def test_any_number_of_texts_of_any_length_has_the_logits_of_the_model(family, tmp_path):
    from utils.models.export.onnx_file import write_onnx

    base = load_base_classifier(base_folder(tmp_path / "base", family), ["neg", "neutral", "pos"], seed=1)
    tokenizer = with_template(base.tokenizer, "Review: {prompt}\nSentiment:", 100)
    write_onnx(tmp_path / "written.onnx", Trained(base.model, tokenizer, {}))
    assert {path.name for path in tmp_path.iterdir()} == {"base", "written.onnx"}
    session = onnxruntime.InferenceSession(tmp_path / "written.onnx")
    for texts in BATCHES:
        encoded = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        inputs = {name: encoded[name] for name in ("input_ids", "attention_mask")}
        with torch.no_grad():
            expected = base.model(**inputs).logits.numpy()
        (found,) = session.run(["logits"], {name: tensor.numpy() for name, tensor in inputs.items()})
        numpy.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * numpy.abs(expected).max())


def test_a_model_that_one_file_cannot_hold():
    from utils.models.export.onnx_file import check_model

    with torch.device("meta"):
        model = torch.nn.Linear(30_000, 20_000)
    assert "large has 2.4 GB of weights" in user_error(check_model, "large", model).problem
