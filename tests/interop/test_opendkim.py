"""What Debian's opendkim does with Ed25519: it signs and verifies, but for a fold that it makes too late."""

from __future__ import annotations

import pytest

from support.peers import case
from support.peers.matrix import PEERS, Letter, Run
from support.peers.opendkim import OpenDkim

ABLE = [name for name in PEERS if name != "Mail::DKIM"]


@pytest.mark.parametrize("verifier", ABLE)
@pytest.mark.parametrize("form", ["simple/simple", "simple/relaxed"])
def test_its_ed25519_signature_is_of_a_field_without_the_last_fold(run: Run, form: str, verifier: str) -> None:
    letter = Letter(OpenDkim.name, "Ed25519", form, case.PLAIN)
    signed = run.signed(letter)
    assert signed
    assert run.judged(signed, letter, verifier) == ("fail",)
    assert signed.count(b";\r\n\tb=") == 1
    assert run.judged(signed.replace(b";\r\n\tb=", b"; b="), letter, verifier) == ("pass",)
