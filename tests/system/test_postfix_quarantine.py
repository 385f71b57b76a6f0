"""Our own quarantine behind a real Postfix: what is kept is delivered to nobody, and what is released arrives once, by the real courier."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from support.daemon import Daemon
from support.postfix import Postfix
from support.proof import fields, values
from support.servers import wait_for
from zegel.store import audit
from zegel.store.database import Store
from zegel.store.quarantine import FIELD, Depot

FORGED = b"From: Boekhouding <admin@legitimate.example>\r\nTo: jan@ours.example\r\nSubject: Factuur\r\n\r\nbetaal\r\n"
JAN, PIET = "jan@ours.example", "piet@ours.example"


@pytest.fixture
def site() -> Iterator[tuple[Postfix, Daemon]]:
    daemon = Daemon(inbound='mode = "quarantine"\nquarantine = "keep"')
    daemon.records |= {"legitimate.example": "v=spf1 -all", "_dmarc.legitimate.example": "v=DMARC1; p=reject"}
    daemon.write_zone()
    with Postfix(smtpd_milters=daemon.milter_address) as postfix:
        daemon.config = f'[outbox]\nnext_hop = "127.0.0.1:{postfix.smtp_port}"\ntls = "off"\n'
        daemon.write_config()
        with daemon:
            yield postfix, daemon


def zegel(daemon: Daemon, *words: str) -> str:
    command = [sys.executable, "-m", "zegel.cli.main", "--data", str(daemon.data), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_it_arrives_too_where_the_outbox_sends_straight_to_the_servers_of_domains() -> None:
    """By MX, mail for our own domain comes back to this machine (here it has no server at all): the Postfix that is named takes it."""
    daemon = Daemon(inbound='mode = "quarantine"\nquarantine = "keep"', config='[outbox]\nnext_hop = "mx"\n')
    daemon.records |= {"legitimate.example": "v=spf1 -all", "_dmarc.legitimate.example": "v=DMARC1; p=reject"}
    daemon.write_zone()
    with pytest.raises(RuntimeError, match=r'release_to = "127\.0\.0\.1:25"'):
        daemon.start()
    with Postfix(smtpd_milters=daemon.milter_address) as postfix:
        daemon.inbound += f'\nrelease_to = "127.0.0.1:{postfix.smtp_port}"'
        daemon.write_config()
        with daemon:
            postfix.send(FORGED, sender="x@bad.example", recipients=(JAN,), address="192.0.2.99", port=4711)
            depot = Depot(daemon.data)
            wait_for(lambda: len(depot.all()) == 1, 30, "the message is kept")
            (kept,) = depot.all()
            zegel(daemon, "quarantine", "release", kept.name)
            (arrived,) = postfix.sink.wait(1)
            assert (arrived.recipients, arrived.data.endswith(FORGED)) == ((JAN,), True)
            assert depot.get(kept.name).state == "released"


def test_a_message_is_kept_and_arrives_when_it_is_released(site: tuple[Postfix, Daemon]) -> None:
    postfix, daemon = site
    postfix.send(FORGED, sender="x@bad.example", recipients=(JAN, PIET), address="192.0.2.99", port=4711)
    depot = Depot(daemon.data)
    wait_for(lambda: len(depot.all()) == 1, 30, "the message is kept")
    (kept,) = depot.all()
    assert (kept.sender, set(kept.recipients), kept.from_domain) == ("x@bad.example", {JAN, PIET}, "legitimate.example")
    assert depot.message(kept.name).endswith(FORGED)
    wait_for(lambda: not postfix.queue(), 30, "Postfix has forgotten it")
    assert not postfix.sink.messages

    zegel(daemon, "quarantine", "release", kept.name)
    wait_for(lambda: {name for one in postfix.sink.messages for name in one.recipients} == {JAN, PIET}, 60, "it arrives")
    for arrived in postfix.sink.messages:
        assert arrived.data.endswith(FORGED)
        assert values(arrived.data, FIELD) == []
        (told,) = [value for value in values(arrived.data, "Authentication-Results") if "mail.example.org" in value]
        assert "dmarc=fail" in told
        assert fields(arrived.data)[0].name == b"Authentication-Results"
    assert depot.get(kept.name).state == "released"
    assert len(depot.all()) == 1, "it was not kept a second time"
    with Store.open(daemon.data) as store, store.reading() as tx:
        assert [line.subject for line in audit.all(tx) if line.action == "quarantine.release"] == [kept.name]
