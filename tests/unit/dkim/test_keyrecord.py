"""Key records, good and bad, each through a signed message: what its tags allow, and several records under one name."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import zegel
from support import samples

P = samples.rsa().public
E = samples.ed25519().public


def judge(records: list[str | bytes], *, key: zegel.Key | None = None, identity: str | None = None) -> zegel.DkimResult:
    key = key or samples.rsa()
    message = zegel.sign(samples.MESSAGE, key, identity=identity, now=samples.NOW) + samples.MESSAGE
    (result,) = zegel.verify(message, resolver=zegel.Zone.from_dict({(key.name, "TXT"): records}), now=samples.NOW)
    return result


RSA_RECORDS = {
    f"v=DKIM1; k=rsa; p={P}": "verified",
    f"p={P}": "verified",
    f"v=DKIM1;p={P};": "verified",
    f" v = DKIM1 ; p = {P} ; ": "verified",
    f"v=DKIM1; K=x; p={P}": "verified",  # tags are case-sensitive: K= is an unknown one
    f"v=DKIM1; k=RSA; p={P}": "verified",
    f"v=DKIM1; n=notes, free text; p={P}": "verified",
    f"v=DKIM1; g=; x-new=1; p={P}": "key_syntax",  # a tag name has no hyphen (RFC 6376 3.2)
    f"v=DKIM1; g=; xnew=1; p={P}": "verified",
    f"v=DKIM1; p={P[:40]} {P[40:80]}\t{P[80:]}": "verified",
    f"v=DKIM1; p={P.rstrip('=')}": "verified",
    f"v=DKIM1; p={P}=": "key_syntax",
    f"v=DKIM1; p=\u2014{P}": "key_syntax",
    f"v=DKIM1; p={P[:-8]}": "key_syntax",
    "v=DKIM1; p=not base64!": "key_syntax",
    f"p={P}; v=DKIM1": "key_syntax",
    f"v=DKIM2; p={P}": "key_syntax",
    f"v=dkim1; p={P}": "key_syntax",
    f"v=DKIM1.0; p={P}": "key_syntax",
    f"V=DKIM1; p={P}": "verified",  # not v=, so the default holds
    f'"v=DKIM1; p={P}"': "key_syntax",
    f"v=DKIM1 p={P}": "key_syntax",
    f"v=DKIM1; p={P}; p={P}": "key_syntax",
    f"v=DKIM1\\; p={P}": "key_syntax",
    "v=DKIM1; k=rsa": "key_syntax",
    "": "key_syntax",
    "v=spf1 include:example.net -all": "key_syntax",
    "google-site-verification=abc": "key_syntax",
    "v=DKIM1; p=": "key_revoked",
    "v=DKIM1; k=rsa; t=s; p= ;": "key_revoked",
    f"v=DKIM1; k=rsa2; p={P}": "key_other_type",
    f"v=DKIM1; k=; p={P}": "key_other_type",
    f"v=DKIM1; k=ed25519; p={E}": "key_other_type",
    f"v=DKIM1; k=ed25519; p={P}": "key_syntax",
    f"v=DKIM1; h=sha256; p={P}": "verified",
    f"v=DKIM1; h=sha1:sha256; p={P}": "verified",
    f"v=DKIM1; h=sha512 : SHA256; p={P}": "verified",
    f"v=DKIM1; h=sha1; p={P}": "key_other_hash",
    f"v=DKIM1; h=sha256 :\r\n sha1; p={P}": "verified",
    # The lists of RFC 6376 3.6.1 have no empty item and nothing but words; no record of a real site was found that has.
    f"v=DKIM1; h=; p={P}": "key_syntax",
    f"v=DKIM1; h=sha256:; p={P}": "key_syntax",
    f"v=DKIM1; h=sha256,sha1; p={P}": "key_syntax",
    f"v=DKIM1; h=*:sha256; p={P}": "key_syntax",
    f"v=DKIM1; h=sha256:sha-; p={P}": "key_syntax",
    f"v=DKIM1; s=*; p={P}": "verified",
    f"v=DKIM1; s=email; p={P}": "verified",
    f"v=DKIM1; s=other:email; p={P}": "verified",
    f"v=DKIM1; s=other; p={P}": "key_other_service",
    f"v=DKIM1; s=; p={P}": "key_syntax",
    f"v=DKIM1; s=email:; p={P}": "key_syntax",
    f"v=DKIM1; s=*:e-mail2; p={P}": "verified",
    f"v=DKIM1; t=; p={P}": "key_syntax",
    f"v=DKIM1; t=:y; p={P}": "key_syntax",
    f"v=DKIM1; t=y,s; p={P}": "key_syntax",
    # White space is that of RFC 6376 2.8: CR and LF together, and more behind them.
    f"v=DKIM1;\r\n\tk=rsa;\r\n p={P}": "verified",
    f"v=DKIM1;\nk=rsa; p={P}": "key_syntax",
    f"v=DKIM1;\n k=rsa; p={P}": "key_syntax",
    f"v=DKIM1;\r k=rsa; p={P}": "key_syntax",
    f"v=DKIM1;\r\nk=rsa; p={P}": "key_syntax",
    f"v=DKIM1; p={P}\r\n": "key_syntax",
    f"v=DKIM1; n=two\nlines; p={P}": "key_syntax",
    f"v=DKIM1; t=y:s:new; p={P}": "verified",
    "v=DKIM1; p=" + "A" * 9000: "key_syntax",
}


def _ids(records: dict[str, str]) -> list[str]:
    """The same in every process, though each makes keys of its own."""
    return [f"{number} {reason}" for number, reason in enumerate(records.values())]


@pytest.mark.parametrize(("record", "reason"), RSA_RECORDS.items(), ids=_ids(RSA_RECORDS))
def test_rsa_record(record: str, reason: str) -> None:
    """RFC 6376 3.6.1 and 8.8: what may be published, and what somebody publishes."""
    assert str(judge([record]).reason) == reason


ED25519_RECORDS = {
    f"v=DKIM1; k=ed25519; p={E}": "verified",
    f"k=ed25519; h=sha256; p={E.rstrip('=')}": "verified",
    f"v=DKIM1; p={E}": "key_syntax",  # an RSA key by default, and no RSA key
    f"v=DKIM1; k=ed25519; p={base64.b64encode(bytes(31)).decode()}": "key_syntax",
    f"v=DKIM1; k=ed25519; p={base64.b64encode(bytes(33)).decode()}": "key_syntax",
    f"v=DKIM1; k=rsa; p={P}": "key_other_type",
    # RFC 8463 4.2: the 32 octets themselves, no SubjectPublicKeyInfo.
    f"v=DKIM1; k=ed25519; p={base64.b64encode(bytes.fromhex('302a300506032b6570032100') + base64.b64decode(E)).decode()}": "key_syntax",
}


@pytest.mark.parametrize(("record", "reason"), ED25519_RECORDS.items(), ids=_ids(ED25519_RECORDS))
def test_ed25519_record(record: str, reason: str) -> None:
    assert str(judge([record], key=samples.ed25519()).reason) == reason


def test_bytes_that_are_no_text() -> None:
    assert str(judge([b"v=DKIM1; n=\xff\xfe; p=" + P.encode()]).reason) == "key_syntax"
    assert str(judge(["v=DKIM1; n=schlüssel; p=" + P]).reason) == "verified"


def test_flags() -> None:
    """RFC 6376 3.10: without t=s a key signs for every name below its domain, with it for the domain alone."""
    assert judge([f"v=DKIM1; t=y; p={P}"]).testing is True
    assert judge([f"v=DKIM1; t=s; p={P}"]).testing is False
    assert judge([f"v=DKIM1; t=y; h=sha1; p={P}"]).testing is True
    assert str(judge([f"v=DKIM1; t=s; p={P}"], identity="joe@example.org").reason) == "verified"
    assert str(judge([f"v=DKIM1; t=s; p={P}"], identity="@sub.example.org").reason) == "key_strict_domain"
    assert str(judge([f"v=DKIM1; t=y; p={P}"], identity="@sub.example.org").reason) == "verified"


GOOD, OTHER = f"v=DKIM1; p={P}", f"v=DKIM1; k=ed25519; p={E}"


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([GOOD, OTHER], "verified"),
        ([OTHER, GOOD], "verified"),
        (["v=spf1 -all", GOOD], "verified"),
        ([GOOD, "v=DKIM1; p="], "verified"),
        (["v=DKIM1; p=", OTHER], "key_revoked"),
        ([OTHER, "v=DKIM1; p="], "key_revoked"),
        (["v=spf1 -all", OTHER], "key_other_type"),
        (["x", "y"], "key_syntax"),
        (["x", "y", "z", "1", "2", GOOD], "key_syntax"),  # no more than five are tried
    ],
)
def test_several_records(records: list[str | bytes], reason: str) -> None:
    """RFC 6376 6.1.2: "may cycle through the key records"; the order of the answers must not matter."""
    assert str(judge(records).reason) == reason


def test_a_mismatch_says_more_than_a_key_of_another_kind() -> None:
    stranger = zegel.Key.generate("example.org", "rsa").record
    for records in ([stranger, OTHER], [OTHER, stranger]):
        assert str(judge(list(records)).reason) == "signature_mismatch"


@pytest.mark.parametrize(("bits", "reason"), [(1024, "verified"), (1536, "verified"), (2048, "verified"), (4096, "verified")])
def test_sizes_that_verify(bits: int, reason: str) -> None:
    """RFC 8301 3.2: verifiers must take 1024 to 4096 bits."""
    private = rsa.generate_private_key(65537, bits)
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    key = zegel.Key("example.org", "old", pem)
    result = judge([key.record], key=key)
    assert (str(result.reason), result.key_bits) == (reason, bits)


@pytest.mark.parametrize(
    ("bits", "reason"), [(512, "key_too_short"), (1023, "key_too_short"), (8193, "key_too_long"), (16384, "key_too_long")]
)
def test_sizes_that_never_verify(bits: int, reason: str) -> None:
    public = rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 12345).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    result = judge([f"v=DKIM1; p={base64.b64encode(der).decode()}"])
    assert (str(result.reason), result.key_bits) == (reason, bits)


def test_an_exponent_as_long_as_the_modulus_is_no_key() -> None:
    """RFC 6376 8.13. It makes each verification some forty times as dear, and a stranger may ask for fifty of them with one message."""
    numbers = rsa.generate_private_key(65537, 2048).public_key().public_numbers()
    for exponent, reason in ((numbers.n - 2, "key_syntax"), ((1 << 64) + 1, "key_syntax"), ((1 << 63) + 1, "signature_mismatch")):
        public = rsa.RSAPublicNumbers(exponent, numbers.n).public_key()
        der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        assert str(judge([f"v=DKIM1; p={base64.b64encode(der).decode()}"]).reason) == reason


def test_rsapublickey_form() -> None:
    """RFC 6376 3.6.1 names RSAPublicKey (PKCS#1); everyone publishes SubjectPublicKeyInfo; both are read."""
    private = serialization.load_pem_private_key(_pem(samples.rsa()), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    der = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    assert str(judge([f"v=DKIM1; p={base64.b64encode(der).decode()}"]).reason) == "verified"


def test_a_key_of_another_kind_in_an_rsa_record() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert str(judge([f"v=DKIM1; p={base64.b64encode(der).decode()}"]).reason) == "key_syntax"


def _pem(key: zegel.Key) -> bytes:
    return key.private_key if isinstance(key.private_key, bytes) else key.private_key.encode()
