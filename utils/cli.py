"""The scripts' command lines: flags, their spellings and --config, and errors that name the nearest flag."""

import argparse
import difflib
import logging
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from pathlib import Path
from typing import NoReturn

from utils.argument_types import TRUTH_VALUES
from utils.config import flag_arguments, is_run_record, read_config
from utils.errors import INSTALLED, UsageError, as_typed
from utils.terminal.help_page import help_page

MODEL_HELP = "base model: a Hub id, a folder, a .gguf file, smollm2 or tiny"
MORE_OF_MODEL = "smollm2 is packaged (see README.md); tiny is random, for smoke tests"

log = logging.getLogger(__name__)

# How alike two names must be (difflib's ratio): 0.8 for a letter too many in six, 0.6 for chance in short ones.
NEAR = 0.7
TEXT = "TEXT"  # the metavar of flags whose value may be empty


class _HelpAll(argparse.Action):
    """--help_all: print the help with all flags, and end."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: object):
        super().__init__(option_strings, argparse.SUPPRESS, default=argparse.SUPPRESS, **options)

    def __call__(self, parser: "Parser", *_: object) -> NoReturn:
        print(parser.format_help(everything=True), end="")
        parser.exit()


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
            prog=script and as_typed(script[1]),  # a notebook's sys.argv names another program
            description=summary,
            epilog="examples:\n" + examples.strip("\n"),
            add_help=False,
            allow_abbrev=False,
        )
        self._groups: dict[str, argparse._ArgumentGroup] = {}
        self._rare: set[argparse.Action] = set()
        self._optionals.title = "settings and help"
        self.add_argument("--config", type=Path, metavar="FILE.yaml", help="YAML file that sets any of the flags")
        self.add_argument("-h", "--help", action="help", help="show the common flags")
        self.add_argument("--help_all", action=_HelpAll, nargs=0, help="show all flags")
        self._command = self.prog if INSTALLED else f"python {self.prog}"
        self._hints: dict[str, str] = {}
        self._ours: dict[str, str] = {}
        self._translate: Callable[[argparse.Namespace], None] = lambda flags: None
        self._settings_of_run: Callable[[Path, dict, Set[str]], dict] | None = None

    def group(self, title: str, *, rare: bool = False) -> Callable[..., None]:
        """Return a function like `add_argument` that adds flags to the group with this title in the help.

        --help_all alone shows rare flags, and the second part of a flag's help, `more`.
        """
        group = self._groups.get(title) or self._groups.setdefault(title, self.add_argument_group(title))

        def add(*names: str, more: str = "", **options: object) -> None:
            action = group.add_argument(*names, **options)
            action.more = more
            if rare:
                self._rare.add(action)

        return add

    def format_help(self, everything: bool = False) -> str:
        """Return the page of --help, or with `everything` that of --help_all."""
        groups = [group for group in self._action_groups if group is not self._optionals]
        return help_page(self, [*groups, self._optionals], self._rare, everything)

    def accept_old_names(self, new_names: Mapping[str, str]) -> None:
        """Accept old names of flags ("--min_tokens": "--min_words"), also in --config; the help does not show them."""
        for old_name, new_name in new_names.items():
            self._option_string_actions[old_name] = self._option_string_actions[new_name]

    def accept_translated(
        self, ours: Mapping[str, str], translate: Callable[[argparse.Namespace], None], hints: Mapping[str, str]
    ) -> None:
        """Accept hidden flags as names of others: `ours` maps the destination of each to that of the flag that it sets.

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
        self._refuse_empty(arguments)
        self.given = self._names_in(arguments)
        flags = super().parse_args(arguments)
        self._translate(flags)
        return flags

    def as_arguments(self, options: Mapping[str, object]) -> list[str]:
        """Return the keyword arguments of a call from Python as a command line; UsageError for invalid ones."""
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
        raise UsageError(message, f"{hint}{self._command} --help_all lists the flags")

    def _hint(self, flag: str, *, key: bool = False) -> str:
        """Return the alternative to an unknown flag, or key, as the beginning of a hint; empty without one."""
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
                log.warning("warning: %s has --%s, which is no longer a flag and is left out", path, name)
                del settings[name]
        return self._as_arguments(str(path), settings, given_names)

    def _as_arguments(self, source: str, settings: Mapping[str, object], given: Set[str] = frozenset()) -> list[str]:
        """Return settings as command-line arguments, without those of the flags in `given`."""
        arguments, keys = [], {}
        for key, value in settings.items():
            flag = "--" + str(key).replace("-", "_")
            action = self._option_string_actions.get(flag)
            if action is None or flag in ("--help", "--help_all") or (flag == "--config" and source != "options"):
                hint = self._hint(flag, key=True) or f"{self._command} --help_all lists the flags"
                raise UsageError(f"{source}: unknown key {key!r}", hint.rstrip(" ;"))
            if value is not None and keys.setdefault(action, key) != key:
                raise UsageError(f"{source}: {keys[action]!r} and {key!r} are the same flag", "remove one of them")
            if self._name_of(action) not in given:
                arguments += flag_arguments(source, flag, action, value)
        return arguments

    def _refuse_empty(self, arguments: Sequence[str]) -> None:
        """Raise UsageError for an empty name, which a shell's unset variable leaves: without it, the default counts."""
        action = None
        for argument in arguments:
            flag, equals, value = argument.partition("=")
            if flag in self._option_string_actions:
                action, value = self._option_string_actions[flag], value if equals else flag
            else:
                value = argument
            if not value.strip() and action is not None and action.metavar != TEXT:
                name = action.option_strings[0]
                self.error(f"{name} is empty", f"give a value, or leave {name} out; ")

    def _names_in(self, arguments: Sequence[str]) -> set[str]:
        """Return the names of the flags that are in the arguments."""
        actions = [self._option_string_actions.get(argument.partition("=")[0]) for argument in arguments]
        return {self._name_of(action) for action in actions if action is not None}

    def _name_of(self, action: argparse.Action) -> str:
        """Return the name of the flag that an action sets, directly or as another name of it."""
        return self._ours.get(action.dest, action.dest)

    def _config_path(self, given: list[str]) -> Path | None:
        finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
        finder.add_argument("--config", type=Path)
        try:
            return finder.parse_known_args(given)[0].config
        except argparse.ArgumentError:
            return None  # "--config" without a value, which the real parser reports
