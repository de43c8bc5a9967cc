"""Imports run downward only, and start-up imports are light: the table of DESIGN.md, read with `ast`."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "transformers", "pandas", "numpy", "scipy", "sklearn", "datasets", "evaluate", "matplotlib"}


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SCRIPTS = {_module_name(path): path for path in ROOT.glob("*.py")}
UTILS = {_module_name(path): path for path in ROOT.glob("utils/**/*.py")}
LOCAL = SCRIPTS | UTILS


def imports(path: Path, *, inside_functions: bool) -> set[str]:
    """The modules that a file imports at once, or also later; what serves type checkers alone is left out."""
    return set(_imports(ast.parse(path.read_text(encoding="utf-8")).body, inside_functions))


def _imports(nodes: list[ast.AST], inside_functions: bool) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in LOCAL else node.module
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _imports(node.orelse, inside_functions)
        elif inside_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _imports(list(ast.iter_child_nodes(node)), inside_functions)


def local_imports(path: Path) -> set[str]:
    return {name for name in imports(path, inside_functions=True) if name in LOCAL}


def test_the_reader_of_imports_sees_where_they_stand(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nimport os.path, utils.cli as c\nfrom utils import processed, nothing\n"
        "if TYPE_CHECKING:\n    import pandas\nelse:\n    import json\n"
        "try:\n    from torch import nn\nexcept ImportError:\n    pass\n"
        "class Thing:\n    import numpy\n    def method(self):\n        from utils.tasks.base import Task\n",
    )
    early = {"typing", "os.path", "utils.cli", "utils.processed", "utils", "json", "torch", "numpy"}
    assert imports(path, inside_functions=False) == early
    assert imports(path, inside_functions=True) == early | {"utils.tasks.base"}
    assert {"preprocess", "fine_tune", "generate", "evaluate_model"} <= SCRIPTS.keys()
    assert {"utils.errors", "utils.tasks", "utils.tasks.tweets"} <= UTILS.keys()


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_imports_utils_and_no_script(script):
    found = local_imports(SCRIPTS[script])
    assert "utils.errors" in found
    assert found <= UTILS.keys()


@pytest.mark.parametrize("module", UTILS)
def test_utils_imports_no_script(module):
    assert not local_imports(UTILS[module]) & SCRIPTS.keys()


@pytest.mark.parametrize("module", [name for name in UTILS if name.startswith(("utils.errors", "utils.metrics"))])
def test_errors_and_metrics_import_nothing_local(module):
    assert not local_imports(UTILS[module])


def test_utils_has_no_circle():
    graph = {name: local_imports(path) - {name} for name, path in UTILS.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_nothing_hides_a_library():
    ours = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}
    libraries = {name.partition(".")[0] for path in LOCAL.values() for name in imports(path, inside_functions=True)} - {
        "utils"
    }
    assert {"transformers", "evaluate", "datasets"} & libraries  # else the line below says nothing
    assert not ours & (libraries | {"datasets", "evaluate", "tokenizers"})


@pytest.mark.parametrize("script", SCRIPTS)
def test_start_up_imports_nothing_heavy(script):
    reached, open_names = {}, [(script, ())]
    while open_names:
        name, way = open_names.pop()
        if name in reached:
            continue
        reached[name] = (*way, name)
        parents = [name.rpartition(".")[0]] if "." in name else []
        found = imports(LOCAL[name], inside_functions=False) if name in LOCAL else set()
        open_names += [(other, reached[name]) for other in (*parents, *found)]
    heavy = {name: " → ".join(way) for name, way in reached.items() if name in HEAVY}
    assert heavy == {}
    assert "utils.cli" in reached
