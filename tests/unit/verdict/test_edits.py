"""The edits that follow: what claims our name goes, counted as the mail server counts, and our field stands on top."""

from __future__ import annotations

import pytest

from support import arc, inbound, samples
from zegel.arc.result import ArcReason, ArcResult
from zegel.ask import Rcode
from zegel.authres.model import AuthenticationResults, MethodResult, Property
from zegel.authres.parse import parse
from zegel.dkim.result import DkimReason, DkimResult
from zegel.grammar.domain import Domain
from zegel.milter.edits import Accept, DeleteHeader, InsertHeader, Quarantine, Reject, TempFail
from zegel.verdict.authenticate import Verdict
from zegel.verdict.edits import Claims, arc_method, dkim_method, outcome, reply, verdict_field

OURS = "mail.example.org"


def seen(*header: tuple[bytes, bytes]) -> Claims:
    claims = Claims()
    claims.see(header[:2], OURS)
    claims.see(header[2:], OURS)
    return claims


def test_deletions_go_from_the_highest_index_down() -> None:
    """RFC 8601 5 and 7.1: every field in our name goes, and no other."""
    mine, other = (b"Authentication-Results", b" mail.example.org; x=y"), (b"Authentication-Results", b" other.example; x=y")
    claims = seen(mine, other, (b"From", b" a"), mine, mine, other, mine, other, mine)
    assert claims.removals() == [DeleteHeader(index, b"Authentication-Results") for index in (8, 6, 4, 3, 1)]
    assert claims.count == 5
    assert claims.ours


@pytest.mark.parametrize(
    "name", [b"authentication-results", b"AUTHENTICATION-RESULTS", b"Authentication-Results ", b"Authentication-Results\t "]
)
def test_names_are_compared_as_readers_do(name: bytes) -> None:
    """RFC 5322 4.5: white space may stand before the colon."""
    claims = seen((b"Authentication-Results", b" other.example; x=y"), (name, b" mail.example.org; x=y"))
    assert claims.removals() == [DeleteHeader(2, b"Authentication-Results")]


@pytest.mark.parametrize(
    "name", [b"X-Authentication-Results", b"ARC-Authentication-Results", b"Authentication-Result", b"Authentication_Results"]
)
def test_other_fields_are_not_counted(name: bytes) -> None:
    claims = seen((name, b" mail.example.org; x=y"))
    assert claims.removals() == []
    assert not claims.ours


def test_what_cannot_be_read_goes_but_is_not_ours() -> None:
    claims = seen((b"Authentication-Results", b" dkim=pass"), (b"Authentication-Results", b" (mail.example.org (x)) other.example; x=y"))
    assert claims.count == 2
    assert not claims.ours


def test_a_field_of_another_version_goes_whoever_it_names() -> None:
    """RFC 8601 5: "an MTA MUST remove such a header field if the SMTP connection [...] is not from a trusted internal MTA"."""
    claims = seen((b"Authentication-Results", b" other.example 1; x=y"), (b"Authentication-Results", b" other.example 2; x=y"))
    assert claims.removals() == [DeleteHeader(2, b"Authentication-Results")]


def test_the_result_of_a_chain() -> None:
    """RFC 8617 6: smtp.remote-ip and header.oldest-pass."""
    passed = ArcResult(ArcReason.VERIFIED, oldest_pass=0)
    wanted = MethodResult("arc", "pass", "", (("header", "oldest-pass", "0"), ("smtp", "remote-ip", "2001:db8::1")))  # type: ignore[arg-type]
    assert arc_method(passed, remote_ip="2001:db8::1") == wanted
    assert arc_method(ArcResult(ArcReason.NO_CHAIN)) == MethodResult("arc", "none")
    failed = arc_method(ArcResult(ArcReason.SEAL_MISMATCH, detail="AS 2: b="))
    assert (failed.result, failed.properties) == ("fail", ())
    assert failed.reason.endswith("(AS 2: b=)")


# --- the whole verdict


def written(verdict: Verdict) -> AuthenticationResults:
    return parse(verdict_field(verdict).value)


def test_the_field_tells_of_all_protocols() -> None:
    """RFC 8601 2.7.1 and 2.7.2, RFC 7208 9.2, RFC 9989 9.1: policy.dmarc.

    RFC 8601 4: a field of its own, in which nothing stands "that have not been authenticated": no local part.
    """
    key = {(arc.key("lists.example.net").name, "TXT"): [arc.key("lists.example.net").record]}
    dns = inbound.zone(more=key)
    field = written(inbound.judge(arc.sealed(inbound.signed(), "lists.example.net", resolver=dns), dns, mail_from='"a;b"@example.org'))
    assert field.authserv_id == "mail.example.com"
    told = [(item.method, item.result, [(one.ptype, one.property, one.value) for one in item.properties]) for item in field.results]
    assert told[1:3] == [
        ("spf", "pass", [("smtp", "mailfrom", "example.org")]),
        ("spf", "pass", [("smtp", "helo", "mx.example.org")]),
    ]
    assert [item[:2] for item in (told[0], *told[3:])] == [("dkim", "pass"), ("arc", "pass"), ("dmarc", "pass")]
    assert told[-1][2] == [("header", "from", "example.org"), ("policy", "dmarc", "reject")]


@pytest.mark.parametrize(
    ("identity", "told"),
    [("@example.org", None), (None, None), ("jan@example.org", "jan@example.org"), ("@sub.example.org", "@sub.example.org")],
)
def test_the_identity_is_told_where_it_says_more_than_the_domain(identity: str | None, told: str | None) -> None:
    """RFC 6376 3.5: i= is the empty local part at the domain of d= when it is absent."""
    method = dkim_method(DkimResult(DkimReason.VERIFIED, Domain.parse("example.org"), "s", "rsa-sha256", identity))
    assert {item.property: item.value for item in method.properties}.get("i") == told


def test_of_a_bounce_only_the_helo_name_is_told() -> None:
    field = written(inbound.judge(samples.MESSAGE, mail_from="<>"))
    assert [(item.method, item.properties) for item in field.results if item.method == "spf"] == [
        ("spf", (Property("smtp", "helo", "mx.example.org"),))
    ]


def test_what_has_no_author_names_none() -> None:
    field = written(inbound.judge(b"From: a@x.example, b@y.example\r\n\r\n"))
    assert (field.results[-1].method, field.results[-1].result, field.results[-1].properties) == ("dmarc", "permerror", ())


QUARANTINE = b"X-Zegel-Quarantine"


def test_a_mark_for_the_mail_store_and_no_forged_copy_of_it() -> None:
    claims = Claims(QUARANTINE)
    mine = (b"Authentication-Results", b" mail.example.com; dmarc=pass")
    claims.see([(b"x-zegel-QUARANTINE", b" no"), mine, (b"X-Zegel-Quarantine \t", b""), (b"X-Zegel", b""), mine], "mail.example.com")
    assert claims.count == 4
    made = outcome(inbound.judge(inbound.changed(), ip=inbound.BAD, settings=inbound.site("quarantine")), claims, field=QUARANTINE)
    deleted = [(edit.index, edit.name.lower()) for edit in made.edits if isinstance(edit, DeleteHeader)]
    assert deleted == [(2, b"authentication-results"), (1, b"authentication-results"), (2, QUARANTINE.lower()), (1, QUARANTINE.lower())]
    mark, field = made.edits[-2:]
    assert mark == InsertHeader(0, QUARANTINE, b" policy_reject example.org")
    assert isinstance(field, InsertHeader)
    assert field.name == b"Authentication-Results"
    assert made.action == Accept()


def test_received_spf_is_written_where_the_site_wants_it() -> None:
    """RFC 7208 9.1: above all others of its name. RFC 6376 6.2, RFC 8601 4.1 and 7.3: our Authentication-Results stand on top of all."""
    verdict = inbound.judge(inbound.changed(), ip=inbound.BAD)
    *fields, results = outcome(verdict, Claims(), spf=True).edits
    assert isinstance(results, InsertHeader)
    assert (results.index, results.name) == (0, b"Authentication-Results")
    assert results == outcome(verdict, Claims()).edits[-1]
    for identity, field in zip(("helo", "mailfrom"), fields, strict=True):
        assert isinstance(field, InsertHeader)
        assert (field.index, field.name) == (0, b"Received-SPF")
        assert f"identity={identity};".encode() in field.value
        assert f"client-ip={inbound.BAD};".encode() in field.value
    assert fields[1].value.startswith(f" {verdict.spf.mail_from.status}\r\n".encode())  # type: ignore[union-attr]


def test_received_spf_of_a_bounce_is_that_of_the_helo_name() -> None:
    verdict = inbound.judge(inbound.changed(), ip=inbound.BAD, mail_from="")
    (field, _) = outcome(verdict, Claims(), spf=True).edits
    assert isinstance(field, InsertHeader)
    assert b"identity=helo;" in field.value


def test_the_mail_server_may_hold_instead() -> None:
    verdict = inbound.judge(b"From: a@x.example, b@y.example\r\n\r\n", settings=inbound.site("quarantine"))
    made = outcome(verdict, Claims(), hold=True)
    assert made.edits[-1] == Quarantine("author_untrusted -")
    assert not any(isinstance(edit, InsertHeader) and edit.name == QUARANTINE for edit in made.edits)


def test_what_passes_gets_no_mark_and_loses_forged_ones() -> None:
    claims = Claims(QUARANTINE)
    claims.see([(QUARANTINE, b" yes")], "mail.example.com")
    made = outcome(inbound.judge(inbound.signed()), claims, field=QUARANTINE, hold=True)
    assert [type(edit) for edit in made.edits] == [DeleteHeader, InsertHeader]
    assert Claims(b"X-Z").count == 0


def test_a_claim_is_counted_whatever_the_name_of_the_mark() -> None:
    for name in (b"", b"X", b"X-" + b"q" * 60):
        claims = Claims(name)
        claims.see([(b"Authentication-Results", b" mail.example.org; x=y"), (b"", b""), (b"x", b"")], OURS)
        assert claims.count == 1 + (name == b"X")


def test_nothing_that_a_sender_wrote_is_said_back() -> None:
    """RFC 7208 11.5.1 and 11.5.2: neither the words of the envelope nor what the sender's domain explains."""
    why = {("example.org", "TXT"): ["v=spf1 -all exp=why.example.org"], ("why.example.org", "TXT"): ["Call %{h} now"]}
    dns, sender = inbound.zone(more=why), '"x\r\n250 ok"@example.org'
    verdict = inbound.judge(inbound.changed(), dns, ip=inbound.BAD, helo="mx.example.org\r\n221 bye", mail_from=sender)
    assert (verdict.action, verdict.spf.mail_from.explanation) == ("reject", "Call mx.example.org221 bye now")
    said = repr(outcome(verdict, Claims(QUARANTINE), field=QUARANTINE, hold=True))
    assert not [word for word in ("Call", "221", "250 ok") if word in said]


def test_what_the_client_is_told() -> None:
    """RFC 9989 7.2: "by using the word "DMARC" somewhere in the reply text", and a 4xy reply for DNS trouble.

    RFC 8601 4.2 and 7.5: it is refused within SMTP, so that nobody whose name was forged gets a bounce.
    """
    refused = inbound.judge(inbound.changed(), ip=inbound.BAD).disposition
    assert reply(refused) == Reject("550", "5.7.1", "Email rejected per DMARC policy for example.org")
    unnamed = reply(inbound.judge(b"From: a@b.example\r\nFrom: c@d.example\r\n\r\n").disposition)
    assert isinstance(unnamed, Reject)
    assert (unnamed.code, unnamed.enhanced) == ("550", "5.7.1")
    assert "DMARC" in unnamed.text
    dead = inbound.zone(more={("example.org", "TXT"): Rcode.TIMEOUT})
    deferred = reply(inbound.judge(samples.MESSAGE, dead, settings=inbound.site(defer_on_trouble=True)).disposition)
    assert isinstance(deferred, TempFail)
    assert (deferred.code, deferred.enhanced) == ("451", "4.7.1")
    assert "DMARC policy for example.org" in deferred.text
