"""The pages of --help and --help_all: named groups of flags, and examples, within the width of the terminal."""

import argparse
import re
import shutil
import textwrap
from collections.abc import Collection

from utils.errors import as_typed

HELP_COLUMN = 28  # where the texts of the flags begin
WIDEST = 100


class _Formatter(argparse.HelpFormatter):
    """Writes the names of a flag before one name for its value, which is short: RATE of --learning_rate."""

    everything = True  # or of each flag what is short: names no longer than the first, no `more`

    def _get_default_metavar_for_optional(self, action: argparse.Action) -> str:
        return action.dest.rpartition("_")[2].upper()

    def _format_action_invocation(self, action: argparse.Action) -> str:
        value = "" if action.nargs == 0 else self._format_args(action, self._get_default_metavar_for_optional(action))
        names = action.option_strings
        shown = [name for name in names if self.everything or len(name) <= len(names[0]) or action.dest == "help"]
        return f"{', '.join(shown)} {value}".rstrip()

    def _get_help_string(self, action: argparse.Action) -> str:
        more = getattr(action, "more", "")
        if not more or not self.everything:
            return as_typed(action.help)
        joint = " " if more.startswith("(") else ". " if re.match("[A-Z][a-z]* ", more) else "; "
        return as_typed(f"{action.help}{joint}{more}")

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text


def help_page(
    parser: argparse.ArgumentParser,
    groups: Collection[argparse._ArgumentGroup],
    rare: Collection[argparse.Action],
    everything: bool,
) -> str:
    """Return usage, description, the groups' flags (the `rare` ones only with `everything`), and the epilog."""
    width = min(shutil.get_terminal_size().columns, WIDEST) - 1
    formatter = _Formatter(parser.prog, max_help_position=HELP_COLUMN, width=width)
    formatter.everything = everything
    formatter.add_text(f"usage: {parser.prog} [flags]")
    formatter.add_text(textwrap.fill(as_typed(parser.description or ""), width))
    for group in groups:
        formatter.start_section(group.title)
        formatter.add_arguments([action for action in group._group_actions if everything or action not in rare])
        formatter.end_section()
    formatter.add_text("\n".join(command_lines(line, width) for line in as_typed(parser.epilog or "").splitlines()))
    return formatter.format_help()


def command_lines(command: str, width: int) -> str:
    """Return a command in lines that a shell joins again, broken before flags only; the text around it as it is."""
    parts = re.split("(?= --)", command)
    lines = [parts[0]]
    for number, part in enumerate(parts[1:], start=2):
        continues = " \\" if number < len(parts) else ""
        if len(lines[-1] + part + continues) > width:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += part
    return "\n".join(lines)
