"""What Mail::DKIM says of Ed25519, in its own words."""

from __future__ import annotations

import pytest

from support.peers import answers, case
from support.peers.maildkim import MailDkim
from support.peers.matrix import OURS, Letter, Run


@pytest.fixture
def peer(run: Run) -> MailDkim:
    peer = run.peer(MailDkim.name)
    assert isinstance(peer, MailDkim)
    return peer


@pytest.mark.parametrize("signer", case.signers()[1:], ids=lambda signer: signer.name)
def test_it_does_not_sign_with_ed25519(peer: MailDkim, signer: case.Signer) -> None:
    with pytest.raises(answers.Refused, match="unsupported algorithm ed25519-sha256"):
        peer.sign(case.message(case.PLAIN, signer), signer, "relaxed/relaxed")


def test_it_calls_an_ed25519_signature_invalid_and_passes_the_rsa_one_beside_it(run: Run, peer: MailDkim) -> None:
    signed = run.signed(Letter(OURS, "both", "relaxed/relaxed", case.PLAIN))
    assert signed
    assert peer.details(signed) == {"rsa": "pass", "ed25519": "invalid (unsupported algorithm ed25519-sha256)"}
