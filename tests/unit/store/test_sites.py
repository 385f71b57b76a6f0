"""Sites: a secret that is nowhere, senders of the own organisation only, and an audit log that tells no secret."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from zegel.grammar.domain import Domain
from zegel.store import audit, domains, organisations, sites
from zegel.store.database import Store
from zegel.store.errors import StoreError
from zegel.store.sites import Site

GOOD: dict[str, Any] = {"address": "noreply@example.be", "contact": "it@elsewhere.example", "now": 5}


@pytest.fixture
def filled(store: Store) -> Store:
    with store.writing() as tx:
        organisations.add(tx, "other", now=1)
        domains.add(tx, Domain.parse("example.be"), now=1)
        domains.add(tx, Domain.parse("wide.example"), now=1, sign_subdomains=True)
        domains.add(tx, Domain.parse("other.example"), now=1, organisation="other")
        domains.add(tx, Domain.parse("own.wide.example"), now=1, organisation="other")
    return store


def add(store: Store, name: str = "portal", **changes: Any) -> tuple[Site, str]:
    with store.writing() as tx:
        return sites.add(tx, name, **{**GOOD, **changes})


def test_a_secret_has_160_bits_and_stands_nowhere(filled: Store) -> None:
    before = filled.generation()
    site, secret = add(filled)
    assert len(base64.b32decode(secret.upper())) == 20
    assert add(filled, "second")[1] != secret
    assert filled.vault is not None
    assert site.digest == sites.digest(filled.vault, "portal", secret)
    assert site.digest != sites.digest(filled.vault, "second", secret), "bound to its site"
    assert filled.generation() == before + 2
    assert secret not in repr(site)
    assert str(site.digest) not in repr(site)
    files = [file.read_bytes() for file in filled.folder.iterdir() if file.is_file()]
    assert any(b"portal" in text for text in files)
    assert not any(secret.encode() in text for text in files)


def test_a_site_comes_back_as_it_was_added_and_is_in_the_snapshot(filled: Store) -> None:
    wanted: dict[str, Any] = {
        "senders": ("info@example.be", "wide.example"), "networks": ("192.0.2.0/24", "2001:db8::/48"), "recipients": ("example.be",),
        "foreign_from": "refuse", "would_fail": "refuse", "rate": 7, "visitor_rate": 0, "unix_user": "www-data",
    }  # fmt: skip
    site, _ = add(filled, **wanted)
    assert {name: getattr(site, name) for name in wanted} == wanted
    assert (site.organisation, site.address, site.created, site.rotated, site.enabled) == ("default", "noreply@example.be", 5, 5, True)
    assert filled.snapshot().sites == (site,)
    assert hash(site) == hash(filled.snapshot().sites[0])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "Portal"}, "cannot be the name"),
        ({"name": "x" * 64}, "cannot be the name"),
        ({"address": "noreply@elsewhere.example"}, "not in the store"),
        ({"address": "noreply@other.example"}, "not a domain of the organisation default"),
        ({"address": "noreply@sub.example.be"}, "not in the store"),
        ({"address": "noreply@own.wide.example"}, "not a domain of the organisation default"),
        ({"address": "example.be"}, "is no address"),
        ({"address": "a@example.be, b@example.be"}, "is no address"),
        ({"address": "A <a@example.be>"}, "is no address"),
        ({"address": "caf\u00e9@example.be"}, "is no address"),
        ({"address": "a@example.be\r\nBcc: b@example.net"}, "is no address"),
        ({"contact": "nobody"}, "is no address"),
        ({"senders": ["other.example"]}, "not a domain of the organisation"),
        ({"senders": ["..."]}, "neither an address nor a domain"),
        ({"networks": ["192.0.2.1/24"]}, "is no network"),
        ({"networks": ["0.0.0.0/0"]}, "every address there is"),
        ({"networks": ["::/0"]}, "every address there is"),
        ({"recipients": ["a b"]}, "neither"),
        ({"recipients": [f"a{number}@example.be" for number in range(101)]}, "at most 100"),
        ({"rate": -1}, "a rate is"),
        ({"visitor_rate": 1_000_001}, "a rate is"),
        ({"unix_user": "www data"}, "no user"),
        ({"organisation": "nobody"}, "no organisation"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(filled: Store, changes: dict[str, Any], said: str) -> None:
    before = filled.generation()
    with pytest.raises(StoreError, match=said):
        add(filled, changes.pop("name", "portal"), **changes)
    assert filled.generation() == before
    with filled.reading() as tx:
        assert (sites.all(tx), audit.all(tx, subject="portal")) == ([], [])


def test_names_below_a_domain_that_signs_for_them(filled: Store) -> None:
    assert add(filled, address="noreply@sub.wide.example")[0].address == "noreply@sub.wide.example"


def test_a_name_and_a_user_are_of_one_site(filled: Store) -> None:
    add(filled, unix_user="www-data")
    with pytest.raises(StoreError, match="already"):
        add(filled)
    with pytest.raises(StoreError, match="belongs to the site portal"):
        add(filled, "second", unix_user="www-data")


def test_rotate_disable_enable(filled: Store) -> None:
    site, secret = add(filled)
    with filled.writing() as tx:
        fresh = sites.rotate(tx, "portal", now=9)
        assert sites.get(tx, "portal").rotated == 9
        assert sites.disable(tx, "portal", now=10)
        assert not sites.disable(tx, "portal", now=11)
        assert not sites.get(tx, "portal").enabled
        assert sites.enable(tx, "portal", now=12)
        assert not sites.enable(tx, "portal", now=13)
    assert fresh != secret
    with filled.reading() as tx:
        assert sites.get(tx, "portal").digest != site.digest
        told = audit.all(tx, subject="portal")
        assert audit.broken(tx) is None
    assert [change.action for change in told] == ["site.add", "site.rotate", "site.disable", "site.enable"]
    text = json.dumps([[change.before, change.after] for change in told])
    for hidden in (secret, fresh, "digest", "secret"):
        assert hidden not in text
    with filled.reading() as tx, pytest.raises(StoreError, match="no site nobody"):
        sites.get(tx, "nobody")


def test_a_change_gives_the_settings_that_are_named_and_no_others(filled: Store) -> None:
    former, secret = add(filled, senders=["info@example.be"], unix_user="www-data")
    wanted: dict[str, Any] = {
        "address": "form@wide.example", "contact": "desk@elsewhere.example", "senders": (), "networks": ("192.0.2.0/24",),
        "recipients": ("example.be",), "foreign_from": "refuse", "would_fail": "refuse", "rate": 0, "visitor_rate": 7, "unix_user": None,
    }  # fmt: skip
    for name, value in wanted.items():
        generation = filled.generation()
        with filled.writing() as tx:
            assert sites.change(tx, "portal", now=9, **{name: value})
            assert not sites.change(tx, "portal", now=10, **{name: value}), "it is so already"
            now = sites.get(tx, "portal")
            told = audit.all(tx, subject="portal")
        assert filled.generation() == generation + 1, "a daemon takes it over"
        assert now == replace(former, **{name: value})
        assert told[-1].action == "site.change"
        assert told[-1].before is not None
        assert told[-1].after is not None
        assert {key for key in told[-1].after if told[-1].before[key] != told[-1].after[key]} == {name}
        former = now
    assert filled.vault is not None
    assert former.digest == sites.digest(filled.vault, "portal", secret), "the secret stays"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"address": "noreply@other.example"}, "not a domain of the organisation default"),
        ({"organisation": "other"}, "not a domain of the organisation other"),
        ({"unix_user": "second"}, "belongs to the site second"),
        ({"senders": ["other.example"]}, "not a domain of the organisation"),
        ({"networks": ["0.0.0.0/0"]}, "every address there is"),
        ({"rate": -1}, "a rate is"),
        ({"contact": "nobody"}, "is no address"),
    ],
)
def test_a_change_may_not_give_what_add_refuses(filled: Store, changes: Any, said: str) -> None:
    former, _ = add(filled, senders=["info@example.be"])
    add(filled, "second", unix_user="second")
    with pytest.raises(StoreError, match=said), filled.writing() as tx:
        sites.change(tx, "portal", now=9, **changes)
    with filled.reading() as tx:
        assert sites.get(tx, "portal") == former


def test_a_site_moves_to_another_organisation_with_all_that_it_sends_as(filled: Store) -> None:
    add(filled)
    with filled.writing() as tx:
        assert sites.change(tx, "portal", now=9, organisation="other", address="noreply@other.example")
        assert sites.get(tx, "portal").organisation == "other"


def test_a_site_that_is_removed_leaves_its_name_and_its_user_free_and_its_secret_serves_nobody(filled: Store) -> None:
    former, secret = add(filled, unix_user="www-data")
    with filled.writing() as tx:
        assert sites.remove(tx, "portal", now=9) == former
        (line,) = audit.all(tx, subject="portal")[1:]
        assert (line.action, line.after) == ("site.remove", None)
        assert line.before is not None
        assert line.before["address"] == "noreply@example.be"
    assert filled.snapshot().sites == ()
    again, _ = add(filled, unix_user="www-data")
    assert filled.vault is not None
    assert again.digest != sites.digest(filled.vault, "portal", secret)
    with pytest.raises(StoreError, match="no site nobody"), filled.writing() as tx:
        sites.remove(tx, "nobody", now=9)
