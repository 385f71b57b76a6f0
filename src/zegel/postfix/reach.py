"""Whether Postfix can reach our socket: is it there, may the user postfix connect, and does Zegel answer a milter's greeting.

The greeting is one SMFIC_OPTNEG packet, made and read by hand, so that this room also judges a socket behind which something else sits.
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from zegel.config import listen_address
from zegel.postfix import milterlist
from zegel.postfix.finding import Finding, command, ok, warning, wrong
from zegel.postfix.maincf import Settings
from zegel.words import N_, Sentence

SECONDS = 5.0
_ACTIONS, _STEPS = 0x1FF, 0x1FFFFF
# A line for a shell, with what else there is behind the sign of a comment.
_START = N_("systemctl start zegel  # or: zegel serve; its log: journalctl -u zegel")


def of_socket(settings: Settings, listen: str, *, seconds: float = SECONDS) -> tuple[Finding, ...]:
    """Look at the socket that zegel.toml names as ``listen``; waits at most ``seconds`` for each answer. Raises ``ConfigError``."""
    address = listen_address(listen)
    where = address.path or (address.host, address.port)
    found = list(_path(settings, Path(address.path))) if address.path else []
    if any(finding.about == "socket" for finding in found):
        return tuple(found)
    return (*found, _greet(where, seconds))


def _path(settings: Settings, path: Path) -> Iterator[Finding]:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        yield wrong("socket", Sentence(N_("there is no socket at {path}: Zegel does not run, or listens elsewhere"), path=path), _START)
        return
    except OSError as error:
        yield warning(
            "socket", Sentence(N_("{path} cannot be looked at: {error}"), path=path, error=error.strerror), N_("run this as root")
        )
        return
    if not stat.S_ISSOCK(mode):
        text = N_("{path} is no socket; something else has taken its name")
        yield wrong("socket", Sentence(text, path=path), N_("look at it, move it away, and restart Zegel"))
        return
    user = settings.expanded.get("mail_owner") or "postfix"
    try:
        who = pwd.getpwnam(user)
    except KeyError:
        yield warning("permission", Sentence(N_("there is no user {user} on this machine"), user=user), command("postfix check"))
        return
    closed = closed_to(path, who.pw_uid, os.getgrouplist(user, who.pw_gid), Path(settings.queue_directory))
    if closed:
        text = N_("the user {user}, as whom Postfix connects, may not pass {closed} ({state})")
        step = N_("run: {command}; in zegel.toml, under [milter]: socket_group = {group!r}, socket_mode = '0660'")
        sentence = Sentence(text, user=user, closed=closed, state=_state(closed))
        yield wrong("permission", sentence, Sentence(step, command="zegel postfix setup --dry-run", group=grp.getgrgid(who.pw_gid).gr_name))
    else:
        yield ok("permission", Sentence(N_("the user {user}, as whom Postfix connects, may use {path}"), user=user, path=path))


def closed_to(path: Path, user: int, groups: list[int], queue_directory: Path) -> Path | None:
    """The first thing on the way to a socket that stops this user: a folder without x, or the socket without w; None when all are open.

    Postfix stands in its queue folder (chrooted, or as its working folder), so the way begins there for a path inside it.
    """
    inside = milterlist.is_inside(str(path), str(queue_directory))
    for folder in reversed(path.parents):
        above = inside and folder != queue_directory and not milterlist.is_inside(str(folder), str(queue_directory))
        if not above and not _may(folder.stat(), user, groups, 0o1):
            return folder
    return None if _may(path.stat(), user, groups, 0o2) else path


def _may(found: os.stat_result, user: int, groups: list[int], bit: int) -> bool:
    if user == 0:
        return True
    shift = 6 if found.st_uid == user else 3 if found.st_gid in groups else 0
    return bool(found.st_mode >> shift & bit)


def _state(path: Path) -> str:
    found = path.stat()
    return f"{stat.filemode(found.st_mode)}, user {found.st_uid}, group {found.st_gid}"


def _greet(where: str | tuple[str, int], seconds: float) -> Finding:
    name = where if isinstance(where, str) else f"{where[0]}:{where[1]}"
    try:
        version = negotiate(where, seconds)
    except TimeoutError:
        text = N_("something listens on {name}, but does not answer a milter's greeting within {seconds:g} seconds")
        return wrong("answer", Sentence(text, name=name, seconds=seconds), _START)
    except ConnectionRefusedError:
        return wrong("answer", Sentence(N_("nobody listens on {name}"), name=name), _START)
    except OSError as error:
        return wrong("answer", Sentence(N_("{name} cannot be reached: {error}"), name=name, error=error), _START)
    except ValueError:
        text = N_("what listens on {name} does not speak the milter protocol")
        return wrong("answer", Sentence(text, name=name), N_("another program has this address; give Zegel its own in zegel.toml"))
    return ok("answer", Sentence(N_("{name} answers, milter protocol {version}"), name=name, version=version))


def negotiate(where: str | tuple[str, int], seconds: float = SECONDS) -> int:
    """Greet a milter and return the protocol version that it answers. Raises ``OSError``, and ``ValueError`` for an answer that is none.

    milter-protocol: SMFIC_OPTNEG, four octets of length, ``O``, then version, actions and protocol steps.
    """
    family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    end = time.monotonic() + seconds
    with socket.socket(family, socket.SOCK_STREAM) as peer:
        peer.settimeout(seconds)
        peer.connect(where)
        peer.sendall(struct.pack(">IcIII", 13, b"O", 6, _ACTIONS, _STEPS))
        length, kind = struct.unpack(">Ic", _exactly(peer, 5, end))
        if kind != b"O" or not 13 <= length <= 4096:
            raise ValueError(kind)
        version: int = struct.unpack(">I", _exactly(peer, length - 1, end)[:4])[0]
        peer.sendall(struct.pack(">Ic", 1, b"Q"))
        return version


def _exactly(peer: socket.socket, count: int, end: float) -> bytes:
    data = b""
    while len(data) < count:
        # One bound for all of it: a peer that sends an octet at a time does not stretch it.
        if (left := end - time.monotonic()) <= 0:
            raise TimeoutError
        peer.settimeout(left)
        if not (more := peer.recv(count - len(data))):
            raise ValueError("closed")
        data += more
    return data
