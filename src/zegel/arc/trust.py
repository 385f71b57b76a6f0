"""What a chain is worth to us: nothing, unless it holds and its newest sealers are on our own list. RFC 8617 7.2.1 and 9.4.

A chain proves who said what, never that it is true: whoever has a domain can seal a lie. So an assessment counts only from a sealer that a
person has listed, under a chain that passes, with no stranger behind it who could have changed the message. It gives no verdict; it says
what a verdict may rely on, and the reason that a report then states.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from zegel.arc.result import ArcInstance, ArcResult, ArcStatus
from zegel.authres.model import PTYPES, VERSION, AuthenticationResults, MethodResult
from zegel.grammar.domain import Domain

TRUSTED_FORWARDER = "trusted_forwarder"  # RFC 9990's word for such an override in a report


class Override(NamedTuple):
    """A DMARC failure that a trusted sealer explains: it saw ``dmarc=pass`` for the author domain before it changed the message.

    ``sealer`` and ``instance`` say whose word it is; ``result`` is that word; ``comment`` is for the report (RFC 8617 7.2.2).
    """

    sealer: Domain
    instance: int
    result: MethodResult
    comment: str
    reason: str = TRUSTED_FORWARDER


def believed(result: ArcResult, sealers: Collection[Domain]) -> tuple[ArcInstance, ...]:
    """The sets whose assessment may be believed, newest first: from the newest on, as long as the sealers are on the list.

    ``sealers`` holds domains that a person trusts, each for itself and nothing below it. Empty unless the chain passes, and empty when its
    newest message signature leaves something open to change (``ArcResult.open``). A domain that only tests its key (``t=y``,
    RFC 6376 3.6.1) is trusted with nothing, and what lies before a stranger is hearsay.
    """
    if result.status is not ArcStatus.PASS or result.open:
        return ()
    trusted: list[ArcInstance] = []
    for item in reversed(result.instances):
        if item.domain not in sealers or item.testing:
            break
        trusted.append(item)
    return tuple(trusted)


def override(result: ArcResult, sealers: Collection[Domain], author_domain: Domain, *, remote_ip: str = "") -> Override | None:
    """Tell if a trusted sealer's chain gives an override for a message of ``author_domain`` that fails DMARC, and whose word that is.

    The oldest believed set that says anything about DMARC for this author domain decides: it saw the message first. Anything but one plain
    ``dmarc=pass`` there gives None. ``remote_ip`` is the address that the message came from first, when known, for the comment.
    """
    for item in reversed(believed(result, sealers)):
        said = _said_of(item.results, author_domain)
        if said:
            if all(word.result == "pass" for word in said):
                return Override(item.domain, item.instance, said[0], comment(result, remote_ip))
            return None
    return None


def _said_of(results: AuthenticationResults | None, author_domain: Domain) -> list[MethodResult]:
    """The DMARC results for that domain, whatever other methods stand beside (RFC 8601 2.7.6).

    Nothing is taken of another version of the method (RFC 8601 2.6), nor with a property of a type that is not registered (RFC 8601 2.3).
    """
    return [
        word
        for word in (results.results if results else ())
        if word.method == "dmarc"
        and word.version == VERSION
        and PTYPES.issuperset(item.ptype for item in word.properties)
        and _is_domain(word.value("header", "from"), author_domain)
    ]


def _is_domain(value: str | None, domain: Domain) -> bool:
    try:
        return value is not None and Domain.parse(value) == domain
    except ValueError:
        return False


def comment(result: ArcResult, remote_ip: str = "") -> str:
    """What a report says of the chain: its status, the domain and selector of each seal, and the first address. RFC 8617 7.2.2."""
    parts = [f"arc={result.status}"]
    for item in reversed(result.instances):
        parts += [f"as[{item.instance}].d={item.domain}", f"as[{item.instance}].s={item.selector}"]
    address = remote_ip or _remote_ip(result.instances)
    return " ".join([*parts, f"remote-ip[1]={address}"] if address else parts)


def _remote_ip(instances: Sequence[ArcInstance]) -> str:
    """``smtp.remote-ip`` of the first set's own arc result. RFC 8617 6. It is only letters of an address, or nothing."""
    said = instances[0].results if instances else None
    found = next((value for word in (said.results if said else ()) if (value := word.value("smtp", "remote-ip"))), "")
    return found if len(found) <= 45 and not found.strip("0123456789abcdefABCDEF.:") else ""
