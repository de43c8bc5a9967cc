import os
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import transformers
from transformers.utils import import_utils

from utils.compute.kept_names import READER, keep_names

FOUND = {frozenset({"torch"}): {"models.one.modeling": {"One", "Another"}}, frozenset(): {"models.one": set()}}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def reader(tmp_path):
    """A folder of models, and a module that reads it and counts how often."""
    models = tmp_path / "models"
    (models / "one").mkdir(parents=True)
    (models / "one" / "modeling.py").write_text("class One: pass", encoding="utf-8")
    module = ModuleType("reader")
    found = SimpleNamespace(models=models, module=module, times=0)

    def read(path, prefix=None):
        found.times += 1
        return FOUND

    setattr(module, READER, read)
    keep_names(module)
    found.read = lambda: module.define_import_structure(models, prefix="models")
    return found


def test_kept_names_are_those_that_transformers_defines(home):
    """Fails where a new version of transformers calls the function, or has it, elsewhere: the names are read anew."""
    module = ModuleType("reader")
    setattr(module, READER, getattr(import_utils, READER))
    keep_names(module)
    models = Path(transformers.__file__).parent / "models"
    expected = import_utils.define_import_structure(models, prefix="models")
    assert [module.define_import_structure(models, prefix="models") for _ in range(2)] == [expected] * 2
    assert len(list(home.rglob("*.txt"))) == 1
    call = f'import_structure = {READER}(Path(__file__).parent / "models", prefix="models")'
    assert call in Path(transformers.__file__).read_text(encoding="utf-8")


def test_files_are_read_once_until_one_changes(home, reader):
    assert [reader.read(), reader.read(), reader.times] == [FOUND, FOUND, 1]
    file = reader.models / "one" / "modeling.py"
    os.utime(file, ns=(1, 1))
    assert [reader.read(), reader.times] == [FOUND, 2]
    (reader.models / "one" / "tokenization.py").touch()
    assert [reader.read(), reader.read(), reader.times] == [FOUND, FOUND, 3]


def test_files_of_one_model_are_always_read(home, reader):
    for _ in range(2):
        reader.module.define_import_structure(reader.models / "one" / "modeling.py")
    assert reader.times == 2
    assert not home.exists()


@pytest.mark.parametrize(
    "content", [b"", b"[1", b"[]", b"[" * 200_000, b"\xff", b'{"digest": "", "names": [[["torch"], {"one": ["One"]}]]}']
)
def test_damaged_names_are_read_again(home, reader, content):
    reader.read()
    [kept] = home.rglob("*.txt")
    whole = kept.read_bytes()
    kept.write_bytes(content)
    assert [reader.read(), reader.read(), reader.times] == [FOUND, FOUND, 2]
    assert kept.read_bytes() == whole


def test_names_that_cannot_be_kept_are_read(home, reader):
    home.write_text("a file where the folder should be", encoding="utf-8")
    assert [reader.read(), reader.read(), reader.times] == [FOUND, FOUND, 2]


def test_a_version_without_the_function_is_left_alone():
    module = ModuleType("reader")
    keep_names(module)
    assert not hasattr(module, READER)
