"""``zegel sign``: the twin of :func:`zegel.sign`, with key files, or with the store's active keys for the message's From domain.

Exit status 0 when every message was signed, 1 when one was not, 2 for usage and for what cannot be read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zegel.cli import messages, place, screen
from zegel.cli.place import Place
from zegel.cli.screen import Refusal
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.dkim.crypto import Key
    from zegel.grammar.domain import Domain
    from zegel.grammar.message import Field

_HEADER_BYTES = 16 * 1024 * 1024
_USUAL_FORM = "relaxed/relaxed"


@dataclass(frozen=True, slots=True)
class Options:
    """How to sign; None stands for what the configuration or the library does by itself."""

    canonicalization: str | None
    headers: tuple[str, ...] | None
    identity: str | None
    expire: int | None
    now: float | None


class NotSignedError(Exception):
    """This message cannot be signed; the text says why."""


def sign(
    ctx: typer.Context,
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE", help=_("Messages; - or none is standard input."))] = None,
    domain: Annotated[str | None, typer.Option(metavar="D", help=_("The signing domain (d=), with --key."))] = None,
    selector: Annotated[list[str] | None, typer.Option(metavar="S", help=_("The selector (s=) of the key, with --key."))] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PEMFILE", help=_("The private key. Give --key and --selector twice for two signatures. Without it: the store's.")
        ),
    ] = None,
    identity: Annotated[str | None, typer.Option(metavar="I", help=_("The identity (i=): an address, or @ and a domain."))] = None,
    headers: Annotated[str | None, typer.Option(metavar="H", help=_("The fields to sign, with colons: from:to:subject."))] = None,
    canonicalization: Annotated[str | None, typer.Option(metavar="C", help=_("For example relaxed/simple."))] = None,
    expire: Annotated[int | None, typer.Option(metavar="SECONDS", help=_("How long the signature holds (x=)."))] = None,
    zone: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help=_("Warn when this zone file lacks the record of a key that signs.")),
    ] = None,
    now: Annotated[float | None, typer.Option(metavar="EPOCH", help=_("The time of signing, in seconds since 1970."))] = None,
    json: Annotated[bool, typer.Option("--json", help=_("Write one line of JSON for each message, with the fields."))] = False,
) -> None:
    """Sign messages."""
    sources = messages.sources(files)
    if len(sources) > 1 and not json:
        raise Refusal(_("several signed messages would run together; name one file at a time, or use --json"))
    names = tuple(headers.replace(" ", "").split(":")) if headers else None
    options = Options(canonicalization, names, identity, expire, now)
    _check(options)
    if key or selector or domain:
        keys = _keys_of_files(domain, selector or [], key or [])
        _warn_of_records(zone, keys)
        _sign_all(sources, lambda fields: keys, options, json=json)
    else:
        _sign_from_store(place.of(ctx), sources, options, zone, json=json)


def _check(options: Options) -> None:
    """Refuse options that no message could be signed with."""
    from zegel.dkim.sign import Style

    try:
        Style(options.canonicalization or _USUAL_FORM, options.headers, options.identity, options.expire)
    except ValueError as error:
        raise Refusal(str(error)) from None


def _keys_of_files(domain: str | None, selectors: Sequence[str], files: Sequence[Path]) -> list[Key]:
    from zegel.dkim.crypto import Key

    if domain is None or not files or len(selectors) != len(files):
        raise Refusal(
            _("--domain, --selector and --key belong together, one --selector for each --key; without any of them the store's keys sign")
        )
    keys = []
    for selector, file in zip(selectors, files, strict=True):
        try:
            keys.append(Key(domain, selector, file.read_bytes()))
        except ValueError as error:
            raise Refusal(f"{file}: {error}") from None
    return keys


def _sign_from_store(here: Place, sources: Sequence[messages.Source], options: Options, zone: Path | None, *, json: bool) -> None:
    from zegel.adapters.keyring import DomainKeys, Keyring
    from zegel.dkim.crypto import Key

    config = here.read_config()
    with here.store(create=False) as store:
        snapshot = store.snapshot()
    entries = [
        DomainKeys(
            own.name,
            tuple(Key.restore(key.domain, key.selector, key.private_pem) for key in snapshot.keys if key.domain == own.name),
            own.sign_subdomains,
        )
        for own in snapshot.domains
    ]
    keyring = Keyring(entries)
    _warn_of_records(zone, [key for entry in entries for key in entry.keys])
    filled = Options(
        options.canonicalization or config.signing.canonicalization,
        options.headers,
        options.identity,
        options.expire or config.signing.expire or None,
        options.now,
    )

    def find(fields: Sequence[Field]) -> list[Key]:
        domain = _author_domain(fields)
        found = list(keyring.find(domain))
        if not found:
            sentence = _("no active key for {domain}; see: {command}")
            raise NotSignedError(sentence.format(domain=domain, command=here.command("key list")))
        return found

    _sign_all(sources, find, filled, json=json)


def _warn_of_records(zone: Path | None, keys: Sequence[Key]) -> None:
    """Say on standard error for which keys the zone file has no record, or another one."""
    if zone is None:
        return
    from zegel.ask import rehearse
    from zegel.rollout.visibility import Outcome, look

    answers = place.zone_file(zone)
    for key in keys:
        seen = rehearse(look(key.name, key.record), answers.answer)
        if seen.outcome is not Outcome.VISIBLE:
            screen.marked(screen.Mark.NOTE, _(seen.sentence).format(**seen.values), to=screen.console(sys.stderr))


def _author_domain(fields: Sequence[Field]) -> Domain:
    from zegel.grammar.address import AddressError, mailboxes
    from zegel.grammar.message import named

    authors = named(fields, b"from")
    if not authors:
        raise NotSignedError(_("it has no From field; is it a mail message?"))
    if len(authors) != 1:
        raise NotSignedError(_("the message has {count} From fields; it must have one").format(count=len(authors)))
    try:
        domains = {mailbox.domain for mailbox in mailboxes(authors[0].value)}
    except AddressError as error:
        raise NotSignedError(_("From cannot be read: {error}").format(error=error)) from None
    if len(domains) != 1:
        raise NotSignedError(_("From names several domains"))
    return domains.pop()


def _sign_all(sources: Sequence[messages.Source], find: Callable[[Sequence[Field]], list[Key]], options: Options, *, json: bool) -> None:
    statuses = set()
    with screen.bar(_("Signing"), len(sources), scrolls=True) as bar:
        for source in sources:
            if bar is None:
                statuses.add(_sign_one(source, find, options, json=json))
            else:
                with bar.aside():
                    statuses.add(_sign_one(source, find, options, json=json))
                bar.advance()
    raise typer.Exit(max(statuses, default=0))


def _sign_one(source: messages.Source, find: Callable[[Sequence[Field]], list[Key]], options: Options, *, json: bool) -> int:
    message = source.read()
    if message is None:
        return 2
    try:
        keys, fields = _signature(message, find, options)
    except NotSignedError as error:
        if json:
            screen.json_line({"file": source.name, "status": "unsigned", "reason": str(error), "fields": []})
        else:
            screen.fail(_("{file} is not signed: {reason}").format(file=source.name, reason=error))
        return 1
    if json:
        signatures = [{"domain": key.domain, "selector": key.selector, "algorithm": key.algorithm} for key in keys]
        shown = [field.decode("utf-8") for field in fields]
        screen.json_line({"file": source.name, "status": "signed", "signatures": signatures, "fields": shown})
    else:
        sys.stdout.buffer.write(b"".join(fields) + message)
        sys.stdout.buffer.flush()
    return 0


def _signature(message: bytes, find: Callable[[Sequence[Field]], list[Key]], options: Options) -> tuple[list[Key], list[bytes]]:
    """The keys used, and the fields to put in front, with the line ends of the message."""
    from zegel.front import sign as front_sign
    from zegel.grammar.message import split_fields, split_message

    split = split_message(message, header_bytes=_HEADER_BYTES)
    keys = find(split.fields)
    try:
        made = front_sign(
            message,
            keys,
            canonicalization=options.canonicalization or _USUAL_FORM,
            headers=list(options.headers) if options.headers is not None else None,
            identity=options.identity,
            expire=options.expire,
            now=options.now,
        )
    except ValueError as error:
        raise NotSignedError(str(error)) from None
    fields, _malformed = split_fields(made)
    end = b"\n" if split.normalized else b"\r\n"
    return keys, [(field.raw + b"\r\n").replace(b"\r\n", end) for field in fields]
