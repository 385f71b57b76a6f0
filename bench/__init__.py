"""The benchmarks: side by side with the peers, in one run, as ratios. ``make bench`` runs them all and writes ``docs/benchmarks.md``."""

import sys
from pathlib import Path

# The real servers are started by the same rooms as in the tests.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
