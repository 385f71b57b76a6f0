"""What becomes of each key: it comes along, is there, stays behind, or cannot come; and then all of it in the store, part by part."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import zegel
from support.servers import require
from support.texts import Texts, pem
from zegel.grammar.domain import Domain
from zegel.moving import opendkim, plan
from zegel.moving.bring import TOGETHER, bring, bring_all
from zegel.moving.disk import Disk
from zegel.moving.model import Found, UnreadableError
from zegel.moving.pem import load, seed_and_public
from zegel.moving.plan import Fate, Plan
from zegel.store import audit, domains, keychanges, keys
from zegel.store.database import Store
from zegel.store.errors import StoreError

A, B = Domain.parse("a.example"), Domain.parse("b.example")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data", now=1) as opened:
        yield opened


def found(signing: str, table: str, more: str = "", files: dict[str, bytes] | None = None) -> tuple[Found, Texts]:
    usual: dict[str, str | bytes] = {"/k/e": pem(0, "ed25519"), **{f"/k/{number}": pem(number) for number in range(3)}}
    texts = Texts(usual | {"/c": f"SigningTable refile:/s\nKeyTable file:/t\n{more}", "/s": signing, "/t": table} | (files or {}))
    return opendkim.read("/c", texts), texts


def planned(store: Store, signing: str, table: str, more: str = "", files: dict[str, bytes] | None = None) -> Plan:
    what, texts = found(signing, table, more, files)
    loaded = plan.load(what, texts)
    with store.reading() as tx:
        return plan.make(what, loaded, domains.all(tx), keys.all(tx))


def brought(store: Store, made: Plan, *, seen: bool = True) -> None:
    visible = {(move.domain, move.selector) for move in made.new} if seen else set()
    with store.writing() as tx:
        bring(tx, made, visible, now=5, organisation="Gent", origin="test")


def fates(made: Plan) -> list[tuple[str, str]]:
    return [(move.selector, str(move.fate)) for move in made.moves]


def state(store: Store) -> list[tuple[str, str, str]]:
    with store.reading() as tx:
        return [(str(key.domain), key.selector, str(key.state)) for key in keys.all(tx)]


def test_a_second_time_nothing_is_left_to_do(store: Store) -> None:
    lines = ("*@a.example ka\n*@*.a.example ka\n*@b.example kb\n", "ka a.example:mail:/k/0\nkb b.example:mail:/k/0\n")
    first = planned(store, *lines)
    assert fates(first) == [("mail", "new"), ("mail", "new")]
    assert (first.domains, first.broken) == ([A, B], [])
    brought(store, first)
    again = planned(store, *lines)
    assert (fates(again), again.changes) == ([("mail", "there"), ("mail", "there")], False)
    assert state(store) == [("a.example", "mail", "active"), ("b.example", "mail", "active")]
    with store.reading() as tx:
        assert [(one.organisation, one.sign_subdomains) for one in domains.all(tx)] == [("Gent", True), ("Gent", False)]
        assert keys.private_pem(tx, A, "mail") == pem(0)
        assert audit.all(tx)[-1].after == {"domains": 2, "keys": 2, "active": 2}
        assert audit.broken(tx) is None


def test_unseen_keys_wait(store: Store) -> None:
    brought(store, planned(store, "*@a.example k\n", "k a.example:s:/k/0\n"), seen=False)
    assert state(store) == [("a.example", "s", "pending")]
    again = planned(store, "*@a.example k\n", "k a.example:s:/k/0\n")
    assert again.moves[0].fate is Fate.THERE
    assert "zegel key activate a.example s" in str(again.moves[0].why)


def test_what_does_not_sign_there_does_not_sign_here(store: Store) -> None:
    brought(store, planned(store, "*@a.example k\n", "k a.example:s:/k/0\n", "Mode v\n"))
    assert state(store) == [("a.example", "s", "pending")]


def test_of_one_kind_the_key_for_most_senders_signs(store: Store) -> None:
    made = planned(store, "info@a.example one\n*@a.example all\n", "one a.example:s1:/k/1\nall a.example:s2:/k/2\n")
    assert fates(made) == [("s1", "spare"), ("s2", "new")]
    assert "that is s2" in str(made.moves[0].why)


def test_two_kinds_sign_both(store: Store) -> None:
    # opendkim has one algorithm for all, so a table of both kinds is rspamd's.
    what, texts = found("*@a.example r\n*@a.example e\n", "r a.example:s1:/k/0\ne a.example:s2:/k/e\n", "MultipleSignatures yes\n")
    what.key_type = None
    brought(store, plan.make(what, plan.load(what, texts), (), ()))
    assert state(store) == [("a.example", "s1", "active"), ("a.example", "s2", "active")]


def test_a_key_that_signs_here_already_is_not_pushed_aside(store: Store) -> None:
    with store.writing() as tx:
        domains.add(tx, A, now=1)
        keys.add(tx, A, "z1", "rsa2048", pem(1), zegel.Key("a.example", "z1", pem(1)).public, now=1)
        keychanges.activate(tx, A, "z1", now=2)
    made = planned(store, "*@a.example k\n", "k a.example:s:/k/0\n")
    assert (fates(made), made.changes) == ([("s", "spare")], False)
    what, texts = found("*@a.example k\n", "k a.example:s:/k/0\n")
    what.single = True
    with store.reading() as tx:
        named = plan.make(what, plan.load(what, texts), domains.all(tx), keys.all(tx))
    brought(store, named)
    assert state(store) == [("a.example", "z1", "active"), ("a.example", "s", "pending")]


def test_a_domain_of_the_store_comes_to_sign_for_names_below(store: Store) -> None:
    with store.writing() as tx:
        domains.add(tx, A, now=1)
    made = planned(store, "*@a.example k\n*@*.a.example k\n", "k a.example:s:/k/0\n")
    assert (made.domains, made.widened) == ([], [A])
    brought(store, made)
    with store.reading() as tx:
        assert domains.get(tx, A).sign_subdomains
        assert [line.action for line in audit.all(tx, subject="a.example")][1] == "domain.change"
    assert not planned(store, "*@a.example k\n*@*.a.example k\n", "k a.example:s:/k/0\n").changes


@pytest.mark.parametrize(
    ("table", "files", "sentence"),
    [
        ("k a.example:s:/k/none\n", {}, "/k/none is not there"),
        ("k a.example:s:/k/x\n", {"/k/x": b"not a key"}, "is of no use"),
        ("k a.example:s:/k/x\n", {"/k/x": b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"}, "encrypted with a passphrase"),
        ("k a.example:s:/k/e\n", {}, "the key is ed25519, and signatures are to be rsa there"),
        ("k a.example:s:not/base64\n", {}, "the key in /s:1 is of no use"),
    ],
)
def test_keys_that_cannot_come(store: Store, table: str, files: dict[str, bytes], sentence: str) -> None:
    made = planned(store, "*@a.example k\n", table, files=files)
    assert (fates(made), made.changes) == ([("s", "broken")], False)
    (remark,) = made.broken
    assert (remark.at, remark.about) == ("/s:1", "s a.example")
    assert sentence in str(remark.sentence)


def test_a_domain_of_one_part_and_another_key_of_that_name(store: Store) -> None:
    made = planned(store, "*@localhost k\n", "k localhost:s:/k/0\n")
    assert "one part only" in str(made.broken[0].sentence)
    brought(store, planned(store, "*@a.example k\n", "k a.example:s:/k/0\n"))
    other = planned(store, "*@a.example k\n", "k a.example:s:/k/1\n")
    assert "another key s of a.example" in str(other.broken[0].sentence)
    both = planned(store, "*@b.example k\n*@*.b.example l\n", "k b.example:s:/k/0\nl b.example:s:/k/1\n")
    assert "means another key at /s:2" in str(both.broken[0].sentence)


def test_a_key_that_was_revoked_does_not_come_back(store: Store) -> None:
    lines = ("*@a.example k\n", "k a.example:s:/k/0\n")
    brought(store, planned(store, *lines))
    with store.writing() as tx:
        tx.connection.exec_driver_sql("UPDATE keys SET state = 'revoked'")
    assert "was revoked" in str(planned(store, *lines).broken[0].sentence)


def test_a_name_with_its_own_key_is_told(store: Store) -> None:
    made = planned(store, "jo@b.a.example l\n*@b.a.example k\n", "k a.example:s:/k/0\nl b.a.example:t:/k/1\n")
    assert any("b.a.example is signed as a.example there" in str(remark.sentence) for remark in made.found.remarks)


def test_nothing_comes_half(store: Store) -> None:
    made = planned(store, "*@a.example ka\n*@b.example kb\n", "ka a.example:s:/k/0\nkb b.example:s:/k/1\n")
    assert made.moves[1].loaded is not None
    with store.writing() as tx:
        domains.add(tx, B, now=1)
        keys.add(tx, B, "s", "rsa2048", pem(2), zegel.Key("b.example", "s", pem(2)).public, now=1)
    with pytest.raises(StoreError):
        brought(store, made)
    assert state(store) == [("b.example", "s", "pending")]


# -- keys as others write them -------------------------------------------------------------------------------------------------------


def der(data: bytes) -> bytes:
    return base64.b64encode(base64.b64decode(b"".join(line for line in data.splitlines() if b"-" not in line)))


def test_spellings_of_a_key() -> None:
    # PEM (RFC 7468 2) of PKCS#8 and PKCS#1, and for Ed25519 the octets of RFC 8410 7.
    rsa, public = pem(0), zegel.Key("a.example", "s", pem(0)).public
    assert (load(rsa, "x").algorithm, load(rsa, "x").public) == ("rsa2048", public)
    assert load(der(rsa), "x").public == public
    done = subprocess.run([require("openssl"), "rsa", "-traditional"], input=rsa, capture_output=True, check=True)
    assert b"BEGIN RSA PRIVATE KEY" in done.stdout
    assert load(done.stdout, "x").public == load(der(done.stdout), "x").public == public
    ed = pem(0, "ed25519")
    own = zegel.Key("a.example", "s", ed).public
    seeded = seed_and_public(ed, own)
    assert seeded is not None
    assert len(base64.b64decode(seeded)) == 64
    for text in (seeded, base64.b64encode(base64.b64decode(seeded)[:32])):
        loaded = load(text, "x")
        assert (loaded.algorithm, loaded.public) == ("ed25519", own)
        assert b"BEGIN PRIVATE KEY" in loaded.pem
    assert seed_and_public(rsa, public) is None
    assert "PRIVATE" not in repr(load(rsa, "x"))


@pytest.mark.parametrize(("bits", "algorithm"), [("1024", "rsa1024"), ("1536", "rsa1536"), ("4096", "rsa4096")])
def test_sizes_of_rsa(store: Store, bits: str, algorithm: str) -> None:
    made = subprocess.run([require("openssl"), "genrsa", bits], capture_output=True, check=True).stdout
    assert load(made, "x").algorithm == algorithm
    brought(store, planned(store, "*@a.example k\n", "k a.example:s:/k/x\n", files={"/k/x": made}))
    assert state(store) == [("a.example", "s", "active")]


def test_a_key_that_is_too_short() -> None:
    made = subprocess.run([require("openssl"), "genrsa", "1023"], capture_output=True, check=True).stdout
    with pytest.raises(UnreadableError, match="1023 bits"):
        load(made, "x")


# -- files on disk -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "sentence"), [(0o604, "read by everybody"), (0o660, "changed by others"), (0o602, "changed by others")])
def test_a_key_that_others_can_read_or_change(tmp_path: Path, mode: int, sentence: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(pem(0))
    file.chmod(mode)
    with pytest.raises(UnreadableError, match=sentence):
        Disk().secret(str(file))
    assert Disk().read(str(file)) == pem(0)
    file.chmod(0o640)
    assert Disk().secret(str(file)) == pem(0)


def test_what_is_no_plain_file_of_a_sane_size(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long").write_bytes(b"x" * 70_000)
    (tmp_path / "long").chmod(0o600)
    for path, sentence in (
        ("pipe", "not a plain file"),
        (".", "not a plain file|directory"),
        ("none", "not there"),
        ("\0", "cannot be read"),
    ):
        with pytest.raises(UnreadableError, match=sentence):
            Disk().read(str(tmp_path / path))
    with pytest.raises(UnreadableError, match="longer than"):
        Disk().secret(str(tmp_path / "long"))
    assert Disk().names(str(tmp_path)) == ["long", "pipe"]
    assert Disk().names(str(tmp_path / "none")) == ()


def test_many_domains_come_in_parts_with_the_lock_free_between_them(store: Store) -> None:
    """Whoever records or queues mail meanwhile never waits for more than a part; no domain is cut in two."""
    count = 2 * TOGETHER + 5
    lines = "".join(f"*@d{number}.example k{number}\n" for number in range(count))
    table = "".join(f"k{number} d{number}.example:mail:/k/0\n" for number in range(count))
    made = planned(store, lines, table)
    visible, told, other = {(move.domain, move.selector) for move in made.new}, [], Store.open(store.folder)
    for done in bring_all(store, made, visible, now=5, organisation="Gent", origin="test"):
        told.append((done.domains, done.keys, done.active))
        with other.writing() as tx:  # at once: nobody has the lock
            domains.add(tx, Domain.parse(f"part{len(told)}.example"), now=6)
    other.close()
    assert told == [(some, some, some) for some in (TOGETHER, 2 * TOGETHER, count)]
    assert planned(store, lines, table).changes is False


def test_after_trouble_the_rest_comes_with_the_same_command(store: Store) -> None:
    count = 2 * TOGETHER
    lines = "".join(f"*@d{number}.example k{number}\n" for number in range(count))
    table = "".join(f"k{number} d{number}.example:mail:/k/0\n" for number in range(count))
    made = planned(store, lines, table)
    doing = bring_all(store, made, set(), now=5, organisation="Gent", origin="test")
    assert next(doing).domains == TOGETHER
    with store.writing() as tx:  # somebody adds one of the second part meanwhile
        domains.add(tx, made.domains[TOGETHER + 3], now=6)
    with pytest.raises(StoreError, match="in the store already"):
        next(doing)
    assert len(state(store)) == TOGETHER
    again = planned(store, lines, table)
    assert (len(again.new), len(again.domains)) == (TOGETHER, TOGETHER - 1)
    assert [done.keys for done in bring_all(store, again, set(), now=7, organisation="Gent", origin="test")] == [TOGETHER]
    assert len(state(store)) == count
