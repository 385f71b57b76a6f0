"""Puts Zegel into Postfix's lists of milters, once, at the right place, and opendkim out of them.

The place: where opendkim was; else before opendmarc, which reads our results; else last, so that the signature covers what the other
milters changed. What the administrator wrote otherwise stays as it stands, in its own words. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from zegel.postfix import milterlist
from zegel.postfix.maincf import Service, Settings
from zegel.postfix.opendkim import is_opendkim, is_opendmarc

PROTOCOL = 6


class Lists:
    """The lists of milters as they become: ``address`` is ours in Postfix's words, ``opendkim`` what its own configuration names."""

    def __init__(self, settings: Settings, address: str, opendkim: tuple[str, ...]) -> None:
        self.address, self.opendkim, self.queue = address, opendkim, settings.queue_directory
        self.own_entry = own_entry(settings, address)

    def is_ours(self, address: str) -> bool:
        """Whether an entry leads to Zegel."""
        return milterlist.same(address, self.address, self.queue)

    def is_opendkim(self, address: str) -> bool:
        """Whether an entry leads to opendkim."""
        return not self.is_ours(address) and is_opendkim(address, self.opendkim, self.queue)

    def rewritten(self, before: str, parameters: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
        """The list with us in it once and without opendkim, and what was removed; the same text when nothing has to change."""
        tokens: list[str] = []
        removed: list[str] = []
        place: int | None = None
        ours = False
        for token in milterlist.split(before):
            inner = [milterlist.entry(text) for text in milterlist.split(milterlist.expand(token, parameters))]
            keep: list[str] = []
            for entry in inner:
                if self.is_opendkim(entry.address):
                    removed.append(entry.text)
                    place = len(tokens) + len(keep) if place is None else place
                elif not self.is_ours(entry.address):
                    keep.append(entry.text)
                elif not ours:
                    keep.append(entry.text if token != entry.text else self._kept(entry))
                    ours = True
            tokens.extend([token] if keep == [entry.text for entry in inner] else keep)
        if not ours:
            tokens.insert(_last_place(tokens, parameters) if place is None else place, self.own_entry)
        return (before if tuple(tokens) == milterlist.split(before) else ", ".join(tokens)), tuple(removed)

    def _kept(self, entry: milterlist.Entry) -> str:
        """Our entry as it stands, when it has options of its own (the administrator's word) or only spells our host otherwise."""
        plain = self.own_entry == self.address
        return entry.text if entry.options or (plain and not self.address.startswith("unix:")) else self.own_entry


def _last_place(tokens: list[str], parameters: Mapping[str, str]) -> int:
    for number, token in enumerate(tokens):
        if any(is_opendmarc(entry.address) for entry in milterlist.entries(token, parameters)):
            return number
    return len(tokens)


def own_entry(settings: Settings, address: str) -> str:
    """Our entry; in braces where the settings for all milters are not what we need, so that the other milters keep theirs."""
    options = []
    if protocol_of(settings) < PROTOCOL:
        options.append(f"protocol={PROTOCOL}")
    if settings.expanded.get("milter_default_action", "tempfail") != "tempfail":
        options.append("default_action=tempfail")
    return f"{{ {', '.join((address, *options))} }}" if options else address


def protocol_of(settings: Settings) -> int:
    """The milter protocol version that Postfix speaks by default."""
    number = re.match(r"\d+", settings.expanded.get("milter_protocol", str(PROTOCOL)))
    return int(number[0]) if number else 0


def without_spaces(value: str) -> str:
    """A list of milters as ``postconf -P`` takes it: commas only, within braces too."""
    return re.sub(r"(?<=\{),|,(?=\})", "", re.sub(r"[,\s]+", ",", value.strip()))


def is_reinjection(service: Service) -> bool:
    """Whether a listener looks like the way back from a content filter: its settings say so, or it sits on one of amavis' usual ports."""
    overrides = service.overrides
    host, _, port = service.name.rpartition(":")
    says_so = overrides.get("content_filter", "-") == "" or "no_address_mappings" in overrides.get("receive_override_options", "")
    return service.kind == "inet" and (says_so or (host.strip("[]") in ("127.0.0.1", "localhost", "::1") and port in ("10025", "10026")))
