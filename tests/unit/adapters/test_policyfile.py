"""The policy file of MTA-STS fetched from a real HTTPS server on loopback: certificates, redirects, bounds, addresses. RFC 8461 3.3."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import zegel
from zegel.adapters.policyfile import MAX_OCTETS, FetchError, Way, fetch

HOST = "mta-sts.example.com"
ZONE = zegel.Zone.from_dict({(HOST, "A"): ["127.0.0.1"]})
POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 86400\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of the host that signs itself, with its key, in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def answer(body: str = POLICY, *, status: str = "200 OK", kind: str = "text/plain; charset=utf-8") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n{body}".encode()


@contextmanager
def server(certificate: Path, reply: bytes, *, slow: float = 0) -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers each connection with these octets. Gives its port, and the requests that came."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(plain, server_side=True) as connection:
                        asked.append(connection.recv(4096))
                        time.sleep(slow)
                        connection.sendall(reply)
                except OSError:
                    continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def get(port: int, certificate: Path | None, *, host: str = HOST, seconds: float = 10, anywhere: bool = True) -> str:
    context = ssl.create_default_context(cafile=certificate) if certificate else None
    way = Way(seconds, port, context, anywhere)
    return asyncio.run(fetch(host, "/.well-known/mta-sts.txt", ZONE, way))


def test_a_policy_is_fetched(certificate: Path) -> None:
    with server(certificate, answer()) as (port, asked):
        assert get(port, certificate) == POLICY
    assert asked[0].startswith(b"GET /.well-known/mta-sts.txt HTTP/1.0\r\nHost: mta-sts.example.com\r\n")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (answer(status="301 Moved Permanently\r\nLocation: https://other.example/"), "status 301"),
        (answer(status="404 Not Found"), "status 404"),
        (answer(kind="text/html"), "not served as text/plain"),
        (answer("x" * (MAX_OCTETS + 1)), "more than"),
        (answer("x" * 5_000_000), "more than"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n\xff\xfe", "not text"),
        (b"220 mail.example.com ESMTP\r\n", "no answer of HTTP"),
        (b"", "no answer of HTTP"),
    ],
)
def test_what_is_no_policy_file(certificate: Path, reply: bytes, said: str) -> None:
    with server(certificate, reply) as (port, _), pytest.raises(FetchError, match=said):
        get(port, certificate)


def test_the_certificate_must_hold(certificate: Path) -> None:
    with server(certificate, answer()) as (port, asked), pytest.raises(FetchError, match="the certificate does not hold"):
        get(port, None)
    assert asked == []


def test_nobody_waits_longer_than_allowed(certificate: Path) -> None:
    with server(certificate, answer(), slow=3) as (port, _), pytest.raises(FetchError, match="no answer in"):
        get(port, certificate, seconds=0.3)


def test_local_addresses_are_not_connected_to(certificate: Path) -> None:
    with server(certificate, answer()) as (port, asked), pytest.raises(FetchError, match="outside local networks"):
        get(port, certificate, anywhere=False)
    assert asked == []
    with pytest.raises(FetchError, match="has no address"):
        get(1, certificate, host="nowhere.example")
    with pytest.raises(FetchError, match="no connection"):
        get(1, certificate)
