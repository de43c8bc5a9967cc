"""The pictures of a report as files, for `--plots FOLDER`: each as SVG and as PNG, numbered as on the page."""

import importlib.util
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.files import atomic_write, check_place
from utils.plots.plot import FONTS

if TYPE_CHECKING:
    from utils.plots.plot import Plot

ZOOM = 3  # pixels of a PNG per unit of the SVG
PROBE = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><text y="15" font-family="{}">{}</text></svg>'
log = logging.getLogger(__name__)


def check_pictures(folder: Path | None, overwrite: bool) -> None:
    """Raise UserError where pictures cannot be drawn or written, or others are there that may not be replaced."""
    if folder is None:
        return
    if importlib.util.find_spec("resvg_py") is None:
        raise UserError(
            "--plots draws PNG files with resvg-py, which is not installed",
            "pip install -r requirements-plots.txt; --report needs nothing",
        )
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, expected a folder", "name another folder after --plots")
    if folder.is_dir() and not overwrite and any(file.suffix in (".svg", ".png") for file in folder.iterdir()):
        raise UserError(f"{folder} has pictures already", "add --overwrite to replace them, or name another folder")
    check_place(folder / "picture.svg")


def write_pictures(folder: Path, plots: Sequence["Plot"]) -> None:
    """Write each plot as NUMBER-TITLE.svg and .png."""
    from utils.plots.plot import standalone

    if plots and not _has_fonts():
        log.warning("warning: the PNG files have no text, since no usual font (DejaVu Sans, for one) is installed")
    for number, plot in enumerate(plots, start=1):
        slug = re.sub(r"[^a-z0-9]+", "-", plot.title.lower()).strip("-")[:60]
        svg = standalone(plot.svg)
        for suffix, content in (("svg", svg.encode()), ("png", _png(svg))):
            with atomic_write(folder / f"{number:02}-{slug}.{suffix}") as file:
                file.write(content)


def _png(svg: str) -> bytes:
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=ZOOM, background="#ffffff"))


def _has_fonts() -> bool:
    """Return whether text is drawn at all: without fonts, resvg leaves it out and says nothing."""
    return _png(PROBE.format(FONTS, "M")) != _png(PROBE.format(FONTS, ""))
