"""Shows what to publish: the name and the value of each record, in the spellings that zone files and web forms want."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zegel.cli import screen
from zegel.cli.words import _, told
from zegel.rollout.records import as_split, as_value, as_zone_line

if TYPE_CHECKING:
    from zegel.rollout.records import Record
    from zegel.rollout.wanted import Wanted
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


def purpose(wish: Wanted) -> str:
    """What a record is for, as a heading."""
    if wish.key is not None:
        return _key_heading(wish.key)
    return {
        "dkim": _("DKIM: no selector has a key"),
        "slot": _("DKIM slot: where the key is found"),
        "spf": _("SPF: who may send for this domain"),
        "dmarc": _("DMARC: what receivers do with mail that fails, and where they report"),
        "consent": _("DMARC: consent to take reports of another domain"),
        "mta-sts": _("MTA-STS: mail to this domain is encrypted"),
        "tls-rpt": _("TLS-RPT: reports about encryption"),
        "null-mx": _("Null MX: this domain takes no mail"),
    }[wish.purpose]


def show(key: StoredKey) -> None:
    """Write what to publish for this key. All that is to be copied stands alone on its line."""
    screen.say(_key_heading(key), style="bold")
    from zegel.rollout.keylook import record_of

    _show_record(record_of(key), key.domain)


def _key_heading(key: StoredKey) -> str:
    heading = _("TXT record for the key {selector} of {domain} ({algorithm}, {state})")
    return heading.format(selector=key.selector, domain=key.domain, algorithm=key.algorithm, state=state_word(key.state))


def show_wanted(wish: Wanted, domain: str) -> None:
    """Write what to publish for one record of a domain."""
    screen.say(purpose(wish), style="bold")
    if wish.note is not None:
        screen.say(told(wish.note), style="dim")
    _show_record(wish.record, domain)


def _show_record(record: Record, domain: str) -> None:
    if record.name == domain or record.name.endswith(f".{domain}"):
        screen.say(_("Name, within {domain}:").format(domain=domain), style="dim")
        screen.exact(record.relative_to(domain))
    screen.say(_("Name, in full:"), style="dim")
    screen.exact(record.name)
    if record.type != "TXT":
        screen.say(_("Type:"), style="dim")
        screen.exact(record.type)
    screen.say(_("Value, for a web form (one line, without quotes):"), style="dim")
    screen.exact(as_value(record))
    screen.say(_("The same for a zone file (one record, also where it has several strings):"), style="dim")
    screen.exact(as_zone_line(record))


def as_json(key: StoredKey) -> dict[str, Any]:
    """What to publish for a key, as a value for JSON."""
    from zegel.rollout.keylook import record_of

    return {"selector": key.selector, "algorithm": key.algorithm, "state": str(key.state)} | _record_json(record_of(key), key.domain)


def wanted_json(wish: Wanted, zone: str) -> dict[str, Any]:
    """One record as a value for JSON; those of keys have the key too."""
    found: dict[str, Any] = {"purpose": str(wish.purpose)}
    if wish.key is not None:
        found |= {"selector": wish.key.selector, "algorithm": wish.key.algorithm, "state": str(wish.key.state)}
    return found | _record_json(wish.record, zone)


def relative(record: Record, zone: str) -> str:
    """The name within a zone, or in full with its final dot where it is not in it."""
    try:
        return record.relative_to(zone)
    except ValueError:
        return f"{record.name}."


def _record_json(record: Record, zone: str) -> dict[str, Any]:
    return {
        "name": record.name,
        "relative_name": relative(record, zone),
        "type": record.type,
        "strings": list(record.strings),
        "value": as_value(record),
        "split": as_split(record),
        "zone_line": as_zone_line(record),
    }
