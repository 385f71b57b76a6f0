"""The front door, async: the same names as :mod:`zegel`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from functools import partial

from zegel import front
from zegel.adapters.converse import AsyncResolver
from zegel.adapters.resolver import Resolver
from zegel.arc.result import ArcResult
from zegel.arc.verify import verify_message as verify_chain
from zegel.dkim.crypto import Key
from zegel.dkim.result import DkimResult
from zegel.dkim.verify import verify_message
from zegel.dmarc.evaluate import check_author
from zegel.dmarc.result import DmarcResult
from zegel.limits import Limits
from zegel.spf.evaluate import check
from zegel.spf.result import SpfCheck
from zegel.verdict.authenticate import Verdict, authenticate_message, shared
from zegel.verdict.evidence import Evidence
from zegel.verdict.rules import Rule

__all__ = ["Key", "Limits", "Resolver", "authenticate", "check_dmarc", "check_spf", "sign", "verify", "verify_arc"]


async def verify(
    message: bytes, *, resolver: AsyncResolver | None = None, now: float | None = None, limits: Limits | None = None
) -> list[DkimResult]:
    """Verify every DKIM signature of a message: see :func:`zegel.verify`."""
    limits = limits or Limits()
    dialogue = verify_message(message, now=time.time() if now is None else now, limits=limits)
    return await front.ask(dialogue, resolver, limits)


async def verify_arc(
    message: bytes, *, resolver: AsyncResolver | None = None, now: float | None = None, limits: Limits | None = None
) -> ArcResult:
    """Validate the Authenticated Received Chain of a message: see :func:`zegel.verify_arc`."""
    limits = limits or Limits()
    dialogue = verify_chain(message, now=time.time() if now is None else now, limits=limits)
    return await front.ask(dialogue, resolver, limits)


async def check_dmarc(
    author_domain: str,
    *,
    spf: tuple[str, str] | None = None,
    dkim: Sequence[tuple[str, str]] = (),
    resolver: AsyncResolver | None = None,
    psl: bool = False,
    limits: Limits | None = None,
) -> DmarcResult:
    """Judge an author domain by what SPF and DKIM said: see :func:`zegel.check_dmarc`."""
    return await front.ask(check_author(author_domain, spf, dkim, psl=psl), resolver, limits or Limits())


async def check_spf(
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
    """Check if a host may send for a domain: see :func:`zegel.check_spf`."""
    dialogue = check(
        ip=ip,
        helo=helo,
        mail_from=mail_from,
        receiver=receiver,
        now=time.time() if now is None else now,
        default_explanation=default_explanation,
    )
    return await front.ask(dialogue, resolver, limits or Limits())


async def authenticate(
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
    """Check an inbound message by SPF, DKIM, ARC and DMARC, and tell what happens to it: see :func:`zegel.authenticate`."""
    limits = limits or Limits()
    evidence = Evidence(ip, helo, mail_from, authserv_id=authserv_id or "unknown", now=time.time() if now is None else now)
    dialogue = authenticate_message(message, evidence, front.site(own_domains, trusted_sealers, mode, rules), limits)
    return await front.ask(dialogue, resolver, shared(limits))


async def sign(
    message: bytes,
    key: Key | list[Key],
    *,
    canonicalization: str = "relaxed/relaxed",
    headers: list[str] | None = None,
    identity: str | None = None,
    expire: int | None = None,
    now: float | None = None,
) -> bytes:
    """Sign a message: see :func:`zegel.sign`. It runs in a thread: an RSA signature takes a quarter of a millisecond."""
    work = partial(front.sign, message, key, canonicalization=canonicalization, headers=headers, identity=identity, expire=expire, now=now)
    return await asyncio.to_thread(work)
