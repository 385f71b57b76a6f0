"""What Postfix has: its settings and services, read by its own ``postconf``, and the few commands that we give it.

Everything works on a configuration folder that is named (``postconf -c DIR``), never on an assumed one. This is the only room here that
runs commands; each has a time limit. postconf(1), master(5), postfix(1).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zegel.postfix import milterlist
from zegel.words import N_, SpokenError

DEFAULT_FOLDER = Path("/etc/postfix")
SECONDS = 20.0
_FOLDERS = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/sbin"))

PARAMETERS = (
    "always_add_missing_headers",
    "compatibility_level",
    "content_filter",
    "disable_mime_output_conversion",
    "internal_mail_filter_classes",
    "local_header_rewrite_clients",
    "mail_owner",
    "mail_version",
    "milter_connect_macros",
    "milter_content_timeout",
    "milter_default_action",
    "milter_header_checks",
    "milter_macro_daemon_name",
    "milter_mail_macros",
    "milter_protocol",
    "non_smtpd_milters",
    "queue_directory",
    "receive_override_options",
    "remote_header_rewrite_domain",
    "smtp_body_checks",
    "smtp_generic_maps",
    "smtp_header_checks",
    "smtp_line_length_limit",
    "smtp_mime_header_checks",
    "smtp_nested_header_checks",
    "smtpd_milter_maps",
    "smtpd_milters",
    "smtputf8_enable",
)


class PostfixError(SpokenError):
    """Postfix cannot be read or told; the text says which command, what it answered, and what to do."""


@dataclass(frozen=True, slots=True)
class Service:
    """One line of master.cf: ``name`` and ``kind`` (``submission``, ``inet``), its program, whether it is chrooted, its ``-o`` settings."""

    name: str
    kind: str
    program: str
    chroot: bool
    overrides: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The name under which ``postconf -P`` knows it."""
        return f"{self.name}/{self.kind}"


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration in one folder: raw values (``$name`` not filled in), the same filled in by Postfix, and the services."""

    folder: Path
    raw: Mapping[str, str]
    expanded: Mapping[str, str]
    services: tuple[Service, ...]

    @property
    def queue_directory(self) -> str:
        """The queue folder, into which Debian's smtpd is chrooted."""
        return self.expanded["queue_directory"]

    @property
    def receivers(self) -> tuple[Service, ...]:
        """The services that take mail by SMTP."""
        return tuple(service for service in self.services if service.program == "smtpd")

    @property
    def speakers(self) -> tuple[Service, ...]:
        """The services that open the connection to a milter: smtpd, and cleanup for mail that did not come by SMTP."""
        return tuple(service for service in self.services if service.program in ("smtpd", "cleanup"))

    def milters(self, parameter: str, service: Service | None = None) -> tuple[milterlist.Entry, ...]:
        """The milters of ``smtpd_milters`` or ``non_smtpd_milters``, as the service sees them (its own ``-o`` first)."""
        parameters = {**self.raw, **(service.overrides if service else {})}
        return milterlist.entries(parameters.get(parameter, ""), parameters)


def read(folder: Path = DEFAULT_FOLDER) -> Settings:
    """Read the settings that Postfix has in this folder. Raises :class:`PostfixError`."""
    if not (folder / "main.cf").is_file():
        sentence = N_("there is no main.cf in {folder}; name the folder of Postfix's configuration with --config-dir")
        raise PostfixError(sentence, folder=folder)
    expanded = _pairs(postconf(folder, "-x", *PARAMETERS))
    # -n as well: parameters of the administrator's own making, which a list may name.
    raw = {**_pairs(postconf(folder, "-n")), **_pairs(postconf(folder, *PARAMETERS))}
    raw.update({name: expanded[name] for name in ("queue_directory", "mail_owner") if name in expanded})
    if not expanded.get("queue_directory", "").startswith("/"):
        raise PostfixError(N_("postconf tells no queue_directory in {folder}; run: postfix check"), folder=folder)
    return Settings(folder, raw, expanded, _services(folder, expanded))


def _pairs(text: str) -> dict[str, str]:
    found = (line.partition("=") for line in text.splitlines())
    return {name.strip(): value.strip() for name, sign, value in found if sign}


def _services(folder: Path, expanded: Mapping[str, str]) -> tuple[Service, ...]:
    columns: dict[str, dict[str, str]] = {}
    for path, value in _pairs(postconf(folder, "-F")).items():
        label, _, column = path.rpartition("/")
        columns.setdefault(label, {})[column] = value
    overrides: dict[str, dict[str, str]] = {}
    for path, value in _pairs(postconf(folder, "-P")).items():
        label, _, name = path.rpartition("/")
        overrides.setdefault(label, {})[name] = value
    # master(5): "-" means chrooted only for configurations from before Postfix 3.0.
    old = re.match(r"0(\D|$)", expanded.get("compatibility_level", "0")) is not None
    return tuple(
        Service(
            name=row.get("service", label.rpartition("/")[0]),
            kind=row.get("type", label.rpartition("/")[2]),
            program=(row.get("command", "").split() or [""])[0],
            chroot=row.get("chroot", "-") == "y" or (row.get("chroot", "-") == "-" and old),
            overrides=overrides.get(label, {}),
        )
        for label, row in columns.items()
    )


def postconf(folder: Path, *words: str) -> str:
    """Run ``postconf -c folder ...`` and return what it prints. Raises :class:`PostfixError`."""
    return _run("postconf", folder, words)


def edit(folder: Path, settings: Iterable[tuple[str, str]]) -> None:
    """Set parameters in main.cf, in one edit. Raises :class:`PostfixError`."""
    if words := [f"{name} = {value}" for name, value in settings]:
        postconf(folder, "-e", *words)


def edit_service(folder: Path, label: str, parameter: str, value: str) -> None:
    """Set a ``-o`` parameter of one service in master.cf; the value may hold no spaces. Raises :class:`PostfixError`."""
    postconf(folder, "-P", f"{label}/{parameter}={value}")


def check(folder: Path) -> str:
    """Run ``postfix check``; the warnings that it prints. Raises :class:`PostfixError` when Postfix would not run so."""
    return _run("postfix", folder, ("check",), errors_too=True)


def reload(folder: Path) -> None:
    """Tell the running Postfix to read its configuration again. Raises :class:`PostfixError`."""
    _run("postfix", folder, ("reload",))


def is_running(folder: Path) -> bool:
    """Whether this Postfix runs now."""
    try:
        _run("postfix", folder, ("status",))
    except PostfixError:
        return False
    return True


def _run(program: str, folder: Path, words: tuple[str, ...], *, errors_too: bool = False) -> str:
    path = shutil.which(program, path=_FOLDERS)
    if path is None:
        raise PostfixError(N_("{program} is not installed; on Debian: apt-get install postfix"), program=program)
    command = [path, "-c", str(folder), *words]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAIL_")} | {"LC_ALL": "C"}
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False, env=environment, stdin=subprocess.DEVNULL)  # noqa: S603 - our own words
    except subprocess.TimeoutExpired:
        raise PostfixError(N_("{command} did not end within {seconds:g} seconds"), command=shlex.join(command), seconds=SECONDS) from None
    except OSError as error:
        raise PostfixError(N_("{command} cannot be run: {error}"), command=shlex.join(command), error=error) from None
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode:
        # Its last line has the cause; its words may be a page of parameters.
        shown, cause = shlex.join((program, "-c", str(folder), *words[:1])), (said.splitlines() or [""])[-1]
        raise PostfixError(N_("{command} ended with status {status}: {said}"), command=shown, status=done.returncode, said=cause)
    return done.stdout.decode("utf-8", "surrogateescape") + (said if errors_too else "")
