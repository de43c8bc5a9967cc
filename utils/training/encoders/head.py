"""The head of an encoder's classifier: its last layer, and the layer and activation between that and the states.

BERT, RoBERTa, DistilBERT and their relatives each have heads of their own. What they compute is found by trial, so
that a probe can be fitted to exactly what the last layer reads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy
import torch
from torch.nn import functional
from transformers import PreTrainedModel

from utils.compute.patching import eval_mode

SHAPES: dict[Callable, tuple[float, float]] = {  # activation: (scale, shift) of standardized states
    torch.tanh: (0.5, 0.0),
    torch.relu: (1.0, 3.0),
    functional.gelu: (1.0, 3.0),
    partial(functional.gelu, approximate="tanh"): (1.0, 3.0),
    functional.silu: (1.0, 3.0),
}
SCALE_WITHOUT_BIAS = 0.1  # of states in units of their deviation: gelu is nearly linear near 0, too
TOLERANCE = 1e-5


@dataclass(frozen=True)
class EncoderHead:
    """`classifier` gives the logits. It reads norm(activation(dense(states))), or the states where `dense` is None."""

    classifier: torch.nn.Linear
    dense: torch.nn.Linear | None = None
    activation: Callable | None = None
    norm: torch.nn.Module | None = None

    @property
    def reads(self) -> torch.nn.Linear:
        """The layer whose input is a text's state."""
        return self.classifier if self.dense is None else self.dense

    def standardizing(self, states: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray] | None:
        """Return the weights and bias of `dense` that standardize the states (texts, width) for the activation.

        The activation then changes little of what a linear probe can read. None without `dense`.
        """
        if self.dense is None:
            return None
        width = states.shape[1]
        if self.dense.bias is None:
            scale = SCALE_WITHOUT_BIAS / numpy.sqrt((states**2).mean())
            return numpy.diag(numpy.full(width, scale)), numpy.zeros(width)
        mean, deviation = states.mean(0), states.std(0) + 1e-6
        scale, shift = SHAPES[self.activation]
        return numpy.diag(scale / deviation), shift - scale * mean / deviation

    def features(self, states: numpy.ndarray, dense: tuple[numpy.ndarray, numpy.ndarray] | None) -> numpy.ndarray:
        """Return the last layer's inputs for these states if `dense` has these weights and bias."""
        if dense is None:
            return states
        weights, bias = dense
        with torch.inference_mode():
            activated = self.activation(torch.from_numpy(states @ weights.T + bias).float())
            if self.norm is not None:
                activated = self.norm(activated.to(self.norm.weight.device))
            return activated.double().cpu().numpy()

    def set(
        self, dense: tuple[numpy.ndarray, numpy.ndarray] | None, weights: numpy.ndarray, bias: numpy.ndarray
    ) -> None:
        """Set the weights and bias of both layers."""
        with torch.no_grad():
            if dense is not None:
                self.dense.weight.copy_(torch.from_numpy(dense[0]))
                if self.dense.bias is not None:
                    self.dense.bias.copy_(torch.from_numpy(dense[1]))
            self.classifier.weight.copy_(torch.from_numpy(weights))
            if self.classifier.bias is not None:
                self.classifier.bias.copy_(torch.from_numpy(bias))


def find_encoder_head(model: PreTrainedModel, ids: Sequence[int]) -> EncoderHead | None:
    """Return the head of an encoder that classifies, by trial on the token ids of a text; None if there is none."""
    calls: list[tuple[torch.nn.Module, torch.Tensor, torch.Tensor]] = []

    def note(module, arguments, output):
        if arguments and arguments[0].dim() == 2:  # (texts, width): after pooling
            calls.append((module, arguments[0], output))

    kinds = (torch.nn.Linear, torch.nn.LayerNorm)
    handles = [module.register_forward_hook(note) for module in model.modules() if isinstance(module, kinds)]
    try:
        with eval_mode(model), torch.inference_mode():
            logits = model(torch.tensor([list(ids)], device=model.device)).logits
    finally:
        for handle in handles:
            handle.remove()
    if not calls or calls[-1][2] is not logits or not isinstance(calls[-1][0], torch.nn.Linear):
        return None
    classifier, read, _ = calls[-1]
    for number in range(len(calls) - 2, -1, -1):
        layer, _, output = calls[number]
        if not isinstance(layer, torch.nn.Linear) or layer.in_features != layer.out_features:
            continue
        for activation in SHAPES:
            for norm in [None, *(each for each, *_ in calls[number + 1 : -1] if isinstance(each, torch.nn.LayerNorm))]:
                if _same(activation, norm, output, read):
                    return EncoderHead(classifier, layer, activation, norm)
        break
    return EncoderHead(classifier)


def _same(activation: Callable, norm: torch.nn.Module | None, output: torch.Tensor, read: torch.Tensor) -> bool:
    with torch.inference_mode():
        activated = activation(output)
        found = activated if norm is None else norm(activated)
    return found.shape == read.shape and torch.allclose(
        found, read, rtol=0, atol=TOLERANCE * max(1.0, read.abs().max())
    )
