"""The project's metrics, as Hugging Face `evaluate` modules that load from this folder and never from the Hub."""

import atexit
import functools
import shutil
import sys
import tempfile
from pathlib import Path


def load(name: str):
    """Return the `evaluate.Metric` of `utils/metrics/<name>.py`, ready for `.compute(...)`.

    Works without a network and under a read-only home. FileNotFoundError where there is no such metric.
    """
    import evaluate

    # Once any evaluate module is imported, Python looks for all others in that same folder.
    if "evaluate_modules" not in sys.modules:
        evaluate.config.HF_MODULES_CACHE = _private_folder()
    script = Path(__file__).with_name(f"{name}.py")
    return evaluate.load(str(script), cache_dir=str(_private_folder()), keep_in_memory=True)


@functools.cache
def _private_folder() -> Path:
    """A folder for this process: evaluate copies a module into its cache before importing it.

    The shared cache may be read-only, and its lock makes processes that compute at the same time wait.
    """
    folder = Path(tempfile.mkdtemp(prefix="metrics-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
