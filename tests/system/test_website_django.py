"""A Django project with Zegel's e-mail back end: through the daemon of this machine, and signed in its own process."""

from __future__ import annotations

import email
import email.policy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.proof import holds
from support.sink import Arrived, Sink
from support.website import DOMAIN, Website
from zegel.dkim.crypto import Key

TESTS = Path(__file__).parent.parent
SITE = {"DJANGO_SETTINGS_MODULE": "support.django_site.settings", "PYTHONPATH": str(TESTS)}


def write(zegel: object, *words: str, port: int = 25) -> str:
    """Run ``manage.py write``; what it says, or the last line of its error."""
    environment = {**os.environ, **SITE, "SITE_ZEGEL": json.dumps(zegel), "SITE_SMTP_PORT": str(port)}
    command = [sys.executable, "-m", "django", "write", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    return (done.stdout + done.stderr).strip().splitlines()[-1]


def read(mail: Arrived) -> email.message.EmailMessage:
    assert mail.data.isascii()
    message = email.message_from_bytes(mail.data, policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content() == "Goedendag, René"
    (attached,) = message.iter_attachments()
    assert attached.get_content() == bytes(range(256))
    assert message["bcc"] is None
    return message


@pytest.fixture(scope="module")
def site() -> Iterator[Website]:
    with Website() as running:
        yield running


def test_through_the_daemon(site: Website) -> None:
    before = len(site.sink.messages)
    zegel = {"handover": str(site.socket), "drop_folder": str(site.drop)}
    assert write(zegel, "--count", "2") == "2 sent"
    for number, mail in enumerate(sorted(site.sink.wait(before + 2)[before:], key=lambda mail: read(mail)["subject"])):
        assert holds(mail.data, site.daemon.records) == [("rsa-sha256", DOMAIN)]
        assert read(mail)["subject"] == f"Café {number}"
        assert str(read(mail)["from"]) == "Stad Voorbeeld <noreply@example.be>"
        assert set(mail.recipients) == {"info@example.org", "b@example.org"}
    (line, _) = [line for line in site.daemon.log().splitlines() if "route=django" in line]
    assert "site=portal" in line
    assert write(zegel, "--from", "jan@gmail.example") == "1 sent"
    mail = site.sink.wait(before + 3)[-1]
    assert str(read(mail)["reply-to"]) == "jan@gmail.example"
    assert holds(mail.data, site.daemon.records)


def test_while_the_daemon_is_down_it_waits_in_the_drop_folder(site: Website) -> None:
    before = len(site.sink.messages)
    site.daemon.stop()
    assert write({"handover": str(site.socket), "drop_folder": str(site.drop)}) == "1 sent"
    assert len(site.waiting()) == 1
    assert "SMTPDataError: (451, " in write({"handover": "/nonexistent", "drop_folder": "/nonexistent"})
    assert write({"handover": "/nonexistent", "drop_folder": "/nonexistent"}, "--silently") == "0 sent"
    site.daemon.start()
    assert holds(site.next_mail(before).data, site.daemon.records)


def test_what_the_daemon_refuses_is_an_error_of_smtplib() -> None:
    with Website(foreign_from="refuse") as site:
        zegel = {"handover": str(site.socket), "drop_folder": str(site.drop)}
        said = write(zegel, "--from", "jan@gmail.example")
        assert "SMTPDataError: (550, " in said
        assert "send as noreply@example.be" in said
        assert write(zegel, "--from", "jan@gmail.example", "--silently") == "0 sent"
        assert site.waiting() == []


def test_signed_in_its_own_process_over_one_connection(tmp_path: Path) -> None:
    key = Key.generate(DOMAIN, "s1", "ed25519")
    (tmp_path / "key.pem").write_bytes(key.pem)
    zegel = {"keys": [{"domain": DOMAIN, "selector": "s1", "file": str(tmp_path / "key.pem")}]}
    with Sink(("8BITMIME", "SIZE 0")) as sink:
        assert write(zegel, "--count", "3", "--opened", port=sink.port) == "3 sent"
        for mail in sink.wait(3):
            assert holds(mail.data, {key.name: key.record}) == [("ed25519-sha256", DOMAIN)]
            assert str(read(mail)["from"]) == "Stad Voorbeeld <noreply@example.be>"
            assert mail.mail_from == f"noreply@{DOMAIN}"
        said = write(zegel, "--from", "jan@gmail.example", port=sink.port)
        assert said.endswith("ZEGEL has no key for gmail.example, the domain of jan@gmail.example in From")
        assert len(sink.messages) == 3


@pytest.mark.parametrize(
    ("zegel", "says"),
    [
        (None, "ImproperlyConfigured"),
        ({}, "ImproperlyConfigured"),
        ({"handover": "/x", "keys": []}, "ImproperlyConfigured"),
        ({"keys": [{"domain": "example.be"}]}, 'each of the keys in ZEGEL has "domain", "selector" and "file"'),
        ({"keys": [{"domain": "example.be", "selector": "s", "file": "/nonexistent"}]}, "cannot be loaded"),
    ],
)
def test_settings_that_cannot_be(zegel: object, says: str) -> None:
    assert says in write(zegel)
