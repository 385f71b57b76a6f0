"""dkimpy's test data: signed messages, and key records good and bad for its key pairs."""

from __future__ import annotations

import re

import pytest

import zegel
from support import cases

FOLDER = cases.suite("dkim/dkimpy")
NOW = 1_600_000_000
PEM_LINES = re.compile(r"-----.*?-----|\s")

# The messages that carry a signature and whose key is beside them (Gmail's is in the MimeKit suite).
EXPECTED = {
    "ed25519test2.msg": "pass",
    "rfc6376.signed.msg": "pass pass",
    "rfc6376.signed.rsa.msg": "pass",
    "rfc6376.signed.no_t.msg": "fail:signature_mismatch",  # the same b= over another t= and x=
    "test.message.baddomain": "permerror:domain_syntax",
    "test2.message": "pass",
}
EXCEPTIONS: dict[str, str] = {}
# A record for the key of test.private, and what verifying with it gives.
RECORDS = {
    "test.txt": "pass",
    "test2.txt": "pass",
    "test_bad.txt": "permerror:key_syntax",
    "badversion.txt": "permerror:key_syntax",
    "badk.txt": "permerror:key_other_type",
    "test_tlsrpt.txt": "permerror:key_other_service",
}
KEYS = {
    "1024_testkey.key": ("1024_testkey_wo_markers.pub.txt", "1024_testkey_wo_markers.pub.rsa.txt"),
    "2048_testkey.key": ("2048_testkey_wo_markers.pub.txt", "2048_testkey_wo_markers.pub.rsa.txt"),
    "2048_testkey_PKCS8.key": ("2048_testkey_PKCS8.key.pub.txt",),
    "ed25519test.key": ("ed25519test.dns",),
}
MESSAGES = ["test.message", "rfc6376.msg", "rfc6376.w1258.msg", "test_extra.message", "ed25519test.msg"]


def text(name: str) -> str:
    return (FOLDER / name).read_text("ascii").strip()


def sign_and_judge(message: bytes, key: zegel.Key, record: str) -> str:
    zone = cases.txt_zone({key.name: record})
    return cases.words(zegel.verify(zegel.sign(message, key, now=NOW) + message, resolver=zone, now=NOW))


@pytest.mark.parametrize("name", EXPECTED)
def test_message(name: str) -> None:
    records = {
        **cases.RFC_RECORDS,
        "sed._domainkey.test.ex": text("eximtest.dns"),
        "test._domainkey.legitimate.com": text("test.txt"),
        "20120113._domainkey.gmail.com": f"k=rsa; p={PEM_LINES.sub('', (cases.suite('dkim/mimekit') / 'gmail.pub').read_text('ascii'))}",
    }
    assert cases.words(zegel.verify(cases.message(FOLDER / name), resolver=cases.txt_zone(records), now=NOW)) == EXPECTED[name]


@pytest.mark.parametrize("name", RECORDS)
def test_record(name: str) -> None:
    key = zegel.Key("example.com", "test", (FOLDER / "test.private").read_bytes())
    assert sign_and_judge(cases.message(FOLDER / "test.message"), key, text(name)) == RECORDS[name]


@pytest.mark.parametrize(("private", "records"), KEYS.items())
def test_key_pair(private: str, records: tuple[str, ...]) -> None:
    """PKCS#1, PKCS#8 and bare Ed25519 private keys; records with a SubjectPublicKeyInfo or an RSAPublicKey."""
    key = zegel.Key("example.com", "test", (FOLDER / private).read_bytes())
    for name in MESSAGES:
        for record in records:
            assert sign_and_judge(cases.message(FOLDER / name), key, text(record)) == "pass"


def test_without_from_there_is_no_signature() -> None:
    key = zegel.Key("example.com", "test", (FOLDER / "test.private").read_bytes())
    with pytest.raises(ValueError, match="no From field"):
        zegel.sign(cases.message(FOLDER / "test_nofrom.message"), key, now=NOW)


def test_all_are_there() -> None:
    signed = {path.name for path in FOLDER.iterdir() if path.is_file() and re.search(rb"^DKIM-Signature:", path.read_bytes(), re.M)}
    assert signed == set(EXPECTED) | {"message.mbox"}, "message.mbox has no key beside it"
    assert not EXCEPTIONS
