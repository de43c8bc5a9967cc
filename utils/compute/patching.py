"""Temporarily replace the `forward` of modules, or put them into eval mode.

Without it: the module's own `forward`. The files that use this one state how results differ.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping

import torch


@contextlib.contextmanager
def replaced_forward(replacements: Mapping[torch.nn.Module, Callable]) -> Iterator[None]:
    """Within the context, each module's `forward` is its replacement; afterwards it is the former one.

    Contexts can be nested: the innermost replacement wins.
    """
    originals = {module: vars(module).get("forward") for module in replacements}
    for module, forward in replacements.items():
        module.forward = forward
    try:
        yield
    finally:
        for module, original in originals.items():
            if original is None:
                del module.forward
            else:
                module.forward = original


@contextlib.contextmanager
def eval_mode(model: torch.nn.Module) -> Iterator[None]:
    """Within the context, the model is in eval mode; afterwards in the mode that it was in before."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
