"""A person's mail on its way: handed out, kept as long as somebody waits for it, and erased so that no trace is left in any file."""

from __future__ import annotations

import base64
import json
import os
import pwd
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.messages import JAN, traces
from zegel.adapters.dropfolder import ASIDE, DropFolder
from zegel.cli.person import addresses
from zegel.cli.person_mail import Mail
from zegel.cli.place import Place
from zegel.grammar.domain import Domain
from zegel.integrations import drop, sendmail
from zegel.store import domains, organisations, sites, transit
from zegel.store.database import Store
from zegel.store.posting import Outcome, Posting, State, queue_id
from zegel.store.quarantine import Depot, Kept
from zegel.store.spool import Spool

from .conftest import Run

FORM = (
    b'From: "Jan via example.be" <noreply@example.be>\r\nReply-To: Jan Peeters <jan.peeters@klant.example>\r\nTo: info@example.be\r\n'
    b"Subject: question of =?utf-8?q?Jan_Peeters?=\r\n\r\nI am jan.peeters, please call.\r\n"
)
LETTER = b"From: info@example.be\r\nTo: a@example.net, Jan.Peeters@klant.example\r\nSubject: letter\r\n\r\nDear all.\r\n"
ABOUT = Kept("", 7, "4Wx", "192.0.2.1", "", (JAN,), "bad.example", "win", "dmarc_fail", "results", 0)


@pytest.fixture
def filled(zegel: Run, data: Path) -> dict[str, str]:
    """Jan as the visitor of a form, as one of two recipients, as the recipient of what failed; and a message without Jan."""
    assert zegel("init").status == 0
    (data / "zegel.toml").write_text('[inbound]\nmode = "quarantine"\nquarantine = "keep"\n')
    with Store.open(data) as store, store.writing() as tx:
        organisations.add(tx, "other", now=1)
        domains.add(tx, Domain.parse("example.be"), now=1)
        domains.add(tx, Domain.parse("klant.example"), now=1, organisation="other")
        sites.add(tx, "portal", address="noreply@example.be", contact="it@example.be", now=1)
    form = Posting("noreply@example.be", ("info@example.be",), FORM, "portal", "it@example.be")
    letter = replace(form, recipients=("a@example.net", JAN), data=LETTER)
    names = {"form": 1, "letter": 2, "failed": 3, "without": 4}
    with Spool.open(data) as spool, spool.writing() as tx:
        transit.add(tx, [(1, form), (2, letter), (3, replace(letter, recipients=(JAN,)))], now=5, direct=False)
        transit.add(tx, [(4, replace(form, data=FORM.replace(b"Jan", b"An").replace(b"jan", b"an")))], now=5, direct=False)
        transit.settle(tx, [(3, [Outcome(0, State.FAILED, "550 5.1.1 no jan.peeters here")])], now=6)
    depot = Depot(data)
    depot.prepare()
    kept = depot.keep(replace(ABOUT, size=len(LETTER)), [LETTER])
    return {name: queue_id(number) for name, number in names.items()} | {"kept": kept}


def found(zegel: Run, *options: str) -> dict[str, Any]:
    copy = zegel("message", "export", "jan.peeters@KLANT.example", *options)
    assert copy.status == 0
    return {line["name"]: line for line in map(json.loads, copy.text.splitlines())}


def test_what_lies_in_the_outbox_and_in_quarantine_is_in_the_copy(zegel: Run, filled: dict[str, str]) -> None:
    copy = found(zegel)
    assert set(copy) == {filled[name] for name in ("form", "letter", "failed", "kept")}
    form = copy[filled["form"]]
    assert (form["in"], form["site"], form["undelivered"]) == ("outbox", "portal", True)
    assert form["subject"] == "question of Jan Peeters"
    assert form["you"] == [{"role": "author", "address": "jan.peeters@klant.example", "state": None}]
    assert [other["domain"] for other in form["others"]] == ["example.be"] * 4
    assert "info@" not in json.dumps(copy)
    assert {"role": "recipient", "address": JAN, "state": "failed"} in copy[filled["failed"]]["you"]
    assert copy[filled["kept"]]["in"] == "quarantine"
    assert "message" not in form
    with_texts = found(zegel, "--texts")
    assert base64.b64decode(with_texts[filled["form"]]["message"]) == FORM
    assert base64.b64decode(with_texts[filled["kept"]]["message"]) == LETTER


def test_what_is_of_one_organisation_alone(zegel: Run, filled: dict[str, str]) -> None:
    assert set(found(zegel, "--organisation", "other")) == {filled["kept"]}
    assert set(found(zegel, "--organisation", "default")) == {filled["form"], filled["letter"], filled["failed"]}


def test_what_is_over_is_erased_and_what_waits_is_told(zegel: Run, data: Path, filled: dict[str, str]) -> None:
    assert "in 4 of the outbox, the drop folder and quarantine" in zegel("message", "erase", JAN).errors
    ended = zegel("message", "erase", JAN, "--yes")
    assert ended.status == 1, "not all of it is erased"
    assert "of 4 messages in the outbox, the drop folder and quarantine, 1 are erased" in " ".join(ended.text.split())
    for said in (f"outbox show {filled['form']}", f"outbox show {filled['letter']}", f"quarantine show {filled['kept']}", "--undelivered"):
        assert said in ended.text
    assert set(found(zegel)) == {filled["form"], filled["letter"], filled["kept"]}
    assert zegel("outbox", "show", filled["failed"]).status == 1


def test_undelivered_mail_goes_where_that_is_asked_for_but_not_that_of_others(zegel: Run, data: Path, filled: dict[str, str]) -> None:
    assert "Those not delivered are lost." in zegel("message", "erase", JAN, "--undelivered").errors
    ended = zegel("message", "erase", JAN, "--undelivered", "--yes")
    assert ended.status == 1
    assert "Others wait for them as well" in ended.text
    assert filled["letter"] in ended.text
    letter = zegel("outbox", "show", filled["letter"], "--json").json
    assert [each["address"] for each in letter["recipients"]] == ["a@example.net"], "it is not sent to Jan any more"
    assert zegel("outbox", "show", "--message", filled["letter"]).stdout == LETTER, "and to the other one as it was"
    assert set(found(zegel)) == {filled["letter"]}
    assert "quarantine.drop" in zegel("audit", "--json").text
    with Spool.open(data) as spool, spool.writing() as tx:
        transit.settle(tx, [(2, [Outcome(0, State.DELIVERED, "250 2.0.0")])], now=9)
    again = zegel("message", "erase", JAN, "--yes")
    assert (again.status, again.errors) == (0, "")
    assert traces(data, "jan.peeters") == []
    assert Depot(data).all() == []
    assert zegel("outbox", "show", filled["without"]).status == 0


def test_a_field_however_badly_it_is_written_names_its_people(zegel: Run, data: Path) -> None:
    zegel("init")
    many = ", ".join(f"p{number}@example.org" for number in range(400))
    people = f'From: a@b@klant.example\r\nReply-To: "x, y" <{JAN}\r\nTo: {many}, (jan) JAN.PEETERS@klant.example\r\n'
    with Spool.open(data) as spool, spool.writing() as tx:
        transit.add(tx, [(1, Posting("", ("info@example.be",), f"{people}\r\nx\r\n".encode(), "portal"))], now=5, direct=False)
    (line,) = found(zegel).values()
    assert [(part["role"]) for part in line["you"]] == ["author", "named"]
    assert sum(other == {"role": "named", "domain": "example.org"} for other in line["others"]) == 400


def leave(folder: DropFolder, recipients: list[str], message: bytes) -> str:
    """As zegel-sendmail leaves a message; the name of its file."""
    handed, prepared = sendmail.prepared(sendmail.Asked(["-f", "noreply@example.be", *recipients]), message)
    drop.leave(str(folder.path), handed.id, handed.head(), prepared)
    return f"new.{handed.id}"


@pytest.fixture
def left(zegel: Run, data: Path, tmp_path: Path) -> dict[str, str]:
    """In the drop folder Jan as the visitor of a form, as one of two recipients, and a message without Jan; a form that was refused."""
    assert zegel("init").status == 0
    folder = DropFolder(tmp_path / "drop", data / ASIDE)
    (data / "zegel.toml").write_text(f'[handover]\ndrop_folder = "{folder.path}"\n')
    with Store.open(data) as store, store.writing() as tx:
        organisations.add(tx, "other", now=1)
        domains.add(tx, Domain.parse("example.be"), now=1)
        user = pwd.getpwuid(os.geteuid()).pw_name
        sites.add(tx, "portal", address="noreply@example.be", contact="it@example.be", now=1, unix_user=user)
    folder.prepare()
    refused = leave(folder, ["info@example.be"], FORM)
    folder.set_aside(folder.take(refused))
    return {
        "refused": f"{refused.removeprefix('new.')}.eml",
        "form": leave(folder, ["info@example.be"], FORM),
        "letter": leave(folder, ["a@example.net", JAN], LETTER),
        "without": leave(folder, ["info@example.be"], FORM.replace(b"Jan", b"An").replace(b"jan", b"an")),
    }


def test_what_programs_left_while_no_daemon_ran_is_in_the_copy(zegel: Run, left: dict[str, str]) -> None:
    copy = found(zegel, "--texts")
    assert set(copy) == {left[name] for name in ("refused", "form", "letter")}
    form, letter, refused = (copy[left[name]] for name in ("form", "letter", "refused"))
    assert (form["in"], form["site"], form["undelivered"]) == ("drop_folder", "portal", True)
    assert (refused["in"], refused["site"], refused["undelivered"]) == ("refused", "", False)
    assert {"role": "recipient", "address": JAN, "state": "waiting"} in letter["you"]
    assert all(base64.b64decode(each["message"]).endswith(FORM.partition(b"\r\n\r\n")[2]) for each in (form, refused))
    assert set(found(zegel, "--organisation", "default")) == {left["form"], left["letter"]}
    assert found(zegel, "--organisation", "other") == {}


def test_what_programs_left_is_erased_and_what_others_wait_for_is_told(
    zegel: Run, data: Path, tmp_path: Path, left: dict[str, str]
) -> None:
    there = tmp_path / "drop"
    letter = (there / left["letter"]).read_bytes()
    ended = zegel("message", "erase", JAN, "--yes")
    assert ended.status == 1
    assert "of 3 messages in the outbox, the drop folder and quarantine, 1 are erased" in " ".join(ended.text.split())
    assert set(found(zegel)) == {left["form"], left["letter"]}, "a promise that was made is kept"
    ended = zegel("message", "erase", JAN, "--undelivered", "--yes")
    assert ended.status == 1
    assert f"cat {there / left['letter']}" in ended.text
    assert "Start it first." in ended.text
    assert set(found(zegel)) == {left["letter"]}
    assert (there / left["letter"]).read_bytes() == letter, "what is another user's is not written in"
    assert (there / left["without"]).exists()
    assert [path.name for path in there.iterdir() if b"jan.peeters" in path.read_bytes().lower()] == [left["letter"]]
    assert traces(data / ASIDE, "jan.peeters") == []
    changes = [change for change in zegel("audit", "--json").text.splitlines() if "handover.drop" in change]
    assert len(changes) == 2
    assert "jan" not in "".join(changes)


def test_nothing_but_a_message_is_looked_at_in_the_drop_folder(zegel: Run, data: Path, tmp_path: Path, left: dict[str, str]) -> None:
    there, secret = tmp_path / "drop", tmp_path / "secret"
    secret.write_bytes((there / left["form"]).read_bytes())
    (there / f"new.{'a' * 32}").symlink_to(secret)
    os.mkfifo(there / f"new.{'b' * 32}")
    (there / f"new.{'c' * 32}").mkdir()
    (there / f"new.{'d' * 32}").write_bytes(FORM)
    (there / f"new.{'e' * 32}").write_bytes(secret.read_bytes())  # the name of another one
    (data / ASIDE / "unix.eml").write_bytes(FORM.replace(b"\r\n", b"\n"))
    assert set(found(zegel)) == {"unix.eml", *(left[name] for name in ("refused", "form", "letter"))}
    assert zegel("message", "erase", JAN, "--undelivered", "--yes").status == 1
    assert secret.exists()
    assert len([path for path in there.iterdir() if path.name.startswith("new.")]) == 7


def test_what_the_daemon_takes_meanwhile_is_not_said_to_be_erased(zegel: Run, data: Path, tmp_path: Path, left: dict[str, str]) -> None:
    here = Place(data)
    with Store.open(data) as store:
        known = addresses(here, store)
        with Mail(here, store, known, known.key(JAN), None) as mail:
            before = list(mail.all())
            (tmp_path / "drop" / left["form"]).unlink()
            stays = mail.erase(before, undelivered=True)
    assert {held.name for held in stays} == {left["form"], left["letter"]}


def test_without_a_drop_folder_there_is_nothing_in_it(zegel: Run, data: Path, tmp_path: Path, left: dict[str, str]) -> None:
    (data / "zegel.toml").write_text(f'[handover]\ndrop_folder = "{tmp_path}/nowhere"\n')
    assert set(found(zegel)) == {left["refused"]}
    (data / "zegel.toml").write_text("")
    assert set(found(zegel)) == {left["refused"]}
