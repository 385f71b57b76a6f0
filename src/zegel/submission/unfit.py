"""Why a message cannot be made ready to be signed: each reason with an id, the section that it comes from, and a sentence for people."""

from __future__ import annotations

from zegel.reason import Reason
from zegel.words import N_, SpokenError


class Unfitness(Reason):
    """What would not reach the next hop as it was signed, and may not be changed either."""

    BARE_LINE_END = ("bare_line_end", "RFC 5321 2.3.8", N_("a CR or LF stands alone; every line of a message ends in CRLF"))
    HEADER_TOO_LARGE = ("header_too_large", "RFC 5322 2.2", N_("the header is larger than {limit} octets, or never ends"))
    NO_HEADER = ("no_header", "RFC 5322 2.2", N_("the message does not begin with a header"))
    NO_FIELD = ("no_field", "RFC 5322 2.2", N_("the header has a line that is no field"))
    FIELD_NUL = ("field_nul", "RFC 5322 2.2", N_("the field {field} has a NUL character"))
    FIELD_NOT_UTF8 = ("field_not_utf8", "RFC 6532 3.1", N_("the field {field} has 8-bit characters that are not UTF-8"))
    FIELD_8BIT = ("field_8bit", "RFC 2047 5", N_("the field {field} has 8-bit characters where none can be encoded"))
    ADDRESS_8BIT = ("address_8bit", "RFC 6532 3.2", N_("the address {address} in {field} needs SMTPUTF8, which the client did not ask for"))
    FIELD_LONG = ("field_long", "RFC 5322 2.1.1", N_("the field {field} has a line over 998 octets that cannot be folded"))
    SIGNED_PART = (
        "signed_part",
        "RFC 1847 2.1",
        N_("a signed part (multipart/signed) has 8-bit data or a line over 998 octets, and may not be changed"),
    )
    MESSAGE_PART = (
        "message_part",
        "RFC 2046 5.2",
        N_("a part of type {type} has 8-bit data or a line over 998 octets, and may not be encoded"),
    )
    NO_BOUNDARY = (
        "no_boundary",
        "RFC 2046 5.1.1",
        N_("a multipart has 8-bit data or a line over 998 octets, and no part in it can be found"),
    )
    NESTED = ("nested", "RFC 2046 5.1.1", N_("parts are nested more than {limit} deep, with 8-bit data or a line over 998 octets in them"))
    TOO_MANY = (
        "too_many_parts",
        "RFC 2046 5.1.1",
        N_("the message has more than {limit} parts, with 8-bit data or a line over 998 octets in them"),
    )
    DOUBTFUL = ("doubtful", "RFC 2045 5.1", N_("a part has 8-bit data or a line over 998 octets, and its {field} can be read in two ways"))
    ENCODING = ("encoding", "RFC 2045 6.4", N_("a part in the encoding {encoding} has 8-bit data or a line over 998 octets"))


class Unfit(SpokenError):  # noqa: N818 - what it says of the message
    """The message cannot be made ready; ``id`` names the reason, the text says it in English."""

    def __init__(self, reason: Unfitness, /, **values: object) -> None:
        super().__init__(reason.sentence, **values)
        self.reason = reason

    @property
    def id(self) -> str:
        """The stable name of the reason, for scripts and counters."""
        return self.reason.id
