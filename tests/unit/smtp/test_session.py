"""The states of a submission, what it refuses, and what it says. RFC 5321 4.1, 4.1.4."""

from __future__ import annotations

import base64

import pytest

from zegel.smtp.events import Aborted, Closed, Content, EndOfMessage, Event, Login, MailFrom, Misuse, Recipient, StartTls
from zegel.smtp.session import Session, Terms

TERMS = Terms("mail.example.be", size=1_000_000, recipients=3, starttls=True)
PLAIN = base64.b64encode(b"\0portal\0secret")


def talk(session: Session, *groups: bytes) -> list[Event]:
    """Say groups of commands, each after the replies to the one before; the events of all."""
    events: list[Event] = []
    for group in groups:
        events += session.receive(group)
        REPLIES.append(session.outgoing())
    return events


REPLIES: list[bytes] = []


@pytest.fixture(autouse=True)
def _clear() -> None:
    REPLIES.clear()


def greeted(terms: Terms = TERMS, *, secure: bool = True, known: bool = True) -> Session:
    session = Session(terms, secure=secure, known=known)
    talk(session, b"EHLO client.example\r\n")
    return session


def begun(sender: str, size: int = 0, protocol: str = "ESMTPS") -> MailFrom:
    return MailFrom(sender, size, helo="client.example", protocol=protocol)


def codes() -> list[str]:
    return [line[:9].decode() for reply in REPLIES for line in reply.split(b"\r\n") if line[3:4] == b" "]


def test_helo_is_answered_without_extensions() -> None:
    """RFC 5321 4.1.1.1: who says HELO knows none of them."""
    talk(Session(TERMS, secure=True, known=True), b"HELO client.example\r\n")
    assert REPLIES == [b"220 mail.example.be ESMTP\r\n250 mail.example.be\r\n"]


@pytest.mark.parametrize(
    ("secure", "greeting", "word", "protocol"),
    [
        (False, b"HELO", b"", "SMTP"),
        (False, b"EHLO", b"", "ESMTP"),
        (True, b"EHLO", b"", "ESMTPS"),
        (False, b"EHLO", b" SMTPUTF8", "UTF8SMTP"),
        (True, b"EHLO", b" SMTPUTF8", "UTF8SMTPS"),
    ],
)
def test_how_a_message_comes_is_told(secure: bool, greeting: bytes, word: bytes, protocol: str) -> None:
    """RFC 3848, RFC 6531 4.3. After a login there is an A behind it, see test_login."""
    session = Session(TERMS, secure=secure, known=True)
    talk(session, greeting + b" client.example\r\n")
    (event,) = talk(session, b"MAIL FROM:<a@example.be>" + word + b"\r\n")
    assert isinstance(event, MailFrom)
    assert (event.helo, event.protocol) == ("client.example", protocol)


def test_twenty_errors_end_it() -> None:
    session = greeted()
    REPLIES.clear()
    assert talk(session, *[b"NONSENSE\r\n"] * 19) == []
    assert len(codes()) == 19
    assert "421 4.7.0" not in codes()
    assert talk(session, b"NONSENSE\r\n") == [Closed()]
    assert codes()[-1] == "421 4.7.0"


def test_a_message() -> None:
    # RFC 5321 4.1.1.4.
    session = greeted()
    events = talk(
        session,
        b"MAIL FROM:<noreply@example.be> SIZE=20\r\nRCPT TO:<a@example.org>\r\nDATA\r\n",
        b"From: x\r\n\r\n..hi\r\n.\r\n",
    )
    assert events == [
        begun("noreply@example.be", 20),
        Recipient("a@example.org"),
        Content(b"From: x\r\n\r\n.hi\r\n"),
        EndOfMessage(),
    ]
    assert session.awaiting_finish
    session.finish("250", "2.0.0", "queued as 1")
    assert session.outgoing() == b"250 2.0.0 queued as 1\r\n"
    assert not session.in_message
    assert talk(session, b"QUIT\r\nMAIL FROM:<b@c.example>\r\n") == [Closed()]
    assert session.closed


def test_ehlo_offers_what_is_there() -> None:
    # RFC 5321 4.1.1.1.
    session = Session(TERMS)
    assert session.outgoing() == b"220 mail.example.be ESMTP\r\n"
    talk(session, b"EHLO x\r\n")
    assert b"250 STARTTLS\r\n" in REPLIES[-1]
    assert b"AUTH" not in REPLIES[-1]
    talk(greeted())
    assert b"250 AUTH PLAIN LOGIN\r\n" in REPLIES[-1]
    assert b"STARTTLS" not in REPLIES[-1]
    for word in (b"PIPELINING", b"SIZE 1000000", b"8BITMIME", b"SMTPUTF8", b"ENHANCEDSTATUSCODES"):
        assert b"250-" + word + b"\r\n" in REPLIES[-1]


def test_pipelined_commands_and_the_next_message_behind_the_data() -> None:
    # RFC 2920 3.1.
    session = greeted()
    talk(session, b"MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
    assert talk(session, b"x\r\n.\r\nMAIL FROM:<n@example.be>\r\nRCPT TO:<c@example.org>\r\n")[-1] == EndOfMessage()
    session.finish("250", "2.0.0", "OK")
    assert talk(session, b"") == [begun("n@example.be"), Recipient("c@example.org")]


@pytest.mark.parametrize("mechanism", [b"AUTH PLAIN " + PLAIN, b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH login cG9ydGFs"])
def test_login(mechanism: bytes) -> None:
    # RFC 4616 2, RFC 4954 4.
    session = greeted(known=False)
    events = talk(session, mechanism + b"\r\n")
    while not events:
        answer = {b"334 \r\n": PLAIN, b"334 VXNlcm5hbWU6\r\n": b"cG9ydGFs", b"334 UGFzc3dvcmQ6\r\n": b"c2VjcmV0"}[REPLIES[-1]]
        events = talk(session, answer + b"\r\n")
    login = events[0]
    assert isinstance(login, Login)
    assert (login.credentials.name, login.credentials.secret) == ("portal", "secret")
    assert "secret" not in repr(events)
    session.finish("235", "2.7.0", "welcome")
    assert session.known
    assert talk(session, b"", b"MAIL FROM:<a@example.be>\r\n") == [begun("a@example.be", protocol="ESMTPSA")]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"AUTH CRAM-MD5", "504 5.5.4"),
        (b"AUTH PLAIN !!!", "501 5.5.2"),
        (b"AUTH PLAIN =", "501 5.5.2"),
        (b"AUTH PLAIN " + base64.b64encode(b"other\0portal\0secret"), "535 5.7.8"),
        (b"AUTH PLAIN " + base64.b64encode(b"\0" + b"x" * 256 + b"\0y"), "501 5.5.2"),
        (b"AUTH PLAIN " + base64.b64encode(b"\0\xff\0y"), "501 5.5.2"),
    ],
)
def test_a_login_of_no_form_is_refused(line: bytes, code: str) -> None:
    session = greeted(known=False)
    assert talk(session, line + b"\r\n") == []
    assert codes()[-1] == code
    assert not session.known


def test_no_login_in_the_clear_twice_or_within_a_message() -> None:
    clear = greeted(secure=False, known=False)
    talk(clear, b"AUTH PLAIN " + PLAIN + b"\r\n")
    assert codes()[-1] == "538 5.7.1"
    session = greeted(known=False)
    talk(session, b"AUTH PLAIN " + PLAIN + b"\r\n")
    session.finish("235", "2.7.0", "welcome")
    talk(session, b"", b"AUTH PLAIN " + PLAIN + b"\r\n")
    assert codes()[-1] == "503 5.5.1"
    talk(session, b"MAIL FROM:<a@example.be>\r\nAUTH PLAIN " + PLAIN + b"\r\n")
    assert codes()[-1] == "503 5.5.1"


def test_a_login_can_be_given_up_and_three_that_fail_end_it() -> None:
    session = greeted(known=False)
    assert talk(session, b"AUTH LOGIN\r\n", b"*\r\n") == []
    assert codes()[-1] == "501 5.7.0"
    for _ in range(3):
        talk(session, b"AUTH PLAIN " + PLAIN + b"\r\n")
        session.finish("535", "5.7.8", "wrong")
        talk(session, b"")
    assert talk(session, b"AUTH PLAIN " + PLAIN + b"\r\n") == [Closed()]


def test_nothing_is_sent_by_strangers() -> None:
    session = greeted(known=False)
    assert talk(session, b"MAIL FROM:<a@example.be>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n") == []
    assert codes()[-3:] == ["530 5.7.0", "503 5.5.1", "503 5.5.1"]


INJECTIONS = [
    (b"STARTTLS\r\nMAIL FROM:<evil@example.net>\r\n", "starttls_injection"),
    (b"AUTH PLAIN " + PLAIN + b"\r\nMAIL FROM:<evil@example.net>\r\n", "pipelining"),
    (b"AUTH LOGIN\r\ncG9ydGFs\r\n", "pipelining"),
    (b"EHLO x\r\nMAIL FROM:<evil@example.net>\r\n", "pipelining"),
    (b"MAIL FROM:<a@example.be>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nx\r\n.\r\n", "pipelining"),
]


@pytest.mark.parametrize(("stream", "reason"), INJECTIONS)
def test_what_comes_before_its_turn_ends_the_connection(stream: bytes, reason: str) -> None:
    # RFC 3207 6.
    for at in range(len(stream)):
        session = greeted(secure=not stream.startswith(b"STARTTLS"), known=not stream.startswith(b"AUTH"))
        events = [*session.receive(stream[:at]), *session.receive(stream[at:])]
        assert events[-2:] == [Misuse(reason), Closed()]
        assert session.closed
        # No reply to the injected command goes out, nor the one that it came before.
        assert session.outgoing().startswith(b"421 4.7.0 ")
        assert list(session.receive(b"MAIL FROM:<a@example.be>\r\n")) == []


def test_after_the_handshake_all_begins_anew() -> None:
    # RFC 3207 4.2.
    session = greeted(secure=False, known=False)
    assert talk(session, b"STARTTLS\r\n") == [StartTls()]
    session.secured()
    assert (session.secure, session.helo) == (True, "")
    talk(session, b"AUTH PLAIN " + PLAIN + b"\r\n")
    assert codes()[-1] == "503 5.5.1"
    talk(session, b"EHLO again\r\n", b"STARTTLS\r\n")
    assert codes()[-1] == "503 5.5.1"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"MAIL FROM:<a@example.be> RET=HDRS ENVID=QQ314159 AUTH=<> BODY=8BITMIME SMTPUTF8", "250 2.1.0"),
        (b"MAIL FROM: <a@example.be>", "250 2.1.0"),
        (b"mail from:<@relay.example,@other.example:a@example.be>", "250 2.1.0"),
        (b'MAIL FROM:<"a > b"@example.be>', "250 2.1.0"),
        (b"MAIL FROM:<a@example.be> SIZE=1000001", "552 5.3.4"),
        (b"MAIL FROM:<a@example.be> SIZE=x", "501 5.5.4"),
        (b"MAIL FROM:<a@example.be> BODY=BINARYMIME", "501 5.5.4"),
        (b"MAIL FROM:<a@example.be> SIZE=1 SIZE=2", "501 5.5.4"),
        (b"MAIL FROM:<a@example.be> XYZ=1", "555 5.5.4"),
        (b"MAIL FROM:a@example.be", "501 5.5.4"),
        (b"MAIL FROM:<a@example.be", "501 5.5.4"),
        (b"MAIL FROM:<a@example.be>SIZE=1", "501 5.5.4"),
        (b"MAIL TO:<a@example.be>", "501 5.5.4"),
        (b"MAIL FROM:<a b@example.be>", "501 5.1.3"),
        (b"MAIL FROM:<a@[192.0.2.1]>", "501 5.1.3"),
        (b"MAIL FROM:<a@localhost>", "554 5.1.3"),
        (b"MAIL FROM:<" + b"a" * 65 + b"@example.be>", "501 5.1.3"),
        (b"MAIL FROM:<" + b"a" * 63 + b"@" + b"b." * 94 + b"be>", "250 2.1.0"),  # 256 octets with its brackets
        (b"MAIL FROM:<" + b"a" * 64 + b"@" + b"b." * 94 + b"be>", "501 5.1.3"),
        (b"MAIL FROM:<\xff@example.be>", "501 5.5.4"),
        ("MAIL FROM:<caf\u00e9@example.be>".encode(), "553 5.6.7"),
        ("MAIL FROM:<caf\u00e9@example.be> SMTPUTF8".encode(), "250 2.1.0"),
        (b"RCPT TO:<a@example.be>", "503 5.5.1"),
        (b"DATA", "503 5.5.1"),
        (b"BDAT 10 LAST", "502 5.5.1"),
        (b"XYZZY", "502 5.5.1"),
        (b"", "502 5.5.1"),
        (b"VRFY postmaster", "252 2.5.2"),
        (b"HELP", "214 2.0.0"),
        (b"NOOP x", "250 2.0.0"),
    ],
)
def test_commands_and_their_replies(line: bytes, code: str) -> None:
    # RFC 1870 6.1, RFC 5321 4.1.2, 4.5.3.1.1 and 4.5.3.1.3, RFC 6409 5.2, RFC 6531 3.3 and 3.5.
    talk(greeted(), line + b"\r\n")
    assert codes()[-1] == code


def test_recipients() -> None:
    # RFC 5321 4.1.1.3.
    session = greeted()
    events = talk(
        session,
        b"MAIL FROM:<a@example.be>\r\nRCPT TO:<>\r\nRCPT TO:<Postmaster> NOTIFY=NEVER ORCPT=rfc822;x@y\r\nRCPT TO:<b@EXAMPLE.org>\r\n"
        b"RCPT TO:<c@example.org> X=1\r\nRCPT TO:<c@example.org>\r\nRCPT TO:<d@example.org>\r\n",
    )
    recipients = [event.address for event in events if isinstance(event, Recipient)]
    assert recipients == ["Postmaster@mail.example.be", "b@example.org", "c@example.org"]
    assert codes()[-6:] == ["501 5.1.3", "250 2.1.5", "250 2.1.5", "555 5.5.4", "250 2.1.5", "452 4.5.3"]


def test_ten_thousand_recipients_are_bounded() -> None:
    # RFC 5321 4.5.3.1.10.
    session = greeted()
    events = talk(session, b"MAIL FROM:<a@example.be>\r\n", *[b"RCPT TO:<b%d@example.org>\r\n" % number for number in range(10_000)])
    assert sum(isinstance(event, Recipient) for event in events) == 3
    assert events[-1] == Closed()
    assert codes().count("452 4.5.3") == 1000


def test_who_only_makes_errors_or_says_nothing_is_sent_away() -> None:
    session = greeted()
    assert talk(session, *[b"XYZZY\r\n"] * 20) == [Closed()]
    assert codes()[-2:] == ["502 5.5.1", "421 4.7.0"]
    session = greeted()
    assert talk(session, *[b"NOOP\r\n"] * 200) == [Closed()]
    session = greeted()
    assert talk(session, *[b"x" * 5000 + b"\r\n"] * 30) == [Closed()]


@pytest.mark.parametrize("verb", [b"GET / HTTP/1.1", b"POST / HTTP/1.1", b"CONNECT mail:25 HTTP/1.1"])
def test_a_browser_is_sent_away_before_its_body_is_read(verb: bytes) -> None:
    session = Session(TERMS, known=True)
    events = list(session.receive(verb + b"\r\nHost: x\r\n\r\nEHLO x\r\nMAIL FROM:<a@example.be>\r\n"))
    assert events == [Misuse("http"), Closed()]


def test_events_in_hand_can_be_refused() -> None:
    session = greeted()
    for event in session.receive(b"MAIL FROM:<a@example.be>\r\nRCPT TO:<b@example.org>\r\n"):
        assert isinstance(event, MailFrom)
        session.refuse("550", "5.7.1", "disabled")
    REPLIES.append(session.outgoing())
    assert codes()[-2:] == ["550 5.7.1", "503 5.5.1"]
    talk(session, b"MAIL FROM:<a@example.be>\r\n")
    for event in session.receive(b"RCPT TO:<b@example.org>\r\nDATA\r\n"):
        assert isinstance(event, Recipient)
        session.refuse("550", "5.7.1", "not to them")
    REPLIES.append(session.outgoing())
    assert codes()[-2:] == ["550 5.7.1", "554 5.5.1"]


@pytest.mark.parametrize("ending", [b"RSET\r\n", b"EHLO x\r\n", b"HELO x\r\n"])
def test_each_message_has_an_end(ending: bytes) -> None:
    session = greeted()
    assert talk(session, b"MAIL FROM:<a@example.be>\r\n" + ending) == [begun("a@example.be"), Aborted()]
    assert not session.in_message


def test_a_message_that_is_too_large_is_read_to_its_end_and_kept_by_nobody() -> None:
    session = greeted()
    talk(session, b"MAIL FROM:<a@example.be>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
    events = talk(session, *[b"x" * 99_998 + b"\r\n"] * 15, b".\r\n")
    assert sum(len(event.data) for event in events if isinstance(event, Content)) <= 1_000_000
    assert events[-1] == Aborted("too_large")
    assert codes()[-1] == "552 5.3.4"
    assert talk(session, b"MAIL FROM:<a@example.be>\r\n") == [begun("a@example.be")]


def test_a_message_without_end_ends_the_connection() -> None:
    session = greeted()
    talk(session, b"MAIL FROM:<a@example.be>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
    events = talk(session, *[b"x" * 99_998 + b"\r\n"] * 100)
    assert events[-2:] == [Misuse("too_large"), Closed()]


@pytest.mark.parametrize("body", [b"a\nb\r\n", b"a\rb\r\n", b"a\r\r\n", b"\n", b"a\n.\nb\r\n"])
def test_bare_line_ends_are_refused_or_mended(body: bytes) -> None:
    for mend in (False, True):
        session = greeted(Terms("mail.example.be", mend=mend))
        talk(session, b"MAIL FROM:<a@example.be>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
        events = talk(session, body + b"\r\n.\r\n")
        if mend:
            message = b"".join(event.data for event in events if isinstance(event, Content))
            assert message.count(b"\n") == message.count(b"\r") == message.count(b"\r\n")
            assert events[-1] == EndOfMessage()
        else:
            assert events[-1] == Aborted("bare_line_end")
            assert codes()[-1] == "550 5.5.2"


def test_who_sends_on_while_a_message_is_decided_is_bounded() -> None:
    session = greeted()
    talk(session, b"MAIL FROM:<a@example.be>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n", b"x\r\n.\r\n")
    assert talk(session, b"x" * 500_000) == []
    assert talk(session, b"x" * 100_000) == [Misuse("pipelining"), Closed()]


def test_misuse_of_the_session_itself_is_an_error() -> None:
    session = greeted()
    with pytest.raises(RuntimeError):
        session.finish("250", "2.0.0", "OK")
    with pytest.raises(RuntimeError):
        session.secured()
