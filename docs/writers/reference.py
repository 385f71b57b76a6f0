"""The pages of the reference, in Markdown: command line, configuration, log, metrics and reasons."""

from __future__ import annotations

import re
from collections.abc import Iterable

from docs.writers import command_line as commands
from docs.writers import settings, tables
from zegel.cli import template

_WRITTEN = "<!-- Written by docs/writers: change the code or the writer, then say make pages. -->\n"

# What one types: a value of the configuration, an option of it, an address to listen on, a command-line option, a variable.
_TYPED = re.compile(
    r"""(\["[^"]*"\]|\b[a-z_]+\ =\ "[^"]*"|\[\[outbound\.allow\]\]|(?:unix:|inet:)[\w/.:]+\w|\b[a-z]+\.[a-z]+_[a-z_]+\b
    |(?<![\w-])--[a-z][a-z-]+|\bzegel\.toml\b|\b[A-Z]+_[A-Z_]+\b|\bzegel\ (?:init|key\ list)\b)""",
    re.VERBOSE,
)


_CONFIGURATION = """
One TOML file, in the data folder or where `--config` (`ZEGEL_CONFIG`) names it. `zegel init` writes it with every default in it as
a comment: take the `#` away to change one. An unknown name, a wrong type or a dangerous value is refused, with a sentence that
names it and says what to write.

After a change, `systemctl reload zegel` (SIGHUP) has the daemon read it again. It is taken over whole or not at all: what is wrong
in it leaves all as it is, and the log says so. The tables `[milter]` and `[metrics]` need a restart. `zegel status` tells if the
file is right.
"""
_ALLOW = """
Who may sign as whom; as many entries as you like. Nothing is signed for whom no entry is written: mail of a client that is not
listed goes on unsigned, and the log says why. Each entry has exactly one of `login`, `network` or `local`, and in `sign` the
senders.
"""
_LOG = """
The daemon writes to standard output, one line for each message; under systemd, `journalctl -u zegel` shows it. Each line is
`name=value` (logfmt), without a time of its own: journald keeps that. On a terminal the same is shown in colours and with a time.

What a stranger wrote cannot make a line of its own: values are bounded, and characters that are not printable become `?`. A line
that cannot be written is lost and counted (`zegel_log_lines_lost_total`); mail goes on.

One line of each kind, written by the daemon's own code:
"""
_METRICS = """
Prometheus reads them at `http://127.0.0.1:9199/metrics` (`metrics.listen` in `zegel.toml`, empty to switch it off). They hold
domain names but no addresses of people.
"""
_LABELS = """
`route` is that of the [log](log.md). `outcome` is `signed`, `not_signed` or `refused`; for mail from outside what happened to it:
`accepted`, `quarantined`, `deferred` or `refused`. `reason` is an id of [Reasons](reasons.md); of `zegel_not_recorded`
it is `queue_full` (the store is slower than the mail), `refused` (the database cannot take it) or `stopped` (the daemon ended before it was
written).
"""
_ALERTS = (
    ("`increase(zegel_faults_total[10m]) > 0`", "Zegel could not do its work, and messages were deferred: look in the log."),
    ('`increase(zegel_not_signed_total{reason="no_key"}[1h]) > 0`', "Mail leaves unsigned: its domain has no active key."),
    ('`increase(zegel_not_signed_total{reason="not_allowed"}[1h]) > 0`', "A client sends as a domain that is not written for it."),
    ("`increase(zegel_not_recorded_total[10m]) > 0`", "Messages went on without being recorded: the store is locked, full or too slow."),
    ("`zegel_next_hop_up == 0`", "Mail of sites waits: the next hop cannot be reached. Nothing runs out meanwhile."),
    ("`increase(zegel_outbox_in_doubt_total[1h]) > 0`", "Somebody may get a message twice: an answer of the next hop was lost."),
    ("`zegel_active_keys == 0`", "Nothing is signed at all."),
)


def command_line() -> str:
    """The text of command-line.md."""
    program, *rest = commands.read()
    parts = [_head("The command line"), program.help, "```console\n$ zegel [OPTIONS] COMMAND [ARGS]...\n```", _options(program)]
    parts += ["These stand before the command. `-h` or `--help` after any command tells the same as this page, in your language."]
    heading = ""
    for command in rest:
        if command.heading != heading:
            heading = command.heading
            parts.append(f"## {heading}")
        typed = f"zegel {command.name} {command.usage}".strip()
        parts += [f"### zegel {command.name}", _prose(command.help), f"```console\n$ {typed}\n```"]
        parts += [_options(command)] if command.items else []
        parts += ["Exit status: " + "; ".join(f"**{number}** {_prose(meaning)}" for number, meaning in command.statuses) + "."]
    parts += ["## Exit status of every command", "What holds for one command stands above with it. For all of them:"]
    parts += [_table(("Status", "Meaning"), ((f"**{number}**", _prose(meaning)) for number, meaning in commands.EXIT_STATUS_OF_ALL))]
    parts += ['So a script can tell "no" (1) from "could not look" (2). A traceback is neither: it is a bug of Zegel, please report it.']
    return _page(parts)


def configuration() -> str:
    """The text of configuration.md."""
    options = settings.read()
    parts = [_head("The configuration, zegel.toml"), *_paragraphs(_CONFIGURATION)]
    for table, meaning in settings.TABLES.items():
        rows = [(f"`{item.name}`", item.kind, f"`{item.default}`", _prose(item.help)) for item in options if item.table == table]
        if table == "zone":
            entry = [(f"`{item.name}`", item.kind, _prose(item.help)) for item in settings.zone()]
            parts += ["## [[zone]]", meaning, _table(("Name", "Kind", "Meaning"), entry)]
            continue
        parts += [f"## [{table}]", meaning, _table(("Name", "Kind", "Default", "Meaning"), rows)]
        if table == "outbound":
            entry = [(f"`{item.name}`", item.kind, _prose(item.help)) for item in settings.allow()]
            parts += ["### [[outbound.allow]]", *_paragraphs(_ALLOW), _table(("Name", "Kind", "Meaning"), entry)]
        if table == "inbound":
            entry = [(f"`{item.name}`", item.kind, _prose(item.help)) for item in settings.rule()]
            about = "What you know better than the policies, with who says so, why, and until when. The first rule that fits decides."
            parts += ["### [[inbound.rule]]", about, _table(("Name", "Kind", "Meaning"), entry)]
    parts += ["## The file as it is written", "This is what `zegel init` writes:", f"```toml\n{template.text()}```"]
    return _page(parts)


def log() -> str:
    """The text of log.md."""
    lines, _metrics = tables.journal()
    fields = [(f"`{name}`", _prose(text)) for name, text in tables.FIELDS.items()]
    parts = [_head("The log"), *_paragraphs(_LOG), "```text\n" + "\n".join(lines) + "\n```"]
    parts += ["## Fields", _table(("Field", "Meaning"), fields)]
    parts += ["The ids in `reason` are listed under [Reasons](reasons.md). Some lines about the daemon itself have fields of their own."]
    return _page(parts)


def metrics() -> str:
    """The text of metrics.md."""
    _lines, found = tables.journal()
    rows = [(f"`{item.name}`", item.kind, ", ".join(f"`{label}`" for label in item.labels) or "-", _prose(item.help)) for item in found]
    parts = [_head("Metrics"), *_paragraphs(_METRICS), _table(("Name", "Kind", "Labels", "Meaning"), rows), *_paragraphs(_LABELS)]
    parts += ["## What to have an alert on", _table(("Expression", "Why"), _ALERTS)]
    parts += ["`zegel status` asks the same of one machine, by its exit status."]
    return _page(parts)


def reasons() -> str:
    """The text of reasons.md."""
    own = [(f"`{name}`", _prose(text)) for name, text in tables.own_ids().items()]
    parts = [_head("Reasons")]
    parts += [
        "Every verdict has one cause. Its id is stable: it stands in the log, in the metrics and in JSON, and scripts may rely on it."
    ]
    parts += ["Where there is a status, the reason forces it, so the two cannot disagree."]
    for chapter in tables.chapters():
        parts += [f"## {chapter.title}", *_chapter(chapter)]
    parts += ["## Outbound: why a message was not signed, or was refused"]
    parts += ["An unsigned message is passed on as it is: Postfix sends it.", _table(("Id", "Meaning"), own)]
    refused = [(f"`{name}`", _prose(text)) for name, text in tables.relay_ids().items()]
    parts += ["## Mail of sites: why it was refused, or its client sent away", _table(("Id", "Meaning"), refused)]
    return _page(parts)


def _chapter(chapter: tables.Chapter) -> list[str]:
    said = [chapter.about] if chapter.about else []
    if chapter.statuses:
        said.append(f"The statuses are the words of the Authentication-Results field ({_section(chapter.statuses)}).")
    head = ("Id", *(["Status"] if chapter.statuses else []), "Meaning", "From")
    rows = [
        (f"`{id}`", *(f"`{word}`" for word in status), _filled(sentence), _section(section))
        for id, status, sentence, section in chapter.causes
    ]
    return [*said, _table(head, rows)]


def _filled(sentence: str) -> str:
    """A sentence with its ``{names}`` set as what they are: places to fill in."""
    return re.sub(r"\{(\w+)\}", r"*\1*", sentence)


def _head(title: str) -> str:
    return f"{_WRITTEN}\n# {title}"


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"


def _paragraphs(text: str) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n")]


def _options(command: commands.Command) -> str:
    return _table(("Argument or option", "Meaning"), ((f"`{item.typed}`", _prose(item.help)) for item in command.items))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _prose(text: str) -> str:
    """A sentence in Markdown, with what one types set as code."""
    return "".join(part if number % 2 == 0 else f"`{part}`" for number, part in enumerate(_TYPED.split(text.replace("*", "\\*"))))


def _section(reference: str) -> str:
    """A reference such as RFC 6376 6.1.3, with a link to that section."""
    _rfc, number, section = reference.split(" ")
    return f"[{reference}](https://www.rfc-editor.org/rfc/rfc{number}#section-{section})"
