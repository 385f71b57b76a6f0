"""``zegel site test``: one mail along the way that the site's own mail takes, over real SMTP, and what became of it at each step."""

from __future__ import annotations

import re
import smtplib
import ssl
import sys
import time
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zegel.cli import place, screen
from zegel.cli.place import Place
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.store.search import Message
    from zegel.store.sites import Site

_SECONDS = 30.0
_RECORD_SECONDS = 15.0  # the record is written within seconds, and the next hop may take its time
_QUEUED = re.compile(r"queued as (\w+)(?:; (.*))?", re.DOTALL)
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - listened on by others, connected to by us
_MAX_SECRET = 256


def trial(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="SITE", help=_("The name of the site, as zegel site list has it."))],
    to: Annotated[str | None, typer.Option(metavar="ADDRESS", help=_("Whom the mail is for; the site's contact without it."))] = None,
    sender: Annotated[
        str | None, typer.Option("--from", metavar="ADDRESS", help=_("Whom it is from; another's shows the correction."))
    ] = None,
    way: Annotated[Literal["starttls", "tls", "loopback"] | None, typer.Option(help=_("By which kind of listener."))] = None,
    secret_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_("A file with the secret, - for standard input; it is asked for without one."))
    ] = None,
) -> None:
    """Send a test mail and report."""
    here = place.of(ctx)
    with here.store_to_look() as store, store.reading() as tx:
        from zegel.store import sites

        found = sites.get(tx, name)
    listener = _listener(here, way)
    secret = "" if listener.kind == "loopback" else _secret(secret_file)
    try:
        reply = _send(listener, found, secret, to or found.contact, sender or found.address)
    except (OSError, smtplib.SMTPException) as error:
        _step(Mark.WRONG, _failed(error))
        raise typer.Exit(1) from None
    if not _told(here, reply):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Listener:
    """Where it goes."""

    kind: str
    host: str
    port: int
    hostname: str


def _listener(here: Place, way: str | None) -> _Listener:
    from zegel.config import listen_address

    relay = here.read_config().relay
    for kind in (way,) if way else ("starttls", "tls", "loopback"):
        for address in getattr(relay, kind)[:1]:
            wanted = listen_address(address)
            return _Listener(kind, _WILDCARDS.get(wanted.host, wanted.host), wanted.port, relay.hostname)
    raise Refusal(_("there is no such listener; set relay.{way} in {file}").format(way=way or "starttls", file=here.config_file))


def _secret(file: Path | None) -> str:
    if file is None:
        if not sys.stdin.isatty():
            raise Refusal(_("the secret is needed, as the site has it: --secret-file FILE, or - for standard input"))
        return str(typer.prompt(_("Secret of the site"), hide_input=True)).strip()
    if str(file) == "-":
        return sys.stdin.readline(_MAX_SECRET).strip()
    with file.open(encoding="utf-8") as opened:
        return opened.readline(_MAX_SECRET).strip()


class _Client(smtplib.SMTP):
    """A client that checks the certificate for the name that sites have, wherever it connects to."""

    def __init__(self, listener: _Listener) -> None:
        super().__init__(listener.host, listener.port, timeout=_SECONDS)
        self._host = listener.hostname or listener.host  # what starttls() compares


class _TlsClient(smtplib.SMTP_SSL):
    """The same, below TLS from the first octet."""

    def __init__(self, listener: _Listener, context: ssl.SSLContext) -> None:
        super().__init__(timeout=_SECONDS, context=context)
        self._host = listener.hostname or listener.host
        self.connect(listener.host, listener.port)


def _send(listener: _Listener, site: Site, secret: str, to: str, sender: str) -> str:
    """Go all steps up to the reply to the message. Raises OSError, SMTPException."""
    where = f"{listener.host}:{listener.port}"
    try:
        client = _connected(listener, ssl.create_default_context())
    except ssl.SSLCertVerificationError as error:
        _step(Mark.OK, _("connected to {where}").format(where=where))
        _step(Mark.NOTE, _("TLS: programs that check will not believe the certificate: {error}").format(error=error.verify_message))
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        client = _connected(listener, unchecked)
    else:
        _step(Mark.OK, _("connected to {where}").format(where=where))
        if listener.kind != "loopback":
            _step(Mark.OK, _("TLS: {version}, and the certificate is believed").format(version=_version(client)))
    with client:
        if listener.kind == "loopback":
            _step(Mark.OK, _("no login: the network of this machine is the site's"))
        else:
            client.login(site.name, secret)
            _step(Mark.OK, _("logged in as {name}").format(name=site.name))
        client.ehlo_or_helo_if_needed()
        for code, reply in (client.mail(sender), client.rcpt(to)):
            if code >= 400:
                raise smtplib.SMTPResponseException(code, reply)
        code, reply = client.data(_message(site, to, sender).as_bytes(policy=SMTP))
        if code >= 400:
            raise smtplib.SMTPResponseException(code, reply)
    return reply.decode("ascii", "replace")


def _connected(listener: _Listener, context: ssl.SSLContext) -> smtplib.SMTP:
    if listener.kind == "tls":
        return _TlsClient(listener, context)
    client: smtplib.SMTP = _Client(listener)
    if listener.kind == "starttls":
        try:
            client.starttls(context=context)
        except BaseException:
            client.close()
            raise
    return client


def _version(client: smtplib.SMTP) -> str:
    sock = client.sock
    return str(sock.version()) if isinstance(sock, ssl.SSLSocket) else "-"


def _message(site: Site, to: str, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = sender, to
    message["Subject"] = _("Test of {name} through Zegel").format(name=site.name)
    message["Date"] = format_datetime(localtime())
    message.set_content(_("This mail was sent by the command zegel site test {name}.").format(name=site.name))
    return message


def _told(here: Place, reply: str) -> bool:
    """What became of it afterwards; False when something is wrong."""
    queued = _QUEUED.search(reply)
    if queued is None:
        _step(Mark.NOTE, _("accepted: {reply}").format(reply=reply))
        return True
    queue_id = queued[1]
    _step(Mark.OK, _("accepted, as {queue_id}").format(queue_id=queue_id))
    warnings = [warning for warning in (queued[2] or "").split("; ") if warning]
    with here.store_to_look() as store:
        message, story = _recorded(store, queue_id)
    if message is None:
        _step(Mark.NOTE, _("it is not recorded: see [messages] in zegel.toml"))
    else:
        _steps(message, story)
    for warning in warnings:
        _step(Mark.WRONG, warning)
    return _handed_on(here, queue_id) and not warnings


def _recorded(store: Any, queue_id: str) -> tuple[Message | None, list[Any]]:
    from zegel.store import search

    until = time.monotonic() + _RECORD_SECONDS
    while time.monotonic() < until:
        with store.reading() as tx:
            found = search.find(tx, search.Wanted(queue_id=queue_id), limit=1)
            if found:
                return found[0], search.story(tx, found[0].id) or []
        time.sleep(0.2)
    return None, []


def _steps(message: Message, story: list[Any]) -> None:
    corrected = next((item for item in story if item.get("step") == "corrected"), None)
    if corrected is not None:
        _step(Mark.NOTE, _("the sender was corrected: {original} became {address}").format(**_shown(corrected)))
    else:
        _step(Mark.OK, _("the sender is the site's own"))
    keys = [f"{result.selector}._domainkey.{result.domain}" for result in message.results if result.status == "signed"]
    if keys:
        _step(Mark.OK, _("signed with {keys}").format(keys=", ".join(keys)))
    else:
        _step(Mark.WRONG, _("not signed"))
    judged = next((result for result in message.results if result.method == "dmarc"), None)
    if judged is not None:
        words = {"pass": Mark.OK, "none": Mark.NOTE, "temperror": Mark.NOTE}
        mark = words.get(judged.status, Mark.WRONG)
        _step(mark, _("would it pass at its receivers: DMARC {status} ({reason})").format(status=judged.status, reason=judged.reason))


def _shown(item: dict[str, Any]) -> dict[str, str]:
    return {name: str(item.get(name, "-")) for name in ("original", "address")}


def _handed_on(here: Place, queue_id: str) -> bool:
    """Wait until the next hop has it, for a while."""
    from zegel.store import queue
    from zegel.store.posting import State, number
    from zegel.store.spool import Spool

    identity = number(queue_id)
    until = time.monotonic() + _RECORD_SECONDS
    answer = ""
    with Spool.open(here.data, create=False) as spool:
        while identity is not None and time.monotonic() < until:
            with spool.reading() as tx:
                item = queue.find(tx, identity)
            recipients = item.recipients if item is not None else ()
            answer = next((recipient.answer for recipient in recipients), "")
            states = {recipient.state for recipient in recipients}
            if states == {State.DELIVERED}:
                _step(Mark.OK, _("handed to the next hop: {answer}").format(answer=answer))
                return True
            if State.FAILED in states or State.DROPPED in states:
                _step(Mark.WRONG, _("the next hop refused it: {answer}").format(answer=answer))
                return False
            time.sleep(0.2)
    _step(Mark.NOTE, _("it waits for the next hop: {answer}").format(answer=answer or _("not tried yet")))
    screen.command(here.command(f"outbox show {queue_id}"))
    return True


def _failed(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else str(error.smtp_error)
        return f"{error.smtp_code} {said}"
    return str(error)


def _step(mark: Mark, text: str) -> None:
    screen.marked(mark, text)
