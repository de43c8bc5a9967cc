"""What the scripts' command lines share: the parser, the common flags, the streams and the exit codes."""

import argparse
import datetime
import difflib
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from utils.distributed import quiet_except_main
from utils.errors import EXIT_DONE, EXIT_INTERRUPTED, UsageError, UserError

MODEL_HELP = "base model: a Hub id, a folder, a .gguf file, smollm2 (packaged) or tiny (random, for smoke tests)"


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose flags may be typed with dashes, whose errors help, and that knows --config.

    `--config FILE.yaml` sets any flag by its name; what is on the command line wins. The first line of the
    script's docstring describes it, the rest (two runnable commands) closes the help.
    """

    def __init__(self, docstring: str):
        summary, _, examples = docstring.partition("\n")
        super().__init__(
            description=summary,
            epilog="examples:\n" + examples.strip("\n"),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.add_argument("--config", type=Path, metavar="FILE.yaml", help="a YAML file that sets any of these flags")

    def accept_old_names(self, new_names: Mapping[str, str]) -> None:
        """Accept old names of flags ("--min_tokens": "--min_words"), also in --config; the help does not show them."""
        for old_name, new_name in new_names.items():
            self._option_string_actions[old_name] = self._option_string_actions[new_name]

    def parse_args(self, args: Sequence[str] | None = None) -> argparse.Namespace:
        typed = [self._with_underscores(token) for token in (sys.argv[1:] if args is None else args)]
        for token in typed:
            flag = token.partition("=")[0]
            if flag.startswith("--") and flag != "--" and flag not in self._option_string_actions:
                self._refuse(flag)
        return super().parse_args(self._from_config(typed) + typed)

    def error(self, message: str, hint: str = "") -> NoReturn:
        raise UsageError(message, f"{hint}python {self.prog} --help lists the flags")

    def _refuse(self, flag: str) -> NoReturn:
        nearest = self._nearest(flag.replace("-", "_").replace("__", "--", 1))
        self.error(f"unknown flag {flag}", f"did you mean {nearest}? " if nearest else "")

    def _nearest(self, flag: str) -> str | None:
        """The existing flag that is spelled most like `flag`, under its present name."""
        for name in difflib.get_close_matches(flag, self._option_string_actions, n=1):
            names = self._option_string_actions[name].option_strings
            return name if name in names else names[0]
        return None

    def _with_underscores(self, token: str) -> str:
        name, equals, value = token.partition("=")
        spelt = "--" + name[2:].replace("-", "_")
        return spelt + equals + value if name.startswith("--") and spelt in self._option_string_actions else token

    def _from_config(self, typed: list[str]) -> list[str]:
        """The config file's settings as command-line words, less the flags that were typed."""
        path = self._config_path(typed)
        if path is None:
            return []
        given = {self._option_string_actions.get(token.partition("=")[0]) for token in typed}
        words = []
        for key, value in _read_config(path).items():
            flag = "--" + str(key).replace("-", "_")
            action = self._option_string_actions.get(flag)
            if action is None or flag == "--config":
                nearest = self._nearest(flag)
                raise UsageError(
                    f"{path}: unknown key {key!r}",
                    f"did you mean {nearest[2:]!r}?" if nearest else f"python {self.prog} --help lists the flags",
                )
            if action not in given:
                words += _as_words(path, flag, action, value)
        return words

    def _config_path(self, typed: list[str]) -> Path | None:
        finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
        finder.add_argument("--config", type=Path)
        try:
            return finder.parse_known_args(typed)[0].config
        except argparse.ArgumentError:
            return None  # "--config" without a value: the real parser says so


def run(main: Callable[[], int]) -> int:
    """Set up the process, call a script's main, and turn a user's mistake into an error line, a hint and an exit code.

    Logging and environment variables are set here, so that a program that imports a script keeps its own.
    """
    try:
        with quiet_except_main():
            _set_up_process()
            code = main()
            sys.stdout.flush()  # here, where a reader that has gone is handled, and not at exit
        return code
    except UserError as error:
        print_error(error.problem, error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our stdout (head, less) has gone: that is its right, and no error. Python would
        # complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE


def print_error(problem: str, hint: str) -> None:
    """Print the two lines that every user's mistake gets, on stderr."""
    print(f"error: {_one_line(problem)}\nhint: {_one_line(hint)}", file=sys.stderr)


def _set_up_process() -> None:
    """Send this project's log lines to stderr, and keep the libraries to their errors."""
    if hasattr(sys.stdout, "reconfigure"):  # not so where a test has put a StringIO there
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know fewer characters than a text has
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING, force=True)
    logging.getLogger("utils").setLevel(logging.INFO)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def positive_int(text: str) -> int:
    """An argument type: a whole number of at least 1."""
    return _number(text, int, lambda value: value >= 1, "a whole number of at least 1")


def non_negative_int(text: str) -> int:
    """An argument type: a whole number of at least 0."""
    return _number(text, int, lambda value: value >= 0, "a whole number of at least 0")


def positive_float(text: str) -> float:
    """An argument type: a finite number above 0."""
    return _number(text, float, lambda value: 0 < value < float("inf"), "a number above 0")


def non_negative_float(text: str) -> float:
    """An argument type: a finite number of at least 0."""
    return _number(text, float, lambda value: 0 <= value < float("inf"), "a number of at least 0")


def fraction(text: str) -> float:
    """An argument type: a number above 0 and at most 1."""
    return _number(text, float, lambda value: 0 < value <= 1, "a number above 0 and at most 1")


def iso_date(text: str) -> datetime.date:
    """An argument type: a day, YYYY-MM-DD."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day, expected YYYY-MM-DD") from None


def _number(text, kind, accepts, expected):
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not accepts(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")
    return value


def _read_config(path: Path) -> dict:
    import yaml

    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "name a YAML file after --config") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML: {error}", "write one `flag: value` a line") from error
    if not isinstance(settings, dict):
        raise UsageError(f"{path} holds no settings", "write one `flag: value` a line")
    return settings


def _as_words(path: Path, flag: str, action: argparse.Action, value: object) -> list[str]:
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise UsageError(f"{path}: {flag[2:]} is {value!r}, expected true or false", f"write `{flag[2:]}: true`")
        return [flag] if value else []
    one_flag_for_all = action.nargs in ("+", "*")
    takes_several = one_flag_for_all or isinstance(action, argparse._AppendAction)
    values = value if isinstance(value, list) and takes_several else [value]
    values = [item for item in values if item is not None]  # "key:" with nothing behind it leaves the default
    for item in values:
        if not isinstance(item, str | int | float) or isinstance(item, bool):  # YAML reads an unquoted no as false
            raise UsageError(f"{path}: {flag[2:]} is {item!r}, expected a text or a number", "put quotes around a text")
    if one_flag_for_all and values:
        return [flag, *map(str, values)]
    return [f"{flag}={item}" for item in values]


def _one_line(text: str) -> str:
    return " ".join(text.split())
