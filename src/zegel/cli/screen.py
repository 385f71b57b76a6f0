"""What people see: prose that wraps, lines that never do, marks, tables, and a bar for what takes long.

Text to be copied is written as it is, without colour and without wrapping. A mark is a sign, never a colour alone. What strangers wrote
(DNS, messages, file names) is made harmless for a terminal before it is shown.
"""

from __future__ import annotations

import json
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# Nothing is wrapped for a reader that is a program.
_NO_TERMINAL = 10_000
_PATIENCE = 1.0
# Narrower than this, a column of prose is not read with pleasure.
_COLUMN = 24


class Refusal(Exception):  # noqa: N818 - what people get is a refusal
    """Something is wrong; the sentence says what, and what to do next. ``status`` is the exit status."""

    def __init__(self, sentence: str, *, status: int = 2) -> None:
        super().__init__(sentence)
        self.status = status


class Mark(Enum):
    """How it stands with something: a sign, the sign for a terminal without it, and a colour that says the same once more."""

    OK = ("✓", "+", "green")
    WRONG = ("✗", "x", "bold red")
    NOTE = ("!", "!", "yellow")
    PLAIN = ("·", "-", "dim")
    UNKNOWN = ("?", "?", "cyan")

    def __init__(self, sign: str, plain: str, style: str) -> None:
        self.sign, self.plain, self.style = sign, plain, style

    def text(self, encoding: str) -> Text:
        """The sign as the encoding can write it."""
        from rich.text import Text

        return Text(self.sign if encoding.lower().startswith("utf") else self.plain, style=self.style)


def console(stream: IO[str] | None = None) -> Console:
    """The console on standard output, or on another stream."""
    from rich.console import Console

    file = stream or sys.stdout
    found = Console(file=file, highlight=False, markup=False, emoji=False)
    return found if found.is_terminal else Console(file=file, highlight=False, markup=False, emoji=False, width=_NO_TERMINAL)


def console_of_errors() -> Console:
    """The console on standard error, for what is told beside an output that is to be copied."""
    return console(sys.stderr)


def say(text: str = "", *, style: str | None = None) -> None:
    """Write a paragraph of prose."""
    console_ = console()
    for line in wrapped(text, console_.width):
        console_.print(line, style=style, soft_wrap=True)


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a paragraph; no word is broken, as a path or a name may be copied: the terminal itself folds what is too long."""
    return textwrap.wrap(safe(text), max(width, 1), break_long_words=False, break_on_hyphens=False) or [""]


def exact(text: str) -> None:
    """Write a line that is meant to be copied: as it is, never wrapped."""
    sys.stdout.write(safe(text) + "\n")


def columns(*cells: str) -> None:
    """Write one line of cells parted by tabs, to be copied or cut by a program."""
    sys.stdout.write("\t".join(map(safe, cells)) + "\n")


def changes(text: str) -> None:
    """Write prose with lines of a change (``- ``, ``+ ``) and of commands (``$ ``) in it, which are not wrapped."""
    styles = {"- ": "red", "+ ": "green", "$ ": ""}
    for line in text.splitlines():
        if line[:2] in styles:
            console().print(safe(line), style=styles[line[:2]], soft_wrap=True)
        else:
            say(line)


def advice(text: str) -> None:
    """Write what to do next, indented: a command as it is, prose wrapped."""
    if text.startswith(("postconf ", "postfix ", "zegel ", "systemctl ")):
        command(text)
    else:
        for line in wrapped(text, console().width - 4):
            command(line)


def command(text: str) -> None:
    """Write a command to type next."""
    sys.stdout.write(f"    {safe(text)}\n")


def message(data: bytes) -> None:
    """Write a message: octet for octet to a file or a program, and to a terminal so that nothing in it can steer that."""
    if sys.stdout.isatty():
        for line in data.decode("utf-8", "replace").split("\n"):
            sys.stdout.write("\t".join(map(safe, line.removesuffix("\r").split("\t"))) + "\n")
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def json_line(value: Any) -> None:
    """Write one value as one line of JSON (ASCII, so that no terminal and no locale can spoil it)."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def marked(mark: Mark, text: str, *steps: str, to: Console | None = None) -> None:
    """Write one line with its mark, and below it what to type; where the text wraps, it stays beside the mark."""
    console_ = to or console()
    sign = mark.text(console_.encoding)
    for line in wrapped(text, console_.width - 2):
        console_.print(sign, line, soft_wrap=True)
        sign = sign.blank_copy(" ")
    for step in steps:
        if step:
            console_.file.write(f"    {safe(step)}\n")


def branch(lead: str, text: str, *, last: bool, mark: Mark | None = None, style: str | None = None) -> None:
    """Write one branch of a tree behind ``lead``; where the text wraps, it stays beside the branch."""
    from rich.text import Text

    console_ = console()
    lines = wrapped(text, console_.width - len(lead) - 3 - (2 if mark else 0))
    first, after = ("└─ ", "   ") if last else ("├─ ", "│  ")
    sign = Text.assemble(mark.text(console_.encoding), " ") if mark else Text()
    for number, line in enumerate(lines):
        drawn = _drawn(f"{lead}{after if number else first}", console_.encoding)
        console_.print(
            Text.assemble(drawn, sign.blank_copy(" " * len(sign)) if number else sign, Text(line, style=style or "")), soft_wrap=True
        )


def _drawn(lines: str, encoding: str) -> str:
    """The lines of a tree as the encoding can write them."""
    return lines if encoding.lower().startswith("utf") else lines.translate(str.maketrans("├└─│", "+`-|"))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table; no name in it is cut or broken, as it may be copied. What a narrow terminal has no room for stands below its row."""
    from rich.cells import cell_len

    shown = [[safe(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
    console_ = console()
    fit = max((count for count in range(1, len(widths) + 1) if sum(widths[:count]) + 3 * (count - 1) <= console_.width), default=1)
    taken = sum(widths[:fit]) + 3 * fit
    # A last column that is nearly all there is wrapped in its place.
    hangs = fit == len(widths) - 1 and console_.width - taken >= _COLUMN
    for number, row in enumerate(shown):
        line = "   ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row[:fit], widths, strict=False))
        rest = "   ".join(filter(None, row[fit:]))
        if hangs:
            first, *more = wrapped(rest, console_.width - taken)
            lines = [f"{line}   {first}", *(" " * taken + part for part in more)]
        else:
            lines = [line, *("    " + part for part in wrapped(rest, console_.width - 4) if part)]
        for written in lines:
            console_.print(written.rstrip(), style=None if number else "bold", soft_wrap=True)


def fail(text: str) -> None:
    """Write an error on standard error: one line, which only a terminal wraps."""
    for line in wrapped(f"zegel: {text}", console_of_errors().width) if sys.stderr.isatty() else (safe(f"zegel: {text}"),):
        sys.stderr.write(line + "\n")


def safe(text: str) -> str:
    """The text without anything that steers a terminal: control characters and the like are written out."""
    return text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show on standard error that work is going on, on a terminal and only when it takes over a second."""
    with bar(text, None):
        yield


class Bar:
    """A progress bar on standard error, shown once the work takes over a second. Made by :func:`bar`."""

    def __init__(self, text: str, total: int | None) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeRemainingColumn

        columns: list[ProgressColumn] = [SpinnerColumn(), TextColumn("{task.description}")]
        if total is not None:
            columns += [BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
        # Standard output stays the caller's own: it may be a file.
        self._progress = Progress(*columns, console=console(sys.stderr), transient=True, redirect_stdout=False, redirect_stderr=False)
        self._task = self._progress.add_task(text, total=total)
        self._lock = threading.Lock()
        self._over = False
        self._timer = threading.Timer(_PATIENCE, self._show)
        self._timer.daemon = True
        self._timer.start()

    def _show(self) -> None:
        with self._lock:
            if not self._over:
                self._progress.start()

    def advance(self, steps: int = 1) -> None:
        """So many more are done."""
        self._progress.advance(self._task, steps)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Write to the terminal meanwhile: the bar makes room and comes back."""
        with self._lock:
            shown = self._progress.live.is_started
            self._progress.stop()
            yield
            sys.stdout.flush()
            if shown:
                self._progress.start()

    def close(self) -> None:
        """The work is over."""
        self._timer.cancel()
        with self._lock:
            self._over = True
            self._progress.stop()


@contextmanager
def bar(text: str, total: int | None, *, scrolls: bool = False) -> Iterator[Bar | None]:
    """Show progress on standard error when that is a terminal; None when it is not.

    ``scrolls``: a line of standard output comes with each step, as fast as it can; on a terminal that shows progress by itself, so there
    is no bar but for a single step. Whoever writes beside a bar makes room for it (:meth:`Bar.aside`).
    """
    if not sys.stderr.isatty() or (scrolls and total != 1 and sys.stdout.isatty()):
        yield None
        return
    shown = Bar(text, total)
    try:
        yield shown
    finally:
        shown.close()
