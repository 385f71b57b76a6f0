"""Zegel, OpenDKIM, Mail::DKIM, rspamd and dkimpy sign for one another, and each verifies what the others have signed."""

from __future__ import annotations

from itertools import product

import pytest

from support.peers import case
from support.peers.dkimpy import Dkimpy
from support.peers.maildkim import MailDkim
from support.peers.matrix import ALTERED_FORMS, LIMITS, OURS, PEERS, Letter, Peer, Run, expected, letters
from support.peers.opendkim import OpenDkim
from support.peers.ours import Zegel
from support.peers.rspamd import Rspamd

KEYS = ("RSA-2048", "Ed25519", "both")
CHANGED = len(case.CHANGES) + len(case.ADDED)
OTHERS = [name for name in PEERS if name != OURS]


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("verifier", PEERS)
@pytest.mark.parametrize("by", PEERS)
def test_what_one_signs_the_other_verifies(run: Run, by: str, verifier: str, keys: str) -> None:
    for letter in letters(by, keys):
        assert run.seen(letter, verifier) == expected(letter, verifier)[0], letter


def test_every_limit_is_met_somewhere() -> None:
    met = {
        number
        for by, keys in product(PEERS, KEYS)
        for letter in letters(by, keys)
        for name in PEERS
        for number in expected(letter, name)[1]
    }
    assert met == set(range(1, len(LIMITS) + 1))


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("by", PEERS)
def test_we_say_of_every_signature_what_rspamd_and_dkimpy_say(run: Run, by: str, keys: str) -> None:
    for letter in letters(by, keys):
        assert run.seen(letter, OURS) == run.seen(letter, Rspamd.name) == run.seen(letter, Dkimpy.name), letter


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize(("by", "verifier"), [(OURS, other) for other in OTHERS] + [(other, OURS) for other in OTHERS])
def test_what_was_changed_on_the_way_passes_nowhere(run: Run, by: str, verifier: str, keys: str) -> None:
    said = run.altered(by, verifier, keys)
    for (form, name), words in said.items():
        # An added field passes by a signature that does not name it; that is a policy of ours, and we name them all.
        allowed = {"fail", "policy"} if verifier == OURS and name in case.ADDED else {"fail"}
        assert set(words) <= allowed, (form, name)
    judged = sum(len(words) for words in said.values())
    assert (
        judged
        == sum(words == "pass" for form in ALTERED_FORMS for words in expected(Letter(by, keys, form, case.PLAIN), verifier)[0]) * CHANGED
    )


@pytest.mark.parametrize("form", ["relaxed/relaxed", "simple/simple"])
@pytest.mark.parametrize("by", [Zegel, Dkimpy, MailDkim, Rspamd])
def test_a_body_without_a_line_end_is_taken_as_if_it_had_one(run: Run, by: type[Peer], form: str) -> None:
    """RFC 6376 3.4.3 and 3.4.4. Mail::DKIM does not for simple, and so agrees only with itself; SMTP cannot carry such a body."""
    signer = case.signers()[0]
    signed = run.peer(by.name).sign(case.compose(*case.UNENDED, signer), signer, form)
    said = {name: run.peer(name).verify(signed)["rsa"] == ["pass"] for name in PEERS if name != OpenDkim.name}
    odd = form == "simple/simple" and by is not Rspamd
    assert said == {name: (name == MailDkim.name) == (by is MailDkim) or not odd for name in said}
