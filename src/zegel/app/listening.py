"""Why an address cannot be listened on, in words that tell what to do."""

from __future__ import annotations

import errno

from zegel.words import N_, SpokenError


class ListenError(SpokenError):
    """An address of the configuration cannot be listened on; the text says why, and what to do."""


def cannot_listen(address: str, error: OSError, *, for_metrics: bool = False, for_sites: bool = False) -> ListenError:
    """The error for an address, from what the system said."""
    taken = error.errno == errno.EADDRINUSE
    if for_metrics and taken:
        sentence = N_(
            "cannot listen on {address} for metrics: it is taken. Another Zegel may be running: zegel status; if not, set metrics.listen "
            "in zegel.toml"
        )
    elif for_metrics:
        sentence = N_('cannot listen on {address} for metrics: {error}; set metrics.listen in zegel.toml, or "" to switch it off')
    elif for_sites and taken:
        sentence = N_(
            "cannot listen on {address} for mail of sites: it is taken, by Postfix maybe (submission in master.cf); set another port under "
            "[relay] in zegel.toml"
        )
    elif taken:
        sentence = N_(
            "cannot listen on {address}: it is taken. Another Zegel may be running: zegel status; if not, set milter.listen in zegel.toml"
        )
    else:
        sentence = N_("cannot listen on {address}: {error}")
    return ListenError(sentence, address=address, error=error.strerror or error)
