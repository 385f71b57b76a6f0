"""``zegel check --message FILE``: the report on a test mail, for people, as JSON, or as an HTML file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zegel.cli import messages, place, screen
from zegel.cli.messages import Source
from zegel.cli.outcomes import Beside
from zegel.cli.outcomes import as_json as outcome_json
from zegel.cli.outcomes import show as show_outcomes
from zegel.cli.place import Place
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _, told

if TYPE_CHECKING:
    from zegel.adapters.converse import AsyncResolver
    from zegel.ask import Dialogue
    from zegel.check.item import Item
    from zegel.check.message.examine import MessageReport
    from zegel.check.message.path import Envelope
    from zegel.check.profiles.profile import Outcome
    from zegel.limits import Limits

_MARKS = {"pass": Mark.OK, "warn": Mark.NOTE, "fail": Mark.WRONG, "info": Mark.PLAIN, "not_tested": Mark.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Session:
    """The SMTP session as it was typed: empty for what the message itself is to tell. ``now`` is when to judge, None for the present."""

    ip: str = ""
    helo: str = ""
    mail_from: str | None = None
    zone: Path | None = None
    now: float | None = None


def check_messages(where: Place, files: Sequence[str], session: Session, beside: Beside, *, json: bool) -> int:
    """Report on each message; the exit status: 0 when none has a fault, 1 when one has, 2 when one cannot be read."""
    if session.ip:
        _check_address(session.ip)
    elif session.helo:
        raise Refusal(_("--helo goes with --ip: the name is that of the server which brings the message"))
    config = where.read_config()
    resolver = place.resolver(config, session.zone)
    wrong, unreadable = False, False
    with asyncio.Runner() as runner, screen.bar(_("Checking"), len(files)) as bar:
        for source in messages.sources(files):
            message = source.read()
            if message is None:
                unreadable = True
            else:
                report = runner.run(_judge(message, session, resolver, config.limits))
                wrong = wrong or any(item.level == "fail" for item in report.items)
                with bar.aside() if bar else ExitStack():
                    _show(source, report, beside.message(report), json=json)
            if bar is not None:
                bar.advance()
    beside.finish(quiet=json)
    return 2 if unreadable else int(wrong or beside.failed)


async def _judge(message: bytes, session: Session, resolver: AsyncResolver, limits: Limits) -> MessageReport:
    import time

    from zegel.adapters.converse import Budget, converse
    from zegel.verdict.authenticate import shared

    now = time.time() if session.now is None else session.now
    return await converse(_report(message, session, now, limits), resolver, Budget(shared(limits)))


def _report(message: bytes, session: Session, now: float, limits: Limits) -> Dialogue[MessageReport]:
    """Judge a message as the server of these options would, and report on it."""
    from zegel.check.message.examine import MAX_BODY, examine
    from zegel.dkim.header import Header
    from zegel.grammar.message import split_message
    from zegel.verdict.authenticate import authenticate_message
    from zegel.verdict.evidence import Evidence
    from zegel.verdict.policy import Site

    split = split_message(message, header_bytes=limits.header_bytes)
    header = None if split.oversized else Header(split.header)
    client = _client(header, session)
    evidence = Evidence(client.ip, client.helo, client.mail_from, authserv_id="zegel", now=now)
    verdict = yield from authenticate_message(message, evidence, Site(), limits)
    body = split.body[:MAX_BODY]
    return (yield from examine(header, body, verdict, client, whole=len(body) == len(split.body)))


def _client(header: Any, session: Session) -> Envelope:
    """The envelope of the options, else as the message tells it."""
    from zegel.check.message.path import Envelope, envelope

    found = envelope(header) if header is not None else Envelope()
    mail_from = found.mail_from if session.mail_from is None else session.mail_from
    if session.ip:
        return Envelope(session.ip, session.helo, mail_from)
    return found._replace(mail_from=mail_from)


def _check_address(ip: str) -> None:
    from zegel.spf.client import Client

    try:
        Client.parse(ip)
    except ValueError:
        raise Refusal(_("'{text}' is no IP address; write it as in 192.0.2.1 or 2001:db8::1").format(text=ip)) from None


def _show(source: Source, report: MessageReport, outcomes: Sequence[Outcome], *, json: bool) -> None:
    if json:
        screen.json_line({**as_json(source.name, report), "profiles": [outcome_json(outcome) for outcome in outcomes]})
        return
    from zegel.check.sheet import AREAS, of_message

    name = _("standard input") if source.name == messages.STDIN else source.name
    screen.say(f"{name}: {report.subject}" if report.subject else name, style="bold")
    screen.marked(_MARKS[report.level], told(report.answer))
    for area, items in of_message(report).by_area():
        screen.say()
        screen.say(_(AREAS[area]), style="bold")
        for item in items:
            _show_item(item)
    show_outcomes(outcomes)


def _show_item(item: Item) -> None:
    """One line with its mark; what was seen, why it matters and what to do below it, where all is not well."""
    from zegel.rollout.records import as_zone_line

    screen.marked(_MARKS[item.level], told(item.finding))
    if item.level == "pass":
        return
    for seen in item.seen:
        screen.command(seen)
    for said in (item.why, item.step):
        if said is not None:
            screen.advice(told(said))
    for record in item.mend:
        screen.command(as_zone_line(record))


def as_json(name: str, report: MessageReport) -> dict[str, Any]:
    """A report as values for JSON; sentences are in English."""
    from zegel.check.plain import as_item

    return {
        "file": name,
        "level": str(report.level),
        "answer": str(report.answer),
        "subject": report.subject,
        "author": report.author,
        "message_id": report.message_id,
        "items": [as_item(item) for item in report.items],
    }
