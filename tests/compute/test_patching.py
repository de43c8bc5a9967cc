"""A replaced forward is in effect within its context alone, also where contexts are nested or fail."""

import pytest
import torch

from utils.compute.patching import replaced_forward


def test_contexts_are_nested_and_undone():
    layers = [torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)]
    with replaced_forward({layer: lambda number=number: number for number, layer in enumerate(layers)}):
        assert [layer() for layer in layers] == [0, 1]
        with replaced_forward({layers[0]: lambda: "inner"}):
            assert [layer() for layer in layers] == ["inner", 1]
        assert [layer() for layer in layers] == [0, 1]
    assert not any("forward" in vars(layer) for layer in layers)


def test_an_error_undoes_it():
    layer = torch.nn.Linear(2, 2)
    with pytest.raises(KeyError), replaced_forward({layer: {}.__getitem__}):
        layer("missing")
    assert layer(torch.ones(1, 2)).shape == (1, 2)
