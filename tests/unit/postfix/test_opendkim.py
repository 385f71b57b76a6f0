from __future__ import annotations

import pytest

from zegel.postfix import opendkim


@pytest.mark.parametrize(
    ("conf", "default", "expected"),
    [
        ("", "", ()),
        ("Socket inet:8891@localhost\n", "", ("inet:localhost:8891",)),
        ("# Socket inet:1@localhost\n  socket\tlocal:/run/opendkim/opendkim.sock\n", "", ("unix:/run/opendkim/opendkim.sock",)),
        ("Socket inet:8891\n", "", ("inet:localhost:8891",)),
        ("Socket inet6:8891@[::1]\n", "", ("inet:[::1]:8891",)),
        ("Socket /run/o.sock\n", "", ("unix:/run/o.sock",)),
        ("", 'RUNDIR=/run/opendkim\n#SOCKET=inet:1\nSOCKET="local:$RUNDIR/opendkim.sock"\n', ("unix:/run/opendkim/opendkim.sock",)),
        ("Socket inet:12301@localhost\n", "SOCKET=inet:12301@localhost", ("inet:localhost:12301",)),
        ("Socket nonsense\nSocket inet:@\n", "SOCKET=", ()),
    ],
)
def test_configured(conf: str, default: str, expected: tuple[str, ...]) -> None:
    assert opendkim.configured(conf, default) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("inet:localhost:8891", True),
        ("inet:127.0.0.1:12301", True),
        ("inet:opendkim:8891", True),
        ("inet:filter.example.org:8891", False),
        ("inet:localhost:11332", False),
        ("unix:/opendkim/opendkim.sock", True),
        ("local:opendkim/opendkim.sock", True),
        ("unix:var/run/dkim/own-name.sock", True),
        ("unix:opendmarc/opendmarc.sock", False),
        ("", False),
    ],
)
def test_is_opendkim(address: str, expected: bool) -> None:
    known = ("unix:/var/spool/postfix/var/run/dkim/own-name.sock",)
    assert opendkim.is_opendkim(address, known, "/var/spool/postfix") is expected


def test_is_opendmarc() -> None:
    assert opendkim.is_opendmarc("unix:opendmarc/opendmarc.sock")
    assert opendkim.is_opendmarc("inet:localhost:8893")
    assert not opendkim.is_opendmarc("inet:localhost:8891")
