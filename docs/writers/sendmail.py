"""The man page zegel-sendmail(1)."""

from __future__ import annotations

from docs.writers.manual import DATE, items, paragraphs, roff
from zegel import __version__
from zegel.integrations.drop import EX_CANTCREAT, EX_IOERR
from zegel.integrations.sendmail import DROP, EX_OK, EX_UNAVAILABLE, EX_USAGE, SOCKET
from zegel.submission.handed import MOST_LEFT, MOST_LEFT_OCTETS

_DESCRIPTION = f"""
Takes one message from standard input and hands it to the Zegel that runs on this machine: by the socket {SOCKET}, or, when nobody answers
there, by a file in {DROP}, where Zegel finds it later. It takes the place of the sendmail command for PHP's mail(), cron and the like.

Whose message it is the system says: Zegel knows the user who runs this command, and takes the message for the site that has that user
(zegel site add --unix-user). A sender that is not the site's own is corrected, the message is signed, and kept until the next mail server
has it.

Line ends may be LF, CRLF or both. Bcc and Return-Path are taken out.
"""
_OPTIONS = (
    ("-t", "The recipients stand in To, Cc and Bcc; those of the command line come to them."),
    ("-i, -oi", "A line with a dot alone does not end the message."),
    (
        "-f ADDRESS, -r ADDRESS",
        "The envelope sender; <> asks for no bounce. Without it: USER@HOST. Zegel aligns it with the site's own address.",
    ),
    ("-F NAME", "The name of the sender, for a message without From."),
    ("--", "What follows are recipients, also when it begins with a hyphen."),
    ("-bm, -m, -n, -v, -o..., -e..., -B, -N, -R, -V, -L, -O, -X", "Taken, and change nothing."),
)
_STATUSES = (
    (EX_OK, "the message is safe: Zegel has it on disk, or it lies in the drop folder"),
    (EX_USAGE, "what was asked cannot be done: no recipient, no address, or an option such as -bs, -bp or -q"),
    (EX_UNAVAILABLE, "Zegel refused the message; the reason stands on standard error"),
    (
        EX_CANTCREAT,
        f"nobody answers, and the drop folder cannot be written in, or holds as much of this user as it may: {MOST_LEFT} messages or "
        f"{MOST_LEFT_OCTETS >> 20} MB; or its disk is nearly full",
    ),
    (EX_IOERR, "writing failed, on a full disk for instance"),
)
_ENVIRONMENT = (
    ("ZEGEL_SOCKET", f"The socket, instead of {SOCKET}."),
    ("ZEGEL_DROP", f"The drop folder, instead of {DROP}."),
)
_EXAMPLE = ("; php.ini", 'sendmail_path = "/usr/local/bin/zegel-sendmail -t -i"')


def command() -> str:
    """The text of zegel-sendmail.1."""
    lines = [f'.TH ZEGEL-SENDMAIL 1 {DATE} "Zegel {__version__}" "Zegel"', ".SH NAME"]
    lines += [f"zegel\\-sendmail \\- {roff('hand a message to Zegel, as the sendmail command does')}"]
    lines += [".SH SYNOPSIS", ".B zegel\\-sendmail", roff("[-t] [-i] [-f ADDRESS] [-F NAME] [--] [ADDRESS...]")]
    lines += [".SH DESCRIPTION", *paragraphs(_DESCRIPTION), ".SH OPTIONS", *items(_OPTIONS)]
    lines += [".SH EXIT STATUS", *items((str(status), meaning) for status, meaning in _STATUSES)]
    lines += [".PP", roff("Never 75: releases of PHP take that for success.")]
    lines += [".SH ENVIRONMENT", *items(_ENVIRONMENT)]
    lines += [".SH EXAMPLES", ".RS 4", ".EX", *map(roff, _EXAMPLE), ".EE", ".RE"]
    return "\n".join([*lines, ".SH SEE ALSO", ".BR zegel (1),", ".BR zegel.toml (5)"]) + "\n"
