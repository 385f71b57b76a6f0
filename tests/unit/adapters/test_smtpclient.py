from __future__ import annotations

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.nexthop import HANG, LEAVE, NextHop
from support.outbox import PATIENT, QUICK, TEXT
from zegel.adapters.smtpclient import Mail, Peer, Session, UnreachableError

MAIL = Mail("info@example.be", ["a@example.net"], TEXT, utf8=False, eight_bit=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that only itself vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = tmp_path_factory.mktemp("certificate") / "both.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def server_side(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def believing(file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=file)
    if file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def always() -> bool:
    return True


def talk(hop: NextHop, tls: str = "off", context: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> bool:
    """Send one message; whether it went under TLS."""

    async def run() -> bool:
        times = QUICK if hop.hop.greeting == HANG else PATIENT
        session = await Session.open(Peer("localhost", "127.0.0.1", hop.port, tls, context, login), hello="mail.example.be", times=times)
        answers = await session.send(MAIL, always)
        assert [answer.code for answer in answers] == [250]
        await session.quit()
        return session.encrypted

    return asyncio.run(run())


def test_tls_where_it_is_offered_and_in_clear_where_not(certificate: Path) -> None:
    with NextHop(certificate=server_side(certificate)) as hop:
        assert talk(hop, "opportunistic", believing(None))
        assert [command.split()[0] for command in hop.commands][:4] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]
        assert talk(hop, "required", believing(certificate))
        assert not talk(hop)
    with NextHop() as hop:
        assert not talk(hop, "opportunistic", believing(None))
        with pytest.raises(UnreachableError, match="offers no TLS"):
            talk(hop, "required", believing(certificate))
        assert len(hop.taken) == 1


def test_a_certificate_that_nobody_vouches_for_stops_required_and_not_opportunistic(certificate: Path) -> None:
    # RFC 7435 3.
    strict = ssl.create_default_context()
    with NextHop(certificate=server_side(certificate)) as hop:
        with pytest.raises(UnreachableError, match="TLS failed: self-signed certificate"):
            talk(hop, "required", strict)
        assert not hop.taken
        # Broken TLS is no worse than none: over a new connection, in clear.
        assert not talk(hop, "opportunistic", strict)


def test_an_old_server_is_greeted_with_helo() -> None:
    # RFC 5321 3.2.
    with NextHop(ehlo="502 5.5.1 what?") as hop:
        assert not talk(hop)
        assert [command.split()[0] for command in hop.commands][:3] == ["EHLO", "HELO", "MAIL"]


def test_what_comes_in_clear_behind_starttls_is_not_taken_for_the_server(certificate: Path) -> None:
    hop = NextHop(certificate=server_side(certificate), after_starttls=b"250-evil\r\n250 AUTH PLAIN\r\n")
    with hop, pytest.raises(UnreachableError, match="spoke on before TLS"):
        talk(hop, "required", believing(certificate))


@pytest.mark.parametrize("offers", [("AUTH PLAIN",), ("AUTH LOGIN",), ("AUTH=LOGIN CRAM-MD5",)])
def test_login(offers: tuple[str, ...]) -> None:
    with NextHop() as hop:
        hop.hop.offers = offers
        hop.hop.login = ("zegel", "gehéim")
        assert not talk(hop, login=("zegel", "gehéim"))
        with pytest.raises(UnreachableError, match=r"the server refuses our login \(535 5.7.8\); look at outbox.password_file") as error:
            talk(hop, login=("zegel", "wrong-secret"))
        assert "secret" not in str(error.value)
        assert "d3Jvbmc" not in str(error.value)
    with NextHop() as hop, pytest.raises(UnreachableError, match="no login that we know"):
        talk(hop, login=("zegel", "x"))


@pytest.mark.parametrize(
    ("greeting", "said"),
    [("554 5.7.1 not you", "greets with 554 5.7.1 not you"), ("421 busy", "greets with 421 busy"), (LEAVE, "closed the connection"),
     (HANG, "said nothing for 1 seconds"), ("SSH-2.0", "no reply")],
)  # fmt: skip
def test_a_server_that_will_not(greeting: str, said: str) -> None:
    with NextHop(greeting=greeting) as hop, pytest.raises(UnreachableError, match=said):
        talk(hop)


def test_the_password_is_in_no_text() -> None:
    peer = Peer("smtp.example.be", "192.0.2.1", 587, "required", None, ("zegel", "geheim"))
    assert "geheim" not in repr(peer)
    assert str(peer) == "smtp.example.be[192.0.2.1]:587"


def test_an_answer_too_many_before_the_end_is_no_acceptance() -> None:
    async def run(hop: NextHop) -> None:
        session = await Session.open(Peer("localhost", "127.0.0.1", hop.port), hello="mail.example.be", times=PATIENT)

        async def late() -> bool:
            await asyncio.sleep(0.2)
            return True

        with pytest.raises(Exception, match="answers what it was not asked"):
            await session.send(MAIL, late)

    with NextHop(data="354 go on\r\n250 2.0.0 taken before it was sent") as hop:
        asyncio.run(run(hop))
        assert not hop.taken
