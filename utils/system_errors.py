"""Errors of the system and of libraries: recognize a refused write or an endless read as OSError, and tell a user's
errors from bugs of ours.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OUR_CODE = Path(__file__).parent
IN_RUST = re.compile(r"\(os error (\d+)\)")  # of safetensors' errors and tokenizers' plain Exception
MAPPING = re.compile(r"unable to .* file <.*\((\d+)\)")  # of torch.from_file's RuntimeError
IN_TORCH = re.compile(r"inline_container|PytorchStreamWriter|iostream error|Parent directory .* does not exist")

MOST_PIPED = 64 << 20
SHELLS = ("/dev/", "/proc/")  # the names of a shell's pipes are there: /dev/stdin, and /dev/fd/63 of <(command)


@contextmanager
def as_os_errors() -> Iterator[None]:
    """Raise OSError in place of the errors into which safetensors, tokenizers and torch turn one; others pass."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        found = _os_error(error)
        if found is None:
            raise
        raise found from error


def read_file(path: Path) -> bytes:
    """Return the bytes of a file or, up to `MOST_PIPED`, of a shell's pipe. OSError for anything else."""
    kind = path.stat().st_mode
    if stat.S_ISREG(kind) or stat.S_ISDIR(kind):  # a folder raises IsADirectoryError
        return path.read_bytes()
    if not str(path).startswith(SHELLS) and not str(path.resolve()).startswith(SHELLS):
        raise OSError(errno.EINVAL, "it is a pipe or a socket, not a file")  # reading it may wait for ever
    with path.open("rb") as file:
        content = file.read(MOST_PIPED + 1)
    if len(content) > MOST_PIPED:
        raise OSError(errno.EFBIG, f"it is not a file, and gives more than {MOST_PIPED:,} bytes")
    return content


def passed_through_our_code(error: BaseException) -> bool:
    """Return whether an error that was caught around the call of a library is a bug of ours.

    It is where the call itself raised it (wrong arguments), or code of ours that the library called.
    """
    frame = error.__traceback__.tb_next
    if frame is None:
        return isinstance(error, TypeError)
    while frame is not None:
        if Path(frame.tb_frame.f_code.co_filename).is_relative_to(OUR_CODE):
            return True
        frame = frame.tb_next
    return False


def _os_error(error: Exception) -> OSError | None:
    if number := IN_RUST.search(str(error)) or MAPPING.match(str(error)):
        return OSError(int(number[1]), os.strerror(int(number[1])))
    if not (isinstance(error, RuntimeError) and IN_TORCH.search(str(error))):
        return None
    if isinstance(error.__context__, OSError):  # which torch's own error hides
        return error.__context__
    return OSError(errno.EIO, "the disk is full or has failed")
