"""Two complete rotations while mail goes through the real daemon, with real name servers and a clock that runs ahead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.authority import AGENCY, HOSTS, Authority, authority
from support.rotation import Rotations
from support.rotationpost import PostfixRotations
from support.servers import wait_for

pytestmark = pytest.mark.timeout(900)  # a machine that does much else besides


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Authority]:
    with authority(tmp_path / "dns") as found:
        yield found


def test_mail_goes_on_through_two_rotations(there: Authority, tmp_path: Path) -> None:
    with Rotations(there, tmp_path, rate=4) as site:
        first = site.rotate()
        site.begin()
        second = site.rotate()
        third = site.rotate()
        wait_for(lambda: bool(site.received) and site.received[-1].selector == third, 60, "mail signed with the third key")
        assert site.troubles == []
        assert {received.selector for received in site.received} == {first, second, third}
        assert len({first, second, third}) == 3
        assert site.verify_what_is_on_its_way() > 0
        assert site.daemon.log().count('event="key signs"') == 3


def test_mail_goes_on_through_postfix(there: Authority, tmp_path: Path) -> None:
    with PostfixRotations(there, tmp_path, rate=20) as site:
        former = site.rotate()
        site.begin()
        following = site.rotate()
        wait_for(lambda: bool(site.received) and site.received[-1].selector == following, 60, "mail signed with the second key")
        site.end()
        assert site.troubles == []
        assert {received.selector for received in site.received} == {former, following}
        assert site.handed_in == site.verified
        assert all(b"\nReceived: from client.example.net" in received.message for received in site.received)


def test_an_emergency_revokes_the_old_key_at_the_switch(there: Authority, tmp_path: Path) -> None:
    with Rotations(there, tmp_path, rate=4) as site:
        first = site.rotate()
        told = site.command("key", "rotate", AGENCY, "--emergency")
        assert f"mail is signed with {first}, as before; at that moment {first} is revoked" in " ".join(told.split())
        second = next(key.selector for key in site.held() if key.succession)
        site.write_dns()
        site.catch_up()
        site.look()
        assert site.signing() == first
        site.shift(800)
        site.look()
        assert (site.signing(), site.state(first)) == (second, "revoked")
        site.write_dns()
        assert site.texts(HOSTS[0], first) == ["v=DKIM1; p="]
        site.command("key", "rotate", AGENCY, "--emergency", "--revoke-now")
        assert (site.signing(), site.state(second)) == ("", "revoked")
