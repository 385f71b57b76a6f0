"""The settings of a site in words for people, one for one: ``zegel site show`` and ``zegel site change`` say the same of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.store.sites import Site


def labels() -> dict[str, str]:
    """The settings in the order in which they are shown, each with its label."""
    return {
        "organisation": _("Organisation"),
        "address": _("Sends as"),
        "senders": _("May send as besides"),
        "foreign_from": _("Mail in other names"),
        "would_fail": _("Mail that would not pass"),
        "recipients": _("May write to"),
        "networks": _("Comes from"),
        "unix_user": _("User of this system"),
        "rate": _("Messages an hour"),
        "visitor_rate": _("Messages an hour of one visitor"),
        "contact": _("Hears of failures"),
    }


def shown(site: Site, setting: str) -> str:
    """What a setting of a site is."""
    value = getattr(site, setting)
    match setting:
        case "foreign_from":
            return _("is corrected") if value == "correct" else _("is refused")
        case "would_fail":
            return _("is sent, with a warning") if value == "warn" else _("is refused")
        case "rate" | "visitor_rate":
            return str(value or _("no bound"))
        case "recipients":
            return ", ".join(value) or _("anybody")
        case "networks":
            return ", ".join(value) or _("anywhere")
        case "senders":
            return ", ".join(value) or "-"
    return value or "-"
