"""What is looked at in SPF: each point with its id, the section that it comes from, and why it matters."""

from __future__ import annotations

from zegel.check.item import Point
from zegel.words import N_


class SpfPoint(Point):
    """What is looked at in SPF."""

    RECORD = (
        "spf.record",
        "RFC 7208 4.5",
        N_("without exactly one SPF record, receivers cannot tell your servers from anybody else's"),
    )
    VERSION = ("spf.version", "RFC 7208 4.5", N_("a record counts only when it begins with v=spf1 and a space, with nothing in front"))
    LEFTOVER = (
        "spf.leftover",
        "RFC 7208 3.1",
        N_("Sender ID and the record type SPF are given up: nobody reads them, and they are forgotten when the record changes"),
    )
    SYNTAX = ("spf.syntax", "RFC 7208 4.6", N_("one term that is wrong spoils the whole record: receivers take it for a permanent error"))
    ALL = ("spf.all", "RFC 7208 5.1", N_("the end of the record says what holds for all hosts that are not named"))
    AFTER_ALL = ("spf.after_all", "RFC 7208 5.1", N_("what stands behind all is never tested: who wrote it thinks that it works"))
    MODIFIER = ("spf.modifier", "RFC 7208 6", N_("what is not known is ignored; often it is another record, pasted into this one"))
    LOOKUPS = ("spf.lookups", "RFC 7208 4.6.4", N_("after ten terms that ask DNS, receivers stop with a permanent error: SPF fails then"))
    VOIDS = (
        "spf.voids",
        "RFC 7208 4.6.4",
        N_("after two look-ups that find nothing, receivers may stop with a permanent error"),
    )
    INCLUDE = (
        "spf.include",
        "RFC 7208 5.2",
        N_("an include or redirect that leads to no record is a permanent error; a name that anybody can register is an open door"),
    )
    TERM = ("spf.term", "RFC 7208 5", N_("a term that finds nothing lets nobody in, and costs a look-up"))
    PTR = ("spf.ptr", "RFC 7208 5.5", N_("ptr is slow, and depends on who owns the address: it should not be used"))
    MACROS = (
        "spf.macros",
        "RFC 7208 7.2",
        N_("what a term lets in depends on each message; HELO and the sender's name are words that the sender chooses"),
    )
    SIZE = (
        "spf.size",
        "RFC 7208 11.4",
        N_("whoever gets hold of one of these addresses passes SPF as you; the fewer there are, the better"),
    )
    SHARED = (
        "spf.shared",
        "RFC 7208 11.4",
        N_("its other customers send from the same addresses: SPF cannot tell you from them, but DKIM can"),
    )
    HELO = ("spf.helo", "RFC 7208 10.1.3", N_("a bounce has no sender: receivers check the name that its server gives in HELO"))
    EXPLANATION = (
        "spf.explanation",
        "RFC 7208 6.2",
        N_("an explanation that cannot be read is left out: senders that fail are not told why"),
    )
    LENGTH = (
        "spf.length",
        "RFC 7208 3.4",
        N_("an answer that does not fit in one packet is asked for again over TCP, and some networks lose it"),
    )
