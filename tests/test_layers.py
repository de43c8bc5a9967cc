"""Imports between packages run downward only, and start-up imports are light: the floors below, read with `ast`."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {
    "torch",
    "transformers",
    "pandas",
    "numpy",
    "scipy",
    "sklearn",
    "datasets",
    "evaluate",
    "matplotlib",
    "lxml",
    "jinja2",
}
SCRIPT_FLOOR = 11
FLOORS = {  # packages and files of utils; a module imports from lower floors and from its own package
    "evaluation": 10,
    "training": 9,
    "results": 9,
    "inference": 8,
    "preprocessing": 7,
    "publishing": 6,
    "processed": 6,
    "processed_fields": 5,
    "models": 5,
    "collecting": 5,
    "tasks": 4,
    "compute": 4,
    "cli": 4,
    "interrupts": 4,
    "process": 5,
    "hugging_face_names": 5,
    "files": 4,
    "locks": 4,
    "folders": 3,
    "reading": 3,
    "argument_types": 3,
    "config": 3,
    "distributed": 3,
    "metrics": 3,
    "plots": 3,
    "text": 1,
    "errors": 0,
    "safe_pickle": 1,
    "system_errors": 1,
    "temporary": 1,
    "terminal": 2,
}


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SCRIPTS = {_module_name(path): path for path in ROOT.glob("*.py")}
UTILS = {_module_name(path): path for path in ROOT.glob("utils/**/*.py")}
LOCAL = SCRIPTS | UTILS
PACKAGES = [name for name, path in UTILS.items() if path.name == "__init__.py"]


def imports(path: Path, *, inside_functions: bool) -> set[str]:
    """Return the modules that a file imports at start-up, or also later; those for type checkers only are left out."""
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


def package_of(module: str) -> str:
    """Return the key of FLOORS that a module of utils belongs to."""
    return module.split(".")[1]


def test_imports_are_found_where_they_are_written(tmp_path):
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


def test_the_floors_are_those_of_the_packages_and_files():
    assert {package_of(name) for name in UTILS if name != "utils"} == FLOORS.keys()


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_imports_utils_and_no_script(script):
    found = local_imports(SCRIPTS[script])
    assert "utils.errors" in found
    assert found <= UTILS.keys()


@pytest.mark.parametrize("module", [name for name in UTILS if name != "utils"])
def test_a_module_imports_from_lower_floors_and_its_own_package(module):
    package = package_of(module)
    imported = local_imports(UTILS[module]) - {"utils"}
    assert imported <= UTILS.keys()  # no script
    upward = {name for name in imported if FLOORS[package_of(name)] >= FLOORS[package]}
    assert {name for name in upward if package_of(name) != package} == set()


def test_utils_has_no_circle():
    graph = {name: local_imports(path) - {name} for name, path in UTILS.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_introduced_in_its_docstring_and_has_no_code(package):
    body = ast.parse(UTILS[package].read_text(encoding="utf-8")).body
    assert [type(node) for node in body] == [ast.Expr]
    assert isinstance(body[0].value.value, str)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_has_more_than_20_files(package):
    assert len(list(UTILS[package].parent.glob("*.*"))) <= 20


def test_nothing_hides_a_library():
    ours = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}
    libraries = {name.partition(".")[0] for path in LOCAL.values() for name in imports(path, inside_functions=True)} - {
        "utils"
    }
    assert {"transformers", "evaluate", "datasets"} & libraries  # else the line below says nothing
    assert not ours & (libraries | {"datasets", "evaluate", "tokenizers"})


@pytest.mark.parametrize("script", SCRIPTS)
def test_start_up_imports_nothing_heavy(script):
    chains = _start_up_imports(script)
    assert {name: " → ".join(chain) for name, chain in chains.items() if name.partition(".")[0] in HEAVY} == {}
    assert "utils.cli" in chains


@pytest.mark.parametrize("module", [name for name in UTILS if name.startswith(("utils.reading", "utils.collecting"))])
def test_importing_a_reader_imports_no_lxml(module):
    assert "lxml" not in {name.partition(".")[0] for name in _start_up_imports(module)}


def _start_up_imports(module: str) -> dict[str, tuple[str, ...]]:
    """Return the modules that are imported with `module`, each with the chain of imports that leads to it."""
    chains, pending = {}, [(module, ())]
    while pending:
        name, chain = pending.pop()
        if name in chains:
            continue
        chains[name] = (*chain, name)
        parents = [name.rpartition(".")[0]] if "." in name else []
        imported = imports(LOCAL[name], inside_functions=False) if name in LOCAL else set()
        pending += [(other, chains[name]) for other in (*parents, *imported)]
    return chains
