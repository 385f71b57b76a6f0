"""Mail of ours over a real socket: what is recorded of it. How it is signed is in test_milter."""

from __future__ import annotations

import pytest

from support.gateway import ALICE, FORGED, MAIL, Server, play
from support.mta import Mta
from zegel.store.record import Direction


@pytest.mark.usefixtures("capsys")
def test_outbound_records_say_signed_or_why_not() -> None:
    def mail(server: Server) -> None:
        with Mta(("127.0.0.1", server.port)) as mta:
            mta.open()
            mta.send(MAIL, "a@example.org", ["jan@there.example"], ALICE)
            mta.send(MAIL.replace(b"a@example.org", b"a@other.example"), "a@example.org", ["jan@there.example"], ALICE)
            mta.send(FORGED * 501 + MAIL, "a@example.org", ["jan@there.example"], ALICE)
        signed, unsigned, refused = server.records
        assert signed[1:8] == (Direction.OUTBOUND, "4A", "a@example.org", ("jan@there.example",), "example.org", "signed", "")
        assert [tuple(found) for found in signed.results] == [("dkim", "signed", "", "example.org", "s1")]
        assert unsigned[1:8] == (
            Direction.OUTBOUND,
            "4A",
            "a@example.org",
            ("jan@there.example",),
            "other.example",
            "unsigned",
            "not_allowed",
        )
        assert (refused.direction, refused.action, refused.reason) == (Direction.OUTBOUND, "refused", "too_many_claims")
        assert (unsigned.results, signed.subject, refused.results) == ((), "", ())

    play(mail)
