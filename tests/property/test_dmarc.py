"""Properties of the DMARC rooms: text is stable; no walk asks more than eight names; nothing that is sent or published raises."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

import zegel
from zegel.ask import Answer, Question, Rcode, rehearse
from zegel.dmarc.discover import Lookups, walk
from zegel.dmarc.record import Alignment, Policy, PolicyRecord, Psd, ReportUri, format_record, is_record, parse
from zegel.grammar.domain import Domain

labels = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,6}[a-z0-9_])?", fullmatch=True)
domains = st.lists(labels, min_size=1, max_size=14).map(".".join).map(Domain.parse)
policies = st.sampled_from([None, *Policy])
addresses = st.from_regex(r"[A-Za-z0-9!%,;&'*+/=?^_`{|}~.-]{1,12}@[a-z]{1,5}\.example", fullmatch=True)
uris = st.lists(addresses.map(ReportUri.mailto), max_size=3).map(tuple)
options = st.permutations(["0", "d", "s"]).flatmap(lambda items: st.integers(1, 3).map(lambda length: tuple(items[:length])))
records = st.builds(
    PolicyRecord,
    p=policies,
    sp=policies,
    np=policies,
    adkim=st.sampled_from(Alignment),
    aspf=st.sampled_from(Alignment),
    psd=st.sampled_from(Psd),
    testing=st.booleans(),
    fo=options,
    rua=uris,
    ruf=uris,
).map(lambda record: PolicyRecord(**{**_fields(record), "invalid": frozenset() if record.p else frozenset("p")}))
PARTS = [
    "v=DMARC1",
    "p=reject",
    "p=none",
    "sp=x",
    "np=none",
    "psd=y",
    "psd=n",
    "t=y",
    "adkim=s",
    "rua=mailto:a@b!1m,x",
    "fo=1:d",
    "pct=0",
    "=",
    "",
]
texts = st.lists(st.sampled_from(PARTS), max_size=6).map(lambda parts: "; ".join(["v=DMARC1", *parts]).encode())
answers = st.one_of(
    st.sampled_from([Answer(rcode) for rcode in Rcode]),
    st.lists(st.one_of(texts, st.binary(max_size=30)), min_size=1, max_size=2).map(lambda texts: Answer(Rcode.NOERROR, tuple(texts))),
)


def _fields(record: PolicyRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in PolicyRecord.__dataclass_fields__}


@given(records)
def test_a_record_written_and_read_is_the_same(record: PolicyRecord) -> None:
    text = format_record(record)
    assert parse(text.encode()) == record
    assert record.p is None or text.startswith(f"v=DMARC1; p={record.p}")


@given(st.one_of(texts, st.binary(max_size=200), st.binary(max_size=60).map(b"v=DMARC1;".__add__)))
@example(b"v=DMARC1")
def test_what_is_read_can_be_written(text: bytes) -> None:
    record = parse(text)
    assert (record is not None) is is_record(text)
    if record is not None:
        written = parse(format_record(record).encode())
        assert written is not None
        # What is not valid is not written; all that is, comes back.
        assert {**_fields(written), "invalid": 0, "historic": 0, "text": 0, "notes": 0} == {
            **_fields(record),
            "invalid": 0,
            "historic": 0,
            "text": 0,
            "notes": 0,
        }
        assert len(record.notes) <= 20
        assert not {"pct", "rf", "ri"} & {part.split("=")[0].strip() for part in format_record(record).split(";")}


class World:
    """A DNS that gives any answer, the same for the same name, and counts."""

    def __init__(self, data: st.DataObject) -> None:
        self.data, self.known, self.asked = data, dict[Question, Answer](), list[Question]()

    def answer(self, question: Question) -> Answer:
        self.asked.append(question)
        if question not in self.known:
            self.known[question] = self.data.draw(answers, label=question.name)
        return self.known[question]


def naive(start: Domain, world: World) -> str | None:
    """The Organizational Domain, written from RFC 9989 4.10 and 4.10.2 on whole lists of labels."""
    names = start.split(".")
    targets = [names]
    while len(targets[-1]) > 1:
        targets.append(targets[-1][1:] if len(targets[-1]) < 8 else targets[-1][-7:])
    found: list[tuple[list[str], PolicyRecord]] = []
    for target in targets:
        answer = world.answer(Question("_dmarc." + ".".join(target), zegel.RRType.TXT))
        if answer.temporary:
            return None
        read = [record for record in map(parse, answer.records) if record is not None]  # type: ignore[arg-type]
        if len(read) == 1:
            found.append((target, read[0]))
            if read[0].psd != "u":
                break
    for target, record in found:
        if record.psd == "n":
            return ".".join(target)
        if record.psd == "y" and target != names:
            return ".".join(names[-len(target) - 1 :])
    return ".".join(found[-1][0] if found else names)


@given(domains, st.data())
def test_a_walk(start: Domain, data: st.DataObject) -> None:
    world = World(data)
    found = rehearse(walk(Lookups(), start), world.answer)
    assert len(world.asked) <= 8
    assert len(set(world.asked)) == len(world.asked)
    asked = list(world.asked)
    world.asked.clear()
    assert found.organizational_domain == naive(start, world)
    assert world.asked == asked
    if found.organizational_domain is not None:
        assert start.within(found.organizational_domain), "what the shorter ways of alignment stand on"


words = st.sampled_from(["pass", "pass", "pass", "fail", "temperror", "none"])


@settings(max_examples=200)
@given(domains, st.integers(0, 3), st.lists(st.tuples(words, domains, st.booleans()), max_size=4), st.data())
def test_the_verdict_is_that_of_walks_without_short_cuts(
    author: Domain, up: int, identifiers: list[tuple[str, Domain, bool]], data: st.DataObject
) -> None:
    """Every short cut of alignment ends where a walk for each domain would: pass and fail are those of the whole comparison."""
    above = (author, *author.parents)[min(up, len(author.parents))]
    pairs = [(word, f"{name}.{above}" if near and len(name) + len(above) < 250 else str(name)) for word, name, near in identifiers]
    world = World(data)
    result = zegel.check_dmarc(author, dkim=pairs, resolver=_offline(world))
    assert len(set(result.questions)) == len(result.questions)
    organization = naive(author, world)
    for (word, name), aligned in zip(pairs, result.aligned_dkim, strict=True):
        if result.record is None or word != "pass":
            assert not aligned
        elif result.record.adkim is Alignment.STRICT:
            assert aligned is (result.policy_domain is not None and name == author and result.reason.id != "no_policy")
        elif name != author and organization is not None and naive(Domain(name), world) is not None and result.reason.id != "no_policy":
            assert aligned is (naive(Domain(name), world) == organization)
    assert (result.status == "pass") is any(result.aligned_dkim)


def _offline(world: World) -> zegel.Zone:
    class Offline(zegel.Zone):
        def answer(self, question: Question) -> Answer:
            return world.answer(question)

    return Offline({})


@given(st.text(max_size=40), st.lists(st.tuples(st.text(max_size=8), st.text(max_size=40)), max_size=3), st.data())
@example("\u2024", [("pass", "\ud800")], None)
def test_nothing_that_is_sent_raises(author: str, pairs: list[tuple[str, str]], data: st.DataObject | None) -> None:
    resolver = zegel.Zone.from_dict({}) if data is None else _offline(World(data))
    result = zegel.check_dmarc(author, spf=pairs[0] if pairs else None, dkim=pairs, resolver=resolver, psl=True)
    assert result.status in list(zegel.DmarcStatus)
    assert len(result.aligned_dkim) == len(pairs)
    assert result.explanation
    assert isinstance(result.differences, tuple)
