"""Shows what to publish for a key: the name and the value, in the spellings that zone files and web forms want."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zegel.cli import screen
from zegel.cli.words import _
from zegel.rollout.records import as_value, as_zone_line

if TYPE_CHECKING:
    from zegel.store.keys import StoredKey


def state_word(state: str) -> str:
    """The word for people of a key's state."""
    return {
        "pending": _("pending"),
        "visible": _("visible"),
        "active": _("active"),
        "retiring": _("retiring"),
        "revoked": _("revoked"),
        "removed": _("removed"),
    }[state]


def show(key: StoredKey) -> None:
    """Write what to publish for this key. All that is to be copied stands alone on its line."""
    from zegel.rollout.keylook import record_of

    record, zone = record_of(key), _zone(key)
    heading = _("TXT record for the key {selector} of {domain} ({algorithm}, {state})")
    words = {"selector": key.selector, "domain": key.domain, "algorithm": key.algorithm, "state": state_word(key.state)}
    screen.say(heading.format(**words), style="bold")
    screen.say(_("Name, within {domain}:").format(domain=zone), style="dim")
    screen.exact(record.relative_to(zone))
    screen.say(_("Name, in full:"), style="dim")
    screen.exact(record.name)
    screen.say(_("Value, for a web form (one line, without quotes):"), style="dim")
    screen.exact(as_value(record))
    screen.say(_("The same for a zone file (one record, also where it has several strings):"), style="dim")
    screen.exact(as_zone_line(record))


def as_json(key: StoredKey) -> dict[str, Any]:
    """The same as a value for JSON."""
    from zegel.rollout.keylook import record_of

    record = record_of(key)
    return {
        "selector": key.selector,
        "algorithm": key.algorithm,
        "state": str(key.state),
        "name": record.name,
        "relative_name": record.relative_to(_zone(key)),
        "type": record.type,
        "strings": list(record.strings),
        "value": as_value(record),
        "zone_line": as_zone_line(record),
    }


def _zone(key: StoredKey) -> str:
    """Where the record goes: the domain, or for a key in a delegation slot our own zone."""
    return key.slot.split(".", 2)[2] if key.slot else key.domain
