"""``zegel audit``: who changed what, when, and how it was before and after; and whether the log is whole."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zegel.cli import place, screen
from zegel.cli.place import Place
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.store.audit import Change
    from zegel.store.transaction import Transaction

_FORMS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S")
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_LONG = 60  # letters of a value that are shown
_LINK_BYTES = 32


def audit(
    ctx: typer.Context,
    subject: Annotated[
        str | None, typer.Argument(metavar="SUBJECT", help=_("Only what was done to this, such as example.be and the keys below it."))
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=_('Only from then on: "2026-11-24", "2026-11-24 09:30", or "7d" for seven days.'))
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help=_("See if no line was changed or taken out."))] = False,
    kept: Annotated[
        str | None, typer.Option("--kept", metavar="LINK", help=_("With --verify: a last link of earlier, which must still be there."))
    ] = None,
    json: Annotated[bool, typer.Option("--json", help=_("Write JSON, for programs."))] = False,
) -> None:
    """Show the audit log."""
    here = place.of(ctx)
    if verify or kept is not None:
        _verify(here, kept, json=json)
        return
    start = None if since is None else _time(since)
    with here.store_to_look() as store, store.reading() as tx:
        empty = True
        for change in _changes(tx, subject, start):
            empty = False
            if json:
                screen.json_line(
                    {name: getattr(change, name) for name in ("number", "time", "who", "action", "subject", "before", "after")}
                )
            else:
                _show(change)
    if empty and not json:
        if subject is None and start is None:
            screen.say(_("Nothing was changed yet."))
            return
        screen.say(_("Nothing of the kind was changed. All changes:"))
        screen.command(here.command("audit"))


def difference(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[str]:
    """The lines that tell what is different: ``+`` came, ``-`` went, ``->`` changed."""
    if before is None or after is None:
        sign, values = ("+", after) if before is None else ("-", before)
        return [f"{sign} {name}: {_value(value)}" for name, value in sorted((values or {}).items()) if value not in ("", None)]
    lines = []
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            lines.append(f"+ {name}: {_value(after[name])}")
        elif name not in after:
            lines.append(f"- {name}: {_value(before[name])}")
        elif before[name] != after[name]:
            lines.append(f"  {name}: {_value(before[name])} -> {_value(after[name])}")
    return lines


def _changes(tx: Transaction, subject: str | None, since: int | None) -> Iterator[Change]:
    from zegel.store import audit as log

    number = 0
    while lines := log.all(tx, subject=subject, since=since, after=number):
        yield from lines
        number = lines[-1].number


def _show(change: Change) -> None:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(change.time))
    screen.exact(f"{change.number}  {at}  {change.who}  {change.action}  {change.subject}")
    for line in difference(change.before, change.after):
        screen.exact(f"    {line}")


def _value(value: Any) -> str:
    if value is None or value == "":
        return _("none")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."


def _time(text: str) -> int:
    """A moment as typed, in seconds. Raises Refusal."""
    if (span := re.fullmatch(r"([0-9]{1,5})([mhdw])", text)) is not None:
        return int(time.time()) - int(span[1]) * _UNITS[span[2]]
    for form in _FORMS:
        try:
            return int(time.mktime(time.strptime(text, form)))
        except (ValueError, OverflowError):
            continue
    raise Refusal(_("'{text}' is no time; write it as in 2026-11-24, \"2026-11-24 09:30\" or 7d").format(text=text[:40]))


def _verify(here: Place, kept: str | None, *, json: bool) -> None:
    """Say if the log is whole. Raises Refusal with status 1 when it is not."""
    from zegel.store import audit as log

    link = _link(kept) if kept is not None else None
    with here.store(create=False) as store, store.reading() as tx:
        with screen.waiting(_("Checking the audit log")):
            broken = log.broken(tx)
        count, last = log.last(tx)
        missing = link is not None and link != bytes(_LINK_BYTES) and log.holding(tx, link) is None
    if json:
        screen.json_line({"lines": count, "broken": broken, "last": last.hex(), "kept": None if link is None else not missing})
    if broken is not None:
        sentence = _("line {number} of the audit log does not hold: it was changed, or a line before it was changed or taken out")
        raise Refusal(sentence.format(number=broken), status=1)
    if missing:
        raise Refusal(
            _("no line of the audit log has the link that you kept: lines were taken off its end, or all was written anew"), status=1
        )
    if not json:
        screen.marked(Mark.OK, _("all {count} lines of the audit log hold").format(count=count))
        screen.say(_("The last link. Keep it elsewhere: with it, lines taken off the end show too (zegel audit --verify --kept LINK)."))
        screen.exact(last.hex())


def _link(text: str) -> bytes:
    try:
        link = bytes.fromhex(text.strip())
    except ValueError:
        link = b""
    if len(link) != _LINK_BYTES:
        raise Refusal(_("a link has 64 hexadecimal digits, as zegel audit --verify shows it"))
    return link
