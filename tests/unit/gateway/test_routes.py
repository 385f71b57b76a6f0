"""What becomes of our own name in mail that is not from outside: who can be believed to have it from us."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.gateway import ALICE, FORGED, MAIL, Server, play
from support.mta import Mta
from support.proof import values
from zegel.config import parse
from zegel.gateway.outbound import Policy

CONFIG = """
[outbound]
reinjected = ["filter"]
[[outbound.allow]]
login = "alice"
sign = ["example.org"]
[[outbound.allow]]
local = true
sign = ["example.org"]
[[outbound.allow]]
network = "192.0.2.0/24"
sign = ["example.org"]
"""


@pytest.mark.parametrize(
    ("address", "port", "macros", "kept", "signed"),
    [
        pytest.param("127.0.0.1", 0, {"i": "4A"}, False, False, id="this machine"),
        pytest.param("192.0.2.7", 4711, {"i": "4A"}, False, False, id="a listed network"),
        pytest.param("198.51.100.9", 4711, ALICE, False, True, id="a login"),
        pytest.param("127.0.0.1", 4711, {"i": "4A", "{daemon_name}": "filter"}, True, False, id="a listed filter"),
    ],
)
def test_our_own_results_stay_only_behind_a_listed_filter(
    address: str, port: int, macros: dict[str, str], kept: bool, signed: bool
) -> None:
    def mail(server: Server) -> None:
        server.settings[0] = replace(server.settings[0], policy=Policy(parse(CONFIG).outbound))
        connection = {name: value for name, value in macros.items() if name == "{daemon_name}"}
        with Mta(("127.0.0.1", server.port)) as mta:
            mta.open(address=address, port=port, macros=connection)
            message = mta.send(FORGED + MAIL, macros=macros).message
        assert bool(values(message, "Authentication-Results")) == kept
        assert bool(values(message, "DKIM-Signature")) == signed
        assert not server.faults

    play(mail)
