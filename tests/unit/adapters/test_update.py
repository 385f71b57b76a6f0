"""What is said of a primary server that says no, and of a secret that others can read."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from zegel.adapters.exchange import Address
from zegel.adapters.update import Edit, Tsig, UpdateError, read_secret, update

SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
TSIG = Tsig("key", "hmac-sha256", base64.b64decode(SECRET))


def answered(reply: Callable[[bytes], bytes | None]) -> UpdateError:
    """The error of an update at a server that answers so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        answer = reply(await reader.readexactly(length))
        if answer is not None:
            writer.write(struct.pack("!H", len(answer)) + answer)
            await writer.drain()
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            await update(Address("127.0.0.1", port), "example.test", TSIG, [Edit("a.example.test", "TXT", ("x",))], ttl=300)

    with pytest.raises(UpdateError) as caught:
        asyncio.run(run())
    assert SECRET not in str(caught.value)
    return caught.value


def says(rcode: int) -> Callable[[bytes], bytes]:
    """A reply of a header alone, without a signature."""
    return lambda packet: packet[:2] + bytes((packet[2] | 0x80, rcode)) + bytes(8)


@pytest.mark.parametrize(
    ("rcode", "id_"),
    [
        (0, "unsigned"),  # RFC 8945 5.3: an answer to a signed request is signed
        (1, "failed"),
        (2, "failed"),
        (3, "changed"),
        (4, "not_implemented"),
        (5, "refused"),
        (6, "changed"),
        (7, "changed"),
        (8, "changed"),
        (9, "not_zone"),
        (10, "not_zone"),
    ],
)
def test_a_server_that_says_no(rcode: int, id_: str) -> None:
    """RFC 2136 2.2."""
    assert answered(says(rcode)).id == id_


def test_a_server_that_says_nothing_of_use() -> None:
    assert answered(lambda _packet: None).id == "unreachable"
    assert answered(lambda _packet: b"\0" * 5).id == "malformed"
    assert answered(lambda packet: b"\xff\xff" + says(0)(packet)[2:]).id == "malformed"


def test_the_secret_of_a_key_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    for text in (SECRET, f'key "key" {{ algorithm hmac-sha256; secret "{SECRET}"; }};', f"key:\n  - id: key\n    secret: {SECRET}\n"):
        file.write_text(text)
        file.chmod(0o600)
        found = read_secret(file, "key", "hmac-sha256")
        assert found == TSIG
        assert SECRET not in repr(found)


@pytest.mark.parametrize(("mode", "text"), [(0o644, SECRET), (0o660, SECRET), (0o604, SECRET), (0o600, "no base64!"), (0o600, "")])
def test_a_secret_that_is_none_or_not_secret(tmp_path: Path, mode: int, text: str) -> None:
    file = tmp_path / "secret"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(UpdateError) as caught:
        read_secret(file, "key", "hmac-sha256")
    assert caught.value.id == "secret_file"
    assert not text or text not in str(caught.value)


def test_a_group_may_read_it(tmp_path: Path) -> None:
    """A file of root's for the group of the daemon: 0640."""
    file = tmp_path / "secret"
    file.write_text(SECRET)
    file.chmod(0o640)
    assert read_secret(file, "key", "hmac-sha256") == TSIG
