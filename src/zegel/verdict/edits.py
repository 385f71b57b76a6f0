"""The header edits that follow from the results: fields that forge our name go (RFC 8601 5), ours comes on top (RFC 6376 6.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zegel.arc.result import ArcResult, ArcStatus
from zegel.authres import claim
from zegel.authres.model import AuthenticationResults, MethodResult, Property
from zegel.dkim.result import DkimResult, DkimStatus
from zegel.milter.edits import DeleteHeader, Edit, InsertHeader

FIELD = b"Authentication-Results"
_KEY = b"authentication-results"
_MAX_RESULTS = 20
_TOP = 0


class Claims:
    """The Authentication-Results fields of one message, as they come by: which of them claim our name.

    It sees every field, those past the header bound too: a forged field must not hide behind a long header (RFC 8601 7.1), nor behind the
    white space before the colon that RFC 5322 4.5 has readers take.
    """

    __slots__ = ("_count", "_forged", "ours")

    def __init__(self) -> None:
        self._count = 0
        self._forged: list[int] = []
        self.ours = False  # one of them carries our authserv-id, readably

    def see(self, fields: Iterable[tuple[bytes, bytes]], authserv_id: str) -> None:
        """Take the next fields of the header. ``authserv_id`` is ours, as :func:`zegel.authres.claim.normal` gives it."""
        for name, value in fields:
            if len(name) < len(_KEY) or name.rstrip(b" \t").lower() != _KEY:
                continue
            self._count += 1
            if claim.claims(value, authserv_id):
                self._forged.append(self._count)
                self.ours = self.ours or claim.authserv_id(value) == authserv_id

    @property
    def count(self) -> int:
        """How many fields claim our name."""
        return len(self._forged)

    def removals(self) -> list[Edit]:
        """Deletions of the fields that claim our name, highest index first: the mail server counts anew after each."""
        return [DeleteHeader(index, FIELD) for index in reversed(self._forged)]


def results_field(authserv_id: str, results: Sequence[DkimResult]) -> Edit:
    """Our own field, for the very top of the header: it is a trace field, and the topmost is the latest. RFC 8601 4.1 and 7.3."""
    methods = tuple(map(dkim_method, results[:_MAX_RESULTS])) or (MethodResult("dkim", DkimStatus.NONE),)
    return InsertHeader(_TOP, FIELD, AuthenticationResults(authserv_id, methods).format())


def dkim_method(result: DkimResult) -> MethodResult:
    """One DKIM result as the field has it: RFC 8601 2.7.1, with header.s and header.a, and header.b of RFC 6008 4.

    header.d is always told, header.i only where it says more (RFC 6376 3.11); every failure with its exact reason (RFC 6376 6.3).
    """
    values = (
        ("d", result.domain or ""),
        ("i", result.identity if result.identity and result.identity != f"@{result.domain}" else ""),
        ("s", result.selector or ""),
        ("a", result.algorithm or ""),
        ("b", result.signature_start or ""),
    )
    properties = tuple(Property("header", name, value) for name, value in values if value)
    reason = "" if result.status is DkimStatus.PASS else result.explanation
    if result.testing:
        reason = f"{reason}, the key says that the domain only tests (t=y)".removeprefix(", ")
    return MethodResult("dkim", result.status, reason, properties)


def arc_method(result: ArcResult, *, remote_ip: str = "") -> MethodResult:
    """The chain's result as the field has it. RFC 8617 6: "header.oldest-pass", and "smtp.remote-ip" of the client that relayed to us."""
    oldest = "" if result.oldest_pass is None else str(result.oldest_pass)
    values = (("header", "oldest-pass", oldest), ("smtp", "remote-ip", remote_ip))
    properties = tuple(Property(*value) for value in values if value[2])
    return MethodResult("arc", result.status, result.explanation if result.status is ArcStatus.FAIL else "", properties)
