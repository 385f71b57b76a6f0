"""What a key waits for, in a sentence: where its record is seen, and what comes next when."""

from __future__ import annotations

from collections.abc import Callable

from zegel.rollout import life
from zegel.rollout.life import MISSES, UNAVAILABLE, Times
from zegel.store.keys import KeyState, StoredKey
from zegel.words import N_, Sentence


def waits_for(key: StoredKey, *, now: int, times: Times, when: Callable[[int], str]) -> Sentence | None:
    """Return what is waited for or wrong, None where all is well. ``when`` writes a time for people."""
    key = life.settled(key, now)
    match key.state:
        case KeyState.PENDING:
            return _pending(key, when)
        case KeyState.VISIBLE:
            return Sentence(N_("takes over at the next look") if key.succession else N_("a spare: may sign at any time"))
        case KeyState.ACTIVE:
            return _active(key, when)
        case KeyState.RETIRING:
            return _retiring(key, times, when)
        case KeyState.REVOKED:
            return _revoked(key, now, times, when)
        case KeyState.REMOVED:
            return Sentence(N_("its private half is still kept")) if key.has_private else None


def _pending(key: StoredKey, when: Callable[[int], str]) -> Sentence:
    if key.looked is None:
        return Sentence(N_("its record has not been looked for yet"))
    if key.served is not None:
        values = {"count": key.servers, "since": when(key.served), "then": when(key.served + key.wait)}
        if key.succession:
            return Sentence(N_("visible at all servers ({count}) since {since}; signs from {then} on"), **values)
        return Sentence(N_("visible at all servers ({count}) since {since}; may sign from {then} on"), **values)
    if key.trouble == UNAVAILABLE or not key.servers:
        return Sentence(N_("not all name servers answer"))
    return Sentence(N_("visible at {serving} of {servers} servers"), serving=key.serving, servers=key.servers)


def _active(key: StoredKey, when: Callable[[int], str]) -> Sentence | None:
    if not key.trouble:
        return None
    if key.misses >= MISSES and key.missing is not None:
        return Sentence(N_("its record is missing at all servers since {since}: publish it"), since=when(key.missing))
    if key.trouble == UNAVAILABLE:
        return Sentence(N_("not all name servers answer"))
    return Sentence(N_("visible at {serving} of {servers} servers"), serving=key.serving, servers=key.servers)


def _retiring(key: StoredKey, times: Times, when: Callable[[int], str]) -> Sentence:
    until = when(key.keep_until if key.keep_until is not None else (key.retired or 0) + times.retiring)
    if key.trouble and key.trouble != UNAVAILABLE:
        sentence = N_("its record must stay until {until}, and is at {serving} of {servers} servers")
        return Sentence(sentence, until=until, serving=key.serving, servers=key.servers)
    return Sentence(N_("its record stays until {until}"), until=until)


def _revoked(key: StoredKey, now: int, times: Times, when: Callable[[int], str]) -> Sentence:
    if key.withdrawn:
        return Sentence(N_("take its record out of DNS"))
    until = when((key.revoked or now) + times.revoked)
    if key.trouble == "not_revoked":
        return Sentence(N_("change its record to an empty p=; it stays so until {until}"), until=until)
    return Sentence(N_("its record says so until {until}"), until=until)
