"""Who acts, for the audit log; and root as the owner of the data folder.

Whose process this is, the kernel says: its real user. Behind ``sudo`` and ``su`` stands the person who logged in: the kernel's audit login
(/proc/self/loginuid), which nobody can change once it is set, else what sudo says of itself, and that only beside the user, never in its
place: anybody can set a variable.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

_UNSET = 2**32 - 1  # what the kernel has for a process that no login began
_LOGIN = Path("/proc/self/loginuid")


def who() -> str:
    """The person and the user: ``jan`` where they are one, else ``jan as zegel``."""
    return named(_REAL_USER, _login_uid(), os.environ)


def named(user: int, login: int | None, environment: Mapping[str, str]) -> str:
    """The name for the audit log of a process of ``user``, begun by the login ``login`` (None: not known)."""
    name = _name(user)
    person = _name(login) if login is not None else _behind_sudo(environment)
    return name if person in (None, name) else f"{person} as {name}"


def become_owner(folder: Path) -> None:
    """Go on, for good, as the user that owns the data folder, when this is root and it is another's. Raises OSError."""
    if os.geteuid() != 0 or not folder.exists():
        return
    status = folder.stat()
    if status.st_uid == 0:
        return
    try:
        entry = pwd.getpwuid(status.st_uid)
        groups, group = os.getgrouplist(entry.pw_name, entry.pw_gid), entry.pw_gid
    except KeyError:
        groups, group = [status.st_gid], status.st_gid
    os.setgroups(groups)
    os.setresgid(group, group, group)
    os.setresuid(status.st_uid, status.st_uid, status.st_uid)


def _behind_sudo(environment: Mapping[str, str]) -> str | None:
    """Whom sudo names, when name and number are of one user."""
    name, number = environment.get("SUDO_USER", ""), environment.get("SUDO_UID", "")
    if not (number.isascii() and number.isdecimal() and len(number) <= 10):
        return None
    try:
        return name if pwd.getpwuid(int(number)).pw_name == name else None
    except (KeyError, OverflowError):
        return None


def _login_uid() -> int | None:
    try:
        number = int(_LOGIN.read_text())
    except (OSError, ValueError):
        return None
    return None if number == _UNSET else number


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"


# As it was when the program began: root that goes on as the owner of the data folder was still root.
_REAL_USER = os.getuid()
