"""What the figures depend on: the machine, and the versions of all that is measured."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend


def machine() -> list[tuple[str, str]]:
    """What runs the benches: a name and what is there."""
    return [
        ("processor", f"{_cpu()}, {os.cpu_count()} cores"),
        ("system", f"{_release()}, Linux {platform.release().partition('-')[0]}"),
        ("Python", f"{platform.python_version()}, uvloop {_installed('uvloop')}"),
        ("cryptography", f"{_installed('cryptography')} with {backend.openssl_version_text()}"),
        ("Zegel", _installed("zegel")),
    ]


def load() -> float:
    """How many other processes have wanted a processor in the last minute, on average."""
    return os.getloadavg()[0]


def peers() -> list[tuple[str, str]]:
    """The version of each peer: Debian's, or of the registry that it comes from."""
    return [
        ("Postfix", _debian("postfix")),
        ("opendkim, libopendkim", _debian("opendkim")),
        ("opendmarc", f"{_debian('opendmarc')}, libspf2 {_debian('libspf2-2')}"),
        ("rspamd", _debian("rspamd")),
        ("go-msgauth", f"{_debian('golang-github-emersion-go-msgauth-dev')}, {_said('go', 'version').removeprefix('go version ')}"),
        ("mailauth", f"{_mailauth()}, node {_said('node', '--version')}"),
        ("Mail::DKIM", _debian("libmail-dkim-perl")),
        ("dkimpy", _installed("dkimpy")),
        ("pyspf", _installed("pyspf")),
        ("dnspython", _installed("dnspython")),
    ]


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _release() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _debian(package: str) -> str:
    return _said("dpkg-query", "-W", "-f=${Version}", package)


def _mailauth() -> str:
    try:
        version: str = json.loads((Path(os.environ["MAILAUTH"]) / "package.json").read_text())["version"]
    except (KeyError, OSError):
        return "not installed"
    return version


def _said(program: str, *words: str) -> str:
    if shutil.which(program) is None:
        return "not installed"
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.strip() if done.returncode == 0 else "not installed"
