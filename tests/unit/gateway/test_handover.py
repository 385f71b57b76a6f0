"""Mail of programs on this machine: whose it is the system says, what was safe goes nowhere but on, and nothing is taken twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from support.relay import FORM, SITE, Stand, play
from zegel.adapters.dropfolder import DropFolder
from zegel.adapters.signer import sign_here
from zegel.gateway.handover import Handover, PickUp
from zegel.gateway.relay import Bounds, Relay
from zegel.gateway.sitebook import Sitebook
from zegel.integrations import drop
from zegel.store import queue, transit
from zegel.store.posting import State
from zegel.store.sites import Site
from zegel.store.vault import Vault
from zegel.submission.handed import Handed

ME = pwd.getpwuid(os.geteuid()).pw_name
OURS = replace(SITE, unix_user=ME)
NOW = 1_790_000_000.0


class Desk:
    """The hand-over of one test, its drop folder beside it."""

    def __init__(self, stand: Stand, folder: Path, *sites: Site) -> None:
        self.stand, self.now = stand, NOW
        self.book = Sitebook(Vault(bytes(32)), sites)
        self.handover = Handover(stand.relay, self.book, stand.settings.journal, clock=lambda: self.now)
        self.folder = DropFolder(folder / "drop", folder / "aside")
        self.folder.prepare()
        self.pick_up = PickUp(self.folder, self.handover, stand.settings.journal, clock=lambda: self.now)

    def drop(self, number: int, data: bytes = FORM, *, recipients: tuple[str, ...] = ("info@example.org",)) -> None:
        handed = Handed(f"{number:032x}", "", list(recipients), len(data))
        drop.leave(str(self.folder.path), handed.id, handed.head(), data)

    def left(self) -> set[str]:
        return {path.name for path in self.folder.path.iterdir() if not path.name.startswith("use.")}

    def outbox(self) -> list[bytes]:
        with self.stand.spool.reading() as tx:
            found = queue.listed(tx, states=list(State), limit=1000)
            return [transit.body(tx, item.id) or b"" for item in reversed(found)]


def handed(number: int, data: bytes = FORM) -> Handed:
    return Handed(f"{number:032x}", "", ["info@example.org"], len(data))


def at_desk(folder: Path, test: Callable[[Desk], Awaitable[None]], *sites: Site) -> None:
    async def run(stand: Stand) -> None:
        await test(Desk(stand, folder, *sites))

    play(folder, run)


def test_a_user_with_a_site_is_admitted_and_no_other(tmp_path: Path) -> None:
    async def test(desk: Desk) -> None:
        uid = os.geteuid()
        assert await desk.handover.admit(uid) == ""
        assert (await desk.handover.admit(4_000_000_000)).startswith("550 5.7.1 the user 4000000000 is of no site")
        assert (await desk.handover.take(4_000_000_000, handed(1), FORM)).startswith("550 5.7.1 ")
        desk.book.replace([replace(OURS, disabled=5)])
        assert f"zegel site add --unix-user {ME}" in await desk.handover.admit(uid)
        assert (await desk.handover.take(uid, handed(2), FORM)).startswith("550 5.7.1 ")
        assert desk.outbox() == []

    at_desk(tmp_path, test, OURS)


def test_what_is_taken_is_signed_on_disk_and_answered_with_its_name(tmp_path: Path) -> None:
    async def test(desk: Desk) -> None:
        answer = await desk.handover.take(os.geteuid(), handed(1), FORM)
        (record,) = desk.stand.kept
        assert answer == f"250 2.0.0 {record.queue_id}"
        (data,) = desk.outbox()
        assert data.startswith(b"Received: by ")
        (step,) = [item for item in record.story if item["step"] == "site"]
        assert (step["via"], step["client"]) == ("sendmail", f"user {ME}")
        refusal = await desk.handover.take(os.geteuid(), handed(2), b"From: a@example.org\r\nFrom: b@example.org\r\n\r\nx\r\n")
        assert refusal.startswith("5")

    at_desk(tmp_path, test, OURS)


def test_the_same_name_is_the_same_message_and_of_its_user_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def test(desk: Desk) -> None:
        uid = os.geteuid()
        first = await desk.handover.take(uid, handed(1), FORM)
        assert await desk.handover.take(uid, handed(1), FORM) == first
        # At the same time: one has not answered when its program has given up and left a file.
        both = await asyncio.gather(*(desk.handover.take(uid, handed(2), FORM) for _ in range(5)))
        assert len(set(both)) == 1
        assert len(desk.outbox()) == len(desk.stand.kept) == 2
        other = pwd.getpwnam("nobody")
        desk.book.replace([OURS, replace(SITE, name="other", unix_user=other.pw_name)])
        assert await desk.handover.take(other.pw_uid, handed(1), FORM) != first
        assert len(desk.outbox()) == 3

    at_desk(tmp_path, test, OURS)
    told = capsys.readouterr().out
    assert told.count("handed over again, and taken once") == 5


def test_a_file_that_was_taken_and_could_not_be_removed_is_taken_once(tmp_path: Path) -> None:
    """The daemon ends between the two: the next one finds the file again."""

    async def test(desk: Desk) -> None:
        desk.drop(1)
        (name,) = desk.folder.waiting(10).names
        dropped = desk.folder.take(name)
        assert (await desk.handover.take(dropped.uid, dropped.handed, dropped.data)).startswith("250 ")
        assert await desk.pick_up.look() == 1
        assert (desk.left(), len(desk.outbox())) == (set(), 1)

    at_desk(tmp_path, test, OURS)


def test_what_lies_there_goes_into_the_outbox_with_the_date_at_which_it_was_left(tmp_path: Path) -> None:
    async def test(desk: Desk) -> None:
        for number in range(3):
            desk.drop(number, FORM.replace(b"Hallo", b"%d" % number))
            os.utime(desk.folder.path / f"new.{number:032x}", (1_700_000_000, 1_700_000_000))
        desk.drop(3, b"Date: Mon, 23 Nov 2026 09:00:00 +0000\r\n" + FORM)
        assert await desk.pick_up.look() == 4
        assert desk.left() == set()
        found = desk.outbox()
        assert sum(b"\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n" in data for data in found) == 3
        assert sum(data.count(b"Date: Mon, 23 Nov 2026") for data in found) == 1
        assert await desk.pick_up.look() == 0

    at_desk(tmp_path, test, OURS)


def test_what_is_refused_lies_aside_and_what_is_no_message_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def test(desk: Desk) -> None:
        desk.drop(1, b"From: a@example.org\r\nFrom: b@example.org\r\n\r\nx\r\n")
        (desk.folder.path / "new.junk").write_bytes(b"junk")
        (desk.folder.path / "new.link").symlink_to("/etc/passwd")
        os.mkfifo(desk.folder.path / "new.pipe")
        assert await desk.pick_up.look() == 0
        assert desk.left() == set()
        (aside,) = (tmp_path / "aside").iterdir()
        assert aside.read_bytes().startswith(b"From: a@example.org"), "as it was left"
        assert desk.outbox() == []

    at_desk(tmp_path, test, OURS)
    told = capsys.readouterr().out
    assert told.count("drop folder: not a message") == 3
    assert told.count("drop folder: refused") == 1


def test_what_cannot_be_taken_now_stays_and_is_tried_later_and_holds_up_nothing(tmp_path: Path) -> None:
    async def test(desk: Desk) -> None:
        desk.drop(1, recipients=("slow@example.org",))
        desk.drop(2)
        desk.book.replace([replace(OURS, rate=1)])
        assert await desk.pick_up.look() == 1
        (kept,) = desk.left()
        desk.book.replace([replace(OURS, rate=0)])
        assert await desk.pick_up.look() == 0, "not before its time"
        desk.now += 31
        assert await desk.pick_up.look() == 1
        assert (desk.left(), len(desk.outbox())) == (set(), 2)
        assert kept.startswith("new.")

    at_desk(tmp_path, test, OURS)


def test_a_fault_of_ours_keeps_the_message(tmp_path: Path) -> None:
    async def test(desk: Desk) -> None:
        desk.drop(1)
        desk.stand.relay.close()
        assert await desk.pick_up.look() == 0
        assert len(desk.left()) == 1
        relay = Relay(lambda: desk.stand.settings, desk.stand.judge, desk.stand.outbox, Bounds(), sign_here)
        again = PickUp(desk.folder, Handover(relay, desk.book, desk.stand.settings.journal), desk.stand.settings.journal)
        assert await again.look() == 1
        assert (desk.left(), len(desk.outbox())) == (set(), 1)

    at_desk(tmp_path, test, OURS)


def test_one_that_cannot_be_put_aside_holds_up_no_other_and_is_tried_later(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A full disk, say; here its place is taken."""

    async def test(desk: Desk) -> None:
        place = tmp_path / "aside" / f"{1:032x}.eml"
        place.mkdir()
        desk.drop(1, b"From: a@example.org\r\nFrom: b@example.org\r\n\r\nx\r\n")
        for number in (2, 3):
            desk.drop(number)
        assert await desk.pick_up.look() == 2
        assert desk.left() == {f"new.{1:032x}"}
        place.rmdir()
        assert await desk.pick_up.look() == 0
        assert desk.left(), "not before its time"
        desk.now += 31
        await desk.pick_up.look()
        assert desk.left() == set()
        assert place.is_file()

    at_desk(tmp_path, test, OURS)
    assert capsys.readouterr().out.count("drop folder: cannot be taken now") == 1


def test_a_folder_that_nobody_can_remove_is_told_once_a_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def test(desk: Desk) -> None:
        (desk.folder.path / "new.folder" / "within").mkdir(parents=True)
        for _ in range(3):
            assert await desk.pick_up.look() == 0
        assert desk.left() == {"new.folder"}

    at_desk(tmp_path, test, OURS)
    told = capsys.readouterr().out
    assert told.count("cannot be removed") == 1


def test_what_is_beyond_a_users_share_is_taken_away_and_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def test(desk: Desk) -> None:
        for number in range(4010):
            (desk.folder.path / f"part.{number}").touch()
        assert await desk.pick_up.look() == 0
        assert len(desk.left()) == 4000

    at_desk(tmp_path, test, OURS)
    told = capsys.readouterr().out
    assert told.count("more files of this user than its share") == 1


def test_it_runs_until_it_is_stopped_and_takes_away_what_was_never_ended(tmp_path: Path) -> None:
    async def test(desk: Desk) -> None:
        (desk.folder.path / "part.old").touch()
        os.utime(desk.folder.path / "part.old", (1000, 1000))
        desk.drop(1)
        running = asyncio.create_task(desk.pick_up.run())
        for _ in range(200):
            if not desk.left():
                break
            await asyncio.sleep(0.05)
        assert desk.left() == set()
        desk.pick_up.stop()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(running, 10)
        assert len(desk.outbox()) == 1

    at_desk(tmp_path, test, OURS)
