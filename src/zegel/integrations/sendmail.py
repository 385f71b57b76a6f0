"""``zegel-sendmail``: takes the place of the sendmail command for PHP's mail(), cron and the like; an originator, RFC 5321 2.3.10.

It hands the message to the daemon by its local socket, and when there is no daemon into the drop folder, where the daemon finds it. Whose
message it is the system tells the daemon; nothing that is said here could. PHP starts this program for each mail: standard library only,
and little of it.

Exit status (sysexits.h): 0 the message is safe; 64 what was asked cannot be done; 69 the daemon refused the message; 73 the drop folder
cannot be written in, or holds as much of this user as it may; 74 writing failed. Never 75: releases of PHP take "try again" for success.
"""

from __future__ import annotations

import os
import sys

from zegel.submission.handed import ID_LENGTH, MAX_SIZE, Handed, HandedError

EX_OK, EX_USAGE, EX_UNAVAILABLE, EX_IOERR = 0, 64, 69, 74
SOCKET = "/run/zegel/handover.sock"
DROP = "/var/spool/zegel/drop"
_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 60.0
_MOST_ANSWER = 2000
# Options of sendmail with a value: the sender and the name are used, the others change nothing here.
_WITH_VALUE = "BCFLNORVXdfhpr"
_FLAGS = "GUimntv"
_DROPPED = (b"bcc", b"resent-bcc", b"return-path")
_RECIPIENTS = (b"to", b"cc", b"bcc")


class Stop(Exception):  # noqa: N818 - not all that ends is an error
    """The end, with an exit status and a line for people."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Asked:
    """What the command line asks for."""

    def __init__(self, words: list[str]) -> None:
        """Read the words as sendmail does: letters together, values attached or apart. Raises :class:`Stop`."""
        self.sender: str | None = None
        self.name = ""
        self.recipients: list[str] = []
        self.from_header = self.ignore_dots = False
        words = list(words)
        while words:
            word = words.pop(0)
            if word == "--":
                self.recipients += words
                break
            if word.startswith("-") and len(word) > 1:
                self._option(word[1:], words)
            else:
                self.recipients.append(word)

    def _option(self, letters: str, words: list[str]) -> None:
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in _WITH_VALUE:
                if not letters and not words:
                    raise Stop(EX_USAGE, f"option -{letter} needs a value")
                self._value(letter, letters or words.pop(0))
                return
            if letter in "oe" or (letter == "A" and letters in ("c", "m")):
                self.ignore_dots = self.ignore_dots or (letter == "o" and letters.startswith("i"))
                return
            if letter == "b" and letters == "m":
                return
            if letter not in _FLAGS:
                raise Stop(EX_USAGE, f"option -{letter}{letters} is not known here: this command takes one message; see zegel-sendmail(1)")
            self.from_header = self.from_header or letter == "t"
            self.ignore_dots = self.ignore_dots or letter == "i"

    def _value(self, letter: str, value: str) -> None:
        if letter in "fr":
            self.sender = value.strip().removeprefix("<").removesuffix(">")
        elif letter == "F":
            self.name = value


# -- the message ----------------------------------------------------------------------------------------------------------------------


def mended(data: bytes, *, ignore_dots: bool) -> bytes:
    """The message with CRLF at the end of every line, whatever it had: PHP 8 writes CRLF in the header and LF in the body.

    A CR within a line of the header becomes a space, or it would end the line for some reader, and begin another field (RFC 5322 2.2).
    """
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    lines = [line.rstrip(b"\r") for line in lines]
    if not ignore_dots and b"." in lines:
        lines = lines[: lines.index(b".")]
    if lines and lines[0].startswith(b"From "):
        lines.pop(0)  # the line of an mbox
    if lines and not _is_field(lines[0]):
        lines.insert(0, b"")  # no header at all
    end = lines.index(b"") if b"" in lines else len(lines)
    header = [line.replace(b"\r", b" ") for line in lines[:end]]
    body = [line.replace(b"\r", b"\r\n") for line in lines[end:]] or [b""]
    return b"".join(line + b"\r\n" for line in header + body)


def _is_field(line: bytes) -> bool:
    name = line.partition(b":")[0].rstrip(b" \t")
    return not line or (b":" in line and bool(name) and all(32 < octet < 127 for octet in name))


def fields(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The header as (name in lower case, the whole field with its CRLF), and what follows: the empty line and the body."""
    if data.startswith(b"\r\n"):
        return [], data
    header, _, body = data.partition(b"\r\n\r\n")
    found: list[tuple[bytes, bytes]] = []
    for line in header.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and found:
            name, raw = found[-1]
            found[-1] = name, raw + line + b"\r\n"
        else:
            found.append((line.partition(b":")[0].strip().lower(), line + b"\r\n"))
    return found, b"\r\n" + body


def addresses(value: str) -> list[str]:
    """The addresses of To, Cc or Bcc: what stands in angle brackets, or else what is left beside names, comments and groups."""
    found: list[str] = []
    bare = angle = ""
    within, depth, quoted, escaped = False, 0, False, False
    for char in value + ",":
        if escaped or char == "\\":
            escaped = not escaped
        elif char == '"' and not depth:
            quoted = not quoted
        elif not quoted and char in "()":
            depth = max(0, depth + (1 if char == "(" else -1))
            continue
        if depth:
            continue
        if quoted or escaped or char in '"\\':
            kept = char
        elif char == "<":
            within, angle = True, ""
            continue
        elif char == ">":
            within = False
            continue
        elif char in ",;":
            one = (angle or bare).strip()
            found += [one] if one else []
            bare = angle = ""
            within = False
            continue
        elif char == ":" and not within:
            bare = ""  # the name of a group
            continue
        else:
            kept = "" if char in " \t\r\n" and within else char
        if within:
            angle += kept
        else:
            bare += kept
    return found


def prepared(asked: Asked, data: bytes) -> tuple[Handed, bytes]:
    """The envelope, and the message without the fields that are for no reader. Raises :class:`Stop`."""
    found, body = fields(mended(data, ignore_dots=asked.ignore_dots))
    recipients = list(asked.recipients)
    if asked.from_header:
        for name, raw in found:
            if name in _RECIPIENTS:
                recipients += addresses(raw.partition(b":")[2].decode("utf-8", "surrogateescape"))
    recipients = list(dict.fromkeys(_qualified(each) for each in recipients))
    if not recipients:
        raise Stop(EX_USAGE, "nobody to send to: name the recipients, or say -t when they stand in the message")
    sender = asked.sender if asked.sender is not None else _user() + "@" + os.uname().nodename
    kept = [raw for name, raw in found if name not in _DROPPED]
    if asked.name and not any(name == b"from" for name, _ in found):
        shown = "".join(char if char.isprintable() and char not in '"\\' else " " for char in asked.name)
        kept.insert(0, f'From: "{shown}" <{sender or _user()}>\r\n'.encode("utf-8", "replace"))
    message = b"".join(kept) + body
    if len(message) > MAX_SIZE:
        raise Stop(EX_UNAVAILABLE, f"the message is larger than {MAX_SIZE} octets")
    return Handed(os.urandom(ID_LENGTH // 2).hex(), sender, recipients, len(message)), message


def _qualified(address: str) -> str:
    """The address with a domain: names alone are users of this machine. Raises :class:`Stop` where it has no name of its own."""
    if "@" in address:
        return address
    try:
        with open("/etc/mailname", encoding="utf-8", errors="replace") as file:
            host = file.readline().strip()
    except OSError:
        host = os.uname().nodename
    if "." not in host:
        raise Stop(EX_USAGE, f"{address} has no domain, and this machine no name to complete it with (/etc/mailname)")
    return f"{address}@{host}"


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


# -- where it goes --------------------------------------------------------------------------------------------------------------------


def by_socket(path: str, head: bytes, message: bytes) -> str:
    """Give it to the daemon; its answer, "" when there is none: not there, too busy, or it went away."""
    # What the module socket puts around it (enums, selectors) takes longer to load than all the rest of this program.
    from _socket import AF_UNIX, SOCK_STREAM, socket

    connection = socket(AF_UNIX, SOCK_STREAM)
    try:
        connection.settimeout(_CONNECT_SECONDS)
        connection.connect(path)
        connection.settimeout(_ANSWER_SECONDS)
        try:
            connection.sendall(head)
            connection.sendall(message)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may have answered before the end
        answer = b""
        while not answer.endswith(b"\n") and len(answer) < _MOST_ANSWER:
            part = connection.recv(_MOST_ANSWER)
            if not part:
                break
            answer += part
    except OSError:
        return ""
    finally:
        connection.close()
    return answer.decode("utf-8", "replace").strip() if answer.endswith(b"\n") else ""


def hand_over(path: str, folder: str, id: str, head: bytes, message: bytes) -> str:
    """Give a message to the daemon, or leave it in the drop folder; "" when it is safe, or the daemon's refusal. Raises :class:`Stop`."""
    answer = by_socket(path, head, message)
    if answer.startswith("2"):
        return ""
    # 450 is a bound that was set, and 5xx a refusal; at 421, 451 and 452 the daemon cannot take it now, but may later.
    if answer and not answer.startswith(("421", "451", "452")):
        return answer
    from zegel.integrations import drop  # most messages need none of it

    try:
        drop.leave(folder, id, head, message)
    except drop.NotLeft as error:
        raise Stop(error.status, str(error)) from None
    return ""


def run(words: list[str], data: bytes) -> None:
    """Take one message. Raises :class:`Stop` unless it is safe."""
    handed, message = prepared(Asked(words), data)
    try:
        head = handed.head()
    except HandedError as error:
        raise Stop(EX_USAGE, str(error)) from None
    path, folder = os.environ.get("ZEGEL_SOCKET") or SOCKET, os.environ.get("ZEGEL_DROP") or DROP
    if refused := hand_over(path, folder, handed.id, head, message):
        raise Stop(EX_UNAVAILABLE, f"the message is refused: {refused}")


def main() -> int:
    """Run the command; the exit status."""
    try:
        asked = sys.argv[1:]
        Asked(asked)  # before it waits for a message
        run(asked, sys.stdin.buffer.read(MAX_SIZE + 1))
    except Stop as stop:
        sys.stderr.write(f"zegel-sendmail: {stop}\n")
        return stop.status
    except OSError as error:
        sys.stderr.write(f"zegel-sendmail: {error}\n")
        return EX_IOERR
    return EX_OK


if __name__ == "__main__":
    raise SystemExit(main())
