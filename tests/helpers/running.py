"""Running a script's main as the shell would, and checking the two lines of an error."""

import json

import pytest

from utils.errors import UserError
from utils.process import run


def run_script(main, *words: object) -> int:
    """Return the exit code that the shell would see."""
    try:
        return run(lambda: main([str(word) for word in words]))
    except SystemExit as end:  # what argparse finds wrong
        return end.code


def assert_one_error(err: str, *words: str) -> str:
    """Assert that stderr has one error line with these words, one hint line and no traceback; return the hint line."""
    lines = [line for line in err.splitlines() if line.startswith(("error: ", "hint: "))]
    assert "Traceback" not in err
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"], err
    assert all(word in lines[0] for word in words), lines[0]
    return lines[1]


def json_of(result) -> list[dict]:
    """Return the records of a successful run that printed nothing else."""
    code, out, err = result
    assert (code, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def user_error(function, *arguments) -> UserError:
    """Return the UserError that the call must raise."""
    with pytest.raises(UserError) as raised:
        function(*arguments)
    return raised.value
