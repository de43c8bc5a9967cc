"""The scripts' functions for notebooks and programs, under one name that no other package has.

`from small_text_fine_tuning import preprocess, fine_tune, generate, classify, evaluate`; docs/python.md describes them.
`samples` is the folder of the sample data, and `UserError` what mistakes raise. Open `isolated.py` first.
"""

import importlib

from small_text_fine_tuning.isolated import FOLDER, SCRIPTS

samples = FOLDER / "data" / "samples"
_MODULES = {
    "preprocess": "preprocess",
    "fine_tune": "fine_tune",
    "fine_tune_gpt2": "fine_tune",
    "generate": "generate",
    "generate_emoji": "generate",
    "classify": "classify",
    "evaluate": "evaluate_model",
    "UserError": "utils.errors",
}
__all__ = ["samples", *_MODULES]


def __getattr__(name: str) -> object:
    """Import a function's script when the function is first requested."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{SCRIPTS}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
