"""Looks at a mail server as a sender meets it: connects, greets, goes under TLS, and notes the certificate that it shows.

RFC 3207 4.2, RFC 8461 4.2. No mail is sent. The first handshake asks whether an authority is believed; where none is, a second one takes
any certificate, so that it can be said what is wrong and whether TLSA fits (RFC 7672 3.1). A last one offers nothing newer than TLS 1.1.
The name is judged by who reads what was met. Servers are strangers: only addresses that the whole Internet has are connected to, each
server once, and all of it is bounded in seconds and in octets.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import ssl
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from zegel.adapters.certificate import Link, read_chain
from zegel.adapters.smtpwire import Wire, WireError, connect
from zegel.smtp.answer import extensions
from zegel.words import N_, Sentence

_AT_ONCE = 16
_MAX_KEPT = 10_000
_MAX_ADDRESSES = 2
_OURS = ("NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE")  # this machine's OpenSSL does not offer it


class Way(NamedTuple):
    """How servers are connected to: the seconds for one server and for one wait, the port, whose certificates are believed (None: the
    system's authorities), and whether local addresses may be connected to.
    """

    seconds: float = 60.0
    wait: float = 15.0
    port: int = 25
    context: ssl.SSLContext | None = None
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Met:
    """What a server showed. ``trouble`` is a stable id, empty where it went under TLS: ``unreachable``, ``refused`` (it greets nobody, or
    not us), ``no_starttls`` or ``tls`` (it offers TLS, and the handshake fails); ``told`` says more.

    ``version`` is the version of TLS, such as "TLSv1.3". ``distrust`` is why an authority is not believed, empty when one is. ``chain`` is
    what it showed, its own certificate first, and ``whole`` False where this Python tells of that one alone. ``old`` tells if it takes TLS
    1.1 or older too, None where nobody knows. ``at`` is when, in seconds since the epoch.
    """

    host: str
    trouble: str = ""
    told: Sentence | str = ""
    version: str = ""
    distrust: str = ""
    chain: tuple[Link, ...] = ()
    whole: bool = True
    old: bool | None = None
    at: float = 0.0


class _RefusedError(Exception):
    """It does not come to TLS: ``trouble`` and what it said."""

    def __init__(self, trouble: str, told: str = "") -> None:
        super().__init__(trouble)
        self.trouble, self.told = trouble, told


class MailHosts:
    """Meets servers, each once, however many domains have it; some at a time. For one event loop."""

    def __init__(self, way: Way = Way(), clock: Callable[[], float] = time.time) -> None:  # noqa: B008 - a value
        self._way, self._clock = way, clock
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._met: dict[tuple[str, tuple[str, ...]], asyncio.Task[Met]] = {}

    async def meet(self, host: str, addresses: Sequence[str]) -> Met:
        """Meet one server at its addresses. Trouble is told in the answer, never raised."""
        key = (host, tuple(addresses))
        if key not in self._met:
            if len(self._met) >= _MAX_KEPT:
                self._met.clear()
            self._met[key] = asyncio.create_task(self._meet(*key))
        return await self._met[key]

    async def _meet(self, host: str, addresses: Sequence[str]) -> Met:
        wanted = [one for one in addresses if self._way.anywhere or ipaddress.ip_address(one).is_global]
        if not wanted:
            return Met(host, "unreachable", Sentence(N_("it has no address outside local networks")))
        met = Met(host, "unreachable")
        async with self._turns:
            for address in wanted[:_MAX_ADDRESSES]:
                try:
                    async with asyncio.timeout(self._way.seconds):
                        met = await self._at(host, address)
                except TimeoutError:
                    met = Met(host, "unreachable", Sentence(N_("no end within {seconds} seconds"), seconds=round(self._way.seconds)))
                if met.trouble != "unreachable":
                    break
        return replace(met, at=self._clock())

    async def _at(self, host: str, address: str) -> Met:
        try:
            met = await self._under_tls(host, address, self._way.context or _context(verify=True))
        except _RefusedError as error:
            if error.trouble != "tls":
                return Met(host, error.trouble, error.told)
            met = await self._unverified(host, address, error)
        try:
            await self._under_tls(host, address, _context(old=True))
        except _RefusedError as error:
            known = error.trouble == "tls" and getattr(_cause(error), "reason", None) not in _OURS
            return replace(met, old=False if known else None)
        return replace(met, old=True)

    async def _unverified(self, host: str, address: str, why: _RefusedError) -> Met:
        """The certificate that is not believed."""
        cause = _cause(why)
        if not isinstance(cause, ssl.SSLCertVerificationError):
            return Met(host, "tls", why.told)
        try:
            return replace(await self._under_tls(host, address, _context()), distrust=cause.verify_message)
        except _RefusedError as error:
            return Met(host, error.trouble, error.told)

    async def _under_tls(self, host: str, address: str, context: ssl.SSLContext) -> Met:
        """One connection up to its handshake. Raises _RefusedError."""
        wait = self._way.wait
        try:
            wire = await connect(address, self._way.port, wait)
        except WireError as error:
            raise _RefusedError("unreachable", str(error)) from error
        try:
            await _greeted(wire, wait)
            try:
                await wire.start_tls(context, host, wait)
            except WireError as error:
                raise _RefusedError("tls", str(error)) from error
            return _shown(host, wire.known("ssl_object"))
        except WireError as error:
            raise _RefusedError("unreachable", str(error)) from error
        finally:
            wire.abort()


async def _greeted(wire: Wire, wait: float) -> None:
    """Greet, and ask for TLS. In EHLO stands our address: this may be any machine (RFC 5321 4.1.4). Raises _RefusedError, WireError."""
    greeting = await wire.answer(wait)
    if not greeting.ok:
        raise _RefusedError("refused", greeting.text)
    here = str(wire.known("sockname")[0])
    wire.write(f"EHLO [{f'IPv6:{here}' if ':' in here else here}]\r\n".encode())
    answer = await wire.answer(wait)
    if not answer.ok and answer.code not in (500, 502):
        raise _RefusedError("refused", answer.text)
    if not answer.ok or "STARTTLS" not in extensions(answer):
        raise _RefusedError("no_starttls", answer.text)
    wire.write(b"STARTTLS\r\n")
    answer = await wire.answer(wait)
    if answer.code != 220:
        raise _RefusedError("tls", answer.text)


def _cause(error: _RefusedError) -> BaseException | None:
    """What OpenSSL said, below what the wire made of it."""
    return error.__cause__.__cause__ if error.__cause__ else None


def _shown(host: str, tls: ssl.SSLObject) -> Met:
    own = tls.getpeercert(binary_form=True)
    shown = _unverified_chain(tls)
    try:
        chain = read_chain(shown or ([own] if own else []))
    except ValueError as error:
        return Met(host, "tls", f"its certificate cannot be read: {error}")
    return Met(host, version=tls.version() or "", chain=chain, whole=bool(shown))


def _unverified_chain(tls: ssl.SSLObject) -> list[bytes]:
    """All certificates that were shown; empty where this Python does not tell. Before 3.13 only what lies below SSLObject does."""
    public = getattr(tls, "get_unverified_chain", None)
    if public is not None:
        return [bytes(der) for der in public() or ()]
    below = getattr(getattr(tls, "_sslobj", None), "get_unverified_chain", None)
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in below() or ()] if below is not None else []


@functools.cache
def _context(*, verify: bool = False, old: bool = False) -> ssl.SSLContext:
    """A context that takes any name, and without ``verify`` any certificate: what is seen is only looked at, and nothing is sent. ``old``:
    nothing newer than TLS 1.1.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    if not verify:
        context.verify_mode = ssl.CERT_NONE
    if old:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it is offered to hear that it is refused
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context
