"""The scripts' command lines: the parser, process set-up, error lines and exit codes."""

import argparse
import ctypes
import difflib
import errno
import logging
import os
import platform
import re
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from utils.argument_types import TRUTH_VALUES
from utils.config import flag_arguments, is_run_record, read_config
from utils.distributed import quiet_except_main, spans_machines, world_size
from utils.errors import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, UsageError, UserError
from utils.terminal import SHOWN, ControlsShown, controls_shown_on_stdout, show_controls_on_stderr

SCRIPTS = Path(__file__).resolve().parent.parent  # their folder
MODEL_HELP = "base model: a Hub id, a folder, a .gguf file, smollm2 (packaged) or tiny (random, for smoke tests)"

log = logging.getLogger(__name__)

ENDS_ALONE = [  # what schedulers, containers and closed terminals send; Windows lacks the last
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
]
NEAR = (
    0.7  # how alike two names must be (difflib's ratio): 0.8 for a letter too many in six, 0.6 for chance in short ones
)

# What even asking whether a name exists raises: it is too long, or in a folder that we may not look into.
UNUSABLE_NAMES = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP)

FOLLOWS_SECONDS = 5.0  # for an error that a library makes of an interruption

# Parameters of mallopt, from glibc's malloc.h; their values are C ints.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGER_THAN_ANY_TENSOR, NEVER = 2**30, 2**31 - 1


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that accepts dashes in flags, suggests the nearest flag in errors, and reads --config.

    `--config FILE.yaml` sets any flag by its name; the command line takes precedence. A flag that is true or false also
    takes that as its value (`--overwrite True`). The first line of the script's docstring is the description in the
    help; the rest (commands to run) comes last, as examples. `given` has the names of the flags that the arguments, or
    their --config, had in the last `parse_args`.
    """

    given: Set[str] = frozenset()

    def __init__(self, docstring: str):
        summary, _, examples = docstring.partition("\n")
        script = re.search(r"python (\w+\.py)", examples)
        super().__init__(
            prog=script and script[1],  # a notebook's sys.argv names another program
            description=summary,
            epilog="examples:\n" + examples.strip("\n"),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.add_argument("--config", type=Path, metavar="FILE.yaml", help="YAML file that sets any of these flags")
        self._hints: dict[str, str] = {}
        self._ours: dict[str, str] = {}
        self._translate: Callable[[argparse.Namespace], None] = lambda flags: None
        self._settings_of_run: Callable[[Path, dict, Set[str]], dict] | None = None

    def accept_old_names(self, new_names: Mapping[str, str]) -> None:
        """Accept old names of flags ("--min_tokens": "--min_words"), also in --config; the help does not show them."""
        for old_name, new_name in new_names.items():
            self._option_string_actions[old_name] = self._option_string_actions[new_name]

    def accept_translated(
        self, ours: Mapping[str, str], translate: Callable[[argparse.Namespace], None], hints: Mapping[str, str]
    ) -> None:
        """Let flags that the help does not show stand for others: `ours` has those that they stand for, by destination.

        `translate` replaces them in the parsed flags. `hints` are for flags that exist elsewhere, and not here.
        """
        self._ours, self._translate, self._hints = dict(ours), translate, dict(hints)

    def repeat_runs(self, settings_of_run: Callable[[Path, dict, Set[str]], dict]) -> None:
        """Let --config read a run.json; `settings_of_run` returns its flags, but for those that are given anew."""
        self._settings_of_run = settings_of_run

    def knows(self, flag: str) -> bool:
        """Return whether there is a flag of this name ("--seed")."""
        return flag in self._option_string_actions

    def parse_args(self, args: Sequence[str] | None = None) -> argparse.Namespace:
        given = [self._with_underscores(argument) for argument in (sys.argv[1:] if args is None else args)]
        for argument in given:
            flag = argument.partition("=")[0]
            if flag.startswith("--") and flag != "--" and flag not in self._option_string_actions:
                self.error(f"unknown flag {flag}", self._hint(flag.replace("-", "_").replace("__", "--", 1)))
        arguments = self._config_arguments(given) + self._without_truth_values(given)
        if any("\0" in argument for argument in arguments):
            self.error("a flag's value has a NUL character, which no name and no text has")
        self.given = self._names_in(arguments)
        flags = super().parse_args(arguments)
        self._translate(flags)
        return flags

    def as_arguments(self, options: Mapping[str, object]) -> list[str]:
        """Return the keyword arguments of a call from Python as a command line; UsageError for what is none."""
        return self._as_arguments("options", options)

    def parse_options(self, options: Mapping[str, object], without: Collection[str] = ()) -> argparse.Namespace:
        """Return the flags of a call from Python; `options` are checked as the settings of a config file are.

        UsageError for the flags in `without`, which are for the command line only.
        """
        flags = self.parse_args(self.as_arguments(options))
        for name in sorted(self.given & set(without)):
            raise UsageError(f"options: {name!r} is for the command line of {self.prog}", f"remove {name}")
        return flags

    def error(self, message: str, hint: str = "") -> NoReturn:
        raise UsageError(message, f"{hint}python {self.prog} --help lists the flags")

    def _hint(self, flag: str, *, key: bool = False) -> str:
        """Return what to do instead of an unknown flag, or key, as the beginning of a hint; empty where nothing is."""
        if flag[2:] in self._hints:
            return f"{self._hints[flag[2:]]}; "
        nearest = self._nearest(flag)
        return f"did you mean {repr(nearest[2:]) if key else nearest}? " if nearest else ""

    def _nearest(self, flag: str) -> str | None:
        """Return the flag that is spelled most like `flag`, by its present name."""
        spelled = {name[2:]: name for name in self._option_string_actions if name.startswith("--")}
        for close in difflib.get_close_matches(flag.removeprefix("--"), spelled, n=1, cutoff=NEAR):
            name = spelled[close]
            names = self._option_string_actions[name].option_strings
            return name if name in names else names[0]
        return None

    def _with_underscores(self, argument: str) -> str:
        name, equals, value = argument.partition("=")
        flag = "--" + name[2:].replace("-", "_")
        known = name.startswith("--") and flag in self._option_string_actions
        return flag + equals + value if known else argument

    def _without_truth_values(self, given: list[str]) -> list[str]:
        """Return the arguments without the "True" of `--overwrite True`, and without all of `--overwrite False`."""
        kept, rest = [], list(given)
        while rest:
            flag, equals, value = rest.pop(0).partition("=")
            kept.append(flag + equals + value)
            action = self._option_string_actions.get(flag)
            if not isinstance(action, argparse._StoreTrueAction):
                continue
            if not equals:
                value = rest[0] if rest else ""
            if value.lower() in TRUTH_VALUES:
                kept[-1:] = [flag] if TRUTH_VALUES[value.lower()] else []
                rest = rest if equals else rest[1:]
        return kept

    def _config_arguments(self, given: list[str]) -> list[str]:
        """Return the settings of the config file as arguments, without the flags in `given`."""
        path = self._config_path(given)
        if path is None:
            return []
        given_names = self._names_in(given)
        settings = read_config(path)
        if is_run_record(settings):
            if self._settings_of_run is None:
                raise UsageError(f"{path} records a run of fine_tune.py, not of {self.prog}", "name a YAML file")
            settings = self._settings_of_run(path, settings, given_names)
            for name in [name for name in settings if not self.knows(f"--{name}")]:
                log.warning("warning: %s has --%s, which is no flag any more and is left out", path, name)
                del settings[name]
        return self._as_arguments(str(path), settings, given_names)

    def _as_arguments(self, source: str, settings: Mapping[str, object], given: Set[str] = frozenset()) -> list[str]:
        """Return settings as command-line arguments, without those of the flags in `given`."""
        arguments, keys = [], {}
        for key, value in settings.items():
            flag = "--" + str(key).replace("-", "_")
            action = self._option_string_actions.get(flag)
            if action is None or flag == "--help" or (flag == "--config" and source != "options"):
                hint = self._hint(flag, key=True) or f"python {self.prog} --help lists the flags"
                raise UsageError(f"{source}: unknown key {key!r}", hint.rstrip(" ;"))
            if value is not None and keys.setdefault(action, key) != key:
                raise UsageError(f"{source}: {keys[action]!r} and {key!r} are the same flag", "remove one of them")
            if self._name_of(action) not in given:
                arguments += flag_arguments(source, flag, action, value)
        return arguments

    def _names_in(self, arguments: Sequence[str]) -> set[str]:
        """Return the names of the flags that are in the arguments."""
        actions = [self._option_string_actions.get(argument.partition("=")[0]) for argument in arguments]
        return {self._name_of(action) for action in actions if action is not None}

    def _name_of(self, action: argparse.Action) -> str:
        """Return the name of the flag that an action sets, or stands for."""
        return self._ours.get(action.dest, action.dest)

    def _config_path(self, given: list[str]) -> Path | None:
        finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
        finder.add_argument("--config", type=Path)
        try:
            return finder.parse_known_args(given)[0].config
        except argparse.ArgumentError:
            return None  # "--config" without a value, which the real parser reports


def run(main: Callable[[], int], *, uses_model: bool = False, repeats: bool = False) -> int:
    """Set up the process, call a script's main, and return the exit code; a UserError prints its error and hint.

    Logging, environment variables and, if the script `uses_model`, malloc are set up here and nowhere else, so that a
    program that imports a script or calls its main keeps its own. A script that `repeats` does it all again when the
    same command is given again, which an interruption says.
    """
    show_controls_on_stderr()
    try:
        with quiet_except_main(), interrupts_end_the_block():
            _set_up_process()
            if uses_model:
                keep_freed_memory()
            with controls_shown_on_stdout():
                code = main()
            sys.stdout.flush()  # here, where BrokenPipeError is handled, and not at exit
        return code
    except UserError as error:
        print_error(error.problem, error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        if repeats and (command := typed_command()):
            goes_on = "to go on" if "--scrape" in sys.argv else "no output was changed; to start again"
            print(f"{goes_on}: {command}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our stdout (head, less) has stopped, which is no error. Python would complain again when it
        # flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except OSError as error:
        if error.errno not in UNUSABLE_NAMES or error.filename is None:
            raise
        print_error(f"{error.filename}: {error.strerror}", "check the name, and the permissions of its folders")
        return EXIT_FAILED


def typed_command(add: Sequence[str] = (), remove: Collection[str] = ()) -> str | None:
    """Return the command as it was typed, quoted for the shell; None where there is none: in a notebook, say.

    The words in `add` ("--skip", "10") come last, and replace what was typed for the same flags. Flags in `remove` are
    left out, with their values.
    """
    if Path(sys.argv[0]).resolve().parent != SCRIPTS:
        return None
    replaced = {*remove, *map(_flag_name, add)}
    kept, is_replaced = [], False
    for word in sys.argv[1:]:
        if word.startswith("--"):
            is_replaced = _flag_name(word) in replaced
        if not is_replaced:
            kept.append(word)
    return shlex.join([*_launcher(), sys.argv[0], *kept, *add])


def _launcher() -> list[str]:
    """Return what starts the script: Python, as it was typed, or torchrun for several processes."""
    if world_size() > 1:
        return ["torchrun", "..." if spans_machines() else f"--nproc_per_node={world_size()}"]
    before = len(sys.orig_argv) - len(sys.argv)
    is_ours = before > 0 and sys.orig_argv[before:] == sys.argv  # not set by a program
    return sys.orig_argv[:before] if is_ours else ["python"]


def _flag_name(word: str) -> str:
    return "--" + word.partition("=")[0].removeprefix("--").replace("-", "_")


@contextmanager
def interrupts_end_the_block() -> Iterator[None]:
    """Raise KeyboardInterrupt for Ctrl-C and, in a single process, SIGTERM and SIGHUP, and in place of what follows.

    A library that is interrupted while it is imported may catch that, and fail with another error for want of a part.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupts = []

    def interrupt(_number, _frame) -> NoReturn:
        interrupts.append(time.monotonic())
        raise KeyboardInterrupt

    # Not where one is ignored (nohup), nor those of several processes: one that waits for the others heeds none.
    usual = {signal.SIGINT: signal.default_int_handler}
    if world_size() == 1:
        usual |= dict.fromkeys(ENDS_ALONE, signal.SIG_DFL)
    before = {number: handler for number, handler in usual.items() if signal.getsignal(number) == handler}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    except Exception as error:
        if interrupts and time.monotonic() < interrupts[-1] + FOLLOWS_SECONDS:
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def print_error(problem: str, hint: str) -> None:
    """Print a user's error on stderr, in one line for the problem and one for the hint."""
    lines = f"error: {' '.join(problem.split())}\nhint: {' '.join(hint.split())}"
    print(lines.translate(SHOWN), file=sys.stderr)


def _set_up_process() -> None:
    """Send this project's log lines to stderr, with only the errors of libraries."""
    if hasattr(sys.stdout, "reconfigure"):  # a StringIO in tests has none
        sys.stdout.reconfigure(errors="backslashreplace")  # for a terminal that can't show all characters
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ControlsShown("%(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
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
