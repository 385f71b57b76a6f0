from __future__ import annotations

import struct
import tracemalloc

import pytest

from support import milter_bytes as mta
from support.milter_bytes import ABORT, EOH, QUIT, START, header, macros, mail, message, optneg, packet, rcpt
from zegel.milter import codec
from zegel.milter.codec import ProtocolError
from zegel.milter.edits import Accept, ChangeHeader, DeleteHeader, InsertHeader, Outcome, Quarantine, Reject
from zegel.milter.events import (
    Aborted,
    BodyChunk,
    Closed,
    Connected,
    Data,
    EndOfHeaders,
    EndOfMessage,
    Event,
    Family,
    Headers,
    Helo,
    MailFrom,
    Negotiated,
    Recipient,
    Reset,
    UnknownCommand,
)
from zegel.milter.macros import MACRO_COUNT
from zegel.milter.session import Session

NR_ALL = 0x80 | 0xFF000 & ~codec.SMFIP_NR_BODY
NO_NR = mta.ALL_PROTOCOL & ~(0x80 | 0xFF000)
PLAIN = optneg(2, 0x3F, 0x7F)


def feed(session: Session, data: bytes) -> list[Event]:
    return list(session.receive(data))


def started(data: bytes = START, **arguments: int) -> Session:
    session = Session(**arguments)  # type: ignore[arg-type]
    feed(session, data)
    session.outgoing()
    return session


def test_one_message() -> None:
    session = Session()
    events = feed(session, START + message(((b"From", b" a@example.org"), (b"Subject", b" one\n\ttwo")), i="Q1"))
    assert events == [
        Negotiated(6, 0x31, NR_ALL | codec.SMFIP_HDR_LEADSPC | codec.SMFIP_NR_BODY | codec.SMFIP_NODATA | codec.SMFIP_NOUNKNOWN),
        Connected("client.example.org", Family.INET, 2525, "192.0.2.1"),
        Helo(b"client.example.org"),
        MailFrom(b"<a@example.org>"),
        Recipient(b"<b@example.com>"),
        Headers([(b"From", b" a@example.org"), (b"Subject", b" one\n\ttwo")]),
        EndOfHeaders(),
        EndOfMessage(b"hello\r\n"),
    ]
    assert session.awaiting_finish
    assert session.outgoing() == codec.optneg(6, 0x31, events[0].protocol if isinstance(events[0], Negotiated) else 0)
    session.finish(Outcome((InsertHeader(0, b"X", b" y"),), Accept()))
    assert session.outgoing() == codec.insheader(0, b"X", b" y") + codec.ACCEPT
    assert not session.in_message


def test_connection_facts_are_kept() -> None:
    session = started()
    assert session.connection == Connected("client.example.org", Family.INET, 2525, "192.0.2.1")
    assert session.helo == b"client.example.org"


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        (b"x\0U", Connected("x", Family.UNKNOWN, 0, "")),
        (b"x\0L\0\0/run/s\0", Connected("x", Family.UNIX, 0, "/run/s")),
        (b"x\x006\0\x19IPv6:2001:db8::1\0", Connected("x", Family.INET6, 25, "2001:db8::1")),
        (b"x\x006\0\x192001:db8::1\0", Connected("x", Family.INET6, 25, "2001:db8::1")),
        (b"x\x004\0\x00127.0.0.1\0", Connected("x", Family.INET, 0, "127.0.0.1")),
    ],
)
def test_families(payload: bytes, event: Connected) -> None:
    assert feed(started(optneg()), packet("C", payload)) == [event]


def test_envelope_arguments() -> None:
    session = started()
    events = feed(session, packet("M", b"<>\0SIZE=5\0BODY=8BITMIME\0") + packet("R", b"<b@example.com>\0NOTIFY=NEVER\0"))
    assert events == [MailFrom(b"<>", (b"SIZE=5", b"BODY=8BITMIME")), Recipient(b"<b@example.com>", (b"NOTIFY=NEVER",))]
    assert [event.mailbox for event in events if isinstance(event, MailFrom | Recipient)] == [b"", b"b@example.com"]


def test_a_second_message_sees_nothing_of_the_first() -> None:
    session = started(START)
    assert feed(session, macros("M", i="Q1", **{"{auth_type}": "PLAIN"}) + mail())
    assert session.macro(b"i") == b"Q1"
    assert session.macro(b"auth_type") == b"PLAIN"
    feed(session, header(b"A", b" 1") + EOH + macros("E", **{"{end}": "1"}) + packet("E"))
    assert session.macro(b"{end}") == b"1"
    session.finish(Outcome())
    second = feed(session, message(((b"B", b" 2"),), b"two\r\n", i="Q2"))
    assert second == [
        MailFrom(b"<a@example.org>"),
        Recipient(b"<b@example.com>"),
        Headers([(b"B", b" 2")]),
        EndOfHeaders(),
        EndOfMessage(b"two\r\n"),
    ]
    assert [session.macro(name) for name in (b"i", b"{auth_type}", b"{end}")] == [b"Q2", None, None]


def test_many_messages_each_with_its_own_macros_when_all_bytes_come_at_once() -> None:
    session = Session()
    data = START + b"".join(
        message(((b"N", b" %d" % n),), b"%d" % n, i=f"Q{n}", **({"{auth_type}": "x"} if n % 3 == 0 else {})) for n in range(50)
    )
    seen: list[tuple[bytes | None, bytes | None, bytes]] = []
    events = session.receive(data)
    while not seen or len(seen) < 50:
        seen += [(session.macro(b"i"), session.macro(b"auth_type"), event.data) for event in events if isinstance(event, EndOfMessage)]
        session.finish(Outcome())
        events = session.receive(b"")
    assert seen == [(b"Q%d" % n, b"x" if n % 3 == 0 else None, b"%d" % n) for n in range(50)]


def test_macros_are_those_of_the_event_in_hand() -> None:
    session = started()
    data = macros("M", i="Q1") + mail() + ABORT + macros("M", i="Q2") + mail() + ABORT + mail()
    seen = [session.macro(b"i") for event in session.receive(data) if isinstance(event, MailFrom)]
    assert seen == [b"Q1", b"Q2", None]


def test_macros_of_a_message_end_at_abort_and_at_the_next_mail() -> None:
    session = started(optneg() + macros("C", j="mx") + mta.connect() + macros("H", **{"{tls_version}": "TLSv1.3"}) + packet("H", b"h\0"))
    feed(session, macros("M", i="Q1") + mail() + macros("R", **{"{rcpt_addr}": "b"}) + rcpt())
    assert feed(session, mail()) == [Aborted(), MailFrom(b"<a@example.org>")]
    assert [session.macro(name) for name in (b"i", b"rcpt_addr", b"j", b"tls_version")] == [None, None, b"mx", b"TLSv1.3"]
    feed(session, macros("R", **{"{rcpt_addr}": "b"}) + ABORT)
    assert [session.macro(name) for name in (b"rcpt_addr", b"j", b"tls_version")] == [None, b"mx", b"TLSv1.3"]


def test_names_with_and_without_braces_and_the_latest_stage_wins() -> None:
    session = started(optneg() + macros("C", **{"i": "early", "{daemon_name}": "smtpd"}) + mta.connect())
    feed(session, mail() + macros("R", i="Q1") + rcpt())
    assert session.macro(b"i") == b"Q1"
    feed(session, macros("R", i="Q2") + rcpt())
    assert session.macro(b"i") == session.macro(b"{i}") == b"Q2"
    assert session.macro(b"daemon_name") == session.macro(b"{daemon_name}") == b"smtpd"
    assert session.macro(b"{nothing}") is None


def test_macros_are_bounded_in_number_and_size() -> None:
    many = {f"m{n}": "" for n in range(MACRO_COUNT)}
    session = started()
    feed(session, macros("M", **many))
    with pytest.raises(ProtocolError, match="macros"):
        feed(session, macros("M", more="", **many))
    session = started()
    with pytest.raises(ProtocolError, match="octets"):
        feed(session, b"".join(macros(stage, big="x" * 20_000) for stage in "CHMR"))


@pytest.mark.parametrize("payload", [b"", b"Mname", b"Mname\0value"])
def test_malformed_macros(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        feed(started(), packet("D", payload))


def test_macros_of_unknown_stages_and_an_odd_name_are_left_alone() -> None:
    session = started()
    assert feed(session, packet("D", b"?i\0Q\0") + packet("D", b"M") + packet("D", b"Mi\0Q\0odd\0") + mail()) == [
        MailFrom(b"<a@example.org>")
    ]
    assert session.macro(b"i") == b"Q"
    assert session.macro(b"odd") is None


def test_abort_in_mid_message() -> None:
    session = started()
    first = mail() + rcpt() + header(b"A", b" 1") + EOH + packet("B", b"half")
    assert feed(session, first)[-1] == BodyChunk(b"half")
    assert feed(session, ABORT) == [Aborted()]
    assert not session.in_message
    assert feed(session, message())[-1] == EndOfMessage(b"hello\r\n")


def test_a_message_given_up_is_over_when_that_is_told() -> None:
    session = started()
    told = [session.in_message for event in session.receive(mail() + ABORT + mail() + mail()) if isinstance(event, Aborted)]
    assert told == [False, False]
    assert session.in_message


def test_abort_without_a_message_says_nothing() -> None:
    assert feed(started(), ABORT + ABORT) == []
    assert feed(started(optneg()), ABORT + mta.connect()) != []


def test_quit_and_quit_for_a_new_connection() -> None:
    session = started()
    feed(session, macros("C", j="old"))
    assert feed(session, packet("K")) == [Reset()]
    assert session.macro(b"j") is None
    assert session.connection is None
    assert session.helo is None
    assert feed(session, mta.connect(b"other") + QUIT) == [Connected("other", Family.INET, 2525, "192.0.2.1"), Closed()]
    assert feed(session, message()) == []


@pytest.mark.parametrize(
    "data",
    [
        START + header(b"A", b" 1"),
        START + rcpt(),
        START + EOH,
        START + packet("B", b"x"),
        START + packet("E"),
        START + mail() + packet("E"),
        START + mail() + packet("B", b"x"),
        START + mail() + header(b"A", b" 1") + rcpt(),
        START + mail() + header(b"A", b" 1") + mail(),
        START + mail() + EOH + header(b"A", b" 1"),
        START + mail() + EOH + EOH,
        START + optneg(),
        START + mta.connect(),
        START + packet("?"),
        mta.connect(),
        macros("C", j="x"),
        ABORT,
        optneg() + mail(),
        optneg() + packet("H", b"x\0"),
        optneg(1),
        packet("O", b"short"),
        START + packet("M", b""),
        START + packet("M", b"<a>"),
        START + mail() + packet("L", b"A\0 1"),
        START + mail() + packet("L", b"A\0 1\0x"),
        START + mail() + packet("L", b"A\0 1\0x\0"),
        START + mail() + packet("L", b"\0 1\0"),
        START + mail() + packet("L", b"A\0"),
        optneg() + packet("C", b"name"),
        optneg() + packet("C", b"name\0"),
        optneg() + packet("C", b"name\0X\0\0a\0"),
        optneg() + packet("C", b"name\x004\0\0a"),
        optneg() + packet("C", b"name\x004\0"),
        optneg() + mta.connect() + packet("H", b""),
        optneg() + mta.connect() + packet("H", b"a\0b\0"),
        START + bytes(4),
    ],
)
def test_what_is_out_of_order_or_malformed_ends_the_connection(data: bytes) -> None:
    session = Session()
    with pytest.raises(ProtocolError):
        feed(session, data)
    assert feed(session, START) == []


def test_helo_within_a_message_leaves_it_to_the_mta_to_abort() -> None:
    session = started()
    assert feed(session, mail() + packet("H", b"again\0") + ABORT) == [MailFrom(b"<a@example.org>"), Helo(b"again"), Aborted()]


def test_required_action_not_offered() -> None:
    with pytest.raises(ProtocolError, match="SMFIF_CHGHDRS"):
        feed(Session(), optneg(actions=codec.SMFIF_ADDHDRS))
    assert feed(Session(required=codec.SMFIF_ADDHDRS), optneg(actions=codec.SMFIF_ADDHDRS))


def test_only_what_is_offered_is_taken() -> None:
    session = started(PLAIN)
    assert (session.version, session.actions, session.protocol) == (2, 0x31, 0)
    assert not session.leading_space
    assert not session.can_skip


def test_a_later_version_is_answered_with_ours() -> None:
    assert started(optneg(7)).version == 6


def test_skip_and_no_reply_to_the_body_exclude_each_other() -> None:
    for session, skip in ((Session(skip_body=True), True), (Session(), False)):
        feed(session, optneg())
        assert session.can_skip is skip
        assert bool(session.protocol & codec.SMFIP_NR_BODY) is not skip
    feed(session := Session(skip_body=True), optneg(protocol=mta.ALL_PROTOCOL & ~codec.SMFIP_SKIP))
    assert not session.can_skip
    assert session.protocol & codec.SMFIP_NR_BODY


def test_steps_that_cannot_be_skipped() -> None:
    with pytest.raises(ValueError, match="skipped"):
        Session(skip=codec.SMFIP_NOMAIL)


def test_each_command_is_continued_where_the_mta_waits() -> None:
    session = Session(skip=0)
    data = optneg(protocol=NO_NR) + mta.connect() + packet("H", b"h\0") + macros("M", i="Q") + mail() + rcpt() + packet("T")
    data += header(b"A", b" 1") + EOH + packet("B", b"x") + packet("B", b"y") + packet("E")
    events = feed(session, data)
    assert Data() in events
    waited = [event for event in events if not isinstance(event, Negotiated | EndOfMessage)]
    assert session.outgoing() == codec.optneg(6, session.actions, session.protocol) + codec.CONTINUE * len(waited)
    session.finish(Outcome())
    assert feed(session, packet("U", b"JUNK\0")) == [UnknownCommand(b"JUNK")]
    assert session.outgoing() == codec.ACCEPT + codec.CONTINUE


def test_no_reply_is_given_where_none_is_due() -> None:
    session = started()
    for event in session.receive(mail() + rcpt() + header(b"A", b" 1") + EOH):
        assert not session.respond(codec.TEMPFAIL), event
    assert session.outgoing() == b""
    assert session.in_message


def test_respond_takes_the_place_of_continue() -> None:
    session = started(skip_body=True)
    replies = [codec.CONTINUE, codec.SKIP]
    feed(session, mail() + EOH)
    for _ in session.receive(packet("B", b"x") + packet("B", b"y")):
        assert session.respond(replies.pop(0))
        assert not session.respond(codec.ACCEPT)
    assert session.outgoing() == codec.CONTINUE + codec.SKIP
    assert session.in_message


def test_a_refusal_of_mail_ends_the_message_and_one_of_a_recipient_does_not() -> None:
    session = started(optneg(protocol=NO_NR) + mta.connect())
    for _ in session.receive(macros("M", i="Q1") + mail()):
        session.respond(codec.TEMPFAIL)
    assert session.macro(b"i") is None
    assert feed(session, ABORT) == []  # no message is left
    for event in session.receive(mail() + rcpt()):
        if isinstance(event, Recipient):
            session.respond(codec.TEMPFAIL)
    assert session.in_message
    assert session.outgoing() == codec.TEMPFAIL + codec.CONTINUE + codec.TEMPFAIL


def test_leading_space_is_put_back_where_the_mta_ate_it() -> None:
    session = started(PLAIN + mta.connect())
    data = mail() + header(b"A", b"1") + header(b"B", b"") + header(b"C", b"\tx") + header(b"D", b" y")
    events = [event for event in feed(session, data) if isinstance(event, Headers)]
    assert events == [Headers([field]) for field in ((b"A", b" 1"), (b"B", b" "), (b"C", b"\tx"), (b"D", b"  y"))]
    feed(session, EOH + packet("E"))
    session.outgoing()
    session.finish(Outcome((ChangeHeader(1, b"A", b" 2"),)))
    assert session.outgoing() == codec.chgheader(1, b"A", b"2") + codec.ACCEPT


def test_header_values_are_byte_exact_with_leading_space() -> None:
    session = started()
    assert session.leading_space
    values = [b"", b" ", b"\t", b"x", b" \xff\n\t \xfe ", b"\n  folded at once"]
    events = feed(session, mail() + b"".join(header(b"A", value) for value in values))
    assert [event.fields for event in events if isinstance(event, Headers)] == [[(b"A", value) for value in values]]


def test_fields_that_are_here_are_one_event_whatever_macros_are_repeated_between_them() -> None:
    session = started()
    feed(session, mail())
    same, other = macros("L", i="Q1"), macros("L", i="Q2")
    data = same + header(b"A", b" 1") + same + header(b"B", b" 2") + other + header(b"C", b" 3") + header(b"D", b" 4")
    seen = [(event.fields, session.macro(b"i")) for event in session.receive(data + EOH) if isinstance(event, Headers)]
    assert seen == [([(b"A", b" 1"), (b"B", b" 2")], b"Q1"), ([(b"C", b" 3"), (b"D", b" 4")], b"Q2")]


def test_fields_before_one_that_is_none_have_come() -> None:
    session = started()
    events = session.receive(mail() + header(b"A", b" 1") + header(b"B", b" 2") + packet("L", b"no end") + header(b"C", b" 3"))
    assert [next(events), next(events)] == [MailFrom(b"<a@example.org>"), Headers([(b"A", b" 1"), (b"B", b" 2")])]
    with pytest.raises(ProtocolError, match="not a name and a value"):
        next(events)


def test_an_outcome_that_cannot_be_said_says_nothing() -> None:
    session = started(optneg(actions=codec.SMFIF_ADDHDRS | codec.SMFIF_CHGHDRS) + mta.connect() + message())
    for outcome in (Outcome((Quarantine("why"),)), Outcome((InsertHeader(0, b"A", b" 1"), InsertHeader(0, b"B", b" x\ny")))):
        with pytest.raises(ValueError):
            session.finish(outcome)
    assert session.outgoing() == b""
    session.finish(Outcome((DeleteHeader(1, b"A"),), Reject()))
    assert session.outgoing().startswith(codec.chgheader(1, b"A", b""))
    with pytest.raises(RuntimeError):
        session.finish(Outcome())


def test_progress_only_while_the_mta_waits() -> None:
    session = started()
    assert not session.progress()
    feed(session, message())
    assert session.progress()
    assert session.outgoing() == codec.PROGRESS


def test_nothing_is_read_on_before_the_outcome() -> None:
    session = started()
    assert feed(session, message() + message())[-1] == EndOfMessage(b"hello\r\n")
    assert feed(session, ABORT) == []
    session.finish(Outcome())
    assert feed(session, b"")[0] == MailFrom(b"<a@example.org>")


def test_sending_on_without_end_before_the_outcome_is_refused() -> None:
    session = started(START + message())
    piece = packet("B", bytes(65_535))
    with pytest.raises(ProtocolError, match="without waiting"):
        for _ in range(20):
            feed(session, piece)


def peak_of(session: Session, headers: int) -> int:
    batch = header(b"X-Field", b" some value of a usual length") * 1000
    tracemalloc.start()
    for _ in range(headers // 1000):
        for _ in session.receive(batch):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_million_headers_leave_nothing_behind() -> None:
    session = started(START + mail())
    short = peak_of(session, 2_000)
    assert peak_of(session, 200_000) <= 1.5 * short + 10_000
    # The same without a tracer, to the million.
    batch = header(b"X", b" y") * 10_000
    events = (event for _ in range(80) for event in session.receive(batch))
    assert sum(len(event.fields) for event in events if isinstance(event, Headers)) == 800_000
    assert session.outgoing() == b""


def test_packets_of_hostile_length() -> None:
    session = started()
    with pytest.raises(ProtocolError):
        feed(session, struct.pack(">I", 0xFFFFFFFF))
