"""The front door, sync: what :mod:`zegel` exports. It holds no logic: it hands bytes to the core and drives its dialogues."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from itertools import count
from typing import Any, TypeVar

from zegel.adapters.converse import AsyncResolver, Budget, converse
from zegel.adapters.resolver import SystemResolver
from zegel.adapters.zone import Zone
from zegel.arc.result import ArcResult
from zegel.arc.verify import verify_message as verify_chain
from zegel.ask import OUT_OF_BUDGET, Answer, Dialogue, Question, rehearse
from zegel.authres.model import AuthenticationResults
from zegel.authres.parse import parse
from zegel.dkim.crypto import Key
from zegel.dkim.result import DkimResult
from zegel.dkim.sign import Style, sign_message
from zegel.dkim.verify import verify_message
from zegel.dmarc.evaluate import check_author
from zegel.dmarc.result import DmarcResult
from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.spf.evaluate import check
from zegel.spf.result import SpfCheck
from zegel.verdict.authenticate import Verdict, authenticate_message, shared
from zegel.verdict.evidence import Evidence
from zegel.verdict.own import Names
from zegel.verdict.policy import Mode, Site
from zegel.verdict.rules import Rule

R = TypeVar("R")
_USUAL = Limits()
_STYLE = Style()


def sign(
    message: bytes,
    key: Key | list[Key],
    *,
    canonicalization: str = "relaxed/relaxed",
    headers: list[str] | None = None,
    identity: str | None = None,
    expire: int | None = None,
    now: float | None = None,
) -> bytes:
    """Sign a message with one key, or with several for one signature each. RFC 6376 5.

    Returns the DKIM-Signature field(s), each ending in CRLF, in the order of the keys: put them in front of the message. ``headers`` names
    the fields to sign instead of the choice made here; ``identity`` is ``i=``; ``expire`` the seconds that the signature holds; ``now``
    seconds since the epoch. A message with LF is signed as it will travel, with CRLF: make that of it before the signature is put in
    front. Raises ValueError for a message without From or an option that cannot be, TypeError for what is no bytes, key or list.
    """
    if isinstance(headers, str):
        raise TypeError("headers is a list of names")
    keys = [key] if isinstance(key, Key) else list(key)
    if not all(isinstance(item, Key) for item in keys):
        raise TypeError("key must be a zegel.Key or a list of them")
    if canonicalization == _STYLE.canonicalization and headers is None and identity is None and expire is None:
        style = _STYLE
    else:
        style = Style(canonicalization, tuple(headers) if headers is not None else None, identity, expire)
    return sign_message(message, keys, style, now=int(time.time() if now is None else now))


def verify(
    message: bytes, *, resolver: AsyncResolver | None = None, now: float | None = None, limits: Limits | None = None
) -> list[DkimResult]:
    """Verify every DKIM signature of a message. RFC 6376 6.

    ``message`` is bytes with CRLF (or with LF only); ``resolver`` a :class:`Zone`, a :class:`zegel.Resolver` or what has its ``resolve``
    (None: the system's name servers); ``now`` seconds since the epoch. Returns one result for each signature in header order, [] for an
    unsigned message. Raises TypeError for a message that is not bytes; trouble with the message or DNS is a result.
    """
    limits = limits or _USUAL
    return drive(verify_message(message, now=time.time() if now is None else now, limits=limits), resolver, limits)


def verify_arc(
    message: bytes, *, resolver: AsyncResolver | None = None, now: float | None = None, limits: Limits | None = None
) -> ArcResult:
    """Validate the Authenticated Received Chain of a message. RFC 8617 5.2.

    The parameters are those of :func:`verify`. Returns ``.status`` ("none", "pass" or "fail"), ``.reason`` and ``.instances``, the sets
    from 1 up. A pass says that the chain holds, not that its sealers tell the truth. Raises TypeError for a message that is not bytes.
    """
    limits = limits or Limits()
    return drive(verify_chain(message, now=time.time() if now is None else now, limits=limits), resolver, limits)


def parse_authentication_results(field: str | bytes, *, lenient: bool = False) -> AuthenticationResults:
    """Read an Authentication-Results field, with its name or its value alone. RFC 8601 2.2.

    Returns ``.authserv_id``, ``.version`` and ``.results``, each with ``.method .version .result .reason`` and ``.properties``, a tuple of
    (ptype, property, value). ``lenient`` also takes what large providers write against the grammar. Raises ValueError when it is not one.
    """
    return parse(field, lenient=lenient)


def check_dmarc(
    author_domain: str,
    *,
    spf: tuple[str, str] | None = None,
    dkim: Sequence[tuple[str, str]] = (),
    resolver: AsyncResolver | None = None,
    psl: bool = False,
    limits: Limits | None = None,
) -> DmarcResult:
    """Judge an author domain by what SPF and DKIM said. RFC 9989 5.3.

    ``author_domain`` is the domain of the one From address; ``spf`` the result for the MAIL FROM identity, and each of ``dkim`` the result
    for one signature, as ("pass", "example.org"): any other word than "pass" authenticates nothing. ``psl=True`` gives the answer of
    RFC 7489 too. Raises TypeError for what is no text or no pair; trouble with a domain, a record or DNS is a result.
    """
    return drive(check_author(author_domain, spf, dkim, psl=psl), resolver, limits or _USUAL)


def check_spf(
    *,
    ip: str,
    helo: str,
    mail_from: str,
    resolver: AsyncResolver | None = None,
    receiver: str = "unknown",
    now: float | None = None,
    default_explanation: str | None = None,
    limits: Limits | None = None,
) -> SpfCheck:
    """Check if a host may send for a domain: HELO and MAIL FROM, two results. RFC 7208.

    ``ip`` is the address of the SMTP client as text, ``helo`` its HELO name and ``mail_from`` the reverse-path, "" or "<>" for the empty
    one; ``receiver`` is our own name (the macro r), ``now`` seconds since the epoch, and ``default_explanation`` what a sender that fails
    is told when its domain says nothing. ``resolver`` as in :func:`verify`. Raises TypeError for what is no text; trouble with a record or
    DNS is a result.
    """
    limits = limits or _USUAL
    dialogue = check(
        ip=ip,
        helo=helo,
        mail_from=mail_from,
        receiver=receiver,
        now=time.time() if now is None else now,
        default_explanation=default_explanation,
    )
    return drive(dialogue, resolver, limits)


def authenticate(
    message: bytes,
    *,
    ip: str,
    helo: str,
    mail_from: str,
    resolver: AsyncResolver | None = None,
    now: float | None = None,
    authserv_id: str | None = None,
    own_domains: Iterable[str] = (),
    trusted_sealers: Iterable[str] = (),
    mode: str = "observe",
    rules: Sequence[Rule] = (),
    limits: Limits | None = None,
) -> Verdict:
    """Check an inbound message by SPF, DKIM, ARC and DMARC, and tell what happens to it. RFC 9989 5.3.

    ``ip``, ``helo`` and ``mail_from`` are as in :func:`check_spf`, ``message``, ``resolver`` and ``now`` as in :func:`verify`.
    ``authserv_id`` is our own name, ``own_domains`` are ours with all below them, ``trusted_sealers`` those whose ARC seals count, and
    ``rules`` what this site knows better. ``mode`` is "observe", "quarantine" or "reject" and changes ``.action`` only. Returns ``.spf
    .dkim .arc .dmarc .action .story``. Raises TypeError or ValueError for arguments that cannot be; trouble with the message or DNS is a
    result.
    """
    limits = limits or _USUAL
    evidence = Evidence(ip, helo, mail_from, authserv_id=authserv_id or "unknown", now=time.time() if now is None else now)
    dialogue = authenticate_message(message, evidence, site(own_domains, trusted_sealers, mode, rules), limits)
    return drive(dialogue, resolver, shared(limits))


def site(own_domains: Iterable[str], trusted_sealers: Iterable[str], mode: str, rules: Sequence[Rule]) -> Site:
    """What a site has decided. Raises ValueError for a mode or domain that is none, TypeError for what is no rule or no list."""
    if isinstance(own_domains, str) or isinstance(trusted_sealers, str):
        raise TypeError("own_domains and trusted_sealers are lists of names")  # of one text, each letter is a domain
    if not all(isinstance(rule, Rule) for rule in rules):
        raise TypeError("rules are zegel.Rule values: zegel.Rule.read(...)")
    own, sealers = (tuple(map(Domain.parse, names)) for names in (own_domains, trusted_sealers))
    if mode not in list(Mode):
        raise ValueError(f"mode is one of {', '.join(Mode)}, not {mode!r}")
    return Site(Mode(mode), own_domains=Names(own), trusted_sealers=frozenset(sealers), rules=tuple(rules))


def drive(dialogue: Dialogue[R], resolver: AsyncResolver | None, limits: Limits) -> R:
    """Run a dialogue to its end from sync code: offline at once, otherwise in an event loop of its own."""
    if isinstance(resolver, Zone):
        return rehearse(dialogue, _counted(resolver, limits.questions))

    return _run(ask(dialogue, resolver, limits))


async def ask(dialogue: Dialogue[R], resolver: AsyncResolver | None, limits: Limits) -> R:
    """Run a dialogue to its end in the running loop; None asks the system's name servers. Raises TypeError for what cannot be asked."""
    if resolver is not None and not callable(getattr(resolver, "resolve", None)):
        raise TypeError("resolver is a zegel.Resolver, a zegel.Zone, or what has an async resolve(question)")
    return await converse(dialogue, resolver or SystemResolver(), Budget(limits))


def _counted(zone: Zone, questions: int) -> Callable[[Question], Answer]:
    """The answers of a zone, until the number of questions is used up."""
    numbers = count()
    return lambda question: zone.answer(question) if next(numbers) < questions else OUT_OF_BUDGET


def _run(work: Coroutine[Any, Any, R]) -> R:
    """``asyncio.run``, in a thread of its own when this thread's loop is running already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    outcome: list[R] = []
    trouble: list[BaseException] = []

    def target() -> None:
        try:
            outcome.append(asyncio.run(work))
        except BaseException as error:
            trouble.append(error)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    thread.join()
    if trouble:
        raise trouble[0]
    return outcome[0]
