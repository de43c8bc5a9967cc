"""Results of batches come in the order of the rows, and the model is left as it was, also after an error."""

from functools import partial

import numpy
import pytest
import torch
from small_models import END, random_model

from utils.compute.batching import pad_rows
from utils.compute.forward import forward_in_batches

ROWS = [{"input_ids": list(range(1, 2 + length))} for length in (4, 90, 1, 60, 7)]
COLLATE = partial(pad_rows, pad_id=END)


@pytest.mark.parametrize("training", [True, False])
def test_results_are_those_of_single_rows(training):
    model = random_model("llama").train(training)

    def last_logits(inputs):
        assert not (model.training or torch.is_grad_enabled())
        lengths = inputs["attention_mask"].sum(1)
        return model(**inputs).logits[torch.arange(len(lengths)), lengths - 1]

    results = forward_in_batches(model, ROWS, COLLATE, last_logits, END + 1)
    assert model.training is training
    with torch.no_grad():
        expected = [model.eval()(torch.tensor([row["input_ids"]])).logits[0, -1].numpy() for row in ROWS]
    assert results.dtype == numpy.float64
    numpy.testing.assert_allclose(results, expected, atol=1e-4)


def test_no_rows_have_no_results():
    assert forward_in_batches(random_model("gpt2"), [], COLLATE, None, 3).shape == (0, 3)


def test_an_error_leaves_the_model_as_it_was():
    model = random_model("gpt2").train()
    with pytest.raises(ZeroDivisionError):
        forward_in_batches(model, ROWS, COLLATE, lambda inputs: 1 / 0, 3, bfloat16=True)
    assert model.training
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not any("forward" in vars(module) for module in model.modules())
