"""Who a visitor of a site is when his messages are counted: one mailbox, whatever tag he writes into its address.

Most mail servers deliver ``jan+1@example.org`` and ``jan+2@example.org`` to ``jan@example.org``: whoever has one mailbox has as many
addresses as he likes. So they count as one. Where a server knows no tags, two people whose names differ behind a plus share a bound.
Other conventions (a hyphen, dots that do not matter) are of single providers, and elsewhere part of the name: they are left alone.
This is for counting only. Nothing is sent to what is returned here, and no address is changed.
"""

from __future__ import annotations


def untagged(address: str) -> str:
    """The address without the tag of its local part; one with nothing before its plus stays as it is. Letter case is the caller's."""
    local, at, domain = address.rpartition("@")
    # A tag with a space or a sign in it puts the local part in quotes; the mailbox is the same without them.
    mailbox, plus, _tag = local.removeprefix('"').partition("+")
    return f"{mailbox}{at}{domain}" if plus and mailbox else address
