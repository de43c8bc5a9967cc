"""Libraries' own errors about a disk are OSErrors for us; their other errors are not."""

import errno
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small_models import tiny_tokenizer

from utils.system_errors import as_os_errors

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")
WEIGHTS = {"weights": torch.zeros(100_000)}


def into_a_file(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        torch.save(WEIGHTS, file)


@needs_full
@pytest.mark.parametrize(
    "write",
    [
        lambda path: torch.save(WEIGHTS, path),
        into_a_file,
        lambda path: tiny_tokenizer().backend_tokenizer.save(str(path)),
    ],
    ids=["torch, by name", "torch, into a file", "tokenizers"],
)
def test_a_full_disk_is_one_whoever_writes(tmp_path, write):
    full = tmp_path / "full"
    full.symlink_to(FULL)
    with pytest.raises(OSError, match=r"No space left|the disk is full") as caught, as_os_errors():
        write(full)
    assert caught.value.errno in (errno.ENOSPC, errno.EIO)


def test_safetensors_repeats_the_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError), as_os_errors():
        save_file(WEIGHTS, tmp_path / "missing" / "file.safetensors")


@pytest.mark.parametrize("error", [RuntimeError("a bug"), ValueError("inline_container"), KeyError("x")])
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught, as_os_errors():
        raise error
    assert caught.value is error
