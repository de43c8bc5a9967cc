"""The scripts and utils as modules of this package, so that they hide no `utils` or `generate` of a notebook's own.

Their sources say `from utils.errors import UserError`, since a script's folder comes first where Python runs it. Here
the same files are `small_text_fine_tuning.scripts.utils.errors`, …: modules with an `__import__` of their own, which
finds `utils` there. Nothing is added to `sys.path`, and an `import utils` elsewhere finds what it always did.
"""

import builtins
import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType

SCRIPTS = "small_text_fine_tuning.scripts"
PACKAGE = Path(__file__).resolve().parent
FOLDER = PACKAGE / "scripts"  # where the wheel has them
if not FOLDER.is_dir():
    FOLDER = PACKAGE.parent  # a clone of the repository


class Finder:
    """Finds the modules below SCRIPTS, and no others."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of a module, or None, as `sys.meta_path` requires."""
        if name == SCRIPTS:
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(FOLDER)]
            return spec
        if not name.startswith(SCRIPTS + "."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = Loader(name, spec.origin)
        return spec


class Loader(SourceFileLoader):
    """Loads a module whose imports of `utils` find the one below SCRIPTS."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        module.__builtins__ = _BUILTINS
        super().exec_module(module)


def _import(
    name: str,
    globals: Mapping | None = None,
    locals: Mapping | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """Import a module as `import` does, with another name for utils and its modules."""
    if level or name.partition(".")[0] != "utils":
        return builtins.__import__(name, globals, locals, fromlist, level)
    module = importlib.import_module(f"{SCRIPTS}.{name}")
    for attribute in fromlist or ():
        if not hasattr(module, attribute):
            importlib.import_module(f"{module.__name__}.{attribute}")  # `from utils import distributed`
    return module if fromlist else sys.modules[f"{SCRIPTS}.utils"]


_BUILTINS = {**vars(builtins), "__import__": _import}
sys.meta_path.insert(0, Finder)  # before the one that finds them by their path
