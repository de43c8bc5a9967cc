"""Exit codes, and the exceptions that are shown to users as one error line and one hint instead of a traceback."""

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_BAD_DATA = 3
EXIT_INTERRUPTED = 130


class UserError(Exception):
    """A problem that the user can solve.

    `problem` says what was wrong, where (file, row, column) and what was expected; `hint` says what to do now. Each is
    printed as one line, and the script ends with `exit_code`. The text of the exception has both, for a notebook.
    """

    exit_code = EXIT_FAILED

    def __init__(self, problem: str, hint: str):
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
