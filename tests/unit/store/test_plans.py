from __future__ import annotations

import msgspec
import pytest

from zegel.grammar.domain import Domain
from zegel.store import audit, domains, keys, plans, services, sightings
from zegel.store.database import Store
from zegel.store.errors import StoreError
from zegel.store.plans import Plan

NAME = Domain("example.be")


@pytest.fixture
def own(store: Store) -> Store:
    with store.writing() as tx:
        domains.add(tx, NAME, now=1)
    return store


def test_a_plan_is_kept_in_its_one_spelling(own: Store) -> None:
    plan = Plan(
        egress=("192.0.2.25", "192.0.2.25/32", "2001:DB8::/48", "MAIL.example.be", "mx"),
        include=("_spf.Example.com",),
        rua=("mailto:d@Example.be",),
        policy="none",
    )
    with own.writing() as tx:
        assert plans.get(tx, NAME) is None
        kept = plans.put(tx, NAME, plan, now=2)
    assert kept.egress == ("192.0.2.25", "2001:db8::/48", "mail.example.be", "mx")
    assert (kept.include, kept.rua) == (("_spf.example.com",), ("d@example.be",))
    with own.reading() as tx:
        assert plans.get(tx, NAME) == kept


def test_each_change_is_in_the_audit_log_and_former_plans_are_known(own: Store) -> None:
    first, second = Plan(policy="none"), Plan(policy="quarantine")
    with own.writing() as tx:
        for now, plan in enumerate((first, second, second, first)):
            plans.put(tx, NAME, plan, now=now)
    with own.reading() as tx:
        changes = [change for change in audit.all(tx, subject=NAME) if change.action == "domain.plan"]
        assert [(change.before and change.before["policy"], change.after and change.after["policy"]) for change in changes] == [
            (None, "none"),
            ("none", "quarantine"),
            ("quarantine", "none"),
        ]
        assert plans.former(tx, NAME) == [first, second]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"egress": ("192.0.2.300",)}, "no address"),
        ({"egress": ("192.0.2.1/24",)}, "no address"),
        ({"egress": ("10.0.0.0/7",)}, "so wide"),
        ({"egress": ("::/0",)}, "so wide"),
        ({"egress": ("a b",)}, "no domain name"),
        ({"include": ("localhost",)}, "no domain name"),
        ({"include": ("x.example -all",)}, "no domain name"),
        ({"policy": "none", "rua": ("dmarc",)}, "no address for reports"),
        ({"policy": "none", "rua": ("a@b.example,c@d.example",)}, "no address for reports"),
        ({"policy": "none", "rua": ("a;p=none@b.example",)}, "no address for reports"),
        ({"rua": ("a@b.example",)}, "name the policy"),
        ({"policy": "none", "testing": True}, "below none"),
        ({"mta_sts": "enforce"}, "needs the names"),
        ({"parked": True, "egress": ("192.0.2.1",)}, "parked"),
        ({"parked": True, "policy": "none"}, "parked"),
        ({"include": tuple(f"s{n}.example" for n in range(51))}, "at most 50"),
        (
            {
                "policy": "none",
                "rua": tuple(f"{'a' * 60}{n}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 50}.be" for n in range(50)),
                "tls_rpt": tuple(f"{'a' * 60}{n}@{'b' * 60}.{'c' * 60}.{'d' * 60}.be" for n in range(50)),
            },
            "too long",
        ),
    ],
)
def test_what_could_not_be_published_is_refused(own: Store, values: dict[str, object], words: str) -> None:
    with own.writing() as tx, pytest.raises(StoreError, match=words):
        plans.put(tx, NAME, msgspec.convert(values, Plan), now=1)


def test_selectors_of_others(own: Store) -> None:
    with own.writing() as tx:
        found = services.add(tx, NAME, "Selector1", "Microsoft 365", now=5)
        assert found.record_name == "selector1._domainkey.example.be"
        assert services.all(tx, NAME) == services.all(tx) == [found]
        with pytest.raises(StoreError, match="listed already"):
            services.add(tx, NAME, "selector1", "", now=6)
        keys.add(tx, NAME, "ours", "ed25519", b"PEM", "AAAA", now=1)
        with pytest.raises(StoreError, match="one of ours"):
            services.add(tx, NAME, "ours", "", now=6)
        services.remove(tx, NAME, "SELECTOR1", now=7)
        with pytest.raises(StoreError, match="not listed"):
            services.remove(tx, NAME, "selector1", now=8)
        assert [change.action for change in audit.all(tx, subject=found.record_name)] == ["selector.add", "selector.remove"]


def test_a_sighting_tells_since_when(own: Store) -> None:
    def note(outcome: str, *seen: str, now: int) -> sightings.Sighting:
        with own.writing() as tx:
            return sightings.note(tx, NAME, "_dmarc.example.be", "TXT", outcome=outcome, difference="", seen=seen, now=now)

    assert note("visible", "b", "a", now=10).since == 10
    again = note("visible", "a", "b", "a", now=20)
    assert (again.since, again.looked, again.seen) == (10, 20, ("a", "b"))
    assert note("absent", now=30).since == 30
    with own.reading() as tx:
        assert [found.outcome for found in sightings.all(tx, NAME)] == ["absent"]


def test_what_is_seen_is_bounded(own: Store) -> None:
    with own.writing() as tx:
        found = sightings.note(
            tx, NAME, "x", "TXT", outcome="different", difference="", seen=["x" * 100_000 + str(n) for n in range(1000)], now=1
        )
    assert len(found.seen) <= 20
    assert all(len(text) <= 4096 for text in found.seen)


def test_a_domain_goes_with_its_plan(own: Store) -> None:
    with own.writing() as tx:
        plans.put(tx, NAME, Plan(policy="none"), now=1)
        services.add(tx, NAME, "sel", "", now=1)
        sightings.note(tx, NAME, "x", "TXT", outcome="absent", difference="", seen=(), now=1)
        domains.remove(tx, NAME, now=1)
        assert domains.all(tx) == []
