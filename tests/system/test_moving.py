"""Moving in from the configurations that Debian ships and from real signers, and out to them: each signs the same as the other.

What opendkim and rspamd do with a configuration is asked of the programs themselves, message by message.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import zegel
from support.servers import require, unavailable
from support.signers import message, names, opendkim, rspamd, rspamd_conf
from support.texts import pem
from zegel.adapters.keyring import DomainKeys, Keyring
from zegel.config import Allow, Config, Outbound
from zegel.config.sections import Signing
from zegel.dkim.crypto import Key
from zegel.grammar.domain import Domain
from zegel.moving import export, handout, plan, ucl, unequal
from zegel.moving import opendkim as from_opendkim
from zegel.moving import rspamd as from_rspamd
from zegel.moving.disk import Disk
from zegel.moving.model import Found, Weight
from zegel.moving.plan import Fate, Plan

EXAMPLES = Path("/usr/share/doc/opendkim/examples")
MODULE = Path("/etc/rspamd/modules.d/dkim_signing.conf")


@pytest.fixture
def folder() -> Iterator[Path]:
    # A short path for sockets, and open for programs of other users.
    with tempfile.TemporaryDirectory(prefix="zegel-moving-", dir="/tmp") as made:
        yield Path(made)


def need(path: Path) -> Path:
    if not path.exists():
        unavailable(f"{path} is not there; on Debian, apt-get install the package that holds it")
    return path


def moved(found: Found) -> Plan:
    return plan.make(found, plan.load(found, Disk()), (), ())


def ours(made: Plan, author: str) -> list[tuple[str, str]]:
    """What Zegel signs mail of that author with after the move."""
    wide = made.below
    keys: dict[Domain, list[Key]] = {}
    for move in made.moves:
        if move.fate is Fate.NEW and move.loaded is not None:
            keys.setdefault(move.domain, []).append(Key(move.domain, move.selector, move.loaded.pem))
    ring = Keyring(DomainKeys(domain, tuple(own), domain in wide) for domain, own in keys.items())
    return sorted((key.domain, key.selector) for key in ring.find(Domain.parse(author.rpartition("@")[2])))


# -- what Debian ships ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["opendkim.conf.sample", "opendkim.conf.simple", "opendkim.conf.simple-verify", "/etc/opendkim.conf"])
def test_every_sample_of_opendkim_is_read(name: str) -> None:
    require("opendkim")
    found = from_opendkim.read(str(need(EXAMPLES / name)), Disk())
    assert not [remark for remark in found.remarks if remark.weight is Weight.BROKEN]
    assert not [remark for remark in found.remarks if remark.sentence.sentence == unequal.UNKNOWN]
    signers = {"opendkim.conf.sample": ["example.com"], "opendkim.conf.simple": ["localhost"]}
    assert [signer.domain for signer in found.signers] == signers.get(name, [])
    assert found.signs is (name != "opendkim.conf.simple-verify")


def test_every_parameter_that_the_sample_names_is_known(folder: Path) -> None:
    text = need(EXAMPLES / "opendkim.conf.sample").read_text()
    # Each stands there as a comment, with an example of its value.
    lines = re.findall(r"^# ?([A-Z][A-Za-z-]+)[ \t]+(\S.*)$", text, re.MULTILINE)
    assert len(lines) > 70
    strange = [name for name, _value in lines if name.lower() not in unequal.READ | unequal.QUIET | set(unequal.TOLD)]
    assert strange == []


def test_the_configuration_of_rspamd_is_read(folder: Path) -> None:
    require("rspamd")
    found = from_rspamd.read(str(need(MODULE)), Disk())
    assert not found.signers
    assert not [remark for remark in found.remarks if remark.weight is Weight.BROKEN]
    # The same with the example in it, which stands there as a comment.
    text = MODULE.read_text()
    (folder / "modules.d").mkdir()
    file = folder / "modules.d" / "dkim_signing.conf"
    file.write_text(re.sub(r"^  #((?:domain|  |\}).*)$", r"  \1", text, flags=re.MULTILINE))
    example = from_rspamd.read(str(file), Disk())
    assert [(signer.domain, signer.selector, signer.source.path) for signer in example.signers] == [
        ("example.com", "ds", "/var/lib/rspamd/dkim/example.key"),
        ("example.com", "eddsa", "/var/lib/rspamd/dkim/eddsa.key"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        'domain { a.example { selectors [ { path = "/k"; selector = "s" }, { path: /l, selector: t } ] } }\nuse_esld = no;',
        'selector_map = ["a.example s", "b.example t"]; path = "/k/$domain"; /* off */ try_fallback = false # end',
        'domain "a.example" { path = "/k"; selector = s1 }\ndomain { b.example { path = /l } }\nuse_domain: header',
        'domain { a.example { path = \'/k\'; selector = "x\\"y" } }; sign_local = on; sign_networks [ 192.0.2.0/24; ]',
    ],
)
def test_we_read_its_language_as_rspamd_does(folder: Path, text: str) -> None:
    file = folder / "signing.conf"
    file.write_text(text)
    done = subprocess.run(
        [require("rspamadm"), "configdump", "-j", "-c", str(rspamd_conf(file, folder)), "dkim_signing"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert plain(ucl.parse(text, "x")) == plain(json.loads(done.stdout[done.stdout.index("{") :]))


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value if isinstance(value, bool) else str(value)


# -- in: what real signers do --------------------------------------------------------------------------------------------------------

AUTHORS = (
    "jo@a.example",
    "info@a.example",
    "jo@sub.a.example",
    "jo@own.a.example",
    "jo@b.example",
    "info@c.example",
    "jo@c.example",
    "x@d.example",
)
TABLES = {
    "refile": "*@own.a.example own\n*@a.example a\n*@*.a.example a\n*@b.example b\ninfo@c.example c\n",
    "file": "a.example a\n.a.example a\nown.a.example own\nb.example b\ninfo@c.example c\n",
}


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_what_each_from_is_signed_with_is_what_opendkim_signs(folder: Path, kind: str) -> None:
    keys = (("a", "a.example", "m1"), ("own", "own.a.example", "m2"), ("b", "%", "m3"), ("c", "c.example", "m4"))
    for number, (name, _domain, _selector) in enumerate(keys):
        (folder / name).write_bytes(pem(number % 3))
        (folder / name).chmod(0o600)
    (folder / "keys").write_text("".join(f"{name} {domain}:{selector}:{folder}/{name}\n" for name, domain, selector in keys))
    (folder / "signing").write_text(TABLES[kind])
    conf = folder / "opendkim.conf"
    conf.write_text(f"Syslog no\nMode s\nKeyTable file:{folder}/keys\nSigningTable {kind}:{folder}/signing\nInternalHosts 127.0.0.1\n")
    made = moved(from_opendkim.read(str(conf), Disk()))
    assert not made.broken
    senders = set(made.senders)
    with opendkim(conf, folder / "s") as program:
        for author in AUTHORS:
            theirs = names(program.sign(message(author), author))
            host = author.rpartition("@")[2]
            below = any(f".{parent}" in senders for parent in Domain.parse(host).parents)
            listed = below or bool({author, host} & senders)
            assert (ours(made, author) if listed else []) == theirs, author
    assert sum(bool(ours(made, author)) for author in AUTHORS) == 7


def test_what_each_from_is_signed_with_is_what_rspamd_signs(folder: Path) -> None:
    for number, name in enumerate(("a", "b", "c.example.dflt")):
        (folder / name).write_bytes(pem(number))
        (folder / name).chmod(0o600)
    (folder / "map").write_text("b.example m2\n")
    (folder / "paths").write_text(f"b.example {folder}/b\n")
    conf = folder / "dkim_signing.conf"
    conf.write_text(
        f'selector = "dflt"; path = "{folder}/$domain.$selector"; path_map = "{folder}/paths"; selector_map = "{folder}/map";\n'
        f'allow_username_mismatch = true; allow_hdrfrom_mismatch = true;\ndomain {{ a.example {{ path = "{folder}/a"; selector = m1 }} }}\n'
    )
    made = moved(from_rspamd.read(str(conf), Disk()))
    assert not made.broken
    (folder / "run").mkdir()
    with rspamd(conf, folder / "run") as program:
        for author in ("jo@a.example", "jo@sub.a.example", "jo@b.example", "jo@c.example", "jo@d.example"):
            assert ours(made, author) == names(program.sign(message(author), author)), author
    assert [ours(made, f"jo@{name}.example") for name in "abcd"] == [
        [("a.example", "m1")], [("b.example", "m2")], [("c.example", "dflt")], [],
    ]  # fmt: skip


# -- out: what they read of ours -----------------------------------------------------------------------------------------------------

KEYS = (
    export.Signing(Domain.parse("a.example"), "r1", "rsa", Key("a.example", "r1", pem(0)).public, True, pem(0)),
    export.Signing(Domain.parse("a.example"), "e1", "ed25519", Key("a.example", "e1", pem(0, "ed25519")).public, True, pem(0, "ed25519")),
    export.Signing(Domain.parse("own.a.example"), "r2", "rsa", Key("own.a.example", "r2", pem(1)).public, False, pem(1)),
)
CONFIG = Config(
    outbound=Outbound(allow=(Allow(local=True, sign=("*",)), Allow(login="*", sign=("*",)))),
    signing=Signing(canonicalization="relaxed/simple", expire=86_400),
)


def zone() -> zegel.Zone:
    records = {(f"{key.selector}._domainkey.{key.domain}", "TXT"): [f"v=DKIM1; k={key.key_type}; p={key.public}"] for key in KEYS}
    return zegel.Zone.from_dict(records)


def fields_signed(signed: bytes) -> list[str]:
    header = re.sub(rb"\r?\n[ \t]+", b"", signed.partition(b"\r\n\r\n")[0])
    found = re.search(rb"[;\s]h=([^;]*)", header)
    assert found is not None
    return sorted(re.sub(r"\s", "", found[1].decode()).lower().split(":"))


def test_opendkim_takes_what_we_write_and_signs_the_same(folder: Path) -> None:
    out = folder / "out"
    handout.write(export.opendkim(KEYS, CONFIG, str(out)), out)
    expected = {
        "opendkim.conf": {
            "jo@a.example": [("a.example", "r1")], "jo@sub.a.example": [("a.example", "r1")],
            "jo@own.a.example": [("own.a.example", "r2")],
        },
        "opendkim-ed25519.conf": {"jo@a.example": [("a.example", "e1")], "jo@sub.a.example": [("a.example", "e1")]},
    }  # fmt: skip
    for name, authors in expected.items():
        checked = subprocess.run([require("opendkim"), "-n", "-x", str(out / name)], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")
        with opendkim(out / name, folder / f"{name}.s") as program:
            for author, wanted in authors.items():
                signed = program.sign(message(author), author)
                assert names(signed) == wanted, author
                assert [str(result.status) for result in zegel.verify(signed, resolver=zone())] == ["pass"] * len(wanted)
                if wanted:
                    assert re.search(rb"c=relaxed/simple;", signed)
                    assert re.search(rb"[;\s]x=\d+", signed)
    own = zegel.sign(message("jo@a.example"), Key("a.example", "r1", pem(0)), canonicalization="relaxed/simple", expire=86_400)
    with opendkim(out / "opendkim.conf", folder / "again.s") as program:
        theirs = program.sign(message("jo@a.example"), "jo@a.example")
    assert set(fields_signed(theirs)) == set(fields_signed(own))


def test_opendkim_finds_the_keys_that_we_write(folder: Path) -> None:
    out = folder / "out"
    handout.write(export.opendkim(KEYS, CONFIG, str(out)), out)
    for key in KEYS:
        data = (out / key.domain / f"{key.selector}.private").read_bytes()
        assert Key(key.domain, key.selector, data).public == key.public


def test_rspamd_takes_what_we_write_and_signs_the_same(folder: Path) -> None:
    out, run = folder / "out", folder / "run"
    made = export.rspamd(KEYS, CONFIG, str(out))
    handout.write(made, out)
    run.mkdir()
    said = " ".join(map(str, made.unequal))
    assert "below a.example" in said
    assert "relaxed/simple" in said
    with rspamd(out / "dkim_signing.conf", run) as program:
        checked = subprocess.run(
            [require("rspamadm"), "configtest", "-c", str(run / "rspamd.conf")], capture_output=True, text=True, timeout=60, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "syntax OK" in checked.stdout
        expected = {
            "jo@a.example": [("a.example", "e1"), ("a.example", "r1")], "jo@own.a.example": [("own.a.example", "r2")], "jo@b.example": [],
        }  # fmt: skip
        for author, wanted in expected.items():
            signed = program.sign(message(author), author)
            assert names(signed) == wanted, author
            assert [str(result.status) for result in zegel.verify(signed, resolver=zone())] == ["pass"] * len(wanted)
