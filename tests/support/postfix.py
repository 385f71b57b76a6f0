"""A real Postfix for one test: own folder, own queue, own ports on loopback, own log; nothing of the machine's own is touched.

Everything that it delivers goes to a :class:`support.sink.Sink`. It runs as root, because Postfix's master does. Clients may use XCLIENT,
so a test plays an authenticated user (``login=``) or a stranger (``address=``, ``port=``) without a password database.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import smtplib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.servers import free_port, require, unavailable, wait_for
from support.sink import Sink

_MASTER = """\
127.0.0.1:{smtp} inet n - {chroot} - - smtpd
127.0.0.1:{submission} inet n - {chroot} - - smtpd
{overrides}
pickup unix n - {chroot} 1 1 pickup
cleanup unix n - {chroot} - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - {chroot} 1000? 1 tlsmgr
rewrite unix - - {chroot} - - trivial-rewrite
bounce unix - - {chroot} - 0 bounce
defer unix - - {chroot} - 0 bounce
trace unix - - {chroot} - 0 bounce
verify unix - - {chroot} - 1 verify
flush unix n - {chroot} 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - {chroot} - - smtp
relay unix - - {chroot} - - smtp
showq unix n - {chroot} - - showq
error unix - - {chroot} - - error
retry unix - - {chroot} - - error
discard unix - - {chroot} - - discard
local unix - n n - - local
anvil unix - - {chroot} - 1 anvil
scache unix - - {chroot} - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A running Postfix in its own folder; a context manager that leaves no process and no folder.

    ``smtp_port`` takes mail from anywhere (``settings`` may change that), ``submission_port`` is the same with ``submission`` on top:
    its ``-o`` overrides of master.cf. ``services`` are further lines of master.cf. Its folder lies in ``parent``.
    """

    def __init__(
        self,
        *,
        smtpd_milters: str = "",
        non_smtpd_milters: str = "",
        settings: Mapping[str, str] | None = None,
        submission: Mapping[str, str] | None = None,
        services: Sequence[str] = (),
        chroot: bool = False,
        sink_extensions: tuple[str, ...] | None = None,
        parent: str = "/tmp",
    ) -> None:
        self._postfix, self._postconf = require("postfix"), require("postconf")
        if os.geteuid() != 0:
            unavailable("Postfix's master runs only as root; run these tests as root, for example in a container")
        # Not pytest's own folder: that one is closed to others, and Postfix's daemons run as the user postfix.
        self.folder = Path(tempfile.mkdtemp(prefix="zegel-postfix-", dir=parent))
        self.folder.chmod(0o755)
        self.config, self.queue_folder, self.log_file = self.folder / "etc", self.folder / "queue", self.folder / "maillog"
        self.smtp_port, self.submission_port = free_port(), free_port()
        self.sink = Sink(sink_extensions) if sink_extensions is not None else Sink()
        self._settings = {**self._defaults(), "smtpd_milters": smtpd_milters, "non_smtpd_milters": non_smtpd_milters, **(settings or {})}
        overrides = {"milter_macro_daemon_name": "ORIGINATING", **(submission or {})}
        self._master = _MASTER.format(
            smtp=self.smtp_port,
            submission=self.submission_port,
            chroot="y" if chroot else "n",
            overrides="\n".join(f"  -o {{ {name} = {value} }}" for name, value in overrides.items()),
        ) + "".join(f"{line}\n" for line in services)

    def _defaults(self) -> dict[str, str]:
        return {
            "compatibility_level": "3.6",
            "queue_directory": str(self.queue_folder),
            "data_directory": str(self.folder / "data"),
            "maillog_file": str(self.log_file),
            "maillog_file_prefixes": str(self.folder),
            "myhostname": "mail.example.org",
            "mydestination": "",
            "myorigin": "example.org",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "default_transport": f"smtp:[127.0.0.1]:{self.sink.port}",
            "relayhost": "",
            "smtp_host_lookup": "native",
            "smtp_dns_support_level": "disabled",
            "smtpd_peername_lookup": "no",
            "relay_domains": "static:all",
            "relay_transport": f"smtp:[127.0.0.1]:{self.sink.port}",
            "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
            "smtpd_authorized_xclient_hosts": "127.0.0.1",
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_tls_security_level": "none",
            "smtp_tls_security_level": "none",
            "smtpd_forbid_bare_newline": "no",
            # Or Postfix completes addresses and adds missing fields before a milter sees them.
            "local_header_rewrite_clients": "",
            "always_add_missing_headers": "no",
            "milter_default_action": "tempfail",
            "milter_protocol": "6",
            "milter_macro_daemon_name": "mail.example.org",
            "internal_mail_filter_classes": "bounce",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "2s",
            "queue_run_delay": "1s",
            "message_size_limit": "50000000",
        }

    # -- life ------------------------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        for path in (self.config, self.queue_folder, self.folder / "data"):
            path.mkdir()
        shutil.chown(self.folder / "data", "postfix", "postfix")
        (self.config / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in self._settings.items()))
        (self.config / "master.cf").write_text(self._master)
        self.sink.__enter__()
        try:
            # Returns when master listens (master -w); a probe of the ports would reach the milter under test.
            self.command("start")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        master = self._master_pid()
        with contextlib.suppress(subprocess.SubprocessError):
            self.command("stop")
        if master:
            _end_session(master)
        self.sink.__exit__(None, None, None)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _master_pid(self) -> int:
        try:
            return int((self.queue_folder / "pid" / "master.pid").read_text())
        except (OSError, ValueError):
            return 0

    def processes(self) -> tuple[int, ...]:
        """The processes of this Postfix, by their session."""
        master = self._master_pid()
        return _session(master) if master else ()

    def command(self, *words: str) -> str:
        """Run ``postfix -c FOLDER ...`` (start, stop, reload, check, status, flush); the text that it prints."""
        return self._run([self._postfix, "-c", str(self.config), *words])

    def postconf(self, *words: str) -> str:
        """Run ``postconf -c FOLDER ...``; the text that it prints."""
        return self._run([self._postconf, "-c", str(self.config), *words])

    def set(self, **settings: str) -> None:
        """Change settings of main.cf in the running Postfix."""
        self.postconf("-e", *(f"{name} = {value}" for name, value in settings.items()))
        self.command("reload")

    def _run(self, words: list[str], given: bytes | None = None) -> str:
        done = subprocess.run(words, input=given, capture_output=True, timeout=60, check=False)
        text = (done.stdout + done.stderr).decode("utf-8", "replace")
        if done.returncode:
            raise subprocess.SubprocessError(f"{' '.join(words)} ended with {done.returncode}: {text}\n{self.log()}")
        return text

    # -- mail ------------------------------------------------------------------------------------------------------------------------

    def client(self, *, submission: bool = False, login: str = "", address: str = "", port: int = 0, name: str = "") -> smtplib.SMTP:
        """An SMTP client that has said EHLO, as an authenticated user or from another address when asked (XCLIENT)."""
        client = smtplib.SMTP("127.0.0.1", self.submission_port if submission else self.smtp_port, "client.example.net", 20)
        client.ehlo()
        wanted = {"NAME": name, "ADDR": address, "PORT": str(port or ""), "LOGIN": login}
        if given := [f"{word}={value}" for word, value in wanted.items() if value]:
            code, text = client.docmd("XCLIENT", " ".join(given))
            if code != 220:
                client.close()
                raise smtplib.SMTPResponseException(code, text)
            client.ehlo()
        return client

    def send(self, message: bytes, *, sender: str, recipients: Sequence[str] = ("someone@example.net",), **client: Any) -> None:
        """Send one message (CRLF) over its own SMTP connection; the keywords of :meth:`client`. Raises what smtplib raises."""
        with self.client(**client) as session:
            session.sendmail(sender, list(recipients), message, ["BODY=8BITMIME"])

    def sendmail(self, message: bytes, *, sender: str, recipients: Sequence[str] = ("someone@example.net",)) -> None:
        """Hand in one message through the ``sendmail`` command, as a program on this machine does."""
        self._run([require("sendmail"), "-C", str(self.config), "-i", "-f", sender, "--", *recipients], message)

    def queue(self) -> list[dict[str, Any]]:
        """What waits in the queue, in the words of postqueue -j: ``queue_name``, ``queue_id``, ``sender``, ``recipients``."""
        done = subprocess.run([require("postqueue"), "-c", str(self.config), "-j"], capture_output=True, timeout=60, check=True)
        return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]

    def flush(self) -> None:
        """Try to deliver all that waits, now."""
        self._run([require("postqueue"), "-c", str(self.config), "-f"])

    def log(self) -> str:
        """The mail log so far."""
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""


def _session(leader: int) -> tuple[int, ...]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, IndexError, ValueError):
                state, _parent, _group, session = (entry / "stat").read_text().rpartition(") ")[2].split()[:4]
                if int(session) == leader and state != "Z":
                    found.append(int(entry.name))
    return tuple(found)


def _end_session(leader: int) -> None:
    with contextlib.suppress(TimeoutError):
        wait_for(lambda: not _session(leader), 10)
        return
    for pid in _session(leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not _session(leader), 10, "the processes of Postfix end")
