"""Writing the report: where it lies, and that it replaces nothing unasked."""

from collections.abc import Iterable
from pathlib import Path

from utils.errors import UserError

REPORT = "report.html"


def report_path(asked: Path | bool | None, output_path: Path) -> Path | None:
    """Return where the report goes: as asked; for True beside evaluation.json; None where none is asked for."""
    if asked is None or asked is False:
        return None
    if asked is True:
        name = output_path.name
        if name.endswith("evaluation.json"):
            return output_path.with_name(name.removesuffix("evaluation.json") + REPORT)
        return output_path.with_suffix(f".{REPORT}")
    return asked


def check_new(paths: Iterable[Path | None], overwrite: bool) -> None:
    """Raise UserError where one of the files is there, unless it may be replaced."""
    for path in paths:
        if path is not None and path.is_file() and path.stat().st_size and not overwrite:
            raise UserError(f"{path} exists", "add --overwrite to replace it, or name another file: --report FILE.html")
