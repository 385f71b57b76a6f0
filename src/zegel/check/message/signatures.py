"""The DKIM signatures of a message, one by one: whose they are, if they hold, and how well they are made. RFC 6376, RFC 8301.

A signature that verifies may still be weak: a short key, a body that is only partly signed, a From that another one can be added to, an
end that comes before the mail does. Each of these is an item of its own, with what to set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zegel.check.item import Area, Item, Level, Value
from zegel.dkim.header import Header
from zegel.dkim.result import DkimReason, DkimResult, DkimStatus
from zegel.dkim.sign import SIGNED
from zegel.dkim.signature import Signature, SignatureError, parse
from zegel.grammar.encodedword import printable
from zegel.verdict.authenticate import Verdict
from zegel.words import N_, Sentence

MAX_SHOWN = 10
_GOOD_BITS = 2048  # RFC 8301 3.2: "SHOULD use RSA keys of at least 2048 bits"
_QUEUE_DAYS, _DAY = 5, 86_400  # how long mail may wait in queues
_AHEAD = 300  # seconds that clocks may differ
_EXPECTED = ("from", "to", "subject", "date", "message-id", "mime-version", "content-type")  # of RFC 6376 5.4.1, what readers rely on
_LIST = tuple(name for name in SIGNED if name.startswith("list-"))


class Seen(NamedTuple):
    """One signature: its result, and its value where that can be read."""

    result: DkimResult
    signature: Signature | None
    field: bytes


def read(header: Header, results: Sequence[DkimResult]) -> list[Seen]:
    """The signatures with their results, in header order, at most so many."""
    found = []
    for place, result in zip(header.layout.places("dkim-signature")[:MAX_SHOWN], results, strict=False):
        (line,) = header.lines("relaxed", (place,))
        value = line.partition(b":")[2]
        try:
            found.append(Seen(result, parse(value), value))
        except SignatureError:
            found.append(Seen(result, None, value))
    return found


def items(header: Header, verdict: Verdict, found: Sequence[Seen]) -> list[Item]:
    """What there is to say of all signatures."""
    if not verdict.dkim:
        shown = Sentence(N_("the message has no DKIM signature"))
        why = Sentence(N_("without one, mail fails DMARC as soon as it is forwarded"))
        step = Sentence(N_("let the server or the service that sends it sign with {tag}"), tag=f"d={verdict.author.domain or 'example.be'}")
        return [Item("message.dkim", Area.DKIM, Level.FAIL, shown, why, step=step)]
    listed = []
    for number, seen in enumerate(found):
        aligned = number < len(verdict.dmarc.aligned_dkim) and verdict.dmarc.aligned_dkim[number]
        listed.append(_result(seen, aligned=aligned))
        if seen.signature is not None:
            listed += filter(None, (check(header, seen, seen.signature, verdict.evidence.now) for check in _CHECKS))
    return [*listed, *_algorithms(verdict), *_lists(header, verdict)]


def _result(seen: Seen, *, aligned: bool) -> Item:
    result = seen.result
    values: dict[str, Value] = {"status": str(result.status), "reason": result.reason.id, "aligned": aligned}
    values |= {"domain": str(result.domain or ""), "selector": result.selector or "", "bits": result.key_bits or 0}
    shown = Sentence(N_("signature of {domain}: {status}"), domain=result.domain or "?", status=result.status)
    why = None
    level = Level.PASS if result.status is DkimStatus.PASS else Level.FAIL
    if level is Level.FAIL:
        detail = printable(result.detail, longest=120)
        reason = Sentence(result.reason.sentence)
        why = Sentence("{reason} ({detail})", reason=reason, detail=detail) if detail else reason
    step = _STEPS.get(result.reason)
    return Item("message.dkim.signature", Area.DKIM, level, shown, why, _told(seen), step=Sentence(step) if step else None, values=values)


def _told(seen: Seen) -> tuple[str, ...]:
    """The signature in two lines: its terms, and what it signs."""
    result, signature = seen.result, seen.signature
    if signature is None:
        return (printable(seen.field.decode("utf-8", "replace"), longest=200),)
    terms = [f"d={signature.domain}", f"s={signature.selector}", f"a={signature.algorithm}"]
    terms.append(f"c={signature.header_canonicalization}/{signature.body_canonicalization}")
    terms += [f"{name}={value}" for name, value in (("l", signature.length), ("t", signature.timestamp), ("x", signature.expire)) if value]
    if result.key_bits:
        terms.append(f"{result.key_bits} bit")
    return "; ".join(terms), printable("h=" + ":".join(signature.headers[:60]), longest=400)


_ROTATE = N_("make a new key of 2048 bits and let it sign: zegel key rotate")
_PUBLISH = N_("publish the key record at the name of the selector, or let the server sign with a key that is published")
_STEPS = {
    DkimReason.KEY_NOT_FOUND: _PUBLISH,
    DkimReason.KEY_REVOKED: N_("let the server sign with the new key: this one was taken back in DNS (p= is empty)"),
    DkimReason.KEY_SYNTAX: N_("publish the key record again: what DNS has is cut or spoilt; zegel domain records shows it as it must be"),
    DkimReason.KEY_TOO_SHORT: _ROTATE,
    DkimReason.ALGORITHM_SHA1: N_("let the server sign with rsa-sha256"),
    DkimReason.SIGNATURE_MISMATCH: N_(
        "compare the published key with the server's own, and look what changes the header after it was signed"
    ),
    DkimReason.BODY_CHANGED: N_("let the message be signed by the last server that changes it"),
    DkimReason.EXPIRED: N_("let the signer set x= later, or not at all: queues live for five days"),
    DkimReason.FIELD_ADDED: N_("let the signer name From, To, Subject and the like once more than they are there (oversigning)"),
    DkimReason.BODY_PARTLY_SIGNED: N_("let the signer leave out l=, so that the whole body is signed"),
}


def _bits(header: Header, seen: Seen, signature: Signature, now: float) -> Item | None:
    bits = seen.result.key_bits
    if not bits or signature.key_type != "rsa":
        return None
    values: dict[str, Value] = {"bits": bits, "selector": str(signature.selector)}
    shown = Sentence(N_("the RSA key {selector} has {bits} bits"), selector=signature.selector, bits=bits)
    if bits >= _GOOD_BITS:
        return Item("message.dkim.bits", Area.DKIM, Level.PASS, shown, values=values)
    level = Level.WARN if bits >= 1024 else Level.FAIL
    why = Sentence(N_("RFC 8301 asks for at least 2048; under 1024 no receiver may count it"))
    return Item("message.dkim.bits", Area.DKIM, level, shown, why, step=Sentence(_ROTATE), values=values)


def _length(header: Header, seen: Seen, signature: Signature, now: float) -> Item | None:
    if signature.length is None:
        return None
    shown = Sentence(
        N_("the signature of {domain} signs only the first {count} octets of the body (l=)"),
        domain=signature.domain,
        count=signature.length,
    )
    why = Sentence(N_("anybody can write something behind it, and the signature still holds (RFC 6376 8.2)"))
    step = Sentence(_STEPS[DkimReason.BODY_PARTLY_SIGNED])
    return Item("message.dkim.length", Area.DKIM, Level.FAIL, shown, why, step=step)


def _times(header: Header, seen: Seen, signature: Signature, now: float) -> Item | None:
    made, end = signature.timestamp, signature.expire
    if made is not None and made > now + _AHEAD:
        shown = Sentence(
            N_("the signature of {domain} is from the future by {seconds} seconds (t=)"), domain=signature.domain, seconds=int(made - now)
        )
        step = Sentence(N_("set the clock of the server that signs"))
        return Item("message.dkim.times", Area.DKIM, Level.WARN, shown, step=step)
    if end is None:
        return None
    if made is not None and end - made < _QUEUE_DAYS * _DAY:
        hours = (end - made) // 3600
        shown = Sentence(N_("the signature of {domain} holds for {hours} hours (x=)"), domain=signature.domain, hours=hours)
        why = Sentence(N_("short ends hinder replay, but mail waits in queues for up to five days"))
        return Item("message.dkim.times", Area.DKIM, Level.INFO, shown, why)
    return None


def _oversigned(header: Header, seen: Seen, signature: Signature, now: float) -> Item:
    here = len(header.layout.places("from"))
    domain = signature.domain
    if signature.headers.count("from") > here:
        shown = Sentence(N_("{domain} signs From once more than it is there: no second one can be added"), domain=domain)
        return Item("message.dkim.oversigned", Area.DKIM, Level.PASS, shown)
    shown = Sentence(N_("{domain} signs From only as often as it is there"), domain=domain)
    why = Sentence(N_("a second From can be put in front, which some readers show (RFC 6376 8.15)"))
    step = Sentence(N_("let the signer name From twice in h= (OpenDKIM: {setting})"), setting="OversignHeaders From")
    return Item("message.dkim.oversigned", Area.DKIM, Level.WARN, shown, why, step=step)


def _unsigned(header: Header, seen: Seen, signature: Signature, now: float) -> Item | None:
    open_ = [name for name in _EXPECTED if name not in signature.headers and header.layout.places(name)]
    if not open_:
        return None
    shown = Sentence(N_("the signature of {domain} leaves open: {names}"), domain=signature.domain, names=", ".join(open_))
    why = Sentence(N_("what is not signed can be changed on the way"))
    return Item("message.dkim.unsigned", Area.DKIM, Level.WARN, shown, why, step=Sentence(N_("let the signer name these fields in h=")))


def _form(header: Header, seen: Seen, signature: Signature, now: float) -> Item | None:
    if signature.header_canonicalization == "relaxed":
        return None
    shown = Sentence(N_("{domain} signs the header in its simple form"), domain=signature.domain)
    why = Sentence(N_("one server that folds a line otherwise breaks it"))
    step = Sentence(N_("let the signer use {setting}"), setting="c=relaxed/relaxed")
    return Item("message.dkim.form", Area.DKIM, Level.WARN, shown, why, step=step)


def _testing(header: Header, seen: Seen, signature: Signature, now: float) -> Item | None:
    if not seen.result.testing:
        return None
    shown = Sentence(N_("the key of {domain} says that it only tests (t=y)"), domain=signature.domain)
    why = Sentence(N_("receivers then treat the mail as unsigned (RFC 6376 3.6.1)"))
    return Item("message.dkim.testing", Area.DKIM, Level.FAIL, shown, why, step=Sentence(N_("take t=y out of the key record")))


_CHECKS = (_bits, _length, _times, _oversigned, _unsigned, _form, _testing)


def _algorithms(verdict: Verdict) -> list[Item]:
    """Ed25519 alone: not every receiver knows it, so RSA signs beside it. RFC 8463 6."""
    passing = [result for result in verdict.dkim if result.status is DkimStatus.PASS]
    if not passing or any(result.algorithm == "rsa-sha256" for result in passing):
        return []
    shown = Sentence(N_("only Ed25519 signs this message"))
    why = Sentence(N_("many receivers know RSA alone, and see no signature that they can check (RFC 8463 6)"))
    step = Sentence(N_("sign with an RSA key as well: one signature for each"))
    return [Item("message.dkim.algorithm", Area.DKIM, Level.WARN, shown, why, step=step)]


def _lists(header: Header, verdict: Verdict) -> list[Item]:
    """The fields for mailing lists that no valid signature covers. RFC 8058 4 wants two of them signed, and all can be forged."""
    here = [name for name in _LIST if header.layout.places(name)]
    passing = [result for result in verdict.dkim if result.status is DkimStatus.PASS]
    if not here or not passing:
        return []
    open_ = [name for name in here if not any(name in result.signed_fields for result in passing)]
    if not open_:
        shown = Sentence(N_("the fields for lists are signed: {names}"), names=", ".join(here))
        return [Item("message.dkim.lists", Area.DKIM, Level.PASS, shown)]
    shown = Sentence(N_("fields for lists that no valid signature covers: {names}"), names=", ".join(open_))
    return [Item("message.dkim.lists", Area.DKIM, Level.WARN, shown, step=Sentence(N_("let the signer name these fields in h=")))]
