from __future__ import annotations

from dataclasses import replace

import pytest

import zegel
from zegel.ask import Question, RRType, rehearse
from zegel.dmarc import record as dmarc_record
from zegel.grammar.domain import Domain
from zegel.rollout import lookups
from zegel.rollout.records import Record, as_split, as_value, as_zone_line, txt
from zegel.rollout.wanted import (
    REVOKED,
    Holdings,
    Purpose,
    dmarc_text,
    faults,
    mta_sts_id,
    mta_sts_policy,
    spf_text,
    unwanted,
    wanted,
)
from zegel.spf import record as spf_record
from zegel.store.keys import KeyState, StoredKey
from zegel.store.plans import Plan
from zegel.store.slots import Slot

NAME, AGENCY = Domain("example.be"), Domain("agency.be")


def key(selector: str, state: KeyState, public: str = "AAAA", slot: str = "") -> StoredKey:
    removed = 1 if state is KeyState.REMOVED else None
    return StoredKey(NAME, "default", selector, "rsa2048", "rsa", public, state, 0, slot=slot, removed=removed)


def texts(of: Holdings) -> dict[str, str]:
    return {f"{wish.record.type} {wish.record.name}": as_value(wish.record) for wish in wanted(of)}


def test_a_key_is_published_by_its_state() -> None:
    """RFC 6376 3.6.1: an empty p= says that a key was revoked; a removed one has no record."""
    found = texts(Holdings(NAME, keys=[key(state, state) for state in KeyState]))
    whole = "v=DKIM1; k=rsa; p=AAAA"
    assert found == {
        **{f"TXT {state}._domainkey.example.be": whole for state in ("pending", "visible", "active", "retiring")},
        "TXT revoked._domainkey.example.be": REVOKED,
    }
    gone = unwanted(Holdings(NAME, keys=[key("removed", KeyState.REMOVED)]))
    assert [as_value(record) for record in gone] == [whole, REVOKED]


def test_in_a_slot_the_customer_has_the_cname_and_the_agency_the_key() -> None:
    slot = Slot(1, NAME, "z1", "z1.example-be.dkim.agency.be", "rsa", None, 0)
    of = Holdings(
        NAME, keys=[key("z1", KeyState.REMOVED, "OLD=", slot.target), key("z1", KeyState.ACTIVE, "NEW=", slot.target)], slots=[slot]
    )
    assert texts(of) == {"CNAME z1._domainkey.example.be": slot.target, f"TXT {slot.target}": "v=DKIM1; k=rsa; p=NEW="}
    assert wanted(of)[1].former == (REVOKED, "v=DKIM1; k=rsa; p=OLD=")
    assert unwanted(of) == ()


def test_a_plan_becomes_records() -> None:
    """RFC 7208 4.6.1 and 10.1.1 (ip4 and ip6 first), RFC 9989 4.7, 5.1.3 and 5.1.4, RFC 7489 6.3, RFC 8460 3, RFC 8461 3.2."""
    plan = Plan(
        egress=("mx", "192.0.2.25", "2001:db8::/48", "mail.example.be"),
        include=("_spf.example.com",),
        policy="quarantine",
        subdomains="reject",
        nonexistent="reject",
        testing=True,
        rua=("dmarc@agency.be", "a!b@example.be"),
        tls_rpt=("tls@example.be",),
        mta_sts="enforce",
        mx=("*.example.be",),
    )
    found = texts(Holdings(NAME, plan, ours=[NAME, AGENCY]))
    assert found == {
        "TXT example.be": "v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48 mx a:mail.example.be include:_spf.example.com ~all",
        "TXT _dmarc.example.be": "v=DMARC1; p=quarantine; sp=reject; np=reject; t=y; rua=mailto:dmarc@agency.be,mailto:a%21b@example.be",
        "TXT example.be._report._dmarc.agency.be": "v=DMARC1",
        "TXT _mta-sts.example.be": f"v=STSv1; id={mta_sts_id(plan)}",
        "TXT _smtp._tls.example.be": "v=TLSRPTv1; rua=mailto:tls@example.be",
    }
    assert str(spf_record.parse(found["TXT example.be"].encode())).startswith("v=spf1 ip4:192.0.2.25")
    policy = dmarc_record.parse(found["TXT _dmarc.example.be"].encode())
    assert policy is not None
    assert "psd" not in found["TXT _dmarc.example.be"]
    assert mta_sts_policy(plan) == "version: STSv1\r\nmode: enforce\r\nmx: *.example.be\r\nmax_age: 604800\r\n"


def test_consent_is_only_ours_to_give() -> None:
    """RFC 9990 4: the record stands with who receives the reports."""
    plan = Plan(policy="none", rua=("x@agency.be", "x@reports.agency.be", "x@elsewhere.example", "x@mail.example.be"))
    found = [wish.record.name for wish in wanted(Holdings(NAME, plan, ours=[NAME, AGENCY])) if wish.purpose is Purpose.CONSENT]
    assert found == ["example.be._report._dmarc.agency.be", "example.be._report._dmarc.reports.agency.be"]


def test_a_parked_domain_says_no_to_all_of_it() -> None:
    """RFC 7505 3, and a wildcard key that is revoked."""
    found = texts(Holdings(NAME, Plan(parked=True, rua=("d@example.be",))))
    assert found == {
        "MX example.be": "0 .",
        "TXT example.be": "v=spf1 -all",
        "TXT *._domainkey.example.be": REVOKED,
        "TXT _dmarc.example.be": "v=DMARC1; p=reject; rua=mailto:d@example.be",
    }


def test_what_a_former_plan_said_is_ours_to_take_away() -> None:
    former, now = Plan(egress=("192.0.2.1",), policy="none", tls_rpt=("t@example.be",)), Plan(egress=("192.0.2.2",), policy="reject")
    of = Holdings(NAME, now, former=[former, now])
    assert {wish.purpose: wish.former for wish in wanted(of)} == {
        Purpose.SPF: ("v=spf1 ip4:192.0.2.1 ~all",),
        Purpose.DMARC: ("v=DMARC1; p=none",),
    }
    assert unwanted(of) == (txt("_smtp._tls.example.be", "v=TLSRPTv1; rua=mailto:t@example.be"),)


def test_another_policy_has_another_id() -> None:
    """RFC 8461 3.1: senders fetch the policy again when the id is another."""
    plan = Plan(mta_sts="testing", mx=("a.example.be",))
    assert mta_sts_id(plan) != mta_sts_id(Plan(mta_sts="enforce", mx=("a.example.be",)))
    assert mta_sts_id(plan).isalnum()
    assert len(mta_sts_id(plan)) <= 32


def test_nothing_is_planned() -> None:
    assert wanted(Holdings(NAME)) == ()
    assert (spf_text(Plan()), dmarc_text(Plan()), mta_sts_policy(Plan())) == ("", "", "")


def test_names_and_records_that_are_too_long_are_told() -> None:
    long = Domain(".".join(["a" * 60] * 4))
    of = Holdings(long, Plan(policy="none", rua=("x@agency.be",)), ours=[AGENCY])
    assert "too long" in str(faults(of)[0])
    networks = tuple(f"192.0.{n}.0/24" for n in range(40))
    assert "characters" in str(faults(Holdings(NAME, Plan(egress=networks)))[0])


def zone_of(records: dict[str, str]) -> zegel.Zone:
    return zegel.Zone.from_dict({(name, "TXT"): [text] for name, text in records.items()})


def test_look_ups_are_counted_through_the_includes() -> None:
    """RFC 7208 4.6.4: include, a, mx, ptr, exists and redirect cost one each; ip4, ip6 and all cost nothing."""
    zone = zone_of(
        {
            "one.example": "v=spf1 a mx include:two.example ip4:192.0.2.0/24 ~all",
            "two.example": "v=spf1 exists:%{i}.x redirect=three.example",
            "three.example": "v=spf1 -all",
        }
    )
    cost = rehearse(lookups.count("v=spf1 ip4:192.0.2.1 mx include:one.example include:gone.example ~all"), zone.answer)
    assert (cost.total, cost.by_include, cost.missing) == (8, {"one.example": 6, "gone.example": 1}, ["gone.example"])


def test_includes_without_end_are_bounded() -> None:
    """Twice the includes that lead round ask no more questions than the bound."""
    asked: list[Question] = []
    zone = zone_of({"loop.example": "v=spf1 " + "include:loop.example " * 20 + "-all"})
    cost = rehearse(lookups.count("v=spf1 include:loop.example -all"), zone.answer, asked)
    assert len(asked) <= 40
    assert cost.total > lookups.MOST
    with pytest.raises(ValueError):
        rehearse(lookups.count("v=spf1 nonsense:"), zone.answer)


def test_spellings_of_other_types() -> None:
    """RFC 1035 5.1: a name without a final dot would be of the zone."""
    alias = Record("z1._domainkey.example.be", "CNAME", ("z1.agency.be",))
    assert as_zone_line(alias) == "z1._domainkey.example.be. 3600 IN CNAME z1.agency.be."
    assert as_zone_line(alias, zone="example.be", ttl=60) == "z1._domainkey 60 IN CNAME z1.agency.be."
    null = Record("example.be", "MX", ("0 .",))
    assert as_zone_line(null) == "example.be. 3600 IN MX 0 ."
    zone = zegel.Zone.parse("\n".join(map(as_zone_line, (alias, null, Record("x.example.be", "MX", ("10 mx.example.be",))))) + "\n")
    assert zone.answer(Question("z1._domainkey.example.be", RRType.CNAME)).records == ("z1.agency.be",)
    assert zone.answer(Question("x.example.be", RRType.MX)).records == ("10 mx.example.be",)
    assert as_split(txt("x", "y" * 300)) == f'"{"y" * 255}" "{"y" * 45}"'
    assert replace(null, type="MX").relative_to("example.be") == "@"
