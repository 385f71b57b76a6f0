"""The next hop of the tests ends with its ``with``: whoever is connected is left, and what was in the middle is not taken."""

from __future__ import annotations

import smtplib
import socket
import ssl
from pathlib import Path

import pytest

from support.certificates import Authority
from support.nexthop import HANG, NextHop
from support.servers import wait_for
from support.sink import Sink

_MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"


@pytest.mark.parametrize("kind", [NextHop, Sink])
def test_nobody_is_served_after_its_end(kind: type[NextHop | Sink]) -> None:
    with kind() as hop:
        client = smtplib.SMTP("127.0.0.1", hop.port, timeout=10)
        client.sendmail("a@example.org", ["b@example.net"], _MESSAGE)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.sendmail("a@example.org", ["b@example.net"], _MESSAGE)
    with socket.socket() as late:
        assert late.connect_ex(("127.0.0.1", hop.port)) != 0


def test_below_tls_as_well(tmp_path: Path) -> None:
    authority = Authority()
    authority.make(tmp_path / "chain", "hop.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain")
    with NextHop(certificate=context) as hop:
        client = smtplib.SMTP("127.0.0.1", hop.port, timeout=10)
        client.starttls(context=authority.context)
        client.sendmail("a@example.org", ["b@example.net"], _MESSAGE)
    with pytest.raises((smtplib.SMTPServerDisconnected, ssl.SSLError)):
        client.sendmail("a@example.org", ["b@example.net"], _MESSAGE)
    client.close()
    assert len(hop.taken) == 1


def test_what_hangs_and_what_is_in_the_middle_of_its_data() -> None:
    with NextHop(mail=HANG) as silent, NextHop() as hop:
        waits = socket.create_connection(("127.0.0.1", silent.port), 10)
        waits.sendall(b"EHLO client\r\nMAIL FROM:<a@example.org>\r\n")
        client = smtplib.SMTP("127.0.0.1", hop.port, timeout=10)
        client.ehlo()
        client.mail("a@example.org")
        client.rcpt("b@example.net")
        assert client.docmd("DATA")[0] == 354
        client.send(b"Subject: half\r\n")
        wait_for(lambda: len(silent.commands) == 2)
    with waits, waits.makefile("rb") as said:
        assert said.read().splitlines()[-1].startswith(b"250 ")  # the answer to EHLO, and then the end
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.docmd(".")
    assert hop.taken == []
