"""The attacks of "Composition Kills" (2020): the cases of the suite as bytes, and a DNS that gives the attacker all he needs."""

from __future__ import annotations

from functools import cache
from typing import Any

from support import cases
from zegel.dkim.crypto import Key

IP = "198.51.100.66"
HONEST = "192.0.2.1"
# What is wrong with the From of a case, in our words; with all others it is one author, who is not proven.
AUTHORS = {"server_a8": "several_fields", "server_a9": "hidden_field", "client_a1": "several_fields"}


@cache
def suite() -> dict[str, Any]:
    """The cases by name; without the suite the test is skipped, or fails where everything is promised."""
    found: dict[str, Any] = cases.load(cases.suite("attacks") / "spoofing.json")["cases"]
    return found


@cache
def records() -> dict[str, str]:
    """TXT records: the attacker may send for his own domains, and has keys; whom he imitates publishes all that there is."""
    key = Key.generate("attack.com", "selector", "rsa2048")
    return {
        "legitimate.com": f"v=spf1 ip4:{HONEST} -all",
        "_dmarc.legitimate.com": "v=DMARC1; p=reject",
        "example.com": f"v=spf1 ip4:{HONEST} -all",
        "_dmarc.example.com": "v=DMARC1; p=reject",
        **dict.fromkeys(("attack.com", "helo.attack.com", "33.attack.com", "any.attack.com", "a.attack.com"), "v=spf1 +all"),
        "selector._domainkey.attack.com": key.record,
        "selector._domainkey.legitimate.com'a.attack.com": key.record,
        "selector._domainkey.a.attack.com": key.record,
    }


def message(case: dict[str, Any]) -> bytes:
    """The bytes of a case, with its DKIM-Signature as it would be written: d= and s= are the attack, the rest is well-formed."""
    data = case["data"]
    header = "".join(data[name] for name in ("from_header", "to_header", "subject_header"))
    text = header + data["other_headers"] + data["body"]
    signature = ""
    if para := case.get("dkim_para"):
        tags = f"v=1; a=rsa-sha256; c=simple/simple; d={para['d']}; s={para['s']}; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        signature = f"DKIM-Signature: {tags}; b=AAAA\r\n"
    return str(signature + text).encode("latin-1")
