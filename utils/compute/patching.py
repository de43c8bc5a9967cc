"""Run modules with another `forward` for a while: the one place where this package changes what a model runs.

Without it: the module's own `forward`. The files that use this one state how results differ.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping

import torch


@contextlib.contextmanager
def replaced_forward(replacements: Mapping[torch.nn.Module, Callable]) -> Iterator[None]:
    """Within the context, each module's `forward` is its replacement; afterwards it is what it was before.

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
