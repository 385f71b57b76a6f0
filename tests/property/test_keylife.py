"""The life of keys against a model of its own: clocks that jump, two daemons on one store, servers that lag, lie, change and go away.

The model knows what the servers really had at every look, and real time beside the clock's. Whatever happens: nothing signs that was not
seen at all servers for long enough, nothing that was revoked signs again, and nothing stops signing without proof or an order.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from zegel.grammar.domain import Domain
from zegel.rollout import life
from zegel.rollout.life import Look, Times
from zegel.store import domains, keychanges, keys
from zegel.store.database import Store
from zegel.store.errors import StoreError
from zegel.store.keychanges import OutdatedError
from zegel.store.keys import KeyState, StoredKey, Succession

EXAMPLE = Domain.parse("example.be")
SERVERS = ("ns1", "ns2")
NEGATIVE, OTHER_TTL = 600, 1800
TIMES = Times(retiring=3 * 3600, revoked=2 * 3600, look=60, rest=3600)
_MOST_KEYS = 5
PROOF = 3  # looks in a row
HOUR, DAY, YEAR = 3600, 86_400, 365 * 86_400
START = 1_790_000_000
WAITS = (KeyState.PENDING, KeyState.VISIBLE)


@dataclass
class Seen:
    """One look as it really was: real time, and whether all servers had the record, or all proved that they had not."""

    at: int
    everywhere: bool
    nowhere: bool
    other: bool


@dataclass
class Truth:
    """What the model knows of one key."""

    looks: list[Seen] = field(default_factory=list)
    jumps: int = 0  # of the clock, when the last break in the row of looks was
    revoked: bool = False
    retired_at: int | None = None
    retired_jumps: int = 0


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        shared = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="zegel-life-", dir=shared if shared.is_dir() else None))
        self.store = Store.open(self.folder / "data", now=START)
        self.real, self.offset, self.jumps, self.made = START, 0, 0, 0
        self.dns: dict[tuple[str, str], str] = {}  # (server, selector): key, revoked, other; absent when it is not there
        self.away: set[str] = set()
        self.truth: dict[int, Truth] = {}
        self.stash: dict[int, tuple[StoredKey, list[StoredKey], Look, Seen]] = {}
        with self.store.writing() as tx:
            domains.add(tx, EXAMPLE, now=START)

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    # -- the world --------------------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return max(1, self.real + self.offset)

    def all(self) -> list[StoredKey]:
        with self.store.reading() as tx:
            return keys.all(tx)

    def pick(self, number: int) -> StoredKey | None:
        known = [key for key in self.all() if key.state is not KeyState.REMOVED]
        return known[number % len(known)] if known else None

    @rule(seconds=st.sampled_from([1, 60, 300, 900, HOUR, 2 * HOUR, DAY]))
    def time_passes(self, seconds: int) -> None:
        self.real += seconds

    @rule(seconds=st.sampled_from([-YEAR, -DAY, -HOUR, -60, 60, HOUR, DAY, YEAR, 5 * YEAR]))
    def the_clock_jumps(self, seconds: int) -> None:
        self.offset += seconds
        self.jumps += 1

    @rule()
    def the_clock_is_put_right(self) -> None:
        self.jumps += self.offset != 0
        self.offset = 0

    @rule(number=st.integers(0, 9), server=st.sampled_from(SERVERS), what=st.sampled_from(["key", "revoked", "other", "absent"]))
    def one_server_changes(self, number: int, server: str, what: str) -> None:
        key = self.pick(number)
        if key is not None:
            self.dns[server, key.selector] = what

    @rule(number=st.integers(0, 9), what=st.sampled_from(["key", "key", "key", "revoked", "absent"]))
    def all_servers_change(self, number: int, what: str) -> None:
        key = self.pick(number)
        for server in SERVERS:
            if key is not None:
                self.dns[server, key.selector] = what

    @rule(server=st.sampled_from(SERVERS))
    def a_server_goes_or_comes(self, server: str) -> None:
        self.away ^= {server}

    # -- what people order ------------------------------------------------------------------------------------------------------------

    @initialize(later=st.lists(st.sampled_from(list(Succession)), min_size=1, max_size=2), rounds=st.sampled_from([2, 0, 3]))
    def some_keys(self, later: list[Succession], rounds: int) -> None:
        """One that signs as a rule, and what comes after it."""
        self.a_key_is_made(Succession.PLANNED)
        self.all_goes_well(2, 850, 0)
        for succession in later:
            self.a_key_is_made(succession)
            self.all_goes_well(rounds, 850, 1)

    @rule(succession=st.sampled_from(list(Succession)))
    def a_key_is_made(self, succession: Succession) -> None:
        if self.made == _MOST_KEYS:
            return
        self.made += 1
        with self.store.writing() as tx:
            added = keys.add(tx, EXAMPLE, f"x{self.made}", "rsa2048", b"secret", "AAAA", now=self.now, succession=succession)
        self.truth[added.number] = Truth(jumps=self.jumps)

    @rule(number=st.integers(0, 9), what=st.sampled_from(["retire", "revoke", "remove", "plan", "activate"]))
    def a_person_orders(self, number: int, what: str) -> None:
        key = self.pick(number)
        if key is None:
            return
        before = self.all()
        try:
            with self.store.writing() as tx:
                if what == "retire":
                    keychanges.retire(tx, EXAMPLE, key.selector, now=self.now)
                elif what == "revoke":
                    keychanges.revoke(tx, EXAMPLE, key.selector, now=self.now)
                elif what == "remove":
                    keychanges.remove(tx, EXAMPLE, key.selector, now=self.now)
                elif what == "plan" and key.state in WAITS:
                    keychanges.plan(tx, key, Succession.EMERGENCY, now=self.now)
                elif what == "activate" and key.served is not None:
                    keychanges.activate(tx, EXAMPLE, key.selector, now=self.now)
        except StoreError:
            assert self.all() == before
        else:
            self.note(before)

    # -- two daemons ------------------------------------------------------------------------------------------------------------------

    @rule(daemon=st.integers(0, 1), number=st.integers(0, 9))
    def a_daemon_looks(self, daemon: int, number: int) -> None:
        key = self.pick(number)
        if key is None:
            return
        with self.store.reading() as tx:
            others = keys.siblings(tx, key)
        self.stash[daemon] = (key, others, *self.look(key))

    @rule(daemon=st.integers(0, 1))
    def a_daemon_decides(self, daemon: int) -> None:
        if daemon not in self.stash:
            return
        key, others, look, seen = self.stash.pop(daemon)
        before = self.all()
        now = self.now
        changes = life.step(key, look, others, now=now, times=TIMES)
        try:
            with self.store.writing() as tx:
                keychanges.apply(tx, changes, now=now)
        except OutdatedError:
            assert self.all() == before
            return
        for change in changes:
            event(change.action or "looked")
        truth = self.truth[key.number]
        if not truth.looks or seen.everywhere != truth.looks[-1].everywhere:
            truth.jumps = self.jumps
        truth.looks.append(seen)
        self.judge({key.number: key for key in before}, {key.number: key for key in self.all()}, key)
        self.note(before)

    @rule(daemon=st.integers(0, 1))
    def a_daemon_starts_again(self, daemon: int) -> None:
        self.stash.pop(daemon, None)

    @rule(
        rounds=st.integers(2, 5),
        every=st.sampled_from([850, HOUR]),
        daemon=st.integers(0, 1),
        away=st.sampled_from([frozenset[str](), frozenset(["ns1"])]),
    )
    def all_goes_well(self, rounds: int, every: int, daemon: int, away: frozenset[str] = frozenset()) -> None:
        """DNS has what it should have, but for a server that may not answer."""
        self.away = set(away)
        for _ in range(rounds):
            for key in self.all():
                for server in SERVERS:
                    self.dns[server, key.selector] = "absent" if key.withdrawn else "revoked" if key.state is KeyState.REVOKED else "key"
            self.rounds_go_by(1, every, daemon)

    @rule(daemon=st.integers(0, 1))
    def the_record_of_the_signing_key_is_lost(self, daemon: int) -> None:
        for key in self.all():
            if key.state is KeyState.ACTIVE:
                self.away = set()
                for server in SERVERS:
                    self.dns[server, key.selector] = "absent"
                self.rounds_go_by(4, 300, daemon)

    @rule(rounds=st.integers(2, 5), every=st.sampled_from([60, 300, 850]), daemon=st.integers(0, 1))
    def rounds_go_by(self, rounds: int, every: int, daemon: int) -> None:
        """A daemon looks at all keys, at the signing one last."""
        for _ in range(rounds):
            self.real += every
            for key in self.all():
                if key.state not in (KeyState.REMOVED, KeyState.ACTIVE):
                    self.attend(daemon, key)
            for key in self.all():
                if key.state is KeyState.ACTIVE:
                    self.attend(daemon, key)

    def attend(self, daemon: int, key: StoredKey) -> None:
        with self.store.reading() as tx:
            fresh, others = keys.numbered(tx, key.number), keys.siblings(tx, key)
        self.stash[daemon] = (fresh, others, *self.look(fresh))
        self.a_daemon_decides(daemon)

    def look(self, key: StoredKey) -> tuple[Look, Seen]:
        wanted = "revoked" if key.state is KeyState.REVOKED else "key"
        said = [self.dns.get((server, key.selector), "absent") for server in SERVERS if server not in self.away]
        serving, lacking = said.count(wanted), len(said) - said.count(wanted)
        other = OTHER_TTL if any(text not in (wanted, "absent") for text in said) else 0
        gone = sum(text not in (wanted, "key") for text in said)
        look = Look(len(SERVERS), serving, lacking, gone, 300, 0, other, NEGATIVE, "" if serving == len(SERVERS) else "no_record")
        all_said = len(said) == len(SERVERS)
        return look, Seen(self.real, all_said and not lacking, all_said and not serving, bool(other))

    # -- the model --------------------------------------------------------------------------------------------------------------------

    def note(self, before: list[StoredKey]) -> None:
        """Take down what became of the keys."""
        was = {key.number: key.state for key in before}
        for key in self.all():
            truth = self.truth[key.number]
            truth.revoked |= key.state is KeyState.REVOKED
            if key.state is KeyState.RETIRING and was.get(key.number) is not KeyState.RETIRING:
                truth.retired_at, truth.retired_jumps = self.real, self.jumps

    def judge(self, before: dict[int, StoredKey], after: dict[int, StoredKey], looked: StoredKey) -> None:
        """Whether a daemon was allowed to do what it did."""
        began = [key for number, key in after.items() if key.state is KeyState.ACTIVE is not before[number].state]
        ended = [key for number, key in after.items() if key.state is not KeyState.ACTIVE is before[number].state]
        for key in began:
            self.may_begin(key, before[key.number], looked)
        for key in ended:
            assert began, "a daemon left a key without another"
            if began[0].number != looked.number:
                self.proven_lost(key)
            elif key.state is KeyState.REVOKED:
                assert before[began[0].number].succession is Succession.EMERGENCY
        for number, key in after.items():
            if key.state is KeyState.REVOKED and before[number].state is KeyState.RETIRING:
                truth = self.truth[number]
                assert truth.retired_at is not None
                # With no jump of the clock since, the whole time has gone by.
                assert self.jumps != truth.retired_jumps or self.real - truth.retired_at >= TIMES.retiring

    def may_begin(self, key: StoredKey, was: StoredKey, looked: StoredKey) -> None:
        truth = self.truth[key.number]
        assert not truth.revoked
        assert truth.looks[-1].everywhere, "not at all servers at the last look"
        if was.state is KeyState.RETIRING or key.number != looked.number:
            assert self.real - truth.looks[-1].at <= 2 * TIMES.gap or self.jumps, "gone back to, unseen"
            return
        assert was.succession is not Succession.NONE
        row = []
        for seen in reversed(truth.looks):
            if not seen.everywhere:
                break
            row.append(seen)
        assert len(row) > 1
        if truth.jumps == self.jumps:
            wait = max(NEGATIVE, *(OTHER_TTL for seen in truth.looks if seen.other and was.activated is None), 0)
            assert row[0].at - row[-1].at >= wait, "too soon: a cache may remember that it was not there"

    def proven_lost(self, key: StoredKey) -> None:
        row = self.truth[key.number].looks[-PROOF:]
        assert len(row) == PROOF
        assert all(seen.nowhere for seen in row), "left without proof"

    @invariant()
    def one_key_signs(self) -> None:
        assert sum(key.state is KeyState.ACTIVE for key in self.all()) <= 1

    @invariant()
    def nothing_revoked_comes_back(self) -> None:
        for key in self.all():
            assert not self.truth[key.number].revoked or key.state in (KeyState.REVOKED, KeyState.REMOVED)

    @invariant()
    def what_is_removed_has_no_private_half(self) -> None:
        assert all(key.has_private is (key.state is not KeyState.REMOVED) for key in self.all())

    @invariant()
    def the_daemon_signs_with_what_is_active(self) -> None:
        assert [key.selector for key in self.store.snapshot().keys] == [key.selector for key in self.all() if key.state is KeyState.ACTIVE]


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=25, suppress_health_check=list(HealthCheck))
