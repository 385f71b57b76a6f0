"""Rotations without end under 50 messages a second: ``make soak`` (MINUTES=30, RATE=50); a message that is not as it must be ends it."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from support.authority import authority
from support.rotation import Rotations


def main() -> int:
    """Rotate until the time is over; exit status 1 when a message was not signed, or a signature did not verify."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=50, help="messages a second")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory(prefix="zegel-soak-") as folder:
        (Path(folder) / "dns").mkdir()
        with authority(Path(folder) / "dns") as there, Rotations(there, Path(folder), rate=options.rate) as site:
            site.rotate()
            site.begin()
            begun, rotations = time.monotonic(), 0
            while (rotations < 2 or time.monotonic() < end) and not site.troubles:
                site.rotate()
                rotations += 1
                rate = site.sent / (time.monotonic() - begun)
                sys.stdout.write(f"{rotations} rotations, {site.sent} messages signed and verified ({rate:.1f} a second)\n")
                sys.stdout.flush()
            for trouble in site.troubles:
                sys.stdout.write(f"{trouble[:2000]}\n")
            return bool(site.troubles)


if __name__ == "__main__":
    sys.exit(main())
