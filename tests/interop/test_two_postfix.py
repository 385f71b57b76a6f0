"""A real Postfix with Zegel on one side, one with opendkim or rspamd on the other: what one signs, the other's milter passes, both ways."""

from __future__ import annotations

import pytest

from support.peers import case
from support.peers.matrix import OURS, Letter, Run
from support.peers.sites import SITES, Sites
from support.proof import tags

KEYS = ("RSA-2048", "Ed25519", "both")
WAYS = [(OURS, other) for other in SITES if other != OURS] + [(other, OURS) for other in SITES if other != OURS]


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize(("by", "verifier"), WAYS)
def test_mail_from_one_to_the_other_passes(sites: Sites, by: str, verifier: str, keys: str) -> None:
    signer = next(signer for signer in case.signers() if signer.name == keys)
    assert sites.seen(by, verifier, keys) == dict.fromkeys(case.SHAPES, ("pass",) * len(signer.keys))


@pytest.mark.parametrize(("by", "verifier"), WAYS)
def test_it_is_the_sending_site_that_has_signed(sites: Sites, by: str, verifier: str) -> None:
    signer = case.signers()[2]
    (arrived,) = sites.site(by).send([case.message(case.PLAIN, signer)], signer, sites.site(verifier))
    assert sorted((tag["d"], tag["s"]) for tag in tags(arrived)) == sorted((signer.domain, selector) for selector in signer.selectors)


@pytest.mark.parametrize("change", case.CHANGES)
@pytest.mark.parametrize(("by", "verifier"), WAYS)
def test_what_was_changed_on_the_way_fails_there(run: Run, sites: Sites, by: str, verifier: str, change: str) -> None:
    message = run.signed(Letter(by, "both", "relaxed/relaxed", case.PLAIN))
    assert message
    site = sites.site(verifier)
    assert site.results(site.receive(message)) == {"rsa": ["pass"], "ed25519": ["pass"]}
    assert site.results(site.receive(case.CHANGES[change](message))) == {"rsa": ["fail"], "ed25519": ["fail"]}
