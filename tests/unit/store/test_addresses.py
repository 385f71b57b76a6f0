"""Addresses as they are kept: one hash for one mailbox, no clear text where there must be none, every one in a story accounted for."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zegel.store.addresses import Addresses, domain_prefix
from zegel.store.vault import Vault

VAULT = Vault(b"m" * 32)
CLEAR, HASHED = Addresses(VAULT, hashed=False), Addresses(VAULT, hashed=True)
JAN = CLEAR.key("jan@example.be")


@pytest.mark.parametrize("same", ["JAN@Example.BE", "jan@example.be.", '"jan"@example.be', "Jan@EXAMPLE.be"])
def test_one_mailbox_has_one_hash(same: str) -> None:
    assert CLEAR.key(same) == HASHED.key(same) == JAN
    # RFC 6532 3.1: the composed and the decomposed letter are one.
    assert CLEAR.key("jörg@münchen.example") == CLEAR.key("jo\u0308rg@xn--mnchen-3ya.example")


@pytest.mark.parametrize("other", ["jan@example.com", "jan+x@example.be", "jan", "@example.be", "jan@sub.example.be", "jan @example.be"])
def test_two_mailboxes_have_two(other: str) -> None:
    assert CLEAR.key(other) != JAN
    # The case of letters beyond ASCII may tell two mailboxes apart.
    assert CLEAR.key("Émile@example.be") != CLEAR.key("émile@example.be")


def test_the_hash_hangs_on_the_master_key_and_tells_the_domain_only() -> None:
    other = Addresses(Vault(b"n" * 32), hashed=True).key("jan@example.be")
    assert other != JAN
    assert len(JAN) == 16
    assert other[:4] == JAN[:4] == domain_prefix("example.be") != domain_prefix("example.com")
    assert not VAULT.fingerprint.startswith(JAN.hex()[:8])


def test_hashed_keeps_no_address() -> None:
    assert HASHED.person("Jan@example.be") == (JAN, None, "example.be")
    assert CLEAR.person("Jan@Example.be") == (JAN, "Jan@example.be", "example.be")


@pytest.mark.parametrize(
    "odd", ["", "@", "a@", "x" * 5000, "a@" + "b" * 5000, "a\udcff@b", "a@\udcff", "a\0@b.example", "a@[192.0.2.1]", "a@b@c"]
)
def test_what_is_no_address_is_kept_within_bounds(odd: str) -> None:
    key, address, domain = CLEAR.person(odd)
    assert len(key) == 16
    assert address is not None
    assert len(address) <= 320
    assert len(domain) <= 253
    f"{address}{domain}".encode()
    assert (address + domain).isprintable()


STORIES = {
    '[{"from":"Jan <jan@example.be>"}]': ["jan@example.be"],
    '[{"a":"x\\njan@example.be\\u00e9"}]': ["jan@example.be"],
    '[{"a":"x\\u000ajan@example.be"}]': ["jan@example.be"],
    '[{"a":"x\\\\jan@example.be"}]': ["jan@example.be"],
    '[{"a":"\\"jan x\\"@example.be"}]': ['"jan x"@example.be'],
    '[{"a":"\\"jan \\\\\\" x\\"@example.be"}]': ['"jan \\" x"@example.be'],
    '[{"a":"jan@[192.0.2.1]"}]': ["jan@[192.0.2.1]"],
    '[{"a":"x@jan@example.be"}]': ["x@jan", "jan@example.be"],
    '[{"jan@example.be":["@","a@","@b"]}]': ["jan@example.be"],
    '[{"a":"jan@example.be,els@example.be;piet@example.be"}]': ["jan@example.be", "els@example.be", "piet@example.be"],
}


@pytest.mark.parametrize(("text", "people"), STORIES.items())
def test_every_address_of_a_story_is_found(text: str, people: list[str]) -> None:
    kept, found = CLEAR.in_story(text)
    assert kept == text
    assert {person.key for person in found} == {CLEAR.key(address) for address in people}
    hashed, _ = HASHED.in_story(text)
    assert hashed is not None
    json.loads(hashed)
    for address in people:
        assert address.rpartition("@")[0] + "@" not in hashed.replace("\\", "")
        assert HASHED.key(address).hex() in hashed


def test_too_many_addresses_and_there_is_no_story() -> None:
    assert CLEAR.in_story("[" + ",".join(f'"a{n}@b"' for n in range(200)) + "]").text is not None
    assert CLEAR.in_story("[" + ",".join(f'"a{n}@b"' for n in range(201)) + "]").text is None
    assert CLEAR.in_story('["\\"' + '\\\\\\"' * 100 + '\\"@b"]').text is None


def test_a_story_for_one_person_withholds_the_others() -> None:
    text = '[{"from":"jan@example.be","to":"Els@klant.example"}]'
    assert json.loads(CLEAR.withheld(text, JAN)) == [{"from": "jan@example.be", "to": "(withheld)@klant.example"}]
    hashed = HASHED.in_story(text).text
    assert hashed is not None
    assert json.loads(HASHED.withheld(hashed, JAN)) == [{"from": f"#{JAN.hex()}@example.be", "to": "(withheld)@klant.example"}]


WORDS = st.text(st.sampled_from('ab@."\\<> \n\x00é,'), max_size=40)


@given(st.lists(st.dictionaries(WORDS, WORDS, max_size=3), max_size=4))
@example([{'"': '"@.'}])
def test_the_text_stays_json_whatever_stands_in_it(story: list[dict[str, str]]) -> None:
    text = json.dumps(story, ensure_ascii=False)
    kept = CLEAR.in_story(text).text
    assert kept is None or kept == text
    for changed in (HASHED.in_story(text).text, CLEAR.withheld(text, JAN)):
        assert changed is None or isinstance(json.loads(changed), list)


def test_twice_the_text_is_twice_the_work() -> None:
    """Counted in characters looked at: a text that counts what is taken of it."""

    class Counting(str):
        looked = 0

        def __getitem__(self, index: object) -> str:
            type(self).looked += 1
            return super().__getitem__(index)  # type: ignore[index]

    def work(text: str) -> int:
        Counting.looked = 0
        CLEAR.in_story(Counting(text))
        return Counting.looked

    for piece in ("a@", "a" * 40 + "@b ", '\\"@', "\\\\a@", '\\"a\\\\\\"@b', "@"):
        # Under the bound on addresses, and mostly made of what is looked at for nothing.
        few, many = work(piece * 60), work(piece * 120)
        assert many <= 2.5 * few + 50, piece
    assert work("a" * 4000 + "@") <= 2.5 * work("a" * 2000 + "@")
