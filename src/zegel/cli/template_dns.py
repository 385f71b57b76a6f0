"""What ``zegel.toml`` says of keys, DNS and the zones that are published."""

from __future__ import annotations

from zegel.cli.template_section import section
from zegel.cli.words import _


def keys() -> str:
    """The table [keys]."""
    return section(
        "keys",
        (
            "rotate_days",
            "0",
            _(
                "Days after which a key is followed by a new one, by itself, at least 7 (180 is twice a year); 0 is never.\n"
                "Where you write DNS by hand, a new key is work for you: switch it on where Zegel publishes by itself, or has slots."
            ),
        ),
        ("algorithm", '"rsa2048"', _("The kind of key that zegel key rotate makes for a domain that has none: rsa2048 or ed25519.")),
        ("look_seconds", "60", _("Seconds between two looks at a record that is waited for, or in trouble; all others: an hour.")),
        (
            "retiring_days",
            "7",
            _(
                "Days that a record stays after its key signed last, at least 7: mail waits in queues for up to 5 days.\n"
                "The time of signing.expire comes to it."
            ),
        ),
        ("revoked_days", "30", _("Days that a record then says that the key is revoked, before it goes.")),
        (
            "publish_private",
            '""',
            _(
                "Publish old private keys once their record is gone: then nobody can prove by a signature that you wrote an old message.\n"
                'The name of a folder below the data folder, for example "published-keys"; empty publishes none, and destroys them.'
            ),
        ),
    )


def check() -> str:
    """The table [check]."""
    return section(
        "check",
        (
            "answer",
            '""',
            _(
                "An address of a domain that you sign for, such as check@example.be: mail to it is answered with a report on it.\n"
                "Postfix has to take mail for it (an alias, or a mailbox that nobody reads). Empty answers nobody."
            ),
        ),
        ("language", '"en"', _("The language of a report where the mail asks for none: en or nl.")),
        ("pause", "600", _("Seconds before the same sender gets another answer.")),
        ("hourly", "100", _("Answers in an hour, to all together.")),
        ("domain_hourly", "20", _("Answers in an hour, to one domain.")),
    )


def dns() -> str:
    """The table [dns]."""
    return section(
        "dns",
        ("nameservers", "[]", _('Addresses of name servers, asked in order, for example ["127.0.0.1"]; empty means the system\'s.')),
        ("timeout", "2.0", _("Seconds to wait for one answer.")),
        ("tries", "2", _("How often each server is asked.")),
        ("trust_ad", "false", _("Believe a resolver on this machine when it says that an answer is signed with DNSSEC.")),
        ("zone", '""', _("A zone file to answer from instead of DNS: for tests, offline.")),
    )


def zone() -> str:
    """The table [zone]."""
    sentence = _(
        "How the records of a zone are published by zegel domain publish; what no [[zone]] holds is published by hand. way is\n"
        "rfc2136 (updates that are signed with a TSIG key), file (a file that the zone includes), or hand. servers are all its name\n"
        "servers, where its delegation does not name those that count. Two examples:"
    )
    examples = (
        (
            'name = "dkim.example.be"',
            'way = "rfc2136"',
            'server = "192.0.2.53"',
            'tsig_name = "zegel"',
            'tsig_algorithm = "hmac-sha256"',
            'tsig_secret_file = "/etc/zegel/tsig"',
        ),
        (
            'name = "example.be"',
            'way = "file"',
            'file = "/var/lib/bind/zegel.example.be"',
            "ttl = 3600",
            'servers = ["192.0.2.53", "192.0.2.54"]',
        ),
    )
    shown = ["\n".join(("#[[zone]]", *(f"#{line}" for line in lines))) for lines in examples]
    return "\n".join([*(f"# {line}" for line in sentence.split("\n")), "\n\n".join(shown)])
