"""What a look means for each record, and files of zones: each is written whole, and has what it holds alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import zegel
from zegel.adapters.nameservers import Offline
from zegel.ask import Rcode
from zegel.config.publishing import Zone
from zegel.grammar.domain import Domain
from zegel.rollout.publish import Change, Done, Publisher, told, write_file, zone_file
from zegel.rollout.records import Record, txt
from zegel.rollout.visibility import Outcome
from zegel.rollout.wanted import Holdings, Purpose, Wanted, wanted
from zegel.store.plans import Plan
from zegel.words import SpokenError

from .test_readback import DMARC, NAME, RIGHT, Servers

FORMER, FOREIGN = "v=DMARC1; p=none", "v=DMARC1; p=none; rua=mailto:x@example.com"
OLD, OTHER, BESIDE = (FORMER.encode(),), (FOREIGN.encode(),), (b"google=1",)
WISH = Wanted(txt(NAME, DMARC), Purpose.DMARC, (FORMER,))
HELD = Zone(name="example.be", way="file", file="/nowhere")


def test_a_record_stands_in_the_file_of_the_zone_that_holds_it(tmp_path: Path) -> None:
    """RFC 1034 4.3.2: what lies below the cut of another zone is not data of the zone above."""
    zones = [Zone(name=name, way="file", file=str(tmp_path / name)) for name in ("agency.be", "dkim.agency.be")]
    everything = [txt("agency.be", "one"), txt("z1.customer.dkim.agency.be", "two"), txt("myagency.be", "three")]
    of = Holdings(Domain("agency.be"), Plan(parked=True))
    publisher = Publisher(Offline(zegel.Zone.from_dict({})), zones)

    async def publish() -> None:
        changes = await publisher.survey([*wanted(of), *wanted(Holdings(Domain("dkim.agency.be"), Plan(parked=True)))])
        assert [done.error for done in await publisher.apply(changes, lambda: everything)] == [None, None]

    asyncio.run(publish())
    above, below = ((tmp_path / zone.name).read_text().splitlines()[1:] for zone in zones)
    assert [line.rpartition(" ")[2] for line in above] == ['"one"']
    assert [line.rpartition(" ")[2] for line in below] == ['"two"']


def survey(*says: tuple[bytes, ...] | str, wish: Wanted | None = WISH, replace: bool = False) -> Change:
    """What is to be done about one record, the servers saying this."""
    publisher = Publisher(Servers(*says), [HELD])
    wishes, others = ([wish], []) if wish else ([], [WISH.record])
    (change,) = asyncio.run(publisher.survey(wishes, others, replace=replace))
    return change


@pytest.mark.parametrize(
    ("says", "add", "remove", "conflicts", "blocked"),
    [
        ([(), ()], True, (), (), False),
        ([RIGHT, RIGHT], False, (), (), False),
        ([(), RIGHT], False, (), (), False),  # one has it: the other lags
        ([RIGHT, "timeout"], False, (), (), True),
        (["timeout", "timeout"], False, (), (), True),
        ([OLD, OLD], True, (FORMER,), (), False),
        ([OLD, RIGHT], False, (FORMER,), (), False),
        ([OTHER, ()], True, (), (FOREIGN,), True),
        ([(*RIGHT, *OTHER), OLD], False, (FORMER,), (FOREIGN,), True),
        ([BESIDE, BESIDE], True, (), (), False),
    ],
)
def test_what_a_look_means(
    says: list[tuple[bytes, ...] | str], add: bool, remove: tuple[str, ...], conflicts: tuple[str, ...], blocked: bool
) -> None:
    change = survey(*says)
    assert (change.add, change.remove, change.conflicts, change.blocked) == (add, remove, conflicts, blocked)
    assert change.needed == (add or bool(remove))
    assert (change.record, change.wish, change.zone, change.way) == (WISH.record, WISH, HELD, "file")
    replaced = survey(*says, replace=True)
    assert (replaced.add, replaced.remove, replaced.conflicts) == (add, (*remove, *conflicts), ())


def test_what_is_not_in_a_zone_of_ours_is_published_by_hand() -> None:
    (change,) = asyncio.run(Publisher(Servers(()), []).survey([WISH]))
    assert (change.zone, change.way) == (None, "hand")
    assert asyncio.run(Publisher(Servers(()), []).apply([change], list)) == []


@pytest.mark.parametrize(
    ("says", "remove"),
    [([RIGHT, RIGHT], (DMARC,)), ([RIGHT, ()], (DMARC,)), ([(), ()], ()), ([OTHER], ()), (["timeout"], ())],
)
def test_what_is_not_wanted_any_more_goes_by_its_exact_text(says: list[tuple[bytes, ...] | str], remove: tuple[str, ...]) -> None:
    change = survey(*says, wish=None)
    assert (change.add, change.remove, change.conflicts, change.wish) == (False, remove, (), None)


def test_a_record_of_another_place_is_no_conflict() -> None:
    """A key's record under the doubled name is no rival of the one that is missing; at the name itself any record is."""
    zone = zegel.Zone.from_dict({("s._domainkey.example.be.example.be", "TXT"): ["v=DKIM1; p=BBBB"]})
    wish = Wanted(txt("s._domainkey.example.be", "v=DKIM1; k=rsa; p=AAAA"), Purpose.DKIM)
    at_place = zegel.Zone.from_dict({("s._domainkey.example.be", "TXT"): ["google=1"]})
    for records, conflicts in ((zone, ()), (at_place, ("google=1",))):
        (change,) = asyncio.run(Publisher(Offline(records), []).survey([wish]))
        assert (change.add, change.remove, change.conflicts) == (True, (), conflicts)


def test_a_foreign_record_is_told_with_its_beginning() -> None:
    assert told(survey(())) is None
    long = (f"v=DMARC1; p=none; rua=mailto:{'x' * 300}@example.com".encode(),)
    sentence = told(survey(long))
    assert sentence is not None
    assert sentence.values["name"] == NAME
    assert sentence.values["text"] == long[0].decode()[:200]


def test_records_are_read_back_with_what_was_taken_away() -> None:
    """A server that still has what was there before the change lags; it has no record of somebody else."""

    def back(*says: tuple[bytes, ...] | str, change: Change) -> tuple[Outcome, str]:
        (found,) = asyncio.run(Publisher(Servers(*says), []).read_back([change]))
        return found.outcome, found.difference

    replaced = survey(OTHER, replace=True)
    assert back(RIGHT, change=replaced) == (Outcome.VISIBLE, "")
    assert back(OTHER, change=replaced) == (Outcome.DIFFERENT, "old_record")
    assert back(OLD, change=replaced) == (Outcome.DIFFERENT, "old_record")
    gone = survey(RIGHT, wish=None)
    assert back((), change=gone) == (Outcome.ABSENT, "")
    assert back(RIGHT, change=gone) == (Outcome.DIFFERENT, "still_there")


def test_a_zone_that_cannot_be_written_is_told_and_the_others_are_written(tmp_path: Path) -> None:
    broken = Zone(name="example.be", way="file", file=str(tmp_path / "missing" / "file"))
    secret = Zone(name="a.example", way="rfc2136", server="127.0.0.1", tsig_name="k", tsig_secret_file=str(tmp_path / "none"))
    good = Zone(name="b.example", way="file", file=str(tmp_path / "good"))
    wishes = [Wanted(txt(f"_dmarc.{zone.name}", DMARC), Purpose.DMARC) for zone in (broken, secret, good)]
    publisher = Publisher(Offline(zegel.Zone.from_dict({})), [broken, secret, good])
    changes = asyncio.run(publisher.survey(wishes))
    records: list[Record] = [wish.record for wish in wishes]
    done = asyncio.run(publisher.apply(changes, lambda: records))
    assert [one.zone for one in done] == [broken, secret, good]
    assert isinstance(done[0].error, FileNotFoundError)
    assert isinstance(done[1].error, SpokenError | OSError)
    assert [one.sent for one in done] == [0, 0, 1]
    assert done[2] == Done(good, sent=1)
    assert asyncio.run(publisher.apply(changes, lambda: records))[2] == Done(good, sent=0)
    assert DMARC in (tmp_path / "good").read_text()
    silent = Publisher(Offline(zegel.Zone.from_dict({("_dmarc.a.example", "TXT"): Rcode.TIMEOUT})), [secret])
    blocked = asyncio.run(silent.survey(wishes[1:2]))
    assert asyncio.run(silent.apply(blocked, list)) == [Done(secret, sent=0)], "nothing is sent of what is not known"


def test_a_zone_file_has_each_record_once_in_order(tmp_path: Path) -> None:
    zone = Zone(name="example.be", way="file", file=str(tmp_path / "file"), ttl=600)
    lines = zone_file(zone, [txt("b.example.be", "two"), txt("a.example.be", "one"), txt("b.example.be", "two")]).splitlines()
    assert lines[0].endswith(f"$INCLUDE {zone.file} example.be.")
    assert [line.split()[1:] for line in lines[1:]] == [["600", "IN", "TXT", '"one"'], ["600", "IN", "TXT", '"two"']]


def test_a_file_is_written_whole_for_all_to_read_or_left(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    assert write_file(path, "one\n")
    assert not write_file(path, "one\n")
    assert write_file(path, "two\n")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("two\n", 0o644)
    with pytest.raises(UnicodeEncodeError):
        write_file(path, "three\ud800\n")
    assert [file.name for file in tmp_path.iterdir()] == ["zone"]
    assert path.read_text() == "two\n"
