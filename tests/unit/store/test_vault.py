"""Sealing: what opens, what does not, and what the bytes look like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zegel.store.errors import StoreError
from zegel.store.vault import Vault, _derive

MASTER = bytes(range(32))
ROW = ("private key", "1", "example.be", "z1", "rsa2048")


@given(st.binary(max_size=5000), st.lists(st.text(max_size=20), max_size=6).map(tuple))
def test_what_is_sealed_opens_with_the_same_binding(secret: bytes, binding: tuple[str, ...]) -> None:
    assert Vault(MASTER).open(Vault(MASTER).seal(secret, binding), binding) == secret


@pytest.mark.parametrize("place", range(5))
def test_each_word_of_the_binding_counts(place: int) -> None:
    vault = Vault(MASTER)
    sealed = vault.seal(b"secret", ROW)
    other = (*ROW[:place], ROW[place] + "x", *ROW[place + 1 :])
    with pytest.raises(ValueError, match="another row"):
        vault.open(sealed, other)


def test_words_of_the_binding_do_not_run_together() -> None:
    vault = Vault(MASTER)
    with pytest.raises(ValueError, match="another row"):
        vault.open(vault.seal(b"secret", ("ab", "c")), ("a", "bc"))
    with pytest.raises(ValueError, match="another row"):
        vault.open(vault.seal(b"secret", ("ab",)), ("ab", ""))


def test_another_master_key_opens_nothing() -> None:
    sealed = Vault(MASTER).seal(b"secret", ROW)
    with pytest.raises(ValueError, match="another key"):
        Vault(bytes(32)).open(sealed, ROW)


def test_every_bit_counts() -> None:
    vault = Vault(MASTER)
    sealed = vault.seal(b"secret", ROW)
    for position in range(len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 1
        with pytest.raises(ValueError):
            vault.open(bytes(altered), ROW)


@pytest.mark.parametrize("length", [0, 1, 13, 28])
def test_a_short_string_is_refused(length: int) -> None:
    vault = Vault(MASTER)
    with pytest.raises(ValueError):
        vault.open(vault.seal(b"", ROW)[:length], ROW)


def test_the_first_block_of_hkdf_expand() -> None:
    """RFC 5869 2.3, by the first block of the test case that the RFC prints in its appendix A.1."""
    pseudorandom = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    block = bytes.fromhex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")
    assert _derive(pseudorandom, bytes(range(0xF0, 0xFA))) == block


def test_no_two_sealings_are_alike_and_none_shows_the_secret() -> None:
    """RFC 6376 8.3: who reads the disk or a backup has no private key."""
    vault = Vault(MASTER)
    sealed = {vault.seal(b"BEGIN PRIVATE KEY", ROW) for _ in range(100)}
    assert len({one[1:13] for one in sealed}) == 100
    assert not any(b"PRIVATE" in one for one in sealed)


def test_the_proof_knows_its_master_key() -> None:
    proof = Vault(MASTER).prove()
    assert Vault(MASTER).proves(proof)
    assert not Vault(bytes(32)).proves(proof)
    assert not Vault(MASTER).proves(proof[:-1])
    assert not Vault(MASTER).proves(Vault(MASTER).seal(b"something else", ("proof",)))


def test_the_fingerprint_tells_keys_apart_and_shows_none() -> None:
    assert Vault(MASTER).fingerprint != Vault(bytes(32)).fingerprint
    assert MASTER.hex()[:8] not in Vault(MASTER).fingerprint
    assert repr(Vault(MASTER)) == f"<Vault {Vault(MASTER).fingerprint}>"


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_master_key_has_32_bytes(length: int) -> None:
    with pytest.raises(StoreError, match="exactly 32"):
        Vault(bytes(length))
