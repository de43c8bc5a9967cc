"""A terminal's screen, replayed from the bytes that a program writes: the lines that a person sees."""

import re
import unicodedata

MOVES = re.compile(r"\x1b\[(\d*)([A-Za-z])|([\r\n\b])|([^\x1b])", re.DOTALL)


class Screen:
    """A terminal that is so many columns wide and never scrolls: `lines` is what it shows.

    `overflows` has the lines that went on in the next row, since they were too long for one.
    """

    def __init__(self, columns: int = 80):
        self.columns = columns
        self.rows: list[list[str]] = [[]]
        self.row = self.column = 0
        self.overflows: list[str] = []

    def write(self, text: str) -> "Screen":
        for count, command, move, character in MOVES.findall(text):
            if command == "A":
                self.row = max(0, self.row - int(count or 1))
            elif command == "K":
                self.rows[self.row] = [] if count == "2" else self.rows[self.row][: self.column]
            elif command:
                raise ValueError(f"the screen does not know ESC [ {count}{command}")
            elif move == "\r":
                self.column = 0
            elif move == "\b":
                self.column -= 1
            elif move == "\n":
                self._down()
                self.column = 0  # as a terminal's driver does
            else:
                self._put(character)
        return self

    @property
    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self.rows]

    def _put(self, character: str) -> None:
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if self.column + width > self.columns:
            self.overflows.append("".join(self.rows[self.row]))
            self._down()
            self.column = 0
        row = self.rows[self.row]
        row += [" "] * (self.column + width - len(row))
        row[self.column : self.column + width] = [character, ""][:width]
        self.column += width

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])


def replay(written: str, columns: int = 80) -> Screen:
    """Return the screen at the end."""
    return Screen(columns).write(written)


def seen(written: str, columns: int = 80) -> list[str]:
    """Return every line that the screen showed at some moment, in the order in which it was first seen."""
    screen, shown = Screen(columns), {}
    for part in re.split(r"(?=[\r\n]|\x1b\[A)", written):
        screen.write(part)
        shown[screen.lines[screen.row]] = None
    return [line for line in shown if line]
