"""Configurations of other signers, hostile ones too: what is no configuration is refused in words, and the work has a bound."""

from __future__ import annotations

from collections.abc import Iterator

from support.texts import Texts
from zegel.moving import opendkim, plan, rspamd
from zegel.moving.model import UnreadableError

_SEED = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="  # of Ed25519, in rspamd's form
WORDS = (
    *(b"Include /1\n", b"KeyTable /1\n", b"SigningTable refile:/2\n", b"Domain example.be\n", b"Selector s\n", b"KeyFile /3\n"),
    *(b'.include "/1"\n', b"domain { ", b"selector = ", b"path = ", b"signing_table = ", b"}", b"[", b"<<EOD\n", b"\nEOD\n", b"/*", b"*/"),
    *(b"example.be", b"*.example.be", b"$domain", b"../", b"csl:", b"InternalHosts ", b"0.0.0.0/0", b"!", b"::/0", b"\0", b"%", b"*@"),
    b"-----BEGIN PRIVATE KEY-----\n",
)


def starts() -> Iterator[bytes]:
    """Which reader, then the texts of /0 (where it begins), /1, /2 and /3, with a NUL between."""
    yield b"\x00" + b"\0".join((b"KeyTable /1\nSigningTable refile:/2\n", b"k example.be:s:/3\n", b"*@example.be k\n", _SEED))
    yield b"\x00" + b"\0".join((b"KeyTable /1\nSigningTable /2\nInternalHosts 127.0.0.1,10.0.0.0/8\n", b"k %:s:/k/%\n", b"* k\n", b""))
    yield b"\x00" + b"\0".join((b"Include /1\nDomain example.be\nSelector s\nKeyFile /3\n", b"Include /0\n", b"", _SEED))
    yield b"\x01" + b"\0".join((b'.include "/1"\nselector = "s";\n', b'domain { example.be { path = "/3"; selector = "s"; } }', b"", _SEED))
    yield b"\x01" + b"\0".join((b"signing_table = /2;\nkey_table = /1;\n", b"k example.be:s:/3\n", b"*@example.be k\n", _SEED))


def fuzz(data: bytes) -> None:
    reader = rspamd if data[:1] > b"\x7f" or data[:1] == b"\x01" else opendkim
    files = Texts({f"/{number}": text for number, text in enumerate(data[1:].split(b"\0", 3))} | {"/k/example.be": _SEED})
    try:
        found = reader.read("/0", files)
    except UnreadableError as error:
        assert str(error)
        return
    assert files.readings.total() <= 130
    made = plan.make(found, plan.load(found, files), (), ())
    for remark in found.remarks:
        assert str(remark.sentence)
    for move in made.moves:
        assert move.why is None or str(move.why)
    for signer in found.signers:
        assert signer.senders
