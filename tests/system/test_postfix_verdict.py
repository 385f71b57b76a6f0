"""Forged mail through a real Postfix and the real daemon: nobody passes as whom he imitates, and each mode does what it says.

The recipient's domain chooses the mode, so that one daemon serves them all. The attacks are those of "Composition Kills" (2020): Postfix as
it is delivered lets all in, with the NUL and the blank before From mended by it; as bytes they are judged in tests/conformance.
"""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from support import spoofing
from support.daemon import Daemon
from support.postfix import Postfix
from support.proof import fields, values
from support.servers import wait_for
from zegel.authres.parse import parse

MODES = ("observe", "quarantine", "reject")
INBOUND = 'modes = { "quarantine.example" = "quarantine", "reject.example" = "reject" }\n'
CASES = spoofing.suite()
MARK = "X-Zegel-Quarantine"
FORGED_MARKS = b"X-Zegel-Quarantine: no\r\nx-zegel-quarantine : no\r\nX-ZEGEL-QUARANTINE\t: no\r\nX-Zegel-Quarantine:\r\n\tno\r\n"
HONEST = b"From: <admin@legitimate.com>\r\nTo: <victim@victim.com>\r\nSubject: x\r\n\r\nhello\r\n"


class Site(NamedTuple):
    postfix: Postfix
    daemon: Daemon
    became: dict[str, tuple[str, str]]  # action and reason by recipient

    def send(self, case: dict[str, Any], recipient: str, *, address: str = spoofing.IP) -> tuple[int, str]:
        """Hand in one message word for word; the reply to its end, or to the word that was refused."""
        with self.postfix.client(address=address, port=4711) as client:
            client.helo(case["helo"])
            for said in (f"MAIL FROM:{case['mailfrom']}", f"RCPT TO:<{recipient}>"):
                code, text = client.docmd(said)
                if code != 250:
                    return code, f"{said}: {text.decode()}"
            code, text = client.data(case["bytes"] if "bytes" in case else spoofing.message(case))
            return code, text.decode()

    def delivered(self, recipient: str) -> bytes:
        def found() -> list[bytes]:
            return [arrived.data for arrived in self.postfix.sink.messages if recipient in arrived.recipients]

        wait_for(lambda: bool(found()), 30, f"a message for {recipient}")
        (data,) = found()
        return data


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    daemon = Daemon(inbound=INBOUND)
    daemon.records |= spoofing.records()
    daemon.write_zone()
    with daemon, Postfix(smtpd_milters=daemon.milter_address, non_smtpd_milters=daemon.milter_address) as postfix:
        yield Site(postfix, daemon, {})


def honest(sender: str = "admin@legitimate.com", header: bytes = b"") -> dict[str, Any]:
    return {"helo": "legitimate.com", "mailfrom": f"<{sender}>", "bytes": header + HONEST}


def reason(name: str) -> str:
    return "author_untrusted" if name in spoofing.AUTHORS else "policy_reject"


def judge_header(message: bytes) -> None:
    """Our field is the one with our name, reads back as what it says, and passes nobody as legitimate.com."""
    assert fields(message)[0].name == b"Authentication-Results"
    (field,) = [value for value in values(message, "Authentication-Results") if "mail.example.org" in value]
    told = parse(field.encode())
    assert told.authserv_id == "mail.example.org"
    methods = [item.method for item in told.results]
    assert (methods.count("spf"), methods.count("dmarc"), set(methods)) == (methods.count("spf"), 1, {"dkim", "spf", "dmarc"})
    assert field.count(";") == len(methods)
    assert not set(field) & set("()\x00\\")
    assert not set(re.sub('reason="[^"]*"', "", field)) & set("\"',")
    assert "dmarc=pass" not in field
    for item in told.results:
        if item.result == "pass":
            assert not any("legitimate" in one.value for one in item.properties), field


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_no_forgery_passes_and_each_mode_does_what_it_says(site: Site, name: str, mode: str) -> None:
    recipient = f"{name.replace('_', '-')}@{mode}.example"
    code, text = site.send(CASES[name], recipient)
    assert "FROM:" not in text, "Postfix lets all of them in"
    site.became[recipient] = ({"observe": "accepted", "quarantine": "quarantined", "reject": "refused"}[mode], reason(name))
    if mode == "reject":
        assert (code, text[:6]) == (550, "5.7.1 ")
        assert "DMARC" in text
        assert ("legitimate.com" in text or "example.com" in text) == (name not in spoofing.AUTHORS)
        return
    assert code == 250, text
    arrived = site.delivered(recipient)
    judge_header(arrived)
    marks = values(arrived, MARK)
    assert [mark.split()[0] for mark in marks] == ([reason(name)] if mode == "quarantine" else [])


def test_the_honest_passes_in_the_mode_reject(site: Site) -> None:
    """Else nothing above would pass for want of a DNS."""
    assert site.send(honest(), "honest@reject.example", address=spoofing.HONEST)[0] == 250
    site.became["honest@reject.example"] = ("accepted", "nothing_against")
    assert "dmarc=pass header.from=legitimate.com" in values(site.delivered("honest@reject.example"), "Authentication-Results")[0]


@pytest.mark.parametrize(("address", "mark"), [(spoofing.IP, ["policy_reject legitimate.com"]), (spoofing.HONEST, [])])
def test_forged_marks_of_any_spelling_go(site: Site, address: str, mark: list[str]) -> None:
    recipient = f"marks-{len(mark)}@quarantine.example"
    assert site.send(honest(header=FORGED_MARKS), recipient, address=address)[0] == 250
    site.became[recipient] = ("quarantined", "policy_reject") if mark else ("accepted", "nothing_against")
    arrived = site.delivered(recipient)
    assert values(arrived, MARK) == mark
    assert arrived.lower().count(b"x-zegel-quarantine") == len(mark)
    assert arrived.endswith(HONEST)


def test_the_mildest_recipient_of_a_message_decides(site: Site) -> None:
    with site.postfix.client(address=spoofing.IP, port=4711) as client:
        refused = client.sendmail("admin@legitimate.com", ["mild@quarantine.example", "mild@reject.example"], HONEST)
    assert refused == {}
    site.became.update(dict.fromkeys(("mild@quarantine.example", "mild@reject.example"), ("quarantined", "policy_reject")))
    assert values(site.delivered("mild@reject.example"), MARK) == ["policy_reject legitimate.com"]


def test_a_reload_holds_in_the_queue_of_postfix_and_a_wrong_one_changes_nothing(site: Site) -> None:
    recipient = "held@quarantine.example"
    site.daemon.reload(inbound=INBOUND + 'quarantine = "hold"\n')
    try:
        for wrong in ('mode = "refuse"\n', 'relays = ["mx"]\n', 'quarantine_header = "Subject"\n'):
            site.daemon.reload(taken=False, inbound=wrong)
        code, text = site.send(honest(), recipient)
        assert code == 250, text
        site.became[recipient] = ("quarantined", "policy_reject")
        (held,) = [entry for entry in site.postfix.queue() if entry["queue_name"] == "hold"]
        assert [to["address"] for to in held["recipients"]] == [recipient]
        assert held["queue_id"] in text
        assert "milter-hold" in site.postfix.log()  # without our words, which Postfix drops: the mark has them
        assert not [arrived for arrived in site.postfix.sink.messages if recipient in arrived.recipients]
        # What is not for quarantine goes on.
        assert site.send(honest(), "free@quarantine.example", address=spoofing.HONEST)[0] == 250
        site.became["free@quarantine.example"] = ("accepted", "nothing_against")
        site.delivered("free@quarantine.example")
    finally:
        site.daemon.reload(inbound=INBOUND)


def test_a_reload_changes_the_mode_of_the_next_message(site: Site) -> None:
    with site.postfix.client(address=spoofing.IP, port=4711) as client:
        client.sendmail("admin@legitimate.com", ["before@other.example"], HONEST)
        site.daemon.reload(inbound='mode = "reject"\n')
        try:
            with pytest.raises(smtplib.SMTPDataError) as refused:
                client.sendmail("admin@legitimate.com", ["after@other.example"], HONEST)
        finally:
            site.daemon.reload(inbound=INBOUND)
    assert refused.value.smtp_code == 550
    site.became.update({"before@other.example": ("accepted", "policy_reject"), "after@other.example": ("refused", "policy_reject")})


def test_the_list_of_messages_says_what_became_of_each(site: Site) -> None:
    """Runs after all above: one record for each message, with the action and the reason of it."""

    def listed() -> list[dict[str, Any]]:
        return site.daemon.messages("--direction", "inbound")

    wait_for(lambda: len({to["address"] for one in listed() for to in one["recipients"]}) >= len(site.became), 60, "all are recorded")
    found = [(to["address"], (one["action"], one["reason"])) for one in listed() for to in one["recipients"]]
    assert sorted(found) == sorted(site.became.items())
    for one in listed():
        assert one["queue_id"]
        assert {result["method"] for result in one["results"]} - {"dkim"} == {"spf", "arc", "dmarc"}
        passes = [result["domain"] for result in one["results"] if result["method"] == "dmarc" and result["status"] == "pass"]
        assert passes == (["legitimate.com"] if one["reason"] == "nothing_against" else [])


def test_nothing_went_wrong(site: Site) -> None:
    """Runs last in this module: no message above has met a fault of ours."""
    assert site.daemon.counted("zegel_faults_total") == 0
    assert "Traceback" not in site.daemon.log()
