"""Everybody signs, everybody verifies: what was seen, and what is expected of it.

Each message of each shape is signed by each peer, with each set of keys and in each form, and is judged by all of them. Everything is
expected to pass, but for the limits listed here. A limit is asserted like everything else: where it holds, just that must be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

from support.knot import knot
from support.peers import answers, case
from support.peers.dkimpy import Dkimpy
from support.peers.maildkim import MailDkim
from support.peers.opendkim import OpenDkim
from support.peers.ours import Zegel
from support.peers.rspamd import Rspamd
from support.proof import tags

T = TypeVar("T")
OURS = Zegel.name
PEERS = {peer.name: peer for peer in (Zegel, OpenDkim, MailDkim, Rspamd, Dkimpy)}
UNSIGNED, UNJUDGED = "not signed", "no result"
ALTERED_FORMS = ("relaxed/relaxed", "simple/simple")


class Peer(Protocol):
    """A program that signs and verifies."""

    name: str
    package: str

    def sign(self, message: bytes, signer: case.Signer, form: str) -> bytes:
        """The message with its signatures, or :class:`~support.peers.answers.Refused`."""

    def verify(self, message: bytes) -> answers.Answers:
        """What it says of each signature."""

    def close(self) -> None:
        """End what runs."""


@dataclass(frozen=True)
class Letter:
    """One message of the matrix: who signs, with which keys, in which form, and its shape."""

    by: str
    keys: str
    form: str
    shape: str

    @property
    def signer(self) -> case.Signer:
        """The domain that it comes from."""
        return next(signer for signer in case.signers() if signer.name == self.keys)


@dataclass(frozen=True)
class Limit:
    """Something that a peer cannot do: where it holds, for which signature ("" for the whole message), what is seen there, and why."""

    holds: Callable[[Letter, str], bool]
    selector: str
    seen: str
    words: str


LIMITS = (
    Limit(
        lambda letter, verifier: letter.by == Rspamd.name and letter.form != "relaxed/relaxed", "", UNSIGNED,
        "rspamd signs with `relaxed/relaxed` only, and has no setting for another form. It verifies all of them.",
    ),
    Limit(
        lambda letter, verifier: verifier == MailDkim.name, "ed25519", "permerror",
        "This release of Mail::DKIM does not verify Ed25519 and calls such a signature invalid. A message that is signed with both keys "
        "passes there by its RSA signature.",
    ),
    Limit(
        lambda letter, verifier: letter.by == OpenDkim.name and letter.form.startswith("simple/") and verifier != MailDkim.name,
        "ed25519", "fail",
        "OpenDKIM folds the line in front of `b=` after it has signed the field without that fold, when the signature is as short as "
        "one of Ed25519. With the form `simple` for the header nobody can verify it, OpenDKIM itself neither. With `relaxed` all is well.",
    ),
    Limit(
        lambda letter, verifier: letter.by == MailDkim.name and letter.keys != "RSA-2048", "", UNSIGNED,
        "This release of Mail::DKIM does not sign with Ed25519. It says: unsupported algorithm ed25519-sha256.",
    ),
)  # fmt: skip


def expected(letter: Letter, verifier: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """What is to be seen for each signature, and the numbers of the limits that make it so."""
    seen = dict.fromkeys(letter.signer.selectors, "pass")
    numbers = []
    for number, limit in enumerate(LIMITS, 1):
        if limit.holds(letter, verifier) and not limit.selector:
            return (limit.seen,), (number,)
        if limit.holds(letter, verifier) and limit.selector in seen:
            seen[limit.selector] = limit.seen
            numbers.append(number)
    return tuple(seen.values()), tuple(numbers)


def letters(by: str, keys: str) -> Iterator[Letter]:
    """Every message that one peer signs with one set of keys."""
    return (Letter(by, keys, form, shape) for form, shape in product(case.FORMS, case.SHAPES))


class Run:
    """The peers and their name server, each started when it is asked for; what was seen is kept, so that every test and the page agree."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._peers: dict[str, Peer] = {}
        self._signed: dict[Letter, bytes | None] = {}
        self._seen: dict[tuple[Letter, str], tuple[str, ...]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def enter(self, manager: AbstractContextManager[T]) -> T:
        """Start something that ends with this run."""
        return self._stack.enter_context(manager)

    def folder(self, name: str) -> Path:
        """A folder for one of them."""
        path = self._folder / name
        path.mkdir(exist_ok=True)
        return path

    @cached_property
    def nameserver(self) -> str:
        """The address and port of the name server that has the keys."""
        return self.enter(knot(self.folder("knot"), {case.PARENT: case.zone_text()}))

    def peer(self, name: str) -> Peer:
        """That peer, running."""
        if name not in self._peers:
            made = PEERS[name](self.folder(name.replace(":", "")), self.nameserver)
            self._stack.callback(made.close)
            self._peers[name] = made
        return self._peers[name]

    def signed(self, letter: Letter) -> bytes | None:
        """The signed message; None when the peer does not sign like this."""
        if letter not in self._signed:
            try:
                message = self.peer(letter.by).sign(case.message(letter.shape, letter.signer), letter.signer, letter.form)
            except answers.Refused:
                message = b""
            asked = [(letter.signer.domain, key.selector, key.algorithm, letter.form) for key in letter.signer.keys]
            made = [(tag["d"], tag["s"], tag["a"], tag.get("c", "simple/simple")) for tag in tags(message)]
            self._signed[letter] = message if made == asked else None
        return self._signed[letter]

    def seen(self, letter: Letter, verifier: str) -> tuple[str, ...]:
        """What one peer says of each signature of a message of another."""
        if (letter, verifier) not in self._seen:
            message = self.signed(letter)
            self._seen[letter, verifier] = self.judged(message, letter, verifier) if message else (UNSIGNED,)
        return self._seen[letter, verifier]

    def judged(self, message: bytes, letter: Letter, verifier: str) -> tuple[str, ...]:
        """What one peer says of each signature of this message; two words for a signature with two results."""
        said = self.peer(verifier).verify(message)
        assert not said.keys() - {*letter.signer.selectors, ""}, said
        return tuple(" ".join(said.get(selector, [UNJUDGED])) for selector in letter.signer.selectors)

    def altered(self, by: str, verifier: str, keys: str) -> dict[tuple[str, str], tuple[str, ...]]:
        """For each form and change, what is said of a plain message that was changed on the way: of each signature that passed before."""
        said = {}
        for form, (name, change) in product(ALTERED_FORMS, {**case.CHANGES, **case.ADDED}.items()):
            letter = Letter(by, keys, form, case.PLAIN)
            before, message = self.seen(letter, verifier), self.signed(letter)
            if message and "pass" in before:
                changed = change(message)
                assert changed != message
                after = self.judged(changed, letter, verifier)
                said[form, name] = tuple(word for word, first in zip(after, before, strict=True) if first == "pass")
        return said
