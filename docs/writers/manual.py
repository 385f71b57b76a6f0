"""The man pages zegel(1) and zegel.toml(5), in the macros of man(7)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from docs.writers import command_line, settings
from zegel import __version__
from zegel.cli import template

# The day on which the prose of this room last changed.
DATE = "2026-11-24"

_DESCRIPTION = """
Zegel signs the mail that an organisation sends and checks the mail that it receives, beside the Postfix that runs already.
The command makes keys, shows the records to publish, sets up Postfix, and runs the daemon that Postfix talks to.

Domains and keys are in a data folder: a database, the master key that seals the private keys in it, and the configuration
zegel.toml. Only the user that owns the folder can use it. A running daemon notices new domains and keys by itself, and reads zegel.toml
again on SIGHUP.
"""
_ENVIRONMENT = (
    ("ZEGEL_DATA", "The data folder, as with --data."),
    ("ZEGEL_CONFIG", "The configuration, as with --config."),
    ("ZEGEL_MASTER_KEY", "The master key itself, base64 of 32 bytes, instead of the file master.key."),
    ("LANGUAGE, LC_ALL, LC_MESSAGES, LANG", "The language: English or Dutch (nl)."),
    ("NO_COLOR", "No colours, whatever its value."),
)
_FILES = (
    ("~/.local/share/zegel", "The data folder where none is named (below XDG_DATA_HOME where that is set). A service has /var/lib/zegel."),
    ("zegel.toml", "In the data folder: the configuration, see zegel.toml(5)."),
    ("zegel.db", "In the data folder: domains and keys; private keys are sealed with the master key."),
    ("master.key", "In the data folder: the master key. Whoever loses it loses the private keys."),
)
_EXAMPLE = (
    "zegel init",
    "zegel domain add example.be",
    "zegel key new example.be",
    "zegel key activate example.be z202611r-k7qd",
    "zegel serve",
    "zegel postfix setup --dry-run",
)


def command() -> str:
    """The text of zegel.1."""
    program, *commands = command_line.read()
    lines = [_title("ZEGEL", 1), ".SH NAME", f"zegel \\- {roff('e-mail authentication beside Postfix: sign, verify, look after keys')}"]
    lines += [".SH SYNOPSIS", ".B zegel", roff("[OPTIONS] COMMAND [ARGS]...")]
    lines += [".SH DESCRIPTION", *paragraphs(_DESCRIPTION)]
    lines += [".SH OPTIONS", "These stand before the command.", *items((item.typed, item.help) for item in program.items)]
    lines += [*_item("-h, --help", "Tell what there is, also after a command."), ".SH COMMANDS"]
    for page in commands:
        lines += [f".SS {roff(f'zegel {page.name}')} {_italics(page.usage)}".rstrip(), roff(page.help)]
        lines += items((item.typed, item.help) for item in page.items)
        lines += [".PP", roff(f"Exit status: {'; '.join(f'{number} {meaning}' for number, meaning in page.statuses)}.")]
    lines += [".SH EXIT STATUS", "Each command tells its own above. For all of them:"]
    lines += items((str(number), meaning) for number, meaning in command_line.EXIT_STATUS_OF_ALL)
    lines += [".SH ENVIRONMENT", *items(_ENVIRONMENT), ".SH FILES", *items(_FILES)]
    lines += [".SH EXAMPLES", "From nothing to signed mail; the record that is shown is published before the key is activated:"]
    lines += [".PP", ".RS 4", ".EX", *map(roff, _EXAMPLE), ".EE", ".RE"]
    return "\n".join([*lines, *_see_also("zegel.toml (5)", "zegel-sendmail (1)", "postfix (1)", "postconf (1)")]) + "\n"


def configuration() -> str:
    """The text of zegel.toml.5."""
    options = settings.read()
    lines = [_title("ZEGEL.TOML", 5), ".SH NAME", "zegel.toml \\- the configuration of Zegel", ".SH DESCRIPTION"]
    about = """
    A TOML file in UTF-8, in the data folder or where --config names it. Everything has a default; an unknown name, a wrong type or a
    dangerous value is refused with a sentence that names it. zegel init writes the file with every default in it as a comment.

    SIGHUP has the daemon read the file again. What is wrong in it then leaves all as it is, and the log says so. Addresses to listen on
    change with a restart only.
    """
    lines += paragraphs(about)
    for table, meaning in settings.TABLES.items():
        lines += [f".SH {roff(f'[{table}]')}", roff(meaning)]
        for option in options:
            if option.table == table:
                lines += [".TP", f"\\fB{roff(option.name)}\\fR = \\fI{roff(option.default)}\\fR", roff(option.help)]
        if table == "outbound":
            lines += [".SH [[outbound.allow]]", roff("Who may sign as whom. Nothing is signed for whom no entry is written.")]
            lines += [roff("Each entry has exactly one of login, network or local, and in sign the senders.")]
            lines += items((f"{option.name} ({option.kind})", option.help) for option in settings.allow())
        if table == "inbound":
            lines += [".SH [[inbound.rule]]", roff("What you know better than the policies, with who says so, why, and until when.")]
            lines += items((f"{option.name} ({option.kind})", option.help) for option in settings.rule())
    example = re.search(r"^#(\[\[outbound.*?)\n\n", template.text(), re.MULTILINE | re.DOTALL)
    shown = example[1].replace("\n#", "\n").splitlines() if example else []
    lines += [".SH EXAMPLES", "Everybody who logs in may send as any address of one domain:"]
    lines += [".PP", ".RS 4", ".EX", *map(roff, shown), ".EE", ".RE"]
    return "\n".join([*lines, *_see_also("zegel (1)")]) + "\n"


def _title(name: str, section: int) -> str:
    return f'.TH {name} {section} {DATE} "Zegel {__version__}" "Zegel"'


def _see_also(*pages: str) -> list[str]:
    return [".SH SEE ALSO", *(f".BR {page}{',' if page != pages[-1] else ''}" for page in pages)]


def paragraphs(text: str) -> list[str]:
    """Paragraphs with .PP between them; the heading above the first one has made its own space."""
    found = [roff(" ".join(paragraph.split())) for paragraph in text.strip().split("\n\n")]
    return "\n.PP\n".join(found).splitlines()


def items(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """What is typed, and what it means, one after the other."""
    return [line for typed, meaning in pairs for line in _item(typed, meaning)]


def _item(typed: str, meaning: str) -> list[str]:
    return [".TP", f"\\fB{roff(typed)}\\fR", roff(meaning)]


def _italics(words: str) -> str:
    return f"\\fI{roff(words)}\\fR" if words else ""


def roff(text: str) -> str:
    """Text as roff takes it: backslashes and hyphens as they stand, and no line that begins like a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
