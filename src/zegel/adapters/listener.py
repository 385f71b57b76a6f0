"""A unix socket to listen on: bound, with its mode and group, before anybody can connect.

A socket that a dead process left is taken away; one that a living process answers on is not, and neither is a file that is no socket.
"""

from __future__ import annotations

import errno
import grp
import os
import socket
import stat
from pathlib import Path


def bind_unix(path: str, *, mode: int, group: str | int | None) -> socket.socket:
    """Bind a stream socket to ``path`` with that mode and group; the caller listens on it. Raises OSError that says what to do."""
    gid = _group_id(group)
    _take_over(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        # Nobody can connect before listen(), so the mode is set in time.
        bound.bind(path)
        if gid is not None:
            os.chown(path, -1, gid)
        os.chmod(path, mode)
    except OSError as error:
        bound.close()
        hint = "the folder must exist and be writable, the group be one's own (unless root), the path shorter than 108 octets"
        raise OSError(error.errno, f"cannot make the socket ({error.strerror or error}): {hint}", path) from error
    return bound


def unlink_if_same(path: str, identity: tuple[int, int]) -> None:
    """Take a socket away unless another process has put its own there; ``identity`` is (device, inode)."""
    try:
        if identity_of(path) == identity:
            Path(path).unlink()
    except FileNotFoundError:
        pass


def identity_of(path: str) -> tuple[int, int]:
    """Tell which file stands at ``path``, as (device, inode). Raises OSError when none does."""
    status = os.lstat(path)
    return status.st_dev, status.st_ino


def _take_over(path: str) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise FileExistsError(
            errno.EEXIST, "a file that is no socket stands where the socket should be; remove it or choose another path", path
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.setblocking(False)
        try:
            caller.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
            return
        except BlockingIOError:
            pass  # its queue is full: somebody lives there
    raise OSError(errno.EADDRINUSE, "another process answers on this socket; stop it first or choose another path", path)


def _group_id(group: str | int | None) -> int | None:
    if group is None or isinstance(group, int):
        return group
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise LookupError(f"there is no group {group!r} on this system; create it or choose another one") from None
