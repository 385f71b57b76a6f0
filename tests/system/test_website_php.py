"""PHP from Debian: mail() through the sendmail command, with every exit status, and PHPMailer through a login."""

from __future__ import annotations

import email
import email.policy
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.postfix import Postfix
from support.proof import holds, values
from support.servers import require
from support.sink import Arrived
from support.website import DOMAIN, SENDMAIL, Website

SCRIPTS = Path(__file__).parent.parent / "support" / "php"


@pytest.fixture(scope="module")
def site() -> Iterator[Website]:
    with Website() as running:
        yield running


def form(site: Website, *, environment: Mapping[str, str] | None = None, sendmail: str = f"{SENDMAIL} -t -i") -> str:
    """Send the form; what stood on standard error, and then what PHP says."""
    words = [require("php"), "-d", f"sendmail_path={sendmail}", str(SCRIPTS / "form.php")]
    done = site.run(*words, environment=environment)
    return (done.stderr + done.stdout).decode()


def proves(site: Website, mail: Arrived) -> email.message.EmailMessage:
    assert holds(mail.data, site.daemon.records) == [("rsa-sha256", DOMAIN)]
    assert mail.mail_from == f"noreply@{DOMAIN}"
    assert mail.data.isascii()
    message = email.message_from_bytes(mail.data, policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    assert [address.addr_spec for address in message["from"].addresses] == [f"noreply@{DOMAIN}"]
    return message


def shown(field: object) -> str:
    return str(field).replace('"', "")


def test_mail_sends_the_form(site: Website) -> None:
    before = len(site.sink.messages)
    assert form(site) == "sent\n"
    message = proves(site, site.next_mail(before))
    assert shown(message["from"]) == "Jan Peeters via example.be <noreply@example.be>"
    assert shown(message["reply-to"]) == "Jan Peeters <jan@gmail.example>"
    assert message.get_content() == "Good day,\r\nJan\r\n"


def test_mail_in_utf_8_that_says_8bit(site: Website) -> None:
    before = len(site.sink.messages)
    environment = {
        "VISITOR": "René <rene@gmail.example>",
        "SUBJECT": "Een café",
        "BODY": "Goedendag,\nRené " + "x" * 1200,
        "CONTENT_TYPE": "text/plain; charset=utf-8",
    }
    assert form(site, environment=environment) == "sent\n"
    message = proves(site, site.next_mail(before))
    assert message["subject"] == "Een café"
    assert shown(message["from"]) == "René via example.be <noreply@example.be>"
    assert message.get_content() == "Goedendag,\r\nRené " + "x" * 1200 + "\r\n"


NAMES = ["Jan\r\nBcc: victim@example.net", "Jan\nBcc: victim@example.net", "Jan\rBcc: victim@example.net"]


@pytest.mark.parametrize("name", NAMES)
def test_a_field_that_a_visitor_puts_into_the_subject_stays_text(site: Website, name: str) -> None:
    before = len(site.sink.messages)
    assert form(site, environment={"SUBJECT": name}) == "sent\n"
    mail = site.next_mail(before)
    proves(site, mail)
    assert mail.recipients == ("info@example.org",)
    assert values(mail.data, "bcc") == []
    assert "Bcc: victim" in values(mail.data, "subject")[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_field_that_a_visitor_puts_into_from_reaches_nobody(name: str) -> None:
    # A script that lets a line end through has written the field itself. Whom a site may write to is its own setting then.
    with Website(recipients=["example.org"]) as site:
        said = form(site, environment={"VISITOR": f"{name}\r\nX: <jan@gmail.example>", "AS_TEXT": "1"})
        assert said.endswith("not sent\n") is (name != NAMES[2]), "a CR alone is a space by then"
        assert {mail.recipients for mail in site.sink.messages} <= {("info@example.org",)}
        said = form(site, environment={"VISITOR": name + " <jan@gmail.example>"})
        assert 'Header "From" contains' in said


def test_every_exit_status_is_told_apart_by_php(site: Website, tmp_path: Path) -> None:
    nowhere = {"ZEGEL_SOCKET": str(tmp_path / "none"), "ZEGEL_DROP": str(tmp_path / "none")}
    assert form(site, environment={"VISITOR": "not an address"}).endswith("not sent\n")  # 69
    assert "send as noreply@example.be" in form(site, environment={"VISITOR": "not an address"})
    assert form(site, environment=nowhere).endswith("not sent\n")  # 73
    assert form(site, sendmail=f"{SENDMAIL} -bs").endswith("not sent\n")  # 64
    full = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9)); "
    )
    full += "from zegel.integrations.sendmail import main; sys.exit(main())"
    command = shlex.join([sys.executable, "-c", full, "-t", "-i"])
    tmp_path.joinpath("drop").mkdir()
    assert form(site, sendmail=command, environment={**nowhere, "ZEGEL_DROP": str(tmp_path / "drop")}).endswith("not sent\n")  # 74


def test_while_the_daemon_is_down_the_form_works_and_nothing_is_lost(site: Website) -> None:
    before = len(site.sink.messages)
    site.daemon.stop()
    for number in range(3):
        assert form(site, environment={"SUBJECT": f"down {number}"}) == "sent\n"
    site.daemon.start()
    mails = site.sink.wait(before + 3)[before:]
    assert {proves(site, mail)["subject"] for mail in mails} == {"down 0", "down 1", "down 2"}


def test_a_postfix_whose_next_hop_has_no_8bitmime_breaks_nothing() -> None:
    environment = {"VISITOR": "René <rene@gmail.example>", "SUBJECT": "Een café", "BODY": "Goedendag,\nRené"}
    with Postfix(sink_extensions=("SIZE 0",)) as postfix, Website(next_hop=postfix.smtp_port) as site:
        assert form(site, environment={**environment, "CONTENT_TYPE": "text/plain; charset=utf-8"}) == "sent\n"
        assert form(site, environment=environment) == "sent\n"
        for mail in postfix.sink.wait(2):
            message = proves(site, mail)
            assert message.get_content() == "Goedendag,\r\nRené\r\n"
            assert message["subject"] == "Een café"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
    names = ["-subj", "/CN=mail.example.be", "-addext", "subjectAltName=DNS:mail.example.be"]
    out = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([require("openssl"), *words, *names, *out], capture_output=True, check=True)
    return folder


@pytest.mark.parametrize("secure", ["tls", "ssl"])
def test_phpmailer_through_a_login(certificate: Path, secure: str) -> None:
    from support.servers import free_port

    port = free_port()
    kind = "tls" if secure == "ssl" else "starttls"
    config = f'[relay]\n{kind} = ["inet:127.0.0.1:{port}"]\nhostname = "mail.example.be"\n'
    config += f'certificate = "{certificate / "cert.pem"}"\nkey = "{certificate / "key.pem"}"\n'
    with Website(config=config) as site:
        environment = {
            "SMTP_PORT": str(port),
            "SMTP_USER": "portal",
            "SMTP_PASSWORD": site.secret,
            "SMTP_SECURE": secure,
            "SMTP_CA": str(certificate / "cert.pem"),
            "SMTP_NAME": "mail.example.be",
        }
        done = site.run(require("php"), str(SCRIPTS / "mailer.php"), environment=environment)
        assert done.stdout == b"sent\n", done.stdout + done.stderr
        message = proves(site, site.next_mail(0))
        assert message["subject"] == "Een vraag over het café"
        assert shown(message["from"]) == "René Peeters via example.be <noreply@example.be>"
        assert shown(message["reply-to"]) == "René Peeters <rene@gmail.example>"
        body = message.get_body(("plain",))
        assert body is not None
        assert body.get_content().strip() == "Goedendag, René"
        (attached,) = message.iter_attachments()
        assert attached.get_filename() == "Café.bin"
        assert len(attached.get_content()) == 3000
        done = site.run(require("php"), str(SCRIPTS / "mailer.php"), environment={**environment, "SMTP_PASSWORD": "wrong"})
        assert done.stdout.startswith(b"not sent: ")
