"""Imitations of a bank through a real Postfix, by one who may send for a domain of his own and holds mail that the bank has signed.

He has SPF, keys and sealers that pass, and the bank publishes all that there is. Each message must end as the table says: refused where
readers could see the bank as its author without its proof, delivered as his own where it is his own, and never a word of his in our field.
Our authserv-id is an A-label, so that it has a form in UTF-8 too.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

import dkim
import zegel
from support import arc
from support.daemon import Daemon
from support.postfix import Postfix
from support.proof import results, values
from support.servers import wait_for
from zegel.authres.parse import parse
from zegel.grammar.domain import Domain

OURS = "mx.xn--bcher-kva.example"
BANK, EVIL, LIST = "bank.example", "evil.example", "lists.example"
ADDRESS, HONEST = "198.51.100.66", "192.0.2.1"
REST = b"To: info@reject.example\r\nSubject: your account\r\nDate: Tue, 24 Nov 2026 09:12:42 +0100\r\nMessage-ID: <1@bank.example>\r\n"
BODY = b"\r\nhello\r\n..dots\r\n.\r\nend\r\n"
INBOUND = f'modes = {{ "reject.example" = "reject" }}\ntrusted_sealers = ["{LIST}"]\n'
NUMBERS = itertools.count()
LETTER = b"From: Bank <info@bank.example>\r\n" + REST + BODY
SHORT = LETTER.replace(b"\r\n.\r\n", b"\r\n")  # without what ends it


class Site(NamedTuple):
    postfix: Postfix
    keys: dict[str, zegel.Key]
    rsa: zegel.Key

    def send(self, message: bytes, name: str, *, mail_from: str = "a@evil.example", utf8: bool = False, address: str = ADDRESS) -> str:
        """Hand it in by BDAT, where nothing is stuffed and any octet may stand; "" when it is taken, else the reply."""
        with self.postfix.client(address=address, port=4711) as client:
            client.command_encoding = "utf-8"
            client.docmd(f"MAIL FROM:<{mail_from}> BODY=8BITMIME" + " SMTPUTF8" * utf8)
            client.docmd(f"RCPT TO:<{name}@reject.example>")
            client.send(f"BDAT {len(message)} LAST\r\n".encode() + message)
            code, text = client.getreply()
        return "" if code == 250 else f"{code} {text.decode()}"

    def delivered(self, name: str) -> bytes:
        def found() -> list[bytes]:
            return [arrived.data for arrived in self.postfix.sink.messages if f"{name}@reject.example" in arrived.recipients]

        wait_for(lambda: bool(found()), 30, f"a message for {name}")
        (data,) = found()
        return data

    def judge(self, message: bytes, becomes: str, **sending: Any) -> bytes:
        """Send it: it must be refused, kept for quarantine, let through without a pass, or pass as that domain's. What was delivered."""
        name = f"n{next(NUMBERS)}"
        reply = self.send(message, name, **sending)
        if becomes == "refused":
            assert reply.startswith("550 5.7.1 Email rejected"), reply or self.told(name)
            return b""
        assert not reply, reply
        told, arrived = self.told(name), self.delivered(name)
        assert values(arrived, "X-Zegel-Quarantine") == (["author_untrusted -"] if becomes == "quarantined" else [])
        passes = re.findall(r"dmarc=pass header.from=(\S+)", told)
        assert passes == ([] if becomes in ("quarantined", "let through") else [becomes]), told
        return arrived

    def smuggle(self, message: bytes) -> tuple[bytes, list[str]]:
        """Hand it in by DATA without stuffing a dot, and leave when all has been answered. The first message, and the replies after it."""
        name, replies = f"n{next(NUMBERS)}", []
        with self.postfix.client(address=ADDRESS, port=4711) as client:
            client.mail("a@evil.example")
            client.rcpt(f"{name}@reject.example")
            assert client.docmd("DATA")[0] == 354
            client.send(message + b"\r\n.\r\nQUIT\r\n")
            code = 0
            while code != 221:
                code, text = client.getreply()
                replies.append(f"{code} {text.decode()}")
        return self.delivered(name), replies[1:]

    def told(self, name: str) -> str:
        """The value of our own field of what was delivered: it is the topmost, and reads back."""
        value = results(self.delivered(name))
        assert parse(value).authserv_id == OURS
        return value

    def signed(self, message: bytes, who: str = EVIL, **options: object) -> bytes:
        return zegel.sign(message, self.keys[who], **options) + message  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    keys = {name: zegel.Key.generate(name, "s1", "ed25519") for name in (BANK, EVIL, "xn--bnk-qla.example")}
    daemon = Daemon(authserv_id=OURS, inbound=INBOUND)
    rsa = zegel.Key.generate(BANK, "rsa", "rsa2048")
    for key in (*keys.values(), rsa, arc.key(EVIL), arc.key(LIST)):
        daemon.publish(key)
    daemon.records |= {
        BANK: f"v=spf1 ip4:{HONEST} -all", f"_dmarc.{BANK}": "v=DMARC1; p=reject",
        "xn--bnk-qla.example": f"v=spf1 ip4:{HONEST} -all", "_dmarc.xn--bnk-qla.example": "v=DMARC1; p=reject",
        EVIL: "v=spf1 +all", f"_dmarc.{EVIL}": "v=DMARC1; p=none",
    }  # fmt: skip
    for selector, (change, _) in KEYS.items():
        daemon.records[f"{selector}._domainkey.{BANK}"] = change(keys[BANK].record)
    daemon.write_zone()
    with daemon, Postfix(smtpd_milters=daemon.milter_address, non_smtpd_milters=daemon.milter_address) as postfix:
        yield Site(postfix, keys, rsa)


# The value of From, and what becomes of it: "refused", or as whose own mail it is delivered.
FROMS = {
    "comment before the address": (b"(a@evil.example) <info@bank.example>", "refused"),
    "nested comments": (b"(x (y (info@bank.example)) z) a@evil.example", EVIL),
    "comment in the domain": (b"a@evil.example(@bank.example)", EVIL),
    "comment between the labels": (b"info@bank.(evil.)example", "refused"),
    "quoted bracket": (b'"<info@bank.example>" <a@evil.example>', EVIL),
    "quoted comma": (b'"info@bank.example, " <a@evil.example>', EVIL),
    "quoted quote": (b'"\\"info@bank.example\\" <" <a@evil.example>', EVIL),
    "open quote": (b'"info@bank.example <a@evil.example>', "refused"),
    "open comment": (b"(info@bank.example <a@evil.example>", "refused"),
    "quoted local part": (b'"info@bank.example"@evil.example', EVIL),
    "local part with a bracket": (b'"a>, <info@bank.example"@evil.example', EVIL),
    "encoded address": (b"=?utf-8?q?=3Cinfo=40bank=2Eexample=3E?= <a@evil.example>", EVIL),
    "only an encoded address": (b"=?utf-8?q?info=40bank.example?=", "refused"),
    "encoded local part": (b"=?utf-8?q?info?=@bank.example", "refused"),
    "encoded in brackets": (b"<=?utf-8?q?info=40bank.example?=@evil.example>", "refused"),
    "encoded line end": (b"=?utf-8?q?x=0D=0AFrom=3A_info=40bank.example?= <a@evil.example>", EVIL),
    "encoded in a quoted string": (b'"=?utf-8?q?info=40bank.example?=" <a@evil.example>', EVIL),
    "two addresses": (b"a@evil.example, info@bank.example", "quarantined"),
    "semicolon": (b"a@evil.example; info@bank.example", "quarantined"),
    "two brackets": (b"<a@evil.example> <info@bank.example>", "refused"),
    "brackets in brackets": (b"<a@evil.example<info@bank.example>>", "refused"),
    "group": (b"evil:a@evil.example, info@bank.example;", "quarantined"),
    "empty group": (b"info@bank.example:;", "quarantined"),
    "mailbox as a group": (b"<a@evil.example>:<info@bank.example>", "quarantined"),
    "route": (b"<@evil.example:info@bank.example>", "refused"),
    "percent": (b"info%bank.example@evil.example", EVIL),
    "bang": (b"bank.example!info@evil.example", EVIL),
    "two at": (b"info@bank.example@evil.example", "refused"),
    "final dot": (b"info@bank.example.", "refused"),
    "two dots": (b"info@bank..example", "refused"),
    "in capitals": (b"INFO@BANK.EXAMPLE", "refused"),
    "folds": (b"\r\n <info@\r\n bank.example>", "refused"),
    "fold with a field": (b"a@evil.example\r\n From: info@bank.example", "quarantined"),
    "long folds": (b"x\r\n " * 900 + b"<info@bank.example>", "refused"),
    "full width": ("info@ｂａｎｋ.example".encode(), "refused"),
    "ideographic stop": ("info@bank。example".encode(), "refused"),
    "full width at": ("info＠bank.example <a@evil.example>".encode(), EVIL),
    "zero width": ("info@ba\u200bnk.example".encode(), "refused"),
    "soft hyphen": ("info@ba\u00adnk.example".encode(), "refused"),
    "a U-label": ("info@bänk.example".encode(), "refused"),
    "a decomposed U-label": ("info@ba\u0308nk.example".encode(), "refused"),
    "its A-label": (b"info@xn--bnk-qla.example", "refused"),
    "a label that decodes to ASCII": (b"info@xn--bank-.example", "refused"),
    "Latin 1": (b"info@b\xe4nk.example", "quarantined"),
    "overlong UTF-8": (b"info\xc1\x80bank.example <a@evil.example>", "quarantined"),
    "a surrogate in UTF-8": (b"info@bank\xed\xa0\x80.example", "quarantined"),
    "bare CR": (b"a@evil.example\rFrom: info@bank.example", "quarantined"),
    "bare LF": (b"a@evil.example\nFrom: info@bank.example", "refused"),
    "NUL": (b"info@bank.example\0@evil.example", "refused"),
    "NUL before": (b"\0info@bank.example", "refused"),
    "nothing": (b"", "refused"),
    "a literal": (b"info@[192.0.2.1]", "quarantined"),
}  # fmt: skip


@pytest.mark.parametrize("name", FROMS)
def test_a_from_that_shows_the_bank(site: Site, name: str) -> None:
    value, becomes = FROMS[name]
    message = b"From: " + value + b"\r\n" + REST + BODY
    if value.strip():
        with contextlib.suppress(ValueError):  # what cannot be signed
            message = site.signed(message)
    site.judge(message, becomes, utf8=not message.isascii())


OWN, THEIRS = b"From: a@evil.example\r\n", b"info@bank.example\r\n"
# Headers in which another field than From shows the bank, or a second From hides. A line that is no field ends the header for Postfix,
# which puts an empty line before it: what stands there is delivered as text.
HEADERS = {
    "no From, a Sender": (b"Sender: " + THEIRS, "refused"),
    "no From, a Resent-From": (b"Resent-From: " + THEIRS, "refused"),
    "a Sender": (OWN + b"Sender: " + THEIRS, EVIL),
    "a Resent-From on top": (b"Resent-From: " + THEIRS + OWN, EVIL),
    "a Reply-To": (OWN + b"Reply-To: " + THEIRS, EVIL),
    "an encoded name": (b"=?utf-8?q?From?=: " + THEIRS + OWN, EVIL),
    "X-From": (b"X-From: " + THEIRS + OWN, EVIL),
    "Apparently-From": (b"Apparently-From: " + THEIRS + OWN, EVIL),
    "another case": (b"FROM: " + THEIRS + OWN, "refused"),
    "an empty one on top": (b"From:\r\n" + OWN, "refused"),
    "behind a line of white space": (OWN + b"X: a\r\n \r\nFrom: " + THEIRS, "refused"),
    "in the fold of another": (OWN + b"X: a\r\n\tFrom: " + THEIRS, "quarantined"),
    "in the fold of white space": (OWN + b"X:\r\n \r\n From: " + THEIRS, "quarantined"),
    "a letter of another script": (OWN + "\u0424rom: ".encode() + THEIRS, EVIL),
    "a byte order mark on top": (b"\xef\xbb\xbfFrom: " + THEIRS + OWN, "refused"),
    "a no-break space before the colon": (OWN + b"From\xc2\xa0: " + THEIRS, EVIL),
    "a zero-width space in the name": (OWN + b"Fr\xe2\x80\x8bom: " + THEIRS, EVIL),
    "a NUL before the colon": (OWN + b"From\0: " + THEIRS, EVIL),
    "a vertical tab on top": (b"\x0bFrom: " + THEIRS + OWN, "refused"),
    "an escape on top": (b"\x1b[2KFrom: " + THEIRS + OWN, "refused"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_another_field_that_shows_the_bank(site: Site, name: str) -> None:
    header, becomes = HEADERS[name]
    site.judge(header + REST + BODY, becomes, utf8=not header.isascii())


# What he does to a message that the bank has signed with these options of ours, and what becomes of it. RFC 6376 8.6: a replay as it is
# passes, and so it does with fields that the bank has left to anybody.
LOOSE: dict[str, object] = {"headers": ["from", "to", "subject", "date"]}
SIMPLE: dict[str, object] = {"canonicalization": "simple/simple"}
REPLAYS: dict[str, tuple[dict[str, object], Callable[[bytes], bytes], str]] = {
    "as it is": ({}, bytes, BANK),
    "as it is, loosely signed": (LOOSE, bytes, BANK),
    "From on top": (LOOSE, lambda it: b"From: Bank <info@bank.example>\r\n" + it, "refused"),
    "own From on top": (LOOSE, lambda it: b"From: a@evil.example\r\n" + it, "refused"),
    "own From below": (LOOSE, lambda it: below(it, b"From: a@evil.example"), "refused"),
    "Subject on top": (LOOSE, lambda it: b"Subject: pay now\r\n" + it, "refused"),
    "Subject below": (LOOSE, lambda it: below(it, b"Subject: pay now"), "refused"),
    "Subject with a blank before the colon": (LOOSE, lambda it: b"Subject : pay now\r\n" + it, "refused"),
    "To on top": (LOOSE, lambda it: b"To: you@reject.example\r\n" + it, "refused"),
    "Date below": (LOOSE, lambda it: below(it, b"Date: Tue, 24 Nov 2026 10:12:42 +0100"), "refused"),
    "Cc that h= does not name": (LOOSE, lambda it: b"Cc: you@reject.example\r\n" + it, BANK),
    "Sender that h= does not name": (LOOSE, lambda it: b"Sender: a@evil.example\r\n" + it, BANK),
    "Cc that is oversigned": ({}, lambda it: b"Cc: you@reject.example\r\n" + it, "refused"),
    "Reply-To that is oversigned": ({}, lambda it: below(it, b"Reply-To: a@evil.example"), "refused"),
    "Content-Type that is oversigned": ({}, lambda it: b"Content-Type: text/html\r\n" + it, "refused"),
    "Subject in other words": ({}, lambda it: it.replace(b"Subject: your", b"Subject: YOUR"), "refused"),
    "Subject folded": ({}, lambda it: it.replace(b"Subject: your ", b"SUBJECT:\r\n\tyour\r\n  "), BANK),
    "Subject folded, simple": (SIMPLE, lambda it: it.replace(b"Subject: your ", b"Subject: your\r\n "), "refused"),
    "a line at the end": ({}, lambda it: it + b"pay now\r\n", "refused"),
    "empty lines at the end": ({}, lambda it: it + b"\r\n \t\r\n", BANK),
    "a lone dot more": ({}, lambda it: it + b".\r\n", "refused"),
    "a dot less": ({}, lambda it: it.replace(b"\r\n..dots", b"\r\n.dots"), "refused"),
    "a NUL in the body": ({}, lambda it: it.replace(b"hello", b"hel\0lo"), "refused"),
    "d= of his own": ({}, lambda it: it.replace(b"d=bank.example", b"d=evil.example"), "refused"),
    "i= of a subdomain": ({}, lambda it: it.replace(b"d=bank.example;", b"d=bank.example; i=@x.bank.example;"), "refused"),
    "l= put in": ({}, lambda it: it.replace(b"d=bank.example;", b"d=bank.example; l=0;"), "refused"),
    "twice": ({}, lambda it: it.partition(b"From:")[0] + it, BANK),
    "behind nine of no use": ({}, lambda it: b"DKIM-Signature: v=1; d=bank.example\r\n" * 9 + it, BANK),
    "behind ten of no use": ({}, lambda it: b"DKIM-Signature: v=1; d=bank.example\r\n" * 10 + it, "refused"),
    "expired": ({"now": 1_600_000_000, "expire": 60}, bytes, "refused"),
    # RFC 6376 3.5, t=: who verifies may ignore it; we do not.
    "of the far future": ({"now": 4_000_000_000}, bytes, BANK),
    "expires before it is made": ({"now": 4_000_000_000, "expire": 60}, lambda it: it.replace(b"t=4000000000", b"t=4000000099"), "refused"),
    "without Content-Type": (LOOSE, lambda it: b"Content-Type: text/html\r\n" + it, BANK),
}  # fmt: skip


def below(message: bytes, field: bytes) -> bytes:
    """The message with one more field, the last of its header."""
    return message.replace(b"\r\n\r\n", b"\r\n" + field + b"\r\n\r\n", 1)


@pytest.mark.parametrize("name", REPLAYS)
def test_a_letter_of_the_bank_that_he_has_changed(site: Site, name: str) -> None:
    options, change, becomes = REPLAYS[name]
    site.judge(change(site.signed(LETTER, BANK, **options)), becomes)


@pytest.mark.parametrize("added", [b"", b"pay now\r\n", b"--b\r\nContent-Type: text/html\r\n\r\n<b>pay now</b>\r\n--b--\r\n"])
@pytest.mark.parametrize("typed", [b"", b'Content-Type: multipart/mixed; boundary="b"\r\n'])
def test_what_is_behind_l_has_no_pass(site: Site, added: bytes, typed: bytes) -> None:
    """Another hand signs: we never write ``l=``. RFC 6376 8.2."""
    signature = dkim.sign(LETTER, b"rsa", BANK.encode(), site.rsa.private_key, include_headers=[b"from", b"subject"], length=True)
    assert b" l=" in signature
    site.judge(signature + typed + LETTER + added, "refused" if added else BANK)


# The key record of the bank's, changed, and if its signature counts.
KEYS: dict[str, tuple[Callable[[str], str], str]] = {
    "empty": (lambda record: record.partition("p=")[0] + "p=", "refused"),
    "service": (lambda record: record + "; s=other", "refused"),
    "mail": (lambda record: record + "; s=other:email", BANK),
    "hash": (lambda record: record + "; h=sha1", "refused"),
    "hashes": (lambda record: record + "; h=sha1:sha256", BANK),
    "granularity": (lambda record: record + "; g=ceo", BANK),  # RFC 6376 C.2: g= is gone, and an unknown tag is ignored
    "strict": (lambda record: record + "; t=s", BANK),
    # RFC 6376 3.6.1: no other treatment than of mail without a signature.
    "testing": (lambda record: record + "; t=y:s", "refused"),
    "version": (lambda record: record.replace("v=DKIM1", "v=DKIM2"), "refused"),
    "kind": (lambda record: record.replace("k=ed25519", "k=rsa"), "refused"),
    "twice": (lambda record: record + "; " + record[record.index("p=") :], "refused"),
    "html": (lambda record: "<html>" + record, "refused"),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_its_record_restricts(site: Site, name: str) -> None:
    key = zegel.Key(BANK, name, site.keys[BANK].private_key)
    site.judge(zegel.sign(LETTER, key) + LETTER, KEYS[name][1])


@pytest.mark.parametrize(("name", "becomes"), [("strict", "refused"), ("s1", BANK)])
def test_t_s_keeps_subdomains_out(site: Site, name: str, becomes: str) -> None:
    """RFC 6376 3.6.1: with ``s`` the domain of ``i=`` is that of ``d=``."""
    key = zegel.Key(BANK, name, site.keys[BANK].private_key)
    site.judge(zegel.sign(LETTER, key, identity="@x.bank.example") + LETTER, becomes)


# An Authentication-Results field that he brings, and if somebody may read our name in it.
CLAIMS = {
    "in capitals": (b"MX.XN--BCHER-KVA.EXAMPLE", True),
    "in UTF-8": ("mx.b\u00fccher.example".encode(), True),
    "in UTF-8 capitals": ("MX.B\u00dcCHER.EXAMPLE".encode(), True),
    "decomposed": ("mx.bu\u0308cher.example".encode(), True),
    "full width": ("\uff4d\uff58.b\u00fccher.example".encode(), True),
    "ideographic stops": ("mx\u3002b\u00fccher\u3002example".encode(), True),
    "final dot": (b"mx.xn--bcher-kva.example.", True),
    "final ideographic stop": ("mx.b\u00fccher.example\u3002".encode(), True),
    "no-break space in UTF-8": ("\u00a0mx.b\u00fccher.example".encode(), True),
    "ideographic space and stop": ("mx.b\u00fccher.example\u3000\uff61".encode(), True),
    "no-break space": ("\u00a0mx.xn--bcher-kva.example".encode(), True),
    "zero width": ("mx.xn--bcher-kva\u200b.example".encode(), True),
    "soft hyphen": ("mx.b\u00ad\u00fccher.example".encode(), True),
    "quoted": (b'"mx.xn--bcher-kva.example"', True),
    "quoted in UTF-8": ('"mx.b\u00fccher.example"'.encode(), True),
    "quoted pairs": (b'"mx\\.xn--\\bcher-kva.example"', True),
    "a fold in quotes": (b'"mx.xn--bcher\r\n -kva.example"', True),
    "behind a comment": (b"(a (b) \\) c) mx.xn--bcher-kva.example", True),
    "in a comment": (b"(mx.xn--bcher-kva.example; dkim=pass) other.example", True),
    "before a comment": (b"mx.xn--bcher-kva.example(1)", True),
    "comment between": (b"mx.(x)xn--bcher-kva.example", True),
    "version": (b"mx.xn--bcher-kva.example 1", True),
    "other version": (b"mx.xn--bcher-kva.example 2", True),
    "encoded word": (b"=?utf-8?q?mx=2Exn--bcher-kva=2Eexample?=", True),
    "folds": (b"\r\n \r\n mx.xn--bcher-kva.example\r\n ", True),
    "no id": (b"", True),
    "Latin 1": (b"mx.b\xfccher.example", False),
    "another": (b"mx.xn--bcher-kva.example.evil.example", False),
    "a subdomain": (b"x.mx.xn--bcher-kva.example", False),
    "another in UTF-8": ("mx.b\u00fccherei.example".encode(), False),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_result_under_our_name(site: Site, name: str) -> None:
    identity, goes = CLAIMS[name]
    claim = b"Authentication-Results: " + identity + b"; dmarc=pass header.from=bank.example (forged)\r\n"
    before = site.signed(b"From: a@evil.example\r\n" + REST + BODY)
    arrived = site.judge(claim + below(before, claim.rstrip()), EVIL, utf8=not identity.isascii())
    assert arrived.count(b"forged") == (0 if goes else 2)


# Chains of ARC under a letter that the bank has not signed, or that was changed since.
def chains(name: str) -> bytes:
    resolver = arc.zone(EVIL, LIST, "x.example")
    forged, fails = arc.said(domain=Domain.parse(BANK), authserv_id=LIST), arc.said("fail", domain=Domain.parse(BANK), authserv_id=LIST)
    match name:
        case "evil alone":
            return arc.sealed(LETTER, EVIL, results={1: forged}, resolver=resolver)
        case "evil over the list":
            return arc.sealed(LETTER, LIST, EVIL, results={1: forged, 2: forged}, resolver=resolver)
        case "the list over evil, as it must":
            return arc.sealed(LETTER, EVIL, LIST, results={1: forged, 2: fails}, resolver=resolver)
        case "the list, body changed":
            return arc.sealed(LETTER, LIST, results={1: forged}, resolver=resolver) + b"pay now\r\n"
        case "the list, result changed":
            return arc.sealed(LETTER, LIST, results={1: fails}, resolver=resolver).replace(b"dmarc=fail", b"dmarc=pass")
        case "the list, From changed":
            return arc.sealed(LETTER.replace(b"bank", b"shop"), LIST, results={1: forged}, resolver=resolver).replace(b"shop.", b"bank.")
        case "the list twice":
            once = arc.sealed(LETTER, LIST, results={1: forged}, resolver=resolver)
            return once[: -len(LETTER)] + once
        case "the list without its seal":
            once = arc.sealed(LETTER, LIST, results={1: forged}, resolver=resolver)
            return re.sub(rb"(?m)^ARC-Seal:.*\r\n(?:[ \t].*\r\n)*", b"", once)
        case "50 deep":
            return arc.sealed(LETTER, LIST, *[EVIL] * 49, results=dict.fromkeys(range(1, 51), forged), resolver=resolver)
        case "51 deep":
            deep = arc.sealed(LETTER, LIST, *[EVIL] * 49, results=dict.fromkeys(range(1, 51), forged), resolver=resolver)
            top = re.findall(rb"(?m)^ARC-.*\r\n(?:[ \t].*\r\n)*", deep)[:3]
            return b"".join(top).replace(b"i=50;", b"i=51;") + deep
        case "the list, in another order":
            once = arc.sealed(LETTER, LIST, results={1: forged}, resolver=resolver)
            sets = re.findall(rb"(?m)^ARC-.*\r\n(?:[ \t].*\r\n)*", once)
            return b"".join(reversed(sets)) + LETTER
        case _:
            return arc.sealed(LETTER, LIST, results={1: forged}, resolver=resolver)


CHAINS = {
    "evil alone": "refused",
    "evil over the list": "refused",
    "the list over evil, as it must": "refused",
    "the list, body changed": "refused",
    "the list, result changed": "refused",
    "the list, From changed": "refused",
    "the list twice": "refused",
    "the list without its seal": "refused",
    "50 deep": "refused",
    "51 deep": "refused",
    # What a sealer on the list says counts, in any order of its fields (RFC 8617 4.2.1); and it is no pass of DMARC.
    "the list": "let through",
    "the list, in another order": "let through",
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_of_arc(site: Site, name: str) -> None:
    site.judge(chains(name), CHAINS[name])


@pytest.mark.parametrize("end", [b"\r\n.\r\n", b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n\0.\r\n"])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_second_message_in_the_first_is_nobodys(site: Site, end: bytes, chunked: bool) -> None:
    """What Postfix takes for a second message is judged as one; what it does not stays a part of the first."""
    smuggled = end + b"MAIL FROM:<info@bank.example>\r\nRCPT TO:<smuggled@reject.example>\r\nDATA\r\n" + SHORT
    message = site.signed(b"From: a@evil.example\r\n" + REST + b"\r\nhello" + smuggled)
    if chunked:
        assert b"smuggled@" in site.judge(message, EVIL)
        return
    arrived, replies = site.smuggle(message)
    assert (b"smuggled@" in arrived) == (len(replies) == 1)
    if len(replies) > 1:
        assert "550 5.7.1 Email rejected per DMARC policy for bank.example" in replies
    assert (len(replies) > 1) >= (end == b"\r\n.\r\n")


# MAIL FROM that somebody reads as the bank's.
SENDERS = (
    '"info@bank.example"@evil.example', "info%bank.example@evil.example", "@bank.example:a@evil.example", "@evil.example:info@bank.example",
    "a@evil.example(.bank.example", "a@bank.example'.evil.example", "a@bank.example.evil.example", "a@x.bank.example", "", "bank.example",
    "info@bank.example@evil.example", "info@bank.example ", "(info@bank.example", "info@\uff42ank.example",
)  # fmt: skip


@pytest.mark.parametrize("sender", SENDERS)
def test_no_sender_proves_the_bank(site: Site, sender: str) -> None:
    """Postfix refuses some of them; what it takes, we refuse."""
    reply = site.send(LETTER, f"n{next(NUMBERS)}", mail_from=sender, utf8=not sender.isascii())
    assert reply.startswith(("550 5.7.1 Email rejected per DMARC policy for bank.example", "501 5.1.7", "503 5.5.1", "555 5.5.4")), reply


@pytest.mark.parametrize("written", ["bank.example", "BANK.example", "b\u00e4nk.example", "ba\u0308nk.example", "xn--bnk-qla.example"])
def test_the_bank_itself_passes_by_spf_and_by_dkim(site: Site, written: str) -> None:
    """Else nothing above would be refused for a reason; in UTF-8 it is who it is in ASCII (RFC 6532 3.1, RFC 8616 3)."""
    domain = BANK if written.lower() == BANK else "xn--bnk-qla.example"
    letter = b'From: "Bank, <x>" (our (own)) <info@' + written.encode() + b"> (x)\r\n" + REST + BODY
    utf8 = not written.isascii()
    site.judge(letter, domain, mail_from=f"info@{written}", address=HONEST, utf8=utf8)
    site.judge(site.signed(letter, domain), domain, utf8=utf8)
