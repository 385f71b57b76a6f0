"""Rotations without end under 50 messages a second: ``make soak`` (MINUTES=30, RATE=50); a message that is not as it must be ends it.

The daemon's mail server is a milter's client, or with ``--postfix`` (``make soak POSTFIX=1``) a real Postfix that delivers to a sink.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from support.authority import authority
from support.rotation import Rotations
from support.rotationpost import PostfixRotations


def main() -> int:
    """Rotate until the time is over; exit status 1 when a message was not signed, did not arrive, or its signature did not verify."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=50, help="messages a second; through Postfix, as many of them as it reaches")
    parser.add_argument("--postfix", action="store_true", help="through a real Postfix (as root)")
    options = parser.parse_args()
    kind = PostfixRotations if options.postfix else Rotations
    end = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory(prefix="zegel-soak-") as folder:
        (Path(folder) / "dns").mkdir()
        with authority(Path(folder) / "dns") as there, kind(there, Path(folder), rate=options.rate) as site:
            site.rotate()
            site.begin()
            begun, rotations = time.monotonic(), 0
            while (rotations < 2 or time.monotonic() < end) and not site.troubles:
                site.rotate()
                rotations += 1
                rate = site.verified / (time.monotonic() - begun)
                sys.stdout.write(f"{rotations} rotations, {site.verified} messages signed and verified ({rate:.1f} a second)\n")
                sys.stdout.flush()
            site.end()
            for trouble in site.troubles:
                sys.stdout.write(f"{trouble[:2000]}\n")
            return bool(site.troubles)


if __name__ == "__main__":
    sys.exit(main())
