"""Exit codes, the exceptions that users see as one error line and one hint, and the scripts' names in such lines."""

import re
from pathlib import Path

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_BAD_DATA = 3
EXIT_INTERRUPTED = 130

SCRIPTS = Path(__file__).resolve().parent.parent  # their folder
INSTALLED = SCRIPTS.name == "scripts" and SCRIPTS.with_name("isolated.py").is_file()  # by `pip install`
COMMAND = "small-text-fine-tuning"  # of an installed project
SCRIPT = re.compile(r"(?:python )?(?<![\w./\\-])(preprocess|fine_tune|generate|classify|evaluate_model)\.py\b")
REQUIREMENTS = re.compile(r"-r requirements-(\w+)\.txt")


def as_typed(text: str) -> str:
    """Return the text of a message with the commands that can be typed here: where `pip install` has put the scripts,
    `small-text-fine-tuning generate` for `python generate.py`.
    """
    if not INSTALLED:
        return text
    return REQUIREMENTS.sub(rf'"{COMMAND}[\1]"', SCRIPT.sub(rf"{COMMAND} \1", text))


class UserError(Exception):
    """A problem that the user can solve.

    `problem` says what was wrong, where (file, row, column) and what was expected; `hint` says what to do now. Each is
    printed as one line, and the script ends with `exit_code`. The text of the exception has both, for a notebook.
    """

    exit_code = EXIT_FAILED

    def __init__(self, problem: str, hint: str):
        problem, hint = as_typed(problem), as_typed(hint)
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.problem}\nhint: {self.hint}"


class UsageError(UserError):
    """The command line asks for something impossible."""

    exit_code = EXIT_USAGE


class DataError(UserError):
    """The input data cannot be used."""

    exit_code = EXIT_BAD_DATA
