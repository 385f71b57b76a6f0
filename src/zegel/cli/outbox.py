"""``zegel outbox list | show | retry | drop``: the mail of sites that waits for its next hop. The daemon may run meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zegel.cli import place, screen
from zegel.cli.help import Command, Group
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.store.posting import Item, Recipient
    from zegel.store.spool import Spool

app = typer.Typer(cls=Group, no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help=_("Write one line of JSON for each message."))]
Message = Annotated[str, typer.Argument(metavar="MESSAGE", help=_("A queue id, as list shows it and the log tells it."))]
_STATES = ("waiting", "delivered", "failed", "dropped")
_PAGE = 200


@app.command("list", cls=Command, help=_("List the messages that wait, newest first, or those in another state."))
def list_(
    ctx: typer.Context,
    state: Annotated[
        str, typer.Option(metavar="WORD", help=_("With recipients in this state: {words}, or all.").format(words=", ".join(_STATES)))
    ] = "waiting",
    limit: Annotated[int, typer.Option(min=1, help=_("At most so many."))] = 50,
    json: AsJson = False,
) -> None:
    """List messages."""
    from zegel.store import queue
    from zegel.store.posting import State

    if state not in (*_STATES, "all"):
        raise Refusal(_("--state is one of {words}").format(words=", ".join((*_STATES, "all"))))
    states = list(State) if state == "all" else [State(state)]
    with _opened(ctx) as spool, spool.reading() as tx:
        found: list[Item] = []
        while len(found) < limit:
            below = found[-1].id if found else None
            page = queue.listed(tx, states=states, limit=min(limit - len(found), _PAGE), below=below)
            found += page
            if len(page) < _PAGE:
                break
        counted = queue.count(tx)
    if json:
        for item in found:
            screen.json_line(_as_json(item))
        return
    if found:
        headings = (_("Taken"), _("Queue id"), _("Site"), _("Recipients"), _("State"), _("Tries"), _("Next try"), _("Last answer"))
        screen.table(headings, [_row(item) for item in found])
        if len(found) == limit:
            screen.say(_("These are the newest {limit}; for more: --limit").format(limit=limit))
    words = {"count": counted[State.WAITING], "delivered": counted[State.DELIVERED], "failed": counted[State.FAILED]}
    screen.say(_("Recipients that mail waits for: {count}; delivered lately: {delivered}, failed lately: {failed}").format(**words))


@app.command(cls=Command, help=_("Show one message: each recipient, its tries and the last answer. Exit status 1 when there is none."))
def show(
    ctx: typer.Context,
    name: Message,
    json: AsJson = False,
    body: Annotated[bool, typer.Option("--message", help=_("Write the message itself, as it is sent."))] = False,
) -> None:
    """Show a message."""
    from zegel.store import transit

    with _opened(ctx) as spool, spool.reading() as tx:
        item = _found(tx, name)
        data = transit.body(tx, item.id)
    if body:
        if data is None:
            raise Refusal(_("the message {name} is delivered, and its text is not kept").format(name=item.queue_id), status=1)
        screen.message(data)
        return
    if json:
        screen.json_line(_as_json(item))
        return
    screen.say(f"{item.queue_id}  {_clock(item.received)}", style="bold")
    lines = [
        (_("Site"), item.site or "-"),
        (_("Envelope sender"), item.sender or "<>"),
        (_("Who is told of a failure"), item.contact or _("nobody")),
        (_("Octets"), str(item.size)),
    ]
    screen.table((_("What"), _("Is")), lines)
    for recipient in item.recipients:
        mark = {"failed": Mark.WRONG, "dropped": Mark.NOTE, "waiting": Mark.NOTE}.get(recipient.state, Mark.OK)
        screen.marked(mark, f"{recipient.address}: {_told(recipient)}")
        if recipient.answer:
            screen.say(f"    {recipient.answer}")
        if recipient.doubts:
            sentence = _("    sent before without an answer, {count} times: it may arrive more than once")
            screen.say(sentence.format(count=recipient.doubts))


@app.command(cls=Command, help=_("Have a message tried now, also one that failed; or all that wait (--all)."))
def retry(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="MESSAGE", help=_("A queue id."))] = None,
    everything: Annotated[bool, typer.Option("--all", help=_("All messages that wait."))] = False,
) -> None:
    """Try again."""
    from zegel.store import queue

    if (name is None) is not everything:
        raise Refusal(_("name one message, or say --all"))
    with _opened(ctx) as spool, spool.writing() as tx:
        item = None if name is None else _found(tx, name)
        changed = queue.retry(tx, None if item is None else item.id, now=int(time.time()))
    if item is not None and not changed:
        raise Refusal(_("nothing of {name} is left to send: its text is not kept").format(name=item.queue_id), status=1)
    screen.marked(Mark.OK, _("recipients that are tried now: {count}").format(count=changed))


@app.command(cls=Command, help=_("Send a message to nobody any more, and tell nobody. What has been delivered stays so."))
def drop(ctx: typer.Context, name: Message) -> None:
    """Drop a message."""
    from zegel.store import queue

    with _opened(ctx) as spool, spool.writing() as tx:
        item = _found(tx, name)
        changed = queue.drop(tx, item.id, now=int(time.time()))
    if not changed:
        raise Refusal(_("nothing of {name} waits any more").format(name=item.queue_id), status=1)
    screen.marked(Mark.OK, _("dropped for so many recipients: {count}").format(count=changed))


@contextmanager
def _opened(ctx: typer.Context) -> Iterator[Spool]:
    from zegel.store.spool import Spool

    with Spool.open(place.of(ctx).data, create=False) as spool:
        yield spool


def _found(tx: Any, name: str) -> Item:
    from zegel.store import queue
    from zegel.store.posting import number

    identity = number(name)
    item = None if identity is None else queue.find(tx, identity)
    if item is None:
        raise Refusal(_("no message {name} is in the outbox; see: zegel outbox list").format(name=name[:40]), status=1)
    return item


def _row(item: Item) -> tuple[str, ...]:
    first = item.recipients[0]
    more = f" +{len(item.recipients) - 1}" if len(item.recipients) > 1 else ""
    due = _clock(first.due) if first.state == "waiting" else "-"
    answer = first.answer[:60] or "-"
    return (_clock(item.received), item.queue_id, item.site or "-", first.address + more, first.state, str(first.tries), due, answer)


def _told(recipient: Recipient) -> str:
    match recipient.state:
        case "waiting":
            return _("waits, tries so far: {tries}, next try {time}").format(tries=recipient.tries, time=_clock(recipient.due))
        case "delivered":
            return _("delivered at {time}").format(time=_clock(recipient.tried))
        case "failed":
            return _("not delivered, given up at {time}").format(time=_clock(recipient.tried)) if recipient.tried else _("not delivered")
    return _("dropped by hand")


def _as_json(item: Item) -> dict[str, Any]:
    return {
        "queue_id": item.queue_id,
        "received": item.received,
        "sender": item.sender,
        "site": item.site,
        "contact": item.contact,
        "size": item.size,
        "finished": item.finished,
        "recipients": [
            {
                "address": each.address,
                "state": each.state.value,
                "tries": each.tries,
                "next_try": each.due if each.state == "waiting" else None,
                "tried": each.tried or None,
                "in_doubt": each.doubts,
                "answer": each.answer,
            }
            for each in item.recipients
        ],
    }


def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
