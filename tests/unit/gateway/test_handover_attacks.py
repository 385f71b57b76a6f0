"""Mail of programs on this machine: any text of one line comes in, and nothing but an address goes out."""

from __future__ import annotations

import asyncio
import os
import pwd
from pathlib import Path
from typing import cast

import pytest

from zegel.adapters.dropfolder import DropFolder
from zegel.adapters.journal import Journal
from zegel.gateway.handover import Handover, PickUp
from zegel.gateway.relay import Accepted, Relay, Submission
from zegel.gateway.sitebook import Sitebook
from zegel.store.sites import Site
from zegel.store.vault import Vault
from zegel.submission.handed import Handed

ME = pwd.getpwuid(os.geteuid()).pw_name
SITE = Site("cron", "default", "noreply@example.be", "it@example.be", unix_user=ME)
DATA = b"From: a@example.be\r\n\r\nx\r\n"


class Taking:
    """A relay that keeps what it is given."""

    def __init__(self) -> None:
        self.taken: list[Submission] = []

    async def submit(self, submission: Submission) -> Accepted:
        self.taken.append(submission)
        return Accepted("1K1", ())


def handover() -> tuple[Handover, Taking]:
    relay = Taking()
    return Handover(cast(Relay, relay), Sitebook(Vault(bytes(32)), [SITE]), Journal()), relay


def handed(*recipients: str, data: bytes = DATA, number: int = 0) -> Handed:
    return Handed(f"{number:032x}", "a@example.be", list(recipients), len(data))


def take(recipients: list[str], data: bytes = DATA) -> tuple[str, list[Submission]]:
    made, relay = handover()
    return asyncio.run(made.take(os.geteuid(), handed(*recipients, data=data), data)), relay.taken


@pytest.mark.parametrize(
    "address",
    [
        "a>b@example.org",  # an end of the path of RCPT
        '"x"><y@example.org>',
        '"x"@example.org>SIZE=1',
        "jan",
        "jan@",
        "@example.org",
        "jan@exa_mple..org",
        "jan@example.org,piet@example.org",
        "jan@[127.0.0.1]",
        f"{'x' * 65}@example.org",
    ],
)
def test_what_is_no_address_is_refused_and_no_fault_of_ours(address: str) -> None:
    """A fault of ours would be tried again from the drop folder, for ever."""
    answer, taken = take(["info@example.org", address])
    assert answer.startswith("501 5.1.3 ")
    assert taken == []


def test_addresses_are_those_of_the_envelope() -> None:
    answer, (taken,) = take(["info@Example.ORG", "jan@bücher.example"])
    assert answer == "250 2.0.0 1K1"
    assert taken.recipients == ("info@example.org", "jan@xn--bcher-kva.example")
    assert not taken.utf8


def test_the_last_line_has_its_end() -> None:
    assert take(["b@example.org"], DATA.removesuffix(b"\r\n"))[1][0].data == DATA
    assert take(["b@example.org"])[1][0].data == DATA


def test_names_that_are_no_text_and_folders_do_not_stop_the_pick_up(tmp_path: Path) -> None:
    """Anybody on this machine can put anything there."""
    made, relay = handover()
    folder = DropFolder(tmp_path / "drop", tmp_path / "aside")
    folder.prepare()
    (folder.path / os.fsdecode(b"new.\xff\x1b[2J\n")).write_bytes(b"x")
    (folder.path / "new.full").mkdir()
    (folder.path / "new.full" / "x").touch()
    os.mkfifo(folder.path / "new.pipe")
    one = handed("b@example.org", number=7)
    (folder.path / f"new.{one.id}").write_bytes(one.head() + DATA)
    pick_up = PickUp(folder, made, Journal())
    assert asyncio.run(pick_up.look()) == 1
    assert [submission.recipients for submission in relay.taken] == [("b@example.org",)]
    assert [path.name for path in folder.path.iterdir()] == ["new.full"]
    assert asyncio.run(pick_up.look()) == 0


def test_who_fills_the_folder_with_names_is_not_looked_at_each_second(tmp_path: Path) -> None:
    made, _relay = handover()
    folder = DropFolder(tmp_path / "drop", tmp_path / "aside")
    folder.prepare()
    pick_up = PickUp(folder, made, Journal())
    pauses = []
    for number in (0, 15_000, 30_000):
        for name in range(number):
            os.close(os.open(folder.path / f"part.{name}", os.O_CREAT | os.O_WRONLY))
        asyncio.run(pick_up.look())
        pauses.append(pick_up.pause)
    # A look ends when 10,000 names beyond the user's share are found; they are taken away.
    assert pauses == [1.0, 1.4, 1.4]
