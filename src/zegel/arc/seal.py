"""Sealing: one more ARC set on a message, in three stages: header, body chunks, finish. RFC 8617 5.1. Nobody seals unless told to.

``cv=`` and the ``arc`` result are taken from the chain's own validation and from nowhere else, so that what failed is never sealed as good;
a chain that was failed before gets no further set. The other results are what the caller found itself on receipt: fields of the message are
never read for them, since anybody may have written these.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from zegel.arc import chain as chains
from zegel.arc.chain import NAMES, SealedText
from zegel.arc.result import ArcReason, ArcResult, ArcStatus
from zegel.arc.signature import MAX_INSTANCE, Seal, format_message_signature, format_seal
from zegel.authres.model import AuthenticationResults, MethodResult
from zegel.dkim.bodyhash import BodyHashes
from zegel.dkim.canonical import FIELD_FORMS, relaxed_field
from zegel.dkim.crypto import Key
from zegel.dkim.header import Header, Layout
from zegel.dkim.sign import choose_fields
from zegel.dkim.signature import CANONICALIZATIONS, Signature, format_signature, key_question
from zegel.grammar.domain import Domain
from zegel.grammar.message import CRLF, Field, is_well_formed_name

_MAX_SIGNATURES = 20  # DKIM-Signature fields that are signed: beyond that h= would grow with what a stranger sends (RFC 8617 9.1)
# RFC 8617 4.1.2: "MUST NOT be included in AMS signatures", "MUST NOT be included in the list".
NEVER_SIGNED = frozenset(("authentication-results", *NAMES))


@dataclass(frozen=True, slots=True)
class SealStyle:
    """How the message signature is written. ``headers`` replaces the choice of fields. ValueError for what the RFC forbids."""

    canonicalization: str = "relaxed/relaxed"
    headers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.canonicalization not in CANONICALIZATIONS:
            raise ValueError(f"canonicalization is one of {', '.join(sorted(CANONICALIZATIONS))}, not {self.canonicalization!r}")
        names = [name.lower() for name in self.headers or ("from",)]
        if not all(is_well_formed_name(name.encode()) and ";" not in name for name in names):
            raise ValueError("headers holds names of header fields, without colon or space")
        if "from" not in names:
            raise ValueError('headers must hold "from" (RFC 6376 5.4)')
        if NEVER_SIGNED.intersection(names):
            raise ValueError("headers must not hold Authentication-Results or an ARC field (RFC 8617 4.1.2)")


class Sealing:
    """The sealing of one message.

    Make it when the header is complete, with all other changes made (RFC 8617 5.1, step 1); give every chunk of the body to :meth:`feed`,
    or share ``bodies``, which their giver feeds and finishes; then :meth:`finish` gives the three fields of the set, to be put in front of
    the message in that order, or none where the chain cannot go on. ``results`` is what we found on receipt, ``chain`` the validation of
    this message's chain then, ``now`` seconds since the epoch. ValueError for a message without From or with lines that are no field, for
    results that say something else of the chain than ``chain``, and for a chain that is not the one that was validated.
    """

    def __init__(
        self,
        header: Header,
        key: Key,
        results: AuthenticationResults,
        chain: ArcResult,
        style: SealStyle,
        *,
        now: int,
        bodies: BodyHashes | None = None,
    ) -> None:
        self._header = header
        if header.malformed:
            raise ValueError("the header has lines that are no field; what is not RFC 5322 cannot be signed (RFC 6376 3.8)")
        if not header.layout.places("from"):
            raise ValueError("the message has no From field; a message signature must sign one (RFC 6376 5.4)")
        self._key, self._now, self._chain = key, now, chain
        self._found = chains.read(header)
        _same_chain(self._found, chain)
        self._results = _with_chain(results, chain)
        self._header_form, self._body_form = CANONICALIZATIONS[style.canonicalization]
        self._names = tuple(name.lower() for name in style.headers) if style.headers is not None else _choose(header.layout)
        self._shared = bodies is not None
        self._bodies = bodies if bodies is not None else BodyHashes()
        self._body = self._bodies.want(self._body_form, None)

    @property
    def instance(self) -> int | None:
        """The number of the new set (RFC 8617 5.1, step 3), or None where there can be none: the chain was failed before, or is full."""
        # Step 2: "If the message already contains [...] the most recent AS reporting "cv=fail", there is no need to proceed".
        # RFC 8617 5.1.3: "Once broken, the chain cannot be continued".
        if self._chain.reason is ArcReason.FAILED_BEFORE or self._found.highest >= MAX_INSTANCE:
            return None
        return self._found.highest + 1

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        self._bodies.feed(chunk)

    def finish(self) -> list[Field]:
        """The ARC-Seal, ARC-Message-Signature and ARC-Authentication-Results fields, or none. Call it once. RFC 8617 5.1, step 4."""
        instance = self.instance
        if instance is None:
            return []
        if not self._shared:
            self._bodies.finish()
        results = Field(b"ARC-Authentication-Results", f" i={instance};".encode() + self._results.format())
        message = self._sign_message(instance)
        # RFC 8617 5.1.2: a failed chain's seal covers "only [...] the ARC Set header fields created by the MTA that detected" it.
        before = [item.lines for item in self._found.sets] if self._chain.status is ArcStatus.PASS else []
        value = format_seal(instance, Seal(self._chain.status, self._signature((), b"")))
        seal = Field(b"ARC-Seal", value)
        own = (relaxed_field(results), relaxed_field(message), relaxed_field(seal))
        data = SealedText([*before, own]).signed_by(len(before))
        return [seal._replace(value=value + format_signature(self._key.sign(data))), message, results]

    def _sign_message(self, instance: int) -> Field:
        value = format_message_signature(instance, self._signature(self._names, self._body.digest()))
        field = Field(b"ARC-Message-Signature", value)
        signed = self._header.lines(self._header_form, self._header.layout.picked(self._names))
        data = CRLF.join([*signed, FIELD_FORMS[self._header_form](field)])
        return field._replace(value=value + format_signature(self._key.sign(data)))

    def _signature(self, headers: tuple[str, ...], digest: bytes) -> Signature:
        domain, selector = Domain(self._key.domain), Domain(self._key.selector)
        return Signature(
            algorithm=self._key.algorithm,
            signature=b"",
            body_hash=digest,
            header_canonicalization=self._header_form,
            body_canonicalization=self._body_form,
            domain=domain,
            selector=selector,
            headers=headers,
            identity=f"@{domain}",
            identity_domain=domain,
            key=key_question(domain, selector),
            timestamp=self._now,
        )


def _same_chain(found: chains.Chain, chain: ArcResult) -> None:
    """Refuse to seal a chain as something that it is not: the validation must be this chain's, and hold for its structure."""
    if chain.status is ArcStatus.NONE:
        same = not found.highest and found.reason is None
    elif chain.status is ArcStatus.PASS:
        told = [item._replace(testing=False) for item in chain.instances]
        same = found.reason is None and told == [item.told() for item in found.sets]
    else:
        same = bool(found.highest or found.reason)
    if not same:
        raise ValueError("the chain on the message is not the one that was validated")


def _with_chain(results: AuthenticationResults, chain: ArcResult) -> AuthenticationResults:
    """The results with the chain's own among them: RFC 8617 4.1.1 wants all that we found, and 6 the chain's status as "arc"."""
    said = {word.result for word in results.results if word.method == "arc"}
    if said - {str(chain.status)}:
        raise ValueError(f"the results say arc={min(said - {str(chain.status)})}, the chain says {chain.status}")
    return results if said else replace(results, results=(MethodResult("arc", str(chain.status)), *results.results))


def _choose(layout: Layout) -> tuple[str, ...]:
    """What DKIM would sign (RFC 8617 9.5, against replays), and the DKIM-Signature fields that are there (RFC 8617 4.1.2: SHOULD)."""
    signatures = min(len(layout.places("dkim-signature")), _MAX_SIGNATURES)
    return (*choose_fields(layout), *["dkim-signature"] * signatures)
