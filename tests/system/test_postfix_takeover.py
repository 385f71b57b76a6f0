"""The whole move: a chrooted Postfix that signs with the real opendkim is set up for the real Zegel, and mail stays signed exactly once."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import dkim
from support.postfix import Postfix
from support.servers import free_port, listens, require, wait_for
from zegel.postfix import apply, check
from zegel.postfix.finding import Level

MESSAGE = (
    b"From: Us <info@example.org>\r\nTo: a@example.net\r\nSubject: invoice\r\n"
    b"Date: Sat, 21 Nov 2026 12:00:00 +0100\r\nMessage-ID: <7@example.org>\r\n\r\nPlease pay.\r\n"
)


@contextmanager
def child(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended with the block."""
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def opendkim_configuration(folder: Path, port: int) -> Path:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "old.pem").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    (folder / "old.pem").chmod(0o600)
    conf = folder / "opendkim.conf"
    conf.write_text(
        f"Socket inet:{port}@127.0.0.1\nDomain example.org\nSelector old\nKeyFile {folder}/old.pem\nMode s\n"
        "Syslog no\nRequireSafeKeys no\nInternalHosts 127.0.0.1\nCanonicalization relaxed/simple\n"
    )
    return conf


def zegel(data: Path, *words: str) -> str:
    command = [sys.executable, "-m", "zegel.cli.main", "--data", str(data), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def zegel_data(folder: Path, listen: str) -> tuple[Path, str]:
    """A data folder with one active key for example.org; and the record of that key."""
    data, zone = folder / "zegel", folder / "zone.txt"
    zegel(data, "init")
    zone.write_text("")
    (data / "zegel.toml").write_text(
        f'[milter]\nlisten = ["{listen}"]\nsocket_group = "postfix"\n'
        '[[outbound.allow]]\nlocal = true\nsign = ["example.org"]\n[[outbound.allow]]\nlogin = "alice"\nsign = ["example.org"]\n'
        f'[dns]\nzone = "{zone}"\n[metrics]\nlisten = ""\n'
    )
    zegel(data, "domain", "add", "example.org")
    zegel(data, "key", "new", "example.org", "--selector", "new")
    records = zegel(data, "domain", "records", "example.org")
    zone.write_text(next(line for line in records.splitlines() if " IN TXT " in line) + "\n")
    zegel(data, "key", "activate", "example.org", "new")
    return data, next(line for line in records.splitlines() if line.startswith("v=DKIM1"))


def signatures(data: bytes) -> list[str]:
    """The selectors of the signatures of a message."""
    header = re.sub(rb"\r\n[ \t]+", b" ", data.partition(b"\r\n\r\n")[0])
    fields = [line for line in header.split(b"\r\n") if line.lower().startswith(b"dkim-signature:")]
    return [found.decode() for field in fields for found in re.findall(rb"[; ]s=(\w+)", field)]


def test_mail_stays_signed_exactly_once(tmp_path: Path) -> None:
    opendkim, port = require("opendkim"), free_port()
    conf = opendkim_configuration(tmp_path, port)
    address, files = f"inet:127.0.0.1:{port}", (conf, tmp_path / "none")
    with Postfix(smtpd_milters=address, non_smtpd_milters=address, submission={"smtpd_milters": address}, chroot=True) as postfix:
        listen = f"unix:{postfix.queue_folder}/zegel/milter.sock"
        data, record = zegel_data(tmp_path, listen)
        published = {b"new._domainkey.example.org.": record.encode()}
        with child(opendkim, "-f", "-x", str(conf)):
            wait_for(lambda: listens(port), what="opendkim listens")
            postfix.sendmail(MESSAGE, sender="info@example.org")
            (before,) = postfix.sink.wait(1)
            assert signatures(before.data) == ["old"]

            apply.apply(apply.prepare(postfix.config, listen, owner="root", opendkim_files=files))
            with child(sys.executable, "-m", "zegel.cli.main", "--data", str(data), "serve"):
                wait_for((postfix.queue_folder / "zegel" / "milter.sock").exists, what="Zegel listens")
                wait_for(
                    lambda: check.worst(check.run(postfix.config, listen, opendkim_files=files)) is not Level.WRONG, what="all is well"
                )
                postfix.sendmail(MESSAGE, sender="info@example.org")
                postfix.send(MESSAGE, sender="info@example.org", submission=True, login="alice", address="192.0.2.9")
                for arrived in postfix.sink.wait(3)[1:]:
                    assert signatures(arrived.data) == ["new"]
                    assert dkim.verify(arrived.data, dnsfunc=lambda name, timeout=5: published.get(name))
