"""The relay as a site sees it: the daemon over real sockets, swaks and the standard library as clients, a sink as the next hop."""

from __future__ import annotations

import base64
import contextlib
import datetime
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import dkim
from support.servers import require, wait_for
from support.sink import Sink
from support.submission import HOST, RelayDaemon, tls_context
from zegel.adapters.certificate import self_signed

FORM = (
    "From: Jan Peeters <jan@visitor.example>\r\nTo: info@example.org\r\nSubject: =?utf-8?q?Vraag_over_caf=C3=A9s?=\r\n\r\nDag,\r\nJan\r\n"
)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as opened:
        yield opened


@pytest.fixture
def daemon(sink: Sink) -> Iterator[RelayDaemon]:
    made = RelayDaemon(sink)
    made.add_key("example.be", "s1", "rsa2048")
    made.records["_dmarc.example.be"] = "v=DMARC1; p=reject"
    made.write_zone()
    made.add_site("portal")
    made.add_site("local", networks=["127.0.0.1/32"])
    with made:
        yield made


def published(daemon: RelayDaemon, message: bytes) -> bool:
    """Whether dkimpy, which shares nothing with us, verifies it."""

    def ask(name: bytes, timeout: int = 5) -> bytes:
        return daemon.records[name.decode().rstrip(".")].encode()

    return bool(dkim.verify(message, dnsfunc=ask))


def swaks(daemon: RelayDaemon, *options: str, port: int | None = None) -> tuple[int, str]:
    program = require("swaks")
    command = [program, "--server", "127.0.0.1", "--port", str(port or daemon.starttls_port), "--helo", "cms.example.be"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


LOGIN = ("--auth-user", "portal", "--from", "jan@visitor.example", "--to", "info@example.org", "--header", "Subject: dag")


@pytest.mark.parametrize("way", [("--tls", "--auth", "PLAIN"), ("--tls", "--auth", "LOGIN"), ("--tls-on-connect", "--auth", "PLAIN")])
def test_swaks_sends_and_it_lands_signed_aligned_and_verified_by_dkimpy(daemon: RelayDaemon, sink: Sink, way: tuple[str, ...]) -> None:
    port = daemon.tls_port if "--tls-on-connect" in way else None
    status, said = swaks(daemon, *way, *LOGIN, "--auth-password", daemon.secrets["portal"], port=port)
    assert status == 0, said
    (arrived,) = sink.wait(1)
    assert arrived.mail_from == "noreply@example.be"
    assert b'From: "jan via example.be" <noreply@example.be>\r\n' in arrived.data
    assert b"Reply-To: jan@visitor.example\r\n" in arrived.data
    assert published(daemon, arrived.data)
    # The record is written once a second.
    wait_for(lambda: len(daemon.messages()) == 1, 60, "the message is recorded")
    (told,) = daemon.messages()
    assert [(result["method"], result["status"]) for result in told["results"]] == [("dkim", "signed"), ("dmarc", "pass")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--auth", "PLAIN", *LOGIN, "--auth-password", "x"), "host did not advertise authentication"),
        (("--tls", "--from", "a@example.be", "--to", "b@example.org"), "530 5.7.0"),
        (("--from", "a@example.be", "--to", "b@example.org"), "530 5.7.0"),
        (("--tls", "--auth", "PLAIN", *LOGIN, "--auth-password", "wrong"), "535 5.7.8"),
    ],
)
def test_swaks_is_refused_without_tls_login_or_the_right_secret(
    daemon: RelayDaemon, sink: Sink, options: tuple[str, ...], said: str
) -> None:
    status, output = swaks(daemon, *options)
    assert status != 0
    assert said.lower() in output.lower(), output
    assert sink.messages == ()


def test_without_a_login_on_loopback_by_network(daemon: RelayDaemon, sink: Sink) -> None:
    status, said = swaks(daemon, "--from", "noreply@example.be", "--to", "b@example.org", port=daemon.loopback_port)
    assert status == 0, said
    (arrived,) = sink.wait(1)
    assert published(daemon, arrived.data)


def test_without_the_process_that_signs_mail_is_signed_all_the_same(daemon: RelayDaemon, sink: Sink) -> None:
    def send(count: int) -> None:
        before = len(sink.messages)
        with daemon.client(login="portal") as client:
            for _ in range(count):
                client.sendmail("jan@visitor.example", ["info@example.org"], FORM)
        assert all(published(daemon, arrived.data) for arrived in sink.wait(before + count)[before:])

    send(1)
    wait_for(lambda: children(daemon) != [], 30, "the process that signs runs")
    (signer,) = children(daemon)
    send(3)
    os.kill(signer, signal.SIGKILL)
    send(3)
    daemon.wait_log("the process that signs is not there")
    wait_for(lambda: children(daemon) not in ([], [signer]), 30, "it runs again")
    (again,) = children(daemon)
    send(1)
    assert daemon.stop() == 0
    assert not Path(f"/proc/{again}").exists()


def children(daemon: RelayDaemon) -> list[int]:
    assert daemon.process is not None
    pid = daemon.process.pid
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


def test_secrets_stand_in_no_log(daemon: RelayDaemon) -> None:
    secret = daemon.secrets["portal"]
    with daemon.client(login="portal") as client:
        client.sendmail("jan@visitor.example", ["info@example.org"], FORM)
    for name, password in (("portal", secret + "x"), (secret, "portal"), (secret, secret)):
        with daemon.client() as client, pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(name, password)
    daemon.wait_log("login failed", 3)
    assert secret not in daemon.log()
    assert 'event="login failed"' in daemon.log()
    assert secret.encode() not in (daemon.data / "zegel.db").read_bytes()


def test_guessing_is_slowed(daemon: RelayDaemon) -> None:
    took = []
    for _ in range(5):
        with daemon.client() as client:
            client.ehlo()
            began = time.monotonic()
            assert client.docmd("AUTH", "PLAIN " + base64.b64encode(b"\0portal\0guess").decode())[0] == 535
            took.append(time.monotonic() - began)
    # The waits themselves: one second, then two.
    assert took[3] >= 1.0
    assert took[4] >= 2.0
    # Who has the right secret waits as well, once, and is believed then.
    with daemon.client(login="portal") as client:
        assert client.noop()[0] == 250


def test_a_site_that_is_disabled_sends_nothing_more_on_an_open_connection(daemon: RelayDaemon, sink: Sink) -> None:
    with daemon.client(login="portal") as client:
        client.sendmail("noreply@example.be", ["info@example.org"], FORM)
        command = ["--data", str(daemon.data), "site", "disable", "portal"]
        subprocess.run([sys.executable, "-m", "zegel.cli.main", *command], check=True, capture_output=True)
        daemon.wait_log("keys loaded", 2)
        with pytest.raises(smtplib.SMTPSenderRefused, match="disabled"):
            client.sendmail("noreply@example.be", ["info@example.org"], FORM)


def test_a_change_and_a_removal_are_taken_over_by_the_running_daemon(daemon: RelayDaemon, sink: Sink) -> None:
    def site(*words: str) -> None:
        command = [sys.executable, "-m", "zegel.cli.main", "--data", str(daemon.data), "site", *words]
        subprocess.run(command, check=True, capture_output=True)

    with daemon.client(login="portal") as client:
        client.sendmail("noreply@example.be", ["info@example.org"], FORM)
        site("change", "portal", "--to", "example.net")
        daemon.wait_log("keys loaded", 2)
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="may not write to"):
            client.sendmail("noreply@example.be", ["info@example.org"], FORM)
        site("remove", "portal", "--yes")
        daemon.wait_log("keys loaded", 3)
        with pytest.raises(smtplib.SMTPSenderRefused, match="no longer right"):
            client.sendmail("noreply@example.be", ["info@example.net"], FORM)
    with daemon.client() as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.login("portal", daemon.secrets["portal"])
    (arrived,) = sink.wait(1)
    assert b"DKIM-Signature" in arrived.data


def test_octets_behind_starttls_are_thrown_away_and_the_connection_ends(daemon: RelayDaemon, sink: Sink) -> None:
    with socket.create_connection(("127.0.0.1", daemon.starttls_port), timeout=10) as raw:
        raw.recv(1000)
        raw.sendall(b"EHLO x\r\n")
        raw.recv(1000)
        raw.sendall(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@example.net>\r\n")
        said = b""
        while piece := raw.recv(1000):
            said += piece
    assert said.startswith(b"421 4.7.0 ")
    daemon.wait_log("reason=starttls_injection")
    # In a segment of their own they meet the handshake, which is none.
    with socket.create_connection(("127.0.0.1", daemon.starttls_port), timeout=10) as raw:
        raw.recv(1000)
        raw.sendall(b"EHLO x\r\n")
        raw.recv(1000)
        raw.sendall(b"STARTTLS\r\n")
        assert raw.recv(1000).startswith(b"220 2.0.0 ")
        raw.sendall(b"EHLO evil\r\nMAIL FROM:<evil@example.net>\r\n")
        said = b""
        with contextlib.suppress(OSError):
            while piece := raw.recv(1000):
                said += piece
        assert b"250" not in said


def test_smuggled_messages_do_not_exist(daemon: RelayDaemon, sink: Sink) -> None:
    for number, end in enumerate((b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r")):
        with daemon.client(login="portal") as client:
            client.mail("noreply@example.be")
            client.rcpt("info@example.org")
            client.putcmd("DATA")
            assert client.getreply()[0] == 354
            client.send(FORM.encode() + b"x" + end + b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<v@example.org>\r\nDATA\r\ny\r\n.\r\n")
            assert client.getreply()[0] == 550
            assert client.noop()[0] == 250
        daemon.wait_log("reason=bare_line_end", number + 1)
    assert sink.messages == ()


def test_the_certificate_is_renewed_and_a_broken_one_stops_nothing(daemon: RelayDaemon) -> None:
    good = daemon.certificate.read_bytes()
    daemon.certificate.write_bytes(b"broken")
    with socket.create_connection(("127.0.0.1", daemon.tls_port), timeout=10) as raw:
        context = ssl.create_default_context(cadata=good.decode().partition("-----BEGIN PRIVATE")[0])
        context.check_hostname = False
        with context.wrap_socket(raw, server_hostname=HOST) as client:
            assert client.recv(100).startswith(b"220 ")


def test_one_address_has_so_many_connections_and_no_more(sink: Sink) -> None:
    daemon = RelayDaemon(sink, relay="max_connections = 3")
    daemon.add_key("example.be", "s1", "ed25519")
    with daemon, contextlib.ExitStack() as opened:
        for _ in range(3):
            assert opened.enter_context(_raw(daemon)).recv(100).startswith(b"220 ")
        assert opened.enter_context(_raw(daemon)).recv(100).startswith(b"421 ")


def _raw(daemon: RelayDaemon) -> socket.socket:
    return socket.create_connection(("127.0.0.1", daemon.loopback_port), timeout=10)


def test_a_stop_lets_the_message_in_progress_end(daemon: RelayDaemon, sink: Sink) -> None:
    client = daemon.client(login="portal")
    client.mail("noreply@example.be")
    client.rcpt("info@example.org")
    client.putcmd("DATA")
    client.getreply()
    client.send(FORM.encode())
    if daemon.process is not None:
        daemon.process.terminate()
    time.sleep(0.5)
    client.send(b".\r\n")
    assert client.getreply()[0] == 250
    assert client.getreply()[0] == 421
    client.close()
    assert daemon.wait() == 0


def test_site_test_reports_each_step(daemon: RelayDaemon, sink: Sink) -> None:
    command = [
        sys.executable,
        "-m",
        "zegel.cli.main",
        "--data",
        str(daemon.data),
        "site",
        "test",
        "portal",
        "--from",
        "jan@visitor.example",
    ]
    for extra in ([], ["--way", "tls"]):
        done = subprocess.run(
            [*command, "--secret-file", "-", *extra],
            input=daemon.secrets["portal"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PYTHONIOENCODING": "utf-8", "PATH": "/usr/bin", "SSL_CERT_FILE": str(daemon.certificate)},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        for said in (
            "connected to 127.0.0.1",
            "the certificate is believed",
            "logged in as portal",
            "accepted, as ",
            "jan@visitor.example became noreply@example.be",
            "signed with s1._domainkey.example.be",
            "DMARC pass",
            "handed to the next hop",
        ):
            assert said in done.stdout, done.stdout
    wrong = subprocess.run([*command, "--secret-file", "-"], input="wrong", capture_output=True, text=True, timeout=60, check=False)
    assert wrong.returncode == 1
    assert "535" in wrong.stdout


def test_the_context_of_the_tests_believes_no_other_certificate(daemon: RelayDaemon, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "cert.pem"
    other.write_bytes(self_signed(HOST, datetime.datetime.now(datetime.UTC)))
    with smtplib.SMTP("127.0.0.1", daemon.starttls_port, timeout=10) as client, pytest.raises(ssl.SSLCertVerificationError):
        client.starttls(context=tls_context(other))
