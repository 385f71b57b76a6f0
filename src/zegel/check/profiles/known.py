"""The profiles that there are, and the states of a domain that they ask for."""

from __future__ import annotations

from collections.abc import Iterable

from zegel.check.message.examine import MessageReport
from zegel.check.profiles import governments, internetnl
from zegel.check.profiles.governments import BELGIUM, BOD_18_01
from zegel.check.profiles.internetnl import INTERNET_NL
from zegel.check.profiles.profile import Outcome, Profile, answer
from zegel.check.profiles.providers import GOOGLE, MICROSOFT, YAHOO
from zegel.check.report import Report

PROFILES = {profile.name: profile for profile in (GOOGLE, YAHOO, MICROSOFT, INTERNET_NL, BOD_18_01, BELGIUM)}
_FEDERAL = ("gov", "mil", "fed.us")


def states(report: Report) -> frozenset[str]:
    """What is so of a domain, for tests that then do not apply."""
    facts, found = report.facts, set()
    record = facts.dmarc.record
    if record is not None and internetnl.takes_for_no_mail(record.text.encode("utf-8", "replace"), spf_refuses_all=facts.spf.sends_nothing):
        found.add(internetnl.NO_MAIL)
    if not facts.mx.receives:
        found.add(internetnl.NO_MX)
    if facts.parked:
        found.add(governments.NO_MAIL)
    if not any(report.domain.within(suffix) for suffix in _FEDERAL):
        found.add(governments.NOT_FEDERAL)
    return frozenset(found)


def of_domain(report: Report, profiles: Iterable[Profile]) -> tuple[Outcome, ...]:
    """The outcomes for a domain."""
    in_states = states(report)
    return tuple(answer(profile, report.items, in_states) for profile in profiles)


def of_message(report: MessageReport, profiles: Iterable[Profile]) -> tuple[Outcome, ...]:
    """The outcomes for a test mail: what only a domain's own records tell is not tested."""
    return tuple(answer(profile, report.items, (governments.NOT_FEDERAL,)) for profile in profiles)
