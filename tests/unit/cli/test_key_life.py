"""The commands of a key's life: what they do, and that they say plainly what happens to the mail meanwhile."""

from __future__ import annotations

import time
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import pytest

from support.lyingdns import Play, lying_dns, octets, reply
from support.servers import free_port

from .conftest import Ended, Run


def keys(zegel: Run) -> dict[str, str]:
    return {row["selector"]: row["state"] for row in zegel("key", "list", "example.be", "--json").json}


def signing(zegel: Run) -> str:
    (made,) = zegel("key", "new", "example.be", "--algorithm", "ed25519").text.splitlines()[:1]
    selector = made.split()[2]
    assert zegel("key", "activate", "example.be", selector, "--no-dns-check").status == 0
    return selector


def plain(ended: Ended) -> str:
    return " ".join(ended.text.split())


def test_a_rotation_makes_a_key_and_waits_for_its_record(zegel: Run, zone: Path) -> None:
    former = signing(zegel)
    ended = zegel("key", "rotate", "example.be")
    assert ended.status == 0
    states = keys(zegel)
    (new,) = set(states) - {former}
    assert states == {former: "active", new: "pending"}
    assert f"until {new} is visible, mail is signed with {former}, as before; then the switch happens by itself" in plain(ended)
    assert f"{new}._domainkey.example.be" in ended.text
    assert f"{new}: visible at 0 of 1 servers" in plain(ended)
    row = next(row for row in zegel("key", "list", "--json").json if row["selector"] == new)
    assert (row["algorithm"], row["succession"], row["trouble"]) == ("ed25519", "planned", "no_name")
    assert "Waits for" in zegel("key", "list").text
    # Asked again it is the same one.
    again = zegel("key", "rotate", "example.be")
    assert f"the key {new} of example.be is on its way already" in plain(again)
    assert keys(zegel) == states


def test_what_is_visible_is_told_with_its_time(zegel: Run, zone: Path) -> None:
    signing(zegel)
    zegel("key", "rotate", "example.be")
    records = zegel("domain", "records", "example.be", "--json").json["records"]
    zone.write_text("".join(record["zone_line"] + "\n" for record in records))
    ended = zegel("key", "rotate", "example.be")
    assert "visible at all servers (1) since" in plain(ended)
    assert "; signs from" in plain(ended)


def test_without_a_key_the_first_is_of_the_kind_that_the_configuration_names(zegel: Run, zone: Path, data: Path) -> None:
    (data / "zegel.toml").write_text((data / "zegel.toml").read_text() + '[keys]\nalgorithm = "ed25519"\n')
    assert zegel("key", "rotate", "example.be").status == 0
    assert [row["algorithm"] for row in zegel("key", "list", "--json").json] == ["ed25519"]


def test_both_kinds_are_rotated_unless_one_is_named(zegel: Run, zone: Path) -> None:
    signing(zegel)
    (made,) = zegel("key", "new", "example.be").text.splitlines()[:1]
    zegel("key", "activate", "example.be", made.split()[2], "--no-dns-check")
    zegel("key", "rotate", "example.be", "--algorithm", "ed25519")
    assert sorted(keys(zegel).values()) == ["active", "active", "pending"]
    zegel("key", "rotate", "example.be")
    assert sorted(keys(zegel).values()) == ["active", "active", "pending", "pending"]


def test_an_emergency_says_what_happens_to_the_mail(zegel: Run, zone: Path) -> None:
    former = signing(zegel)
    ended = zegel("key", "rotate", "example.be", "--emergency")
    (new,) = set(keys(zegel)) - {former}
    assert f"mail is signed with {former}, as before; at that moment {former} is revoked" in plain(ended)
    now = zegel("key", "rotate", "example.be", "--emergency", "--revoke-now")
    assert keys(zegel) == {former: "revoked", new: "pending"}
    assert f"the key {former} is revoked: nothing signs with it from now on" in plain(now)
    assert f"until {new} is visible, mail of example.be leaves without a signature of this kind" in plain(now)
    assert "v=DKIM1; p=\n" in now.text
    refused = zegel("key", "activate", "example.be", former, "--no-dns-check")
    assert (refused.status, "never signs again" in refused.errors) == (2, True)
    assert zegel("key", "rotate", "example.be", "--revoke-now").status == 2


def test_in_an_emergency_a_visible_spare_takes_over_at_once(zegel: Run, zone: Path, data: Path) -> None:
    from zegel.store import keychanges
    from zegel.store import keys as stored
    from zegel.store.database import Store
    from zegel.store.keychanges import Change

    former = signing(zegel)
    zegel("key", "new", "example.be", "--algorithm", "ed25519")
    (spare,) = set(keys(zegel)) - {former}
    records = zegel("domain", "records", "example.be", "--json").json["records"]
    zone.write_text("".join(record["zone_line"] + "\n" for record in records))
    with Store.open(data) as store, store.writing() as tx:
        from dataclasses import replace

        from zegel.grammar.domain import Domain

        key, now = stored.get(tx, Domain.parse("example.be"), spare), int(time.time())
        seen = replace(key, state=stored.KeyState.VISIBLE, served=now - 7200, visible=now - 3600, looked=now - 60)
        keychanges.apply(tx, [Change(key, seen, "key.visible")], now=now)
    ended = zegel("key", "rotate", "example.be", "--emergency")
    assert f"the spare key {spare} of example.be is taken" in plain(ended)
    assert f"the key {spare} is visible and signs from now on" in plain(ended)
    assert keys(zegel) == {former: "revoked", spare: "active"}
    assert "v=DKIM1; p=\n" in ended.text


def test_the_only_key_is_retired_or_revoked_only_by_force(zegel: Run, zone: Path) -> None:
    only = signing(zegel)
    for command, instead in (("retire", "key rotate example.be"), ("revoke", "key rotate example.be --emergency")):
        refused = zegel("key", command, "example.be", only)
        assert (refused.status, instead in refused.errors, "--force" in refused.errors) == (2, True, True)
    assert "its record stays until" in plain(zegel("key", "retire", "example.be", only, "--force"))
    assert keys(zegel) == {only: "retiring"}
    revoked = zegel("key", "revoke", "example.be", only)
    assert "revoked for good" in plain(revoked)
    assert "v=DKIM1; p=\n" in revoked.text
    removed = zegel("key", "remove", "example.be", only)
    assert f"take its record ({only}._domainkey.example.be) out of DNS" in plain(removed)
    assert keys(zegel) == {only: "removed"}


def test_a_key_that_signs_is_not_removed_and_one_that_never_signed_is(zegel: Run, zone: Path) -> None:
    active = signing(zegel)
    refused = zegel("key", "remove", "example.be", active)
    assert (refused.status, "key rotate example.be" in refused.errors) == (2, True)
    zegel("key", "new", "example.be", "--algorithm", "ed25519", "--selector", "spare")
    assert zegel("key", "remove", "example.be", "spare").status == 0


def test_a_selector_that_answers_in_dns_is_somebody_else_s(zegel: Run, zone: Path) -> None:
    zone.write_text('news._domainkey.example.be. 60 IN TXT "v=DKIM1; p=AAAA"\n')
    refused = zegel("key", "new", "example.be", "--selector", "news")
    assert refused.status == 2
    assert "news._domainkey.example.be already, which is not ours" in refused.errors
    assert zegel("key", "new", "example.be", "--selector", "news", "--force").status == 0


def test_slots_are_handed_out_once_and_keys_live_in_them(zegel: Run, zone: Path) -> None:
    ended = zegel("slot", "add", "example.be", "--zone", "dkim.agency.be", "--rsa", "2", "--ed25519", "2")
    assert "z1._domainkey.example.be. 3600 IN CNAME z1.example-be.dkim.agency.be." in ended.text.splitlines()
    assert "e2._domainkey.example.be. 3600 IN CNAME e2.example-be.dkim.agency.be." in ended.text.splitlines()
    assert zegel("key", "rotate", "example.be", "--algorithm", "ed25519").status == 0
    shown = zegel("key", "show", "example.be", "e1")
    assert "e1.example-be.dkim.agency.be. 3600 IN TXT" in shown.text
    assert [(row["name"], row["used_by"]) for row in zegel("slot", "list", "example.be", "--json").json] == [
        ("z1", ""),
        ("z2", ""),
        ("e1", "pending"),
        ("e2", ""),
    ]
    assert "z1._domainkey.example.be" in zegel("slot", "list").text
    assert "e1" in zegel("key", "new", "example.be", "--algorithm", "ed25519").text.split()[2].replace("e2", "e1")
    full = zegel("key", "new", "example.be", "--algorithm", "ed25519")
    assert (full.status, "no slot of example.be is free for ed25519 (e1: pending, e2: pending)" in full.errors) == (2, True)


def test_one_slot_is_none(zegel: Run, zone: Path) -> None:
    refused = zegel("slot", "add", "example.be", "--zone", "dkim.agency.be", "--rsa", "1")
    assert (refused.status, "take two at least" in refused.errors) == (2, True)
    assert "zegel slot add" in zegel("slot", "list").text


def test_status_tells_of_a_key_that_signs_without_its_record(zegel: Run, zone: Path, data: Path) -> None:
    from dataclasses import replace

    from zegel.grammar.domain import Domain
    from zegel.store import keychanges
    from zegel.store import keys as stored
    from zegel.store.database import Store
    from zegel.store.keychanges import Change

    only = signing(zegel)
    with Store.open(data) as store, store.writing() as tx:
        key, now = stored.get(tx, Domain.parse("example.be"), only), int(time.time())
        lost = replace(key, looked=now, misses=3, missing=now - 900, serving=0, servers=2, trouble="no_name")
        keychanges.apply(tx, [Change(key, lost, "key.missing")], now=now)
    (item,) = [item for item in zegel("status", "--json").json["items"] if only in item["text"]]
    assert item["state"] == "wrong"
    assert item["text"].startswith(f"{only}._domainkey.example.be: its record is missing at all servers since ")


def test_name_servers_that_do_not_answer_are_named_with_what_they_said(zegel: Run, data: Path) -> None:
    zegel("domain", "add", "example.be")
    with lying_dns() as refusing, lying_dns() as lacking:
        closed = free_port()
        refusing.otherwise = lambda query: Play([octets(_coded(query, dns.rcode.REFUSED))])
        lacking.otherwise = lambda query: Play([octets(_coded(query, dns.rcode.NXDOMAIN))])
        servers = [refusing.address, lacking.address, f"127.0.0.1:{closed}"]
        (data / "zegel.toml").write_text(f"""
[dns]
nameservers = ["127.0.0.1:{closed}"]
timeout = 1.0
[[zone]]
name = "example.be"
way = "hand"
servers = {servers}
""")
        rotated = zegel("key", "rotate", "example.be", "--algorithm", "ed25519")
        (selector,) = keys(zegel)
        shown = zegel("key", "show", "example.be", selector)
        offline = zegel("key", "show", "example.be", selector, "--no-dns-check")
    assert rotated.status == 0
    lines = [
        f"? {refusing.address} refuses to answer for {selector}._domainkey.example.be",
        f"? 127.0.0.1:{closed} cannot be reached",
        f"✗ {lacking.address}: there is nothing at {selector}._domainkey.example.be (NXDOMAIN)",
    ]
    for ended in (rotated, shown):
        assert [line for line in lines if line not in plain(ended)] == []
    assert not [line for line in lines if line in plain(offline)]
    listed = zegel("key", "list")
    assert "visible at 0 of 3 servers" in plain(listed)
    assert f"zegel key show example.be {selector}" in listed.text


def test_no_more_name_servers_are_named_than_a_screen_holds(capsys: pytest.CaptureFixture[str]) -> None:
    from zegel.cli import answered
    from zegel.rollout.readback import ReadBack, Sight
    from zegel.rollout.records import txt
    from zegel.rollout.visibility import Outcome, Visibility
    from zegel.words import Sentence

    def sight(number: int) -> Sight:
        seen = Visibility(Outcome.UNAVAILABLE, "unreachable", "{server} cannot be reached", {"server": f"ns{number}"})
        return Sight(f"ns{number}", seen)

    fine = Sight("good", Visibility(Outcome.VISIBLE, "", "it is there"))
    back = ReadBack(txt("a.example", "x"), "example", (fine, *map(sight, range(64))), 60, Outcome.UNAVAILABLE, "x", Sentence("?"))
    answered.show(back)
    lines = capsys.readouterr().out.splitlines()
    assert (len(lines), "ns0 cannot be reached" in lines[0], lines[-1].strip()) == (9, True, "and 57 more")


def _coded(query: dns.message.Message, code: dns.rcode.Rcode) -> dns.message.Message:
    made = reply(query, authority=("example.be. 60 SOA ns.example.be. host.example.be. 1 3600 600 86400 60",))
    made.flags |= dns.flags.AA
    made.set_rcode(code)
    return made
