"""``zegel message list | show | expire``: what became of the messages that were recorded."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zegel.cli import person, place, screen
from zegel.cli import story as drawn
from zegel.cli.help import Command, Group
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.store.search import Message, Party, Wanted
    from zegel.store.transaction import Transaction

app = typer.Typer(cls=Group, no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help=_("Write one line of JSON for each message."))]
_PAGE = 200
_AGO = re.compile(r"(\d{1,6})([mhd])", re.ASCII)
_SECONDS = {"m": 60, "h": 3600, "d": 86400}
_MARKS = {"refused": Mark.WRONG, "quarantined": Mark.WRONG, "unsigned": Mark.NOTE}
# What the gateway may have done with a message.
_JUDGED = ("accepted", "quarantined", "refused", "deferred")
_ACTIONS = ("signed", "unsigned", "accepted", "quarantined", "refused", "deferred", "passed", "released")


@app.command("list", cls=Command, help=_("List the messages, newest first."))
def list_(
    ctx: typer.Context,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=_("From this time on: 2026-11-24, 2026-11-24T09:30, or 2h, 3d ago."))
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help=_("Before this time."))] = None,
    queue_id: Annotated[str | None, typer.Option("--queue-id", metavar="ID", help=_("Of this queue id of Postfix."))] = None,
    address: Annotated[str | None, typer.Option(metavar="ADDRESS", help=_("From or to this address, or with it in the story."))] = None,
    domain: Annotated[str | None, typer.Option(metavar="DOMAIN", help=_("With this domain in From or in the envelope."))] = None,
    action: Annotated[
        str | None, typer.Option(metavar="WORD", help=_("With which this was done: {words}.").format(words=", ".join(_ACTIONS)))
    ] = None,
    would: Annotated[
        str | None,
        typer.Option(metavar="WORD", help=_("With which the mode reject would have done this: {words}.").format(words=", ".join(_JUDGED))),
    ] = None,
    mark: Annotated[str | None, typer.Option(metavar="ID", help=_("With this mark, such as imitates_us or look_alike."))] = None,
    direction: Annotated[str | None, typer.Option(metavar="WORD", help=_("inbound or outbound."))] = None,
    organisation: Annotated[str | None, typer.Option(metavar="NAME", help=_("Of this organisation."))] = None,
    limit: Annotated[int, typer.Option(min=1, help=_("At most so many."))] = 50,
    json: AsJson = False,
) -> None:
    """List messages."""
    from zegel.store.record import Direction
    from zegel.store.search import Wanted

    here = place.of(ctx)
    _known("--action", action, _ACTIONS)
    _known("--would", would, _JUDGED)
    if direction is not None and direction not in set(Direction):
        raise Refusal(_("--direction is inbound or outbound"))
    # Only an address needs the master key: it is found by its keyed hash.
    with here.store_to_look() if address is None else here.store(create=False) as store:
        wanted = Wanted(
            since=None if since is None else moment(since, time.time()),
            until=None if until is None else moment(until, time.time()),
            queue_id=queue_id,
            person=None if address is None else person.addresses(here, store).key(address),
            domain=None if domain is None else str(place.domain(domain)),
            action=action,
            direction=None if direction is None else Direction(direction),
            organisation=organisation,
            would=would,
            mark=mark,
        )
        with store.reading() as tx:
            found = _pages(tx, wanted, limit)
            if json:
                for message in found:
                    screen.json_line(as_json(message))
            else:
                _table(list(found), limit)


def _known(option: str, given: str | None, words: Sequence[str]) -> None:
    """A word that no message can have finds nothing, which would look like an answer."""
    if given is not None and given not in words:
        sentence = _("{given} is nothing that {name} takes; take one of: {others}")
        raise Refusal(sentence.format(given=f"'{given[:100]}'", name=option, others=", ".join(words)))


@app.command(cls=Command, help=_("Show one message, with its results and its story. Exit status 1 when there is none."))
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="MESSAGE", help=_("A queue id of Postfix, or the number that list shows with --json."))],
    json: AsJson = False,
) -> None:
    """Show a message."""
    from zegel.store import search

    here = place.of(ctx)
    with here.store_to_look() as store, store.reading() as tx:
        found = search.find(tx, search.Wanted(queue_id=name), limit=_PAGE)
        if not found and name.isascii() and name.isdecimal() and len(name) < 19:
            found = search.numbered(tx, [int(name)])
        stories = [search.story(tx, message.id) for message in found]
    if not found:
        raise Refusal(_("no message is recorded under {name}; see: zegel message list").format(name=name), status=1)
    for number, (message, story) in enumerate(zip(found, stories, strict=True)):
        if json:
            screen.json_line({**as_json(message), "story": story})
            continue
        if number:
            screen.say()
        _show(message, story)


@app.command(cls=Command, help=_("Delete what is past its term now; the daemon does this each hour."))
def expire(ctx: typer.Context) -> None:
    """Delete what is too old."""
    here = place.of(ctx)
    messages = here.read_config().messages
    with here.store(create=False) as store:
        from zegel.store import retention

        now, gone = int(time.time()), retention.Gone()
        term = retention.Term(messages.keep_days, messages.story_days)
        with store.writing() as tx:
            retention.trust(tx, now=now)
            count = retention.count(tx, term, now=now)
        with screen.bar(_("Deleting"), -(-count // retention.BATCH)) as bar:
            while True:
                with store.writing() as tx:
                    last = retention.expire(tx, term, now=now)
                if not last:
                    break
                gone = retention.Gone(gone.messages + last.messages, gone.stories + last.stories)
                if bar is not None:
                    bar.advance()
    screen.marked(
        Mark.OK,
        _("deleted: {messages} messages over {days} days old, and {stories} more stories over {story_days} days old").format(
            messages=gone.messages, days=term.messages, stories=gone.stories, story_days=term.stories
        ),
    )


app.command(
    cls=Command, help=_("Write all that is recorded of one person, by an address, and what waits for or from them, as lines of JSON.")
)(person.export)
app.command(cls=Command, help=_("Erase all that is recorded of one person, by an address, also in the outbox and in quarantine."))(
    person.erase
)


def moment(text: str, now: float) -> int:
    """A time as typed, in seconds since the epoch: a date, a date and time (of this machine's zone), or how long ago. Raises Refusal."""
    if ago := _AGO.fullmatch(text):
        return int(now) - int(ago[1]) * _SECONDS[ago[2]]
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError, OSError):
        raise Refusal(_("'{text}' is no time; write 2026-11-24, 2026-11-24T09:30, or 2h, 3d").format(text=text[:100])) from None


def as_json(message: Message) -> dict[str, Any]:
    """A message for programs."""
    return {
        "id": message.id,
        "organisation": message.organisation,
        "time": message.time,
        "direction": message.direction.value,
        "queue_id": message.queue_id,
        "from_domain": message.from_domain,
        "sender": next(iter(_parties(message, "sender")), None),
        "recipients": _parties(message, "recipient"),
        "recipient_count": message.recipients,
        "named": _parties(message, "named"),
        "action": message.action,
        "reason": message.reason,
        "would": message.would,
        "marks": list(message.marks),
        "subject": message.subject,
        "results": [result._asdict() for result in message.results],
    }


def _parties(message: Message, role: str) -> list[dict[str, Any]]:
    return [
        {"address": party.address, "hash": party.person.hex(), "domain": party.domain, "exchange": party.exchange}
        for party in message.of_role(role)
    ]


def _pages(tx: Transaction, wanted: Wanted, limit: int) -> Iterator[Message]:
    from zegel.store import search

    below = None
    while limit > 0:
        page = search.find(tx, wanted, limit=min(limit, _PAGE), below=below)
        yield from page
        if len(page) < min(limit, _PAGE):
            return
        limit, below = limit - len(page), page[-1].id


def _table(found: Sequence[Message], limit: int) -> None:
    if not found:
        screen.say(_("No message is recorded that fits."))
        return
    headings = (_("Time"), _("Queue id"), _("Way"), _("Sender"), _("Recipients"), _("Results"), _("Done"))
    screen.table(headings, [_row(message) for message in found])
    if len(found) == limit:
        screen.say(_("These are the newest {limit}; for more: --limit, or --until").format(limit=limit))


def _row(message: Message) -> tuple[str, ...]:
    recipients = message.of_role("recipient")
    more = f" +{message.recipients - 1}" if message.recipients > 1 else ""
    return (
        _clock(message.time),
        message.queue_id or "-",
        _("in") if message.direction == "inbound" else _("out"),
        next((_short(party) for party in message.of_role("sender")), "<>"),
        (_short(recipients[0]) if recipients else "-") + more,
        " ".join(f"{_method(result)}={result.status}" for result in message.results[:6]) or "-",
        _done(message),
    )


def _show(message: Message, story: list[Any] | None) -> None:
    screen.say(f"{message.queue_id or message.id}  {_clock(message.time)}", style="bold")
    way = _("from outside") if message.direction == "inbound" else _("sent by us")
    screen.marked(_MARKS.get(message.action, Mark.OK), f"{way}: {_done(message)}")
    sender = next((party.shown for party in message.of_role("sender")), "<>")
    lines = [
        (_("Organisation"), message.organisation),
        (_("Envelope sender"), sender),
        (_("From domain"), message.from_domain or "-"),
        *((_("Recipient"), _taken(party)) for party in message.of_role("recipient")),
        *([(_("Subject"), message.subject)] if message.subject else []),
        *((_method(result), _result(result)) for result in message.results),
    ]
    screen.table((_("What"), _("Is")), lines)
    if story is None:
        screen.say(_("Its story is not kept, or no longer."))
        return
    screen.say(_("Its story:"))
    drawn.show([item for item in story if isinstance(item, dict)])


def _taken(party: Party) -> str:
    if not party.exchange:
        return party.shown
    return _("{address} (mail taken by {organisation})").format(address=party.shown, organisation=party.exchange)


def _result(result: Any) -> str:
    selector = result.selector if result.method != "spf" else ""
    who = "".join([f" d={result.domain}" if result.domain else "", f" s={selector}" if selector else ""])
    return f"{result.status}{who}" + (f" ({result.reason})" if result.reason else "")


def _method(result: Any) -> str:
    """Of SPF also which of its two identities."""
    return "spf.helo" if (result.method, result.selector) == ("spf", "helo") else result.method


def _done(message: Message) -> str:
    done = f"{message.action} ({message.reason})" if message.reason else message.action
    if message.would not in (None, message.action):
        done += ", " + _("would be {would}").format(would=message.would)
    return f"{done} [{', '.join(message.marks)}]" if message.marks else done


def _short(party: Party) -> str:
    return party.shown if party.address is not None else f"#{party.person.hex()[-8:]}@{party.domain}"


def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
