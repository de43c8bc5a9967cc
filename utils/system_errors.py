"""What libraries raise when the system refuses to write becomes the OSError that it was."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

IN_RUST = re.compile(r"\(os error (\d+)\)")  # of safetensors' errors and tokenizers' plain Exception
IN_TORCH = re.compile(r"inline_container|PytorchStreamWriter|iostream error|Parent directory .* does not exist")


@contextmanager
def as_os_errors() -> Iterator[None]:
    """Raise OSError in place of what safetensors, tokenizers and torch make of one; other errors pass."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        found = _os_error(error)
        if found is None:
            raise
        raise found from error


def _os_error(error: Exception) -> OSError | None:
    if number := IN_RUST.search(str(error)):
        return OSError(int(number[1]), os.strerror(int(number[1])))
    if not (isinstance(error, RuntimeError) and IN_TORCH.search(str(error))):
        return None
    if isinstance(error.__context__, OSError):  # which torch's own error hides
        return error.__context__
    return OSError(errno.EIO, "the disk is full or has failed")
