"""What the pages have people type is there: each command parses, each option exists, each piece of zegel.toml is taken."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
from typer.exceptions import TyperException

from zegel import config
from zegel.cli.main import app

ROOT = Path(__file__).parents[3]
WRITTEN = {"standards.md", "benchmarks.md", "interop.md"}
PAGES = sorted(
    [
        *(page for page in (ROOT / "docs").rglob("*.md") if not {"reference", "decisions"} & set(page.parts) and page.name not in WRITTEN),
        ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "packaging" / "systemd" / "README.md",
    ]
)  # fmt: skip
# What may stand before the command itself.
_BEFORE = re.compile(r"^(?:sudo |runuser -u \w+ -- |podman exec zegel |podman run [^|]* zegel )*")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def typed(text: str) -> Iterator[str]:
    """The command lines of a page's blocks: behind a prompt, or all of a shell's; a backslash goes on."""
    for kind, block in re.findall(r"^[ ]*```(console|sh)\n(.*?)^[ ]*```$", text, re.MULTILINE | re.DOTALL):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            if kind == "sh" or re.match(r"\s*[$#] ", line):
                yield line.strip() if kind == "sh" else line.strip()[2:]


def ours(line: str) -> Iterator[list[str]]:
    """The words behind ``zegel`` in a command line, of each command in it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;<>&")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words: list[str] = []
    for word in [*lexer, "|"]:
        if set(word) <= set("|;<>&"):
            rest = shlex.split(_BEFORE.sub("", shlex.join(words)))
            if rest and rest[0] in ("zegel", ".venv/bin/zegel"):
                yield rest[1:]
            words = []
        else:
            words.append(word)


def entered(words: list[str], *, whole: bool) -> None:
    """Read a command as the command line does, without doing anything. Raises TyperException; ``whole`` asks for all that it needs."""
    command: Any = typer.main.get_command(app)
    context = typer.Context(command, info_name="zegel")
    while inner := getattr(command, "commands", None):
        given, words, _order = command.make_parser(context).parse_args(args=[*words])
        if given.get("_show_version") or given.get("help") or not words:
            return
        assert words[0] in inner, f"no command {words[0]}"
        command, words = inner[words[0]], words[1:]
        context = typer.Context(command, info_name=command.name, parent=context)
    if whole and "--help" not in words:
        try:
            command.make_context(command.name, [*words], parent=None)
        except TyperException as error:
            # A file of the example is not here, and need not be.
            if "does not exist" not in error.format_message():
                raise
    else:
        command.make_parser(context).parse_args(args=[*words])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_of_a_page_can_be_typed(page: Path) -> None:
    for line in typed(page.read_text(encoding="utf-8")):
        for words in ours(line):
            try:
                entered(words, whole=True)
            except TyperException as error:
                pytest.fail(f"{line}: {error.format_message()}")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_and_option_in_the_text_of_a_page_exists(page: Path) -> None:
    text = re.sub(r"^[ ]*```.*?^[ ]*```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    options = {option for command in walk(typer.main.get_command(app)) for param in command.params for option in param.opts}
    for code in re.findall(r"`([^`\n]+)`", text):
        if re.match(r"zegel [a-z-]", code):
            for words in ours(code):
                try:
                    entered(words, whole=False)
                except TyperException as error:
                    pytest.fail(f"`{code}`: {error.format_message()}")
        elif code.startswith("--") and page.name != "container.md":
            assert code.split()[0] in options, f"no command has {code}"


def walk(command: Any) -> Iterator[Any]:
    """The command and all below it."""
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from walk(inner)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_piece_of_configuration_on_a_page_is_taken(page: Path) -> None:
    for block in re.findall(r"^[ ]*```toml\n(.*?)^[ ]*```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        try:
            config.parse(block)
        except config.ConfigError as error:
            pytest.fail(f"{error}\n{block}")


def test_the_pages_have_commands_to_look_at() -> None:
    found = [words for page in PAGES for line in typed(page.read_text(encoding="utf-8")) for words in ours(line)]
    assert len(found) > 75
    assert {"check", "init", "import", "key", "outbox", "postfix", "serve", "site"} <= {word for words in found for word in words[:3]}


def test_what_is_wrong_on_a_page_would_be_seen() -> None:
    block = "# runuser -u zegel -- zegel key new \\\n    example.be --algoritm x | cat; zegel lsit\n$ echo zegel\nout zegel put\n"
    page = f"```console\n{block}```\n"
    assert [words for line in typed(page) for words in ours(line)] == [["key", "new", "example.be", "--algoritm", "x"], ["lsit"]]
    with pytest.raises(TyperException, match="algoritm"):
        entered(["key", "new", "example.be", "--algoritm", "x"], whole=True)
    with pytest.raises(AssertionError, match="lsit"):
        entered(["lsit"], whole=False)
    with pytest.raises(TyperException, match="Missing"):
        entered(["key", "new"], whole=True)
    entered(["key", "new"], whole=False)
    entered(["--data", "/var/lib/zegel", "key", "list"], whole=True)
