"""A base model that cannot fit into memory is refused before it is loaded."""

import pytest
from small_models import random_model

from utils.errors import UserError
from utils.training.forecast.loading import check_loading


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a model in bfloat16, and its numbers of parameters."""
    path = tmp_path_factory.mktemp("model")
    model = random_model("llama").bfloat16()
    model.save_pretrained(path)
    return path, sum(parameter.numel() for parameter in model.parameters())


def test_weights_count_in_float32_whatever_their_files_have(folder):
    path, numbers = folder
    check_loading(str(path), lambda: 4 * numbers)
    with pytest.raises(UserError, match="in float32") as caught:
        check_loading(str(path), lambda: 4 * numbers - 1)
    assert "--model" in caught.value.hint


def test_unknown_sizes_are_not_refused(folder, tmp_path):
    path, _ = folder
    check_loading(str(path), lambda: None)
    check_loading("tiny", lambda: 0)
    check_loading("nobody/has-this-model", lambda: 0)
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 20)
    check_loading(str(tmp_path), lambda: 0)  # damaged: loading says so
