"""Classifiers that fine_tune.py trains from small base models."""

from pathlib import Path

from running import run_script
from small_classifiers import base_folder

import fine_tune

FAST = ["--precision", "fp32", "--device", "cpu"]


def trained(family: str, data: Path, *words: object) -> Path:
    """Return the folder of a model of the family, beside the processed data that it was trained on."""
    folder = data.with_name(family)
    base = base_folder(data.with_name(f"{family} base"), family)
    flags = ["--model", base, "--lr", 1e-3, "--epochs", 2, "--output_path", folder, "--overwrite"]
    assert run_script(fine_tune.main, "--data", data, *flags, *FAST, *words) == 0
    return folder
