"""Turn the errors that libraries raise while a model is opened into one about the model; our bugs keep tracebacks."""

import pickle
import warnings
from collections.abc import Callable
from typing import Any

from utils.compute.deferred_imports import import_meta_kernels
from utils.errors import UserError
from utils.system_errors import passed_through_our_code
from utils.terminal.progress import late_bars_of_transformers
from utils.terminal.tables import one_line

LONGEST_REASON = 300
COPY_AGAIN = "copy it again, or train it again"


def open_with(failure: str, hint: str, function: Callable, *arguments, **options) -> Any:
    """Return the result of a library's function that opens a model; for its errors, raise UserError(failure: reason).

    Libraries have no common error for a folder that they cannot open: they raise KeyError, AttributeError, ImportError,
    AssertionError, and a tokenizer in Rust even what is no Exception. So what decides is where it is raised: in the
    library, it is about the model; in code of ours that the library calls, or in the call itself, it is a bug.
    """
    try:
        with warnings.catch_warnings(), late_bars_of_transformers():
            warnings.simplefilter("ignore")  # the error says it, in one line
            try:
                return function(*arguments, **options)
            except NotImplementedError:
                if not import_meta_kernels():
                    raise
                return function(*arguments, **options)
    except (KeyboardInterrupt, SystemExit, UserError):
        raise
    except BaseException as error:
        if passed_through_our_code(error):
            raise
        problem, better_hint = _explain(error)
        raise UserError(f"{failure}: {problem}", better_hint or hint) from error


def _explain(error: BaseException) -> tuple[str, str | None]:
    """Return the problem of the model, and a remedy where there is a specific one."""
    text = one_line(str(error), LONGEST_REASON)
    if "trust_remote_code" in text or "custom code" in text:
        problem = "it needs Python code of its own (auto_map in its config.json), which is never run here"
        return problem, "choose a model of an architecture that transformers has, such as GPT-2 or Llama"
    if isinstance(error, pickle.UnpicklingError) or "weights_only" in str(error):
        problem = "its weights are not only tensors (another kind of pickle, or damaged), and are not opened"
        return problem, "ask its maker for model.safetensors, or copy it again"
    if "does not recognize this architecture" in text:
        problem = text.partition(" but ")[0] + ", which this version of transformers does not have"
        return problem, "correct model_type in its config.json, or choose another model"
    if isinstance(error, MemoryError) or "allocate memory" in text:
        return f"it does not fit into memory: {text}", "choose a smaller model, or check the sizes in its config.json"
    if isinstance(error, ImportError):
        return f"it needs a package that is not installed: {text}", "install it, or choose a model that needs none"
    if isinstance(error, OSError | ValueError | RuntimeError) and text:
        return text, None
    return f"{type(error).__name__}: {text}", None
