"""What a checker tells about a DMARC Policy Record that readers tolerate. RFC 9989 4.7 and 4.8.

A fault changes no verdict by itself: the record's value already holds what is left after it. These are the words for the owner.
"""

from __future__ import annotations

from typing import NamedTuple

from zegel.reason import Reason
from zegel.words import N_


class Fault(Reason):
    """What is to be told of one part of a record: ``id``, ``section`` and a sentence for people."""

    NO_TAG = ("no_tag", "RFC 9989 4.8", N_("a part is no tag=value and is ignored"))
    TAG_UNKNOWN = ("tag_unknown", "RFC 9989 4.7", N_("a tag that DMARC does not know is ignored; names are in lower case"))
    TAG_TWICE = ("tag_twice", "RFC 9989 4.8", N_("a tag is there more than once, so that none of them counts"))
    VALUE = ("value", "RFC 9989 4.8", N_("a value that the tag does not allow is ignored"))
    POLICY_MISSING = ("policy_missing", "RFC 9989 4.10.1", N_("there is no valid p="))
    POLICY_NOT_SECOND = ("policy_not_second", "RFC 7489 6.3", N_("p= is not the second tag, where older readers want it"))
    URI = (
        "uri",
        "RFC 9989 4.8",
        N_("a report address is no URI and is ignored; write mailto: in front, and encode commas and exclamation marks"),
    )
    URI_SCHEME = ("uri_scheme", "RFC 9989 4.7", N_("a report address that is no mail address; receivers ignore it"))
    URI_SIZE = ("uri_size", "RFC 9989 4.8", N_("the size limit of a report address is obsolete and ignored"))
    OPTIONS_UNUSED = ("options_unused", "RFC 9989 4.7", N_("fo= has no meaning without ruf="))
    HISTORIC = ("historic", "RFC 9989 9.3", N_("a historic tag is ignored, but older readers may still follow it"))


class Note(NamedTuple):
    """A fault, the tag that it is in ("" for what is no tag), and the text at fault, cut to 100 characters."""

    fault: Fault
    tag: str
    value: str
