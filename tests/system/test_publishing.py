"""Records published with TSIG at a real Knot, read back from it, from a second one that lags, and told by name when something is wrong."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import dns.tsigkeyring
import dns.update
import pytest

import zegel
from support.authority import AGENCY, ALGORITHM, CUSTOMER, DELEGATED, HOSTS, KEY, SECRET, Authority, authority
from zegel.adapters.exchange import Address
from zegel.adapters.nameservers import Nameservers
from zegel.adapters.update import Edit, Tsig, UpdateError, update
from zegel.ask import Question, RRType
from zegel.config.publishing import Zone
from zegel.grammar.domain import Domain
from zegel.rollout.publish import Change, Done, Publisher
from zegel.rollout.readback import ReadBack
from zegel.rollout.records import Record, as_value, txt
from zegel.rollout.wanted import REVOKED, Holdings, unwanted, wanted
from zegel.store.keys import KeyState, StoredKey
from zegel.store.plans import Plan
from zegel.store.slots import Slot

PUBLIC = {"one": "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" * 12 + "ONE=", "two": "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" * 12 + "TWO="}


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Authority]:
    with authority(tmp_path / "dns") as found:
        yield found


class Site:
    """A publisher over the servers of the test: the agency's zones by TSIG, all others by hand."""

    def __init__(self, there: Authority, folder: Path) -> None:
        self.there, self.folder = there, folder
        self.zones = tuple(self.zone(name, HOSTS[0] if name == AGENCY else HOSTS[2]) for name in (AGENCY, DELEGATED))

    def zone(self, name: str, host: str, secret: str = SECRET, key: str = KEY) -> Zone:
        file = self.folder / f"secret-{key}-{len(secret)}-{hash(secret) & 0xFFFF}"
        file.write_text(secret)
        file.chmod(0o600)
        server = f"{host}:{self.there.port}"
        return Zone(name=name, way="rfc2136", server=server, tsig_name=key, tsig_algorithm=ALGORITHM, tsig_secret_file=str(file))

    def publisher(self, zones: Sequence[Zone] | None = None) -> Publisher:
        servers = Nameservers(zegel.Resolver([self.there.resolver], timeout=5), port=self.there.port)
        return Publisher(servers, self.zones if zones is None else zones)

    def run(
        self, of: Holdings, *, replace_: bool = False, zones: Sequence[Zone] | None = None
    ) -> tuple[list[Change], list[Done], list[ReadBack]]:
        publisher = self.publisher(zones)

        async def all_() -> tuple[list[Change], list[Done], list[ReadBack]]:
            changes = await publisher.survey(wanted(of), unwanted(of), replace=replace_)
            done = await publisher.apply(changes, list)
            return changes, done, await publisher.read_back(changes)

        return asyncio.run(all_())


@pytest.fixture
def site(there: Authority, tmp_path: Path) -> Site:
    return Site(there, tmp_path)


def key(which: str, state: KeyState, domain: str = AGENCY, *, slot: str = "") -> StoredKey:
    selector = "z1" if slot else f"sel-{which}"
    removed = 1 if state is KeyState.REMOVED else None
    return StoredKey(Domain(domain), "default", selector, "rsa2048", "rsa", PUBLIC[which], state, 0, slot=slot, removed=removed)


def test_add_rotate_revoke_remove(there: Authority, site: Site) -> None:
    """The life of two keys, each step published and read back; what the second server has yet to fetch is told of it by name."""
    one, two = f"sel-one._domainkey.{AGENCY}", f"sel-two._domainkey.{AGENCY}"

    def step(*keys: StoredKey) -> list[str]:
        of = Holdings(Domain(AGENCY), keys=keys)
        changes, done, seen = site.run(of)
        assert [entry.error for entry in done] == [None] * len(done)
        late = [back.difference for back in seen]
        there.catch_up(AGENCY)
        again = asyncio.run(site.publisher().read_back(changes))
        assert all(back.everywhere if change.wish else back.gone for change, back in zip(changes, again, strict=True))
        return late

    assert step(key("one", KeyState.PENDING)) == ["not_everywhere"]
    assert step(key("one", KeyState.ACTIVE), key("two", KeyState.PENDING)) == ["", "not_everywhere"]
    assert step(key("one", KeyState.RETIRING), key("two", KeyState.ACTIVE)) == ["", ""]
    assert step(key("one", KeyState.REVOKED), key("two", KeyState.ACTIVE)) == ["not_everywhere", ""]
    for host in HOSTS[:2]:
        assert there.texts(host, one) == [f'"{REVOKED}"']
    step(key("one", KeyState.REMOVED), key("two", KeyState.ACTIVE))
    for host in HOSTS[:2]:
        assert there.texts(host, one) == []
        assert "".join(there.texts(host, two)).replace('" "', "") == f'"v=DKIM1; k=rsa; p={PUBLIC["two"]}"'


def test_who_lags_is_named(there: Authority, site: Site) -> None:
    _changes, _done, (seen,) = site.run(Holdings(Domain(AGENCY), keys=[key("one", KeyState.PENDING)]))
    assert (seen.difference, seen.everywhere, seen.lost) == ("not_everywhere", False, False)
    assert str(seen.sentence).startswith(f"not on ns2.{AGENCY} (127.0.0.2:{there.port}) yet: there is nothing at sel-one")
    there.catch_up(AGENCY)
    _changes, _done, (seen,) = site.run(Holdings(Domain(AGENCY), keys=[key("one", KeyState.REVOKED)]))
    assert "the former record still stands" in str(seen.sentence)


def test_nothing_is_sent_twice_and_receivers_find_it_through_the_resolver(there: Authority, site: Site) -> None:
    """Before publication the resolver was never asked, so no "no" of it stands in the way of the first message."""
    of = Holdings(Domain(AGENCY), keys=[key("one", KeyState.PENDING)])
    changes, done, _seen = site.run(of)
    assert [change.add for change in changes] == [True]
    assert [entry.sent for entry in done] == [1]
    answer = asyncio.run(zegel.Resolver([there.resolver], timeout=5).resolve(Question(changes[0].record.name, RRType.TXT)))
    assert answer.records == (as_value(changes[0].record).encode(),)
    serial = there.serial(HOSTS[0], AGENCY)
    _changes, done, _seen = site.run(of)
    assert [entry.sent for entry in done] == [0]
    assert there.serial(HOSTS[0], AGENCY) == serial


def test_slots_keep_a_rotation_out_of_the_customers_zone(there: Authority, site: Site) -> None:
    """The CNAME is the customer's, by hand, and stays; the key behind it changes in the agency's zone alone."""
    target = f"z1.customer.{DELEGATED}"
    slots = [Slot(1, Domain(CUSTOMER), "z1", target, "rsa", None, 0)]
    former = there.serial(HOSTS[0], CUSTOMER)
    # What stands at the slot's target is nobody's key that the store knows: it goes only by leave.
    of = Holdings(Domain(CUSTOMER), keys=[key("one", KeyState.PENDING, CUSTOMER, slot=target)], slots=slots)
    changes, _done, seen = site.run(of)
    assert [change.conflicts for change in changes] == [(), ("v=DKIM1; k=rsa; p=AAAA",)]
    assert [back.difference for back in seen] == ["", "other_key"]
    changes, _done, seen = site.run(of, replace_=True)
    assert [back.everywhere for back in seen] == [True, True]
    of = replace(of, keys=[key("one", KeyState.REMOVED, CUSTOMER, slot=target), key("two", KeyState.PENDING, CUSTOMER, slot=target)])
    changes, _done, seen = site.run(of)
    assert [back.everywhere for back in seen] == [True, True]
    assert changes[1].remove
    assert "".join(there.texts(HOSTS[2], target)).replace('" "', "") == f'"v=DKIM1; k=rsa; p={PUBLIC["two"]}"'
    assert there.serial(HOSTS[0], CUSTOMER) == former


def test_what_others_have_at_the_name_stays(there: Authority, site: Site) -> None:
    """The TXT records of a domain are of many: only exactly ours comes and goes. RFC 2136 2.5.4."""
    plan = Plan(egress=("192.0.2.25",))
    site.run(Holdings(Domain(AGENCY), plan))
    assert there.texts(HOSTS[0], AGENCY) == ['"somebody-else=verification"', '"v=spf1 ip4:192.0.2.25 ~all"']
    site.run(Holdings(Domain(AGENCY), replace_plan(plan, egress=("192.0.2.26",)), former=[plan]))
    assert there.texts(HOSTS[0], AGENCY) == ['"somebody-else=verification"', '"v=spf1 ip4:192.0.2.26 ~all"']
    site.run(Holdings(Domain(AGENCY), Plan(), former=[plan, replace_plan(plan, egress=("192.0.2.26",))]))
    assert there.texts(HOSTS[0], AGENCY) == ['"somebody-else=verification"']


def test_a_foreign_record_in_the_place_of_ours_is_a_conflict(there: Authority, site: Site) -> None:
    plant(there, AGENCY, AGENCY, '"v=spf1 mx -all"')
    of = Holdings(Domain(AGENCY), Plan(egress=("192.0.2.25",)))
    changes, done, (seen,) = site.run(of)
    assert [change.conflicts for change in changes] == [("v=spf1 mx -all",)]
    assert [entry.sent for entry in done] == [0]
    assert there.texts(HOSTS[0], AGENCY) == ['"somebody-else=verification"', '"v=spf1 mx -all"']
    assert not seen.everywhere
    site.run(of, replace_=True)
    assert there.texts(HOSTS[0], AGENCY) == ['"somebody-else=verification"', '"v=spf1 ip4:192.0.2.25 ~all"']


def test_a_parked_domain(there: Authority, site: Site) -> None:
    """RFC 7505 3: a null MX takes the place of what stood there, by leave."""
    of = Holdings(Domain(AGENCY), Plan(parked=True))
    changes, _done, _seen = site.run(of)
    assert [change.conflicts for change in changes if change.record.type == "MX"] == [(f"10 mx.{AGENCY}",)]
    _changes, _done, _seen = site.run(of, replace_=True)
    there.catch_up(AGENCY)
    _changes, _done, seen = site.run(of)
    assert [(back.difference, str(back.sentence), back.sights) for back in seen if not back.everywhere] == []
    assert there.texts(HOSTS[1], AGENCY, "MX") == ["0 ."]
    assert there.texts(HOSTS[1], f"any._domainkey.{AGENCY}") == [f'"{REVOKED}"']
    # And it is taken away again when the domain comes to life.
    site.run(Holdings(Domain(AGENCY), Plan(), former=[of.plan]))
    assert there.texts(HOSTS[0], AGENCY, "MX") == []


def replace_plan(plan: Plan, **changes: tuple[str, ...]) -> Plan:
    import msgspec

    return msgspec.structs.replace(plan, **changes)


def plant(there: Authority, zone: str, name: str, *texts: str, rrtype: str = "TXT", clean: bool = False) -> None:
    """Put records there as somebody else would."""
    message = dns.update.UpdateMessage(zone, keyring=dns.tsigkeyring.from_text({KEY: (ALGORITHM, SECRET)}))
    absolute = f"{name}."
    if clean:
        message.delete(absolute, rrtype)
    for text in texts:
        message.add(absolute, 300, rrtype, text)
    reply = dns.query.tcp(message, HOSTS[0] if zone != DELEGATED else HOSTS[2], port=there.port, timeout=5)
    assert reply.rcode() == 0


FAULTS = {
    "cut_at_semicolon": ("{name}", ['"v=DKIM1"']),
    "quotes": ("{name}", [r'"\"v=DKIM1; k=rsa; p=AAAA\""']),
    "split": ("{name}", ['"v=DKIM1; k=rsa; p=AA AA"']),
    "cut": ("{name}", ['"v=DKIM1; k=rsa; p=AA"']),
    "backslashes": ("{name}", [r'"v=DKIM1\\; k=rsa\\; p=AAAA"']),
    "spread": ("{name}", ['"v=DKIM1; k=rsa; "', '"p=AAAA"']),
    "several": ("{name}", ['"v=DKIM1; k=rsa; p=AAAA"', '"v=DKIM1; k=rsa; p=BBBB"']),
    "other_key": ("{name}", ['"v=DKIM1; k=rsa; p=BBBB"']),
    "other_record": ("{name}", ['"v=spf1 -all"']),
    "revoked": ("{name}", ['"v=DKIM1; p="']),
    "old_record": ("{name}", ['"v=DKIM1; k=rsa; p=OLD="']),
    "underscore_lost": (f"sel.domainkey.{AGENCY}", ['"v=DKIM1; k=rsa; p=AAAA"']),
    "doubled_name": (f"{{name}}.{AGENCY}", ['"v=DKIM1; k=rsa; p=AAAA"']),
}


def test_each_planted_fault_is_found_by_name(there: Authority, site: Site) -> None:
    from zegel.rollout.readback import read_back

    record = txt(f"sel._domainkey.{AGENCY}", "v=DKIM1; k=rsa; p=AAAA")
    servers = Nameservers(zegel.Resolver([there.resolver], timeout=5), port=there.port)
    found: dict[str, str] = {}
    for fault, (where, texts) in FAULTS.items():
        name = where.format(name=record.name)
        plant(there, AGENCY, name, *texts)
        there.catch_up(AGENCY)
        seen = asyncio.run(read_back(servers, record, former=["v=DKIM1; k=rsa; p=OLD="]))
        assert not seen.everywhere
        assert seen.lost
        found[fault] = seen.difference
        plant(there, AGENCY, name, clean=True)
    assert found == {fault: fault for fault in FAULTS}


@pytest.mark.parametrize(
    ("wanted_", "planted", "difference"),
    [
        ("v=DMARC1; p=reject; rua=mailto:a@agency.test", "v=DMARC1; p=none; rua=mailto:a@agency.test", "other_value"),
        ("v=DMARC1; p=reject; rua=mailto:a@agency.test", "v=DMARC1", "cut_at_semicolon"),
        ("v=DMARC1; p=reject; rua=mailto:a@agency.test", "v=DMARC1;p=reject;rua=mailto:a@agency.test", ""),
    ],
)
def test_other_records_likewise(there: Authority, site: Site, wanted_: str, planted: str, difference: str) -> None:
    from zegel.rollout.readback import read_back

    record = txt(f"_dmarc.{AGENCY}", wanted_)
    plant(there, AGENCY, record.name, f'"{planted}"')
    there.catch_up(AGENCY)
    servers = Nameservers(zegel.Resolver([there.resolver], timeout=5), port=there.port)
    assert asyncio.run(read_back(servers, record)).difference == difference


def test_a_wrong_key_is_said_clearly(there: Authority, site: Site) -> None:
    """RFC 8945 5.2: BADKEY, BADSIG; RFC 2136 2.2: a zone that is not that server's."""
    of = Holdings(Domain(AGENCY), keys=[key("one", KeyState.PENDING)])
    other = base64.b64encode(b"another secret of 32 octets here").decode()
    for zone, id_, words in (
        (site.zone(AGENCY, HOSTS[0], other), "tsig_secret", "has another secret for the TSIG key zegel-key"),
        (site.zone(AGENCY, HOSTS[0], key="nobody"), "tsig_key", "does not know the TSIG key nobody"),
        (site.zone(AGENCY, HOSTS[2]), "not_zone", "is not a primary server of the zone agency.test"),
    ):
        _changes, (done,), (seen,) = site.run(of, zones=[zone])
        assert isinstance(done.error, UpdateError)
        assert done.error.id == id_
        assert words in str(done.error)
        assert not {secret for secret in (SECRET, other) if secret in str(done.error)}
        assert seen.difference == "no_name"
    assert there.texts(HOSTS[0], f"sel-one._domainkey.{AGENCY}") == []


def test_who_may_not_is_refused(there: Authority) -> None:
    """The second server knows the key, and takes no updates with it (Knot says BADKEY then); and a port on which nobody listens."""
    tsig = Tsig(KEY, ALGORITHM, base64.b64decode(SECRET))
    edit = Edit(f"x.{AGENCY}", "TXT", ("x",))

    def refused(address: Address) -> str:
        with pytest.raises(UpdateError) as caught:
            asyncio.run(update(address, AGENCY, tsig, [edit], ttl=300))
        assert SECRET not in str(caught.value)
        return caught.value.id

    assert refused(Address(HOSTS[1], there.port)) == "tsig_key"
    assert refused(Address("127.0.0.1", 9)) == "unreachable"


def test_a_clock_that_is_wrong(there: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8945 5.2.3: the times may differ by five minutes."""
    import time

    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    tsig = Tsig(KEY, ALGORITHM, base64.b64decode(SECRET))
    with pytest.raises(UpdateError) as caught:
        asyncio.run(update(Address(HOSTS[0], there.port), AGENCY, tsig, [Edit(f"x.{AGENCY}", "TXT", ("x",))], ttl=300))
    assert caught.value.id == "tsig_time"


def test_a_change_meanwhile_is_no_second_record(there: Authority) -> None:
    """RFC 2136 2.4.2 and 2.4.3: the record set must still be what it was; else nothing at all happens."""
    from zegel.adapters import update as room

    tsig = Tsig(KEY, ALGORITHM, base64.b64decode(SECRET))
    name = f"race.{AGENCY}"

    async def race() -> None:
        server = Address(HOSTS[0], there.port)
        edit = Edit(name, "TXT", ("ours",))
        message = dns.update.UpdateMessage(AGENCY)
        assert room._put(message, edit, await room._there(server, edit), 300)
        plant(there, AGENCY, name, '"theirs"')
        room._sign(message, tsig)
        reply = await room._ask(server, message, AGENCY, tsig)
        room._judge(reply, server, AGENCY, tsig)

    with pytest.raises(UpdateError) as caught:
        asyncio.run(race())
    assert caught.value.id == "changed"
    assert there.texts(HOSTS[0], name) == ['"theirs"']


def test_the_command_publishes_and_reads_back(there: Authority, site: Site, tmp_path: Path) -> None:
    """From a plan to what a resolver finds: the second server lags at first, and nothing is called published before it has it too."""

    def zegel_(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "zegel.cli.main", "--data", str(tmp_path / "data"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
        return done.returncode, done.stdout + done.stderr

    assert zegel_("init")[0] == 0
    config = tmp_path / "data" / "zegel.toml"
    (zone, *_others) = site.zones
    servers = ", ".join(f'"{host}:{there.port}"' for host in HOSTS[:2])
    config.write_text(
        config.read_text().replace("#nameservers = []", f'nameservers = ["{there.resolver}"]')
        + f'\n[[zone]]\nname = "{AGENCY}"\nway = "rfc2136"\nserver = "{zone.server}"\nservers = [{servers}]\n'
        + f'tsig_name = "{KEY}"\ntsig_secret_file = "{zone.tsig_secret_file}"\n'
    )
    assert zegel_("domain", "add", AGENCY)[0] == 0
    assert zegel_("domain", "plan", AGENCY, "--egress", "192.0.2.25", "--policy", "none")[0] == 0
    assert zegel_("key", "new", AGENCY, "--selector", "one", "--algorithm", "ed25519")[0] == 0
    status, said = zegel_("key", "activate", AGENCY, "one")
    assert (status, "NXDOMAIN" in said, "not activated" in said) == (1, True, True)
    status, dry = zegel_("domain", "publish", AGENCY, "--dry-run")
    assert (status, dry.count("by dynamic update")) == (0, 3)
    assert there.texts(HOSTS[0], f"_dmarc.{AGENCY}") == []
    status, said = zegel_("domain", "publish", AGENCY, "--wait", "0")
    assert status == 1
    assert f"not on {HOSTS[1]}:{there.port} yet" in said
    assert "published, and read back" not in said
    assert SECRET not in said
    there.catch_up(AGENCY)
    status, said = zegel_("domain", "publish", AGENCY)
    assert status == 0
    assert "published, and read back from every name server: 3 records" in said
    # Nothing has asked the resolver for the name before, so that it has no "no" to remember.
    answer = asyncio.run(zegel.Resolver([there.resolver], timeout=5).resolve(Question(f"one._domainkey.{AGENCY}", RRType.TXT)))
    assert len(answer.records) == 1
    assert zegel_("key", "activate", AGENCY, "one")[0] == 0


def test_records_of_other_types(there: Authority, site: Site) -> None:
    from zegel.rollout.readback import read_back

    servers = Nameservers(zegel.Resolver([there.resolver], timeout=5), port=there.port)

    def difference(record: Record) -> str:
        return asyncio.run(read_back(servers, record)).difference

    assert difference(Record(f"z1._domainkey.{CUSTOMER}", "CNAME", (f"z1.customer.{DELEGATED}",))) == ""
    assert difference(Record(f"z1._domainkey.{CUSTOMER}", "CNAME", (f"z1.other.{DELEGATED}",))) == "other_value"
    assert difference(Record(f"z9._domainkey.{CUSTOMER}", "CNAME", (f"z9.customer.{AGENCY.partition('.')[0]}",))) == "doubled_target"
    assert difference(Record(AGENCY, "MX", ("0 .",))) == "other_value"
