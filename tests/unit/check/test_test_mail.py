"""The report on a test mail: each thing that can be wrong with one is found by name, and what is right is told too."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

import zegel
from support import inbound, samples
from support.testmail import MAIL, dns, levels, one, report, signature, signed
from zegel.adapters.zone import Zone
from zegel.ask import Question, Rcode, rehearse
from zegel.check.item import Level
from zegel.check.message import changed, host
from zegel.check.message.changed import Work, change
from zegel.dkim.canonical import relaxed_field
from zegel.grammar.message import Field, split_message

LIST = b"List-Unsubscribe: <mailto:u@example.org>, <https://example.org/u?t=1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


def body(message: bytes) -> bytes:
    return split_message(message, header_bytes=100_000).body


def test_a_message_with_all_in_order() -> None:
    found = report(signed())
    assert (found.level, found.subject, found.author, found.message_id) == (Level.PASS, "hello", "Joe <joe@example.org>", "<1@example.org>")
    assert str(found.answer).startswith("Yes: DKIM proves")
    wrong = {id: level for id, level in levels(found).items() if level in (Level.FAIL, Level.WARN)}
    assert wrong == {"message.dkim.algorithm": Level.WARN}  # the sample key is Ed25519
    assert levels(found)["message.host"] is Level.PASS
    assert levels(found)["message.aligned"] is Level.PASS


def test_an_unsigned_message_is_only_half_proven() -> None:
    found = report(MAIL)
    assert found.level is Level.WARN
    assert levels(found)["message.dkim"] is Level.FAIL
    assert "forwarding" in str(found.answer)


def test_a_forgery_is_told_as_one() -> None:
    found = report(MAIL, ip=inbound.BAD)
    assert found.level is Level.FAIL
    assert str(found.answer) == "No: receivers cannot tell this message from a forgery of example.org"
    spf = one(found, "message.spf")
    (record,) = spf.mend
    assert (record.name, record.strings) == ("example.org", ("v=spf1 ip4:198.51.100.7 ip4:192.0.2.0/24 -all",))
    assert "only if 198.51.100.7 is a server of yours" in str(spf.step)


def test_no_spf_record_is_mended_with_a_whole_one() -> None:
    found = report(signed(), dns(records={("example.org", "TXT"): ["no record"]}))
    assert one(found, "message.spf").mend[0].strings == ("v=spf1 ip4:192.0.2.1 -all",)


@pytest.mark.parametrize("text", ["v=spf1 include:x\x00y -all", "v=spf1 " + "a " * 2000 + "-all", "v=spf1 ip4:1.2.3.4 é -all"])
def test_no_record_is_made_of_what_cannot_be_one(text: str) -> None:
    assert one(report(MAIL, dns(records={("example.org", "TXT"): [text]})), "message.spf").mend == ()


def test_no_policy_is_no_protection() -> None:
    found = report(signed(), dns(policy=None))
    assert found.level is Level.WARN
    assert one(found, "message.dmarc").mend[0].name == "_dmarc.example.org"


def test_where_the_two_rfcs_differ() -> None:
    """psd=n below the registered domain ends the walk of RFC 9989; RFC 7489 goes by the list of public suffixes."""
    message = MAIL.replace(b"example.org", b"dept.a.example.org")
    zone = dns(
        policy="v=DMARC1; p=none",
        records={
            ("_dmarc.a.example.org", "TXT"): ["v=DMARC1; p=reject; psd=n"],
            ("a.example.org", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
        },
    )
    found = report(message, zone, mail_from="x@example.org")
    assert levels(found)["message.dmarc"] is Level.FAIL
    item = one(found, "message.dmarc.rfc7489")
    assert item.level is Level.WARN
    assert "RFC 7489: example.org" in item.seen[1]


def test_the_host_must_have_its_name() -> None:
    """RFC 8601 3: "if I is an element of L"; and the number of names that are asked for is bounded."""
    assert levels(report(signed(), inbound.zone()))["message.host"] is Level.FAIL
    strange = dns(records={("mx.example.org", "A"): ["192.0.2.99"]})
    assert "does not lead back" in str(one(report(signed(), strange), "message.host").finding)
    silent = dns(records={("1.2.0.192.in-addr.arpa", "PTR"): Rcode.SERVFAIL})
    assert one(report(signed(), silent), "message.host").level is Level.NOT_TESTED
    many = Zone.from_dict({("1.2.0.192.in-addr.arpa", "PTR"): [f"h{n}.example.org" for n in range(500)]})
    asked: list[Question] = []
    rehearse(host.look_up("192.0.2.1"), many.answer, asked)
    assert len(asked) <= 4


# -- the signatures ------------------------------------------------------------------------------------------------------------------


def test_a_short_key_is_told_and_a_good_one_too() -> None:
    key = samples.rsa()
    zone = dns(records={(key.name, "TXT"): [key.record]})
    item = one(report(signed(key=key), zone), "message.dkim.bits")
    assert (item.level, item.values["bits"]) == (Level.PASS, 2048)


def test_a_partly_signed_body_is_a_fault() -> None:
    message = signed()
    short = message.replace(b" bh=", b" l=5; bh=")
    assert levels(report(short))["message.dkim.length"] is Level.FAIL


@pytest.mark.parametrize(
    ("options", "id", "level"),
    [
        (
            {"headers": ["from", "to", "subject", "date", "message-id", "mime-version", "content-type"]},
            "message.dkim.oversigned",
            Level.WARN,
        ),
        ({"headers": ["from", "from", "to"]}, "message.dkim.unsigned", Level.WARN),
        ({"canonicalization": "simple/simple"}, "message.dkim.form", Level.WARN),
        ({"expire": 3600}, "message.dkim.times", Level.INFO),
    ],
)
def test_how_well_it_is_made(options: dict[str, Any], id: str, level: Level) -> None:
    assert levels(report(signed(**options)))[id] is level


def test_a_signature_from_the_future() -> None:
    message = zegel.sign(MAIL, samples.ed25519(), now=samples.NOW + 9000) + MAIL
    assert "9000 seconds" in str(one(report(message), "message.dkim.times").finding)


def test_a_key_that_only_tests() -> None:
    key = samples.ed25519()
    found = report(signed(), dns(records={(key.name, "TXT"): [key.record.replace("; p=", "; t=y; p=")]}))
    assert levels(found)["message.dkim.testing"] is Level.FAIL


def test_a_key_that_is_not_there_says_what_to_do() -> None:
    found = report(signed(), dns(records={(samples.ed25519().name, "TXT"): []}))
    item = one(found, "message.dkim.signature")
    assert (item.level, item.values["reason"]) == (Level.FAIL, "key_not_found")
    assert "publish the key record" in str(item.step)


# -- one click -----------------------------------------------------------------------------------------------------------------------


def test_one_click_unsubscribe() -> None:
    assert levels(report(signed(LIST + MAIL)))["message.unsubscribe"] is Level.PASS
    assert levels(report(signed(LIST + MAIL)))["message.dkim.lists"] is Level.PASS


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (LIST.split(b"\r\n")[0] + b"\r\n", "List-Unsubscribe-Post stands 0 times"),
        (LIST + LIST.split(b"\r\n")[0] + b"\r\n", "List-Unsubscribe stands 2 times"),
        (LIST.replace(b"https:", b"http:"), "an address with http"),
        (LIST.replace(b"<https:", b"<http://example.org/x>, <https:"), "an address with http"),
        (LIST.replace(b"https:", b"ftp:"), "has 0 https addresses"),
        (LIST.replace(b"mailto:u@", b"https://"), "has 2 https addresses"),
        (LIST.replace(b"One-Click", b"Two"), "another value"),
    ],
)
def test_one_click_that_is_none(fields: bytes, said: str) -> None:
    """RFC 8058 3.1; the addresses as in RFC 2369 3.2."""
    item = one(report(signed(fields + MAIL)), "message.unsubscribe")
    assert item.level is Level.FAIL
    assert said in str(item.finding)


def test_one_click_that_is_not_signed() -> None:
    message = LIST + signed()
    item = one(report(message), "message.unsubscribe")
    assert (item.level, "does not cover both" in str(item.finding)) == (Level.FAIL, True)
    assert levels(report(message))["message.dkim.lists"] is Level.WARN
    assert "no valid DKIM signature" in str(one(report(LIST + MAIL), "message.unsubscribe").finding)


# -- what changed the body -----------------------------------------------------------------------------------------------------------

BOTH = b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>hello\r\n--b--\r\n"
EIGHT = "café, and so on\r\n".encode()
FROM = b"From here on\r\n.dot\r\n"


@pytest.mark.parametrize("form", ["relaxed/relaxed", "simple/simple"])
@pytest.mark.parametrize(
    ("made", "came", "encoding", "id"),
    [
        (b"one\r\n\r\ntwo\r\n", b"one\r\n\r\ntwo\r\n-- \r\nthe list\r\n", b"", "appended"),
        (b"one\r\n\r\ntwo\r\n", b"one\r\n\r\ntwo\r\n\r\n\r\n_____\r\nthe list\r\n", b"", "appended"),
        (b"one\r\ntwo\r\n", b"[EXTERNAL] beware\r\n\r\none\r\ntwo\r\n", b"", "prepended"),
        (BOTH, BOTH.replace(b"hello\r\n--b\r\n", b"hello\r\n_____\r\nfooter\r\n--b\r\n"), b"", "inserted"),
        (BOTH, BOTH.replace(b"<p>hello\r\n", b"<p>hello\r\n<p>footer\r\n"), b"", "inserted"),
        (EIGHT, b"caf=C3=A9, and so on\r\n", b"quoted-printable", "quoted_printable"),
        (EIGHT, b"Y2Fmw6ksIGFuZCBzbyBvbg0K\r\n", b" BASE64 ", "base64"),
        (FROM, b">From here on\r\n.dot\r\n", b"", "mbox"),
        (FROM, b"From here on\r\n..dot\r\n", b"", "dots_added"),
        (b"..x\r\n", b".x\r\n", b"", "dots_lost"),
        (b"", b"something\r\n", b"", "empty"),
        (b"a" * 1500 + b"\r\n", b"a" * 998 + b"\r\n " + b"a" * 502 + b"\r\n", b"", "long_lines"),
    ],
)
def test_what_alone_was_changed_is_proven(form: str, made: bytes, came: bytes, encoding: bytes, id: str) -> None:
    head = MAIL.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    signer = signature(signed(head + made, canonicalization=form))
    found = change(came, signer, encoding)
    assert found is not None
    assert found.id == id
    # The same change and one octet more is explained by nothing.
    assert change(came.replace(b"o", b"0", 1) if b"o" in came else b"!" + came[1:], signer, encoding) is None or id == "empty"


def test_a_signer_that_hashed_lf() -> None:
    signer = signature(signed())
    wrong = signer._replace(body_hash=hashlib.sha256(b"a\nb\n").digest())
    found = change(b"a\r\nb\r\n\r\n", wrong, b"")
    assert (found.id if found else "") == "line_feeds"


def test_the_proof_is_in_the_report() -> None:
    found = report(signed() + b"-- \r\nThe list of lists\r\n")
    item = one(found, "message.changed")
    assert (item.level, item.values["change"]) == (Level.FAIL, "appended")
    assert "The list of lists" in str(item.finding)
    item = one(report(signed() + b"-- \r\nx\r\n", whole=False), "message.changed")
    assert item.level is Level.INFO


def test_the_work_grows_with_the_body_and_has_an_end() -> None:
    signer = signature(signed())

    def done(octets: int) -> int:
        work = Work()
        line = b"--x\r\n" + b"a" * 60 + b"\r\n"
        assert change(line * (octets // len(line)), signer, b"", work) is None
        return work.done

    small, large = done(16_000), done(32_000)
    assert large <= 2.5 * small
    assert done(changed.MAX_BODY - 200) <= changed.MAX_WORK


def test_a_body_that_is_too_long_is_not_searched() -> None:
    work = Work()
    assert change(b"a" * (changed.MAX_BODY + 1), signature(signed()), b"", work) is None
    assert work.done == 0


# -- the form ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "id", "level"),
    [
        (MAIL.replace(b"Date: ", b"X-Date: "), "message.form.missing", Level.FAIL),
        (MAIL.replace(b"Message-ID: ", b"X-ID: "), "message.form.missing", Level.WARN),
        (b"Subject: other\r\n" + MAIL, "message.form.repeated", Level.FAIL),
        (b"no field\r\n" + MAIL, "message.form.malformed", Level.FAIL),
        (MAIL + b"\xff\r\n", "message.form.fragile", Level.WARN),
        (MAIL + b"a" * 1200 + b"\r\n", "message.form.fragile", Level.WARN),
    ],
)
def test_the_form(message: bytes, id: str, level: Level) -> None:
    assert levels(report(message))[id] is level


def test_a_header_that_is_not_read() -> None:
    found = report(b"X: " + b"a" * 300_000 + b"\r\n" + MAIL)
    assert (found.level, [item.id for item in found.items]) == (Level.FAIL, ["message.form.malformed"])


def test_the_fields_are_those_of_the_reader() -> None:
    """The names that this room looks for are lower case, as the header has them."""
    assert relaxed_field(Field(b"List-Unsubscribe", b" x")).startswith(b"list-unsubscribe:")
