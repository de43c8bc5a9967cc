"""The scripts' command lines: the parser, argument types, process set-up, error lines and exit codes."""

import argparse
import ctypes
import datetime
import difflib
import logging
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from utils.distributed import quiet_except_main
from utils.errors import EXIT_DONE, EXIT_INTERRUPTED, UsageError, UserError

MODEL_HELP = "base model: a Hub id, a folder, a .gguf file, smollm2 (packaged) or tiny (random, for smoke tests)"

# Parameters of mallopt, from glibc's malloc.h; their values are C ints.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGER_THAN_ANY_TENSOR, NEVER = 2**30, 2**31 - 1


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that accepts dashes in flags, suggests the nearest flag in errors, and reads --config.

    `--config FILE.yaml` sets any flag by its name; the command line takes precedence. The first line of the script's
    docstring is the description in the help; the rest (commands to run) comes last, as examples.
    """

    def __init__(self, docstring: str):
        summary, _, examples = docstring.partition("\n")
        super().__init__(
            description=summary,
            epilog="examples:\n" + examples.strip("\n"),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.add_argument("--config", type=Path, metavar="FILE.yaml", help="YAML file that sets any of these flags")

    def accept_old_names(self, new_names: Mapping[str, str]) -> None:
        """Accept old names of flags ("--min_tokens": "--min_words"), also in --config; the help does not show them."""
        for old_name, new_name in new_names.items():
            self._option_string_actions[old_name] = self._option_string_actions[new_name]

    def parse_args(self, args: Sequence[str] | None = None) -> argparse.Namespace:
        given = [self._with_underscores(argument) for argument in (sys.argv[1:] if args is None else args)]
        for argument in given:
            flag = argument.partition("=")[0]
            if flag.startswith("--") and flag != "--" and flag not in self._option_string_actions:
                nearest = self._nearest(flag.replace("-", "_").replace("__", "--", 1))
                self.error(f"unknown flag {flag}", f"did you mean {nearest}? " if nearest else "")
        return super().parse_args(self._config_arguments(given) + given)

    def as_arguments(self, options: Mapping[str, object]) -> list[str]:
        """Return the keyword arguments of a call from Python as a command line; UsageError for what is none."""
        return self._as_arguments("options", options)

    def parse_options(self, options: Mapping[str, object]) -> argparse.Namespace:
        """Return the flags of a call from Python; `options` are checked as the settings of a config file are."""
        return self.parse_args(self.as_arguments(options))

    def error(self, message: str, hint: str = "") -> NoReturn:
        raise UsageError(message, f"{hint}python {self.prog} --help lists the flags")

    def _nearest(self, flag: str) -> str | None:
        """Return the flag that is spelled most like `flag`, by its present name."""
        for name in difflib.get_close_matches(flag, self._option_string_actions, n=1):
            names = self._option_string_actions[name].option_strings
            return name if name in names else names[0]
        return None

    def _with_underscores(self, argument: str) -> str:
        name, equals, value = argument.partition("=")
        flag = "--" + name[2:].replace("-", "_")
        known = name.startswith("--") and flag in self._option_string_actions
        return flag + equals + value if known else argument

    def _config_arguments(self, given: list[str]) -> list[str]:
        """Return the settings of the config file as arguments, without the flags in `given`."""
        path = self._config_path(given)
        if path is None:
            return []
        given_actions = [self._option_string_actions.get(argument.partition("=")[0]) for argument in given]
        return self._as_arguments(str(path), _read_config(path), given_actions)

    def _as_arguments(
        self, source: str, settings: Mapping[str, object], given: Sequence[argparse.Action | None] = ()
    ) -> list[str]:
        """Return settings as command-line arguments, without those of the actions in `given`."""
        arguments = []
        for key, value in settings.items():
            flag = "--" + str(key).replace("-", "_")
            action = self._option_string_actions.get(flag)
            if action is None or flag == "--config":
                nearest = self._nearest(flag)
                hint = f"did you mean {nearest[2:]!r}?" if nearest else f"python {self.prog} --help lists the flags"
                raise UsageError(f"{source}: unknown key {key!r}", hint)
            if action not in given:
                arguments += _flag_arguments(source, flag, action, value)
        return arguments

    def _config_path(self, given: list[str]) -> Path | None:
        finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
        finder.add_argument("--config", type=Path)
        try:
            return finder.parse_known_args(given)[0].config
        except argparse.ArgumentError:
            return None  # "--config" without a value, which the real parser reports


def run(main: Callable[[], int], *, uses_model: bool = False) -> int:
    """Set up the process, call a script's main, and return the exit code; a UserError prints its error and hint.

    Logging, environment variables and, if the script `uses_model`, malloc are set up here and nowhere else, so that a
    program that imports a script or calls its main keeps its own.
    """
    try:
        with quiet_except_main():
            _set_up_process()
            if uses_model:
                keep_freed_memory()
            code = main()
            sys.stdout.flush()  # here, where BrokenPipeError is handled, and not at exit
        return code
    except UserError as error:
        print_error(error.problem, error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our stdout (head, less) has stopped, which is no error. Python would complain again when it
        # flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE


def print_error(problem: str, hint: str) -> None:
    """Print a user's error on stderr, in one line for the problem and one for the hint."""
    print(f"error: {' '.join(problem.split())}\nhint: {' '.join(hint.split())}", file=sys.stderr)


def _set_up_process() -> None:
    """Send this project's log lines to stderr, with only the errors of libraries."""
    if hasattr(sys.stdout, "reconfigure"):  # a StringIO in tests has none
        sys.stdout.reconfigure(errors="backslashreplace")  # for a terminal that can't show all characters
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING, force=True)
    logging.getLogger("utils").setLevel(logging.INFO)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def keep_freed_memory() -> None:
    """Let glibc's malloc keep the memory of freed tensors for the next ones.

    By default it asks the system for each large tensor and returns it at once, and the system hands out fresh memory
    page by page, filled with zeros: on a CPU, a third of the time of a forward pass (docs/results.md).
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGER_THAN_ANY_TENSOR)
        libc.mallopt(M_TRIM_THRESHOLD, NEVER)


def _number(kind: type, accepts: Callable, expected: str) -> Callable[[str], int | float]:
    """Return an argument type for a number that `accepts` returns true for."""

    def parse(text: str) -> int | float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not accepts(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")
        return value

    return parse


# Argument types. "inf" and "nan" are refused.
positive_int = _number(int, lambda value: value >= 1, "a whole number of at least 1")
non_negative_int = _number(int, lambda value: value >= 0, "a whole number of at least 0")
positive_float = _number(float, lambda value: 0 < value < float("inf"), "a number above 0")
non_negative_float = _number(float, lambda value: 0 <= value < float("inf"), "a number of at least 0")
fraction = _number(float, lambda value: 0 < value <= 1, "a number above 0 and at most 1")


def iso_date(text: str) -> datetime.date:
    """Argument type: a date, YYYY-MM-DD."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date, expected YYYY-MM-DD") from None


def _read_config(path: Path) -> dict:
    import yaml

    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "name a YAML file after --config") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML: {error}", "write one `flag: value` per line") from error
    if not isinstance(settings, dict):
        raise UsageError(f"{path} contains no settings", "write one `flag: value` per line")
    return settings


def _flag_arguments(source: str, flag: str, action: argparse.Action, value: object) -> list[str]:
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise UsageError(f"{source}: {flag[2:]} is {value!r}, expected true or false", f"write `{flag[2:]}: true`")
        return [flag] if value else []
    one_flag_for_all = action.nargs in ("+", "*")
    takes_several = one_flag_for_all or isinstance(action, argparse._AppendAction)
    values = value if isinstance(value, list) and takes_several else [value]
    values = [item for item in values if item is not None]  # a key without a value keeps the default
    for item in values:
        if not isinstance(item, str | int | float) or isinstance(item, bool):  # YAML reads an unquoted no as false
            raise UsageError(f"{source}: {flag[2:]} is {item!r}, expected text or a number", "put quotes around text")
    if one_flag_for_all and values:
        return [flag, *map(str, values)]
    return [f"{flag}={item}" for item in values]
